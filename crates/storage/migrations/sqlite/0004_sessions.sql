-- Who is signed in to the console. Of the secret in the cookie there is only the hash. `account_id` names the one who signed in,
-- the same for all sessions of theirs; `provider` is empty for a local administrator.
CREATE TABLE console_session (
    id BLOB PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,
    account_id BLOB NOT NULL,
    provider TEXT NOT NULL,
    subject TEXT NOT NULL,
    name TEXT NOT NULL,
    email TEXT,
    role TEXT NOT NULL,
    address TEXT,
    agent TEXT,
    created_us INTEGER NOT NULL,
    seen_us INTEGER NOT NULL,
    ends_us INTEGER NOT NULL,
    revoked_us INTEGER
) STRICT;
CREATE INDEX console_session_account ON console_session (account_id, id);
CREATE INDEX console_session_end ON console_session (ends_us);

-- Those who may sign in with a password when no provider can be asked, with its Argon2 hash.
CREATE TABLE local_administrator (
    name TEXT PRIMARY KEY,
    hash TEXT NOT NULL,
    created_us INTEGER NOT NULL,
    changed_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Sign-ins that came back from a provider, by the hash of their `state`: none comes back twice.
CREATE TABLE sign_in_return (
    state BLOB PRIMARY KEY,
    until_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sign_in_return_age ON sign_in_return (until_us);
