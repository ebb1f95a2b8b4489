//! Users, their contacts, the names that are taken, and what people agreed to.

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
                .table(Users::Table)
                .col(ColumnDef::new(Users::Id).uuid().not_null())
                .col(ColumnDef::new(Users::Username).string_len(32).null())
                .col(ColumnDef::new(Users::Nickname).string_len(160).null())
                .col(ColumnDef::new(Users::Name).string_len(400).null())
                .col(ColumnDef::new(Users::Locale).string_len(8).not_null())
                .col(ColumnDef::new(Users::Roles).text().not_null())
                .col(ColumnDef::new(Users::Status).string_len(16).not_null())
                .col(ColumnDef::new(Users::PasswordHash).string_len(512).null())
                .col(ColumnDef::new(Users::AuthGeneration).big_integer().not_null())
                .col(ColumnDef::new(Users::CreatedAt).big_integer().not_null())
                .col(ColumnDef::new(Users::UpdatedAt).big_integer().not_null())
                .col(ColumnDef::new(Users::Version).big_integer().not_null())
                .primary_key(Index::create().name("pk_users").col(Users::Id))
                .to_owned(),
        )
        .await?;
        schema::create_table(
            manager,
            Table::create()
                .table(UserContacts::Table)
                .col(ColumnDef::new(UserContacts::Id).uuid().not_null())
                .col(ColumnDef::new(UserContacts::UserId).uuid().not_null())
                .col(ColumnDef::new(UserContacts::Channel).string_len(8).not_null())
                .col(ColumnDef::new(UserContacts::Contact).string_len(254).not_null())
                .col(ColumnDef::new(UserContacts::VerifiedAt).big_integer().not_null())
                .primary_key(Index::create().name("pk_user_contacts").col(UserContacts::Id))
                .foreign_key(
                    ForeignKey::create()
                        .name("fk_user_contacts_user_id")
                        .from(UserContacts::Table, UserContacts::UserId)
                        .to(Users::Table, Users::Id)
                        .on_delete(ForeignKeyAction::Cascade),
                )
                .to_owned(),
        )
        .await?;
        schema::create_index(
            manager,
            Index::create()
                .name("ux_user_contacts_contact")
                .table(UserContacts::Table)
                .col(UserContacts::Channel)
                .col(UserContacts::Contact)
                .unique()
                .to_owned(),
        )
        .await?;
        schema::create_index(
            manager,
            Index::create()
                .name("ix_user_contacts_user_id")
                .table(UserContacts::Table)
                .col(UserContacts::UserId)
                .to_owned(),
        )
        .await?;
        schema::create_table(
            manager,
            Table::create()
                .table(Usernames::Table)
                .col(ColumnDef::new(Usernames::Username).string_len(32).not_null())
                .col(ColumnDef::new(Usernames::UserId).uuid().null())
                .col(ColumnDef::new(Usernames::RegistrationId).uuid().null())
                .col(ColumnDef::new(Usernames::ExpiresAt).big_integer().null())
                .primary_key(Index::create().name("pk_usernames").col(Usernames::Username))
                .to_owned(),
        )
        .await?;
        schema::create_table(
            manager,
            Table::create()
                .table(Consents::Table)
                .col(
                    ColumnDef::new(Consents::Id)
                        .big_integer()
                        .not_null()
                        .auto_increment()
                        .primary_key(),
                )
                .col(ColumnDef::new(Consents::UserId).uuid().not_null())
                .col(ColumnDef::new(Consents::Document).string_len(64).not_null())
                .col(ColumnDef::new(Consents::DocumentVersion).string_len(64).not_null())
                .col(ColumnDef::new(Consents::Accepted).boolean().not_null())
                .col(ColumnDef::new(Consents::DecidedAt).big_integer().not_null())
                .col(ColumnDef::new(Consents::Channel).string_len(8).null())
                .foreign_key(
                    ForeignKey::create()
                        .name("fk_consents_user_id")
                        .from(Consents::Table, Consents::UserId)
                        .to(Users::Table, Users::Id)
                        .on_delete(ForeignKeyAction::Cascade),
                )
                .to_owned(),
        )
        .await?;
        schema::create_index(
            manager,
            Index::create()
                .name("ix_consents_user_id")
                .table(Consents::Table)
                .col(Consents::UserId)
                .col(Consents::Id)
                .to_owned(),
        )
        .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(Consents::Table).to_owned()).await?;
        manager.drop_table(Table::drop().table(Usernames::Table).to_owned()).await?;
        manager.drop_table(Table::drop().table(UserContacts::Table).to_owned()).await?;
        manager.drop_table(Table::drop().table(Users::Table).to_owned()).await?;
        Ok(())
    }
}

#[derive(DeriveIden)]
enum Users {
    Table,
    Id,
    Username,
    Nickname,
    Name,
    Locale,
    Roles,
    Status,
    PasswordHash,
    AuthGeneration,
    CreatedAt,
    UpdatedAt,
    Version,
}

#[derive(DeriveIden)]
enum UserContacts {
    Table,
    Id,
    UserId,
    Channel,
    Contact,
    VerifiedAt,
}

#[derive(DeriveIden)]
enum Usernames {
    Table,
    Username,
    UserId,
    RegistrationId,
    ExpiresAt,
}

#[derive(DeriveIden)]
enum Consents {
    Table,
    Id,
    UserId,
    Document,
    DocumentVersion,
    Accepted,
    DecidedAt,
    Channel,
}
