//! From when on signing keys sign, and when they are retired.

use sea_orm_migration::prelude::*;

use crate::schema;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in [
            // A key that was there before signs since it was made.
            ColumnDef::new(SigningKeys::SignsFrom).big_integer().not_null().default(0).take(),
            ColumnDef::new(SigningKeys::RetiredAt).big_integer().null().take(),
        ] {
            let table = Table::alter().table(SigningKeys::Table).add_column(column).take();
            schema::alter_table(manager, table).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in [SigningKeys::RetiredAt, SigningKeys::SignsFrom] {
            let table = Table::alter().table(SigningKeys::Table).drop_column(column).take();
            schema::alter_table(manager, table).await?;
        }
        Ok(())
    }
}

#[derive(DeriveIden)]
enum SigningKeys {
    Table,
    SignsFrom,
    RetiredAt,
}
