//! What happened to accounts; when sessions are removed; for which authentication generation a
//! verification was begun.

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
                .table(AuditEntries::Table)
                .col(ColumnDef::new(AuditEntries::Id).uuid().not_null())
                .col(ColumnDef::new(AuditEntries::At).big_integer().not_null())
                .col(ColumnDef::new(AuditEntries::Kind).string_len(64).not_null())
                // No reference: an entry outlives what it speaks of.
                .col(ColumnDef::new(AuditEntries::UserId).uuid().not_null())
                .col(ColumnDef::new(AuditEntries::SessionId).uuid().null())
                .col(ColumnDef::new(AuditEntries::Device).string_len(255).null())
                .col(ColumnDef::new(AuditEntries::Address).string_len(45).null())
                .primary_key(Index::create().name("pk_audit_entries").col(AuditEntries::Id))
                .take(),
        )
        .await?;
        schema::create_index(
            manager,
            Index::create()
                .name("ix_audit_entries_user_id_at")
                .table(AuditEntries::Table)
                .col(AuditEntries::UserId)
                .col(AuditEntries::At)
                .take(),
        )
        .await?;
        schema::create_index(
            manager,
            Index::create()
                .name("ix_sessions_idle_expires_at")
                .table(Sessions::Table)
                .col(Sessions::IdleExpiresAt)
                .take(),
        )
        .await?;
        let column = ColumnDef::new(Verifications::UserGeneration).big_integer().null().take();
        let table = Table::alter().table(Verifications::Table).add_column(column).take();
        schema::alter_table(manager, table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let column = Verifications::UserGeneration;
        let table = Table::alter().table(Verifications::Table).drop_column(column).take();
        schema::alter_table(manager, table).await?;
        let index =
            Index::drop().name("ix_sessions_idle_expires_at").table(Sessions::Table).to_owned();
        manager.drop_index(index).await?;
        manager.drop_table(Table::drop().table(AuditEntries::Table).take()).await
    }
}

#[derive(DeriveIden)]
enum AuditEntries {
    Table,
    Id,
    At,
    Kind,
    UserId,
    SessionId,
    Device,
    Address,
}

#[derive(DeriveIden)]
enum Sessions {
    Table,
    IdleExpiresAt,
}

#[derive(DeriveIden)]
enum Verifications {
    Table,
    UserGeneration,
}
