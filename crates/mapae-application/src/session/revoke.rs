use mapae_domain::session::SessionEnd;
use mapae_domain::{RefreshDecision, SessionId};

use super::refresh_token::PresentedRefreshToken;
use crate::Application;
use crate::error::{Unavailable, rests_on_the_world, until_settled};

/// Why a session was not ended.
#[derive(Debug, thiserror::Error)]
pub enum RevokeError {
    /// Something that Mapae rests on failed.
    #[error("not available")]
    Unavailable(#[source] Unavailable),
}

rests_on_the_world!(RevokeError);

/// Which sessions a log-out ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RevokeScope {
    /// The one that asks.
    This,
    /// The others of its user.
    Others,
    /// All of its user.
    All,
}

impl RevokeScope {
    /// The scope of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "this" => Some(Self::This),
            "others" => Some(Self::Others),
            "all" => Some(Self::All),
            _ => None,
        }
    }
}

impl Application {
    /// Ends the session of a refresh token, whichever of its generations it is, or its user's
    /// others. Says whether there was such a session.
    ///
    /// A token that is none is no error (RFC 7009 §2.2): nobody learns anything by trying. Of the
    /// user's other sessions only a token that a refresh would still honour ends any; one that was
    /// replaced before ends its own.
    ///
    /// # Errors
    /// [`RevokeError`].
    pub async fn revoke_refresh_token(
        &self,
        token: &str,
        scope: RevokeScope,
    ) -> Result<bool, RevokeError> {
        let Some(presented) = PresentedRefreshToken::parse(token) else { return Ok(false) };
        let mut view = self.ports.store.read().await?;
        let found = view.session_and_user(presented.session).await?;
        drop(view);
        let genuine = found.filter(|(session, _)| self.is_genuine(&presented, session.record()));
        let Some((session, user)) = genuine else { return Ok(false) };
        let decision = self.decide(&session, &user, &presented, self.now());
        let is_honoured = matches!(decision, RefreshDecision::Rotate(_) | RefreshDecision::Repeat);
        let scope = if is_honoured { scope } else { RevokeScope::This };
        self.end_sessions(session.id(), scope).await?;
        Ok(true)
    }

    /// Ends a session, which the caller is known to own, or its user's others.
    ///
    /// # Errors
    /// [`RevokeError`].
    pub async fn end_sessions(&self, id: SessionId, scope: RevokeScope) -> Result<(), RevokeError> {
        until_settled!(self.try_end_sessions(id, scope).await)
    }

    async fn try_end_sessions(&self, id: SessionId, scope: RevokeScope) -> Result<(), RevokeError> {
        let now = self.now();
        let mut work = self.ports.store.begin().await?;
        let Some((session, user)) = work.session_and_user(id).await? else { return Ok(()) };
        match scope {
            RevokeScope::This => work.end_session(&session.end(SessionEnd::Revoked, now)).await?,
            RevokeScope::Others | RevokeScope::All => {
                // One after the other: two that end each other would wait in a circle.
                work.lock_user(user.id()).await?;
                let except = (scope == RevokeScope::Others).then_some(id);
                work.end_sessions_of_user(user.id(), except, SessionEnd::Revoked, now).await?;
            }
        }
        self.commit(work).await?;
        tracing::info!(user = %user.id(), session = %id, ?scope, "session revoked");
        Ok(())
    }
}
