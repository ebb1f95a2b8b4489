//! What became of messages after their providers took them, and which addresses are dead.

use sea_orm_migration::prelude::*;

use crate::schema;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // One column a statement: SQLite adds no more at once.
        for column in [
            ColumnDef::new(Outbox::Reason).string_len(32).null().take(),
            ColumnDef::new(Outbox::Unanswered).big_integer().not_null().default(0).take(),
            ColumnDef::new(Outbox::Sender).string_len(16).null().take(),
            ColumnDef::new(Outbox::AskAt).big_integer().null().take(),
            ColumnDef::new(Outbox::Asked).big_integer().not_null().default(0).take(),
        ] {
            let table = Table::alter().table(Outbox::Table).add_column(column).take();
            schema::alter_table(manager, table).await?;
        }
        // A channel's messages are leased apart from the other's.
        for index in [
            Index::create()
                .name("ix_outbox_channel_status_due_at")
                .table(Outbox::Table)
                .col(Outbox::Channel)
                .col(Outbox::Status)
                .col(Outbox::DueAt)
                .take(),
            Index::create().name("ix_outbox_ask_at").table(Outbox::Table).col(Outbox::AskAt).take(),
            Index::create()
                .name("ix_outbox_provider_id")
                .table(Outbox::Table)
                .col(Outbox::ProviderId)
                .take(),
            Index::create()
                .name("ix_outbox_status_updated_at")
                .table(Outbox::Table)
                .col(Outbox::Status)
                .col(Outbox::UpdatedAt)
                .take(),
        ] {
            schema::create_index(manager, index).await?;
        }
        manager
            .drop_index(
                Index::drop().name("ix_outbox_status_due_at").table(Outbox::Table).to_owned(),
            )
            .await?;
        schema::create_table(
            manager,
            Table::create()
                .table(AddressMarks::Table)
                .col(ColumnDef::new(AddressMarks::AddressHash).binary_len(32).not_null())
                .col(ColumnDef::new(AddressMarks::Deliverability).string_len(16).not_null())
                .col(ColumnDef::new(AddressMarks::MarkedAt).big_integer().not_null())
                .primary_key(
                    Index::create().name("pk_address_marks").col(AddressMarks::AddressHash),
                )
                .to_owned(),
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(AddressMarks::Table).to_owned()).await?;
        schema::create_index(
            manager,
            Index::create()
                .name("ix_outbox_status_due_at")
                .table(Outbox::Table)
                .col(Outbox::Status)
                .col(Outbox::DueAt)
                .to_owned(),
        )
        .await?;
        for index in [
            "ix_outbox_status_updated_at",
            "ix_outbox_provider_id",
            "ix_outbox_ask_at",
            "ix_outbox_channel_status_due_at",
        ] {
            let index = Index::drop().name(index).table(Outbox::Table).to_owned();
            manager.drop_index(index).await?;
        }
        for column in
            [Outbox::Asked, Outbox::AskAt, Outbox::Sender, Outbox::Unanswered, Outbox::Reason]
        {
            let table = Table::alter().table(Outbox::Table).drop_column(column).take();
            schema::alter_table(manager, table).await?;
        }
        Ok(())
    }
}

#[derive(DeriveIden)]
enum Outbox {
    Table,
    Channel,
    Status,
    DueAt,
    ProviderId,
    UpdatedAt,
    Reason,
    Unanswered,
    Sender,
    AskAt,
    Asked,
}

#[derive(DeriveIden)]
enum AddressMarks {
    Table,
    AddressHash,
    Deliverability,
    MarkedAt,
}
