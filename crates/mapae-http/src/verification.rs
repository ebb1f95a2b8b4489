//! `/v1/verifications`: proving that somebody holds a contact.

use std::sync::Arc;

use mapae_application::Application;
use mapae_application::verification::{
    BeginVerification, BeginVerificationError, CheckVerification, GetVerificationError, ProveError,
    ResendError, ResendVerification, VerificationView,
};
use mapae_domain::verification::{ProofRefused, ResendRefused};
use mapae_domain::{Locale, Timestamp, VerificationId};
use poem::http::StatusCode;
use poem::web::Data;
use poem_openapi::param::{Header, Path};
use poem_openapi::types::Example;
use poem_openapi::{Object, OpenApi};
use serde::Deserialize;

use crate::Tag;
use crate::caller::{PreferredLocale, idempotency_key};
use crate::delivery::Delivery;
use crate::payload::{ApiJson, Reply, Secret};
use crate::problem::{Failure, FieldProblem, Problem, problems};
use crate::time::rfc3339;

/// Asks to prove a contact.
#[derive(Object, Deserialize)]
#[oai(rename = "CreateVerification", example)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateVerificationBody {
    /// How the contact is reached: `email` or `sms`.
    channel: String,
    /// The e-mail address or the phone number. A number without a country code is of the
    /// installation's own region.
    to: String,
    /// What the proof is for: `registration` (where absent), `login`, or a name of your own of
    /// lower-case letters, digits, `_`, `-`, `.`, `:`.
    purpose: Option<String>,
    /// The language of the message: `ko` or `en`. Where absent, `Accept-Language` decides.
    locale: Option<String>,
}

impl Example for CreateVerificationBody {
    fn example() -> Self {
        Self {
            channel: "sms".to_owned(),
            to: "010-1234-5678".to_owned(),
            purpose: Some("registration".to_owned()),
            locale: Some("ko".to_owned()),
        }
    }
}

/// A code to check.
#[derive(Object, Deserialize)]
#[oai(rename = "CheckVerification", example)]
#[serde(deny_unknown_fields)]
pub(crate) struct CheckVerificationBody {
    /// The code as it was typed: spaces, hyphens and full-width digits are fine.
    code: Secret,
}

impl Example for CheckVerificationBody {
    fn example() -> Self {
        Self { code: "493817".into() }
    }
}

/// The key of a link.
#[derive(Object, Deserialize)]
#[oai(rename = "ConfirmVerification", example)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConfirmVerificationBody {
    /// The `key` of the link in the mail.
    key: Secret,
}

impl Example for ConfirmVerificationBody {
    fn example() -> Self {
        Self { key: "3q2-7wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".into() }
    }
}

/// What became of the registration that waited for a verification.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
pub(crate) struct RegistrationProgress {
    /// The registration.
    id: String,
    /// `pending` or `completed`.
    status: String,
    /// The user that it became.
    user_id: Option<String>,
}

/// One attempt to prove that somebody holds a contact.
#[derive(Object)]
#[oai(skip_serializing_if_is_none, example)]
pub(crate) struct Verification {
    /// The id, which opens this verification to whoever knows it: keep it to yourself.
    id: String,
    /// `email` or `sms`.
    channel: String,
    /// The contact, masked.
    to: String,
    /// What the proof is for.
    purpose: String,
    /// `pending`, `verified`, `expired`, `exhausted` or `cancelled`.
    status: String,
    /// How many digits a code has.
    code_length: u8,
    /// When the code of the last message expires (RFC 3339, UTC).
    expires_at: String,
    /// From when on it may be sent again (RFC 3339, UTC).
    resend_at: String,
    /// How many codes will still be compared.
    attempts_left: u8,
    /// What is known of the last message.
    delivery: Delivery,
    /// What the proof is worth: hand it to a registration, a log-in, or a service of your own. Good
    /// once. Only in the answer to the right code, and not where a registration waited for it.
    receipt: Option<String>,
    /// The registration that waited for it. Only in the answer to the right code or key.
    registration: Option<RegistrationProgress>,
}

