//! `/v1/me`: the account of whoever asks.

use std::sync::Arc;

use mapae_application::Application;
use mapae_application::user::{
    ChangePassword, ChangePasswordError, ChangeProfile, ChangeProfileError, ExportError,
    WithdrawError,
};
use mapae_domain::{Channel, Timestamp, User};
use poem::http::StatusCode;
use poem::web::Data;
use poem_openapi::types::{Example, MaybeUndefined};
use poem_openapi::{Object, OpenApi};
use serde::{Deserialize, Deserializer};

use crate::Tag;
use crate::caller::{Caller, reauthentication_required};
use crate::client::Client;
use crate::cookie::Cookies;
use crate::export::{AccountEvent, Events, ExportAnswer};
use crate::payload::{ApiJson, NoContent, Reply, Secret};
use crate::problem::{Failure, Problem, problems};
use crate::registration::username_taken;
use crate::time::rfc3339;
use crate::token::RevokeReply;

/// A contact of an account.
#[derive(Object)]
pub(crate) struct ProfileContact {
    /// The contact's own id.
    id: String,
    /// `email` or `sms`.
    channel: String,
    /// The address, or the number in E.164.
    value: String,
    /// When it was proved (RFC 3339, UTC).
    verified_at: String,
    /// Messages about the account go to this one.
    primary: bool,
}

/// An account, for its owner.
#[derive(Object)]
#[oai(skip_serializing_if_is_none, example)]
pub(crate) struct Profile {
    /// The id: `sub` in tokens.
    id: String,
    /// The public name to log in with.
    username: Option<String>,
    /// The proved e-mail address.
    email: Option<String>,
    /// The proved phone number, in E.164.
    phone: Option<String>,
    /// What the user wants to be called.
    nickname: Option<String>,
    /// The person's name.
    name: Option<String>,
    /// The language of messages: `ko` or `en`.
    locale: String,
    /// What the user may do.
    roles: Vec<String>,
    /// `active`; more may come.
    status: String,
    /// Every proved contact.
    contacts: Vec<ProfileContact>,
    /// When the registration was completed (RFC 3339, UTC).
    created_at: String,
    /// When something here last changed (RFC 3339, UTC).
    updated_at: String,
}

impl Example for Profile {
    fn example() -> Self {
        let at = rfc3339(Timestamp::from_seconds(1_795_000_000));
        Self {
            id: "019a9c9e-7a10-7b3e-9c51-0f6d0c1b7e01".to_owned(),
            username: Some("minji".to_owned()),
            email: Some("minji@example.com".to_owned()),
            phone: None,
            nickname: Some("민지".to_owned()),
            name: None,
            locale: "ko".to_owned(),
            roles: Vec::new(),
            status: "active".to_owned(),
            contacts: vec![ProfileContact {
                id: "019a9c9e-7a11-7c22-8d33-4b8f2e3d9a66".to_owned(),
                channel: "email".to_owned(),
                value: "minji@example.com".to_owned(),
                verified_at: at.clone(),
                primary: true,
            }],
            created_at: at.clone(),
            updated_at: at,
        }
    }
}

impl From<&User> for Profile {
    fn from(user: &User) -> Self {
        let record = user.record();
        let of = |channel| {
            let held = record.contacts.iter().find(|held| held.contact.channel() == channel)?;
            Some(held.contact.as_str().to_owned())
        };
        let contacts = record.contacts.iter().map(|held| ProfileContact {
            id: held.id.to_string(),
            channel: held.contact.channel().as_str().to_owned(),
            value: held.contact.as_str().to_owned(),
            verified_at: rfc3339(held.verified_at),
            primary: user.primary_contact() == Some(held),
        });
        Self {
            id: record.id.to_string(),
            username: record.username.as_ref().map(|name| name.as_str().to_owned()),
            email: of(Channel::Email),
            phone: of(Channel::Sms),
            nickname: record.nickname.as_ref().map(|name| name.as_str().to_owned()),
            name: record.name.as_ref().map(|name| name.as_str().to_owned()),
            locale: record.locale.as_str().to_owned(),
            roles: record.roles.iter().map(|role| role.as_str().to_owned()).collect(),
            status: record.status.as_str().to_owned(),
            contacts: contacts.collect(),
            created_at: rfc3339(record.created_at),
            updated_at: rfc3339(record.updated_at),
        }
    }
}

