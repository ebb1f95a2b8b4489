//! Which database it is, how it is opened, and how a unit of work begins there.

mod migrate;
mod server;
mod sqlite;

use std::path::PathBuf;
use std::time::Duration;
use std::{fmt, io};

use async_trait::async_trait;
use mapae_application::ports::{Queued, ReadView, Store, StoreError, UnitOfWork};
use mapae_application::trace::TARGET;
use sea_orm::{
    AccessMode, ConnectionTrait as _, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
    IsolationLevel, SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait as _,
};
use tracing::{Span, field};

pub use self::migrate::Schema;
use crate::error::store_error;
use crate::scratch::Overheard;
use crate::transaction::{Bounded, Patience, Transaction, bounded};

/// What a commit waits for, on SQLite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Synchronous {
    /// The disk: what was committed outlives the loss of power.
    Full,
    /// The operating system: the last commits may be lost with the power; the file stays good.
    Normal,
}

/// How to reach the database.
#[derive(Clone)]
pub struct StoreSettings {
    /// `sqlite://relative/path.db` or `sqlite:///absolute/path.db`, `postgres://…`, or `mysql://…`.
    pub url: String,
    /// What a commit waits for, on SQLite; a server has a setting of its own.
    pub synchronous: Synchronous,
    /// How many connections read at once, on SQLite.
    pub readers: u32,
    /// How many connections there are, on a server.
    pub connections: u32,
    /// Whether a pooler stands before PostgreSQL that hands each transaction whichever connection is
    /// free, as PgBouncer does with `pool_mode = transaction`: nothing outlives a transaction then.
    pub transaction_pooling: bool,
    /// How long the database is waited for: for a connection, for whoever holds what is to be
    /// changed, and for an answer.
    pub timeout: Duration,
}

impl fmt::Debug for StoreSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL may bear a password.
        f.debug_struct("StoreSettings")
            .field("synchronous", &self.synchronous)
            .field("readers", &self.readers)
            .field("connections", &self.connections)
            .field("transaction_pooling", &self.transaction_pooling)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
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
    /// A newer release has changed the schema, and not only added to it.
    #[error("the database has a schema of a newer release ({0} is not known to this one)")]
    FromTheFuture(String),
    /// The schema is of an earlier release.
    #[error("the database's schema is {0} steps behind this release: run mapae migrate")]
    FromThePast(usize),
    /// Another process has been changing the schema for too long.
    #[error("another process has been changing the database's schema for too long")]
    Locked,
    /// Somebody has been using a table that a step of the schema changes, a backup perhaps, for too long.
    #[error(
        "a table that the schema's next step changes has been in use for too long: \
         try again when nobody exports or dumps the database"
    )]
    InUse,
    /// A step of the schema failed. It is done again by the next attempt.
    #[error("the database cannot be brought to this release's schema")]
    Migration(#[source] StoreError),
}

/// What a connection is that nobody uses any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Released {
    /// It answers, and has nothing begun: it may serve the next.
    Clean,
    /// It has something begun that cannot be taken back.
    ///
    /// Where the database has taken a transaction back by itself (SQLite does where its disk is full),
    /// there is nothing left to be taken back: to do so fails, and the connection goes on to count one.
    /// What is begun on it after that is a part of that one, and is never committed, whatever it says.
    Begun,
    /// It does not answer.
    Lost,
}

impl Released {
    async fn of<C: sqlx::Connection>(connection: &mut C, patience: &Patience) -> Self {
        if patience.has_just_given_up() {
            return Self::Lost;
        }
        if connection.should_flush() || connection.is_in_transaction() {
            // What was to be taken back may be on its way.
            match tokio::time::timeout(patience.answer(), connection.ping()).await {
                Err(_) => return Self::Lost,
                Ok(Err(_)) => return Self::Begun,
                Ok(Ok(())) => {}
            }
        }
        if connection.is_in_transaction() { Self::Begun } else { Self::Clean }
    }
}

