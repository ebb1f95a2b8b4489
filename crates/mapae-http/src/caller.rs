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

use crate::cookie::Cookies;
use crate::payload::bearer;
use crate::problem::{FieldProblem, Problem};

/// Whoever shows a good access token whose session is open: in the header `Authorization`, or in the
/// cookie of a log-in with `transport: cookie`.
pub(crate) struct Caller(pub Authenticated);

/// The access token of a request, by where it is shown.
pub(crate) enum Shown {
    /// In the header `Authorization`.
    Header(Zeroizing<String>),
    /// In a cookie.
    Cookie(Zeroizing<String>),
}

impl Shown {
    /// The token of a request. A header is an answer by itself: where it shows none, no cookie is
    /// looked at.
    pub(crate) fn read(
        request: &Request,
        application: &Application,
        cookies: &Cookies,
    ) -> Option<Self> {
        let Some(authorization) = request.headers().get(header::AUTHORIZATION) else {
            let token = cookies.access()?;
            return Some(Self::Cookie(Zeroizing::new(token.to_owned())));
        };
        if let Some(token) = bearer(request) {
            return Some(Self::Header(token));
        }
        // The scheme of SimpleJWT's older clients, where they are served.
        let (scheme, token) = authorization.to_str().ok()?.split_once(' ')?;
        let is_theirs = scheme == "JWT" && application.serves_simplejwt();
        is_theirs.then(|| Self::Header(Zeroizing::new(token.trim().to_owned())))
    }

    /// The token.
    pub(crate) fn token(&self) -> &str {
        match self {
            Self::Header(token) | Self::Cookie(token) => token,
        }
    }
}

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
        let (application, cookies) = (application(request)?, Cookies::read(request)?);
        let shown = Shown::read(request, application, &cookies).ok_or_else(unauthenticated)?;
        match application.authenticate(shown.token()).await {
            Ok(caller) => {
                if matches!(shown, Shown::Cookie(_)) && !request.method().is_safe() {
                    cookies.check_change(application, caller.session.id())?;
                }
                Ok(Self(caller))
            }
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

/// What a request shows of access tokens, if anything.
pub(crate) struct MaybeShown(pub Option<Shown>);

impl<'a> FromRequest<'a> for MaybeShown {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> poem::Result<Self> {
        let (application, cookies) = (application(request)?, Cookies::read(request)?);
        Ok(Self(Shown::read(request, application, &cookies)))
    }
}

/// That the log-in is too long ago (RFC 9470 §3).
pub(crate) fn reauthentication_required(application: &Application) -> Problem {
    let seconds = application.settings().session.reauthenticate_after.as_secs();
    let detail = "This asks for a recent log-in. Please log in again.";
    Problem::new(StatusCode::UNAUTHORIZED, "reauthentication_required", detail).challenge(format!(
        "Bearer realm=\"mapae\", error=\"insufficient_user_authentication\", max_age={seconds}"
    ))
}
