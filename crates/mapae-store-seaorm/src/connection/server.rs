//! PostgreSQL and MariaDB: one pool, on a server that others use, too.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use sea_orm::{ConnectOptions, Database, DatabaseConnection, DbErr, RuntimeErr};
use sqlx::pool::PoolOptions;
use sqlx::{Executor as _, MySqlConnection, PgConnection};
use tokio::time::{sleep, timeout};

use super::{ConnectError, Released, StoreSettings};
use crate::error::store_error;
use crate::transaction::Patience;

/// How long a connection is kept that nobody uses, and how old any becomes: proxies and fail-over
/// leave none behind that leads nowhere.
const IDLE: Duration = Duration::from_secs(10 * 60);
const OLDEST: Duration = Duration::from_secs(30 * 60);

/// What PostgreSQL knows our connections by.
const APPLICATION: &str = "mapae";
/// How many statements a connection remembers.
const STATEMENTS: usize = 256;

/// A little sooner than nobody waits any longer: the server's word for a row that was not to be had is
/// better than none.
fn before(timeout: Duration) -> Duration {
    timeout * 4 / 5
}

/// How long the server goes on with a statement that nobody waits for any more, as a multiple of the time for an
/// answer: less than until the connection counts as lost, so that only a host which is gone loses one.
const ABANDONED_AFTER: u32 = 4;

/// What begins each connection to MariaDB. Every statement sees what was committed before it, and no gap
/// between rows is locked, as on SQLite and PostgreSQL by themselves; what does not fit is refused, and not
/// cut to what does.
fn mariadb_session(timeout: Duration) -> [String; 3] {
    [
        "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED".to_owned(),
        "SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_TRANS_TABLES')".to_owned(),
        mariadb_limits(timeout),
    ]
}

/// Nobody waits for a row or a table for longer than their caller would, who was cut off in the midst of a
/// unit of work holds none for long, and no statement goes on for nobody.
pub(super) fn mariadb_limits(timeout: Duration) -> String {
    // In whole seconds, of which a second is the least.
    let seconds = before(timeout).as_secs().max(1);
    let longest = (timeout * ABANDONED_AFTER).as_secs_f64();
    format!(
        "SET SESSION innodb_lock_wait_timeout = {seconds}, SESSION lock_wait_timeout = {seconds}, \
         SESSION max_statement_time = {longest}, SESSION idle_write_transaction_timeout = 30"
    )
}

/// The same of PostgreSQL, for a session or only for a transaction. And a commit that is answered is on
/// the disk, though the server's default may be to forget; one that waits for others' disks, or not, still does.
fn postgres_session(timeout: Duration, is_local: bool) -> [String; 4] {
    let millis = before(timeout).as_millis();
    let longest = (timeout * ABANDONED_AFTER).as_millis();
    let set = if is_local { "SET LOCAL" } else { "SET" };
    [
        format!("{set} lock_timeout = '{millis}ms'"),
        format!("{set} statement_timeout = '{longest}ms'"),
        format!("{set} idle_in_transaction_session_timeout = '30s'"),
        format!(
            "SELECT set_config('synchronous_commit', 'on', {is_local}) \
             WHERE current_setting('synchronous_commit') = 'off'"
        ),
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
    format!("DEALLOCATE ALL; {}", postgres_session(timeout, true).join("; "))
}

/// The same of one that reads what was committed when it begins: that comes first. Not by the options of
/// a transaction, which are a statement that would be remembered.
pub(super) fn pooled_view(timeout: Duration) -> String {
    let view = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY";
    format!("{view}; {}", pooled_begin(timeout))
}

/// Ends what Mapae's connections to PostgreSQL have left there that wait for a standby for longer than
/// anybody waits for them. A commit that waits for one looks at nothing else, neither at the time nor at
/// whether anybody is connected: each that was given up would keep its place among the server's connections,
/// beside the one that replaced it, until there is a standby again. It is on this server's disk, and its
/// caller was told that nobody knows.
fn ends_lost(patience: &Patience) -> String {
    let seconds = patience.lost_after().as_secs_f64();
    format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
         WHERE application_name = '{APPLICATION}' AND usename = current_user \
         AND datname = current_database() AND pid <> pg_backend_pid() AND wait_event = 'SyncRep' \
         AND state_change < now() - make_interval(secs => {seconds})"
    )
}

/// How each connection to a server begins, and how one that is lost is replaced.
struct Session<C: sqlx::Connection> {
    /// Where to, as soon as the driver has read it.
    options: OnceLock<C::Options>,
    settings: Vec<String>,
    /// What has the server let go of whatever was left behind by connections that were given up.
    ends_lost: Option<String>,
    patience: Patience,
}

