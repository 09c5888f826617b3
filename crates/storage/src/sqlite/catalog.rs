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
};
