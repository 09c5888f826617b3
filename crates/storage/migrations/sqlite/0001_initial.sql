-- Ids are 16-byte UUIDv7, times are microseconds since 1970 in UTC, `*_key` columns hold folded text
-- for comparing, JSON is text. Narrow tables whose key is their order have no rowid.

-- One row for the rules that decisions follow. `active` is in force; `proposed` waits for a confirmation.
CREATE TABLE policy (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    version INTEGER NOT NULL,
    active TEXT NOT NULL,
    proposed TEXT
) STRICT;

-- What one unit of work did, for whom and why. Everything that changed points here.
CREATE TABLE change (
    id BLOB PRIMARY KEY,
    at_us INTEGER NOT NULL,
    actor_kind TEXT NOT NULL,
    actor TEXT NOT NULL,
    request_id TEXT,
    reason TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE event (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    change_id BLOB NOT NULL,
    kind TEXT NOT NULL,
    at_us INTEGER NOT NULL,
    source_id INTEGER,
    room_id BLOB,
    person_id BLOB,
    membership_id BLOB,
    data TEXT NOT NULL
) STRICT;
CREATE INDEX event_change ON event (change_id);

-- The directory: what sources said, exactly as they said it.

CREATE TABLE source (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    mode TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('active', 'frozen', 'retired')),
    tenant TEXT,
    first_seen_us INTEGER NOT NULL,
    last_write_us INTEGER
) STRICT;

