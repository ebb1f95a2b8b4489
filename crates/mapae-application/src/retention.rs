//! What is kept no longer than it is needed.
//!
//! Rows that nobody needs are removed in small batches, each a unit of work of its own, with a pause
//! between them: nobody waits for it.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use mapae_domain::Timestamp;

use crate::ports::store::Expiring;
use crate::ports::{Clock, Store, StoreError};

/// How long what is kept, once it is over, and how it is removed.
#[derive(Debug, Clone)]
pub struct RetentionSettings {
    /// Sign-ups.
    pub registrations: Duration,
    /// Verifications; longer than a receipt of one is good.
    pub verifications: Duration,
    /// Sessions; longer than any access token of one is good.
    pub sessions: Duration,
    /// Contacts that were taken from an account, so that whoever comes late is told that they are.
    pub contact_undos: Duration,
    /// Messages that were sent or given up; longer than providers report of them.
    pub messages: Duration,
    /// What happened to accounts.
    pub audit_entries: Duration,
    /// How many rows are removed at once.
    pub batch: u32,
    /// How long is waited between two batches.
    pub pause: Duration,
    /// How long is waited once nothing is left to remove.
    pub every: Duration,
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Default for RetentionSettings {
    fn default() -> Self {
        Self {
            registrations: DAY,
            verifications: DAY,
            sessions: DAY,
            contact_undos: DAY,
            messages: DAY * 30,
            // What the law of Korea asks for of larger services' access logs (개인정보의 안전성 확보조치
            // 기준 §8).
            audit_entries: DAY * 730,
            batch: 500,
            pause: Duration::from_millis(200),
            every: Duration::from_secs(10 * 60),
        }
    }
}

impl RetentionSettings {
    /// How long something is kept once it is over.
    fn age(&self, what: Expiring) -> Duration {
        match what {
            Expiring::Registrations => self.registrations,
            Expiring::Verifications => self.verifications,
            Expiring::Sessions => self.sessions,
            Expiring::ContactUndos => self.contact_undos,
            Expiring::Messages => self.messages,
            Expiring::AuditEntries => self.audit_entries,
            // Nobody looks at these any more.
            Expiring::ContactSends | Expiring::Usernames | Expiring::IdempotencyKeys => {
                Duration::ZERO
            }
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
    /// Removes one batch of everything, each in a unit of work of its own, and says how many rows
    /// that were.
    ///
    /// # Errors
    /// What the store says.
    pub async fn run_once(&self) -> Result<u64, StoreError> {
        let erased = self.erase_one().await?;
        let mut removed = 0;
        for what in Expiring::ALL {
            let mut work = self.store.begin().await?;
            let before = self.before(self.settings.age(what));
            let deleted = work.delete_expired(what, before, self.settings.batch).await?;
            if deleted > 0 {
                work.commit().await?;
                tracing::debug!(?what, deleted, "removed what is over");
                removed += deleted;
            }
        }
        if removed + erased == 0 {
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
        // An operator may have let the user in again meanwhile; from here on nobody can.
        let erase_at = work.lock_user(*id).await?.and_then(|user| user.record().erase_at);
        if !erase_at.is_some_and(|at| at.is_expired(now)) {
            return Ok(0);
        }
        work.erase_user(*id).await?;
        work.commit().await?;
        tracing::info!(user = %id, "erased");
        if let Err(error) = self.store.purge().await {
            // It is tried again once nothing is left to remove, and keeps nothing else from it.
            tracing::warn!(error = &error as &dyn std::error::Error, "not purged yet");
        }
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