impl Example for Verification {
    fn example() -> Self {
        Self {
            id: "019a9c9e-6f60-7c3e-8a51-2f6d0c1b7e44".to_owned(),
            channel: "email".to_owned(),
            to: "m•••@example.com".to_owned(),
            purpose: "registration".to_owned(),
            status: "pending".to_owned(),
            code_length: 6,
            expires_at: rfc3339(Timestamp::from_seconds(1_795_000_000 + 1_800)),
            resend_at: rfc3339(Timestamp::from_seconds(1_795_000_000 + 60)),
            attempts_left: 5,
            delivery: Delivery::new(mapae_domain::Delivery::QUEUED, Locale::En),
            receipt: None,
            registration: None,
        }
    }
}

impl From<VerificationView> for Verification {
    fn from(view: VerificationView) -> Self {
        Self {
            id: view.id.to_string(),
            channel: view.channel.as_str().to_owned(),
            to: view.to,
            purpose: view.purpose.as_str().to_owned(),
            status: view.status.as_str().to_owned(),
            code_length: view.code_length,
            expires_at: rfc3339(view.expires_at),
            resend_at: rfc3339(view.resend_at),
            attempts_left: view.attempts_left,
            delivery: Delivery::new(view.delivery, view.locale),
            receipt: view.receipt,
            registration: view.registration.map(|progress| RegistrationProgress {
                id: progress.id.to_string(),
                status: registration_status(progress.user.is_some()).to_owned(),
                user_id: progress.user.map(|user| user.to_string()),
            }),
        }
    }
}

/// The name of a registration's status.
pub(crate) const fn registration_status(completed: bool) -> &'static str {
    if completed { "completed" } else { "pending" }
}

problems! {
    /// Of beginning a verification.
    BeginProblems {
        400: "`validation_failed` or `malformed_json`.",
        413: "`body_too_large`: over 64 KiB.",
        415: "`unsupported_media_type`: not JSON.",
        422: "`idempotency_key_reused`: the key came with another request.",
        429: "`contact_send_limit`: the contact has had its messages for now.",
    }
    /// Of asking about a verification.
    GetProblems {
        404: "`verification_not_found`.",
    }
    /// Of sending a verification again.
    ResendProblems {
        400: "`validation_failed`: the idempotency key is none.",
        404: "`verification_not_found`.",
        409: "`already_verified`.",
        410: "`verification_expired`.",
        422: "`idempotency_key_reused`: the key came with another request.",
        429: "`resend_too_early`, `sends_exhausted`, `attempts_exhausted` or `contact_send_limit`. Nothing has changed.",
    }
    /// Of checking a code.
    CheckProblems {
        400: "`code_mismatch` with `attempts_left`; or `validation_failed` or `malformed_json`, which cost no attempt.",
        404: "`verification_not_found`.",
        409: "`already_verified`, or `contact_taken`: an account holds the contact, which whoever has proved it is told.",
        410: "`verification_expired`.",
        413: "`body_too_large`: over 64 KiB.",
        415: "`unsupported_media_type`: not JSON.",
        422: "`idempotency_key_reused`: the key came with another request.",
        429: "`attempts_exhausted`.",
    }
    /// Of confirming by a link's key.
    ConfirmProblems {
        400: "`validation_failed` or `malformed_json`.",
        404: "`verification_not_found`: there is none of that key.",
        409: "`already_verified`, or `contact_taken`.",
        410: "`verification_expired`.",
        413: "`body_too_large`: over 64 KiB.",
        415: "`unsupported_media_type`: not JSON.",
        429: "`attempts_exhausted`.",
    }
}

/// Operations on verifications.
pub(crate) struct VerificationApi;

