//! Sign-ups that are not users yet.

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
                .table(Registrations::Table)
                .col(ColumnDef::new(Registrations::Id).uuid().not_null())
                .col(ColumnDef::new(Registrations::Username).string_len(32).null())
                .col(ColumnDef::new(Registrations::Email).string_len(254).null())
                .col(ColumnDef::new(Registrations::EmailProvedAt).big_integer().null())
                .col(ColumnDef::new(Registrations::Phone).string_len(32).null())
                .col(ColumnDef::new(Registrations::PhoneProvedAt).big_integer().null())
                .col(ColumnDef::new(Registrations::Nickname).string_len(160).null())
                .col(ColumnDef::new(Registrations::Name).string_len(400).null())
                .col(ColumnDef::new(Registrations::Locale).string_len(8).not_null())
                .col(ColumnDef::new(Registrations::PasswordHash).string_len(512).null())
                .col(ColumnDef::new(Registrations::Consents).text().not_null())
                .col(ColumnDef::new(Registrations::UserId).uuid().null())
                .col(ColumnDef::new(Registrations::CompletedAt).big_integer().null())
                .col(ColumnDef::new(Registrations::TokensIssuedAt).big_integer().null())
                .col(ColumnDef::new(Registrations::CreatedAt).big_integer().not_null())
                .col(ColumnDef::new(Registrations::ExpiresAt).big_integer().not_null())
                .col(ColumnDef::new(Registrations::Version).big_integer().not_null())
                .primary_key(Index::create().name("pk_registrations").col(Registrations::Id))
                .to_owned(),
        )
        .await?;
        schema::create_index(
            manager,
            Index::create()
                .name("ix_registrations_expires_at")
                .table(Registrations::Table)
                .col(Registrations::ExpiresAt)
                .to_owned(),
        )
        .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(Registrations::Table).to_owned()).await?;
        Ok(())
    }
}

#[derive(DeriveIden)]
enum Registrations {
    Table,
    Id,
    Username,
    Email,
    EmailProvedAt,
    Phone,
    PhoneProvedAt,
    Nickname,
    Name,
    Locale,
    PasswordHash,
    Consents,
    UserId,
    CompletedAt,
    TokensIssuedAt,
    CreatedAt,
    ExpiresAt,
    Version,
}
