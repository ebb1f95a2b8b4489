//! SQLite: one connection writes, others read.

use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sea_orm::{ConnectOptions, Database, DatabaseConnection, DbErr, RuntimeErr};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};

use super::{ConnectError, Released, StoreSettings, Synchronous};
use crate::error::{database_error, store_error};
use crate::transaction::Patience;

/// How often a file is opened that others open as well. The first of them changes its journal, and SQLite
/// refuses those who want to at the same moment at once, however long they would wait.
const TRIES: u32 = 50;

/// Whether somebody else is at the file just now: `SQLITE_BUSY`, with what it says more exactly.
fn is_busy(error: &DbErr) -> bool {
    const BUSY: u32 = 5;
    let code = database_error(error).and_then(|error| error.code());
    code.is_some_and(|code| code.parse().is_ok_and(|code: u32| code & 0xff == BUSY))
}

/// Opens the file, and makes it where there is none: the connection that writes, and those that read.
pub(super) async fn open(
    settings: &StoreSettings,
    patience: &Patience,
    path: &str,
) -> Result<(DatabaseConnection, DatabaseConnection), ConnectError> {
    if path.is_empty() || path.contains('?') {
        return Err(ConnectError::Url);
    }
    let path = PathBuf::from(path);
    make_file(&path).map_err(|cause| ConnectError::File { path: path.clone(), cause })?;
    let open = async |connections: u32, query_only: bool| {
        let mut tries = TRIES;
        loop {
            let options = connect_options(settings, patience, &path, connections, query_only);
            match Database::connect(options).await {
                Ok(pool) => return Ok(pool),
                Err(error) if tries > 1 && is_busy(&error) => {
                    tries -= 1;
                    tokio::time::sleep(settings.timeout / TRIES).await;
                }
                Err(error) => return Err(ConnectError::Open(store_error(error))),
            }
        }
    };
    let writer = open(1, false).await?;
    let readers = open(settings.readers.max(1), true).await?;
    Ok((writer, readers))
}

fn connect_options(
    settings: &StoreSettings,
    patience: &Patience,
    path: &Path,
    connections: u32,
    query_only: bool,
) -> ConnectOptions {
    let mut options = ConnectOptions::new("sqlite://");
    let (path, busy_timeout) = (path.to_owned(), settings.timeout);
    let patience = patience.clone();
    let synchronous = match settings.synchronous {
        Synchronous::Full => SqliteSynchronous::Full,
        Synchronous::Normal => SqliteSynchronous::Normal,
    };
    options
        .max_connections(connections)
        .min_connections(1)
        .acquire_timeout(settings.timeout)
        .connect_timeout(settings.timeout)
        // A connection to a file does not age.
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        // Statements are ours and hold no values, but a log is no place for them either.
        .sqlx_logging(false)
        .map_sqlx_sqlite_pool_opts(move |options| {
            let patience = patience.clone();
            options.after_release(move |connection, _| {
                let patience = patience.clone();
                Box::pin(
                    async move { Ok(Released::of(connection, &patience).await == Released::Clean) },
                )
            })
        })
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

/// How long others who read are waited for, while nobody can write.
const FOR_READERS: Duration = Duration::from_millis(250);

/// Brings the journal into the file and cuts it to nothing, and says whether somebody who reads is in the
/// way of that. `timeout` is how long the connection waits otherwise.
pub(super) async fn truncate(
    writer: &DatabaseConnection,
    timeout: Duration,
) -> Result<bool, DbErr> {
    let failed = |error: sqlx::Error| DbErr::Exec(RuntimeErr::SqlxError(Arc::new(error)));
    let mut connection = writer.get_sqlite_connection_pool().acquire().await.map_err(failed)?;
    let wait = |time: Duration| {
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!("PRAGMA busy_timeout = {}", time.as_millis())))
    };
    wait(FOR_READERS.min(timeout)).execute(&mut *connection).await.map_err(failed)?;
    let cut: Result<i32, _> =
        sqlx::query_scalar("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut *connection).await;
    wait(timeout).execute(&mut *connection).await.map_err(failed)?;
    Ok(cut.map_err(failed)? != 0)
}
