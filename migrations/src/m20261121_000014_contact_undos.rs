//! Contacts that were taken from accounts and may come back.

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
                .table(ContactUndos::Table)
                .col(ColumnDef::new(ContactUndos::KeyHash).binary_len(32).not_null())
                .col(ColumnDef::new(ContactUndos::UserId).uuid().not_null())
                .col(ColumnDef::new(ContactUndos::Channel).string_len(8).not_null())
                .col(ColumnDef::new(ContactUndos::Contact).string_len(254).not_null())
                .col(ColumnDef::new(ContactUndos::ContactId).uuid().not_null())
                .col(ColumnDef::new(ContactUndos::VerifiedAt).big_integer().not_null())
                .col(ColumnDef::new(ContactUndos::ChangedAt).big_integer().not_null())
                .col(ColumnDef::new(ContactUndos::ExpiresAt).big_integer().not_null())
                .primary_key(Index::create().name("pk_contact_undos").col(ContactUndos::KeyHash))
                .take(),
        )
        .await?;
        for (name, column) in [
            ("ix_contact_undos_user_id", ContactUndos::UserId),
            ("ix_contact_undos_expires_at", ContactUndos::ExpiresAt),
        ] {
            let index = Index::create().name(name).table(ContactUndos::Table).col(column).take();
            schema::create_index(manager, index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(ContactUndos::Table).take()).await
    }
}

#[derive(DeriveIden)]
enum ContactUndos {
    Table,
    KeyHash,
    UserId,
    Channel,
    Contact,
    ContactId,
    VerifiedAt,
    ChangedAt,
    ExpiresAt,
}
