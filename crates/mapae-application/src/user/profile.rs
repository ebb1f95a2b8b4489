use mapae_domain::user::ProfileChange;
use mapae_domain::{Locale, Nickname, PersonName, User, UserId};

use crate::Application;
use crate::error::{FieldError, FieldErrors, Unavailable, rests_on_the_world, until_settled};

/// Changes a profile: `None` leaves a field, `Some(None)` clears it.
#[derive(Default)]
pub struct ChangeProfile {
    /// What the user wants to be called.
    pub nickname: Option<Option<String>>,
    /// The person's name.
    pub name: Option<Option<String>>,
    /// The language of messages.
    pub locale: Option<String>,
}

/// Why a profile was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeProfileError {
    /// Fields hold what they cannot.
    #[error("fields are not valid")]
    Invalid(Vec<FieldError>),
    /// There is no such user any more.
    #[error("no such user")]
    NotFound,
    /// Something that Mapae rests on failed.
    #[error("not available")]
    Unavailable(#[source] Unavailable),
}

rests_on_the_world!(ChangeProfileError);

impl Application {
    /// Changes a user's profile.
    ///
    /// # Errors
    /// [`ChangeProfileError`]; nothing has changed then.
    pub async fn change_profile(
        &self,
        id: UserId,
        command: ChangeProfile,
    ) -> Result<User, ChangeProfileError> {
        let mut errors = FieldErrors::default();
        let nickname = command
            .nickname
            .map(|typed| errors.parse("nickname", typed.as_deref(), Nickname::parse));
        let name =
            command.name.map(|typed| errors.parse("name", typed.as_deref(), PersonName::parse));
        let locale = errors.parse("locale", command.locale.as_deref(), Locale::parse);
        errors.into_result().map_err(ChangeProfileError::Invalid)?;
        let change = ProfileChange { nickname, name, locale };
        until_settled!({
            let attempt = async {
                let now = self.now();
                let mut work = self.ports.store.begin().await?;
                let user = work.user(id).await?.ok_or(ChangeProfileError::NotFound)?;
                let user = user.change_profile(change.clone(), now);
                work.update_user(&user).await?;
                work.commit().await?;
                Ok(user)
            };
            attempt.await
        })
    }
}
