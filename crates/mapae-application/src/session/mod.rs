//! Sessions and their tokens: logging in, refreshing, checking, logging out.

mod authenticate;
mod csrf;
mod introspect;
mod list;
pub(crate) mod log_in;
mod refresh;
mod refresh_token;
mod revoke;
mod simplejwt;

pub use authenticate::{AuthenticateError, Authenticated, ReauthenticationRequired};
pub use introspect::{IntrospectError, Introspection, ServiceClient};
pub use list::{EndSessionError, ListSessionsError, SessionView};
pub use log_in::{LogIn, LogInError, ReceiptLogInError, RegistrationTokensError};
pub use refresh::RefreshError;
pub use revoke::{RevokeError, RevokeScope};
pub use simplejwt::{SimpleJwtPair, SimpleJwtRefused};

use std::time::Duration;

use mapae_domain::session::{NewSession, SessionClient, SessionSeed};
use mapae_domain::{
    AccessClaims, AuditEntry, AuditId, AuditKind, AuthMethod, Channel, Session, SessionId,
    Timestamp, TokenId, User, UserId, Username,
};
use zeroize::Zeroizing;

use crate::Application;
use crate::consent::ConsentDemand;
use crate::error::Unavailable;
use crate::ports::{StoreError, TokenSigningError, UnitOfWork};

/// What a log-in or a refresh gives.
pub struct TokenPair {
    /// The access token.
    pub access_token: String,
    /// How long it is good.
    pub expires_in: Duration,
    /// The refresh token.
    pub refresh_token: Zeroizing<String>,
    /// How long it is good.
    pub refresh_expires_in: Duration,
    /// The session that both belong to.
    pub session: SessionId,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// Whose it is.
    pub user: UserId,
    /// The name of whose it is.
    pub username: Option<Username>,
    /// What they are to be asked; nothing in a refresh, which asks nobody.
    pub consents_required: Vec<ConsentDemand>,
}

impl Application {
    /// Opens a session in a unit of work.
    pub(crate) async fn open_session(
        &self,
        work: &mut dyn UnitOfWork,
        user: &User,
        methods: Vec<AuthMethod>,
        client: SessionClient,
        now: Timestamp,
    ) -> Result<Session, StoreError> {
        let mut random = self.random();
        let mut seed = [0; 32];
        random(&mut seed);
        let new = NewSession {
            id: SessionId::draw(now, &mut random),
            user: user.id(),
            auth_generation: user.record().auth_generation,
            seed: SessionSeed::from_bytes(seed),
            methods,
            client,
        };
        let session = Session::open(new, &self.settings.session, now);
        work.insert_session(&session).await?;
        Ok(session)
    }

    /// Signs the first tokens of a session, which ask for the consents that are missing.
    pub(crate) async fn sign_first_pair(
        &self,
        work: &mut dyn UnitOfWork,
        session: &Session,
        user: &User,
        now: Timestamp,
    ) -> Result<TokenPair, Unavailable> {
        let consents_required = self.consents_required(work, user.id()).await?;
        Ok(TokenPair { consents_required, ..self.sign_pair(session, user, now)? })
    }

    /// Signs the tokens of a session's current generation.
    pub(crate) fn sign_pair(
        &self,
        session: &Session,
        user: &User,
        now: Timestamp,
    ) -> Result<TokenPair, TokenSigningError> {
        let record = session.record();
        let lifetime = self.settings.session.access_lifetime;
        // No access token outlives its session.
        let expires_at = now.plus(lifetime).min(record.expires_at);
        let id = TokenId::draw(now, &mut self.random());
        let claims = claims_of(session, user, id, now, expires_at);
        Ok(TokenPair {
            access_token: self.ports.tokens.issue(&claims)?,
            expires_in: now.until(expires_at),
            refresh_token: self.refresh_token(record),
            refresh_expires_in: now.until(record.idle_expires_at),
            session: record.id,
            opened_at: record.created_at,
            user: user.id(),
            username: user.record().username.clone(),
            consents_required: Vec::new(),
        })
    }

    /// Notes what happened to an account, in the unit of work that it happened in.
    pub(crate) async fn note(
        &self,
        work: &mut dyn UnitOfWork,
        kind: AuditKind,
        user: UserId,
        session: Option<SessionId>,
        client: &SessionClient,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let id = AuditId::draw(at, &mut self.random());
        let client = client.clone();
        work.insert_audit_entry(&AuditEntry { id, at, kind, user, session, client }).await
    }
}

/// What an access token of a session says.
fn claims_of(
    session: &Session,
    user: &User,
    id: TokenId,
    issued_at: Timestamp,
    expires_at: Timestamp,
) -> AccessClaims {
    let record = session.record();
    AccessClaims {
        user: user.id(),
        session: record.id,
        id,
        issued_at,
        expires_at,
        authenticated_at: record.authenticated_at,
        methods: record.methods.clone(),
        roles: user.record().roles.clone(),
        email_verified: user.has_verified(Channel::Email),
        phone_verified: user.has_verified(Channel::Sms),
    }
}
