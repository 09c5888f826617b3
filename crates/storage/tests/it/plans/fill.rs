//! Tables as large as they get, filled by statements over whole sets.

use usher_storage::{Storage, StorageError};
use usher_testpg::Place;

use crate::world::World;

/// What fills the tables. `#n#` stands for the id number `n`, `@count` for the numbers from 1 to `count` as `s.n`.
const STATEMENTS: &[&str] = &[
    "INSERT INTO source (id, name, kind, mode, state, first_seen_us) SELECT s.n, 's' || s.n, 'scim', 'both', 'active', 1 FROM @5",
    "INSERT INTO person (id, email, display_name, created_us) SELECT #s.n#, 'p' || s.n, 'P', 1 FROM @100000",
    "INSERT INTO source_user (id, source_id, person_id, remote_id, external_id, user_name, user_key, email, active, scope,
        inactive_since_us, gone_us, version, created_us, modified_us, resource)
     SELECT #s.n#, 1 + s.n % 5, #s.n#, 'r' || s.n, 'e' || s.n, 'u' || s.n, 'u' || s.n, 'm' || s.n, 1, 'in',
        CASE WHEN s.n % 50 = 0 THEN s.n END, CASE WHEN s.n % 20 = 0 THEN s.n END, 1, s.n, s.n, '{}' FROM @100000",
    "INSERT INTO user_email (user_id, email) SELECT #s.n#, 'x' || s.n FROM @20000",
    "INSERT INTO source_group (id, source_id, remote_id, external_id, display_name, name_key, gone_us, version, created_us,
        modified_us, resource)
     SELECT #s.n#, 1 + s.n % 5, 'r' || s.n, 'e' || s.n, 'g' || s.n, 'g' || s.n, CASE WHEN s.n % 20 = 0 THEN s.n END, 1, s.n,
        s.n, '{}' FROM @20000",
    "INSERT INTO group_member (group_id, user_id, dormant, named_us, sides, doubts)
     SELECT #1 + s.n % 19997#, #1 + s.n % 99991#, s.n % 2, s.n, 1 + s.n % 3, s.n % 2 FROM @200000",
    "INSERT INTO removed_member (group_id, user_id, at_us) SELECT #1 + s.n % 19997#, #1 + s.n % 99991#, s.n FROM @20000",
    "INSERT INTO pulled_user (user_id, active, gone, said_us, record) SELECT #s.n#, 1, 0, s.n, '{}' FROM @50000",
    "INSERT INTO pull_parked (source_id, remote_id, user_name, since_us, record)
     SELECT 1 + s.n % 5, 'r' || s.n, 'u', s.n, '{}' FROM @10000",
    "INSERT INTO pending_member (group_id, value, source_id, named_us) SELECT #1 + s.n % 19997#, 'v' || s.n, 1 + s.n % 5, s.n FROM @20000",
    "INSERT INTO similar_person (person_id, other_id, email, noted_us) SELECT #s.n#, #s.n + 1#, 'p', s.n FROM @10000",
    "INSERT INTO room (id, name, name_key, model, features, state, version, created_us)
     SELECT #s.n#, 'room' || s.n, 'room' || s.n, 'open', '[]', 'live', 1, 1 FROM @1000",
    "INSERT INTO mapping (id, room_id, source_id, group_id, group_ref, group_key, named_by, level, rejoin, additional, state,
        created_us, version)
     SELECT #s.n#, #1 + s.n % 1000#, 1 + s.n % 5, #1 + (s.n * 7919) % 19997#, 'r' || s.n, 'r' || s.n, 'id', 'read', 'ask', 0,
        CASE WHEN s.n % 10 = 0 THEN 'retired' ELSE 'confirmed' END, 1, 1 FROM @2000",
    "INSERT INTO membership (id, room_id, person_id, kind, level, administrator, active, source_id, user_id, mapping_id,
        started_us, ended_us, stray, stray_since_us, until_us, version)
     SELECT #s.n#, #1 + s.n % 1000#, #s.n#, CASE WHEN s.n % 5 = 0 THEN 'manual' ELSE 'managed' END, 'read',
        CASE WHEN s.n % 500 = 0 THEN 1 ELSE 0 END, CASE WHEN s.n % 4 = 0 THEN 0 ELSE 1 END, 1 + s.n % 5, #s.n#,
        #1 + s.n % 2000#, s.n, CASE WHEN s.n % 4 = 0 THEN s.n END, CASE WHEN s.n % 100 = 1 THEN 'moved' END,
        CASE WHEN s.n % 100 = 1 THEN s.n END, CASE WHEN s.n % 100 = 2 THEN s.n END, 1 FROM @100000",
    "INSERT INTO period (membership_id, n, from_us, from_reason, from_change) SELECT #s.n#, 1, s.n, 'x', #s.n# FROM @100000",
    "INSERT INTO period (membership_id, n, from_us, from_reason, from_change) SELECT #s.n#, 2, s.n, 'x', #s.n# FROM @50000",
    "INSERT INTO level_change (membership_id, n, at_us, level_before, level, change_id)
     SELECT #s.n#, 1, s.n, 'a', 'b', #s.n# FROM @50000",
    "INSERT INTO room_grant (id, membership_id, kind, reference, label, created_us, dropped_us, version)
     SELECT #s.n#, #s.n#, 'k', 'r', 'l', s.n, CASE WHEN s.n % 4 = 0 THEN s.n END, 1 FROM @50000",
    "INSERT INTO parked (room_id, person_id, reason, other_id, since_us)
     SELECT #1 + s.n % 1000#, #s.n#, 'beyond_expected', CASE WHEN s.n % 4 = 0 THEN #s.n + 1# END, s.n FROM @20000",
    "INSERT INTO ending (room_id, source_id, at_us, membership_id) SELECT #1 + s.n % 1000#, 1 + s.n % 5, s.n, #s.n# FROM @50000",
    "INSERT INTO hold (id, kind, room_id, source_id, state, cause, opened_us, due_us, version)
     SELECT #s.n#, 'endings', #1 + s.n % 1000#, 1, CASE WHEN s.n <= 200 THEN 'open' ELSE 'applied' END, 'x', s.n, s.n, 1 FROM @2000",
    "INSERT INTO hold_item (hold_id, person_id, reason, at_us) SELECT #1 + s.n % 2000#, #s.n#, 'x', s.n FROM @50000",
    "INSERT INTO room_order (id, state, since_us, customer, room_name, room_key, administrator, all_content, model, features,
        source_id, group_ref, group_key, named_by, expected, requester, room_id, created_us, version)
     SELECT #s.n#, 'live', s.n, 'c', 'r', 'r' || s.n, 'a', 0, 'open', '[]', 1, 'g', 'g' || s.n, 'id', 1, 'r' || s.n % 10,
        #s.n#, s.n, 1 FROM @1000",
    "INSERT INTO restore (id, room_id, person_id, present_id, state, opened_us, data, version)
     SELECT #s.n#, #1 + s.n % 1000#, #s.n#, #s.n#, CASE WHEN s.n % 2 = 0 THEN 'suggested' ELSE 'applied' END, s.n, '{}', 1 FROM @5000",
    "INSERT INTO change (id, at_us, actor_kind, actor) SELECT #s.n#, s.n, 'system', 'x' FROM @100000",
    "INSERT INTO event (change_id, kind, at_us, source_id, room_id, person_id, data)
     SELECT #1 + s.n % 100000#, 'membership.started', s.n, 1, #1 + s.n % 1000#, #1 + s.n % 100000#, '{}' FROM @200000",
    "INSERT INTO idempotency (token_id, key, digest, status, body, at_us) SELECT #s.n#, 'k', CAST('x' AS BLOB), 200, '', s.n FROM @10000",
    "INSERT INTO pull_run (id, source_id, scope, target, is_full, person_id, state, cause, asked_us, due_us, ended_us)
     SELECT #s.n#, 1 + s.n % 5, 'all', '', 0, CASE WHEN s.n % 2 = 0 THEN #s.n# END,
        CASE WHEN s.n % 50 = 0 THEN 'running' ELSE 'done' END, 'x', s.n, s.n, s.n FROM @10000",
    "INSERT INTO webhook (id, url, description, role, filter, state, place, due_us, created_us, version)
     SELECT #s.n#, 'https://x', '', 'viewer', '{}', 'active', 0, s.n, s.n, 1 FROM @20",
    "INSERT INTO webhook_delivery (webhook_id, seq, lane, state, attempts, since_us)
     SELECT #1 + s.n % 20#, s.n, #1 + s.n % 1000#, CASE WHEN s.n % 2 = 0 THEN 'waiting' ELSE 'dead' END, 0, s.n FROM @50000",
    "INSERT INTO webhook_lane (webhook_id, lane, attempts, due_us) SELECT #1 + s.n % 20#, #s.n#, 1, s.n FROM @10000",
    "INSERT INTO console_session (id, hash, account_id, provider, subject, name, role, created_us, seen_us, ends_us)
     SELECT #s.n#, CAST('h' || s.n AS BLOB), #1 + s.n % 1000#, 'p', 's', 'n', 'viewer', s.n, s.n, s.n FROM @20000",
    "INSERT INTO sign_in_return (state, until_us) SELECT CAST('h' || s.n AS BLOB), s.n FROM @10000",
    "INSERT INTO mail (id, seq, notice, recipient, language, subject, body, html, state, attempts, created_us, since_us, due_us,
        ended_us)
     SELECT #s.n#, s.n, 'n', 'r', 'en', 's', 'b', 'h', CASE WHEN s.n % 50 = 0 THEN 'waiting' WHEN s.n % 50 = 1 THEN 'dead'
        ELSE 'sent' END, 1, s.n, s.n, s.n, CASE WHEN s.n % 50 = 0 THEN NULL ELSE s.n END FROM @50000",
];

