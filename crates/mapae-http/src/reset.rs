//! `/v1/password-resets`: a new password for whoever forgot the old one.

use std::sync::Arc;

use mapae_application::Application;
use mapae_application::user::{
    CompletePasswordReset, CompleteResetError, PasswordResetView, RequestPasswordReset,
    RequestResetError, ResetProof,
};
use mapae_domain::{Timestamp, VerificationId};
use poem::http::StatusCode;
use poem::web::Data;
use poem_openapi::param::{Header, Path};
use poem_openapi::types::Example;
use poem_openapi::{Object, OpenApi};
use serde::Deserialize;

use crate::Tag;
use crate::caller::{PreferredLocale, idempotency_key};
use crate::client::Client;
use crate::payload::{ApiJson, NoContent, Reply, Secret};
use crate::problem::{Failure, FieldProblem, Problem, problems};
use crate::time::rfc3339;
use crate::verification::refused_problem;

/// Asks for a way to choose a new password.
#[derive(Object, Deserialize)]
#[oai(rename = "RequestPasswordReset", example)]
#[serde(deny_unknown_fields)]
pub(crate) struct RequestBody {
    /// A username, an e-mail address or a phone number.
    login: String,
}

impl Example for RequestBody {
    fn example() -> Self {
        Self { login: "minji@example.com".to_owned() }
    }
}

/// Chooses a new password.
#[derive(Object, Deserialize)]
#[oai(rename = "CompletePasswordReset", example)]
#[serde(deny_unknown_fields)]
pub(crate) struct CompleteBody {
    /// The code of the message; or else `key`.
    code: Option<Secret>,
    /// The key of the mail's link; or else `code`.
    key: Option<Secret>,
    /// The password from now on: 8 to 256 characters of any kind; common ones are refused.
    new_password: Secret,
}

impl Example for CompleteBody {
    fn example() -> Self {
        Self {
            code: Some("493817".into()),
            key: None,
            new_password: "a better horse needs no battery".into(),
        }
    }
}

/// A password reset. It looks the same whether there is an account or not.
#[derive(Object)]
#[oai(rename = "PasswordReset", example)]
pub(crate) struct PasswordReset {
    /// The id.
    id: String,
    /// `pending`, `verified` once the new password is set, `expired` or `exhausted`.
    status: String,
    /// Digits of the code.
    code_length: u8,
    /// Until when code and link are good (RFC 3339, UTC).
    expires_at: String,
    /// How many codes will still be compared.
    attempts_left: u8,
}

impl Example for PasswordReset {
    fn example() -> Self {
        Self {
            id: "019a9c9e-8b10-7d3e-8c51-1f6d0c1b7e02".to_owned(),
            status: "pending".to_owned(),
            code_length: 6,
            expires_at: rfc3339(Timestamp::from_seconds(1_795_001_800)),
            attempts_left: 5,
        }
    }
}

impl From<PasswordResetView> for PasswordReset {
    fn from(view: PasswordResetView) -> Self {
        Self {
            id: view.id.to_string(),
            status: view.status.as_str().to_owned(),
            code_length: view.code_length,
            expires_at: rfc3339(view.expires_at),
            attempts_left: view.attempts_left,
        }
    }
}

problems! {
    /// Of asking for a reset.
    RequestProblems {
        400: "`validation_failed` or `malformed_json`.",
        413: "`body_too_large`: over 64 KiB.",
        415: "`unsupported_media_type`: not JSON.",
        422: "`idempotency_key_reused`: the key came with another request.",
        429: "`contact_send_limit`: what was named has had its messages of the day, with an account or without.",
    }
    /// Of asking about a reset.
    GetProblems {
        404: "`password_reset_not_found`: there is none of that id.",
    }
    /// Of choosing a new password.
    CompleteProblems {
        400: "`validation_failed`, `malformed_json`, or `code_mismatch` with `attempts_left`.",
        404: "`password_reset_not_found`: there is none of that id or key, or it is void by now.",
        409: "`already_verified`: its proof was used before.",
        410: "`verification_expired`.",
        413: "`body_too_large`: over 64 KiB.",
        415: "`unsupported_media_type`: not JSON.",
        429: "`attempts_exhausted`: no code will be compared any more.",
    }
}

/// Operations on password resets.
pub(crate) struct ResetApi;

