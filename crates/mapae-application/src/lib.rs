//! Mapae's use cases, and the ports that they need.
//!
//! [`Application`] is the whole of it: each operation of the service is one of its methods, in the
//! module of its topic, with a command to go in, a view to come out, and an error of its own. What
//! the operations need of the world is a [port](ports), which an adapter of another crate fills.
//!
//! What every method keeps to:
//!
//! * It reads the clock once, at its beginning, and passes the instant on.
//! * What it changes is one [unit of work](ports::UnitOfWork); nothing is sent, hashed or waited
//!   for while one is open.
//! * A unit of work that lost to another is begun anew, and then sees what the other has stored.

pub mod consent;
pub mod error;
pub mod idempotency;
pub mod inbox;
pub mod outbox;
pub mod ports;
pub mod registration;
pub mod retention;
pub mod session;
pub mod signing_key;
pub mod trace;
pub mod user;
pub mod verification;

use std::sync::Arc;
use std::time::Duration;

use mapae_domain::user::PasswordPolicy;
use mapae_domain::{
    ConsentPolicy, Region, RegistrationPolicy, SessionPolicy, Timestamp, VerificationPolicy,
};

use crate::outbox::Bell;
use crate::ports::{
    AccessTokens, Clock, DeliveryEvents, MessageSealer, PasswordHasher, Queued, SecretHasher,
    SecretRng, SimpleJwtTokens, Store, StoreError, TraceLinks, UnitOfWork,
};
use crate::session::ServiceClient;

/// The rules of an installation.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Of sign-ups.
    pub registration: RegistrationPolicy,
    /// Of codes and links.
    pub verification: VerificationPolicy,
    /// Of sessions and tokens.
    pub session: SessionPolicy,
    /// Of passwords.
    pub password: PasswordPolicy,
    /// Whose numbering plan a phone number without a country code follows.
    pub default_region: Region,
    /// The regions whose numbers get short messages.
    pub sms_regions: Vec<Region>,
    /// The services that may ask about tokens.
    pub clients: Vec<ServiceClient>,
    /// The documents that people are asked to agree to.
    pub consents: ConsentPolicy,
    /// How long what is kept of somebody who has left is kept still; nothing at all where zero.
    pub withdrawal_grace: Duration,
    /// Whether a refresh token of SimpleJWT's form is replaced at each use. Its clients must then
    /// keep the one that they are given.
    pub simplejwt_rotates: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            registration: RegistrationPolicy::default(),
            verification: VerificationPolicy::default(),
            session: SessionPolicy::default(),
            password: PasswordPolicy::default(),
            default_region: Region::KR,
            sms_regions: vec![Region::KR],
            clients: Vec::new(),
            simplejwt_rotates: false,
            consents: ConsentPolicy::default(),
            withdrawal_grace: Duration::ZERO,
        }
    }
}

/// What the use cases are given to work with.
#[derive(Clone)]
pub struct Ports {
    /// Where everything is kept.
    pub store: Arc<dyn Store>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub rng: Arc<dyn SecretRng>,
    /// Hashes passwords.
    pub passwords: Arc<dyn PasswordHasher>,
    /// Signs and checks tokens.
    pub tokens: Arc<dyn AccessTokens>,
    /// Signs and checks tokens as SimpleJWT's clients know them, where they are served.
    pub simplejwt: Option<Arc<dyn SimpleJwtTokens>>,
    /// Hashes other secrets.
    pub secrets: Arc<dyn SecretHasher>,
    /// Seals messages.
    pub sealer: Arc<dyn MessageSealer>,
    /// Reads what a provider reports by itself, where one is configured that does.
    pub delivery_events: Option<Arc<dyn DeliveryEvents>>,
    /// Ties what is caused here to what follows from it elsewhere.
    pub traces: Arc<dyn TraceLinks>,
}

/// The use cases.
pub struct Application {
    ports: Ports,
    settings: Settings,
    bell: Bell,
}

impl Application {
    /// The use cases over `ports`, by the rules of `settings`. `bell` is rung when something is to
    /// be sent.
    pub fn new(ports: Ports, settings: Settings, bell: Bell) -> Self {
        Self { ports, settings, bell }
    }

    /// The rules.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Hashes secrets under the server's key; for the edges that make [`idempotency`] keys.
    pub fn secret_hasher(&self) -> &dyn SecretHasher {
        &*self.ports.secrets
    }

    /// Ties spans together across processes; for the edges that requests come in by.
    pub fn traces(&self) -> &Arc<dyn TraceLinks> {
        &self.ports.traces
    }

    /// Whether the store answers.
    ///
    /// # Errors
    /// What the store says.
    pub async fn ping(&self) -> Result<(), ports::StoreError> {
        self.ports.store.ping().await
    }

    /// The present instant, by the clock that every use case reads.
    pub fn now(&self) -> Timestamp {
        self.ports.clock.now()
    }

    /// Commits, and has what it queued sent at once. Where nobody knows whether it was stored, something
    /// may have been queued.
    async fn commit(&self, work: Box<dyn UnitOfWork>) -> Result<(), StoreError> {
        let committed = work.commit().await;
        let queued = match &committed {
            Ok(queued) => *queued,
            Err(StoreError::Unavailable(_)) => Queued::ALL,
            Err(_) => Queued::default(),
        };
        queued.channels().for_each(|channel| self.bell.ring(channel));
        committed.map(drop)
    }

    fn random(&self) -> impl FnMut(&mut [u8]) + '_ {
        |bytes| self.ports.rng.fill(bytes)
    }
}
