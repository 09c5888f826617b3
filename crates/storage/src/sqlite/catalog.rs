//! How SQLite is asked for its tables.

use crate::content::Catalog;

pub(crate) const CATALOG: Catalog = Catalog {
    columns: "SELECT t.name, c.name, c.type, c.\"notnull\" = 0, c.pk
        FROM pragma_table_list t, pragma_table_info(t.name) c
        WHERE t.schema = 'main' AND t.type = 'table' AND t.name NOT LIKE 'sqlite~_%' ESCAPE '~'
        ORDER BY t.name, c.name",
    references: "SELECT t.name, f.\"from\", f.\"table\"
        FROM pragma_table_list t, pragma_foreign_key_list(t.name) f
        WHERE t.schema = 'main' AND t.type = 'table' AND t.name NOT LIKE 'sqlite~_%' ESCAPE '~'
        ORDER BY t.name, f.\"from\"",
    is_unfinished: "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'unfinished_copy'",
    numbers_given: "SELECT name, seq FROM sqlite_sequence",
    // Where this engine counts by itself it keeps the highest number beside the table; elsewhere it goes on after the highest
    // row.
    go_on_after: "UPDATE sqlite_sequence SET seq = max(seq, $2) WHERE name = $1",
    lock: None,
};
