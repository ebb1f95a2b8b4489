//! Hashing of passwords.

use std::time::Duration;

use async_trait::async_trait;
use mapae_domain::{Password, PasswordHash};

/// What came of checking a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordCheck {
    /// It is the one that was hashed.
    Match {
        /// The hash was made with other parameters than are used today: hash it anew.
        outdated: bool,
    },
    /// It is not, or there was no hash to check against.
    Mismatch,
}

/// Why no hash was computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordHashError {
    /// More hashes wait already than will be computed in a reasonable time.
    #[error("too many passwords wait to be hashed")]
    Overloaded {
        /// When it is worth asking again.
        retry_after: Duration,
    },
    /// The hasher itself failed.
    #[error("the password hasher failed")]
    Failed,
}

/// Makes and checks hashes of passwords.
#[async_trait]
pub trait PasswordHasher: Send + Sync {
    /// Hashes a password under a new salt.
    ///
    /// An adapter MUST compute off the threads that run async tasks, bound how many hashes are
    /// computed at once and how many wait, and wipe its copies of the password.
    ///
    /// # Errors
    /// [`PasswordHashError::Overloaded`] at once where the queue is full.
    async fn hash(&self, password: Password) -> Result<PasswordHash, PasswordHashError>;

    /// Checks a password against a hash.
    ///
    /// Without a hash, and with one that it cannot read, an adapter MUST do the same work as with
    /// a good one and answer [`PasswordCheck::Mismatch`], so that the time tells nobody whether an
    /// account exists (ASVS 5.0 6.3.8). It is bounded as [`PasswordHasher::hash`] is, by the same
    /// queue.
    ///
    /// # Errors
    /// [`PasswordHashError::Overloaded`] at once where the queue is full.
    async fn check(
        &self,
        password: Password,
        hash: Option<PasswordHash>,
    ) -> Result<PasswordCheck, PasswordHashError>;
}
