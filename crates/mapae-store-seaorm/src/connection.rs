use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use mapae_application::ports::{ReadView, Store, StoreError, UnitOfWork};
use mapae_migrations::{Migrator, MigratorTrait as _};
use sea_orm::{
    ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection, DatabaseTransaction,
    DbBackend, DbErr, SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait as _,
};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};

use crate::error::store_error;
use crate::transaction::Transaction;

/// What a commit waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Synchronous {
    /// The disk: what was committed outlives the loss of power.
    Full,
    /// The operating system: the last commits may be lost with the power; the file stays good.
    Normal,
}

/// How to reach the database.
#[derive(Debug, Clone)]
pub struct StoreSettings {
    /// `sqlite://relative/path.db` or `sqlite:///absolute/path.db`.
    pub url: String,
    /// What a commit waits for.
    pub synchronous: Synchronous,
    /// How many connections read at once.
    pub readers: u32,
    /// How long a statement waits for another process that writes.
    pub busy_timeout: Duration,
    /// How long a unit of work waits for its turn.
    pub acquire_timeout: Duration,
}

/// Why there is no database. The URL may bear a password and is not shown.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The URL is of no database that this release knows.
    #[error("database.url is none that this release can use: sqlite://…")]
    Url,
    /// The file or its folder cannot be made.
    #[error("the database's file {} cannot be made", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why it cannot.
        #[source]
        cause: io::Error,
    },
    /// The database cannot be opened.
    #[error("the database cannot be opened")]
    Open(#[source] StoreError),
    /// A newer release has changed the schema.
    #[error("the database has a schema of a newer release ({0} is not known to this one)")]
    FromTheFuture(String),
    /// A step of the schema failed. Nothing of it was kept.
    #[error("the database cannot be brought to this release's schema")]
    Migration(#[source] StoreError),
}

/// Keeps everything in a database.
#[derive(Clone)]
pub struct SeaOrmStore {
    writer: DatabaseConnection,
    readers: DatabaseConnection,
}

impl SeaOrmStore {
    /// Opens the database, and makes its file where there is none.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub async fn connect(settings: &StoreSettings) -> Result<Self, ConnectError> {
        let path = settings.url.strip_prefix("sqlite://").ok_or(ConnectError::Url)?;
        if path.is_empty() || path.contains('?') {
            return Err(ConnectError::Url);
        }
        let path = PathBuf::from(path);
        make_file(&path).map_err(|cause| ConnectError::File { path: path.clone(), cause })?;
        let open = async |connections: u32, query_only: bool| {
            let options = connect_options(settings, &path, connections, query_only);
            Database::connect(options).await.map_err(|error| ConnectError::Open(store_error(error)))
        };
        let writer = open(1, false).await?;
        let readers = open(settings.readers.max(1), true).await?;
        Ok(Self { writer, readers })
    }

    /// Applies the steps of the schema that are missing, and says how many.
    ///
    /// All of them are one transaction that no other process can be in at the same time: processes
    /// that start together apply each step once, and a step that breaks off leaves nothing behind.
    ///
    /// # Errors
    /// [`ConnectError::FromTheFuture`] or [`ConnectError::Migration`].
    pub async fn migrate(&self) -> Result<usize, ConnectError> {
        let failed = |error: DbErr| ConnectError::Migration(store_error(error));
        let work = self.begin_immediate().await.map_err(failed)?;
        let known = Migrator::migrations();
        Migrator::install(&work).await.map_err(failed)?;
        let applied = Migrator::get_migration_models(&work).await.map_err(failed)?;
        let unknown =
            applied.iter().find(|step| !known.iter().any(|known| known.name() == step.version));
        if let Some(step) = unknown {
            return Err(ConnectError::FromTheFuture(step.version.clone()));
        }
        let missing = known.len().saturating_sub(applied.len());
        if missing > 0 {
            Migrator::up(&work, None).await.map_err(failed)?;
        }
        work.commit().await.map_err(failed)?;
        Ok(missing)
    }

    /// How many steps of the schema are missing. Changes nothing of it.
    ///
    /// # Errors
    /// [`ConnectError::Migration`] where that cannot be read.
    pub async fn pending(&self) -> Result<usize, ConnectError> {
        let failed = |error: DbErr| ConnectError::Migration(store_error(error));
        let pending = Migrator::get_pending_migrations(&self.writer).await.map_err(failed)?;
        Ok(pending.len())
    }

    /// Takes every step back, and with them everything that is kept. For tests.
    ///
    /// # Errors
    /// [`ConnectError::Migration`].
    #[doc(hidden)]
    pub async fn unmigrate(&self) -> Result<(), ConnectError> {
        let failed = |error: DbErr| ConnectError::Migration(store_error(error));
        let work = self.begin_immediate().await.map_err(failed)?;
        Migrator::down(&work, None).await.map_err(failed)?;
        work.commit().await.map_err(failed)
    }

    /// Closes every connection, once the units of work under way are done.
    ///
    /// # Errors
    /// What the database says.
    pub async fn close(self) -> Result<(), StoreError> {
        self.readers.close().await.map_err(store_error)?;
        // The last connection to close brings what is in the journal into the file.
        self.writer.close().await.map_err(store_error)
    }

    async fn begin_immediate(&self) -> Result<DatabaseTransaction, DbErr> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        self.writer.begin_with_options(options).await
    }
}

