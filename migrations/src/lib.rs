//! The schema, one file a step.
//!
//! Written for SQLite, PostgreSQL and MariaDB alike: UUIDs by `uuid()`, instants as 64-bit
//! microseconds, hashes as 32 bytes, lists of names as text; every constraint and index has a name.
//! Steps expand first; what they make needless is contracted in a later release. A step's name ends
//! with `_expand` or `_contract`, from the seventeenth on: see [`expands`].

mod m20261121_000001_users;
mod m20261121_000002_registrations;
mod m20261121_000003_verifications;
mod m20261121_000004_sessions;
mod m20261121_000005_outbox;
mod m20261121_000006_inbox;
mod m20261121_000007_signing_keys;
mod m20261121_000008_idempotency_keys;
mod m20261121_000009_outcomes;
mod m20261121_000010_session_clients;
mod m20261121_000011_key_lives;
mod m20261121_000012_audit;
mod m20261121_000013_erasure;
mod m20261121_000014_contact_undos;
mod m20261121_000015_consents;
mod m20261121_000016_locks;
mod schema;

pub use sea_orm_migration::MigratorTrait;
use sea_orm_migration::prelude::DbErr;
use sea_orm_migration::sea_orm::{DatabaseTransaction, EntityTrait as _, QueryOrder as _};
use sea_orm_migration::{MigrationTrait, SchemaManager, async_trait, seaql_migrations};

/// The names of the steps that were applied, in their order. Reads, and changes nothing: whoever may
/// not change the schema can look at it.
///
/// # Errors
/// What the database says.
pub async fn applied(view: &DatabaseTransaction) -> Result<Vec<String>, DbErr> {
    if !SchemaManager::new(view).has_table("seaql_migrations").await? {
        return Ok(Vec::new());
    }
    let steps = seaql_migrations::Entity::find()
        .order_by_asc(seaql_migrations::Column::Version)
        .all(view)
        .await?;
    Ok(steps.into_iter().map(|step| step.version).collect())
}

/// Whether a step of that name only adds, so that a release that does not know it serves on its schema:
/// in an upgrade, and on the way back from one.
///
/// To be called so, a step must leave such a release whole, which reads, writes and erases as before:
/// - columns that it adds have a default, or may be null;
/// - no table, column, index or rule that is there goes, is renamed, or takes less than before;
/// - what the new release writes by it is nothing that the one before fails to read;
/// - what it keeps of a person goes with the person by the database itself (`ON DELETE CASCADE`).
pub fn expands(step: &str) -> bool {
    step.ends_with("_expand")
}

/// Every step, in order.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261121_000001_users::Migration),
            Box::new(m20261121_000002_registrations::Migration),
            Box::new(m20261121_000003_verifications::Migration),
            Box::new(m20261121_000004_sessions::Migration),
            Box::new(m20261121_000005_outbox::Migration),
            Box::new(m20261121_000006_inbox::Migration),
            Box::new(m20261121_000007_signing_keys::Migration),
            Box::new(m20261121_000008_idempotency_keys::Migration),
            Box::new(m20261121_000009_outcomes::Migration),
            Box::new(m20261121_000010_session_clients::Migration),
            Box::new(m20261121_000011_key_lives::Migration),
            Box::new(m20261121_000012_audit::Migration),
            Box::new(m20261121_000013_erasure::Migration),
            Box::new(m20261121_000014_contact_undos::Migration),
            Box::new(m20261121_000015_consents::Migration),
            Box::new(m20261121_000016_locks::Migration),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::{Migrator, MigratorTrait as _, expands};

    /// The steps of before the first release, which every release knows.
    const FIRST: usize = 16;

    #[test]
    fn every_later_step_says_by_its_name_whether_it_only_adds() {
        for step in Migrator::migrations().iter().skip(FIRST) {
            let name = step.name();
            assert!(
                expands(name) || name.ends_with("_contract"),
                "{name}: what of older releases?"
            );
        }
        assert!(expands("m20990101_000001_later_expand"));
        for other in ["m20990101_000001_later", "m20990101_000001_later_contract", "m_expand_later"]
        {
            assert!(!expands(other), "{other}");
        }
    }
}
