//! The life of the keys that sign tokens.
//!
//! A key is published before it signs, so that whoever checks tokens knows it by then; and it stays
//! published after it has signed its last, until no token of its is good any more (NIST SP 800-57
//! part 1 §5.3.4: an originator usage period inside a longer one for recipients).

use std::time::Duration;

use crate::time::Timestamp;

/// The numbers of signing keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningKeyPolicy {
    /// How long a new key is published before it signs: longer than others keep the key set.
    pub publish_ahead: Duration,
    /// How long the longest-lived token is good that a key signs.
    pub token_lifetime: Duration,
    /// How old the newest key is when the next is made; never by itself where absent.
    pub rotate_every: Option<Duration>,
}

impl Default for SigningKeyPolicy {
    fn default() -> Self {
        Self {
            publish_ahead: Duration::from_secs(10 * 60),
            token_lifetime: Duration::from_secs(10 * 60),
            rotate_every: None,
        }
    }
}

/// Clocks that check tokens may be behind by so much.
const LEEWAY: Duration = Duration::from_secs(60);

/// When a key was made and what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyLife {
    /// When it was made, and published.
    pub created_at: Timestamp,
    /// From when on it may sign.
    pub signs_from: Timestamp,
    /// From when on it is worth nothing.
    pub retired_at: Option<Timestamp>,
}

/// Where a key stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// Published, and does not sign yet.
    Next,
    /// Signs.
    Signing,
    /// Signs no more; what it has signed is good.
    Old,
    /// Worth nothing.
    Retired,
}

impl KeyState {
    /// The name for operators.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Signing => "signing",
            Self::Old => "old",
            Self::Retired => "retired",
        }
    }
}

/// Why a key is not retired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RetireRefused {
    /// It is the one that signs.
    #[error("it signs: rotate first")]
    Signs,
    /// Tokens that it has signed may still be good.
    #[error("what it has signed may still be good")]
    TooEarly {
        /// Until when.
        until: Timestamp,
    },
    /// It was before.
    #[error("it is retired already")]
    Retired,
}

impl KeyLife {
    /// A key that is made now: it signs at once where it is the first, and else once it was
    /// published for long enough.
    pub fn begin(is_first: bool, policy: &SigningKeyPolicy, now: Timestamp) -> Self {
        let signs_from = if is_first { now } else { now.plus(policy.publish_ahead) };
        Self { created_at: now, signs_from, retired_at: None }
    }

    /// Whether it is worth nothing at `now`.
    pub fn is_retired(&self, now: Timestamp) -> bool {
        self.retired_at.is_some_and(|at| at.is_expired(now))
    }
}

/// Which of the keys of one algorithm, oldest first, signs at `now`.
pub fn signing(keys: &[KeyLife], now: Timestamp) -> Option<usize> {
    let may_sign = |key: &KeyLife| !key.is_retired(now) && key.signs_from.is_expired(now);
    keys.iter().rposition(may_sign)
}

/// Where each of the keys of one algorithm, oldest first, stands at `now`.
pub fn states(keys: &[KeyLife], now: Timestamp) -> Vec<KeyState> {
    let signing = signing(keys, now);
    let state = |(at, key): (usize, &KeyLife)| {
        if key.is_retired(now) {
            KeyState::Retired
        } else if Some(at) == signing {
            KeyState::Signing
        } else if signing.is_none_or(|signing| at > signing) {
            KeyState::Next
        } else {
            KeyState::Old
        }
    };
    keys.iter().enumerate().map(state).collect()
}

/// Whether a next key is due: the newest is old enough, and signs.
pub fn rotation_is_due(keys: &[KeyLife], policy: &SigningKeyPolicy, now: Timestamp) -> bool {
    let (Some(every), Some(newest)) = (policy.rotate_every, keys.last()) else { return false };
    newest.created_at.plus(every).is_expired(now) && newest.signs_from.is_expired(now)
}

