use std::sync::Arc;
use std::time::Duration;

use mapae_token_claims::{ACCESS_TOKEN, AccessTokenClaims, MAX_LENGTH, Refused, verify};

use tokio::sync::Semaphore;

use crate::clock::SystemClock;
use crate::fetch::Fetcher;
use crate::keys::{Keys, Snapshot};
use crate::memory::{Memory, Remembered};
use crate::{Clock, Gate, GuardError, Introspection, InvalidGuard, Verified};

/// The greatest leeway: Mapae keeps a replaced key for so long after its last token.
const MAX_LEEWAY: Duration = Duration::from_secs(60);

/// How many introspections are under way at the most: each holds a thread while it waits.
const MOST_INTROSPECTING: usize = 64;

/// How a [`Guard`] is built.
pub struct GuardBuilder {
    issuer: String,
    audience: String,
    keys_at: Option<String>,
    leeway: Duration,
    remembered: usize,
    max_stale: Duration,
    certificates: Option<Vec<u8>>,
    introspection: Option<Introspection>,
    clock: Option<Arc<dyn Clock>>,
}

impl GuardBuilder {
    /// For whom tokens must have been issued: `tokens.audience` of Mapae's configuration. `mapae`
    /// by default, as there.
    #[must_use]
    pub fn audience(mut self, audience: &str) -> Self {
        audience.clone_into(&mut self.audience);
        self
    }

    /// Where Mapae is reached, if not at its issuer's address: `http://mapae:8080` inside a cluster.
    #[must_use]
    pub fn reached_at(mut self, origin: &str) -> Self {
        self.keys_at = Some(origin.to_owned());
        self
    }

    /// How long after its expiry a token is still taken, for clocks that do not agree: 30 seconds by
    /// default, a minute at the most.
    #[must_use]
    pub const fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// How many verified tokens are remembered at the most: 10,000 by default, of about a kilobyte
    /// each; 0 remembers none.
    #[must_use]
    pub const fn remembered_tokens(mut self, tokens: usize) -> Self {
        self.remembered = tokens;
        self
    }

    /// For how long keys are used that should have been fetched again, while Mapae does not answer:
    /// an hour by default. A key that was retired because it leaked is taken for so long at the
    /// most.
    #[must_use]
    pub const fn keys_outlive_mapae_by(mut self, length: Duration) -> Self {
        self.max_stale = length;
        self
    }

    /// The certificate authorities (PEM) that Mapae's certificate must come from, instead of the
    /// public ones.
    #[must_use]
    pub fn certificate_authorities(mut self, pem: &[u8]) -> Self {
        self.certificates = Some(pem.to_owned());
        self
    }

    /// Asks Mapae about every token as well.
    #[must_use]
    pub fn introspection(mut self, introspection: Introspection) -> Self {
        self.introspection = Some(introspection);
        self
    }

    /// Another clock than the machine's.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// The guard. Nothing is asked of Mapae before the first token is checked.
    ///
    /// # Errors
    /// [`InvalidGuard`].
    pub fn build(self) -> Result<Guard, InvalidGuard> {
        let origin = self.keys_at.as_ref().unwrap_or(&self.issuer).trim_end_matches('/');
        // Compared with `iss` as it stands, and an origin has nothing behind it.
        if self.issuer.ends_with('/') {
            return Err(InvalidGuard::Address);
        }
        if !origin.starts_with("https://") && !origin.starts_with("http://") {
            return Err(InvalidGuard::Address);
        }
        if self.leeway > MAX_LEEWAY {
            return Err(InvalidGuard::Leeway);
        }
        let fetcher = Fetcher::new(self.certificates.as_deref())?;
        let clock = self.clock.unwrap_or_else(|| Arc::new(SystemClock::new()));
        let url = format!("{origin}/.well-known/jwks.json");
        let introspection_at = format!("{origin}/oauth2/introspect");
        let keys = Keys::new(url, fetcher.clone(), Arc::clone(&clock), self.max_stale);
        Ok(Guard(Arc::new(Inner {
            issuer: self.issuer,
            audience: self.audience,
            leeway: i64::try_from(self.leeway.as_secs()).unwrap_or(0),
            keys: Arc::new(keys),
            memory: Memory::new(self.remembered),
            introspection: self.introspection,
            introspection_at,
            introspecting: Semaphore::new(MOST_INTROSPECTING),
            fetcher,
            clock,
        })))
    }
}

struct Inner {
    issuer: String,
    audience: String,
    /// In seconds.
    leeway: i64,
    keys: Arc<Keys>,
    memory: Memory,
    introspection: Option<Introspection>,
    introspection_at: String,
    /// How many may ask at once.
    introspecting: Semaphore,
    fetcher: Fetcher,
    clock: Arc<dyn Clock>,
}

/// Checks Mapae's access tokens. Cheap to clone; one is enough for a service.
#[derive(Clone)]
pub struct Guard(Arc<Inner>);

