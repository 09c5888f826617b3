//! How much of a source's directory a plan reads.

/// What is read of the largest part of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reach {
    /// Rows that have a value.
    Rows,
    /// Rows of a source that changed in a span of time.
    Span,
    /// Rows of a source.
    Source,
    /// Rows of all sources, from some id on.
    Beyond,
    /// A table.
    Table,
}

/// What a test has to know of a plan.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) reach: Reach,
    /// Whether all that is found is sorted before the first row is shown.
    pub(super) is_sorted: bool,
    /// Whether the index of live rows is read, and nothing else.
    pub(super) is_along_live_rows: bool,
}

impl Plan {
    /// As SQLite explains it: `SEARCH t USING INDEX i (a=? AND b>?)`.
    pub(super) fn of_sqlite(lines: &[String]) -> Self {
        let reads = lines.iter().filter_map(|line| {
            if line.starts_with("SCAN") {
                return Some(Reach::Table);
            }
            let (_, columns) = line.strip_prefix("SEARCH ")?.rsplit_once('(')?;
            Some(of_conditions(columns.trim_end_matches(')').split(" AND ")))
        });
        Self {
            reach: reads.max().unwrap_or(Reach::Table),
            is_sorted: lines.iter().any(|line| line == "USE TEMP B-TREE FOR ORDER BY"),
            is_along_live_rows: matches!(lines, [only] if only.contains("_live (")),
        }
    }

    /// As PostgreSQL explains it: a node in a line, what it looks for in the lines below.
    pub(super) fn of_postgres(lines: &[String]) -> Self {
        let nodes: Vec<&str> = lines
            .iter()
            .map(|line| line.trim_start().trim_start_matches("->").trim_start())
            .collect();
        let reads = nodes.iter().enumerate().filter_map(|(at, node)| {
            let is_scan = node.starts_with("Index") || node.starts_with("Bitmap Index Scan");
            match is_scan && node.contains("Scan") {
                true => Some(
                    match nodes
                        .get(at + 1)
                        .and_then(|next| next.strip_prefix("Index Cond: "))
                    {
                        Some(conditions) => of_conditions(conditions.split(" AND ")),
                        None => Reach::Table,
                    },
                ),
                false => node.starts_with("Seq Scan").then_some(Reach::Table),
            }
        });
        let scans = nodes.iter().filter(|node| node.contains(" Scan ")).count();
        Self {
            reach: reads.max().unwrap_or(Reach::Table),
            is_sorted: nodes.iter().any(|node| node.starts_with("Sort  (")),
            is_along_live_rows: scans == 1
                && nodes
                    .iter()
                    .any(|node| node.starts_with("Index Only Scan using ") && node.contains("_live on ")),
        }
    }
}

/// How much is read where these conditions bound a read of an index.
fn of_conditions<'c>(conditions: impl Iterator<Item = &'c str>) -> Reach {
    let mut reach = Reach::Beyond;
    for condition in conditions {
        let condition = condition.trim_start_matches('(');
        let end = condition
            .find(|sign: char| !sign.is_alphanumeric() && sign != '_')
            .unwrap_or(condition.len());
        let (column, comparison) = condition.split_at(end);
        let found = match (column, comparison.trim_start().starts_with('=')) {
            ("pushed", _) => continue,
            ("source_id", true) => Reach::Source,
            (_, true) => Reach::Rows,
            ("modified_us", false) => Reach::Span,
            (_, false) => continue,
        };
        reach = reach.min(found);
    }
    reach
}

#[test]
fn a_plan_tells_how_much_it_reads() {
    let sqlite =
        |lines: &[&str]| Plan::of_sqlite(&lines.iter().map(|line| (*line).into()).collect::<Vec<_>>());
    let postgres =
        |lines: &[&str]| Plan::of_postgres(&lines.iter().map(|line| (*line).into()).collect::<Vec<_>>());
    let one = |line: &str| sqlite(&[line]).reach;
    assert_eq!(one("SCAN u"), Reach::Table);
    assert_eq!(one("SEARCH u USING INDEX a (id>?)"), Reach::Beyond);
    assert_eq!(
        one("SEARCH u USING INDEX a (source_id=? AND id>?)"),
        Reach::Source
    );
    assert_eq!(
        one("SEARCH u USING INDEX a (source_id=? AND modified_us<?)"),
        Reach::Span
    );
    assert_eq!(
        one("SEARCH u USING INDEX a (source_id=? AND user_key=?)"),
        Reach::Rows
    );
    let both = sqlite(&[
        "SEARCH u USING INDEX source_user_name (source_id=?)",
        "SEARCH source_user USING INDEX b (source_id=? AND external_id=?)",
        "USE TEMP B-TREE FOR ORDER BY",
    ]);
    assert!(both.reach == Reach::Source && both.is_sorted && !both.is_along_live_rows);

    let walk = postgres(&[
        "Limit  (cost=0.42..1)",
        "  ->  Index Scan using source_user_pkey on source_user u  (cost=0.42..1)",
        "        Index Cond: (id > $2)",
        "        Filter: (source_id = $1)",
    ]);
    assert!(walk.reach == Reach::Beyond && !walk.is_sorted);
    let sorted = postgres(&[
        "Limit  (cost=0.42..1)",
        "  ->  Sort  (cost=0.42..1)",
        "        Sort Key: source_id, id",
        "        ->  Bitmap Heap Scan on source_user u  (cost=0.42..1)",
        "              ->  Bitmap Index Scan on source_user_name  (cost=0.42..1)",
        "                    Index Cond: (source_id = ANY (ARRAY[$1]))",
    ]);
    assert!(sorted.reach == Reach::Source && sorted.is_sorted);
    let join = postgres(&[
        "Nested Loop  (cost=0.42..1)",
        "  ->  Index Scan using a on source_user  (cost=0.42..1)",
        "        Index Cond: ((source_id = $1) AND (external_id = $2))",
        "  ->  Index Only Scan using source_user_live on source_user u  (cost=0.42..1)",
        "        Index Cond: ((source_id = $1) AND (id = source_user.id) AND (pushed = 1))",
    ]);
    assert!(join.reach == Reach::Rows && !join.is_along_live_rows);
    assert_eq!(
        postgres(&["Seq Scan on source_user u  (cost=0.42..1)"]).reach,
        Reach::Table
    );
}
