//! No statement reads a whole table that grows with users, members, memberships or events: on large tables, the engine is
//! asked how it would run each statement that the source has, and those that are put together at run time.

mod built;
mod fill;
mod reach;
mod source;

use usher_storage::{Storage, StorageConfig, StorageError};

use crate::world::World;
use source::Written;

/// The tables that grow.
const LARGE: &[&str] = &[
    "person",
    "source_user",
    "user_email",
    "source_group",
    "group_member",
    "removed_member",
    "pulled_user",
    "pull_parked",
    "pending_member",
    "similar_person",
    "membership",
    "period",
    "level_change",
    "room_grant",
    "parked",
    "ending",
    "hold_item",
    "restore",
    "change",
    "event",
    "idempotency",
    "pull_run",
    "webhook_delivery",
    "console_session",
    "sign_in_return",
    "mail",
];

/// Statements that may read a whole table, by how they begin or what only they say, each with the reason.
const MAY_SCAN: &[(&str, &str)] = &[
    (
        "UPDATE membership SET administrator = $2 WHERE level = $1",
        "a change of policy is about everybody who has a level",
    ),
    (
        "SELECT DISTINCT room_id FROM membership WHERE level = $1",
        "a change of policy is about everybody who has a level",
    ),
    (
        "SELECT count(*) FROM membership WHERE level = $1",
        "a change of policy is about everybody who has a level",
    ),
    (
        "SELECT max(modified_us) AS at FROM source_user",
        "looks at all groups of a source, which are few beside its accounts; an index would be written with every member",
    ),
    (
        "FROM source_group g CROSS JOIN group_member m ON m.group_id = g.id JOIN source_user u",
        "what reads and pushes disagree on is looked for in a whole source, when a human asks for it",
    ),
    (
        "FROM source_user u CROSS JOIN pulled_user p ON p.user_id = u.id",
        "what reads and pushes disagree on is looked for in a whole source, when a human asks for it",
    ),
    (
        "SELECT id, stray AS cause, stray_since_us AS since FROM membership",
        "the index has those few memberships alone that stay without their source",
    ),
    (
        "SELECT 1 AS one FROM restore WHERE state = 'suggested' LIMIT",
        "the index has those restores alone that are suggested, and so many of them are enough",
    ),
    (
        "INSERT INTO source (name,",
        "SQLite plans a look for rows that wait for this source, and does it only while such a row is there",
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_statement_reads_a_whole_table_that_grows() {
    let world = World::new();
    let storage = Storage::open(StorageConfig::new(world.place().url()))
        .await
        .unwrap();
    fill::fill(&world, &storage).await;
    fill::analyse(&world, &storage).await;

    let statements = source::statements();
    assert!(
        statements.len() > 150,
        "only {} statements were found",
        statements.len()
    );
    for (part, _) in MAY_SCAN {
        assert!(
            statements.iter().any(|written| written.sql.contains(part)),
            "no statement has: {part}"
        );
    }
    let mut complaints = Vec::new();
    for written in &statements {
        let plan = match plan(&world, &storage, &written.sql).await {
            Ok(plan) => plan,
            Err(error) => {
                complaints.push(complaint(written, &format!("{error:?}")));
                continue;
            }
        };
        let scans = match world.is_postgres() {
            true => postgres_scans(&plan),
            false => sqlite_scans(&written.sql, &plan),
        };
        if scans.is_empty() {
            continue;
        }
        if !MAY_SCAN.iter().any(|(part, _)| written.sql.contains(part)) {
            complaints.push(complaint(written, &format!("{scans:?}\n{}", plan.join("\n"))));
        }
    }
    let count = statements.len();
    complaints.extend(built::complaints(&world, &storage).await);
    assert!(
        complaints.is_empty(),
        "{} beside {}:\n\n{}",
        complaints.len(),
        count,
        complaints.join("\n\n")
    );
}

/// Nobody analyses a customer's file, so this is how SQLite runs statements there. What it takes for a few rows without looking
/// may be all accounts of a source.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_statistics_no_statement_looks_through_the_accounts_of_a_source() {
    let folder = tempfile::tempdir().unwrap();
    let file = format!("sqlite:{}/usher.db", folder.path().display());
    let storage = Storage::open(StorageConfig::new(file)).await.unwrap();
    let mut complaints = Vec::new();
    for written in source::statements() {
        let plan = sqlite_plan(&storage, &written.sql).await.unwrap();
        let is_wide = |line: &String| {
            let search = line
                .strip_prefix("SEARCH ")
                .and_then(|search| search.split_once(" USING "));
            search.is_some_and(|(name, index)| {
                table_of(&written.sql, name) == "source_user"
                    && ["(source_id=?)", "(source_id=? AND remote_id>?)"]
                        .iter()
                        .any(|wide| index.contains(wide))
            })
        };
        let counts_all = written.sql.starts_with("SELECT count(*) FROM source_user");
        if !counts_all
            && plan.iter().any(is_wide)
            && !MAY_SCAN.iter().any(|(part, _)| written.sql.contains(part))
        {
            complaints.push(complaint(&written, &plan.join("\n")));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n\n"));
}

#[test]
fn one_place_puts_statements_together() {
    assert_eq!(source::files_with("query_built"), ["directory.rs"]);
}

fn complaint(written: &Written, what: &str) -> String {
    format!("{}: {}\n{what}", written.file, written.sql)
}

/// How the engine would run a statement, line by line, whatever its parameters are.
async fn plan(world: &World, storage: &Storage, sql: &str) -> Result<Vec<String>, StorageError> {
    if !world.is_postgres() {
        return sqlite_plan(storage, sql).await;
    }
    let count = placeholders(sql);
    let nulls = vec!["NULL"; count].join(", ");
    let run = match count {
        0 => "EXECUTE planned".to_owned(),
        _ => format!("EXECUTE planned ({nulls})"),
    };
    let mut outcome = Err(StorageError::NoRow);
    for types in types_of_lists(sql, count) {
        let types = match count {
            0 => String::new(),
            _ => format!("({})", types.join(", ")),
        };
        let script = vec![
            format!("PREPARE planned {types} AS {sql}"),
            format!("EXPLAIN {run}"),
            "DEALLOCATE planned".to_owned(),
        ];
        outcome = ask(storage, script, 0, 0).await;
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

async fn sqlite_plan(storage: &Storage, sql: &str) -> Result<Vec<String>, StorageError> {
    ask(
        storage,
        vec![format!("EXPLAIN QUERY PLAN {sql}")],
        placeholders(sql),
        3,
    )
    .await
}

fn placeholders(sql: &str) -> usize {
    (1..).take_while(|number| has_placeholder(sql, *number)).count()
}

fn has_placeholder(sql: &str, number: usize) -> bool {
    let placeholder = format!("${number}");
    sql.match_indices(&placeholder).any(|(at, _)| {
        let after = sql[at + placeholder.len()..].chars().next();
        !after.is_some_and(|next| next.is_ascii_digit())
    })
}

/// The types that the parameters may have: the server finds out those of single values, but not those of lists.
fn types_of_lists(sql: &str, count: usize) -> Vec<Vec<&'static str>> {
    let mut all = vec![Vec::new()];
    for number in 1..=count {
        let is_list = sql.contains(&format!("rarray(${number})"));
        let types: &[&str] = if is_list {
            &["uuid[]", "text[]", "bigint[]"]
        } else {
            &["unknown"]
        };
        all = all
            .iter()
            .flat_map(|before| {
                types.iter().map(move |kind| {
                    let mut with = before.clone();
                    with.push(*kind);
                    with
                })
            })
            .collect();
    }
    all
}

/// Runs statements in one unit that keeps nothing; the lines of the second one, or of the only one.
async fn ask(
    storage: &Storage,
    script: Vec<String>,
    nulls: usize,
    column: usize,
) -> Result<Vec<String>, StorageError> {
    let work = storage.read(move |tx| {
        let script = script.clone();
        Box::pin(async move {
            let mut answers = Vec::new();
            for sql in &script {
                answers.push(
                    tx.query_built(sql, &vec![usher_storage::Value::Null; nulls])
                        .await?,
                );
            }
            let answer = if answers.len() > 1 {
                &answers[1]
            } else {
                &answers[0]
            };
            answer
                .iter()
                .map(|row| row.get(column))
                .collect::<Result<Vec<String>, StorageError>>()
        })
    });
    work.await
}

/// The large tables that PostgreSQL would read from one end to the other.
fn postgres_scans(plan: &[String]) -> Vec<String> {
    let mut scans = Vec::new();
    for (at, line) in plan.iter().enumerate() {
        let Some((scan, rest)) = line.split_once(" on ") else {
            continue;
        };
        let table = rest.split_whitespace().next().unwrap_or_default();
        let depth = |line: &str| line.len() - line.trim_start().len();
        let bounded = plan[at + 1..]
            .iter()
            .take_while(|below| depth(below) > depth(line) && !below.trim_start().starts_with("->"))
            .any(|below| below.trim_start().starts_with("Index Cond"));
        let whole =
            scan.ends_with("Seq Scan") || scan.contains("Index") && !scan.contains("Bitmap") && !bounded;
        if whole && LARGE.contains(&table) {
            scans.push(line.trim().to_owned());
        }
    }
    scans
}

/// The large tables that SQLite would read from one end to the other.
fn sqlite_scans(sql: &str, plan: &[String]) -> Vec<String> {
    let scanned = plan
        .iter()
        .filter_map(|line| Some((line, line.strip_prefix("SCAN ")?)));
    scanned
        .filter(|(_, rest)| {
            let name = rest.split_whitespace().next().unwrap_or_default();
            LARGE.contains(&table_of(sql, name))
        })
        .map(|(line, _)| line.clone())
        .collect()
}

/// The table that a name in a statement stands for.
fn table_of<'s>(sql: &'s str, name: &'s str) -> &'s str {
    let words: Vec<_> = sql
        .split(|sign: char| !sign.is_alphanumeric() && sign != '_')
        .filter(|word| !word.is_empty())
        .collect();
    words
        .windows(2)
        .find(|pair| pair[1] == name && LARGE.contains(&pair[0]))
        .map_or(name, |pair| pair[0])
}
