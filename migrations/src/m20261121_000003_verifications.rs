//! Proofs that somebody holds a contact, and how many messages each contact had.

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
                .table(Verifications::Table)
                .col(ColumnDef::new(Verifications::Id).uuid().not_null())
                .col(ColumnDef::new(Verifications::Channel).string_len(8).not_null())
                .col(ColumnDef::new(Verifications::Contact).string_len(254).not_null())
                .col(ColumnDef::new(Verifications::Purpose).string_len(64).not_null())
                .col(ColumnDef::new(Verifications::RegistrationId).uuid().null())
                .col(ColumnDef::new(Verifications::UserId).uuid().null())
                .col(ColumnDef::new(Verifications::Locale).string_len(8).not_null())
                .col(ColumnDef::new(Verifications::Standing).string_len(16).not_null())
                .col(ColumnDef::new(Verifications::State).string_len(16).not_null())
                .col(ColumnDef::new(Verifications::VerifiedAt).big_integer().null())
                .col(ColumnDef::new(Verifications::CodeLength).big_integer().not_null())
                .col(ColumnDef::new(Verifications::CodeHash).binary_len(32).not_null())
                .col(ColumnDef::new(Verifications::LinkHash).binary_len(32).null())
                .col(ColumnDef::new(Verifications::PreviousCodeHash).binary_len(32).null())
                .col(ColumnDef::new(Verifications::PreviousLinkHash).binary_len(32).null())
                .col(ColumnDef::new(Verifications::PreviousExpiresAt).big_integer().null())
                .col(ColumnDef::new(Verifications::AttemptsUsed).big_integer().not_null())
                .col(ColumnDef::new(Verifications::AttemptsAllowed).big_integer().not_null())
                .col(ColumnDef::new(Verifications::SendsUsed).big_integer().not_null())
                .col(ColumnDef::new(Verifications::SendsAllowed).big_integer().not_null())
                .col(ColumnDef::new(Verifications::CreatedAt).big_integer().not_null())
                .col(ColumnDef::new(Verifications::ExpiresAt).big_integer().not_null())
                .col(ColumnDef::new(Verifications::ResendAt).big_integer().not_null())
                .col(ColumnDef::new(Verifications::ReceiptUsedAt).big_integer().null())
                .col(ColumnDef::new(Verifications::Version).big_integer().not_null())
                .primary_key(Index::create().name("pk_verifications").col(Verifications::Id))
                .to_owned(),
        )
        .await?;
        schema::create_index(
            manager,
            Index::create()
                .name("ix_verifications_link_hash")
                .table(Verifications::Table)
                .col(Verifications::LinkHash)
                .to_owned(),
        )
        .await?;
        schema::create_index(
            manager,
            Index::create()
                .name("ix_verifications_previous_link_hash")
                .table(Verifications::Table)
                .col(Verifications::PreviousLinkHash)
                .to_owned(),
        )
        .await?;
        schema::create_index(
            manager,
            Index::create()
                .name("ix_verifications_registration_id")
                .table(Verifications::Table)
                .col(Verifications::RegistrationId)
                .to_owned(),
        )
        .await?;
        schema::create_index(
            manager,
            Index::create()
                .name("ix_verifications_contact")
                .table(Verifications::Table)
                .col(Verifications::Channel)
                .col(Verifications::Contact)
                .to_owned(),
        )
        .await?;
        schema::create_index(
            manager,
            Index::create()
                .name("ix_verifications_expires_at")
                .table(Verifications::Table)
                .col(Verifications::ExpiresAt)
                .to_owned(),
        )
        .await?;
        schema::create_table(
            manager,
            Table::create()
                .table(ContactSends::Table)
                .col(ColumnDef::new(ContactSends::ContactHash).binary_len(32).not_null())
                .col(ColumnDef::new(ContactSends::Sent).big_integer().not_null())
                .col(ColumnDef::new(ContactSends::WindowEndsAt).big_integer().not_null())
                .primary_key(
                    Index::create().name("pk_contact_sends").col(ContactSends::ContactHash),
                )
                .to_owned(),
        )
        .await?;
        schema::create_index(
            manager,
            Index::create()
                .name("ix_contact_sends_window_ends_at")
                .table(ContactSends::Table)
                .col(ContactSends::WindowEndsAt)
                .to_owned(),
        )
        .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(ContactSends::Table).to_owned()).await?;
        manager.drop_table(Table::drop().table(Verifications::Table).to_owned()).await?;
        Ok(())
    }
}

#[derive(DeriveIden)]
enum Verifications {
    Table,
    Id,
    Channel,
    Contact,
    Purpose,
    RegistrationId,
    UserId,
    Locale,
    Standing,
    State,
    VerifiedAt,
    CodeLength,
    CodeHash,
    LinkHash,
    PreviousCodeHash,
    PreviousLinkHash,
    PreviousExpiresAt,
    AttemptsUsed,
    AttemptsAllowed,
    SendsUsed,
    SendsAllowed,
    CreatedAt,
    ExpiresAt,
    ResendAt,
    ReceiptUsedAt,
    Version,
}

#[derive(DeriveIden)]
enum ContactSends {
    Table,
    ContactHash,
    Sent,
    WindowEndsAt,
}
