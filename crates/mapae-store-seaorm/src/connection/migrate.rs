//! The schema, brought to this release's by one process at a time.

use std::time::Duration;

use mapae_migrations::{Migrator, MigratorTrait as _, applied, expands};
use sea_orm::{ConnectionTrait as _, DatabaseTransaction, DbBackend, DbErr, Statement};

use super::server::mariadb_limits;
use super::{ConnectError, SeaOrmStore};
use crate::error::{store_error, waited_in_vain};
use crate::transaction::bounded;

/// The number that processes agree on for the lock of PostgreSQL: any that nobody else uses.
const POSTGRES_LOCK: &str = "SELECT pg_advisory_xact_lock(7305214406912083041)";
/// The lock of MariaDB is the server's, and so named after the database; a minute is waited for it.
const MARIADB_LOCK: &str = "SELECT GET_LOCK(LEFT(CONCAT('mapae:', DATABASE()), 64), 60)";
const MARIADB_UNLOCK: &str = "SELECT RELEASE_LOCK(LEFT(CONCAT('mapae:', DATABASE()), 64))";

/// How often a step waits for a table that others use, and how long others have it between.
const TRIES: u32 = 15;
const PAUSE: Duration = Duration::from_secs(2);

fn failed(error: DbErr) -> ConnectError {
    ConnectError::Migration(store_error(error))
}

impl SeaOrmStore {
    /// Applies the steps of the schema that are missing, and says how many: none where a newer release has
    /// added steps of its own.
    ///
    /// No other process does so at the same time: processes that start together apply each step
    /// once. On SQLite and PostgreSQL all of it is one transaction, and a step that breaks off leaves
    /// nothing behind; on MariaDB it is done again.
    ///
    /// # Errors
    /// [`ConnectError::FromTheFuture`], [`ConnectError::Locked`], [`ConnectError::InUse`] or
    /// [`ConnectError::Migration`].
    pub async fn migrate(&self) -> Result<usize, ConnectError> {
        for _ in 1..TRIES {
            match self.try_migrate().await {
                Err(ConnectError::InUse) => tokio::time::sleep(PAUSE).await,
                ended => return ended,
            }
        }
        self.try_migrate().await
    }

    async fn try_migrate(&self) -> Result<usize, ConnectError> {
        let work = self.begin_alone().await?;
        let migrated = match self.hurry(&work).await {
            Ok(()) => apply_missing(&work).await,
            Err(error) => Err(failed(error)),
        };
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
                // Whoever else is at it may take its time, and so may what is brought in. By another name,
                // for who serves ends commits of its own that wait for a standby.
                let patient = "SET LOCAL lock_timeout = '60s'; SET LOCAL statement_timeout = 0; \
                               SET LOCAL idle_in_transaction_session_timeout = 0; \
                               SET LOCAL application_name = 'mapae alone'";
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

    /// Has a step wait for a table that others use no longer than for a moment: whoever comes after
    /// it would wait behind it.
    async fn hurry(&self, work: &DatabaseTransaction) -> Result<(), DbErr> {
        let sql = match self.backend() {
            DbBackend::Postgres => "SET LOCAL lock_timeout = '2s'",
            DbBackend::MySql => "SET SESSION lock_wait_timeout = 2",
            _ => return Ok(()),
        };
        work.execute_unprepared(sql).await.map(drop)
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

    /// How the schema stands to this release's. Changes nothing of it, and needs no right to.
    ///
    /// # Errors
    /// [`ConnectError::FromTheFuture`], or [`ConnectError::Migration`] where that cannot be read.
    pub async fn schema(&self) -> Result<Schema, ConnectError> {
        let store = self.clone();
        let applied = async move { applied(&store.begin_reading().await?).await };
        let applied = bounded(&self.patience, applied).await.map_err(failed)?;
        Schema::of(&applied)
    }

    /// How many steps the schema of this release has: as many are missing of a new database.
    pub fn steps() -> usize {
        Migrator::migrations().len()
    }

    /// Sees that this release can serve on the schema, and says how that stands to its own. Changes
    /// nothing of it, and needs no right to.
    ///
    /// # Errors
    /// [`ConnectError::FromTheFuture`], [`ConnectError::FromThePast`], or
    /// [`ConnectError::Migration`] where that cannot be read.
    pub async fn check_schema(&self) -> Result<Schema, ConnectError> {
        match self.schema().await? {
            Schema::Behind(missing) => Err(ConnectError::FromThePast(missing)),
            served => Ok(served),
        }
    }

    /// Sees that the schema is this release's and no other: for what takes all there is.
    pub(crate) async fn check_own_schema(&self) -> Result<(), ConnectError> {
        match self.check_schema().await? {
            Schema::Ahead { first, .. } => Err(ConnectError::FromTheFuture(first)),
            _ => Ok(()),
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

/// How the schema of a database stands to that of this release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Schema {
    /// It is this release's.
    Current,
    /// So many steps are missing: [`SeaOrmStore::migrate`] applies them.
    Behind(usize),
    /// A newer release has added to it, and this one goes on as before: in the midst of an upgrade, or
    /// on the way back from one.
    Ahead {
        /// The first step that this release does not know.
        first: String,
        /// How many such steps there are.
        steps: usize,
    },
}

impl Schema {
    /// As these steps have made it.
    fn of(applied: &[String]) -> Result<Self, ConnectError> {
        let known = Migrator::migrations();
        let is_known = |step: &&String| known.iter().any(|known| known.name() == step.as_str());
        let unknown: Vec<&String> = applied.iter().filter(|step| !is_known(step)).collect();
        let missing = known.len() - (applied.len() - unknown.len());
        // A step that takes something away, or a release that is newer in one thing and older in another.
        let stranger = unknown.iter().find(|step| !expands(step) || missing > 0);
        match (stranger, unknown.first()) {
            (Some(step), _) => Err(ConnectError::FromTheFuture((**step).clone())),
            (None, Some(first)) => {
                Ok(Self::Ahead { first: (**first).clone(), steps: unknown.len() })
            }
            (None, None) if missing > 0 => Ok(Self::Behind(missing)),
            (None, None) => Ok(Self::Current),
        }
    }
}

async fn apply_missing(work: &DatabaseTransaction) -> Result<usize, ConnectError> {
    match Schema::of(&applied(work).await.map_err(failed)?)? {
        Schema::Behind(missing) => {
            Migrator::up(work, None).await.map_err(in_use_or_failed)?;
            Ok(missing)
        }
        Schema::Current | Schema::Ahead { .. } => Ok(0),
    }
}

fn in_use_or_failed(error: DbErr) -> ConnectError {
    if waited_in_vain(&error) { ConnectError::InUse } else { failed(error) }
}
