use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mapae_application::ports::{Clock, SendError};
use mapae_domain::Timestamp;

/// How long a message waits for its turn before it goes back to the outbox.
const PATIENCE: Duration = Duration::from_secs(2);

/// Spaces messages so that no more go in a second than the account may send.
pub(crate) struct Pace {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

struct State {
    rate: Option<f64>,
    next: Timestamp,
}

impl Pace {
    /// A pace of `rate` messages a second; without one, none is kept.
    pub(crate) fn new(rate: Option<f64>, clock: Arc<dyn Clock>) -> Self {
        Self { clock, state: Mutex::new(State { rate, next: Timestamp::from_micros(0) }) }
    }

    pub(crate) fn set(&self, rate: f64) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).rate = Some(rate);
    }

    /// Waits for the message's turn.
    ///
    /// # Errors
    /// [`SendError::Throttled`] where it would be too long a wait.
    pub(crate) async fn turn(&self) -> Result<(), SendError> {
        let wait = self.reserve()?;
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        Ok(())
    }

    fn reserve(&self) -> Result<Duration, SendError> {
        let now = self.clock.now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(rate) = state.rate.filter(|rate| *rate > 0.0) else { return Ok(Duration::ZERO) };
        let turn = state.next.max(now);
        let wait = now.until(turn);
        if wait > PATIENCE {
            let why = "the account's messages of a second are used up".to_owned();
            return Err(SendError::Throttled { retry_after: wait - PATIENCE / 2, why });
        }
        state.next = turn.plus(Duration::from_secs_f64(1.0 / rate));
        Ok(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Still;

    impl Clock for Still {
        fn now(&self) -> Timestamp {
            Timestamp::from_seconds(1_700_000_000)
        }
    }

    #[test]
    fn messages_are_spaced_and_those_too_far_off_go_back() {
        let pace = Pace::new(Some(4.0), Arc::new(Still));
        let waits: Vec<_> = (0..9).map(|_| pace.reserve().expect("a turn").as_millis()).collect();
        assert_eq!(waits, [0, 250, 500, 750, 1_000, 1_250, 1_500, 1_750, 2_000]);
        assert!(matches!(pace.reserve(), Err(SendError::Throttled { .. })));
    }

    #[test]
    fn without_a_rate_nothing_waits() {
        let pace = Pace::new(None, Arc::new(Still));
        assert!((0..100).all(|_| pace.reserve() == Ok(Duration::ZERO)));
        pace.set(0.0);
        assert!((0..100).all(|_| pace.reserve() == Ok(Duration::ZERO)));
    }
}