/// A change of a profile: what is absent stays, what is `null` goes.
#[derive(Object, Deserialize)]
#[oai(rename = "UpdateProfile", example)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpdateProfileBody {
    /// The public name to log in with; `null` for none. Another one asks for a log-in that is not
    /// older than ten minutes, and the one before is nobody else's for 30 days.
    #[serde(default, deserialize_with = "maybe")]
    username: MaybeUndefined<String>,
    /// What the user wants to be called, up to 40 characters; `null` for nothing.
    #[serde(default, deserialize_with = "maybe")]
    nickname: MaybeUndefined<String>,
    /// The person's name, up to 100 characters; `null` for none.
    #[serde(default, deserialize_with = "maybe")]
    name: MaybeUndefined<String>,
    /// The language of messages: `ko` or `en`.
    locale: Option<String>,
}

impl Example for UpdateProfileBody {
    fn example() -> Self {
        Self {
            username: MaybeUndefined::Undefined,
            nickname: MaybeUndefined::Value("민지".to_owned()),
            name: MaybeUndefined::Undefined,
            locale: Some("ko".to_owned()),
        }
    }
}

/// Reads a member that is there: `null` or a value.
fn maybe<'de, D: Deserializer<'de>>(deserializer: D) -> Result<MaybeUndefined<String>, D::Error> {
    Ok(match Option::<String>::deserialize(deserializer)? {
        Some(value) => MaybeUndefined::Value(value),
        None => MaybeUndefined::Null,
    })
}

/// As the use case wants it: absent, cleared or set.
fn change(field: MaybeUndefined<String>) -> Option<Option<String>> {
    match field {
        MaybeUndefined::Undefined => None,
        MaybeUndefined::Null => Some(None),
        MaybeUndefined::Value(value) => Some(Some(value)),
    }
}

problems! {
    /// Of asking about one's account.
    MeProblems {
        401: "`unauthenticated`: no good access token, or its session has ended.",
    }
    /// Of changing one's profile.
    UpdateProblems {
        400: "`validation_failed` or `malformed_json`.",
        401: "`unauthenticated`: no good access token, or its session has ended; or `reauthentication_required`: the log-in is more than 10 minutes ago, and another username was asked for.",
        403: "`csrf_refused`: the token is in a cookie, and the request comes from elsewhere.",
        409: "`username_taken`; or `username_required`: it is the last way to log in.",
        413: "`body_too_large`: over 64 KiB.",
        415: "`unsupported_media_type`: not JSON.",
        429: "`too_many_changes`: the username was changed too often today.",
    }
    /// Of leaving.
    WithdrawProblems {
        401: "`unauthenticated`: no good access token, or its session has ended; or `reauthentication_required`: the log-in is more than 10 minutes ago.",
        403: "`csrf_refused`: the token is in a cookie, and the request comes from elsewhere.",
    }
    /// Of changing one's password.
    PasswordProblems {
        400: "`validation_failed`, `malformed_json`, or `current_password_mismatch`.",
        401: "`unauthenticated`: no good access token, or its session has ended; or `reauthentication_required`: the log-in is more than 10 minutes ago.",
        403: "`csrf_refused`: the token is in a cookie, and the request comes from elsewhere.",
        413: "`body_too_large`: over 64 KiB.",
        415: "`unsupported_media_type`: not JSON.",
    }
}

/// A change of a password.
#[derive(Object, Deserialize)]
#[oai(rename = "ChangePassword", example)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangePasswordBody {
    /// The password until now; absent for an account that has none.
    current_password: Option<Secret>,
    /// The password from now on: 8 to 256 characters of any kind; common ones are refused.
    new_password: Secret,
}

impl Example for ChangePasswordBody {
    fn example() -> Self {
        Self {
            current_password: Some("correct horse battery staple".into()),
            new_password: "a better horse needs no battery".into(),
        }
    }
}

/// Operations on one's own account.
pub(crate) struct UserApi;

#[OpenApi(prefix_path = "/v1/me", tag = "Tag::Account")]
impl UserApi {
    /// Ask about your account
    ///
    /// The profile with its proved contacts.
    #[oai(path = "/", method = "get", operation_id = "getProfile")]
    async fn get(
        &self,
        Caller(caller): Caller,
    ) -> Result<Reply<200, Profile>, Failure<MeProblems>> {
        Ok(Reply(Profile::from(&caller.user)))
    }

