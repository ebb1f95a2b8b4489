//! `/v1/registrations`: signing up.

use std::sync::Arc;

use mapae_application::Application;
use mapae_application::consent::ConsentInput;
use mapae_application::registration::{
    GetRegistrationError, Register, RegisterError, RegistrationView,
};
use mapae_application::session::RegistrationTokensError;
use mapae_domain::RegistrationId;
use mapae_domain::registration::RegistrationRefused;
use poem::http::StatusCode;
use poem::web::Data;
use poem_openapi::param::{Header, Path};
use poem_openapi::types::Example;
use poem_openapi::{Object, OpenApi};
use serde::Deserialize;

use crate::Tag;
use crate::caller::{PreferredLocale, RegistrationBearer, idempotency_key};
use crate::client::Client;
use crate::consent::{ConsentBody, decisions};
use crate::cookie::Cookies;
use crate::payload::{ApiJson, Reply, Secret};
use crate::problem::{Failure, Problem, problems};
use crate::token::{TokenReply, asked_transport};
use crate::verification::{Verification, contact_taken, registration_status};

/// A sign-up.
#[derive(Object, Deserialize)]
#[oai(rename = "CreateRegistration", example)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateRegistrationBody {
    /// A public name to log in with: 3–32 letters, digits, `.`, `_`, `-`, beginning with a letter;
    /// upper and lower case are one.
    username: Option<String>,
    /// An e-mail address.
    email: Option<String>,
    /// A mobile phone number; without a country code it is of the installation's own region.
    phone: Option<String>,
    /// A password of 8 to 256 characters of any script, without rules of composition; common ones
    /// are refused. Who gives none logs in by one-time codes.
    password: Option<Secret>,
    /// What the person wants to be called, up to 40 characters.
    nickname: Option<String>,
    /// The person's name, up to 100 characters.
    name: Option<String>,
    /// The language of messages: `ko` or `en`. Where absent, `Accept-Language` decides.
    locale: Option<String>,
    /// What was agreed to, or refused, of the documents of `GET /v1/consents`: each that is required
    /// must be among them, in the version in force.
    #[serde(default, deserialize_with = "decisions")]
    consents: Option<Vec<ConsentBody>>,
    /// Receipts of purpose `registration` for contacts that were proved before: they need no
    /// further message.
    receipts: Option<Vec<String>>,
}

impl Example for CreateRegistrationBody {
    fn example() -> Self {
        Self {
            username: Some("minji".to_owned()),
            email: Some("minji@example.com".to_owned()),
            phone: None,
            password: Some("correct horse battery staple".into()),
            nickname: Some("민지".to_owned()),
            name: None,
            locale: Some("ko".to_owned()),
            consents: Some(vec![ConsentBody::example()]),
            receipts: None,
        }
    }
}

/// Asks for the first tokens.
#[derive(Object, Deserialize)]
#[oai(rename = "TakeRegistrationTokens", example)]
#[serde(deny_unknown_fields)]
pub(crate) struct TakeTokensBody {
    /// The token that was answered when the registration was begun.
    registration_token: Secret,
    /// Where the tokens go: into the `body`, which is also meant where it is absent, or into a
    /// `cookie` each.
    transport: Option<String>,
}

impl Example for TakeTokensBody {
    fn example() -> Self {
        Self { registration_token: "Yb5C3bYxq1…".into(), transport: None }
    }
}

/// A sign-up that may become a user.
#[derive(Object)]
#[oai(skip_serializing_if_is_none, example)]
pub(crate) struct Registration {
    /// The id.
    id: String,
    /// What shows that you began it: keep it to yourself.
    registration_token: Secret,
    /// `pending` until what the installation asks for is proved, then `completed`.
    status: String,
    /// The user that it became.
    user_id: Option<String>,
    /// What it waits for, or has waited for.
    verifications: Vec<Verification>,
}

