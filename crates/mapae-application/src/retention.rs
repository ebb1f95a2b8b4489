//! What is kept no longer than it is needed.
//!
//! Rows that nobody needs are removed in small batches, each a unit of work of its own, with a pause
//! between them: nobody waits for it.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use mapae_domain::Timestamp;

use crate::ports::{Clock, Store, StoreError};

/// How long what is kept, and how it is removed.
#[derive(Debug, Clone)]
pub struct RetentionSettings {
    /// How long a session is kept after its time was up.
    pub sessions: Duration,
    /// How long a contact that was taken from an account is kept after its time to come back.
    pub contact_undos: Duration,
    /// How many rows are removed at once.
    pub batch: u32,
    /// How long is waited between two batches.
    pub pause: Duration,
    /// How long is waited once nothing is left to remove.
    pub every: Duration,
}

impl Default for RetentionSettings {
    fn default() -> Self {
        Self {
            // Longer than any access token of the session is good.
            sessions: Duration::from_secs(24 * 60 * 60),
            // So that whoever comes late is told that they are late.
            contact_undos: Duration::from_secs(24 * 60 * 60),
            batch: 500,
            pause: Duration::from_millis(200),
            every: Duration::from_secs(10 * 60),
        }
    }
}

/// Removes what is not needed any more.
pub struct Retention {
    /// Where everything is kept.
    pub store: Arc<dyn Store>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// How long what is kept.
    pub settings: RetentionSettings,
}

impl Retention {
    /// Removes one batch, and says how many rows that were.
    ///
    /// # Errors
    /// What the store says.
    pub async fn run_once(&self) -> Result<u64, StoreError> {
        let erased = self.erase_one().await?;
        let (settings, mut removed) = (&self.settings, 0);
        let mut work = self.store.begin().await?;
        let sessions = self.before(settings.sessions);
        removed += work.delete_expired_sessions(sessions, settings.batch).await?;
        let undos = self.before(settings.contact_undos);
        removed += work.delete_expired_contact_undos(undos, settings.batch).await?;
        if removed > 0 {
            work.commit().await?;
            tracing::debug!(removed, "expired sessions and taken contacts removed");
        } else {
            drop(work);
            // What was erased, here or where somebody left, is in no file any more.
            self.store.purge().await?;
        }
        Ok(removed + erased)
    }

    /// Erases the user who has left the longest and whose time has come, if there is one.
    async fn erase_one(&self) -> Result<u64, StoreError> {
        let now = self.clock.now();
        let due = self.store.read().await?.users_to_erase(now, 1).await?;
        let Some(id) = due.first() else { return Ok(0) };
        let mut work = self.store.begin().await?;
        // An operator may have let the user in again meanwhile.
        if work.users_to_erase(now, 1).await?.first() != Some(id) {
            return Ok(0);
        }
        work.erase_user(*id).await?;
        work.commit().await?;
        self.store.purge().await?;
        tracing::info!(user = %id, "erased");
        Ok(1)
    }

    /// Removes until `stop` is ready.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        loop {
            let wait = match self.run_once().await {
                Ok(0) => self.settings.every,
                Ok(_) => self.settings.pause,
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "not removed yet");
                    self.settings.every
                }
            };
            tokio::select! {
                () = &mut stop => return,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    fn before(&self, kept: Duration) -> Timestamp {
        let kept = i64::try_from(kept.as_micros()).unwrap_or(i64::MAX);
        Timestamp::from_micros(self.clock.now().as_micros().saturating_sub(kept))
    }
}
