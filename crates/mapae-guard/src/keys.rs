//! Mapae's public keys: fetched when they are first needed, kept while they are fresh, asked for
//! again when a token names one that is not known.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use mapae_token_claims::KeySet;

use crate::fetch::{FetchedKeys, Fetcher};
use crate::{Clock, GuardError};

/// For how long keys are kept where Mapae does not say.
const DEFAULT_AGE: Duration = Duration::from_secs(300);
/// For how long at the least, and at the most, whatever it says.
const AGES: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(3_600));
/// How long after the last try a failed one is made again.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// How often an unknown name of a key is a reason to ask: whoever makes names up must not make this
/// service ask for each.
const UNKNOWN_EVERY: Duration = Duration::from_secs(60);

/// The keys at a time.
pub(crate) struct Snapshot {
    pub(crate) keys: KeySet,
    /// Goes up whenever the keys change; 0 where none were fetched yet.
    pub(crate) epoch: u64,
    etag: Option<String>,
    fetched_at: Duration,
    max_age: Duration,
}

#[derive(Default)]
struct Attempts {
    /// When keys were last asked for in vain.
    failed_at: Option<Duration>,
    /// When they were last asked for because of a name that was not known.
    unknown_at: Option<Duration>,
}

pub(crate) struct Keys {
    url: String,
    fetcher: Fetcher,
    clock: Arc<dyn Clock>,
    /// How long keys are used after they should have been fetched again, while Mapae does not answer.
    max_stale: Duration,
    current: RwLock<Arc<Snapshot>>,
    /// Held by whoever fetches: everyone else waits for that one's answer.
    fetching: tokio::sync::Mutex<Attempts>,
    /// Somebody fetches while the keys that are known are still used.
    refreshing: AtomicBool,
    /// When a fetch behind everybody's back last failed.
    refresh_failed_at: Mutex<Option<Duration>>,
}

impl Keys {
    pub(crate) fn new(
        url: String,
        fetcher: Fetcher,
        clock: Arc<dyn Clock>,
        max_stale: Duration,
    ) -> Self {
        let none = Snapshot {
            keys: KeySet::default(),
            epoch: 0,
            etag: None,
            fetched_at: Duration::ZERO,
            max_age: Duration::ZERO,
        };
        Self {
            url,
            fetcher,
            clock,
            max_stale,
            current: RwLock::new(Arc::new(none)),
            fetching: tokio::sync::Mutex::default(),
            refreshing: AtomicBool::new(false),
            refresh_failed_at: Mutex::default(),
        }
    }

    fn current(&self) -> Arc<Snapshot> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The keys, fetched first where none are known or where they are too old to be used at all.
    /// Where they are merely due, they are fetched behind the caller's back.
    pub(crate) async fn usable(self: &Arc<Self>) -> Result<Arc<Snapshot>, GuardError> {
        let known = self.current();
        let age = self.clock.elapsed().saturating_sub(known.fetched_at);
        if known.epoch > 0 && age < known.max_age {
            return Ok(known);
        }
        if known.epoch == 0 || age >= known.max_age.saturating_add(self.max_stale) {
            return self.fetch_unless_newer(&known).await;
        }
        self.refresh(&known);
        Ok(known)
    }

    /// The keys once more, because `known` lack one; `None` where it is too soon to ask again.
    pub(crate) async fn after_unknown(&self, known: &Snapshot) -> Option<Arc<Snapshot>> {
        let mut attempts = self.fetching.lock().await;
        let current = self.current();
        if is_newer(&current, known) {
            return Some(current);
        }
        let now = self.clock.elapsed();
        let too_soon = |at: Duration| now.saturating_sub(at) < UNKNOWN_EVERY;
        if attempts.unknown_at.is_some_and(too_soon) {
            return None;
        }
        attempts.unknown_at = Some(now);
        self.fetch(&current, &mut attempts).await.ok()
    }

    fn refresh(self: &Arc<Self>, known: &Arc<Snapshot>) {
        let now = self.clock.elapsed();
        let failed_at = *self.refresh_failed_at.lock().unwrap_or_else(PoisonError::into_inner);
        if failed_at.is_some_and(|at| now.saturating_sub(at) < RETRY_AFTER)
            || self.refreshing.swap(true, Ordering::AcqRel)
        {
            return;
        }
        let (keys, known) = (Arc::clone(self), Arc::clone(known));
        tokio::spawn(async move {
            let failed = keys.fetch_unless_newer(&known).await.is_err();
            let failed_at = failed.then(|| keys.clock.elapsed());
            *keys.refresh_failed_at.lock().unwrap_or_else(PoisonError::into_inner) = failed_at;
            keys.refreshing.store(false, Ordering::Release);
        });
    }

    async fn fetch_unless_newer(&self, known: &Snapshot) -> Result<Arc<Snapshot>, GuardError> {
        let mut attempts = self.fetching.lock().await;
        let current = self.current();
        if is_newer(&current, known) {
            return Ok(current);
        }
        let now = self.clock.elapsed();
        if attempts.failed_at.is_some_and(|at| now.saturating_sub(at) < RETRY_AFTER) {
            return Err(GuardError::Unavailable);
        }
        self.fetch(&current, &mut attempts).await
    }

    async fn fetch(
        &self,
        known: &Snapshot,
        attempts: &mut Attempts,
    ) -> Result<Arc<Snapshot>, GuardError> {
        let answered = self.fetcher.keys(&self.url, known.etag.clone()).await;
        let fetched_at = self.clock.elapsed();
        let age = |age: Option<Duration>| age.unwrap_or(DEFAULT_AGE).clamp(AGES.0, AGES.1);
        let next = match answered {
            Ok(FetchedKeys::Unchanged { max_age }) if known.epoch > 0 => Some(Snapshot {
                keys: known.keys.clone(),
                epoch: known.epoch,
                etag: known.etag.clone(),
                fetched_at,
                max_age: age(max_age),
            }),
            Ok(FetchedKeys::Changed { json, etag, max_age }) => {
                // A set without a key that is understood is a fault, and no reason to forget.
                let keys = KeySet::from_json(&json).ok().filter(|keys| !keys.keys().is_empty());
                keys.map(|keys| {
                    let epoch = known.epoch + u64::from(known.epoch == 0 || keys != known.keys);
                    Snapshot { keys, epoch, etag, fetched_at, max_age: age(max_age) }
                })
            }
            Ok(FetchedKeys::Unchanged { .. }) | Err(_) => None,
        };
        let Some(next) = next else {
            attempts.failed_at = Some(fetched_at);
            return Err(GuardError::Unavailable);
        };
        attempts.failed_at = None;
        let next = Arc::new(next);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&next);
        Ok(next)
    }
}

fn is_newer(current: &Snapshot, known: &Snapshot) -> bool {
    (current.epoch, current.fetched_at) > (known.epoch, known.fetched_at)
}
