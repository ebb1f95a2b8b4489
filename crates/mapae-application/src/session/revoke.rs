use mapae_domain::SessionId;
use mapae_domain::session::SessionEnd;

use super::refresh_token::PresentedRefreshToken;
use crate::Application;
use crate::error::{Unavailable, rests_on_the_world};

/// Why a session was not ended.
#[derive(Debug, thiserror::Error)]
pub enum RevokeError {
    /// Something that Mapae rests on failed.
    #[error("not available")]
    Unavailable(#[source] Unavailable),
}

rests_on_the_world!(RevokeError);

impl Application {
    /// Ends the session of a refresh token, whichever of its generations it is.
    ///
    /// A token that is none is no error (RFC 7009 §2.2): nobody learns anything by trying.
    ///
    /// # Errors
    /// [`RevokeError`].
    pub async fn revoke_refresh_token(&self, token: &str) -> Result<(), RevokeError> {
        let Some(presented) = PresentedRefreshToken::parse(token) else { return Ok(()) };
        let mut view = self.ports.store.read().await?;
        let found = view.session_and_user(presented.session).await?;
        drop(view);
        match found {
            Some((session, _)) if self.is_genuine(&presented, session.record()) => {
                self.end_session(session.id()).await
            }
            _ => Ok(()),
        }
    }

    /// Ends a session, which the caller is known to own.
    ///
    /// # Errors
    /// [`RevokeError`].
    pub async fn end_session(&self, id: SessionId) -> Result<(), RevokeError> {
        let now = self.now();
        let mut work = self.ports.store.begin().await?;
        let Some((session, user)) = work.session_and_user(id).await? else { return Ok(()) };
        work.end_session(&session.end(SessionEnd::Revoked, now)).await?;
        work.commit().await?;
        tracing::info!(user = %user.id(), session = %id, "session revoked");
        Ok(())
    }
}
