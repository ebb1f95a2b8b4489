use std::time::Duration;

use crate::time::Timestamp;

/// When a sender that fails is left alone, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CircuitPolicy {
    /// After how many failures in a row it is left alone.
    pub failures: u8,
    /// How long at first; each failed probe doubles it.
    pub first_pause: Duration,
    /// How long at the most.
    pub longest_pause: Duration,
    /// How many messages may be under way at once to a sender of which nothing is known yet. Each
    /// success allows one more, each failure half as many: a provider that goes down takes few
    /// messages with it.
    pub first_window: usize,
}

impl Default for CircuitPolicy {
    fn default() -> Self {
        Self {
            failures: 5,
            first_pause: Duration::from_secs(5),
            longest_pause: Duration::from_secs(60),
            first_window: 8,
        }
    }
}

/// Whether a sender may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// So many messages may be under way to it.
    For(usize),
    /// None before then.
    NotBefore(Timestamp),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// It works, as far as is known.
    Closed { failures: u8 },
    /// It is left alone until then.
    Open { until: Timestamp },
    /// One message is tried; were it lost, another may be from then on.
    Probing { until: Timestamp },
}

/// Keeps messages from a sender that does not work, and tries it again with one.
#[derive(Debug, Clone)]
pub struct Circuit {
    policy: CircuitPolicy,
    state: State,
    pause: Duration,
    window: usize,
}

impl Circuit {
    /// How long the outcome of a probe is waited for.
    const PROBE: Duration = Duration::from_secs(30);
    /// How many messages may be under way at the most; a worker's own bound is lower.
    const WIDEST: usize = 4_096;

    /// The circuit of a sender of which nothing is known.
    pub fn new(policy: CircuitPolicy) -> Self {
        let (pause, window) = (policy.first_pause, policy.first_window.max(1));
        Self { policy, state: State::Closed { failures: 0 }, pause, window }
    }

    /// Whether messages may go to the sender.
    pub fn room(&self, now: Timestamp) -> Room {
        match self.state {
            State::Closed { .. } => Room::For(self.window),
            State::Open { until } | State::Probing { until } if until.is_expired(now) => {
                Room::For(1)
            }
            State::Open { until } | State::Probing { until } => Room::NotBefore(until),
        }
    }

    /// Lets a message pass, or says when to ask again. What it comes to must be told.
    ///
    /// # Errors
    /// The instant before which none passes.
    pub fn enter(&mut self, now: Timestamp) -> Result<(), Timestamp> {
        match self.room(now) {
            Room::NotBefore(until) => Err(until),
            Room::For(_) => {
                if !matches!(self.state, State::Closed { .. }) {
                    self.state = State::Probing { until: now.plus(Self::PROBE) };
                }
                Ok(())
            }
        }
    }

    /// The sender did what it is for, if only by refusing a message.
    pub fn succeeded(&mut self) {
        self.state = State::Closed { failures: 0 };
        self.pause = self.policy.first_pause;
        self.window = (self.window + 1).min(Self::WIDEST);
    }

    /// The message that was let pass was none for this sender, which was not asked: nothing is known
    /// that was not before, and where it was to be the probe, the next message is.
    pub fn not_asked(&mut self, now: Timestamp) {
        if matches!(self.state, State::Probing { .. }) {
            self.state = State::Open { until: now };
        }
    }

    /// The sender failed. Says whether that opened the circuit.
    pub fn failed(&mut self, now: Timestamp) -> bool {
        self.window = (self.window / 2).max(1);
        match self.state {
            State::Closed { failures } if failures + 1 < self.policy.failures => {
                self.state = State::Closed { failures: failures + 1 };
                false
            }
            State::Closed { .. } => {
                self.state = State::Open { until: now.plus(self.pause) };
                true
            }
            State::Probing { .. } => {
                self.pause = (self.pause * 2).min(self.policy.longest_pause);
                self.state = State::Open { until: now.plus(self.pause) };
                true
            }
            // Was under way when the circuit opened: nothing new.
            State::Open { .. } => false,
        }
    }

