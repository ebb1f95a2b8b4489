//! The schema, brought to this release's by one process at a time.

use mapae_migrations::{Migrator, MigratorTrait as _};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, Statement};

use super::{ConnectError, SeaOrmStore};
use crate::error::store_error;

/// The number that processes agree on for the lock of PostgreSQL: any that nobody else uses.
const POSTGRES_LOCK: &str = "SELECT pg_advisory_xact_lock(7305214406912083041)";
/// The lock of MariaDB is the server's, and so named after the database; a minute is waited for it.
const MARIADB_LOCK: &str = "SELECT GET_LOCK(LEFT(CONCAT('mapae:', DATABASE()), 64), 60)";
const MARIADB_UNLOCK: &str = "SELECT RELEASE_LOCK(LEFT(CONCAT('mapae:', DATABASE()), 64))";

fn failed(error: DbErr) -> ConnectError {
    ConnectError::Migration(store_error(error))
}

impl SeaOrmStore {
    /// Applies the steps of the schema that are missing, and says how many.
    ///
    /// No other process does so at the same time: processes that start together apply each step
    /// once. On SQLite and PostgreSQL all of it is one transaction, and a step that breaks off leaves
    /// nothing behind; on MariaDB it is done again.
    ///
    /// # Errors
    /// [`ConnectError::FromTheFuture`], [`ConnectError::Locked`] or [`ConnectError::Migration`].
    pub async fn migrate(&self) -> Result<usize, ConnectError> {
        let work = self.begin_alone().await?;
        let migrated = apply_missing(&work).await;
        let unlocked = self.leave_alone(&work).await;
        let missing = migrated?;
        unlocked?;
        work.commit().await.map_err(failed)?;
        Ok(missing)
    }

    /// Begins a transaction under the lock of the schema: only one process at a time has it.
    pub(crate) async fn begin_alone(&self) -> Result<DatabaseTransaction, ConnectError> {
        let work = self.begin_writing().await.map_err(failed)?;
        match self.backend() {
            DbBackend::Postgres => {
                // Whoever else is at it may take its time.
                let patient = "SET LOCAL lock_timeout = '60s'";
                work.execute_unprepared(patient).await.map_err(failed)?;
                work.execute_unprepared(POSTGRES_LOCK).await.map_err(failed)?;
            }
            // The lock belongs to the connection, which the transaction keeps until its end.
            DbBackend::MySql => lock_mariadb(&work).await?,
            _ => {}
        }
        Ok(work)
    }

    /// Lets go of the lock of the schema, before the transaction ends.
    pub(crate) async fn leave_alone(&self, work: &DatabaseTransaction) -> Result<(), ConnectError> {
        if self.backend() == DbBackend::MySql {
            // A connection that goes back with the lock would keep it.
            work.execute_unprepared(MARIADB_UNLOCK).await.map_err(failed)?;
        }
        Ok(())
    }

    /// How many steps of the schema are missing. Changes nothing of it.
    ///
    /// # Errors
    /// [`ConnectError::Migration`] where that cannot be read.
    pub async fn pending(&self) -> Result<usize, ConnectError> {
        let view = self.begin_reading().await.map_err(failed)?;
        let pending = Migrator::get_pending_migrations_read_only(&view).await.map_err(failed)?;
        Ok(pending.len())
    }

    /// Sees that the schema is this release's, and changes nothing.
    ///
    /// # Errors
    /// [`ConnectError::FromTheFuture`], [`ConnectError::FromThePast`], or
    /// [`ConnectError::Migration`] where that cannot be read.
    pub async fn check_schema(&self) -> Result<(), ConnectError> {
        match self.pending().await? {
            // In a transaction that is taken back, because to look may make the table of what was done.
            0 => refuse_the_future(&self.begin_writing().await.map_err(failed)?).await,
            missing => Err(ConnectError::FromThePast(missing)),
        }
    }

    /// Takes every step back, and with them everything that is kept. For tests.
    ///
    /// # Errors
    /// [`ConnectError::Migration`].
    #[doc(hidden)]
    pub async fn unmigrate(&self) -> Result<(), ConnectError> {
        let work = self.begin_writing().await.map_err(failed)?;
        Migrator::down(&work, None).await.map_err(failed)?;
        work.commit().await.map_err(failed)
    }
}

async fn lock_mariadb(work: &DatabaseTransaction) -> Result<(), ConnectError> {
    let lock = Statement::from_string(DbBackend::MySql, MARIADB_LOCK);
    let answer = work.query_one_raw(lock).await.map_err(failed)?;
    let locked = answer.map(|row| row.try_get_by_index::<Option<i32>>(0)).transpose();
    match locked.map_err(failed)?.flatten() {
        Some(1) => Ok(()),
        _ => Err(ConnectError::Locked),
    }
}

/// Refuses a schema with a step that this release does not know.
async fn refuse_the_future<C: ConnectionTrait>(connection: &C) -> Result<(), ConnectError> {
    let known = Migrator::migrations();
    let applied = Migrator::get_migration_models(connection).await.map_err(failed)?;
    let is_unknown = |version: &str| known.iter().all(|known| known.name() != version);
    match applied.into_iter().find(|step| is_unknown(&step.version)) {
        Some(step) => Err(ConnectError::FromTheFuture(step.version)),
        None => Ok(()),
    }
}

async fn apply_missing(work: &DatabaseTransaction) -> Result<usize, ConnectError> {
    Migrator::install(work).await.map_err(failed)?;
    refuse_the_future(work).await?;
    let missing = Migrator::get_pending_migrations(work).await.map_err(failed)?.len();
    if missing > 0 {
        Migrator::up(work, None).await.map_err(failed)?;
    }
    Ok(missing)
}
