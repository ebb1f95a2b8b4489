use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mapae_application::ports::{PasswordCheck, PasswordHashError, PasswordHasher, SecretRng as _};
use mapae_domain::{Password, PasswordHash};
use ring::hmac;

use super::{SequenceRng, lock};

/// A [`PasswordHasher`] that takes no time and keeps nobody out: one HMAC a hash.
///
/// It counts its work, so that a test can see that an account that does not exist costs as much as
/// one that does.
#[derive(Debug)]
pub struct FakeHasher {
    salts: SequenceRng,
    parameters: AtomicU32,
    overloaded: Mutex<Option<Duration>>,
    hashes: AtomicUsize,
    checks: AtomicUsize,
    computed: AtomicUsize,
}

impl FakeHasher {
    /// A hasher that is idle.
    pub const fn new() -> Self {
        Self {
            salts: SequenceRng::new(0x5a17),
            parameters: AtomicU32::new(1),
            overloaded: Mutex::new(None),
            hashes: AtomicUsize::new(0),
            checks: AtomicUsize::new(0),
            computed: AtomicUsize::new(0),
        }
    }

    /// How often a hash was asked for, refusals included.
    pub fn hashes(&self) -> usize {
        self.hashes.load(Ordering::SeqCst)
    }

    /// How often a check was asked for, refusals included.
    pub fn checks(&self) -> usize {
        self.checks.load(Ordering::SeqCst)
    }

    /// How many hashes were computed, for both.
    pub fn computed(&self) -> usize {
        self.computed.load(Ordering::SeqCst)
    }

    /// Makes it refuse everything with that `retry_after`, or, by `None`, work again.
    pub fn set_overloaded(&self, retry_after: Option<Duration>) {
        *lock(&self.overloaded) = retry_after;
    }

    /// Raises its parameters: every hash that it made before is outdated.
    pub fn raise_parameters(&self) {
        self.parameters.fetch_add(1, Ordering::SeqCst);
    }

    fn admit(&self) -> Result<(), PasswordHashError> {
        match *lock(&self.overloaded) {
            Some(retry_after) => Err(PasswordHashError::Overloaded { retry_after }),
            None => Ok(()),
        }
    }

    fn compute(&self, parameters: u32, salt: &[u8], password: &Password) -> hmac::Tag {
        self.computed.fetch_add(1, Ordering::SeqCst);
        let key = hmac::Key::new(hmac::HMAC_SHA256, salt);
        let mut context = hmac::Context::with_key(&key);
        context.update(&parameters.to_be_bytes());
        context.update(password.expose().as_bytes());
        context.sign()
    }
}

impl Default for FakeHasher {
    fn default() -> Self {
        Self::new()
    }
}

/// Reads `$fake$p=1$salt$tag`.
fn read(hash: &PasswordHash) -> Option<(u32, Vec<u8>, Vec<u8>)> {
    let (parameters, rest) = hash.as_str().strip_prefix("$fake$p=")?.split_once('$')?;
    let (salt, tag) = rest.split_once('$')?;
    let decode = |text| URL_SAFE_NO_PAD.decode(text).ok();
    Some((parameters.parse().ok()?, decode(salt)?, decode(tag)?))
}

#[async_trait]
impl PasswordHasher for FakeHasher {
    async fn hash(&self, password: Password) -> Result<PasswordHash, PasswordHashError> {
        self.hashes.fetch_add(1, Ordering::SeqCst);
        self.admit()?;
        let mut salt = [0; 16];
        self.salts.fill(&mut salt);
        let parameters = self.parameters.load(Ordering::SeqCst);
        let tag = self.compute(parameters, &salt, &password);
        let (salt, tag) = (URL_SAFE_NO_PAD.encode(salt), URL_SAFE_NO_PAD.encode(tag));
        Ok(PasswordHash::from_stored(format!("$fake$p={parameters}${salt}${tag}")))
    }

    async fn check(
        &self,
        password: Password,
        hash: Option<PasswordHash>,
    ) -> Result<PasswordCheck, PasswordHashError> {
        self.checks.fetch_add(1, Ordering::SeqCst);
        self.admit()?;
        let read = hash.as_ref().and_then(read);
        let today = self.parameters.load(Ordering::SeqCst);
        let (parameters, salt, expected) = read.unwrap_or_else(|| (today, vec![0; 16], Vec::new()));
        let tag = self.compute(parameters, &salt, &password);
        if tag.as_ref() == expected {
            Ok(PasswordCheck::Match { outdated: parameters != today })
        } else {
            Ok(PasswordCheck::Mismatch)
        }
    }
}
