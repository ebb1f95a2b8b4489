//! Rows to lock for what is done by one at a time and has no row of its own.

use sea_orm_migration::prelude::*;

use crate::schema;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table(Locks::Table)
            .col(ColumnDef::new(Locks::Name).string_len(32).not_null())
            .primary_key(Index::create().name("pk_locks").col(Locks::Name))
            .take();
        schema::create_table(manager, table).await?;
        let row = Query::insert()
            .into_table(Locks::Table)
            .columns([Locks::Name])
            .values_panic(["signing_keys".into()])
            .take();
        schema::insert(manager, row).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(Locks::Table).take()).await
    }
}

#[derive(DeriveIden)]
enum Locks {
    Table,
    Name,
}
