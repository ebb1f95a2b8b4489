//! The server's secret: configured, or in development made once and kept beside the database.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use mapae_application::ports::SecretRng;
use mapae_system::ServerSecret;
use zeroize::Zeroizing;

use crate::config::Config;

/// Why there is no secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretError {
    /// The configured one is none.
    #[error("configuration: secret {0}")]
    Configured(String),
    /// The kept one is none.
    #[error("the secret in {} {reason}", path.display())]
    Kept {
        /// Where it is kept.
        path: PathBuf,
        /// Why it is none.
        reason: String,
    },
    /// It cannot be kept or read.
    #[error("the secret in {} cannot be kept or read", path.display())]
    File {
        /// Where it is kept.
        path: PathBuf,
        /// Why it cannot.
        #[source]
        cause: io::Error,
    },
}

/// The configured secret; in development, where none is, the kept one, which is made where there is
/// none yet.
pub(crate) fn server_secret(
    config: &Config,
    rng: &dyn SecretRng,
) -> Result<ServerSecret, SecretError> {
    if let Some(secret) = &config.secret {
        return ServerSecret::parse(secret.expose())
            .map_err(|error| SecretError::Configured(error.to_string()));
    }
    let path = kept_at(&config.database.url);
    let file_error = |cause| SecretError::File { path: path.clone(), cause };
    let text = match fs::read_to_string(&path) {
        Ok(text) => Zeroizing::new(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            keep_new(&path, rng).map_err(file_error)?;
            // Another process may have been first: what is kept counts.
            Zeroizing::new(fs::read_to_string(&path).map_err(file_error)?)
        }
        Err(error) => return Err(file_error(error)),
    };
    ServerSecret::parse(text.trim())
        .map_err(|error| SecretError::Kept { path: path.clone(), reason: error.to_string() })
}

/// Beside the database's file.
fn kept_at(database_url: &str) -> PathBuf {
    let file = database_url.strip_prefix("sqlite://").unwrap_or("data/mapae.db");
    Path::new(file.split('?').next().unwrap_or(file)).with_extension("secret")
}

/// Writes a new secret whole before it gets its name, so that nobody ever reads half of it.
fn keep_new(path: &Path, rng: &dyn SecretRng) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut suffix = [0; 8];
    rng.fill(&mut suffix);
    let unfinished = path.with_extension(format!("secret.{:x}", u64::from_be_bytes(suffix)));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&unfinished)?;
    file.write_all(ServerSecret::generate(rng).to_base64().as_bytes())?;
    file.sync_all()?;
    let named = match fs::hard_link(&unfinished, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        named => named,
    };
    fs::remove_file(&unfinished)?;
    named
}
