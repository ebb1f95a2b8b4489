//! Time and chance.

use mapae_domain::Timestamp;

/// The time of day.
pub trait Clock: Send + Sync {
    /// The present instant.
    ///
    /// An adapter MUST return UTC to the microsecond. It MAY go back when the machine's clock is
    /// set back: nothing here needs it to be monotonic.
    fn now(&self) -> Timestamp;
}

/// Random bytes for secrets.
pub trait SecretRng: Send + Sync {
    /// Fills `bytes`.
    ///
    /// An adapter MUST take the bytes from a cryptographically secure generator (ASVS 5.0 11.5.1)
    /// and MUST panic rather than return without having filled all of them: a secret that can be
    /// guessed is worse than a request that fails.
    fn fill(&self, bytes: &mut [u8]);
}
