//! For tests and measurements: a database of their own on a server that others use, too; what a store
//! does, and by which indexes; many users at once.

mod fill;
mod plan;

use std::sync::atomic::{AtomicU32, Ordering};

use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection, DbErr, Statement};

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
        let name = format!("mapae_test_{}_{number}", std::process::id());
        // One of a process of that id that was killed.
        execute(admin, &drop_database(admin, &name)).await?;
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
        let (admin, sql) = (self.admin.clone(), drop_database(&self.admin, &self.name));
        // On a thread of its own: whoever drops it may be in a runtime, or not.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            match runtime {
                Ok(runtime) => runtime.block_on(execute(&admin, &sql)).is_ok(),
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

fn drop_database(admin: &str, name: &str) -> String {
    // PostgreSQL drops none that somebody is connected to, unless it is told to.
    let force = if admin.starts_with("postgres") { " WITH (FORCE)" } else { "" };
    format!("DROP DATABASE IF EXISTS {name}{force}")
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
