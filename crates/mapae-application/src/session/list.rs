use mapae_domain::session::{SessionClient, SessionEnd};
use mapae_domain::{AuthMethod, SessionId, Timestamp};

use super::Authenticated;
use crate::Application;
use crate::error::{Unavailable, rests_on_the_world};

/// A session, for its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionView {
    /// The id.
    pub id: SessionId,
    /// Whether it is the one that asks.
    pub current: bool,
    /// From where it was opened.
    pub client: SessionClient,
    /// How its user showed who they are.
    pub methods: Vec<AuthMethod>,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When it was last refreshed, or else opened.
    pub last_used_at: Timestamp,
    /// When it ends unless it is refreshed before.
    pub expires_at: Timestamp,
}

/// Why sessions are not listed.
#[derive(Debug, thiserror::Error)]
pub enum ListSessionsError {
    /// Something that Mapae rests on failed.
    #[error("not available")]
    Unavailable(#[source] Unavailable),
}

/// Why a session was not ended.
#[derive(Debug, thiserror::Error)]
pub enum EndSessionError {
    /// There is none of that id that is open and the caller's.
    #[error("no such session")]
    NotFound,
    /// Something that Mapae rests on failed.
    #[error("not available")]
    Unavailable(#[source] Unavailable),
}

rests_on_the_world!(ListSessionsError, EndSessionError);

impl Application {
    /// The caller's open sessions, latest used first (ASVS 5.0 7.5.2).
    ///
    /// # Errors
    /// [`ListSessionsError`].
    pub async fn sessions(
        &self,
        caller: &Authenticated,
    ) -> Result<Vec<SessionView>, ListSessionsError> {
        let now = self.now();
        let mut view = self.ports.store.read().await?;
        let sessions = view.open_sessions_of_user(caller.user.id(), now).await?;
        let generation = caller.user.record().auth_generation;
        let open = sessions.iter().filter(|session| session.is_open(generation, now));
        Ok(open
            .map(|session| {
                let record = session.record();
                SessionView {
                    id: record.id,
                    current: record.id == caller.claims.session,
                    client: record.client.clone(),
                    methods: record.methods.clone(),
                    created_at: record.created_at,
                    last_used_at: record.rotated_at,
                    expires_at: record.idle_expires_at,
                }
            })
            .collect())
    }

    /// Ends a session of the caller's.
    ///
    /// # Errors
    /// [`EndSessionError`].
    pub async fn end_own_session(
        &self,
        caller: &Authenticated,
        id: SessionId,
    ) -> Result<(), EndSessionError> {
        let now = self.now();
        let mut work = self.ports.store.begin().await?;
        let found = work.session_and_user(id).await?;
        let (session, user) = found
            .filter(|(session, user)| {
                user.id() == caller.user.id() && session.is_open(user.record().auth_generation, now)
            })
            .ok_or(EndSessionError::NotFound)?;
        work.end_session(&session.end(SessionEnd::Revoked, now)).await?;
        self.commit(work).await?;
        tracing::info!(user = %user.id(), session = %id, "session revoked");
        Ok(())
    }
}