impl Example for Registration {
    fn example() -> Self {
        Self {
            id: "019a9c9e-6f5f-7d02-b1a0-5a8f3d2c9e11".to_owned(),
            registration_token: "Yb5C3bYxq1…".into(),
            status: "pending".to_owned(),
            user_id: None,
            verifications: vec![Verification::example()],
        }
    }
}

impl From<RegistrationView> for Registration {
    fn from(view: RegistrationView) -> Self {
        Self {
            id: view.id.to_string(),
            registration_token: view.token.into(),
            status: registration_status(view.user.is_some()).to_owned(),
            user_id: view.user.map(|user| user.to_string()),
            verifications: view.verifications.into_iter().map(Verification::from).collect(),
        }
    }
}

problems! {
    /// Of signing up.
    CreateProblems {
        400: "`validation_failed`: a document that is required and missing or refused is named as `consents.NAME` with the code `required`, one of another version with `outdated`; `malformed_json`; or `receipt_refused`: a receipt is not good, or not any more.",
        409: "`username_taken`; or `contact_taken`: an account holds a contact that was proved.",
        413: "`body_too_large`: over 64 KiB.",
        415: "`unsupported_media_type`: not JSON.",
        422: "`idempotency_key_reused`: the key came with another request.",
        429: "`contact_send_limit`: a contact has had its messages for now.",
    }
    /// Of asking about a registration.
    GetProblems {
        401: "`unauthenticated`: no registration token.",
        404: "`registration_not_found`: there is none, or the token is another's.",
        410: "`registration_expired`.",
    }
    /// Of taking the first tokens.
    TokensProblems {
        400: "`validation_failed` or `malformed_json`.",
        403: "`account_closed`: the account may not log in any more; or `csrf_refused`: a page of another site asks for cookies.",
        404: "`registration_not_found`: there is none, or the token is another's.",
        409: "`registration_pending`: it is not completed yet; or `tokens_taken`: they were taken before.",
        410: "`registration_expired`.",
        413: "`body_too_large`: over 64 KiB.",
        415: "`unsupported_media_type`: not JSON.",
    }
}

/// Operations on registrations.
pub(crate) struct RegistrationApi;

#[OpenApi(prefix_path = "/v1/registrations", tag = "Tag::Registrations")]
impl RegistrationApi {
    /// Sign up
    ///
    /// Begins a registration and sends what proves its contacts. The answer is the same for an
    /// address that has an account already: its owner gets a message that says so. The
    /// registration becomes a user as soon as what the installation asks for is proved.
    #[oai(path = "/", method = "post", operation_id = "createRegistration")]
    async fn create(
        &self,
        application: Data<&Arc<Application>>,
        PreferredLocale(preferred_locale): PreferredLocale,
        /// Up to 255 visible characters of your own: a repeat with the same key and the same body
        /// gives the same registration, and sends nothing again.
        #[oai(name = "Idempotency-Key")]
        idempotency: Header<Option<String>>,
        Client(client): Client,
        body: ApiJson<CreateRegistrationBody>,
    ) -> Result<Reply<202, Registration>, Failure<CreateProblems>> {
        let key = idempotency.0.as_deref();
        let idempotency =
            idempotency_key(&application, "createRegistration", key, &body.canonical)?;
        let body = body.value;
        let consents = body.consents.unwrap_or_default().into_iter().map(ConsentInput::from);
        let command = Register {
            username: body.username,
            email: body.email,
            phone: body.phone,
            password: body.password.map(Secret::into_inner),
            nickname: body.nickname,
            name: body.name,
            locale: body.locale,
            preferred_locale,
            consents: consents.collect(),
            receipts: body.receipts.unwrap_or_default(),
            client,
            idempotency,
        };
        match application.register(command).await {
            Ok(view) => Ok(Reply(view.into())),
            Err(error) => Err(register_problem(&application, &error).into()),
        }
    }

