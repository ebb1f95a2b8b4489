use mapae_domain::session::{SessionClient, SessionEnd};
use mapae_domain::{AuditKind, UserId};

use crate::Application;
use crate::error::{Unavailable, rests_on_the_world, until_settled};
use crate::outbox::Notice;
use crate::session::Authenticated;

/// Why nobody has left.
#[derive(Debug, thiserror::Error)]
pub enum WithdrawError {
    /// The log-in is too long ago.
    #[error("the log-in is too long ago for this")]
    ReauthenticationRequired,
    /// The session has ended meanwhile.
    #[error("the session has ended")]
    SessionEnded,
    /// Something that Mapae rests on failed.
    #[error("not available")]
    Unavailable(#[source] Unavailable),
}

rests_on_the_world!(WithdrawError);

impl Application {
    /// Lets the caller leave: every session ends, and what is kept of them is destroyed, at once or
    /// once the settings' grace is over. What stays is an audit entry with an id that means nobody.
    ///
    /// # Errors
    /// [`WithdrawError`]; nothing has changed then.
    pub async fn withdraw(&self, caller: &Authenticated) -> Result<(), WithdrawError> {
        until_settled!(self.try_withdraw(caller).await)?;
        if self.settings.withdrawal_grace.is_zero() {
            self.purge_after_erasure().await;
        }
        Ok(())
    }

    async fn try_withdraw(&self, caller: &Authenticated) -> Result<(), WithdrawError> {
        let now = self.now();
        let mut work = self.ports.store.begin().await?;
        let held = self.hold_caller(&mut *work, caller, now).await?;
        let (session, user) = held.ok_or(WithdrawError::SessionEnded)?;
        if !session.is_fresh(&self.settings.session, now) {
            return Err(WithdrawError::ReauthenticationRequired);
        }
        let id: UserId = user.id();
        self.queue_notice(&mut *work, &user, Notice::Withdrawn, now).await?;
        let (kind, nowhere) = (AuditKind::UserWithdrawn, SessionClient::default());
        self.note(&mut *work, kind, id, None, &nowhere, now).await?;
        let grace = self.settings.withdrawal_grace;
        if grace.is_zero() {
            work.erase_user(id).await?;
        } else {
            work.update_user(&user.withdraw(grace, now)).await?;
            let why = SessionEnd::AuthenticationChanged;
            work.end_sessions_of_user(id, None, why, now).await?;
        }
        self.commit(work).await?;
        tracing::info!(user = %id, "withdrawn");
        Ok(())
    }

    /// Sees that what was erased is in no file any more. Where that fails now, retention does it.
    async fn purge_after_erasure(&self) {
        if let Err(error) = self.ports.store.purge().await {
            tracing::warn!(error = &error as &dyn std::error::Error, "not purged yet");
        }
    }
}