#[OpenApi(prefix_path = "/v1/verifications", tag = "Tag::Verifications")]
impl VerificationApi {
    /// Begin a verification
    ///
    /// Sends a code to an e-mail address or a phone number, and by e-mail a link, too. Whoever
    /// gives the code back gets a receipt.
    #[oai(path = "/", method = "post", operation_id = "createVerification")]
    async fn create(
        &self,
        application: Data<&Arc<Application>>,
        PreferredLocale(preferred_locale): PreferredLocale,
        /// Up to 255 visible characters of your own: a repeat with the same key and the same body
        /// gives the same verification, and sends nothing again.
        #[oai(name = "Idempotency-Key")]
        idempotency: Header<Option<String>>,
        body: ApiJson<CreateVerificationBody>,
    ) -> Result<Reply<202, Verification>, Failure<BeginProblems>> {
        let key = idempotency.0.as_deref();
        let idempotency =
            idempotency_key(&application, "createVerification", key, &body.canonical)?;
        let CreateVerificationBody { channel, to, purpose, locale } = body.value;
        let command =
            BeginVerification { channel, to, purpose, locale, preferred_locale, idempotency };
        match application.begin_verification(command).await {
            Ok(view) => Ok(Reply(view.into())),
            Err(BeginVerificationError::Invalid(errors)) => Err(Problem::invalid(&errors).into()),
            Err(BeginVerificationError::ContactSendsExhausted { retry_at }) => {
                let now = application.now();
                Err(Problem::contact_sends_exhausted(now, retry_at).into())
            }
            Err(BeginVerificationError::IdempotencyKeyReused) => {
                Err(Problem::idempotency_key_reused().into())
            }
            Err(BeginVerificationError::Unavailable(error)) => {
                Err(Problem::unavailable(&error).into())
            }
        }
    }

    /// Ask about a verification
    ///
    /// How far it has come, and what is known of its message.
    #[oai(path = "/:id", method = "get", operation_id = "getVerification")]
    async fn get(
        &self,
        application: Data<&Arc<Application>>,
        /// The verification's id.
        id: Path<String>,
    ) -> Result<Reply<200, Verification>, Failure<GetProblems>> {
        match application.verification(parse_id(&id)?).await {
            Ok(view) => Ok(Reply(view.into())),
            Err(GetVerificationError::NotFound) => Err(not_found().into()),
            Err(GetVerificationError::Unavailable(error)) => {
                Err(Problem::unavailable(&error).into())
            }
        }
    }

    /// Send a verification again
    ///
    /// With a new code and a new life. The attempts that are left stay as they are, and the code
    /// before stays good for five minutes.
    #[oai(path = "/:id/resend", method = "post", operation_id = "resendVerification")]
    async fn resend(
        &self,
        application: Data<&Arc<Application>>,
        /// The verification's id.
        id: Path<String>,
        /// Up to 255 visible characters of your own: a repeat with the same key sends nothing again.
        #[oai(name = "Idempotency-Key")]
        idempotency: Header<Option<String>>,
    ) -> Result<Reply<202, Verification>, Failure<ResendProblems>> {
        let id = parse_id(&id)?;
        let operation = format!("resendVerification {id}");
        let key = idempotency.0.as_deref();
        let idempotency = idempotency_key(&application, &operation, key, b"")?;
        match application.resend_verification(ResendVerification { id, idempotency }).await {
            Ok(view) => Ok(Reply(view.into())),
            Err(ResendError::NotFound) => Err(not_found().into()),
            Err(ResendError::IdempotencyKeyReused) => Err(Problem::idempotency_key_reused().into()),
            Err(ResendError::Refused(refused)) => {
                Err(resend_problem(refused, application.now()).into())
            }
            Err(ResendError::ContactSendsExhausted { retry_at }) => {
                let now = application.now();
                Err(Problem::contact_sends_exhausted(now, retry_at).into())
            }
            Err(ResendError::Unavailable(error)) => Err(Problem::unavailable(&error).into()),
        }
    }

    /// Check a code
    ///
    /// The right code succeeds once, and gives a receipt; a registration that waited for it moves
    /// on instead, which the answer says. A wrong code costs an attempt.
    #[oai(path = "/:id/check", method = "post", operation_id = "checkVerification")]
    async fn check(
        &self,
        application: Data<&Arc<Application>>,
        /// The verification's id.
        id: Path<String>,
        /// Up to 255 visible characters of your own: a repeat of the request that succeeded gives
        /// the same answer.
        #[oai(name = "Idempotency-Key")]
        idempotency: Header<Option<String>>,
        body: ApiJson<CheckVerificationBody>,
    ) -> Result<Reply<200, Verification>, Failure<CheckProblems>> {
        let id = parse_id(&id)?;
        let operation = format!("checkVerification {id}");
        let key = idempotency.0.as_deref();
        let idempotency = idempotency_key(&application, &operation, key, &body.canonical)?;
        let command = CheckVerification { id, code: body.value.code.into_inner(), idempotency };
        match application.check_verification(command).await {
            Ok(view) => Ok(Reply(view.into())),
            Err(error) => Err(prove_problem(&error).into()),
        }
    }

