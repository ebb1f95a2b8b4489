use mapae_domain::session::{SessionClient, SessionEnd};
use mapae_domain::{AuditKind, RefreshDecision, Session, Timestamp, User};

use super::TokenPair;
use super::refresh_token::PresentedRefreshToken;
use crate::Application;
use crate::error::{Unavailable, rests_on_the_world, until_settled};
use crate::ports::StoreError;

/// Why a session was not refreshed.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// The token is none, or not any more; its session has ended, or is somebody else's by now.
    #[error("the refresh token is not valid")]
    InvalidGrant,
    /// Something that Mapae rests on failed. The token is as good as it was.
    #[error("not available")]
    Unavailable(#[source] Unavailable),
}

rests_on_the_world!(RefreshError);

impl Application {
    /// Exchanges a refresh token for the next pair.
    ///
    /// Whoever repeats a refresh within the reuse window, because the answer was lost or because
    /// two of them ran at once, gets the same refresh token as the first.
    ///
    /// # Errors
    /// [`RefreshError`].
    pub async fn refresh(
        &self,
        token: &str,
        client: &SessionClient,
    ) -> Result<TokenPair, RefreshError> {
        let presented = PresentedRefreshToken::parse(token).ok_or(RefreshError::InvalidGrant)?;
        let now = self.now();
        let mut view = self.ports.store.read().await?;
        let found = view.session_and_user(presented.session).await?;
        drop(view);
        // Most of what is refused, and every repeat, needs no turn at writing.
        let (session, user) = self.genuine(found, &presented)?;
        match self.decide(&session, &user, &presented, now) {
            RefreshDecision::Refuse => Err(RefreshError::InvalidGrant),
            RefreshDecision::Repeat => Ok(self.sign_pair(&session, &user, now)?),
            RefreshDecision::Rotate(_) | RefreshDecision::End(_) => {
                until_settled!(self.try_refresh(&presented, client).await)
            }
        }
    }

    /// Signs a new access token for a refresh token that stays as it is, for clients that cannot
    /// keep another one. One that was replaced all the same fares as at any refresh.
    pub(super) async fn use_without_rotation(
        &self,
        token: &str,
        client: &SessionClient,
    ) -> Result<TokenPair, RefreshError> {
        let presented = PresentedRefreshToken::parse(token).ok_or(RefreshError::InvalidGrant)?;
        let now = self.now();
        let found = self.ports.store.read().await?.session_and_user(presented.session).await?;
        let (session, user) = self.genuine(found, &presented)?;
        match self.decide(&session, &user, &presented, now) {
            RefreshDecision::Rotate(_) => Ok(self.sign_pair(&session, &user, now)?),
            _ => self.refresh(token, client).await,
        }
    }

    /// Whether a refresh token is the one that its session would rotate now.
    pub(super) async fn is_current_refresh_token(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let Some(presented) = PresentedRefreshToken::parse(token) else { return Ok(false) };
        let found = self.ports.store.read().await?.session_and_user(presented.session).await?;
        Ok(self.genuine(found, &presented).is_ok_and(|(session, user)| {
            let decision = self.decide(&session, &user, &presented, now);
            matches!(decision, RefreshDecision::Rotate(_))
        }))
    }

    /// Decides once more on what is stored now, and stores what comes of it.
    async fn try_refresh(
        &self,
        presented: &PresentedRefreshToken,
        client: &SessionClient,
    ) -> Result<TokenPair, RefreshError> {
        let now = self.now();
        let mut work = self.ports.store.begin().await?;
        let found = work.session_and_user(presented.session).await?;
        let (session, user) = self.genuine(found, presented)?;
        match self.decide(&session, &user, presented, now) {
            RefreshDecision::Rotate(next) => {
                if !work.rotate_session(&next, session.record().generation).await? {
                    return Err(StoreError::Stale.into());
                }
                self.commit(work).await?;
                Ok(self.sign_pair(&next, &user, now)?)
            }
            RefreshDecision::Repeat => Ok(self.sign_pair(&session, &user, now)?),
            RefreshDecision::End(ended) => {
                work.end_session(&ended).await?;
                if let Some((_, SessionEnd::Replayed)) = ended.record().ended {
                    let (kind, session) = (AuditKind::RefreshTokenReplayed, Some(ended.id()));
                    self.note(&mut *work, kind, user.id(), session, client, now).await?;
                }
                self.commit(work).await?;
                tracing::warn!(
                    user = %user.id(),
                    session = %ended.id(),
                    why = ended.record().ended.map(|(_, why)| why.as_str()),
                    "session ended at a refresh"
                );
                Err(RefreshError::InvalidGrant)
            }
            RefreshDecision::Refuse => Err(RefreshError::InvalidGrant),
        }
    }

    /// The session of a token that Mapae made, and its user, who may still log in.
    fn genuine(
        &self,
        found: Option<(Session, User)>,
        presented: &PresentedRefreshToken,
    ) -> Result<(Session, User), RefreshError> {
        found
            .filter(|(session, user)| {
                self.is_genuine(presented, session.record()) && user.is_active()
            })
            .ok_or(RefreshError::InvalidGrant)
    }

    pub(super) fn decide(
        &self,
        session: &Session,
        user: &User,
        presented: &PresentedRefreshToken,
        now: Timestamp,
    ) -> RefreshDecision {
        session.clone().refresh(
            presented.generation,
            user.record().auth_generation,
            &self.settings.session,
            now,
        )
    }
}
