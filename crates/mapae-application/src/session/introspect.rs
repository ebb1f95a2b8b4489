use mapae_domain::{AccessClaims, SessionId, Timestamp, UserId};
use zeroize::Zeroizing;

use super::AuthenticateError;
use super::refresh_token::PresentedRefreshToken;
use crate::Application;
use crate::error::{Unavailable, rests_on_the_world};
use crate::ports::HashContext;

/// A service that may ask about tokens, and what it shows for it.
#[derive(Clone)]
pub struct ServiceClient {
    /// Its name.
    pub id: String,
    /// Its secret.
    pub secret: Zeroizing<String>,
}

impl std::fmt::Debug for ServiceClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServiceClient").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What a token is worth now.
#[derive(Debug, Clone)]
pub enum Introspection {
    /// Nothing: it is none, or not any more. Why, nobody is told (RFC 7662 §2.2).
    Inactive,
    /// A good access token whose session is open.
    Access(AccessClaims),
    /// The current refresh token of an open session.
    Refresh {
        /// Whose it is.
        user: UserId,
        /// The session.
        session: SessionId,
        /// When it was made.
        issued_at: Timestamp,
        /// Until when it is good.
        expires_at: Timestamp,
    },
}

/// Why a token was not looked at.
#[derive(Debug, thiserror::Error)]
pub enum IntrospectError {
    /// Something that Mapae rests on failed.
    #[error("not available")]
    Unavailable(#[source] Unavailable),
}

rests_on_the_world!(IntrospectError);

impl Application {
    /// Whether a service is the one that it says, in a time that does not depend on how much of its
    /// secret is right.
    pub fn is_service_client(&self, id: &str, secret: &str) -> bool {
        let hash =
            |secret: &str| self.ports.secrets.hash(HashContext::ClientSecret, &[secret.as_bytes()]);
        let shown = hash(secret);
        let known = self.settings.clients.iter().find(|client| client.id == id);
        // An unknown name costs a hash as well.
        let expected = hash(known.map_or("", |client| client.secret.as_str()));
        known.is_some() && expected.matches(&shown)
    }

    /// Says what a token is worth now, its session and its user included (RFC 7662).
    ///
    /// # Errors
    /// [`IntrospectError`].
    pub async fn introspect(&self, token: &str) -> Result<Introspection, IntrospectError> {
        match self.authenticate(token).await {
            Ok(caller) => return Ok(Introspection::Access(caller.claims)),
            Err(AuthenticateError::Unavailable(error)) => {
                return Err(IntrospectError::Unavailable(error));
            }
            Err(AuthenticateError::Token(_) | AuthenticateError::SessionEnded) => {}
        }
        let Some(presented) = PresentedRefreshToken::parse(token) else {
            return Ok(Introspection::Inactive);
        };
        let now = self.now();
        let mut view = self.ports.store.read().await?;
        let found = view.session_and_user(presented.session).await?;
        let good = found.filter(|(session, user)| {
            self.is_genuine(&presented, session.record())
                && presented.generation == session.record().generation
                && user.is_active()
                && session.is_open(user.record().auth_generation, now)
        });
        Ok(good.map_or(Introspection::Inactive, |(session, user)| Introspection::Refresh {
            user: user.id(),
            session: session.id(),
            issued_at: session.record().rotated_at,
            expires_at: session.record().idle_expires_at,
        }))
    }

    /// Ends the session of an access or refresh token; of one that is none, nothing (RFC 7009 §2.2).
    ///
    /// # Errors
    /// [`IntrospectError`].
    pub async fn revoke_token(&self, token: &str) -> Result<(), IntrospectError> {
        let scope = super::RevokeScope::This;
        let ended = match self.authenticate(token).await {
            Ok(caller) => self.end_sessions(caller.claims.session, scope).await,
            Err(AuthenticateError::Unavailable(error)) => {
                return Err(IntrospectError::Unavailable(error));
            }
            Err(AuthenticateError::Token(_) | AuthenticateError::SessionEnded) => {
                self.revoke_refresh_token(token, scope).await.map(drop)
            }
        };
        ended.map_err(|super::RevokeError::Unavailable(error)| IntrospectError::Unavailable(error))
    }
}