impl<C> Session<C>
where
    C: sqlx::Connection,
    for<'c> &'c mut C: sqlx::Executor<'c>,
{
    fn new(settings: Vec<String>, ends_lost: Option<String>, patience: &Patience) -> Arc<Self> {
        Arc::new(Self { options: OnceLock::new(), settings, ends_lost, patience: patience.clone() })
    }

    /// Keeps where connections lead.
    fn leads_to(&self, options: C::Options) -> C::Options {
        self.options.get_or_init(|| options).clone()
    }

    async fn begin(&self, connection: &mut C) -> Result<(), sqlx::Error> {
        for setting in self.settings.clone() {
            connection.execute(sqlx::AssertSqlSafe(setting)).await?;
        }
        Ok(())
    }

    /// Whether a connection that nobody uses any more may serve the next: one that is lost is replaced,
    /// as soon as there is a server again. It is not closed, because to close one asks for its answer
    /// where it is encrypted, and waits for that as long as the network does; but where the server is
    /// there and has no room for another beside it.
    async fn may_serve(&self, connection: &mut C) -> bool {
        match Released::of(connection, &self.patience).await {
            Released::Clean => true,
            Released::Begun => false,
            Released::Lost => match self.another().await {
                Some(another) => {
                    *connection = another;
                    true
                }
                None => false,
            },
        }
    }

    /// Why there is no connection, where one more try finds that out.
    async fn why_none(&self) -> Option<sqlx::Error> {
        let attempt = C::connect_with(self.options.get()?);
        timeout(self.patience.answer(), attempt).await.ok()?.err()
    }

    async fn another(&self) -> Option<C> {
        while !self.patience.is_over() {
            let attempt = async {
                let options = self.options.get().ok_or(sqlx::Error::PoolClosed)?;
                let mut connection = C::connect_with(options).await?;
                self.begin(&mut connection).await?;
                if let Some(ends_lost) = self.ends_lost.clone() {
                    connection.execute(sqlx::AssertSqlSafe(ends_lost)).await?;
                }
                Ok::<_, sqlx::Error>(connection)
            };
            match timeout(self.patience.answer(), attempt).await {
                Ok(Ok(connection)) => return Some(connection),
                Ok(Err(sqlx::Error::Database(_))) => return None,
                Ok(Err(_)) | Err(_) => sleep(self.patience.answer() / 4).await,
            }
        }
        None
    }
}

/// Opens a pool on PostgreSQL, or on what speaks its protocol.
pub(super) async fn open_postgres(
    settings: &StoreSettings,
    patience: &Patience,
) -> Result<DatabaseConnection, ConnectError> {
    let mut options = pool_options(settings, settings.url.clone());
    // What a connection remembers is nobody's where another transaction gets another connection.
    let (session, statements) = match settings.transaction_pooling {
        true => (Vec::new(), 0),
        false => (Vec::from(postgres_session(settings.timeout, false)), STATEMENTS),
    };
    let session = Session::<PgConnection>::new(session, Some(ends_lost(patience)), patience);
    let (way, begins) = (Arc::clone(&session), Arc::clone(&session));
    options
        .map_sqlx_postgres_opts(move |options| {
            let options =
                options.application_name(APPLICATION).statement_cache_capacity(statements);
            way.leads_to(sqlx::ConnectOptions::disable_statement_logging(options))
        })
        .map_sqlx_postgres_pool_opts(move |options| with_session(options, &begins));
    connect(options, &session).await
}

/// Opens a pool on MariaDB.
pub(super) async fn open_mariadb(
    settings: &StoreSettings,
    patience: &Patience,
    rest: &str,
) -> Result<DatabaseConnection, ConnectError> {
    let mut options = pool_options(settings, format!("mysql://{rest}"));
    let session = Vec::from(mariadb_session(settings.timeout));
    let session = Session::<MySqlConnection>::new(session, None, patience);
    let (way, begins) = (Arc::clone(&session), Arc::clone(&session));
    options
        .map_sqlx_mysql_opts(move |options| {
            let options = options.charset("utf8mb4").statement_cache_capacity(STATEMENTS);
            way.leads_to(sqlx::ConnectOptions::disable_statement_logging(options))
        })
        .map_sqlx_mysql_pool_opts(move |options| with_session(options, &begins));
    connect(options, &session).await
}

fn with_session<D: sqlx::Database>(
    options: PoolOptions<D>,
    session: &Arc<Session<D::Connection>>,
) -> PoolOptions<D>
where
    for<'c> &'c mut D::Connection: sqlx::Executor<'c>,
{
    let (begins, ends) = (Arc::clone(session), Arc::clone(session));
    options
        .after_connect(move |connection, _| {
            let session = Arc::clone(&begins);
            Box::pin(async move { session.begin(connection).await })
        })
        .after_release(move |connection, _| {
            let session = Arc::clone(&ends);
            Box::pin(async move { Ok(session.may_serve(connection).await) })
        })
}

async fn connect<C>(
    options: ConnectOptions,
    session: &Session<C>,
) -> Result<DatabaseConnection, ConnectError>
where
    C: sqlx::Connection,
    for<'c> &'c mut C: sqlx::Executor<'c>,
{
    let mut error = match Database::connect(options).await {
        Ok(pool) => return Ok(pool),
        Err(error) => error,
    };
    // A pool tries again where it is refused, and knows only that it took too long.
    if matches!(cause_of(&error), Some(sqlx::Error::PoolTimedOut))
        && let Some(cause) = session.why_none().await
    {
        error = DbErr::Conn(RuntimeErr::SqlxError(Arc::new(cause)));
    }
    Err(match cause_of(&error) {
        // The URL may bear a password and is not shown.
        Some(sqlx::Error::Configuration(_)) => ConnectError::Url,
        _ => ConnectError::Open(store_error(error)),
    })
}

fn cause_of(error: &DbErr) -> Option<&sqlx::Error> {
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(cause)) => Some(cause),
        _ => None,
    }
}
