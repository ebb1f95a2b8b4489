use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use mapae_application::ports::Clock;
use mapae_domain::Timestamp;

/// A clock that stands until it is set. A clone is the same clock.
#[derive(Debug, Clone)]
pub struct SetClock(Arc<AtomicI64>);

impl SetClock {
    /// A clock that stands at `now`.
    pub fn at(now: Timestamp) -> Self {
        Self(Arc::new(AtomicI64::new(now.as_micros())))
    }

    /// Sets it, forwards or back.
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.as_micros(), Ordering::SeqCst);
    }

    /// Puts it forward, and says what it shows then.
    pub fn advance(&self, by: Duration) -> Timestamp {
        let now = self.now().plus(by);
        self.set(now);
        now
    }
}

impl Default for SetClock {
    /// A clock that stands at [`crate::build::START`].
    fn default() -> Self {
        Self::at(crate::build::START)
    }
}

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}
