use std::time::Duration;

use mapae_domain::session::SessionClient;
use mapae_domain::user::{LastWayIn, ProfileChange};
use mapae_domain::{AuditKind, Locale, Nickname, PersonName, Timestamp, User, Username};

use crate::Application;
use crate::error::{FieldError, FieldErrors, Unavailable, rests_on_the_world, until_settled};
use crate::outbox::Notice;
use crate::session::Authenticated;

/// How long a username that somebody gave up is nobody else's, so that nobody passes for them.
const FORMER_USERNAME: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Changes a profile: `None` leaves a field, `Some(None)` clears it.
#[derive(Default)]
pub struct ChangeProfile {
    /// The public name to log in with.
    pub username: Option<Option<String>>,
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
    /// A user has the username, or had it lately, or a registration has it that still lives.
    #[error("the username is taken")]
    UsernameTaken,
    /// Nobody could log in any more.
    #[error("the username is the last way to log in")]
    LastWayIn,
    /// The log-in is too long ago to change what is logged in with.
    #[error("the log-in is too long ago for this")]
    ReauthenticationRequired,
    /// The username was changed too often lately.
    #[error("the username was changed too often lately")]
    TooOften {
        /// When it may be changed again.
        retry_at: Timestamp,
    },
    /// The session has ended meanwhile.
    #[error("the session has ended")]
    SessionEnded,
    /// Something that Mapae rests on failed.
    #[error("not available")]
    Unavailable(#[source] Unavailable),
}

rests_on_the_world!(ChangeProfileError);

impl Application {
    /// Changes the caller's profile. Another username asks for a fresh log-in, as everything does
    /// that is logged in with; the one before stays nobody else's for a while.
    ///
    /// # Errors
    /// [`ChangeProfileError`]; nothing has changed then.
    pub async fn change_profile(
        &self,
        caller: &Authenticated,
        command: ChangeProfile,
        client: &SessionClient,
    ) -> Result<User, ChangeProfileError> {
        let mut errors = FieldErrors::default();
        let username = command
            .username
            .map(|typed| errors.parse("username", typed.as_deref(), Username::parse));
        let nickname = command
            .nickname
            .map(|typed| errors.parse("nickname", typed.as_deref(), Nickname::parse));
        let name =
            command.name.map(|typed| errors.parse("name", typed.as_deref(), PersonName::parse));
        let locale = errors.parse("locale", command.locale.as_deref(), Locale::parse);
        errors.into_result().map_err(ChangeProfileError::Invalid)?;
        let change = ProfileChange { nickname, name, locale };
        let username = username.as_ref();
        until_settled!(self.try_change_profile(caller, username, &change, client).await)
    }

    async fn try_change_profile(
        &self,
        caller: &Authenticated,
        username: Option<&Option<Username>>,
        change: &ProfileChange,
        client: &SessionClient,
    ) -> Result<User, ChangeProfileError> {
        let now = self.now();
        let mut work = self.ports.store.begin().await?;
        let held = self.hold_caller(&mut *work, caller, now).await?;
        let (session, user) = held.ok_or(ChangeProfileError::SessionEnded)?;
        let before = user.record().username.clone();
        let renamed = username.filter(|username| **username != before);
        // One row is written once.
        let user = match renamed {
            None => user.change_profile(change.clone(), now),
            Some(username) => {
                if !session.is_fresh(&self.settings.session, now) {
                    return Err(ChangeProfileError::ReauthenticationRequired);
                }
                let user = user
                    .rename(username.clone(), change.clone(), now)
                    .map_err(|LastWayIn| ChangeProfileError::LastWayIn)?;
                // Nobody keeps more names from others than they have days to change them in.
                let named = format!("usernames of {}", user.id());
                if let Err(exhausted) =
                    self.count_against("usernames", &mut *work, &named, now).await?
                {
                    let retry_at = exhausted.retry_at;
                    return Err(ChangeProfileError::TooOften { retry_at });
                }
                if let Some(before) = &before {
                    work.release_username(before, user.id(), now.plus(FORMER_USERNAME)).await?;
                }
                if let Some(username) = username
                    && !work.claim_username(username, user.id(), now).await?
                {
                    return Err(ChangeProfileError::UsernameTaken);
                }
                let (kind, session) = (AuditKind::UsernameChanged, Some(caller.session.id()));
                self.note(&mut *work, kind, user.id(), session, client, now).await?;
                self.queue_notice(&mut *work, &user, Notice::UsernameChanged, now).await?;
                user
            }
        };
        work.update_user(&user).await?;
        self.commit(work).await?;
        Ok(user)
    }
}
