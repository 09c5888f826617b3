-- How far in the feed events were looked at for e-mails. The row appears when notifications are first switched on.
CREATE TABLE mail_place (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    place BIGINT NOT NULL
);

-- E-mails, written once for each event and recipient. `due_us` is when the next attempt may be made; whoever makes it moves it
-- beyond its end, and what comes of it counts only while `attempts` is still the number of theirs. What was sent loses its texts.
CREATE TABLE mail (
    id UUID PRIMARY KEY,
    seq BIGINT NOT NULL,
    notice TEXT COLLATE "C" NOT NULL,
    recipient TEXT COLLATE "C" NOT NULL,
    language TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    body TEXT COLLATE "C" NOT NULL,
    html TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL CHECK (state IN ('waiting', 'sent', 'dead')),
    attempts BIGINT NOT NULL,
    created_us BIGINT NOT NULL,
    since_us BIGINT NOT NULL,
    due_us BIGINT NOT NULL,
    ended_us BIGINT,
    error TEXT COLLATE "C"
);
CREATE UNIQUE INDEX mail_event ON mail (seq, recipient);
CREATE INDEX mail_due ON mail (due_us, id) WHERE state = 'waiting';
CREATE INDEX mail_dead ON mail (ended_us) WHERE state = 'dead';
CREATE INDEX mail_ended ON mail (ended_us) WHERE ended_us IS NOT NULL;

-- When somebody was told that it comes to its end.
ALTER TABLE hold ADD COLUMN told_us BIGINT;
ALTER TABLE token ADD COLUMN told_us BIGINT;
