//! When what is kept of a user who has left is destroyed, and by what it is found.

use sea_orm_migration::prelude::*;

use crate::schema;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

fn indexes() -> [IndexCreateStatement; 5] {
    [
        Index::create().name("ix_users_erase_at").table(Users::Table).col(Users::EraseAt).take(),
        Index::create()
            .name("ix_verifications_user_id")
            .table(Verifications::Table)
            .col(Verifications::UserId)
            .take(),
        Index::create()
            .name("ix_registrations_user_id")
            .table(Registrations::Table)
            .col(Registrations::UserId)
            .take(),
        Index::create()
            .name("ix_registrations_email")
            .table(Registrations::Table)
            .col(Registrations::Email)
            .take(),
        Index::create()
            .name("ix_registrations_phone")
            .table(Registrations::Table)
            .col(Registrations::Phone)
            .take(),
    ]
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let column = ColumnDef::new(Users::EraseAt).big_integer().null().take();
        let table = Table::alter().table(Users::Table).add_column(column).take();
        schema::alter_table(manager, table).await?;
        for index in indexes() {
            schema::create_index(manager, index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, table) in [
            ("ix_registrations_phone", "registrations"),
            ("ix_registrations_email", "registrations"),
            ("ix_registrations_user_id", "registrations"),
            ("ix_verifications_user_id", "verifications"),
            ("ix_users_erase_at", "users"),
        ] {
            let index = Index::drop().name(name).table(Alias::new(table)).to_owned();
            manager.drop_index(index).await?;
        }
        let table = Table::alter().table(Users::Table).drop_column(Users::EraseAt).take();
        schema::alter_table(manager, table).await
    }
}

#[derive(DeriveIden)]
enum Users {
    Table,
    EraseAt,
}

#[derive(DeriveIden)]
enum Verifications {
    Table,
    UserId,
}

#[derive(DeriveIden)]
enum Registrations {
    Table,
    UserId,
    Email,
    Phone,
}