/// Keeps everything in a database.
#[derive(Clone)]
pub struct SeaOrmStore {
    pub(crate) writer: DatabaseConnection,
    readers: DatabaseConnection,
    pub(crate) patience: Patience,
    /// Whether each transaction has to begin as if nothing had been before.
    pub(crate) is_pooled: bool,
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
        let patience = Patience::new(settings.timeout);
        let is_pooled = settings.transaction_pooling && scheme.starts_with("postgres");
        let (writer, readers) = match scheme {
            "sqlite" => sqlite::open(settings, &patience, rest).await?,
            "postgres" | "postgresql" => {
                let pool = server::open_postgres(settings, &patience).await?;
                (pool.clone(), pool)
            }
            "mysql" | "mariadb" => {
                let pool = server::open_mariadb(settings, &patience, rest).await?;
                (pool.clone(), pool)
            }
            _ => return Err(ConnectError::Url),
        };
        Ok(Self { writer, readers, patience, is_pooled })
    }

    /// Closes every connection, once the units of work under way are done. A server that does not
    /// answer is not waited for.
    ///
    /// # Errors
    /// What the database says.
    pub async fn close(self) -> Result<(), StoreError> {
        self.patience.end();
        let is_file = self.backend() == DbBackend::Sqlite;
        let patience = self.patience.answer() * 4;
        let closed = async {
            self.readers.close().await.map_err(store_error)?;
            // The last connection to close brings what is in the journal into the file.
            self.writer.close().await.map_err(store_error)
        };
        match is_file {
            true => closed.await,
            false => tokio::time::timeout(patience, closed).await.unwrap_or(Ok(())),
        }
    }

    /// Tells the recorder of metrics how many connections there are, and how many of them are idle.
    pub fn record_connections(&self) {
        let (size, idle, most) = match self.backend() {
            DbBackend::Postgres => {
                let pool = self.readers.get_postgres_connection_pool();
                (pool.size(), pool.num_idle(), pool.options().get_max_connections())
            }
            DbBackend::MySql => {
                let pool = self.readers.get_mysql_connection_pool();
                (pool.size(), pool.num_idle(), pool.options().get_max_connections())
            }
            _ => {
                let pool = self.readers.get_sqlite_connection_pool();
                (pool.size(), pool.num_idle(), pool.options().get_max_connections())
            }
        };
        metrics::gauge!("mapae_database_connections_max").set(f64::from(most));
        let idle = u32::try_from(idle).unwrap_or(u32::MAX).min(size);
        metrics::gauge!("mapae_database_connections", "state" => "idle").set(f64::from(idle));
        metrics::gauge!("mapae_database_connections", "state" => "in_use")
            .set(f64::from(size - idle));
    }

    /// The same store, whose every statement is noted. For tests and measurements.
    #[doc(hidden)]
    #[must_use]
    pub fn overheard_by(mut self, listener: &Overheard) -> Self {
        for connection in [&mut self.writer, &mut self.readers] {
            let listener = listener.clone();
            connection.set_metric_callback(move |run| listener.note(run.statement));
        }
        self
    }

    pub(crate) fn backend(&self) -> DbBackend {
        self.writer.get_database_backend()
    }

    /// A span of a transaction, from when it begins to wait for its turn. It says nothing of the
    /// statements.
    fn span(&self, name: &'static str) -> Span {
        let system = match self.backend() {
            DbBackend::Postgres => "postgresql",
            DbBackend::MySql => "mariadb",
            _ => "sqlite",
        };
        tracing::info_span!(
            target: TARGET,
            "database.transaction",
            otel.name = name,
            otel.kind = "client",
            db.system.name = system,
            outcome = field::Empty,
        )
    }

    /// Begins a transaction that writes. On SQLite nobody else writes meanwhile.
    pub(crate) async fn begin_writing(&self) -> Result<DatabaseTransaction, DbErr> {
        let immediate =
            (self.backend() == DbBackend::Sqlite).then_some(SqliteTransactionMode::Immediate);
        let options =
            TransactionOptions { sqlite_transaction_mode: immediate, ..Default::default() };
        let transaction = self.writer.begin_with_options(options).await?;
        if self.is_pooled {
            transaction.execute_unprepared(&server::pooled_begin(self.patience.answer())).await?;
        }
        Ok(transaction)
    }

    /// Whether the database answers and takes what is written: one that only repeats what another
    /// writes answers, too.
    async fn can_be_written(&self) -> Result<bool, DbErr> {
        let writable = match self.backend() {
            // Some hosts have every session only read where the disk is nearly full.
            DbBackend::Postgres => {
                "SELECT 1 WHERE NOT pg_is_in_recovery() \
                 AND current_setting('default_transaction_read_only') = 'off'"
            }
            DbBackend::MySql => "SELECT 1 FROM DUAL WHERE @@global.read_only = 0",
            _ => {
                self.readers.execute_unprepared("SELECT 1").await?;
                self.begin_writing().await?.rollback().await?;
                return Ok(true);
            }
        };
        let asked = Statement::from_string(self.backend(), writable);
        let view = self.begin_reading().await?;
        Ok(view.query_one_raw(asked).await?.is_some())
    }

    /// Begins a transaction that reads what was committed when it began.
    pub(crate) async fn begin_reading(&self) -> Result<DatabaseTransaction, DbErr> {
        match self.backend() {
            DbBackend::Sqlite => self.readers.begin().await,
            _ if self.is_pooled => {
                let transaction = self.readers.begin().await?;
                transaction
                    .execute_unprepared(&server::pooled_view(self.patience.answer()))
                    .await?;
                Ok(transaction)
            }
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
        let span = self.span("database.view");
        let store = self.clone();
        let view = Bounded::begin(&self.patience, async move { store.begin_reading().await });
        Ok(Box::new(Transaction(view.await.map_err(store_error)?, span, Queued::default())))
    }

    async fn begin(&self) -> Result<Box<dyn UnitOfWork>, StoreError> {
        let span = self.span("database.unit_of_work");
        let store = self.clone();
        let work = Bounded::begin(&self.patience, async move { store.begin_writing().await });
        Ok(Box::new(Transaction(work.await.map_err(store_error)?, span, Queued::default())))
    }

    async fn purge(&self) -> Result<(), StoreError> {
        if self.backend() != DbBackend::Sqlite {
            // A server clears up by itself, by settings of its own.
            return Ok(());
        }
        // What was overwritten comes from the journal into the file, and the journal is cut to
        // nothing. Where a reader is in its midst for too long, that is no error of SQLite's but a
        // one in its answer.
        let (pool, patience) = (self.writer.clone(), self.patience.answer());
        let busy = bounded(&self.patience, async move { sqlite::truncate(&pool, patience).await });
        match busy.await.map_err(store_error)? {
            false => Ok(()),
            true => Err(StoreError::Unavailable("the journal is in use".into())),
        }
    }

    async fn ping(&self) -> Result<(), StoreError> {
        let store = self.clone();
        let asked = async move { store.can_be_written().await };
        if bounded(&self.patience, asked).await.map_err(store_error)? {
            return Ok(());
        }
        Err(StoreError::Unavailable("the database only reads".into()))
    }
}
