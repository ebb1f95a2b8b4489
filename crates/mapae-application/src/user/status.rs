use mapae_domain::session::{SessionClient, SessionEnd};
use mapae_domain::user::UserStatus;
use mapae_domain::{AuditKind, UserId};

use crate::Application;
use crate::error::{Unavailable, rests_on_the_world, until_settled};

/// Why a user's status was not changed.
#[derive(Debug, thiserror::Error)]
pub enum SetUserStatusError {
    /// Nobody has that name.
    #[error("nobody has that username, e-mail address or phone number")]
    NotFound,
    /// Something that Mapae rests on failed.
    #[error("not available")]
    Unavailable(#[source] Unavailable),
}

rests_on_the_world!(SetUserStatusError);

impl Application {
    /// Shuts a user out, or lets them in again, by username, e-mail address or phone number. Either
    /// way every session ends at once.
    ///
    /// # Errors
    /// [`SetUserStatusError`].
    pub async fn set_user_status(
        &self,
        login: &str,
        status: UserStatus,
    ) -> Result<UserId, SetUserStatusError> {
        let name = self.parse_login(login).ok_or(SetUserStatusError::NotFound)?;
        until_settled!({
            let attempt = async {
                let now = self.now();
                let mut work = self.ports.store.begin().await?;
                let found = name.find(&mut *work).await?;
                let user = found.ok_or(SetUserStatusError::NotFound)?;
                if user.record().status == status {
                    return Ok(user.id());
                }
                let user = user.with_status(status, now);
                work.update_user(&user).await?;
                let why = SessionEnd::AuthenticationChanged;
                work.end_sessions_of_user(user.id(), None, why, now).await?;
                let kind = match status {
                    UserStatus::Active => AuditKind::UserEnabled,
                    UserStatus::Disabled => AuditKind::UserDisabled,
                    UserStatus::Withdrawn => AuditKind::UserWithdrawn,
                };
                let nobody = SessionClient::default();
                self.note(&mut *work, kind, user.id(), None, &nobody, now).await?;
                self.commit(work).await?;
                tracing::warn!(user = %user.id(), status = status.as_str(), "status changed");
                Ok(user.id())
            };
            attempt.await
        })
    }
}
