//! Which database the servers of this run keep everything in.

pub(crate) use mapae_store_seaorm::scratch::ScratchDatabase;

/// A kind of database. `MAPAE_E2E_DATABASE` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Database {
    /// A file in the server's folder.
    Sqlite,
    /// A database of the server's own on `MAPAE_TEST_POSTGRES_URL`.
    Postgres,
    /// A database of the server's own on `MAPAE_TEST_MARIADB_URL`.
    Mariadb,
}

impl Database {
    /// The one of this run.
    pub fn of_this_run() -> Self {
        match std::env::var("MAPAE_E2E_DATABASE").as_deref() {
            Err(_) | Ok("sqlite") => Self::Sqlite,
            Ok("postgres") => Self::Postgres,
            Ok("mariadb") => Self::Mariadb,
            Ok(other) => panic!("MAPAE_E2E_DATABASE is {other}: sqlite, postgres or mariadb"),
        }
    }

    /// Whether this run has a file to look into; a test that needs one says that it was skipped.
    pub fn is_a_file() -> bool {
        let is_a_file = Self::of_this_run() == Self::Sqlite;
        if !is_a_file {
            #[expect(clippy::print_stderr, reason = "what a test has not looked at is said")]
            {
                eprintln!("skipped: it looks into the database's file, and here is none");
            }
        }
        is_a_file
    }

    pub(crate) async fn scratch(self) -> Option<ScratchDatabase> {
        let variable = match self {
            Self::Sqlite => return None,
            Self::Postgres => "MAPAE_TEST_POSTGRES_URL",
            Self::Mariadb => "MAPAE_TEST_MARIADB_URL",
        };
        let admin =
            std::env::var(variable).unwrap_or_else(|_| panic!("{variable} names no server"));
        let scratch = ScratchDatabase::create(&admin).await;
        Some(scratch.unwrap_or_else(|error| panic!("{variable}: {error}")))
    }
}
