//! How PostgreSQL is asked for its tables.

use crate::content::Catalog;

pub(crate) const CATALOG: Catalog = Catalog {
    columns:
        "SELECT t.relname::text COLLATE \"C\", a.attname::text COLLATE \"C\", format_type(a.atttypid, NULL),
            (NOT a.attnotnull)::int::bigint, coalesce(array_position(k.conkey, a.attnum), 0)::bigint
        FROM pg_class t
        JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
        LEFT JOIN pg_constraint k ON k.conrelid = t.oid AND k.contype = 'p'
        WHERE t.relkind = 'r' AND t.relnamespace = current_schema()::regnamespace
        ORDER BY 1, 2",
    references: "SELECT t.relname::text COLLATE \"C\", a.attname::text COLLATE \"C\", p.relname::text
        FROM pg_constraint f
        JOIN pg_class t ON t.oid = f.conrelid AND t.relnamespace = current_schema()::regnamespace
        JOIN pg_class p ON p.oid = f.confrelid
        JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = ANY (f.conkey)
        WHERE f.contype = 'f'
        ORDER BY 1, 2",
    is_unfinished: "SELECT 1 WHERE to_regclass('unfinished_copy') IS NOT NULL",
    numbers_given: "SELECT t.relname::text, coalesce(pg_sequence_last_value(s.oid), 0)
        FROM pg_class s
        JOIN pg_depend d ON d.objid = s.oid AND d.deptype IN ('a', 'i') AND d.classid = 'pg_class'::regclass
        JOIN pg_class t ON t.oid = d.refobjid
        WHERE s.relkind = 'S' AND t.relnamespace = current_schema()::regnamespace",
    go_on_after: "SELECT setval(s.oid, greatest($2, pg_sequence_last_value(s.oid), 1))
        FROM pg_class s
        JOIN pg_depend d ON d.objid = s.oid AND d.deptype IN ('a', 'i') AND d.classid = 'pg_class'::regclass
        WHERE s.relkind = 'S' AND d.refobjid = to_regclass($1)",
    lock: Some(("LOCK TABLE ", " IN SHARE ROW EXCLUSIVE MODE")),
};
