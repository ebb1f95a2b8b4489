use std::time::{SystemTime, UNIX_EPOCH};

use mapae_application::ports::Clock;
use mapae_domain::Timestamp;

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "the adapter of the Clock port")]
        let now = SystemTime::now();
        // A clock before 1970 is not set at all; the epoch expires nothing by mistake.
        let since_epoch = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_micros(i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX))
    }
}
