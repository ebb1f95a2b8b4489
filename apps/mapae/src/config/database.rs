//! Which database, and how long it is waited for.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::value::without_password;
use super::{ConfigError, Length};

/// `[database]`.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct DatabaseConfig {
    /// `sqlite://path`, `postgres://user:password@host/name` or `mysql://user:password@host/name`.
    #[serde(serialize_with = "without_password")]
    pub(crate) url: String,
    /// What a commit waits for, on SQLite.
    pub(crate) synchronous: Synchronous,
    /// Whether a process that starts brings the schema to its release, or refuses another one.
    pub(crate) migrate: bool,
    /// How many connections read at once, on SQLite.
    pub(crate) readers: u32,
    /// How many connections a process has to a server.
    pub(crate) connections: u32,
    /// Whether a pooler stands before PostgreSQL that hands out connections by the transaction.
    pub(crate) transaction_pooling: bool,
    /// How long the database is waited for: for a turn, and for an answer. Then the answer is 503.
    pub(crate) timeout: Length,
}

impl DatabaseConfig {
    /// Sees that the settings can be used.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        // MariaDB counts how long a row is waited for in whole seconds, and says so before its caller has
        // given up.
        let (least, most) = (Duration::from_millis(1_250), Duration::from_secs(60));
        if !(least..=most).contains(&self.timeout.0) {
            let text = "database.timeout must be between 1250ms and 1m";
            return Err(ConfigError::Invalid(text.to_owned()));
        }
        Ok(())
    }
}

/// What a commit waits for, on SQLite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Synchronous {
    /// The disk: what was acknowledged outlives the loss of power.
    Full,
    /// The operating system: the last moments may be lost with the power, and the file stays good.
    Normal,
}

impl Default for DatabaseConfig {
    fn default() -> Self {
        Self {
            url: "sqlite://data/mapae.db".to_owned(),
            synchronous: Synchronous::Full,
            migrate: true,
            readers: 4,
            connections: 10,
            transaction_pooling: false,
            timeout: Length(Duration::from_millis(2_500)),
        }
    }
}
