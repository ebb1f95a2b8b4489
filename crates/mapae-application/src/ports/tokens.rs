//! Signed tokens.

use mapae_domain::signing_key::KeyLife;
use mapae_domain::{AccessClaims, Receipt, Timestamp};
use zeroize::Zeroizing;

/// Why a token was not accepted. Never the token's own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is none of ours: malformed, of another kind, key, issuer or audience, or altered.
    #[error("the token is not valid")]
    Invalid,
    /// It was good, and is not any more.
    #[error("the token has expired")]
    Expired,
}

/// A token could not be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a token could not be signed")]
pub struct TokenSigningError;

/// Signs and checks tokens.
pub trait AccessTokens: Send + Sync {
    /// Signs an access token (RFC 9068).
    ///
    /// # Errors
    /// [`TokenSigningError`] where the key cannot sign.
    fn issue(&self, claims: &AccessClaims) -> Result<String, TokenSigningError>;

    /// Checks an access token.
    ///
    /// An adapter MUST accept its own algorithm alone and only by keys of its own, found by `kid`;
    /// MUST require and compare `typ`, `iss`, `aud` and `exp` (RFC 8725 §3), with the time from its
    /// caller and no leeway; MUST refuse claims of a wrong type; and MUST ignore what the header
    /// says about keys.
    ///
    /// # Errors
    /// [`TokenError`] for whatever is not exactly that.
    fn verify(&self, token: &str, now: Timestamp) -> Result<AccessClaims, TokenError>;

    /// Signs a receipt. An access token MUST NOT pass for one, nor the other way round.
    ///
    /// # Errors
    /// [`TokenSigningError`] where the key cannot sign.
    fn issue_receipt(&self, receipt: &Receipt) -> Result<String, TokenSigningError>;

    /// Checks a receipt, as [`AccessTokens::verify`] checks an access token. That it was not used
    /// before is the store's to say.
    ///
    /// # Errors
    /// [`TokenError`] for whatever is not exactly that.
    fn verify_receipt(&self, token: &str, now: Timestamp) -> Result<Receipt, TokenError>;

    /// The public keys as a JWK Set (RFC 7517 §5), in JSON.
    fn jwks(&self) -> String;
}

/// A signing key as it is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKeyRecord {
    /// `kid`: the JWK thumbprint (RFC 7638).
    pub kid: String,
    /// The algorithm, by its name in RFC 7518 or 8037. One key has one algorithm.
    pub algorithm: String,
    /// The private key, sealed.
    pub sealed: Vec<u8>,
    /// When it was made, signs and is retired.
    pub life: KeyLife,
}

impl std::fmt::Debug for SigningKeyRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKeyRecord")
            .field("kid", &self.kid)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

/// Makes signing keys.
pub trait SigningKeyMaker: Send + Sync {
    /// The algorithm of the keys that it makes.
    fn algorithm(&self) -> &'static str;

    /// Makes a key: its `kid` and its private part, which nobody but the sealer may see.
    ///
    /// # Errors
    /// [`TokenSigningError`] where the machine cannot make one.
    fn make(&self) -> Result<(String, Zeroizing<Vec<u8>>), TokenSigningError>;
}
