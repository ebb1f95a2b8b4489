//! How decisions about documents were taken, when people are reminded of them, which contact of a user
//! is the primary one, and by what is found what nobody needs any more.

use sea_orm_migration::prelude::*;

use crate::schema;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

fn retention_indexes() -> [IndexCreateStatement; 5] {
    let index = |name: &str, table: &str, column: &str| {
        let (table, column) = (Alias::new(table), Alias::new(column));
        Index::create().name(name).table(table).col(column).take()
    };
    [
        index("ix_usernames_user_id", "usernames", "user_id"),
        index("ix_usernames_registration_id", "usernames", "registration_id"),
        index("ix_usernames_expires_at", "usernames", "expires_at"),
        index("ix_audit_entries_at", "audit_entries", "at"),
        index("ix_outbox_updated_at", "outbox", "updated_at"),
    ]
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in [
            ColumnDef::new(Consents::Required).boolean().not_null().default(false).take(),
            // 45 for the longest address of IPv6.
            ColumnDef::new(Consents::Address).string_len(45).null().take(),
            ColumnDef::new(Consents::ReconfirmAt).big_integer().null().take(),
            ColumnDef::new(Consents::RemindedAt).big_integer().null().take(),
        ] {
            let table = Table::alter().table(Consents::Table).add_column(column).take();
            schema::alter_table(manager, table).await?;
        }
        let index = Index::create()
            .name("ix_consents_reconfirm_at")
            .table(Consents::Table)
            .col(Consents::ReconfirmAt)
            .take();
        schema::create_index(manager, index).await?;
        for index in retention_indexes() {
            schema::create_index(manager, index).await?;
        }
        let column = ColumnDef::new(Users::PrimaryChannel).string_len(8).null().take();
        let table = Table::alter().table(Users::Table).add_column(column).take();
        schema::alter_table(manager, table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, table) in [
            ("ix_usernames_user_id", "usernames"),
            ("ix_usernames_registration_id", "usernames"),
            ("ix_usernames_expires_at", "usernames"),
            ("ix_audit_entries_at", "audit_entries"),
            ("ix_outbox_updated_at", "outbox"),
        ] {
            let index = Index::drop().name(name).table(Alias::new(table)).to_owned();
            manager.drop_index(index).await?;
        }
        let table = Table::alter().table(Users::Table).drop_column(Users::PrimaryChannel).take();
        schema::alter_table(manager, table).await?;
        let index =
            Index::drop().name("ix_consents_reconfirm_at").table(Consents::Table).to_owned();
        manager.drop_index(index).await?;
        for column in
            [Consents::RemindedAt, Consents::ReconfirmAt, Consents::Address, Consents::Required]
        {
            let table = Table::alter().table(Consents::Table).drop_column(column).take();
            schema::alter_table(manager, table).await?;
        }
        Ok(())
    }
}

#[derive(DeriveIden)]
enum Consents {
    Table,
    Required,
    Address,
    ReconfirmAt,
    RemindedAt,
}

#[derive(DeriveIden)]
enum Users {
    Table,
    PrimaryChannel,
}