    /// The sender takes nothing for `pause`, by its own word or until somebody mends it.
    pub fn leave_alone(&mut self, pause: Duration, now: Timestamp) {
        self.window = (self.window / 2).max(1);
        let until = now.plus(pause);
        let until = match self.state {
            State::Open { until: before } => before.max(until),
            State::Closed { .. } | State::Probing { .. } => until,
        };
        self.state = State::Open { until };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_seconds(1_700_000_000);

    fn after(seconds: u64) -> Timestamp {
        START.plus(Duration::from_secs(seconds))
    }

    fn open() -> Circuit {
        let mut circuit = Circuit::new(CircuitPolicy::default());
        for nth in 1..=5 {
            assert_eq!(circuit.enter(START), Ok(()), "call {nth}");
            assert_eq!(circuit.failed(START), nth == 5);
        }
        circuit
    }

    #[test]
    fn five_failures_in_a_row_open_it() {
        assert_eq!(open().room(START), Room::NotBefore(after(5)));
        let mut circuit = Circuit::new(CircuitPolicy::default());
        for _ in 0..20 {
            for _ in 0..4 {
                circuit.failed(START);
            }
            circuit.succeeded();
        }
        assert!(matches!(circuit.room(START), Room::For(_)));
    }

    #[test]
    fn one_probe_at_a_time_passes_and_closes_it() {
        let mut circuit = open();
        assert_eq!(circuit.enter(after(4)), Err(after(5)));
        assert_eq!(circuit.room(after(5)), Room::For(1));
        assert_eq!(circuit.enter(after(5)), Ok(()));
        assert_eq!(circuit.enter(after(5)), Err(after(35)), "a second one beside the probe");
        circuit.succeeded();
        assert_eq!(circuit.enter(after(5)), Ok(()));
        assert_eq!(circuit.enter(after(5)), Ok(()));
    }

    #[test]
    fn a_failed_probe_doubles_the_pause_up_to_the_longest() {
        let mut circuit = open();
        let mut now = after(5);
        for pause in [10, 20, 40, 60, 60] {
            circuit.enter(now).expect("a probe");
            assert!(circuit.failed(now));
            let until = now.plus(Duration::from_secs(pause));
            assert_eq!(circuit.room(now), Room::NotBefore(until));
            now = until;
        }
        circuit.enter(now).expect("a probe");
        circuit.succeeded();
        for _ in 0..5 {
            circuit.failed(now);
        }
        assert_eq!(circuit.room(now), Room::NotBefore(now.plus(Duration::from_secs(5))));
    }

    #[test]
    fn a_message_that_is_none_for_the_sender_is_no_probe_of_it() {
        let mut circuit = open();
        circuit.enter(after(5)).expect("a probe");
        circuit.not_asked(after(5));
        assert_eq!(circuit.room(after(5)), Room::For(1), "the next is the probe");
        circuit.enter(after(5)).expect("a probe");
        assert!(circuit.failed(after(5)), "and it was not taken for a success");
        let mut closed = Circuit::new(CircuitPolicy::default());
        closed.not_asked(START);
        assert_eq!(closed.room(START), Room::For(8));
    }

    #[test]
    fn a_lost_probe_blocks_nothing_for_good() {
        let mut circuit = open();
        circuit.enter(after(5)).expect("a probe");
        assert_eq!(circuit.enter(after(35)), Ok(()));
    }

    #[test]
    fn what_was_under_way_when_it_opened_changes_nothing() {
        let mut circuit = open();
        assert!(!circuit.failed(after(3)));
        assert_eq!(circuit.room(after(3)), Room::NotBefore(after(5)));
    }

    #[test]
    fn the_window_grows_by_one_and_halves() {
        let mut circuit = Circuit::new(CircuitPolicy::default());
        assert_eq!(circuit.room(START), Room::For(8));
        circuit.succeeded();
        assert_eq!(circuit.room(START), Room::For(9));
        for window in [4, 2, 1, 1] {
            circuit.failed(START);
            assert_eq!(circuit.room(START), Room::For(window));
        }
    }

    #[test]
    fn a_sender_that_asks_for_a_pause_gets_it() {
        let mut circuit = Circuit::new(CircuitPolicy::default());
        circuit.leave_alone(Duration::from_secs(300), START);
        circuit.leave_alone(Duration::from_secs(1), START);
        assert_eq!(circuit.room(after(299)), Room::NotBefore(after(300)));
        assert_eq!(circuit.room(after(300)), Room::For(1));
    }
}
