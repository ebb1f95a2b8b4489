//! SQLite: one connection writes, others read.

use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};

use sea_orm::{ConnectOptions, Database, DatabaseConnection};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};

use super::{ConnectError, Released, StoreSettings, Synchronous};
use crate::error::store_error;
use crate::transaction::Patience;

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
        let options = connect_options(settings, patience, &path, connections, query_only);
        Database::connect(options).await.map_err(|error| ConnectError::Open(store_error(error)))
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
