//! `/v1/me/contacts` and undoing what was done there.

use std::sync::Arc;

use mapae_application::Application;
use mapae_application::user::{ChangeContact, ContactError, UndoContactError};
use mapae_domain::ContactId;
use poem::http::StatusCode;
use poem::web::Data;
use poem_openapi::param::{Header, Path};
use poem_openapi::types::Example;
use poem_openapi::{Object, OpenApi};
use serde::Deserialize;

use crate::Tag;
use crate::caller::{Caller, idempotency_key, reauthentication_required};
use crate::client::Client;
use crate::payload::{ApiJson, NoContent, Reply, Secret};
use crate::problem::{Failure, Problem, problems};
use crate::user::Profile;
use crate::verification::{Verification, contact_taken};

/// A contact to add, or to have in place of the one of its channel.
#[derive(Object, Deserialize)]
#[oai(rename = "ChangeContact", example)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangeBody {
    /// `email` or `sms`.
    channel: String,
    /// The e-mail address or phone number.
    to: String,
}

impl Example for ChangeBody {
    fn example() -> Self {
        Self { channel: "email".to_owned(), to: "minji@new.example.com".to_owned() }
    }
}

/// Undoes a change of a contact.
#[derive(Object, Deserialize)]
#[oai(rename = "UndoContactChange", example)]
#[serde(deny_unknown_fields)]
pub(crate) struct UndoBody {
    /// The key of the link in the message to the old contact.
    key: Secret,
}

impl Example for UndoBody {
    fn example() -> Self {
        Self { key: "q-Zr_TbWmXyKdLsVnPcHgFjAeUoIqZrTbWmXyKdLsVn".into() }
    }
}

problems! {
    /// Of changing a contact.
    ChangeProblems {
        400: "`validation_failed` or `malformed_json`.",
        401: "`unauthenticated`: no good access token, or its session has ended; or `reauthentication_required`: the log-in is more than 10 minutes ago, or was not by a code to the number of an account that is to have its first e-mail address.",
        403: "`csrf_refused`: the token is in a cookie, and the request comes from elsewhere.",
        413: "`body_too_large`: over 64 KiB.",
        415: "`unsupported_media_type`: not JSON.",
        422: "`idempotency_key_reused`: the key came with another request.",
        429: "`contact_send_limit`: the contact has had its messages of the day.",
    }
    /// Of removing a contact.
    RemoveProblems {
        401: "`unauthenticated`: no good access token, or its session has ended; or `reauthentication_required`: the log-in is more than 10 minutes ago.",
        403: "`csrf_refused`: the token is in a cookie, and the request comes from elsewhere.",
        404: "`contact_not_found`: the account has no contact of that id.",
        409: "`contact_required`: it is the last way to log in, or accounts must have one.",
    }
    /// Of choosing the primary contact.
    PrimaryProblems {
        401: "`unauthenticated`: no good access token, or its session has ended; or `reauthentication_required`: the log-in is more than 10 minutes ago.",
        403: "`csrf_refused`: the token is in a cookie, and the request comes from elsewhere.",
        404: "`contact_not_found`: the account has no contact of that id.",
    }
    /// Of undoing a change.
    UndoProblems {
        400: "`validation_failed` or `malformed_json`.",
        404: "`contact_change_not_found`: there is no change of that key, or it was undone before.",
        409: "`contact_taken`: another account has the old contact by now.",
        410: "`undo_expired`: more than 72 hours have passed.",
        413: "`body_too_large`: over 64 KiB.",
        415: "`unsupported_media_type`: not JSON.",
    }
}

/// Operations on the contacts of an account.
pub(crate) struct ContactApi;

#[OpenApi(tag = "Tag::Account")]
impl ContactApi {
    /// Add or change a contact
    ///
    /// Sends a code. Once it is proved, by `POST /v1/verifications/{id}/check` or the mail's link,
    /// the account has the contact, in place of the one of its channel; the last change that was
    /// begun is the one that counts. The old contact is told, and can undo it for 72 hours. Asks for
    /// a log-in that is not older than ten minutes.
    #[oai(path = "/v1/me/contacts", method = "post", operation_id = "changeContact")]
    async fn change(
        &self,
        application: Data<&Arc<Application>>,
        /// Recognises a repeat of the request; kept for 24 hours.
        #[oai(name = "Idempotency-Key")]
        idempotency: Header<Option<String>>,
        Caller(caller): Caller,
        body: ApiJson<ChangeBody>,
    ) -> Result<Reply<202, Verification>, Failure<ChangeProblems>> {
        let operation = format!("changeContact {}", caller.user.id());
        let key = idempotency.0.as_deref();
        let idempotency = idempotency_key(&application, &operation, key, &body.canonical)?;
        let ChangeBody { channel, to } = body.value;
        let command = ChangeContact { channel, to, idempotency };
        match application.change_contact(&caller, command).await {
            Ok(view) => Ok(Reply(view.into())),
            Err(error) => Err(problem(&application, &error).into()),
        }
    }

