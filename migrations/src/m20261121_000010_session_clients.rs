//! From where sessions were opened.

use sea_orm_migration::prelude::*;

use crate::schema;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in [
            // 120 characters, and 45 for the longest address of IPv6.
            ColumnDef::new(Sessions::Device).string_len(120).null().take(),
            ColumnDef::new(Sessions::Address).string_len(45).null().take(),
        ] {
            let table = Table::alter().table(Sessions::Table).add_column(column).take();
            schema::alter_table(manager, table).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in [Sessions::Address, Sessions::Device] {
            let table = Table::alter().table(Sessions::Table).drop_column(column).take();
            schema::alter_table(manager, table).await?;
        }
        Ok(())
    }
}

#[derive(DeriveIden)]
enum Sessions {
    Table,
    Device,
    Address,
}
