use mapae_application::ports::{AccessTokens, TokenError, TokenSigningError};
use mapae_domain::{AccessClaims, Receipt, Timestamp};
use serde_json::json;

use crate::claims::{AccessJson, ReceiptJson};
use crate::jws;
use crate::key::SigningKey;

/// The kind of an access token (RFC 9068 §2.1).
const ACCESS: &str = "at+jwt";
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
    keys: Vec<SigningKey>,
    signing: usize,
    jwks: String,
}

impl JwtTokens {
    /// Checks tokens by `keys`, and signs with the last of them.
    ///
    /// # Errors
    /// [`NoSigningKey`] where there is none.
    pub fn new(settings: JwtSettings, keys: Vec<SigningKey>) -> Result<Self, NoSigningKey> {
        let signing = keys.len().checked_sub(1).ok_or(NoSigningKey)?;
        let jwks: Vec<_> = keys.iter().map(SigningKey::jwk).collect();
        Ok(Self { settings, keys, signing, jwks: json!({"keys": jwks}).to_string() })
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
        jws::sign(&self.keys[self.signing], ACCESS, &AccessJson::new(issuer, audience, claims))
    }

    fn verify(&self, token: &str, now: Timestamp) -> Result<AccessClaims, TokenError> {
        let claims: AccessJson = jws::verify(&self.keys, ACCESS, token)?;
        self.are_ours(&claims.iss, &claims.aud)?;
        let claims = claims.into_claims()?;
        if claims.expires_at.is_expired(now) { Err(TokenError::Expired) } else { Ok(claims) }
    }

    fn issue_receipt(&self, receipt: &Receipt) -> Result<String, TokenSigningError> {
        let JwtSettings { issuer, audience } = &self.settings;
        jws::sign(&self.keys[self.signing], RECEIPT, &ReceiptJson::new(issuer, audience, receipt))
    }

    fn verify_receipt(&self, token: &str, now: Timestamp) -> Result<Receipt, TokenError> {
        let receipt: ReceiptJson = jws::verify(&self.keys, RECEIPT, token)?;
        self.are_ours(&receipt.iss, &receipt.aud)?;
        let receipt = receipt.into_receipt()?;
        if receipt.expires_at.is_expired(now) { Err(TokenError::Expired) } else { Ok(receipt) }
    }

    fn jwks(&self) -> String {
        self.jwks.clone()
    }
}
