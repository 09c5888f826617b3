-- Which events readers see, on engines where one may be committed before another with a lower number. Here everything
-- committed is seen at once, and the table stays empty.
CREATE TABLE feed (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    published_seq INTEGER NOT NULL,
    candidate_seq INTEGER NOT NULL,
    waits_for TEXT NOT NULL
) STRICT;

-- Endpoints that events are delivered to. `place` is how far in the feed an endpoint is: every event up to it that is meant
-- for it was delivered, or has a row in `webhook_delivery`. `claim` rises whenever a node takes the endpoint to deliver or lets it go;
-- what a node writes down afterwards counts only while the number is still its own.
CREATE TABLE webhook (
    id BLOB PRIMARY KEY,
    url TEXT NOT NULL,
    description TEXT NOT NULL,
    role TEXT NOT NULL,
    filter TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('active', 'paused', 'disabled')),
    state_reason TEXT,
    place INTEGER NOT NULL,
    claim INTEGER NOT NULL DEFAULT 0,
    claimed_by TEXT,
    claimed_until_us INTEGER,
    failures INTEGER NOT NULL DEFAULT 0,
    failing_since_us INTEGER,
    due_us INTEGER NOT NULL,
    delivered INTEGER NOT NULL DEFAULT 0,
    last_success_us INTEGER,
    last_failure_us INTEGER,
    last_error TEXT,
    created_us INTEGER NOT NULL,
    version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Signing secrets, sealed with a key that is not in the database.
CREATE TABLE webhook_secret (
    webhook_id BLOB NOT NULL REFERENCES webhook (id),
    id BLOB NOT NULL,
    sealed BLOB NOT NULL,
    created_us INTEGER NOT NULL,
    expires_us INTEGER,
    PRIMARY KEY (webhook_id, id)
) STRICT, WITHOUT ROWID;

-- Events of one room, in order, that wait because the first of them failed; `lane` is the room, or the nil UUID.
CREATE TABLE webhook_lane (
    webhook_id BLOB NOT NULL REFERENCES webhook (id),
    lane BLOB NOT NULL,
    attempts INTEGER NOT NULL,
    failing_since_us INTEGER,
    due_us INTEGER NOT NULL,
    error TEXT,
    PRIMARY KEY (webhook_id, lane)
) STRICT, WITHOUT ROWID;
CREATE INDEX webhook_lane_due ON webhook_lane (webhook_id, due_us);

-- Deliveries that wait or were given up; those that succeeded have no row.
CREATE TABLE webhook_delivery (
    webhook_id BLOB NOT NULL REFERENCES webhook (id),
    seq INTEGER NOT NULL,
    lane BLOB NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'dead')),
    attempts INTEGER NOT NULL,
    since_us INTEGER NOT NULL,
    last_us INTEGER,
    error TEXT,
    PRIMARY KEY (webhook_id, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX webhook_delivery_waiting ON webhook_delivery (webhook_id, lane, seq) WHERE state = 'waiting';
CREATE INDEX webhook_delivery_dead ON webhook_delivery (webhook_id, seq) WHERE state = 'dead';