#[OpenApi(prefix_path = "/v1/password-resets", tag = "Tag::Account")]
impl ResetApi {
    /// Ask for a new password
    ///
    /// Sends a code, and by e-mail a link, to the account's e-mail address, or to its phone number
    /// where it has nothing else. The answer is the same whether there is an account or not.
    #[oai(path = "/", method = "post", operation_id = "requestPasswordReset")]
    async fn request(
        &self,
        application: Data<&Arc<Application>>,
        /// Recognises a repeat of the request; kept for 24 hours.
        #[oai(name = "Idempotency-Key")]
        idempotency: Header<Option<String>>,
        PreferredLocale(preferred_locale): PreferredLocale,
        body: ApiJson<RequestBody>,
    ) -> Result<Reply<202, PasswordReset>, Failure<RequestProblems>> {
        let key = idempotency.0.as_deref();
        let idempotency =
            idempotency_key(&application, "requestPasswordReset", key, &body.canonical)?;
        let command =
            RequestPasswordReset { login: body.value.login, preferred_locale, idempotency };
        match application.request_password_reset(command).await {
            Ok(view) => Ok(Reply(view.into())),
            Err(RequestResetError::Invalid(errors)) => Err(Problem::invalid(&errors).into()),
            Err(RequestResetError::ContactSendsExhausted { retry_at }) => {
                Err(Problem::contact_sends_exhausted(application.now(), retry_at).into())
            }
            Err(RequestResetError::IdempotencyKeyReused) => {
                Err(Problem::idempotency_key_reused().into())
            }
            Err(RequestResetError::Unavailable(error)) => Err(Problem::unavailable(&error).into()),
        }
    }

    /// Ask about a password reset
    ///
    /// How far it has come.
    #[oai(path = "/:id", method = "get", operation_id = "getPasswordReset")]
    async fn get(
        &self,
        application: Data<&Arc<Application>>,
        /// The reset's id.
        id: Path<String>,
    ) -> Result<Reply<200, PasswordReset>, Failure<GetProblems>> {
        match application.password_reset(parse_id(&id)?).await {
            Ok(view) => Ok(Reply(view.into())),
            Err(CompleteResetError::Unavailable(error)) => Err(Problem::unavailable(&error).into()),
            Err(_) => Err(not_found().into()),
        }
    }

    /// Choose a new password
    ///
    /// By the code, or by the key of the mail's link. Every session of the account ends, and nobody
    /// is logged in by it.
    #[oai(path = "/:id/complete", method = "post", operation_id = "completePasswordReset")]
    async fn complete(
        &self,
        application: Data<&Arc<Application>>,
        Client(client): Client,
        /// The reset's id.
        id: Path<String>,
        body: ApiJson<CompleteBody>,
    ) -> Result<NoContent, Failure<CompleteProblems>> {
        let id = parse_id(&id)?;
        let CompleteBody { code, key, new_password } = body.value;
        let proof = match (code, key) {
            (Some(code), None) => ResetProof::Code { id, code: code.into_inner() },
            (None, Some(key)) => ResetProof::Key { id: Some(id), key: key.into_inner() },
            (None, None) => return Err(Problem::required("code").into()),
            (Some(_), Some(_)) => {
                let (field, code) = ("key".to_owned(), "conflicting".to_owned());
                let message = "must not stand beside code".to_owned();
                let errors = vec![FieldProblem { field, code, message }];
                return Err(Problem::invalid_fields(errors).into());
            }
        };
        let new_password = new_password.into_inner();
        let command = CompletePasswordReset { proof, new_password, client };
        match application.complete_password_reset(command).await {
            Ok(()) => Ok(NoContent),
            Err(error) => Err(complete_problem(&error).into()),
        }
    }
}

/// What a new password that was not set is answered with.
pub(crate) fn complete_problem(error: &CompleteResetError) -> Problem {
    match error {
        CompleteResetError::NotFound => not_found(),
        CompleteResetError::Invalid(errors) => Problem::invalid(errors),
        CompleteResetError::Refused(refused) => refused_problem(*refused),
        CompleteResetError::Unavailable(error) => Problem::unavailable(error),
    }
}

fn not_found() -> Problem {
    let detail = "There is no such password reset, or it is void by now.";
    Problem::new(StatusCode::NOT_FOUND, "password_reset_not_found", detail)
}

fn parse_id(id: &str) -> Result<VerificationId, Problem> {
    id.parse().map_err(|_| not_found())
}
