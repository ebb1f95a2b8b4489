use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The time. There is one of the machine's; tests bring their own.
pub trait Clock: Send + Sync {
    /// Seconds since the epoch, by the wall clock: what `exp` is compared with.
    fn unix_seconds(&self) -> i64;

    /// How much time has passed since some instant, which is always the same one: a clock that is
    /// never set back, by which the age of keys is measured.
    fn elapsed(&self) -> Duration;
}

/// The machine's clocks.
pub(crate) struct SystemClock(Instant);

impl SystemClock {
    pub(crate) fn new() -> Self {
        #[expect(clippy::disallowed_methods, reason = "this is the clock")]
        Self(Instant::now())
    }
}

impl Clock for SystemClock {
    fn unix_seconds(&self) -> i64 {
        #[expect(clippy::disallowed_methods, reason = "this is the clock")]
        let now = SystemTime::now();
        // A machine in front of its epoch takes every token for a good one: better for none.
        let seconds = now.duration_since(UNIX_EPOCH).map_or(u64::MAX, |since| since.as_secs());
        i64::try_from(seconds).unwrap_or(i64::MAX)
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}
