use std::sync::{Arc, PoisonError, RwLock};

use mapae_application::ports::{AccessTokens, TokenError, TokenSigningError};
use mapae_domain::{AccessClaims, Receipt, Timestamp};
use mapae_token_claims::{ACCESS_TOKEN, AccessTokenClaims, KeySet};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::claims::{self, ReceiptJson};
use crate::jws;
use crate::key::SigningKey;

/// The kind of a receipt.
const RECEIPT: &str = "receipt+jwt";

/// What every token of an installation says.
#[derive(Debug, Clone)]
pub struct JwtSettings {
    /// `iss`.
    pub issuer: String,
    /// `aud`.
    pub audience: String,
}

/// There is no key to sign with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no signing key")]
pub struct NoSigningKey;

/// Signs and checks the tokens of an installation. Times in tokens are whole seconds, rounded down.
pub struct JwtTokens {
    settings: JwtSettings,
    keys: RwLock<Arc<Keys>>,
}

/// The keys at a time, and what is published of them.
struct Keys {
    keys: Vec<SigningKey>,
    /// From when on each signs.
    signs_from: Vec<Timestamp>,
    public: KeySet,
    jwks: String,
}

impl Keys {
    fn new(scheduled: Vec<(SigningKey, Timestamp)>) -> Result<Self, NoSigningKey> {
        if scheduled.is_empty() {
            return Err(NoSigningKey);
        }
        let (keys, signs_from): (Vec<_>, Vec<_>) = scheduled.into_iter().unzip();
        let jwks: Vec<_> = keys.iter().map(SigningKey::jwk).collect();
        let jwks = json!({"keys": jwks}).to_string();
        let public = KeySet::new(keys.iter().map(|key| key.public().clone()).collect());
        Ok(Self { keys, signs_from, public, jwks })
    }

    /// The last that may sign by then; the last of all where none may, which an installation whose
    /// clock was set back still needs.
    fn signing(&self, now: Timestamp) -> Option<&SigningKey> {
        let newest = self.keys.last().map(SigningKey::algorithm);
        let mut both = self.keys.iter().zip(&self.signs_from).rev();
        let may_sign =
            both.find(|(key, from)| Some(key.algorithm()) == newest && from.is_expired(now));
        may_sign.map(|(key, _)| key).or(self.keys.last())
    }
}

impl JwtTokens {
    /// Checks tokens by `keys`, and signs with the last of them.
    ///
    /// # Errors
    /// [`NoSigningKey`] where there is none.
    pub fn new(settings: JwtSettings, keys: Vec<SigningKey>) -> Result<Self, NoSigningKey> {
        let since_ever = Timestamp::from_micros(i64::MIN);
        Self::scheduled(settings, keys.into_iter().map(|key| (key, since_ever)).collect())
    }

    /// Checks tokens by all of `keys`, and signs with the last of them that may sign by then.
    ///
    /// # Errors
    /// [`NoSigningKey`] where there is none.
    pub fn scheduled(
        settings: JwtSettings,
        keys: Vec<(SigningKey, Timestamp)>,
    ) -> Result<Self, NoSigningKey> {
        let keys = RwLock::new(Arc::new(Keys::new(keys)?));
        Ok(Self { settings, keys })
    }

    /// Takes other keys from now on. What is under way goes on with those that it began with.
    ///
    /// # Errors
    /// [`NoSigningKey`] where there is none; the keys stay as they are.
    pub fn replace(&self, keys: Vec<(SigningKey, Timestamp)>) -> Result<(), NoSigningKey> {
        let keys = Arc::new(Keys::new(keys)?);
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
        Ok(())
    }

    fn keys(&self) -> Arc<Keys> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) const fn settings(&self) -> &JwtSettings {
        &self.settings
    }

    /// Signs claims as a token of kind `typ`, by the key that signs at `now`.
    pub(crate) fn sign<C: Serialize>(
        &self,
        typ: &str,
        claims: &C,
        now: Timestamp,
    ) -> Result<String, TokenSigningError> {
        let keys = self.keys();
        jws::sign(keys.signing(now).ok_or(TokenSigningError)?, typ, claims)
    }

    /// The claims of a token of kind `typ` that one of the keys has signed.
    pub(crate) fn genuine<C: DeserializeOwned>(
        &self,
        typ: &str,
        token: &str,
    ) -> Result<C, TokenError> {
        let keys = self.keys();
        mapae_token_claims::verify(&keys.public, typ, token).map_err(|_| TokenError::Invalid)
    }

    fn are_ours(&self, issuer: &str, audience: &str) -> Result<(), TokenError> {
        if issuer == self.settings.issuer && audience == self.settings.audience {
            Ok(())
        } else {
            Err(TokenError::Invalid)
        }
    }
}

impl AccessTokens for JwtTokens {
    fn issue(&self, claims: &AccessClaims) -> Result<String, TokenSigningError> {
        let JwtSettings { issuer, audience } = &self.settings;
        self.sign(ACCESS_TOKEN, &claims::written(issuer, audience, claims), claims.issued_at)
    }

    fn verify(&self, token: &str, now: Timestamp) -> Result<AccessClaims, TokenError> {
        let claims: AccessTokenClaims = self.genuine(ACCESS_TOKEN, token)?;
        self.are_ours(&claims.iss, &claims.aud)?;
        let claims = claims::read(&claims)?;
        if claims.expires_at.is_expired(now) { Err(TokenError::Expired) } else { Ok(claims) }
    }

    fn issue_receipt(&self, receipt: &Receipt) -> Result<String, TokenSigningError> {
        let JwtSettings { issuer, audience } = &self.settings;
        self.sign(RECEIPT, &ReceiptJson::new(issuer, audience, receipt), receipt.verified_at)
    }

    fn verify_receipt(&self, token: &str, now: Timestamp) -> Result<Receipt, TokenError> {
        let receipt: ReceiptJson = self.genuine(RECEIPT, token)?;
        self.are_ours(&receipt.iss, &receipt.aud)?;
        let receipt = receipt.into_receipt()?;
        if receipt.expires_at.is_expired(now) { Err(TokenError::Expired) } else { Ok(receipt) }
    }

    fn jwks(&self) -> String {
        self.keys().jwks.clone()
    }
}
