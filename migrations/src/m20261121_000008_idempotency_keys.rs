//! Which requests were answered, and what they made.

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
                .table(IdempotencyKeys::Table)
                .col(ColumnDef::new(IdempotencyKeys::KeyHash).binary_len(32).not_null())
                .col(ColumnDef::new(IdempotencyKeys::ContentHash).binary_len(32).not_null())
                .col(ColumnDef::new(IdempotencyKeys::Resource).uuid().not_null())
                .col(ColumnDef::new(IdempotencyKeys::ExpiresAt).big_integer().not_null())
                .primary_key(
                    Index::create().name("pk_idempotency_keys").col(IdempotencyKeys::KeyHash),
                )
                .to_owned(),
        )
        .await?;
        schema::create_index(
            manager,
            Index::create()
                .name("ix_idempotency_keys_expires_at")
                .table(IdempotencyKeys::Table)
                .col(IdempotencyKeys::ExpiresAt)
                .to_owned(),
        )
        .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(IdempotencyKeys::Table).to_owned()).await?;
        Ok(())
    }
}

#[derive(DeriveIden)]
enum IdempotencyKeys {
    Table,
    KeyHash,
    ContentHash,
    Resource,
    ExpiresAt,
}