    /// Remove a contact
    ///
    /// It is told, and can undo that for 72 hours. Asks for a log-in that is not older than ten
    /// minutes.
    #[oai(path = "/v1/me/contacts/:id", method = "delete", operation_id = "removeContact")]
    async fn remove(
        &self,
        application: Data<&Arc<Application>>,
        Caller(caller): Caller,
        /// The contact's id.
        id: Path<String>,
    ) -> Result<NoContent, Failure<RemoveProblems>> {
        let id: ContactId = id.parse().map_err(|_| not_found())?;
        match application.remove_contact(&caller, id).await {
            Ok(()) => Ok(NoContent),
            Err(error) => Err(problem(&application, &error).into()),
        }
    }

    /// Choose your primary contact
    ///
    /// Messages about the account go to it from now on; the one before is told. Asks for a log-in
    /// that is not older than ten minutes.
    #[oai(
        path = "/v1/me/contacts/:id/primary",
        method = "put",
        operation_id = "choosePrimaryContact"
    )]
    async fn choose_primary(
        &self,
        application: Data<&Arc<Application>>,
        Caller(caller): Caller,
        Client(client): Client,
        /// The contact's id.
        id: Path<String>,
    ) -> Result<Reply<200, Profile>, Failure<PrimaryProblems>> {
        let id: ContactId = id.parse().map_err(|_| not_found())?;
        match application.choose_primary_contact(&caller, id, &client).await {
            Ok(user) => Ok(Reply(Profile::from(&user))),
            Err(error) => Err(problem(&application, &error).into()),
        }
    }

    /// Undo a change of a contact
    ///
    /// For whoever held the old contact, by the key of the message to it. The contact comes back,
    /// every session ends, and the password is worth nothing any more: a new one is chosen by a
    /// password reset.
    #[oai(path = "/v1/contact-changes/undo", method = "post", operation_id = "undoContactChange")]
    async fn undo(
        &self,
        application: Data<&Arc<Application>>,
        Client(client): Client,
        body: ApiJson<UndoBody>,
    ) -> Result<NoContent, Failure<UndoProblems>> {
        match application.undo_contact_change(body.value.key.expose(), &client).await {
            Ok(()) => Ok(NoContent),
            Err(error) => Err(undo_problem(&error).into()),
        }
    }
}

fn not_found() -> Problem {
    Problem::not_found("contact_not_found", "The account has no contact of that id.")
}

fn problem(application: &Application, error: &ContactError) -> Problem {
    match error {
        ContactError::Invalid(errors) => Problem::invalid(errors),
        ContactError::ReauthenticationRequired => reauthentication_required(application),
        ContactError::CodeRequired => {
            let detail = "This asks for a recent log-in by a code to the account's number. Please \
                          log in with a receipt.";
            Problem { detail: detail.into(), ..reauthentication_required(application) }
        }
        ContactError::SessionEnded => {
            let detail = "The session has ended. Please log in.";
            Problem::new(StatusCode::UNAUTHORIZED, "unauthenticated", detail)
        }
        ContactError::NotFound => not_found(),
        ContactError::Stays => {
            let detail = "The contact has to stay: it is the last way to log in, or accounts must \
                          have one. It can be changed.";
            Problem::new(StatusCode::CONFLICT, "contact_required", detail)
        }
        ContactError::ContactSendsExhausted { retry_at } => {
            Problem::contact_sends_exhausted(application.now(), *retry_at)
        }
        ContactError::IdempotencyKeyReused => Problem::idempotency_key_reused(),
        ContactError::Unavailable(error) => Problem::unavailable(error),
    }
}

/// What a change that was not undone is answered with.
pub(crate) fn undo_problem(error: &UndoContactError) -> Problem {
    match error {
        UndoContactError::NotFound => {
            let detail = "There is no change of that key, or it was undone before.";
            Problem::not_found("contact_change_not_found", detail)
        }
        UndoContactError::Expired => {
            let detail = "The time to undo it is over.";
            Problem::new(StatusCode::GONE, "undo_expired", detail)
        }
        UndoContactError::ContactTaken => contact_taken(),
        UndoContactError::Unavailable(error) => Problem::unavailable(error),
    }
}
