//! Tokens as clients and services of djangorestframework-simplejwt know them.

use mapae_domain::{SessionId, Timestamp, TokenId, UserId};

use super::tokens::{TokenError, TokenSigningError};

/// What a token of SimpleJWT's form is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SimpleJwtUse {
    /// To be shown to services.
    Access,
    /// To be shown to services, and renewed by whoever shows it: the older package's one token.
    Renewable {
        /// The user's name, which the older package looks users up by.
        username: Option<String>,
        /// `orig_iat`, in whole seconds: when the session was opened.
        opened_at: Timestamp,
    },
    /// To be exchanged, by Mapae alone.
    Refresh {
        /// Mapae's own refresh token, sealed.
        token: String,
    },
}

/// The claims of a token of SimpleJWT's form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimpleJwtClaims {
    /// `user_id`.
    pub user: UserId,
    /// The session that it was issued for.
    pub session: SessionId,
    /// `jti`.
    pub id: TokenId,
    /// `iat`, in whole seconds.
    pub issued_at: Timestamp,
    /// `exp`, in whole seconds.
    pub expires_at: Timestamp,
    /// `token_type`, and what goes with it.
    pub usage: SimpleJwtUse,
}

/// Signs and checks tokens of SimpleJWT's form.
pub trait SimpleJwtTokens: Send + Sync {
    /// Signs a token.
    ///
    /// An adapter MUST see to it that none of these passes for a token of
    /// [`super::AccessTokens`], and that no service that checks access tokens by audience takes a
    /// refresh token for one.
    ///
    /// # Errors
    /// [`TokenSigningError`] where the key cannot sign.
    fn issue(&self, claims: &SimpleJwtClaims) -> Result<String, TokenSigningError>;

    /// Checks a token of either use.
    ///
    /// An adapter MUST hold to what [`super::AccessTokens::verify`] is held to; its one algorithm
    /// may be a shared key's (RFC 7518 §3.2), which MUST NOT be found by what a token says.
    ///
    /// # Errors
    /// [`TokenError`] for whatever is not exactly that.
    fn verify(&self, token: &str, now: Timestamp) -> Result<SimpleJwtClaims, TokenError>;
}
