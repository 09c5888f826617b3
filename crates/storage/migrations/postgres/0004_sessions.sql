-- Who is signed in to the console. Of the secret in the cookie there is only the hash. `account_id` names the one who signed in,
-- the same for all sessions of theirs; `provider` is empty for a local administrator.
CREATE TABLE console_session (
    id UUID PRIMARY KEY,
    hash BYTEA NOT NULL UNIQUE,
    account_id UUID NOT NULL,
    provider TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    email TEXT COLLATE "C",
    role TEXT COLLATE "C" NOT NULL,
    address TEXT COLLATE "C",
    agent TEXT COLLATE "C",
    created_us BIGINT NOT NULL,
    seen_us BIGINT NOT NULL,
    ends_us BIGINT NOT NULL,
    revoked_us BIGINT
);
CREATE INDEX console_session_account ON console_session (account_id, id);
CREATE INDEX console_session_end ON console_session (ends_us);

-- Those who may sign in with a password when no provider can be asked, with its Argon2 hash.
CREATE TABLE local_administrator (
    name TEXT COLLATE "C" PRIMARY KEY,
    hash TEXT COLLATE "C" NOT NULL,
    created_us BIGINT NOT NULL,
    changed_us BIGINT NOT NULL
);

-- Sign-ins that came back from a provider, by the hash of their `state`: none comes back twice.
CREATE TABLE sign_in_return (
    state BYTEA PRIMARY KEY,
    until_us BIGINT NOT NULL
);
CREATE INDEX sign_in_return_age ON sign_in_return (until_us);
