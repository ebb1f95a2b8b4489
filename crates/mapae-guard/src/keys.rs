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
/// How long after they were due keys are still used while they are fetched; and for how long after
/// Mapae has failed to answer nobody waits for it.
const DUE_FOR: Duration = Duration::from_secs(30);
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
    fetching: Arc<tokio::sync::Mutex<Attempts>>,
    /// Somebody fetches while the keys that are known are still used.
    refreshing: AtomicBool,
    /// When a fetch last failed; the same as in [`Attempts`], to be seen without waiting.
    failed_at: Mutex<Option<Duration>>,
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
            fetching: Arc::default(),
            refreshing: AtomicBool::new(false),
            failed_at: Mutex::default(),
        }
    }

    fn current(&self) -> Arc<Snapshot> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The keys, fetched first where none are known or where they are long overdue. Where they are
    /// merely due, or Mapae has just failed to answer, they are fetched behind the caller's back.
    pub(crate) async fn usable(self: &Arc<Self>) -> Result<Arc<Snapshot>, GuardError> {
        let known = self.current();
        let age = self.clock.elapsed().saturating_sub(known.fetched_at);
        if known.epoch > 0 && age < known.max_age {
            return Ok(known);
        }
        let may_outlive = known.epoch > 0 && age < known.max_age.saturating_add(self.max_stale);
        let merely_due = age < known.max_age.saturating_add(DUE_FOR);
        if may_outlive && (merely_due || self.has_just_failed()) {
            self.refresh(&known);
            return Ok(known);
        }
        match self.fetch_unless_newer(&known).await {
            Err(_) if may_outlive => Ok(known),
            fetched => fetched,
        }
    }

    /// The keys once more, because `known` lack one; nothing where it is too soon to ask again.
    pub(crate) async fn after_unknown(
        self: &Arc<Self>,
        known: &Arc<Snapshot>,
    ) -> Result<Option<Arc<Snapshot>>, GuardError> {
        let (keys, known) = (Arc::clone(self), Arc::clone(known));
        joined(async move {
            let mut attempts = Arc::clone(&keys.fetching).lock_owned().await;
            let current = keys.current();
            if is_newer(&current, &known) {
                return Ok(Some(current));
            }
            let now = keys.clock.elapsed();
            if attempts.unknown_at.is_some_and(|at| now.saturating_sub(at) < UNKNOWN_EVERY) {
                return Ok(None);
            }
            let fetched = keys.fetch(&current, &mut attempts).await?;
            // A question that was not answered is none.
            attempts.unknown_at = Some(now);
            Ok(Some(fetched))
        })
        .await
    }

    fn has_just_failed(&self) -> bool {
        let failed_at = *self.failed_at.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.elapsed();
        failed_at.is_some_and(|at| now.saturating_sub(at) < DUE_FOR)
    }

    fn refresh(self: &Arc<Self>, known: &Arc<Snapshot>) {
        if self.refreshing.swap(true, Ordering::AcqRel) {
            return;
        }
        /// Lets the next one refresh, however this one ends.
        struct Done(Arc<Keys>);
        impl Drop for Done {
            fn drop(&mut self) {
                self.0.refreshing.store(false, Ordering::Release);
            }
        }
        let (done, known) = (Done(Arc::clone(self)), Arc::clone(known));
        tokio::spawn(async move {
            // What comes of it is seen by whoever asks for the keys next.
            drop(done.0.fetch_unless_newer(&known).await);
        });
    }

    async fn fetch_unless_newer(
        self: &Arc<Self>,
        known: &Arc<Snapshot>,
    ) -> Result<Arc<Snapshot>, GuardError> {
        let (keys, known) = (Arc::clone(self), Arc::clone(known));
        joined(async move {
            let mut attempts = Arc::clone(&keys.fetching).lock_owned().await;
            let current = keys.current();
            if is_newer(&current, &known) {
                return Ok(current);
            }
            keys.fetch(&current, &mut attempts).await
        })
        .await
    }

    async fn fetch(
        &self,
        known: &Snapshot,
        attempts: &mut Attempts,
    ) -> Result<Arc<Snapshot>, GuardError> {
        let now = self.clock.elapsed();
        if attempts.failed_at.is_some_and(|at| now.saturating_sub(at) < RETRY_AFTER) {
            return Err(GuardError::Unavailable);
        }
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
        attempts.failed_at = next.is_none().then_some(fetched_at);
        *self.failed_at.lock().unwrap_or_else(PoisonError::into_inner) = attempts.failed_at;
        let next = Arc::new(next.ok_or(GuardError::Unavailable)?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&next);
        Ok(next)
    }
}

/// Runs on, whoever has asked for it: a request that is given up must not take the answer with it
/// that others wait for.
async fn joined<T: Send + 'static>(
    work: impl Future<Output = Result<T, GuardError>> + Send + 'static,
) -> Result<T, GuardError> {
    tokio::spawn(work).await.unwrap_or(Err(GuardError::Unavailable))
}

fn is_newer(current: &Snapshot, known: &Snapshot) -> bool {
    (current.epoch, current.fetched_at) > (known.epoch, known.fetched_at)
}
