//! The keys that sign tokens, sealed.

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
                .table(SigningKeys::Table)
                .col(ColumnDef::new(SigningKeys::Kid).string_len(64).not_null())
                .col(ColumnDef::new(SigningKeys::Algorithm).string_len(16).not_null())
                .col(ColumnDef::new(SigningKeys::Sealed).blob().not_null())
                .col(ColumnDef::new(SigningKeys::CreatedAt).big_integer().not_null())
                .primary_key(Index::create().name("pk_signing_keys").col(SigningKeys::Kid))
                .to_owned(),
        )
        .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(SigningKeys::Table).to_owned()).await?;
        Ok(())
    }
}

#[derive(DeriveIden)]
enum SigningKeys {
    Table,
    Kid,
    Algorithm,
    Sealed,
    CreatedAt,
}
