-- Which events readers see. Numbers of events are given before their units commit, so one may be committed before another
-- with a lower number. `candidate_seq` was the highest number that anybody could see at a moment, and `waits_for` names the
-- transactions that could have had a number by then and were not over: once they are, nothing at or below `candidate_seq`
-- can appear any more, and it is published.
CREATE TABLE feed (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    published_seq BIGINT NOT NULL,
    candidate_seq BIGINT NOT NULL,
    waits_for TEXT COLLATE "C" NOT NULL
);
INSERT INTO feed (id, published_seq, candidate_seq, waits_for) VALUES (1, 0, 0, '');

-- The highest number that readers see.
CREATE FUNCTION usher_horizon() RETURNS BIGINT LANGUAGE sql STABLE AS
    'SELECT f.published_seq FROM feed f WHERE f.id = 1';

-- Endpoints that events are delivered to. `place` is how far in the feed an endpoint is: every event up to it that is meant
-- for it was delivered, or has a row in `webhook_delivery`. `claim` rises whenever a node takes the endpoint to deliver or lets it go;
-- what a node writes down afterwards counts only while the number is still its own.
CREATE TABLE webhook (
    id UUID PRIMARY KEY,
    url TEXT COLLATE "C" NOT NULL,
    description TEXT COLLATE "C" NOT NULL,
    role TEXT COLLATE "C" NOT NULL,
    filter TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL CHECK (state IN ('active', 'paused', 'disabled')),
    state_reason TEXT COLLATE "C",
    place BIGINT NOT NULL,
    claim BIGINT NOT NULL DEFAULT 0,
    claimed_by TEXT COLLATE "C",
    claimed_until_us BIGINT,
    failures BIGINT NOT NULL DEFAULT 0,
    failing_since_us BIGINT,
    due_us BIGINT NOT NULL,
    delivered BIGINT NOT NULL DEFAULT 0,
    last_success_us BIGINT,
    last_failure_us BIGINT,
    last_error TEXT COLLATE "C",
    created_us BIGINT NOT NULL,
    version BIGINT NOT NULL
);

-- Signing secrets, sealed with a key that is not in the database.
CREATE TABLE webhook_secret (
    webhook_id UUID NOT NULL REFERENCES webhook (id),
    id UUID NOT NULL,
    sealed BYTEA NOT NULL,
    created_us BIGINT NOT NULL,
    expires_us BIGINT,
    PRIMARY KEY (webhook_id, id)
);

-- Events of one room, in order, that wait because the first of them failed; `lane` is the room, or the nil UUID.
CREATE TABLE webhook_lane (
    webhook_id UUID NOT NULL REFERENCES webhook (id),
    lane UUID NOT NULL,
    attempts BIGINT NOT NULL,
    failing_since_us BIGINT,
    due_us BIGINT NOT NULL,
    error TEXT COLLATE "C",
    PRIMARY KEY (webhook_id, lane)
);
CREATE INDEX webhook_lane_due ON webhook_lane (webhook_id, due_us);

-- Deliveries that wait or were given up; those that succeeded have no row.
CREATE TABLE webhook_delivery (
    webhook_id UUID NOT NULL REFERENCES webhook (id),
    seq BIGINT NOT NULL,
    lane UUID NOT NULL,
    state TEXT COLLATE "C" NOT NULL CHECK (state IN ('waiting', 'dead')),
    attempts BIGINT NOT NULL,
    since_us BIGINT NOT NULL,
    last_us BIGINT,
    error TEXT COLLATE "C",
    PRIMARY KEY (webhook_id, seq)
);
CREATE INDEX webhook_delivery_waiting ON webhook_delivery (webhook_id, lane, seq) WHERE state = 'waiting';
CREATE INDEX webhook_delivery_dead ON webhook_delivery (webhook_id, seq) WHERE state = 'dead';
