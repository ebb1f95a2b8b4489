//! A database of a test's own on a server that others use, too. For tests.

use std::sync::atomic::{AtomicU32, Ordering};

use sea_orm::{ConnectionTrait as _, Database, DbErr};

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

fn drop_database(admin: &str, name: &str) -> String {
    // PostgreSQL drops none that somebody is connected to, unless it is told to.
    let force = if admin.starts_with("postgres") { " WITH (FORCE)" } else { "" };
    format!("DROP DATABASE IF EXISTS {name}{force}")
}

async fn execute(admin: &str, sql: &str) -> Result<(), DbErr> {
    let mut options = sea_orm::ConnectOptions::new(admin);
    options.max_connections(1).sqlx_logging(false);
    let connection = Database::connect(options).await?;
    let done = connection.execute_unprepared(sql).await.map(drop);
    connection.close().await?;
    done
}