/// Sees whether one of the keys of one algorithm, oldest first, can be retired at `now`.
///
/// # Errors
/// [`RetireRefused`] says why not.
pub fn may_retire(
    keys: &[KeyLife],
    at: usize,
    policy: &SigningKeyPolicy,
    now: Timestamp,
) -> Result<(), RetireRefused> {
    let states = states(keys, now);
    match states.get(at) {
        None | Some(KeyState::Retired) => return Err(RetireRefused::Retired),
        Some(KeyState::Signing) => return Err(RetireRefused::Signs),
        Some(KeyState::Next) => return Ok(()),
        Some(KeyState::Old) => {}
    }
    // It signed its last when the next one began.
    let Some(next) = keys.get(at + 1..).and_then(|later| {
        later.iter().find(|key| !key.is_retired(now) && key.signs_from.is_expired(now))
    }) else {
        return Err(RetireRefused::Signs);
    };
    let until = next.signs_from.plus(policy.token_lifetime).plus(LEEWAY);
    if until.is_expired(now) { Ok(()) } else { Err(RetireRefused::TooEarly { until }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_seconds(1_700_000_000);

    fn after(seconds: u64) -> Timestamp {
        START.plus(Duration::from_secs(seconds))
    }

    fn policy() -> SigningKeyPolicy {
        let rotate_every = Some(Duration::from_secs(86_400));
        SigningKeyPolicy { rotate_every, ..SigningKeyPolicy::default() }
    }

    #[test]
    fn a_key_is_published_before_it_signs_and_stays_until_its_tokens_are_over() {
        let policy = policy();
        let first = KeyLife::begin(true, &policy, START);
        let second = KeyLife::begin(false, &policy, after(1_000));
        let keys = [first, second];
        for (at, expected) in [
            (1_000, [KeyState::Signing, KeyState::Next]),
            (1_599, [KeyState::Signing, KeyState::Next]),
            (1_600, [KeyState::Old, KeyState::Signing]),
        ] {
            assert_eq!(states(&keys, after(at)), expected, "after {at} s");
        }
        assert_eq!(may_retire(&keys, 0, &policy, after(1_599)), Err(RetireRefused::Signs));
        // The last token of the first key, and a minute for the clocks of others.
        let until = after(1_600 + 600 + 60);
        let early = Timestamp::from_micros(until.as_micros() - 1);
        assert_eq!(may_retire(&keys, 0, &policy, early), Err(RetireRefused::TooEarly { until }));
        assert_eq!(may_retire(&keys, 0, &policy, until), Ok(()));
        assert_eq!(may_retire(&keys, 1, &policy, until), Err(RetireRefused::Signs));
        let retired = KeyLife { retired_at: Some(until), ..first };
        assert_eq!(states(&[retired, second], until), [KeyState::Retired, KeyState::Signing]);
        let again = may_retire(&[retired, second], 0, &policy, until);
        assert_eq!(again, Err(RetireRefused::Retired));
    }

    #[test]
    fn a_key_that_never_signed_can_go_at_once() {
        let policy = policy();
        let keys = [KeyLife::begin(true, &policy, START), KeyLife::begin(false, &policy, START)];
        assert_eq!(may_retire(&keys, 1, &policy, after(1)), Ok(()));
    }

    #[test]
    fn a_rotation_is_due_when_the_newest_is_old_enough_and_signs() {
        let policy = policy();
        let first = KeyLife::begin(true, &policy, START);
        assert!(!rotation_is_due(&[first], &policy, after(86_399)));
        assert!(rotation_is_due(&[first], &policy, after(86_400)));
        let second = KeyLife::begin(false, &policy, after(86_400));
        assert!(!rotation_is_due(&[first, second], &policy, after(86_400 + 3_600)));
        let never = SigningKeyPolicy::default();
        assert!(!rotation_is_due(&[first], &never, after(10 * 86_400)));
        assert!(!rotation_is_due(&[], &policy, after(10 * 86_400)));
    }
}
