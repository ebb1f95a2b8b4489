use mapae_domain::session::{SessionClient, SessionEnd};
use mapae_domain::{AuditKind, AuthMethod, Password, PasswordHash};
use zeroize::Zeroizing;

use crate::Application;
use crate::error::{FieldError, FieldErrors, Unavailable, rests_on_the_world, until_settled};
use crate::outbox::Notice;
use crate::ports::PasswordCheck;
use crate::session::{Authenticated, ReauthenticationRequired};

/// Changes a password.
pub struct ChangePassword {
    /// The password until now; none for a user who has none.
    pub current: Option<Zeroizing<String>>,
    /// The password from now on.
    pub new: Zeroizing<String>,
    /// From where.
    pub client: SessionClient,
}

/// Why a password was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangePasswordError {
    /// Fields hold what they cannot.
    #[error("fields are not valid")]
    Invalid(Vec<FieldError>),
    /// The log-in is too long ago.
    #[error("the log-in is too long ago for this")]
    ReauthenticationRequired,
    /// The password until now is another.
    #[error("the current password does not match")]
    Mismatch,
    /// The session has ended meanwhile.
    #[error("the session has ended")]
    SessionEnded,
    /// Something that Mapae rests on failed.
    #[error("not available")]
    Unavailable(#[source] Unavailable),
}

rests_on_the_world!(ChangePasswordError);

impl Application {
    /// Changes the caller's password. Every other session ends, and so does whatever was begun by
    /// the old one (ASVS 5.0 7.4.3); the session that asks goes on, as freshly authenticated.
    ///
    /// # Errors
    /// [`ChangePasswordError`]; nothing has changed then.
    pub async fn change_password(
        &self,
        caller: &Authenticated,
        command: ChangePassword,
    ) -> Result<(), ChangePasswordError> {
        self.require_fresh(caller, self.now())
            .map_err(|ReauthenticationRequired| ChangePasswordError::ReauthenticationRequired)?;
        let mut errors = FieldErrors::default();
        let stored = caller.user.record().password_hash.clone();
        let current = command.current.as_ref().map(|password| password.as_str());
        if current.is_none() && stored.is_some() {
            errors.add("current_password", mapae_domain::InvalidValue::Required);
        }
        let current = errors.parse("current_password", current, Password::present);
        let new = errors.parse("new_password", Some(&command.new), |typed| {
            Password::choose(typed, self.settings.password)
        });
        errors.into_result().map_err(ChangePasswordError::Invalid)?;
        if let (Some(current), Some(_)) = (current, &stored) {
            let check = self.ports.passwords.check(current, stored.clone()).await?;
            if !matches!(check, PasswordCheck::Match { .. }) {
                tracing::info!(user = %caller.user.id(), "current password refused");
                return Err(ChangePasswordError::Mismatch);
            }
        }
        let Some(new) = new else { return Err(ChangePasswordError::Invalid(Vec::new())) };
        let hash = self.ports.passwords.hash(new).await?;
        until_settled!(
            self.try_change_password(caller, stored.as_ref(), &hash, &command.client).await
        )
    }

    async fn try_change_password(
        &self,
        caller: &Authenticated,
        checked: Option<&PasswordHash>,
        hash: &PasswordHash,
        client: &SessionClient,
    ) -> Result<(), ChangePasswordError> {
        let now = self.now();
        let (id, session) = (caller.user.id(), caller.session.id());
        let mut work = self.ports.store.begin().await?;
        let found = work.session_and_user(session).await?;
        // What was checked must still be so: the hashes took a while.
        let (session, user) = found
            .filter(|(session, user)| {
                user.is_active()
                    && session.is_open(user.record().auth_generation, now)
                    && user.record().password_hash.as_ref() == checked
            })
            .ok_or(ChangePasswordError::SessionEnded)?;
        let user = user.change_password(hash.clone(), now);
        work.update_user(&user).await?;
        let methods = match checked {
            Some(_) => vec![AuthMethod::Password],
            None => session.record().methods.clone(),
        };
        let authenticated_at = match checked {
            Some(_) => now,
            None => session.record().authenticated_at,
        };
        let generation = user.record().auth_generation;
        let session = session.reauthenticate(methods, generation, authenticated_at);
        if !work.reauthenticate_session(&session).await? {
            return Err(ChangePasswordError::SessionEnded);
        }
        let why = SessionEnd::AuthenticationChanged;
        work.end_sessions_of_user(id, Some(session.id()), why, now).await?;
        let kind = AuditKind::PasswordChanged;
        self.note(&mut *work, kind, id, Some(session.id()), client, now).await?;
        self.queue_notice(&mut *work, &user, Notice::PasswordChanged, now).await?;
        self.commit(work).await?;
        tracing::info!(user = %id, session = %session.id(), "password changed");
        Ok(())
    }
}
