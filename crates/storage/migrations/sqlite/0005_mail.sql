-- How far in the feed events were looked at for e-mails. The row appears when notifications are first switched on.
CREATE TABLE mail_place (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    place INTEGER NOT NULL
) STRICT;

-- E-mails, written once for each event and recipient. `due_us` is when the next attempt may be made; whoever makes it moves it
-- beyond its end, and what comes of it counts only while `attempts` is still the number of theirs. What was sent loses its texts.
CREATE TABLE mail (
    id BLOB PRIMARY KEY,
    seq INTEGER NOT NULL,
    notice TEXT NOT NULL,
    recipient TEXT NOT NULL,
    language TEXT NOT NULL,
    subject TEXT NOT NULL,
    body TEXT NOT NULL,
    html TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'sent', 'dead')),
    attempts INTEGER NOT NULL,
    created_us INTEGER NOT NULL,
    since_us INTEGER NOT NULL,
    due_us INTEGER NOT NULL,
    ended_us INTEGER,
    error TEXT
) STRICT;
CREATE UNIQUE INDEX mail_event ON mail (seq, recipient);
CREATE INDEX mail_due ON mail (due_us, id) WHERE state = 'waiting';
CREATE INDEX mail_dead ON mail (ended_us) WHERE state = 'dead';
CREATE INDEX mail_ended ON mail (ended_us) WHERE ended_us IS NOT NULL;

-- When somebody was told that it comes to its end.
ALTER TABLE hold ADD COLUMN told_us INTEGER;
ALTER TABLE token ADD COLUMN told_us INTEGER;
