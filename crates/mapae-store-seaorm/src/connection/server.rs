//! PostgreSQL and MariaDB: one pool, on a server that others use, too.

use std::time::Duration;

use sea_orm::{ConnectOptions, Database, DatabaseConnection};
use sqlx::Executor as _;

use super::{ConnectError, StoreSettings, has_nothing_begun};
use crate::error::store_error;

/// How long a connection is kept that nobody uses, and how old any becomes: proxies and fail-over
/// leave none behind that leads nowhere.
const IDLE: Duration = Duration::from_secs(10 * 60);
const OLDEST: Duration = Duration::from_secs(30 * 60);

/// How many statements a connection remembers.
const STATEMENTS: usize = 256;

/// A little sooner than nobody waits any longer: the server's word for a row that was not to be had is
/// better than none.
fn before(timeout: Duration) -> Duration {
    timeout * 4 / 5
}

/// What begins each connection to MariaDB. Every statement sees what was committed before it, and no gap
/// between rows is locked, as on SQLite and PostgreSQL by themselves. Nobody waits for a row for longer than
/// their caller would, and who was cut off in the midst of a unit of work holds none for long.
fn mariadb_session(timeout: Duration) -> [String; 2] {
    // In whole seconds, of which a second is the least.
    let seconds = before(timeout).as_secs().max(1);
    [
        "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED".to_owned(),
        format!(
            "SET SESSION innodb_lock_wait_timeout = {seconds}, SESSION idle_write_transaction_timeout = 30"
        ),
    ]
}

/// The same of PostgreSQL.
fn postgres_session(timeout: Duration) -> [String; 2] {
    let millis = before(timeout).as_millis();
    [
        format!("SET lock_timeout = '{millis}ms'"),
        "SET idle_in_transaction_session_timeout = '30s'".to_owned(),
    ]
}

fn pool_options(settings: &StoreSettings, url: String) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(settings.connections.max(2))
        .min_connections(1)
        .acquire_timeout(settings.timeout)
        .connect_timeout(settings.timeout)
        .idle_timeout(Some(IDLE))
        .max_lifetime(Some(OLDEST))
        // One that the server has closed is found out before it is used.
        .test_before_acquire(true)
        // Statements are ours and hold no values, but a log is no place for them either.
        .sqlx_logging(false);
    options
}

/// What begins each transaction on a connection that was others' a moment ago: statements that they
/// have named there are forgotten, because ours bear the same names, and what else begins a connection
/// holds for this transaction.
pub(super) fn pooled_begin(timeout: Duration) -> String {
    let local = postgres_session(timeout).map(|setting| setting.replacen("SET", "SET LOCAL", 1));
    format!("DEALLOCATE ALL; {}", local.join("; "))
}

/// The same of one that reads what was committed when it begins: that comes first. Not by the options of
/// a transaction, which are a statement that would be remembered.
pub(super) fn pooled_view(timeout: Duration) -> String {
    let view = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY";
    format!("{view}; {}", pooled_begin(timeout))
}

/// Opens a pool on PostgreSQL, or on what speaks its protocol.
pub(super) async fn open_postgres(
    settings: &StoreSettings,
) -> Result<DatabaseConnection, ConnectError> {
    let mut options = pool_options(settings, settings.url.clone());
    // What a connection remembers is nobody's where another transaction gets another connection.
    let (session, statements) = match settings.transaction_pooling {
        true => (Vec::new(), 0),
        false => (Vec::from(postgres_session(settings.timeout)), STATEMENTS),
    };
    options
        .map_sqlx_postgres_opts(move |options| {
            let options = options.application_name("mapae").statement_cache_capacity(statements);
            sqlx::ConnectOptions::disable_statement_logging(options)
        })
        .map_sqlx_postgres_pool_opts(move |options| {
            let settings = session.clone();
            let options =
                options.after_release(|connection, _| Box::pin(has_nothing_begun(connection)));
            options.after_connect(move |connection, _| {
                let settings = settings.clone();
                Box::pin(async move {
                    for setting in settings {
                        connection.execute(sqlx::AssertSqlSafe(setting)).await?;
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
    let session = mariadb_session(settings.timeout);
    options
        .map_sqlx_mysql_opts(|options| {
            let options = options.charset("utf8mb4").statement_cache_capacity(STATEMENTS);
            sqlx::ConnectOptions::disable_statement_logging(options)
        })
        .map_sqlx_mysql_pool_opts(move |options| {
            let settings = session.clone();
            let options =
                options.after_release(|connection, _| Box::pin(has_nothing_begun(connection)));
            options.after_connect(move |connection, _| {
                let settings = settings.clone();
                Box::pin(async move {
                    for setting in settings {
                        connection.execute(sqlx::AssertSqlSafe(setting)).await?;
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