CREATE TABLE person (
    id BLOB PRIMARY KEY,
    email TEXT,
    display_name TEXT,
    merged_into BLOB REFERENCES person (id),
    created_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX person_email ON person (email) WHERE email IS NOT NULL;
CREATE INDEX person_merged ON person (merged_into) WHERE merged_into IS NOT NULL;

CREATE TABLE source_user (
    id BLOB PRIMARY KEY,
    source_id INTEGER NOT NULL REFERENCES source (id),
    person_id BLOB NOT NULL REFERENCES person (id),
    remote_id TEXT,
    external_id TEXT,
    user_name TEXT NOT NULL,
    user_key TEXT NOT NULL,
    email TEXT,
    display_name TEXT,
    active INTEGER NOT NULL,
    scope TEXT NOT NULL CHECK (scope IN ('in', 'no_address', 'foreign_domain', 'guest')),
    inactive_since_us INTEGER,
    gone_us INTEGER,
    version INTEGER NOT NULL,
    created_us INTEGER NOT NULL,
    modified_us INTEGER NOT NULL,
    resource TEXT NOT NULL,
    pushed INTEGER NOT NULL DEFAULT 1
) STRICT;
CREATE UNIQUE INDEX source_user_name ON source_user (source_id, user_key) WHERE gone_us IS NULL;
CREATE INDEX source_user_external ON source_user (source_id, external_id) WHERE external_id IS NOT NULL;
CREATE UNIQUE INDEX source_user_remote ON source_user (source_id, remote_id) WHERE remote_id IS NOT NULL AND gone_us IS NULL;
CREATE INDEX source_user_former ON source_user (source_id, remote_id) WHERE remote_id IS NOT NULL AND gone_us IS NOT NULL;
CREATE INDEX source_user_email ON source_user (source_id, email) WHERE email IS NOT NULL;
CREATE INDEX source_user_person ON source_user (person_id);
CREATE INDEX source_user_live ON source_user (source_id, id, pushed) WHERE gone_us IS NULL;
CREATE INDEX source_user_inactive ON source_user (source_id, inactive_since_us) WHERE inactive_since_us IS NOT NULL AND gone_us IS NULL;

-- Further addresses of users, folded: for filters, beside the one in the user's own row.
CREATE TABLE user_email (
    user_id BLOB NOT NULL REFERENCES source_user (id),
    email TEXT NOT NULL,
    PRIMARY KEY (user_id, email)
) STRICT, WITHOUT ROWID;
CREATE INDEX user_email_email ON user_email (email);

CREATE TABLE source_group (
    id BLOB PRIMARY KEY,
    source_id INTEGER NOT NULL REFERENCES source (id),
    remote_id TEXT,
    external_id TEXT,
    display_name TEXT NOT NULL,
    name_key TEXT NOT NULL,
    member_count INTEGER NOT NULL DEFAULT 0,
    gone_us INTEGER,
    version INTEGER NOT NULL,
    created_us INTEGER NOT NULL,
    modified_us INTEGER NOT NULL,
    resource TEXT NOT NULL,
    pushed INTEGER NOT NULL DEFAULT 1,
    assigned INTEGER NOT NULL DEFAULT 1
) STRICT;
CREATE INDEX source_group_name ON source_group (source_id, name_key) WHERE gone_us IS NULL;
CREATE INDEX source_group_external ON source_group (source_id, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX source_group_live ON source_group (source_id, id, pushed) WHERE gone_us IS NULL;
CREATE INDEX source_group_remote ON source_group (source_id, remote_id) WHERE remote_id IS NOT NULL AND gone_us IS NULL;

-- A row lives as long as the source names the member; `dormant` rows have no effect. `sides` says who names the member:
-- 1 push, 2 pull, 3 both. `doubts` counts the complete reads, since the one that began at `doubt_us`, that say the opposite
-- of what is in effect.
CREATE TABLE group_member (
    group_id BLOB NOT NULL REFERENCES source_group (id),
    user_id BLOB NOT NULL REFERENCES source_user (id),
    dormant INTEGER NOT NULL DEFAULT 0,
    named_us INTEGER NOT NULL,
    sides INTEGER NOT NULL DEFAULT 1,
    doubts INTEGER NOT NULL DEFAULT 0,
    doubt_us INTEGER,
    PRIMARY KEY (group_id, user_id)
) STRICT, WITHOUT ROWID;
-- With `sides`, so that the groups of a user, which most answers show, are read from the index alone.
CREATE INDEX group_member_user ON group_member (user_id, group_id, sides);

-- Of sources that are pushed and pulled: members that a push removed. A read that still sees them, perhaps because the
-- provider's index lags, brings nobody back by itself.
CREATE TABLE removed_member (
    group_id BLOB NOT NULL REFERENCES source_group (id),
    user_id BLOB NOT NULL REFERENCES source_user (id),
    at_us INTEGER NOT NULL,
    PRIMARY KEY (group_id, user_id)
) STRICT, WITHOUT ROWID;

-- Of sources that are pushed and pulled: what the last read said of a user, beside what was pushed.
CREATE TABLE pulled_user (
    user_id BLOB PRIMARY KEY REFERENCES source_user (id),
    active INTEGER NOT NULL,
    gone INTEGER NOT NULL,
    said_us INTEGER NOT NULL,
    record TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Users that a read saw and that a human has to join with a pushed one first, because only the name is equal.
CREATE TABLE pull_parked (
    source_id INTEGER NOT NULL REFERENCES source (id),
    remote_id TEXT NOT NULL,
    user_name TEXT NOT NULL,
    since_us INTEGER NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (source_id, remote_id)
) STRICT, WITHOUT ROWID;

-- Members that name nobody known: a user who has not come yet, or another group.
CREATE TABLE pending_member (
    group_id BLOB NOT NULL REFERENCES source_group (id),
    value TEXT NOT NULL,
    source_id INTEGER NOT NULL,
    kind TEXT,
    named_us INTEGER NOT NULL,
    PRIMARY KEY (group_id, value)
) STRICT, WITHOUT ROWID;
CREATE INDEX pending_member_value ON pending_member (source_id, value);

-- Equal addresses of people who are not known to be the same. A hint for humans, nothing more.
CREATE TABLE similar_person (
    person_id BLOB NOT NULL REFERENCES person (id),
    other_id BLOB NOT NULL REFERENCES person (id),
    email TEXT NOT NULL,
    noted_us INTEGER NOT NULL,
    PRIMARY KEY (person_id, other_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX similar_person_other ON similar_person (other_id);

-- Rooms, how groups lead to them, and who is in them.

CREATE TABLE room (
    id BLOB PRIMARY KEY,
    name TEXT NOT NULL,
    name_key TEXT NOT NULL,
    model TEXT NOT NULL CHECK (model IN ('open', 'closed')),
    features TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('preparing', 'live', 'archived')),
    portal_id TEXT,
    url TEXT,
    no_administrator_since_us INTEGER,
    arrival_limit INTEGER,
    version INTEGER NOT NULL,
    created_us INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX room_name ON room (name_key) WHERE state <> 'archived';
CREATE INDEX room_limited ON room (id) WHERE arrival_limit IS NOT NULL;

CREATE TABLE mapping (
    id BLOB PRIMARY KEY,
    room_id BLOB NOT NULL REFERENCES room (id),
    source_id INTEGER NOT NULL REFERENCES source (id),
    group_id BLOB REFERENCES source_group (id),
    group_ref TEXT NOT NULL,
    group_key TEXT NOT NULL,
    named_by TEXT NOT NULL CHECK (named_by IN ('id', 'name')),
    level TEXT NOT NULL,
    rejoin TEXT NOT NULL CHECK (rejoin IN ('ask', 'never', 'auto')),
    rejoin_days INTEGER,
    nested INTEGER NOT NULL DEFAULT 0,
    additional INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'confirmed', 'retired')),
    created_us INTEGER NOT NULL,
    confirmed_us INTEGER,
    retired_us INTEGER,
    version INTEGER NOT NULL
) STRICT;
CREATE INDEX mapping_group ON mapping (group_id) WHERE group_id IS NOT NULL AND state <> 'retired';
CREATE INDEX mapping_room ON mapping (room_id);
CREATE INDEX mapping_reference ON mapping (source_id, group_key) WHERE state <> 'retired';

CREATE TABLE membership (
    id BLOB PRIMARY KEY,
    room_id BLOB NOT NULL REFERENCES room (id),
    person_id BLOB NOT NULL REFERENCES person (id),
    kind TEXT NOT NULL CHECK (kind IN ('managed', 'manual', 'bootstrap')),
    level TEXT NOT NULL,
    administrator INTEGER NOT NULL,
    active INTEGER NOT NULL,
    source_id INTEGER,
    user_id BLOB,
    mapping_id BLOB,
    started_us INTEGER NOT NULL,
    ended_us INTEGER,
    end_reason TEXT,
    stray TEXT,
    stray_since_us INTEGER,
    hold_id BLOB,
    owner TEXT,
    note TEXT,
    until_us INTEGER,
    version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX membership_active ON membership (room_id, person_id) WHERE active = 1;
CREATE INDEX membership_person ON membership (person_id, room_id);
CREATE INDEX membership_former ON membership (room_id, ended_us) WHERE active = 0;
CREATE INDEX membership_administrator ON membership (room_id) WHERE active = 1 AND administrator = 1;
CREATE INDEX membership_managed ON membership (room_id, source_id) WHERE active = 1 AND kind = 'managed';
CREATE INDEX membership_until ON membership (until_us) WHERE active = 1 AND until_us IS NOT NULL;
CREATE INDEX membership_stray ON membership (stray_since_us) WHERE active = 1 AND stray IS NOT NULL;

CREATE TABLE period (
    membership_id BLOB NOT NULL REFERENCES membership (id),
    n INTEGER NOT NULL,
    from_us INTEGER NOT NULL,
    from_reason TEXT NOT NULL,
    from_change BLOB NOT NULL,
    to_us INTEGER,
    to_reason TEXT,
    to_change BLOB,
    PRIMARY KEY (membership_id, n)
) STRICT, WITHOUT ROWID;

-- Levels that were given after the start. The level at a moment is the last one given before it.
CREATE TABLE level_change (
    membership_id BLOB NOT NULL REFERENCES membership (id),
    n INTEGER NOT NULL,
    at_us INTEGER NOT NULL,
    level_before TEXT NOT NULL,
    level TEXT NOT NULL,
    change_id BLOB NOT NULL,
    PRIMARY KEY (membership_id, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE room_grant (
    id BLOB PRIMARY KEY,
    membership_id BLOB NOT NULL REFERENCES membership (id),
    kind TEXT NOT NULL,
    reference TEXT NOT NULL,
    label TEXT NOT NULL,
    moved_from BLOB,
    created_us INTEGER NOT NULL,
    dropped_us INTEGER,
    version INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX room_grant_membership ON room_grant (membership_id);
CREATE UNIQUE INDEX room_grant_reference ON room_grant (membership_id, kind, reference) WHERE dropped_us IS NULL;

-- People whom a source wants in a room and who wait there for a human.
CREATE TABLE parked (
    room_id BLOB NOT NULL REFERENCES room (id),
    person_id BLOB NOT NULL REFERENCES person (id),
    reason TEXT NOT NULL,
    other_id BLOB,
    since_us INTEGER NOT NULL,
    PRIMARY KEY (room_id, person_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX parked_person ON parked (person_id);
CREATE INDEX parked_other ON parked (other_id) WHERE other_id IS NOT NULL;

-- The brake.

CREATE TABLE ending (
    room_id BLOB NOT NULL,
    source_id INTEGER NOT NULL,
    at_us INTEGER NOT NULL,
    membership_id BLOB NOT NULL,
    PRIMARY KEY (room_id, source_id, at_us, membership_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE hold (
    id BLOB PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('endings', 'arrivals')),
    room_id BLOB NOT NULL REFERENCES room (id),
    source_id INTEGER NOT NULL REFERENCES source (id),
    state TEXT NOT NULL CHECK (state IN ('open', 'approved', 'rejected', 'applied', 'released')),
    cause TEXT NOT NULL,
    opened_us INTEGER NOT NULL,
    due_us INTEGER,
    closed_us INTEGER,
    version INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX hold_open ON hold (room_id, source_id, kind) WHERE state = 'open';
CREATE INDEX hold_due ON hold (due_us) WHERE state = 'open' AND due_us IS NOT NULL;

CREATE TABLE hold_item (
    hold_id BLOB NOT NULL REFERENCES hold (id),
    person_id BLOB NOT NULL REFERENCES person (id),
    membership_id BLOB,
    reason TEXT NOT NULL,
    at_us INTEGER NOT NULL,
    PRIMARY KEY (hold_id, person_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX hold_item_person ON hold_item (person_id);

-- Orders and restores.

CREATE TABLE room_order (
    id BLOB PRIMARY KEY,
    state TEXT NOT NULL CHECK (state IN ('draft', 'submitted', 'accepted', 'room_ready', 'mapping_confirmed',
        'arriving', 'finalising', 'live', 'rejected', 'withdrawn')),
    since_us INTEGER NOT NULL,
    customer TEXT NOT NULL,
    room_name TEXT NOT NULL,
    room_key TEXT NOT NULL,
    administrator TEXT NOT NULL,
    administrator_person BLOB REFERENCES person (id),
    all_content INTEGER NOT NULL,
    model TEXT NOT NULL CHECK (model IN ('open', 'closed')),
    features TEXT NOT NULL,
    source_id INTEGER NOT NULL REFERENCES source (id),
    group_ref TEXT NOT NULL,
    group_key TEXT NOT NULL,
    named_by TEXT NOT NULL CHECK (named_by IN ('id', 'name')),
    expected INTEGER NOT NULL,
    requester TEXT NOT NULL,
    room_id BLOB REFERENCES room (id),
    mapping_id BLOB REFERENCES mapping (id),
    bootstrap_due_us INTEGER,
    alerted_us INTEGER,
    raised_us INTEGER,
    closing_reason TEXT,
    created_us INTEGER NOT NULL,
    version INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX room_order_name ON room_order (room_key)
    WHERE state NOT IN ('draft', 'live', 'rejected', 'withdrawn');
CREATE INDEX room_order_room ON room_order (room_id) WHERE room_id IS NOT NULL;
CREATE INDEX room_order_group ON room_order (source_id, group_key)
    WHERE state NOT IN ('draft', 'live', 'rejected', 'withdrawn');
CREATE INDEX room_order_requester ON room_order (requester, id);
CREATE INDEX room_order_due ON room_order (bootstrap_due_us) WHERE bootstrap_due_us IS NOT NULL;

CREATE TABLE logo (
    order_id BLOB PRIMARY KEY REFERENCES room_order (id),
    media_type TEXT NOT NULL,
    bytes BLOB NOT NULL
) STRICT;

CREATE TABLE restore (
    id BLOB PRIMARY KEY,
    room_id BLOB NOT NULL REFERENCES room (id),
    person_id BLOB NOT NULL REFERENCES person (id),
    present_id BLOB NOT NULL REFERENCES membership (id),
    former_id BLOB REFERENCES membership (id),
    state TEXT NOT NULL CHECK (state IN ('suggested', 'applied', 'undone', 'closed')),
    opened_us INTEGER NOT NULL,
    closed_us INTEGER,
    closing_reason TEXT,
    data TEXT NOT NULL,
    version INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX restore_suggested ON restore (room_id, person_id) WHERE state = 'suggested';
CREATE INDEX restore_person ON restore (person_id, room_id);
CREATE INDEX restore_present ON restore (present_id) WHERE state = 'suggested';

-- Access to Usher itself, and work that is done later.

CREATE TABLE token (
    id BLOB PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,
    source_id INTEGER REFERENCES source (id),
    role TEXT,
    label TEXT NOT NULL,
    subject TEXT,
    created_us INTEGER NOT NULL,
    expires_us INTEGER,
    revoked_us INTEGER,
    last_used_us INTEGER
) STRICT;

CREATE TABLE jwt_key (
    id BLOB PRIMARY KEY,
    source_id INTEGER NOT NULL REFERENCES source (id),
    label TEXT NOT NULL,
    algorithm TEXT NOT NULL,
    key_id TEXT,
    issuer TEXT NOT NULL,
    audience TEXT NOT NULL,
    public_key TEXT NOT NULL,
    thumbprint TEXT NOT NULL UNIQUE,
    created_us INTEGER NOT NULL,
    revoked_us INTEGER
) STRICT;
CREATE INDEX jwt_key_source ON jwt_key (source_id);

CREATE TABLE idempotency (
    token_id BLOB NOT NULL,
    key TEXT NOT NULL,
    digest BLOB NOT NULL,
    status INTEGER NOT NULL,
    body TEXT NOT NULL,
    at_us INTEGER NOT NULL,
    PRIMARY KEY (token_id, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_age ON idempotency (at_us);

CREATE TABLE job (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    state TEXT NOT NULL,
    done INTEGER NOT NULL DEFAULT 0,
    due_us INTEGER NOT NULL,
    created_us INTEGER NOT NULL,
    UNIQUE (kind, key)
) STRICT;
CREATE INDEX job_due ON job (due_us);

-- Random secrets that this deployment made for itself, such as the key of paging cursors.
CREATE TABLE keyring (
    name TEXT PRIMARY KEY,
    secret BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Reading the sources that Usher asks itself: where the last read ended and when the next is due, and each read.

CREATE TABLE pull_state (
    source_id INTEGER PRIMARY KEY REFERENCES source (id),
    checkpoint TEXT,
    next_us INTEGER,
    full_us INTEGER,
    last_read_us INTEGER,
    last_full_us INTEGER,
    failures INTEGER NOT NULL DEFAULT 0,
    degraded_us INTEGER,
    degraded_kind TEXT,
    degraded TEXT
) STRICT;

CREATE TABLE pull_run (
    id BLOB PRIMARY KEY,
    source_id INTEGER NOT NULL REFERENCES source (id),
    scope TEXT NOT NULL CHECK (scope IN ('all', 'groups', 'person')),
    target TEXT NOT NULL,
    is_full INTEGER NOT NULL,
    person_id BLOB REFERENCES person (id),
    state TEXT NOT NULL CHECK (state IN ('waiting', 'running', 'done', 'failed', 'abandoned')),
    cause TEXT NOT NULL,
    actor TEXT,
    asked_us INTEGER NOT NULL,
    due_us INTEGER NOT NULL,
    started_us INTEGER,
    ended_us INTEGER,
    groups_seen INTEGER NOT NULL DEFAULT 0,
    users_seen INTEGER NOT NULL DEFAULT 0,
    members_seen INTEGER NOT NULL DEFAULT 0,
    users_changed INTEGER NOT NULL DEFAULT 0,
    members_added INTEGER NOT NULL DEFAULT 0,
    members_removed INTEGER NOT NULL DEFAULT 0,
    members_doubted INTEGER NOT NULL DEFAULT 0,
    not_seen TEXT NOT NULL DEFAULT '[]',
    error_kind TEXT,
    error TEXT
) STRICT;
CREATE INDEX pull_run_source ON pull_run (source_id, id);
CREATE INDEX pull_run_open ON pull_run (source_id, due_us) WHERE state IN ('waiting', 'running');
CREATE INDEX pull_run_person ON pull_run (person_id, source_id, id) WHERE person_id IS NOT NULL;
