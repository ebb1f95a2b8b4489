use mapae_domain::{AccessClaims, User};

use crate::Application;
use crate::error::{Unavailable, rests_on_the_world};
use crate::ports::TokenError;

/// Whoever showed a good access token.
#[derive(Debug, Clone)]
pub struct Authenticated {
    /// The user, as stored now.
    pub user: User,
    /// What the token says.
    pub claims: AccessClaims,
}

/// Why an access token was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum AuthenticateError {
    /// The token is none, or not any more.
    #[error("{0}")]
    Token(TokenError),
    /// The token is good, but its session has ended, or its user may not log in any more.
    #[error("the session has ended")]
    SessionEnded,
    /// Something that Mapae rests on failed.
    #[error("not available")]
    Unavailable(#[source] Unavailable),
}

rests_on_the_world!(AuthenticateError);

impl Application {
    /// Checks an access token by itself, as any other service can: signature, kind, issuer,
    /// audience, expiry.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn verify_access_token(&self, token: &str) -> Result<AccessClaims, TokenError> {
        self.ports.tokens.verify(token, self.now())
    }

    /// Checks an access token for an operation of Mapae's own: its session must be open, too, so
    /// that a log-out counts at once.
    ///
    /// # Errors
    /// [`AuthenticateError`].
    pub async fn authenticate(&self, token: &str) -> Result<Authenticated, AuthenticateError> {
        let now = self.now();
        let claims = self.ports.tokens.verify(token, now).map_err(AuthenticateError::Token)?;
        let mut view = self.ports.store.read().await?;
        let found = view.session_and_user(claims.session).await?;
        let (_, user) = found
            .filter(|(session, user)| {
                user.id() == claims.user
                    && user.is_active()
                    && session.is_open(user.record().auth_generation, now)
            })
            .ok_or(AuthenticateError::SessionEnded)?;
        Ok(Authenticated { user, claims })
    }

    /// The public keys by which others check access tokens: a JWK Set in JSON (RFC 7517 §5).
    pub fn jwks(&self) -> String {
        self.ports.tokens.jwks()
    }
}
