//! Messages that are to be sent.

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
                .table(Outbox::Table)
                .col(ColumnDef::new(Outbox::Id).uuid().not_null())
                .col(ColumnDef::new(Outbox::Channel).string_len(8).not_null())
                .col(ColumnDef::new(Outbox::VerificationId).uuid().null())
                .col(schema::long(manager, ColumnDef::new(Outbox::Sealed).blob().not_null()))
                .col(ColumnDef::new(Outbox::Status).string_len(16).not_null())
                .col(ColumnDef::new(Outbox::Tries).big_integer().not_null())
                .col(ColumnDef::new(Outbox::DueAt).big_integer().not_null())
                .col(ColumnDef::new(Outbox::Deadline).big_integer().not_null())
                .col(ColumnDef::new(Outbox::LeaseFence).big_integer().null())
                .col(ColumnDef::new(Outbox::LeaseExpiresAt).big_integer().null())
                .col(ColumnDef::new(Outbox::ProviderId).string_len(255).null())
                .col(ColumnDef::new(Outbox::CreatedAt).big_integer().not_null())
                .col(ColumnDef::new(Outbox::UpdatedAt).big_integer().not_null())
                .primary_key(Index::create().name("pk_outbox").col(Outbox::Id))
                .to_owned(),
        )
        .await?;
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
        schema::create_index(
            manager,
            Index::create()
                .name("ix_outbox_verification_id")
                .table(Outbox::Table)
                .col(Outbox::VerificationId)
                .col(Outbox::CreatedAt)
                .to_owned(),
        )
        .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(Outbox::Table).to_owned()).await?;
        Ok(())
    }
}

#[derive(DeriveIden)]
enum Outbox {
    Table,
    Id,
    Channel,
    VerificationId,
    Sealed,
    Status,
    Tries,
    DueAt,
    Deadline,
    LeaseFence,
    LeaseExpiresAt,
    ProviderId,
    CreatedAt,
    UpdatedAt,
}