    /// Change your profile
    ///
    /// What is absent stays; `null` clears.
    #[oai(path = "/", method = "patch", operation_id = "updateProfile")]
    async fn update(
        &self,
        application: Data<&Arc<Application>>,
        Caller(caller): Caller,
        Client(client): Client,
        body: ApiJson<UpdateProfileBody>,
    ) -> Result<Reply<200, Profile>, Failure<UpdateProblems>> {
        let UpdateProfileBody { username, nickname, name, locale } = body.value;
        let command = ChangeProfile {
            username: change(username),
            nickname: change(nickname),
            name: change(name),
            locale,
        };
        match application.change_profile(&caller, command, &client).await {
            Ok(user) => Ok(Reply(Profile::from(&user))),
            Err(ChangeProfileError::Invalid(errors)) => Err(Problem::invalid(&errors).into()),
            Err(ChangeProfileError::UsernameTaken) => Err(username_taken().into()),
            Err(ChangeProfileError::LastWayIn) => {
                let detail = "The username is the last way to log in. It can be changed.";
                Err(Problem::new(StatusCode::CONFLICT, "username_required", detail).into())
            }
            Err(ChangeProfileError::ReauthenticationRequired) => {
                Err(reauthentication_required(&application).into())
            }
            Err(ChangeProfileError::TooOften { retry_at }) => {
                Err(Problem::too_many_changes(application.now(), retry_at).into())
            }
            Err(ChangeProfileError::SessionEnded) => {
                let detail = "The session has ended. Please log in.";
                Err(Problem::new(StatusCode::UNAUTHORIZED, "unauthenticated", detail).into())
            }
            Err(ChangeProfileError::Unavailable(error)) => Err(Problem::unavailable(&error).into()),
        }
    }

    /// Change your password
    ///
    /// Every other session of the account ends at once. Asks for a log-in that is not older than ten
    /// minutes.
    #[oai(path = "/password", method = "put", operation_id = "changePassword")]
    async fn change_password(
        &self,
        application: Data<&Arc<Application>>,
        Caller(caller): Caller,
        Client(client): Client,
        body: ApiJson<ChangePasswordBody>,
    ) -> Result<NoContent, Failure<PasswordProblems>> {
        let ChangePasswordBody { current_password, new_password } = body.value;
        let command = ChangePassword {
            current: current_password.map(Secret::into_inner),
            new: new_password.into_inner(),
            client,
        };
        match application.change_password(&caller, command).await {
            Ok(()) => Ok(NoContent),
            Err(ChangePasswordError::Invalid(errors)) => Err(Problem::invalid(&errors).into()),
            Err(ChangePasswordError::ReauthenticationRequired) => {
                Err(reauthentication_required(&application).into())
            }
            Err(ChangePasswordError::Mismatch) => {
                let detail = "The current password is not right.";
                let code = "current_password_mismatch";
                Err(Problem::new(StatusCode::BAD_REQUEST, code, detail).into())
            }
            Err(ChangePasswordError::SessionEnded) => {
                let detail = "The session has ended. Please log in.";
                Err(Problem::new(StatusCode::UNAUTHORIZED, "unauthenticated", detail).into())
            }
            Err(ChangePasswordError::Unavailable(error)) => {
                Err(Problem::unavailable(&error).into())
            }
        }
    }

    /// Leave
    ///
    /// Every session ends, and everything that is kept of the account is destroyed: at once, or after
    /// the grace that the installation has set. Asks for a log-in that is not older than ten minutes.
    #[oai(path = "/", method = "delete", operation_id = "withdraw")]
    async fn withdraw(
        &self,
        application: Data<&Arc<Application>>,
        Caller(caller): Caller,
        cookies: Cookies,
    ) -> Result<RevokeReply, Failure<WithdrawProblems>> {
        match application.withdraw(&caller).await {
            Ok(()) => Ok(RevokeReply::clearing(cookies)),
            Err(WithdrawError::ReauthenticationRequired) => {
                Err(reauthentication_required(&application).into())
            }
            Err(WithdrawError::SessionEnded) => {
                let detail = "The session has ended. Please log in.";
                Err(Problem::new(StatusCode::UNAUTHORIZED, "unauthenticated", detail).into())
            }
            Err(WithdrawError::Unavailable(error)) => Err(Problem::unavailable(&error).into()),
        }
    }

    /// What happened to your account
    ///
    /// Password changes, replayed tokens and the like, latest first, a hundred at the most.
    #[oai(path = "/events", method = "get", operation_id = "listEvents")]
    async fn events(
        &self,
        application: Data<&Arc<Application>>,
        Caller(caller): Caller,
    ) -> Result<Reply<200, Events>, Failure<MeProblems>> {
        match application.events(&caller).await {
            Ok(events) => {
                Ok(Reply(Events { events: events.iter().map(AccountEvent::from).collect() }))
            }
            Err(ExportError::Unavailable(error)) => Err(Problem::unavailable(&error).into()),
        }
    }

    /// Export
    ///
    /// Everything that is kept of the account, but for hashes of secrets.
    #[oai(path = "/export", method = "get", operation_id = "exportAccount")]
    async fn export(
        &self,
        application: Data<&Arc<Application>>,
        Caller(caller): Caller,
    ) -> Result<Reply<200, ExportAnswer>, Failure<MeProblems>> {
        match application.export(&caller).await {
            Ok(export) => Ok(Reply((&export).into())),
            Err(ExportError::Unavailable(error)) => Err(Problem::unavailable(&error).into()),
        }
    }
}