    /// Ask about a registration
    ///
    /// How far it has come: whether it is a user by now, and what it waits for.
    #[oai(path = "/:id", method = "get", operation_id = "getRegistration")]
    async fn get(
        &self,
        application: Data<&Arc<Application>>,
        RegistrationBearer(token): RegistrationBearer,
        /// The registration's id.
        id: Path<String>,
    ) -> Result<Reply<200, Registration>, Failure<GetProblems>> {
        match application.registration(parse_id(&id)?, &token).await {
            Ok(view) => Ok(Reply(view.into())),
            Err(GetRegistrationError::NotFound) => Err(not_found().into()),
            Err(GetRegistrationError::Expired) => Err(expired().into()),
            Err(GetRegistrationError::Unavailable(error)) => {
                Err(Problem::unavailable(&error).into())
            }
        }
    }

    /// Take the first tokens
    ///
    /// Logs in whoever signed up, without asking for the password again: once, when the
    /// registration is completed.
    #[oai(path = "/:id/tokens", method = "post", operation_id = "takeRegistrationTokens")]
    async fn tokens(
        &self,
        application: Data<&Arc<Application>>,
        /// The registration's id.
        id: Path<String>,
        Client(client): Client,
        cookies: Cookies,
        body: ApiJson<TakeTokensBody>,
    ) -> Result<TokenReply, Failure<TokensProblems>> {
        let transport = asked_transport(body.value.transport.as_deref(), &cookies)?;
        let token = body.value.registration_token;
        match application.take_registration_tokens(parse_id(&id)?, token.expose(), &client).await {
            Ok(pair) => Ok(TokenReply::new(&application, pair, transport, cookies)),
            Err(RegistrationTokensError::NotFound) => Err(not_found().into()),
            Err(RegistrationTokensError::Refused(refused)) => Err(refused_problem(refused).into()),
            Err(RegistrationTokensError::AccountClosed) => {
                let detail = "The account may not log in any more.";
                Err(Problem::new(StatusCode::FORBIDDEN, "account_closed", detail).into())
            }
            Err(RegistrationTokensError::Unavailable(error)) => {
                Err(Problem::unavailable(&error).into())
            }
        }
    }
}

fn not_found() -> Problem {
    Problem::not_found("registration_not_found", "There is no such registration.")
}

fn parse_id(id: &str) -> Result<RegistrationId, Problem> {
    id.parse().map_err(|_| not_found())
}

/// What a username that somebody else has is answered with.
pub(crate) fn username_taken() -> Problem {
    let detail = "The username is taken. Please choose another.";
    Problem::new(StatusCode::CONFLICT, "username_taken", detail)
}

fn expired() -> Problem {
    let detail = "The registration has expired. Please sign up again.";
    Problem::new(StatusCode::GONE, "registration_expired", detail)
}

fn refused_problem(refused: RegistrationRefused) -> Problem {
    match refused {
        RegistrationRefused::Expired => expired(),
        RegistrationRefused::Pending => {
            let detail = "The registration is not completed yet.";
            Problem::new(StatusCode::CONFLICT, "registration_pending", detail)
        }
        RegistrationRefused::TokensTaken => {
            let detail = "The tokens of this registration were taken before. Please log in.";
            Problem::new(StatusCode::CONFLICT, "tokens_taken", detail)
        }
    }
}

fn register_problem(application: &Application, error: &RegisterError) -> Problem {
    match error {
        RegisterError::Invalid(errors) => Problem::invalid(errors),
        RegisterError::UsernameTaken => username_taken(),
        RegisterError::ContactTaken => contact_taken(),
        RegisterError::ReceiptRefused => {
            let detail = "A receipt is not good, or not any more. Please verify the contact again.";
            Problem::new(StatusCode::BAD_REQUEST, "receipt_refused", detail)
        }
        RegisterError::ContactSendsExhausted { retry_at } => {
            Problem::contact_sends_exhausted(application.now(), *retry_at)
        }
        RegisterError::IdempotencyKeyReused => Problem::idempotency_key_reused(),
        RegisterError::Unavailable(error) => Problem::unavailable(error),
    }
}