impl Guard {
    /// A guard for the tokens of that issuer: Mapae's public origin, `https://auth.example.com`.
    ///
    /// # Errors
    /// [`InvalidGuard`].
    pub fn new(issuer: &str) -> Result<Self, InvalidGuard> {
        Self::builder(issuer).build()
    }

    /// A guard of other settings than the default ones.
    pub fn builder(issuer: &str) -> GuardBuilder {
        GuardBuilder {
            issuer: issuer.to_owned(),
            audience: "mapae".to_owned(),
            keys_at: None,
            leeway: Duration::from_secs(30),
            remembered: 10_000,
            max_stale: Duration::from_secs(3_600),
            certificates: None,
            introspection: None,
            clock: None,
        }
    }

    /// Lets through whoever shows a good token and has that role besides.
    #[must_use]
    pub fn require_role(&self, role: &str) -> Gate {
        Gate::new(self.clone()).require_role(role)
    }

    /// Lets through whoever shows a good token and holds a proved contact of that channel besides.
    #[must_use]
    pub fn require_verified(&self, channel: crate::Channel) -> Gate {
        Gate::new(self.clone()).require_verified(channel)
    }

    /// Fetches the keys now, so that the first request does not wait for them.
    ///
    /// # Errors
    /// [`GuardError::Unavailable`].
    pub async fn warm_up(&self) -> Result<(), GuardError> {
        self.0.keys.usable().await.map(|_| ())
    }

    /// Checks an access token: signature, kind, issuer, audience and expiry, and with
    /// [introspection](GuardBuilder::introspection) that its session is open.
    ///
    /// Must be called within a runtime of tokio.
    ///
    /// # Errors
    /// [`GuardError::Invalid`], or [`GuardError::Unavailable`] where Mapae would have to be asked
    /// and does not answer.
    pub async fn check(&self, token: &str) -> Result<Verified, GuardError> {
        let inner = &*self.0;
        if token.len() > MAX_LENGTH {
            return Err(GuardError::Invalid);
        }
        let hash = Memory::hash(token);
        let mut keys = inner.keys.usable().await?;
        let mut remembered = match inner.memory.get(&hash, keys.epoch) {
            Some(remembered) => remembered,
            None => {
                let verified = inner.verify(&mut keys, token).await?;
                let remembered = Remembered { verified, introspected_at: None, is_over: false };
                inner.memory.put(&hash, keys.epoch, remembered.clone());
                remembered
            }
        };
        if remembered.is_over {
            return Err(GuardError::Invalid);
        }
        let good_until = remembered.verified.exp.saturating_add(inner.leeway);
        if inner.clock.unix_seconds() >= good_until {
            inner.memory.forget(&hash);
            return Err(GuardError::Invalid);
        }
        if let Some(introspection) = &inner.introspection
            && inner.is_to_be_asked(introspection, &remembered)
        {
            let asked_at = inner.clock.elapsed();
            // Whoever finds no room is turned away rather than made to wait.
            let room = inner.introspecting.try_acquire().map_err(|_| GuardError::Unavailable)?;
            let answer = inner.fetcher.is_active(introspection, &inner.introspection_at, token);
            let is_active = answer.await.map_err(|_| GuardError::Unavailable)?;
            drop(room);
            // A session that has ended never opens again.
            remembered.is_over = !is_active;
            remembered.introspected_at = Some(asked_at);
            inner.memory.put(&hash, keys.epoch, remembered.clone());
            if !is_active {
                return Err(GuardError::Invalid);
            }
        }
        Ok(remembered.verified)
    }
}

impl Inner {
    /// Verifies a token that is not remembered, by keys that are fetched once more where they lack
    /// the token's.
    async fn verify(&self, keys: &mut Arc<Snapshot>, token: &str) -> Result<Verified, GuardError> {
        let read = |keys: &Snapshot| verify::<AccessTokenClaims>(&keys.keys, ACCESS_TOKEN, token);
        let mut claims = read(keys);
        if claims == Err(Refused::UnknownKey)
            && let Some(newer) = self.keys.after_unknown(keys).await?
        {
            *keys = newer;
            claims = read(keys);
        }
        let claims = claims.map_err(|_| GuardError::Invalid)?;
        if claims.iss != self.issuer || claims.aud != self.audience {
            return Err(GuardError::Invalid);
        }
        Ok(Verified(Arc::new(claims)))
    }

    fn is_to_be_asked(&self, introspection: &Introspection, remembered: &Remembered) -> bool {
        let now = self.clock.elapsed();
        remembered
            .introspected_at
            .is_none_or(|at| now.saturating_sub(at) >= introspection.remembered_for)
    }
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guard")
            .field("issuer", &self.0.issuer)
            .field("audience", &self.0.audience)
            .finish_non_exhaustive()
    }
}
