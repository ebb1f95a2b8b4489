//! The schema, brought to this release's by one process at a time.

use mapae_migrations::{Migrator, MigratorTrait as _};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, Statement};

use super::server::mariadb_limits;
use super::{ConnectError, SeaOrmStore};
use crate::error::store_error;
use crate::transaction::bounded;

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
                // Whoever else is at it may take its time, and so may what is brought in.
                let patient = "SET LOCAL lock_timeout = '60s'; SET LOCAL statement_timeout = 0; \
                               SET LOCAL idle_in_transaction_session_timeout = 0";
                work.execute_unprepared(patient).await.map_err(failed)?;
                work.execute_unprepared(POSTGRES_LOCK).await.map_err(failed)?;
            }
            // The lock belongs to the connection, which the transaction keeps until its end.
            DbBackend::MySql => {
                let patient = "SET SESSION lock_wait_timeout = 60, SESSION max_statement_time = 0, \
                               SESSION idle_write_transaction_timeout = 0";
                work.execute_unprepared(patient).await.map_err(failed)?;
                lock_mariadb(&work).await?;
            }
            _ => {}
        }
        Ok(work)
    }

    /// Lets go of the lock of the schema, before the transaction ends.
    pub(crate) async fn leave_alone(&self, work: &DatabaseTransaction) -> Result<(), ConnectError> {
        if self.backend() == DbBackend::MySql {
            // A connection that goes back with the lock would keep it, and its patience, too.
            work.execute_unprepared(MARIADB_UNLOCK).await.map_err(failed)?;
            let limits = mariadb_limits(self.patience.answer());
            work.execute_unprepared(&limits).await.map_err(failed)?;
        }
        Ok(())
    }

    /// How many steps of the schema are missing. Changes nothing of it.
    ///
    /// # Errors
    /// [`ConnectError::Migration`] where that cannot be read.
    pub async fn pending(&self) -> Result<usize, ConnectError> {
        let store = self.clone();
        let pending = async move {
            let view = store.begin_reading().await?;
            Ok(Migrator::get_pending_migrations_read_only(&view).await?.len())
        };
        bounded(&self.patience, pending).await.map_err(failed)
    }

    /// Sees that the schema is this release's, and changes nothing.
    ///
    /// # Errors
    /// [`ConnectError::FromTheFuture`], [`ConnectError::FromThePast`], or
    /// [`ConnectError::Migration`] where that cannot be read.
    pub async fn check_schema(&self) -> Result<(), ConnectError> {
        match self.pending().await? {
            0 => {}
            missing => return Err(ConnectError::FromThePast(missing)),
        }
        let store = self.clone();
        // In a transaction that is taken back, because to look may make the table of what was done.
        let unknown = async move { first_unknown(&store.begin_writing().await?).await };
        match bounded(&self.patience, unknown).await.map_err(failed)? {
            Some(step) => Err(ConnectError::FromTheFuture(step)),
            None => Ok(()),
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

/// A step that was applied and that this release does not know.
async fn first_unknown<C: ConnectionTrait>(connection: &C) -> Result<Option<String>, DbErr> {
    let known = Migrator::migrations();
    let applied = Migrator::get_migration_models(connection).await?;
    let is_unknown = |version: &str| known.iter().all(|known| known.name() != version);
    Ok(applied.into_iter().map(|step| step.version).find(|version| is_unknown(version)))
}

async fn apply_missing(work: &DatabaseTransaction) -> Result<usize, ConnectError> {
    Migrator::install(work).await.map_err(failed)?;
    if let Some(step) = first_unknown(work).await.map_err(failed)? {
        return Err(ConnectError::FromTheFuture(step));
    }
    let missing = Migrator::get_pending_migrations(work).await.map_err(failed)?.len();
    if missing > 0 {
        Migrator::up(work, None).await.map_err(failed)?;
    }
    Ok(missing)
}
