//! For tests and measurements: a database of their own on a server that others use, too; what a store
//! does, and by which indexes; many users at once.

mod fill;
mod plan;

use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::atomic::{AtomicU32, Ordering};

use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection, DbErr, Statement};

use crate::SeaOrmStore;

pub use fill::{SEED, fill, session_id};
pub use plan::{Asked, Overheard, Plan};

/// A database that goes when this is dropped.
#[derive(Debug)]
pub struct ScratchDatabase {
    admin: String,
    name: String,
}

impl ScratchDatabase {
    /// Makes an empty database on the server that `admin` leads to: a URL of a user who may do that,
    /// with the name of a database to connect to.
    ///
    /// # Errors
    /// What the server says.
    pub async fn create(admin: &str) -> Result<Self, DbErr> {
        static NUMBERS: AtomicU32 = AtomicU32::new(0);
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
        // Others on the same server may have the same number as a process.
        let chance = std::hash::RandomState::new().build_hasher().finish();
        let name = format!("mapae_test_{chance:016x}_{number}");
        execute(admin, &format!("CREATE DATABASE {name}")).await?;
        Ok(Self { admin: admin.to_owned(), name })
    }

    /// The URL of the database.
    pub fn url(&self) -> String {
        let (server, parameters) = match self.admin.split_once('?') {
            Some((server, parameters)) => (server, format!("?{parameters}")),
            None => (self.admin.as_str(), String::new()),
        };
        let server = server.rsplit_once('/').map_or(server, |(server, _)| server);
        format!("{server}/{}{parameters}", self.name)
    }
}

impl Drop for ScratchDatabase {
    fn drop(&mut self) {
        let (admin, name) = (self.admin.clone(), self.name.clone());
        // On a thread of its own: whoever drops it may be in a runtime, or not.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            match runtime {
                Ok(runtime) => runtime.block_on(drop_database(&admin, &name)).is_ok(),
                Err(_) => false,
            }
        });
        if !dropping.join().unwrap_or_default() {
            tracing::warn!(database = self.name, "a database of a test is left over");
        }
    }
}

/// Copies the database of a file to another, as `VACUUM INTO` of SQLite does while others use it.
///
/// # Errors
/// What the database says.
pub async fn vacuum_into(url: &str, copy: &std::path::Path) -> Result<(), DbErr> {
    execute(url, &format!("VACUUM INTO '{}'", copy.display())).await
}

/// Drops a database, and whoever is still connected to it: a test may have ended in the midst of
/// something.
async fn drop_database(admin: &str, name: &str) -> Result<(), DbErr> {
    if admin.starts_with("postgres") {
        return execute(admin, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
    }
    let connection = connect(admin).await?;
    let others = format!("SELECT id FROM information_schema.processlist WHERE db = '{name}'");
    let others = Statement::from_string(connection.get_database_backend(), others);
    for other in connection.query_all_raw(others).await? {
        let id: i64 = other.try_get_by_index(0)?;
        // Gone by itself meanwhile, perhaps.
        connection.execute_unprepared(&format!("KILL {id}")).await.ok();
    }
    let dropped = format!("SET lock_wait_timeout = 20; DROP DATABASE IF EXISTS {name}");
    let dropped = connection.execute_unprepared(&dropped).await.map(drop);
    connection.close().await?;
    dropped
}

/// Every table that use cases write to; before each what refers to it.
const TABLES: [&str; 15] = [
    "user_contacts",
    "usernames",
    "consents",
    "sessions",
    "users",
    "registrations",
    "verifications",
    "contact_sends",
    "contact_undos",
    "outbox",
    "address_marks",
    "inbox",
    "signing_keys",
    "idempotency_keys",
    "audit_entries",
];

/// Empties the database that `url` leads to. Its schema stays.
///
/// # Errors
/// What the database says.
pub async fn empty(url: &str) -> Result<(), DbErr> {
    let connection = connect(url).await?;
    for table in TABLES {
        connection.execute_unprepared(&format!("DELETE FROM {table}")).await?;
    }
    connection.close().await
}

/// One connection, so that what is set for a session holds for all that follows.
async fn connect(url: &str) -> Result<DatabaseConnection, DbErr> {
    let mut options = sea_orm::ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    Database::connect(options).await
}

/// Runs statements over a connection of their own.
///
/// # Errors
/// What the database says.
pub async fn execute(url: &str, sql: &str) -> Result<(), DbErr> {
    let connection = connect(url).await?;
    let done = connection.execute_unprepared(sql).await.map(drop);
    connection.close().await?;
    done
}

/// The text that a statement gives in a unit of work of a store.
///
/// # Errors
/// What the database says.
pub async fn in_a_unit_of_work(store: &SeaOrmStore, sql: &str) -> Result<String, DbErr> {
    let work = store.begin_writing().await?;
    let asked = Statement::from_string(work.get_database_backend(), sql);
    let row = work.query_one_raw(asked).await?;
    row.ok_or_else(|| DbErr::RecordNotFound("no row".to_owned()))?.try_get_by_index(0)
}

/// The number, or the text of a number, that a statement gives.
///
/// # Errors
/// What the database says.
pub async fn number(url: &str, sql: &str) -> Result<i64, DbErr> {
    let connection = connect(url).await?;
    let asked = Statement::from_string(connection.get_database_backend(), sql);
    let answer = connection.query_one_raw(asked).await;
    connection.close().await?;
    let row = answer?.ok_or_else(|| DbErr::RecordNotFound("no row".to_owned()))?;
    row.try_get_by_index(0)
}