    /// Confirm by the key of a link
    ///
    /// What the page behind the link does when its button is pressed. It confirms the contact and
    /// opens nothing: there is no receipt, for who follows a link need not be who asked for it.
    #[oai(path = "/confirm", method = "post", operation_id = "confirmVerification")]
    async fn confirm(
        &self,
        application: Data<&Arc<Application>>,
        body: ApiJson<ConfirmVerificationBody>,
    ) -> Result<Reply<200, Verification>, Failure<ConfirmProblems>> {
        match application.confirm_verification(body.value.key.expose()).await {
            Ok(view) => Ok(Reply(view.into())),
            Err(error) => Err(prove_problem(&error).into()),
        }
    }
}

fn not_found() -> Problem {
    Problem::not_found("verification_not_found", "There is no such verification.")
}

fn parse_id(id: &str) -> Result<VerificationId, Problem> {
    id.parse().map_err(|_| not_found())
}

fn expired() -> Problem {
    let detail = "The verification has expired. Please begin a new one.";
    Problem::new(StatusCode::GONE, "verification_expired", detail)
}

fn already_verified() -> Problem {
    let detail = "The contact was verified before; a code is accepted once.";
    Problem::new(StatusCode::CONFLICT, "already_verified", detail)
}

fn attempts_exhausted() -> Problem {
    let detail = "Every attempt was used. Please begin a new verification.";
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "attempts_exhausted", detail)
}

/// An account holds the contact: told to whoever has proved it.
pub(crate) fn contact_taken() -> Problem {
    let detail = "An account holds this contact already. Please log in to it.";
    Problem::new(StatusCode::CONFLICT, "contact_taken", detail)
}

fn resend_problem(refused: ResendRefused, now: Timestamp) -> Problem {
    match refused {
        ResendRefused::TooEarly { resend_at } => {
            let detail = "The last message was sent only a moment ago.";
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "resend_too_early", detail)
                .resend_at(now, resend_at)
        }
        ResendRefused::SendsExhausted => {
            let detail = "This verification was sent as often as it may be.";
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "sends_exhausted", detail)
        }
        ResendRefused::AttemptsExhausted => attempts_exhausted(),
        ResendRefused::AlreadyVerified => already_verified(),
        ResendRefused::Expired | ResendRefused::Cancelled => expired(),
    }
}

pub(crate) fn prove_problem(error: &ProveError) -> Problem {
    match error {
        ProveError::NotFound => not_found(),
        ProveError::InvalidCode(reason) => Problem::invalid_fields(vec![FieldProblem {
            field: "code".to_owned(),
            code: reason.code().to_owned(),
            message: reason.to_string(),
        }]),
        ProveError::Refused(refused) => refused_problem(*refused),
        ProveError::IdempotencyKeyReused => Problem::idempotency_key_reused(),
        ProveError::Unavailable(error) => Problem::unavailable(error),
    }
}

/// Why a proof did not count.
pub(crate) fn refused_problem(refused: ProofRefused) -> Problem {
    match refused {
        ProofRefused::Mismatch { attempts_left } => {
            let detail = "The code is not the one that was sent.";
            Problem::new(StatusCode::BAD_REQUEST, "code_mismatch", detail)
                .attempts_left(attempts_left)
        }
        ProofRefused::AlreadyVerified => already_verified(),
        ProofRefused::Expired | ProofRefused::Cancelled => expired(),
        ProofRefused::Exhausted => attempts_exhausted().attempts_left(0),
        ProofRefused::ContactTaken => contact_taken(),
    }
}
