//! What log-ins opened.

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
                .table(Sessions::Table)
                .col(ColumnDef::new(Sessions::Id).uuid().not_null())
                .col(ColumnDef::new(Sessions::UserId).uuid().not_null())
                .col(ColumnDef::new(Sessions::Generation).big_integer().not_null())
                .col(ColumnDef::new(Sessions::Seed).binary_len(32).not_null())
                .col(ColumnDef::new(Sessions::AuthGeneration).big_integer().not_null())
                .col(ColumnDef::new(Sessions::AuthenticatedAt).big_integer().not_null())
                .col(ColumnDef::new(Sessions::Methods).text().not_null())
                .col(ColumnDef::new(Sessions::CreatedAt).big_integer().not_null())
                .col(ColumnDef::new(Sessions::RotatedAt).big_integer().not_null())
                .col(ColumnDef::new(Sessions::IdleExpiresAt).big_integer().not_null())
                .col(ColumnDef::new(Sessions::ExpiresAt).big_integer().not_null())
                .col(ColumnDef::new(Sessions::EndedAt).big_integer().null())
                .col(ColumnDef::new(Sessions::EndReason).string_len(32).null())
                .primary_key(Index::create().name("pk_sessions").col(Sessions::Id))
                .foreign_key(
                    ForeignKey::create()
                        .name("fk_sessions_user_id")
                        .from(Sessions::Table, Sessions::UserId)
                        .to(Alias::new("users"), Alias::new("id"))
                        .on_delete(ForeignKeyAction::Cascade),
                )
                .to_owned(),
        )
        .await?;
        schema::create_index(
            manager,
            Index::create()
                .name("ix_sessions_user_id")
                .table(Sessions::Table)
                .col(Sessions::UserId)
                .to_owned(),
        )
        .await?;
        schema::create_index(
            manager,
            Index::create()
                .name("ix_sessions_expires_at")
                .table(Sessions::Table)
                .col(Sessions::ExpiresAt)
                .to_owned(),
        )
        .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(Sessions::Table).to_owned()).await?;
        Ok(())
    }
}

#[derive(DeriveIden)]
enum Sessions {
    Table,
    Id,
    UserId,
    Generation,
    Seed,
    AuthGeneration,
    AuthenticatedAt,
    Methods,
    CreatedAt,
    RotatedAt,
    IdleExpiresAt,
    ExpiresAt,
    EndedAt,
    EndReason,
}
