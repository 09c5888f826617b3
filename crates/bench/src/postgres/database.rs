//! A look into the server's database from beside it: what its requests wrote.

use anyhow::{Context as _, Result};
use tokio_postgres::Client;
use uuid::Uuid;

use super::column::Column;
use super::connect;
use crate::ceiling::Counts;

/// Tables that a change of members or a new user writes new rows into, parents before children, and how to find the rows of
/// some changes.
const WRITTEN: &[(&str, &str)] = &[
    ("change", "FROM change t WHERE t.id = ANY($1)"),
    (
        "person",
        "FROM event e JOIN person t ON t.id = e.person_id
         WHERE e.change_id = ANY($1) AND e.kind = 'directory.user.created' ORDER BY e.seq",
    ),
    (
        "source_user",
        "FROM event e JOIN source_user t ON t.id = (e.data::json ->> 'user')::uuid
         WHERE e.change_id = ANY($1) AND e.kind = 'directory.user.created' ORDER BY e.seq",
    ),
    (
        "source_group",
        "FROM event e JOIN source_group t ON t.id = (e.data::json ->> 'group')::uuid
         WHERE e.change_id = ANY($1) AND e.kind = 'directory.group.created' ORDER BY e.seq",
    ),
    (
        "group_member",
        "FROM event e CROSS JOIN json_array_elements_text(e.data::json -> 'added') WITH ORDINALITY a (value, place)
         JOIN group_member t ON t.group_id = (e.data::json ->> 'group')::uuid AND t.user_id = a.value::uuid
         WHERE e.change_id = ANY($1) AND e.kind = 'directory.group.members_changed' ORDER BY e.seq, a.place",
    ),
    (
        "membership",
        "FROM event e JOIN membership t ON t.id = e.membership_id
         WHERE e.change_id = ANY($1) AND e.kind = 'membership.started' ORDER BY e.seq",
    ),
    (
        "period",
        "FROM event e JOIN period t ON t.membership_id = e.membership_id
         WHERE e.change_id = ANY($1) AND e.kind = 'membership.started' ORDER BY e.seq",
    ),
    ("event", "FROM event t WHERE t.change_id = ANY($1) ORDER BY t.seq"),
];

const GROUPS: &str =
    "SELECT (data::json ->> 'group')::uuid, sum(json_array_length(data::json -> 'added'))::bigint, max(at_us)
    FROM event WHERE change_id = ANY($1) AND kind = 'directory.group.members_changed' GROUP BY 1";

/// The rows of one change are few, and found by their keys, whatever the planner knows of the tables at this moment.
const BY_KEYS: &str = "SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off";

/// Rows that one transaction wrote into one table.
#[derive(Debug)]
pub(crate) struct Rows {
    /// The table.
    pub(crate) table: &'static str,
    /// The names of its columns, without those that the database fills.
    pub(crate) names: Vec<String>,
    /// Their values.
    pub(crate) columns: Vec<Column>,
}

/// All that one transaction wrote.
#[derive(Debug)]
pub(crate) struct Change {
    /// New rows.
    pub(crate) rows: Vec<Rows>,
    /// Groups, how many members each gained, and when.
    pub(crate) groups: Vec<(Uuid, i64, i64)>,
}

/// A session that only reads.
#[derive(Debug)]
pub(crate) struct Database {
    client: Client,
}

impl Database {
    /// Opens a session beside the server.
    pub(crate) async fn open(url: &str) -> Result<Self> {
        let client = connect(url).await?;
        client.batch_execute(BY_KEYS).await?;
        Ok(Self { client })
    }

    /// How many rows each table has now.
    pub(crate) async fn counts(&self) -> Result<Counts> {
        counts(&self.client).await
    }

    /// How much of the disk it takes, in bytes.
    pub(crate) async fn size(&self) -> Result<u64> {
        let sql = "SELECT pg_database_size(current_database())";
        let size: i64 = self.client.query_one(sql, &[]).await?.get(0);
        Ok(size.unsigned_abs())
    }

    /// The number of the newest event.
    pub(crate) async fn last_event(&self) -> Result<i64> {
        let sql = "SELECT coalesce(max(seq), 0) FROM event";
        Ok(self.client.query_one(sql, &[]).await?.get(0))
    }

    /// The ids of the changes after an event, in the order of their first events.
    pub(crate) async fn changes_after(&self, seq: i64) -> Result<Vec<Uuid>> {
        let sql = "SELECT change_id FROM event WHERE seq > $1 GROUP BY change_id ORDER BY min(seq)";
        let rows = self.client.query(sql, &[&seq]).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// What these changes wrote, as one transaction.
    pub(crate) async fn written(&self, ids: &[Uuid]) -> Result<Change> {
        let ids = ids.to_vec();
        let mut rows = Vec::with_capacity(WRITTEN.len());
        for (table, from) in WRITTEN {
            let statement = self.client.prepare(&format!("SELECT t.* {from}")).await?;
            let kept: Vec<usize> = (0..statement.columns().len())
                .filter(|place| statement.columns()[*place].name() != "seq")
                .collect();
            let mut columns = kept
                .iter()
                .map(|place| Column::of(statement.columns()[*place].type_()))
                .collect::<Result<Vec<_>>>()
                .with_context(|| format!("the table {table}"))?;
            let found = self.client.query(&statement, &[&ids]).await?;
            if found.is_empty() {
                continue;
            }
            for row in &found {
                for (column, place) in columns.iter_mut().zip(&kept) {
                    column.push(row, *place)?;
                }
            }
            rows.push(Rows {
                table,
                names: kept
                    .iter()
                    .map(|place| statement.columns()[*place].name().to_owned())
                    .collect(),
                columns,
            });
        }
        let groups = self.client.query(GROUPS, &[&ids]).await?;
        Ok(Change {
            rows,
            groups: groups
                .iter()
                .map(|row| (row.get(0), row.get(1), row.get(2)))
                .collect(),
        })
    }
}

/// How many rows each table has.
pub(super) async fn counts(client: &Client) -> Result<Counts> {
    let sql =
        "SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace";
    let mut counts = Counts::new();
    for table in client.query(sql, &[]).await? {
        let table: String = table.get(0);
        let sql = format!("SELECT count(*) FROM \"{table}\"");
        counts.insert(table, client.query_one(&sql, &[]).await?.get(0));
    }
    Ok(counts)
}
