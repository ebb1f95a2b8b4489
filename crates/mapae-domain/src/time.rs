//! Instants, in microseconds.
//!
//! A microsecond is what PostgreSQL keeps, so an instant that goes through any store comes back as
//! it was. Every store keeps it as a 64-bit integer: SQLite's and MariaDB's own time types sort
//! wrongly or cut within a second.

use std::time::Duration;

/// An instant: microseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The instant `micros` microseconds after the epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// The instant `seconds` seconds after the epoch; the ends of the range where it does not fit.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000))
    }

    /// Microseconds since the epoch.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Whole milliseconds since the epoch, rounded down.
    pub const fn as_millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// Whole seconds since the epoch, rounded down: the `NumericDate` of RFC 7519 §2.
    pub const fn as_seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// This instant and `duration` more; the last representable instant where that overflows.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(micros))
    }

    /// This instant less `duration`; the first representable instant where that overflows.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(micros))
    }

    /// How long it is until `later`; zero where `later` has passed.
    pub fn until(self, later: Self) -> Duration {
        let micros = later.0.saturating_sub(self.0);
        Duration::from_micros(u64::try_from(micros).unwrap_or(0))
    }

    /// Whether something that expires at this instant has expired at `now`.
    ///
    /// The boundary of the whole system, written here and nowhere else: at the very instant of its
    /// expiry a thing has expired.
    pub const fn is_expired(self, now: Self) -> bool {
        now.0 >= self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thing_has_expired_at_the_instant_of_its_expiry() {
        let expiry = Timestamp::from_seconds(100);
        assert!(!expiry.is_expired(Timestamp::from_micros(99_999_999)));
        assert!(expiry.is_expired(Timestamp::from_micros(100_000_000)));
        assert!(expiry.is_expired(Timestamp::from_micros(100_000_001)));
    }

    #[test]
    fn arithmetic_stops_at_the_ends_of_the_range() {
        let last = Timestamp::from_micros(i64::MAX);
        assert_eq!(last.plus(Duration::from_secs(1)), last);
        assert_eq!(Timestamp::from_seconds(i64::MAX), last);
        assert_eq!(last.until(Timestamp::from_seconds(0)), Duration::ZERO);
    }

    #[test]
    fn whole_units_are_rounded_down_before_the_epoch_too() {
        assert_eq!(Timestamp::from_micros(-1).as_seconds(), -1);
        assert_eq!(Timestamp::from_micros(-1).as_millis(), -1);
    }
}
