//! How steps change the schema on each database.
//!
//! On MariaDB every change of the schema commits by itself: a step that broke off, because its
//! process was killed, has done some of what it does. It is done again, and what is there already is
//! left alone. Texts are compared byte by byte there, as they are elsewhere.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

/// What MariaDB says of a table, a column, an index or a row that is there already, or not any more.
const DONE_BEFORE: [&str; 5] = ["1050 (", "1060 (", "1061 (", "1062 (", "1091 ("];

fn unless_done_before(manager: &SchemaManager<'_>, done: Result<(), DbErr>) -> Result<(), DbErr> {
    match done {
        Err(error) if manager.get_database_backend() == DbBackend::MySql => {
            let text = error.to_string();
            match DONE_BEFORE.iter().any(|code| text.contains(code)) {
                true => Ok(()),
                false => Err(error),
            }
        }
        done => done,
    }
}

/// A text or bytes that may be longer than the 64 KiB that MariaDB means by these types.
pub(crate) fn long(manager: &SchemaManager<'_>, column: &mut ColumnDef) -> ColumnDef {
    if manager.get_database_backend() == DbBackend::MySql {
        match column.get_column_type() {
            Some(ColumnType::Blob) => column.custom("longblob"),
            _ => column.custom("longtext"),
        };
    }
    column.take()
}

/// Makes a table.
pub(crate) async fn create_table(
    manager: &SchemaManager<'_>,
    mut table: TableCreateStatement,
) -> Result<(), DbErr> {
    if manager.get_database_backend() == DbBackend::MySql {
        table.engine("InnoDB").character_set("utf8mb4").collate("utf8mb4_nopad_bin");
    }
    unless_done_before(manager, manager.create_table(table).await)
}

/// Changes a table.
pub(crate) async fn alter_table(
    manager: &SchemaManager<'_>,
    table: TableAlterStatement,
) -> Result<(), DbErr> {
    unless_done_before(manager, manager.alter_table(table).await)
}

/// Makes an index.
pub(crate) async fn create_index(
    manager: &SchemaManager<'_>,
    index: IndexCreateStatement,
) -> Result<(), DbErr> {
    unless_done_before(manager, manager.create_index(index).await)
}

/// Inserts rows that belong to the schema.
pub(crate) async fn insert(
    manager: &SchemaManager<'_>,
    rows: InsertStatement,
) -> Result<(), DbErr> {
    unless_done_before(manager, manager.execute(rows).await)
}
