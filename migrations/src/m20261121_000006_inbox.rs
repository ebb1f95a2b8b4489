//! What would have been sent, in development.

use sea_orm_migration::prelude::*;

use crate::schema;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        schema::create_table(
            manager,
            Table::create()
                .table(Inbox::Table)
                .col(ColumnDef::new(Inbox::Id).uuid().not_null())
                .col(ColumnDef::new(Inbox::Channel).string_len(8).not_null())
                .col(ColumnDef::new(Inbox::Recipient).string_len(254).not_null())
                .col(ColumnDef::new(Inbox::Subject).text().null())
                .col(schema::long(manager, ColumnDef::new(Inbox::Text).text().not_null()))
                .col(schema::long(manager, ColumnDef::new(Inbox::Html).text().null()))
                .col(ColumnDef::new(Inbox::ReceivedAt).big_integer().not_null())
                .primary_key(Index::create().name("pk_inbox").col(Inbox::Id))
                .to_owned(),
        )
        .await?;
        schema::create_index(
            manager,
            Index::create()
                .name("ix_inbox_recipient")
                .table(Inbox::Table)
                .col(Inbox::Recipient)
                .col(Inbox::ReceivedAt)
                .to_owned(),
        )
        .await?;
        schema::create_index(
            manager,
            Index::create()
                .name("ix_inbox_received_at")
                .table(Inbox::Table)
                .col(Inbox::ReceivedAt)
                .to_owned(),
        )
        .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(Inbox::Table).to_owned()).await?;
        Ok(())
    }
}

#[derive(DeriveIden)]
enum Inbox {
    Table,
    Id,
    Channel,
    Recipient,
    Subject,
    Text,
    Html,
    ReceivedAt,
}