/// Fills the tables.
pub(super) async fn fill(world: &World, storage: &Storage) {
    for statement in STATEMENTS {
        run(storage, for_engine(world, statement)).await;
    }
}

/// Lets the engine look at the tables.
pub(super) async fn analyse(world: &World, storage: &Storage) {
    match world.place() {
        Place::File(_) => run(storage, "ANALYZE".to_owned()).await,
        // As its own servant does it: an index alone answers nothing as long as it is not known who sees the rows.
        Place::Database(database) => {
            let client = database.connect().await.unwrap();
            client.batch_execute("VACUUM (ANALYZE)").await.unwrap();
        }
    }
}

async fn run(storage: &Storage, sql: String) {
    let shown = sql.clone();
    let work = storage.write(move |tx| {
        let sql = sql.clone();
        Box::pin(async move { tx.query_built(&sql, &[]).await.map(drop) })
    });
    let done: Result<(), StorageError> = work.await;
    if let Err(error) = done {
        panic!("{error:?}: {shown}");
    }
}

/// The statement in the words of the engine: ids and lists of numbers are made in different ways.
fn for_engine(world: &World, statement: &str) -> String {
    let mut sql = String::new();
    let bytes = if world.is_postgres() { "BYTEA" } else { "BLOB" };
    let statement = statement.replace("BLOB", bytes);
    for (place, part) in statement.split('#').enumerate() {
        match (place % 2 == 1, world.is_postgres()) {
            (false, _) => sql.push_str(part),
            (true, true) => sql.push_str(&format!("CAST(lpad(CAST({part} AS TEXT), 32, '0') AS UUID)")),
            (true, false) => sql.push_str(&format!("unhex(printf('%032d', {part}))")),
        }
    }
    let Some((before, count)) = sql.split_once('@') else {
        return sql;
    };
    // No statement has anything after its numbers.
    let numbers = match world.is_postgres() {
        true => format!("generate_series(1, {count}) s(n)"),
        false => format!(
            "(WITH RECURSIVE c(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM c WHERE n < {count}) SELECT n FROM c) s"
        ),
    };
    format!("{before}{numbers}")
}
