//! PostgreSQL and MariaDB: one pool, on a server that others use, too.

use std::time::Duration;

use sea_orm::{ConnectOptions, Database, DatabaseConnection};
use sqlx::Executor as _;

use super::{ConnectError, StoreSettings};
use crate::error::store_error;

/// How long a connection is kept that nobody uses, and how old any becomes: proxies and fail-over
/// leave none behind that leads nowhere.
const IDLE: Duration = Duration::from_secs(10 * 60);
const OLDEST: Duration = Duration::from_secs(30 * 60);

/// How many statements a connection remembers.
const STATEMENTS: usize = 256;

/// What begins each connection to MariaDB. Every statement sees what was committed before it, and no gap
/// between rows is locked, as on SQLite and PostgreSQL by themselves. Nobody waits for a row for longer than
/// their caller would, and who was cut off in the midst of a unit of work holds none for long.
const MARIADB_SESSION: [&str; 2] = [
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    "SET SESSION innodb_lock_wait_timeout = 5, SESSION idle_write_transaction_timeout = 30",
];

/// The same of PostgreSQL.
const POSTGRES_SESSION: [&str; 2] =
    ["SET lock_timeout = '5s'", "SET idle_in_transaction_session_timeout = '30s'"];

fn pool_options(settings: &StoreSettings, url: String) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(settings.connections.max(2))
        .min_connections(1)
        .acquire_timeout(settings.acquire_timeout)
        .connect_timeout(settings.acquire_timeout)
        .idle_timeout(Some(IDLE))
        .max_lifetime(Some(OLDEST))
        // One that the server has closed is found out before it is used.
        .test_before_acquire(true)
        // Statements are ours and hold no values, but a log is no place for them either.
        .sqlx_logging(false);
    options
}

/// Opens a pool on PostgreSQL, or on what speaks its protocol.
pub(super) async fn open_postgres(
    settings: &StoreSettings,
) -> Result<DatabaseConnection, ConnectError> {
    let mut options = pool_options(settings, settings.url.clone());
    options
        .map_sqlx_postgres_opts(|options| {
            let options = options.application_name("mapae").statement_cache_capacity(STATEMENTS);
            sqlx::ConnectOptions::disable_statement_logging(options)
        })
        .map_sqlx_postgres_pool_opts(|options| {
            options.after_connect(|connection, _| {
                Box::pin(async move {
                    for setting in POSTGRES_SESSION {
                        connection.execute(setting).await?;
                    }
                    Ok(())
                })
            })
        });
    connect(options).await
}

/// Opens a pool on MariaDB.
pub(super) async fn open_mariadb(
    settings: &StoreSettings,
    rest: &str,
) -> Result<DatabaseConnection, ConnectError> {
    let mut options = pool_options(settings, format!("mysql://{rest}"));
    options
        .map_sqlx_mysql_opts(|options| {
            let options = options.charset("utf8mb4").statement_cache_capacity(STATEMENTS);
            sqlx::ConnectOptions::disable_statement_logging(options)
        })
        .map_sqlx_mysql_pool_opts(|options| {
            options.after_connect(|connection, _| {
                Box::pin(async move {
                    for setting in MARIADB_SESSION {
                        connection.execute(setting).await?;
                    }
                    Ok(())
                })
            })
        });
    connect(options).await
}

async fn connect(options: ConnectOptions) -> Result<DatabaseConnection, ConnectError> {
    Database::connect(options).await.map_err(|error| match error {
        // The URL may bear a password and is not shown.
        sea_orm::DbErr::Conn(sea_orm::RuntimeErr::SqlxError(cause))
            if matches!(*cause, sqlx::Error::Configuration(_)) =>
        {
            ConnectError::Url
        }
        error => ConnectError::Open(store_error(error)),
    })
}
