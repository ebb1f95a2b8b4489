//! Who asks: what a request shows besides its body.

use std::sync::Arc;

use mapae_application::Application;
use mapae_application::idempotency::IdempotencyKey;
use mapae_application::session::{AuthenticateError, Authenticated};
use mapae_domain::Locale;
use poem::http::{StatusCode, header};
use poem::{FromRequest, Request, RequestBody};
use poem_openapi::registry::{MetaSecurityScheme, Registry};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use zeroize::Zeroizing;

use crate::payload::bearer;
use crate::problem::{FieldProblem, Problem};

/// Whoever shows a good access token whose session is open.
pub(crate) struct Caller(pub Authenticated);

/// A bearer token that the operation itself looks into.
pub(crate) struct RegistrationBearer(pub Zeroizing<String>);

fn unauthenticated() -> Problem {
    let detail = "A good access token is needed: `Authorization: Bearer …`.";
    Problem::new(StatusCode::UNAUTHORIZED, "unauthenticated", detail)
}

/// A token was shown, and is not good: whoever asked without one is not told so (RFC 6750 §3.1).
fn refused() -> Problem {
    unauthenticated().challenge("Bearer realm=\"mapae\", error=\"invalid_token\"")
}

fn application(request: &Request) -> Result<&Arc<Application>, Problem> {
    request.data::<Arc<Application>>().ok_or_else(Problem::internal)
}

impl<'a> ApiExtractor<'a> for Caller {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        register_bearer(registry, "access_token", "An access token of a log-in or a refresh.");
    }

    fn security_schemes() -> Vec<&'static str> {
        vec!["access_token"]
    }

    async fn from_request(
        request: &'a Request,
        _: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        let token = bearer(request).ok_or_else(unauthenticated)?;
        match application(request)?.authenticate(&token).await {
            Ok(authenticated) => Ok(Self(authenticated)),
            Err(AuthenticateError::Token(_) | AuthenticateError::SessionEnded) => {
                Err(refused().into())
            }
            Err(AuthenticateError::Unavailable(error)) => Err(Problem::unavailable(&error).into()),
        }
    }
}

impl<'a> ApiExtractor<'a> for RegistrationBearer {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        register_bearer(
            registry,
            "registration_token",
            "The `registration_token` that was answered when the registration was begun.",
        );
    }

    fn security_schemes() -> Vec<&'static str> {
        vec!["registration_token"]
    }

    async fn from_request(
        request: &'a Request,
        _: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        let detail = "The registration's token is needed: `Authorization: Bearer …`.";
        let missing = || Problem::new(StatusCode::UNAUTHORIZED, "unauthenticated", detail);
        Ok(bearer(request).map(Self).ok_or_else(missing)?)
    }
}

fn register_bearer(registry: &mut Registry, name: &'static str, description: &'static str) {
    registry.create_security_scheme(
        name,
        MetaSecurityScheme {
            ty: "http",
            description: Some(description),
            name: None,
            key_in: None,
            scheme: Some("bearer"),
            bearer_format: None,
            flows: None,
            openid_connect_url: None,
        },
    );
}

/// The language that the client prefers, by `Accept-Language`.
pub(crate) struct PreferredLocale(pub Locale);

impl<'a> FromRequest<'a> for PreferredLocale {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> poem::Result<Self> {
        let header = request.headers().get(header::ACCEPT_LANGUAGE);
        let preferred = header.and_then(|header| header.to_str().ok()).and_then(Locale::preferred);
        Ok(Self(preferred.unwrap_or_default()))
    }
}

/// The name of the header by which a repeat of a request is recognised.
pub(crate) const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

/// The `Idempotency-Key` of a request of `operation`, if it has one.
///
/// # Errors
/// `validation_failed` unless it is 1 to 255 visible ASCII characters.
pub(crate) fn idempotency_key(
    application: &Application,
    operation: &str,
    key: Option<&str>,
    canonical_body: &[u8],
) -> Result<Option<IdempotencyKey>, Problem> {
    let Some(key) = key else { return Ok(None) };
    if !(1..=255).contains(&key.len()) || !key.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(Problem::invalid_fields(vec![FieldProblem {
            field: IDEMPOTENCY_KEY.to_owned(),
            code: "malformed".to_owned(),
            message: "must be 1 to 255 visible ASCII characters".to_owned(),
        }]));
    }
    let secrets = application.secret_hasher();
    Ok(Some(IdempotencyKey::new(secrets, operation, key, canonical_body)))
}

/// The bearer token of a request that need not have one.
pub(crate) struct OptionalBearer(pub Option<Zeroizing<String>>);

impl<'a> FromRequest<'a> for OptionalBearer {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> poem::Result<Self> {
        Ok(Self(bearer(request)))
    }
}
