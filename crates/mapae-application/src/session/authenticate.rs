use mapae_domain::{AccessClaims, Session, SessionId, Timestamp, User, UserId};

use super::claims_of;
use crate::Application;
use crate::error::{Unavailable, rests_on_the_world};
use crate::ports::{SimpleJwtUse, StoreError, TokenError, UnitOfWork};

/// Whoever showed a good access token.
#[derive(Debug, Clone)]
pub struct Authenticated {
    /// The user, as stored now.
    pub user: User,
    /// The session, as stored now.
    pub session: Session,
    /// What the token says.
    pub claims: AccessClaims,
}

/// Why somebody must log in once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the log-in is too long ago for this")]
pub struct ReauthenticationRequired;

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
        let claims = match self.ports.tokens.verify(token, now) {
            Ok(claims) => claims,
            Err(refused) => return self.authenticate_simplejwt(token, refused, now).await,
        };
        let (session, user) = self.find_open(claims.session, claims.user, now).await?;
        Ok(Authenticated { user, session, claims })
    }

    /// Checks a token of SimpleJWT's form, where those are served: `refused` is what it is otherwise.
    async fn authenticate_simplejwt(
        &self,
        token: &str,
        refused: TokenError,
        now: Timestamp,
    ) -> Result<Authenticated, AuthenticateError> {
        let Some(tokens) = self.ports.simplejwt.as_ref().filter(|_| refused == TokenError::Invalid)
        else {
            return Err(AuthenticateError::Token(refused));
        };
        let shown = tokens.verify(token, now).map_err(AuthenticateError::Token)?;
        if matches!(shown.usage, SimpleJwtUse::Refresh { .. }) {
            return Err(AuthenticateError::Token(TokenError::Invalid));
        }
        let (session, user) = self.find_open(shown.session, shown.user, now).await?;
        // All that such a token is believed is whose session it is of.
        let claims = claims_of(&session, &user, shown.id, shown.issued_at, shown.expires_at);
        Ok(Authenticated { user, session, claims })
    }

    /// The session of that id, open, and its user, who is the one that is meant.
    pub(super) async fn find_open(
        &self,
        session: SessionId,
        user: UserId,
        now: Timestamp,
    ) -> Result<(Session, User), AuthenticateError> {
        let mut view = self.ports.store.read().await?;
        let found = view.session_and_user(session).await?;
        found
            .filter(|(session, owner)| {
                owner.id() == user
                    && owner.is_active()
                    && session.is_open(owner.record().auth_generation, now)
            })
            .ok_or(AuthenticateError::SessionEnded)
    }

    /// Sees that the caller showed who they are so lately that they may change a contact or a
    /// password (ASVS 5.0 7.5.1).
    ///
    /// # Errors
    /// [`ReauthenticationRequired`].
    pub fn require_fresh(
        &self,
        caller: &Authenticated,
        now: Timestamp,
    ) -> Result<(), ReauthenticationRequired> {
        if caller.session.is_fresh(&self.settings.session, now) {
            Ok(())
        } else {
            Err(ReauthenticationRequired)
        }
    }

    /// The caller's session and user, as they are now and held until the unit of work ends; `None`
    /// where the session is not open any more, whatever was so when the request was let in: its body
    /// may have come long after its head.
    pub(crate) async fn hold_caller(
        &self,
        work: &mut dyn UnitOfWork,
        caller: &Authenticated,
        now: Timestamp,
    ) -> Result<Option<(Session, User)>, StoreError> {
        if work.lock_user(caller.user.id()).await?.is_none() {
            return Ok(None);
        }
        let found = work.session_and_user(caller.session.id()).await?;
        Ok(found.filter(|(session, user)| {
            user.is_active() && session.is_open(user.record().auth_generation, now)
        }))
    }

    /// The public keys by which others check access tokens: a JWK Set in JSON (RFC 7517 §5).
    pub fn jwks(&self) -> String {
        self.ports.tokens.jwks()
    }
}