#[async_trait]
impl Store for SeaOrmStore {
    async fn read(&self) -> Result<Box<dyn ReadView>, StoreError> {
        let transaction = self.readers.begin().await.map_err(store_error)?;
        Ok(Box::new(Transaction(transaction)))
    }

    async fn begin(&self) -> Result<Box<dyn UnitOfWork>, StoreError> {
        let transaction = self.begin_immediate().await.map_err(store_error)?;
        Ok(Box::new(Transaction(transaction)))
    }

    async fn purge(&self) -> Result<(), StoreError> {
        // What was overwritten comes from the journal into the file, and the journal is cut to
        // nothing. Where a reader is in its midst for too long, that is no error of SQLite's but a
        // one in its answer.
        let truncate = Statement::from_string(DbBackend::Sqlite, "PRAGMA wal_checkpoint(TRUNCATE)");
        let answer = self.writer.query_one_raw(truncate).await.map_err(store_error)?;
        let answer = answer.ok_or(StoreError::Corrupt("the answer to a checkpoint"))?;
        match answer.try_get_by_index::<i32>(0).map_err(store_error)? {
            0 => Ok(()),
            _ => Err(StoreError::Unavailable("the journal is in use".into())),
        }
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.readers.execute_unprepared("SELECT 1").await.map_err(store_error)?;
        let work = self.begin_immediate().await.map_err(store_error)?;
        work.rollback().await.map_err(store_error)
    }
}

fn connect_options(
    settings: &StoreSettings,
    path: &Path,
    connections: u32,
    query_only: bool,
) -> ConnectOptions {
    let mut options = ConnectOptions::new("sqlite://");
    let (path, busy_timeout) = (path.to_owned(), settings.busy_timeout);
    let synchronous = match settings.synchronous {
        Synchronous::Full => SqliteSynchronous::Full,
        Synchronous::Normal => SqliteSynchronous::Normal,
    };
    options
        .max_connections(connections)
        .min_connections(1)
        .acquire_timeout(settings.acquire_timeout)
        .connect_timeout(settings.acquire_timeout)
        // A connection to a file does not age.
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        // Statements are ours and hold no values, but a log is no place for them either.
        .sqlx_logging(false)
        .map_sqlx_sqlite_opts(move |_| {
            let options = SqliteConnectOptions::new()
                .filename(&path)
                .create_if_missing(false)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(synchronous)
                .busy_timeout(busy_timeout)
                .foreign_keys(true)
                // What is deleted is overwritten, and not only forgotten.
                .pragma("secure_delete", "ON")
                .statement_cache_capacity(256);
            let options = sqlx::ConnectOptions::disable_statement_logging(options);
            if query_only { options.pragma("query_only", "ON") } else { options }
        });
    options
}

/// Makes the database's file for its owner alone, where there is none. The journal beside it gets
/// the same mode from SQLite.
fn make_file(path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made.map(drop),
    }
}
