//! Which database it is, how it is opened, and how a unit of work begins there.

mod migrate;
mod server;
mod sqlite;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use mapae_application::ports::{ReadView, Store, StoreError, UnitOfWork};
use sea_orm::{
    AccessMode, ConnectionTrait as _, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
    IsolationLevel, SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait as _,
};

use crate::error::store_error;
use crate::transaction::Transaction;

/// What a commit waits for, on SQLite.
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
    /// `sqlite://relative/path.db` or `sqlite:///absolute/path.db`, `postgres://…`, or `mysql://…`.
    pub url: String,
    /// What a commit waits for, on SQLite; a server has a setting of its own.
    pub synchronous: Synchronous,
    /// How many connections read at once, on SQLite.
    pub readers: u32,
    /// How many connections there are, on a server.
    pub connections: u32,
    /// How long a statement waits for another process that writes, on SQLite.
    pub busy_timeout: Duration,
    /// How long a unit of work waits for its turn.
    pub acquire_timeout: Duration,
}

/// Why there is no database. The URL may bear a password and is not shown.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The URL is of no database that this release knows.
    #[error(
        "database.url is none that this release can use: sqlite://…, postgres://… or mysql://…"
    )]
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
    /// The schema is of an earlier release.
    #[error("the database's schema is {0} steps behind this release: run mapae migrate")]
    FromThePast(usize),
    /// Another process has been changing the schema for too long.
    #[error("another process has been changing the database's schema for too long")]
    Locked,
    /// A step of the schema failed. It is done again by the next attempt.
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
    /// Opens the database; on SQLite, makes its file where there is none.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub async fn connect(settings: &StoreSettings) -> Result<Self, ConnectError> {
        let (scheme, rest) = settings.url.split_once("://").ok_or(ConnectError::Url)?;
        // A server without the name of a database would take whichever it likes.
        let database = rest.split('?').next().and_then(|path| path.split_once('/'));
        if scheme != "sqlite" && database.is_none_or(|(_, name)| name.is_empty()) {
            return Err(ConnectError::Url);
        }
        let (writer, readers) = match scheme {
            "sqlite" => sqlite::open(settings, rest).await?,
            "postgres" | "postgresql" => {
                let pool = server::open_postgres(settings).await?;
                (pool.clone(), pool)
            }
            "mysql" | "mariadb" => {
                let pool = server::open_mariadb(settings, rest).await?;
                (pool.clone(), pool)
            }
            _ => return Err(ConnectError::Url),
        };
        Ok(Self { writer, readers })
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

    /// Tells the recorder of metrics how many connections there are, and how many of them are idle.
    pub fn record_connections(&self) {
        let (size, idle) = match self.backend() {
            DbBackend::Postgres => {
                let pool = self.readers.get_postgres_connection_pool();
                (pool.size(), pool.num_idle())
            }
            DbBackend::MySql => {
                let pool = self.readers.get_mysql_connection_pool();
                (pool.size(), pool.num_idle())
            }
            _ => {
                let pool = self.readers.get_sqlite_connection_pool();
                (pool.size(), pool.num_idle())
            }
        };
        let idle = u32::try_from(idle).unwrap_or(u32::MAX).min(size);
        metrics::gauge!("mapae_database_connections", "state" => "idle").set(f64::from(idle));
        metrics::gauge!("mapae_database_connections", "state" => "in_use")
            .set(f64::from(size - idle));
    }

    fn backend(&self) -> DbBackend {
        self.writer.get_database_backend()
    }

    /// Begins a transaction that writes. On SQLite nobody else writes meanwhile.
    async fn begin_writing(&self) -> Result<DatabaseTransaction, DbErr> {
        let immediate =
            (self.backend() == DbBackend::Sqlite).then_some(SqliteTransactionMode::Immediate);
        let options =
            TransactionOptions { sqlite_transaction_mode: immediate, ..Default::default() };
        self.writer.begin_with_options(options).await
    }

    /// Begins a transaction that reads what was committed when it began.
    async fn begin_reading(&self) -> Result<DatabaseTransaction, DbErr> {
        match self.backend() {
            DbBackend::Sqlite => self.readers.begin().await,
            _ => {
                let isolation = Some(IsolationLevel::RepeatableRead);
                self.readers.begin_with_config(isolation, Some(AccessMode::ReadOnly)).await
            }
        }
    }
}

#[async_trait]
impl Store for SeaOrmStore {
    async fn read(&self) -> Result<Box<dyn ReadView>, StoreError> {
        let transaction = self.begin_reading().await.map_err(store_error)?;
        Ok(Box::new(Transaction(transaction)))
    }

    async fn begin(&self) -> Result<Box<dyn UnitOfWork>, StoreError> {
        let transaction = self.begin_writing().await.map_err(store_error)?;
        Ok(Box::new(Transaction(transaction)))
    }

    async fn purge(&self) -> Result<(), StoreError> {
        if self.backend() != DbBackend::Sqlite {
            // A server clears up by itself, by settings of its own.
            return Ok(());
        }
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
        // One that only repeats what another writes answers, and cannot be written.
        let writable = match self.backend() {
            DbBackend::Postgres => "SELECT 1 WHERE NOT pg_is_in_recovery()",
            DbBackend::MySql => "SELECT 1 FROM DUAL WHERE @@global.read_only = 0",
            _ => {
                self.readers.execute_unprepared("SELECT 1").await.map_err(store_error)?;
                let work = self.begin_writing().await.map_err(store_error)?;
                return work.rollback().await.map_err(store_error);
            }
        };
        let asked = Statement::from_string(self.backend(), writable);
        match self.writer.query_one_raw(asked).await.map_err(store_error)? {
            Some(_) => Ok(()),
            None => Err(StoreError::Unavailable("the database only reads".into())),
        }
    }
}
