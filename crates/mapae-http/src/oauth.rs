//! What OAuth 2 has standards for: introspection (RFC 7662), revocation (RFC 7009), metadata
//! (RFC 8414).

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mapae_application::Application;
use mapae_application::session::{IntrospectError, Introspection};
use poem::http::{StatusCode, header};
use poem::web::Data;
use poem::{Request, RequestBody};
use poem_openapi::registry::{MetaMediaType, MetaRequest, MetaSchemaRef, Registry};
use poem_openapi::types::{Example, Type};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions, Object, OpenApi};
use zeroize::Zeroizing;

use crate::payload::{Reply, Secret, read};
use crate::problem::{Failure, Problem, problems};
use crate::{Issuer, Tag};

/// The media type of forms.
const FORM: &str = "application/x-www-form-urlencoded";

/// A token, and perhaps who asks about it.
#[derive(Object)]
#[oai(example)]
pub(crate) struct TokenForm {
    /// The token.
    token: Secret,
    /// `access_token` or `refresh_token`; whichever it is, the token is found.
    token_type_hint: Option<String>,
    /// Who asks, where the header `Authorization: Basic` does not say so.
    client_id: Option<String>,
    /// What the asker shows for it.
    client_secret: Option<Secret>,
}

impl Example for TokenForm {
    fn example() -> Self {
        Self {
            token: "eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCJ9…".into(),
            token_type_hint: Some("access_token".to_owned()),
            client_id: None,
            client_secret: None,
        }
    }
}

/// A form of OAuth 2: a member that comes twice is an error (RFC 6749 §3.2).
pub(crate) struct OAuthForm {
    token: Zeroizing<String>,
    /// Name and secret, from the header or the form.
    client: Option<(String, Zeroizing<String>)>,
}

impl<'a> ApiExtractor<'a> for OAuthForm {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        TokenForm::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        let schema: MetaSchemaRef = TokenForm::schema_ref();
        let content = vec![MetaMediaType { content_type: FORM, schema }];
        Some(MetaRequest { description: None, content, required: true })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        let essence = request.content_type().unwrap_or_default().split(';').next();
        if !essence.unwrap_or_default().trim().eq_ignore_ascii_case(FORM) {
            let detail = "The request's body must be a form: `Content-Type: application/x-www-form-urlencoded`.";
            let code = "unsupported_media_type";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, code, detail).into());
        }
        let bytes = read(body.take()?).await?;
        let mut members: [Option<Zeroizing<String>>; 4] = Default::default();
        for (name, value) in form_urlencoded::parse(&bytes) {
            let names = ["token", "token_type_hint", "client_id", "client_secret"];
            // What is not known is ignored (RFC 6749 §3.2).
            let Some(at) = names.iter().position(|known| *known == name) else { continue };
            if members[at].replace(Zeroizing::new(value.into_owned())).is_some() {
                return Err(invalid_request("A member of the form is given more than once.").into());
            }
        }
        let [token, _, client_id, client_secret] = members;
        let token = token.filter(|token| !token.is_empty());
        let token = token.ok_or_else(|| invalid_request("The form holds no token."))?;
        let posted = client_id.map(|id| (id.to_string(), client_secret.unwrap_or_default()));
        Ok(Self { token, client: basic(request).or(posted) })
    }
}

/// The name and secret of `Authorization: Basic`, encoded as a form's members (RFC 6749 §2.3.1).
fn basic(request: &Request) -> Option<(String, Zeroizing<String>)> {
    let header = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, credentials) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let bytes = Zeroizing::new(STANDARD.decode(credentials.trim()).ok()?);
    let text = std::str::from_utf8(&bytes).ok()?;
    let (id, secret) = text.split_once(':')?;
    let decoded = |text: &str| {
        let mut members = form_urlencoded::parse(text.as_bytes());
        members.next().map_or_else(String::new, |(name, _)| name.into_owned())
    };
    Some((decoded(id), Zeroizing::new(decoded(secret))))
}

fn invalid_request(detail: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "invalid_request", detail).oauth("invalid_request")
}

/// What a token is worth (RFC 7662 §2.2). Of one that is worth nothing, only that.
#[derive(Object)]
#[oai(rename = "Introspection", skip_serializing_if_is_none, example)]
pub(crate) struct IntrospectionAnswer {
    /// Whether the token is good, and its session open.
    active: bool,
    /// `Bearer` for an access token, `refresh_token` for the other kind.
    token_type: Option<String>,
    /// Who issued it.
    iss: Option<String>,
    /// For whom it was issued.
    aud: Option<String>,
    /// The user.
    sub: Option<String>,
    /// The session.
    sid: Option<String>,
    /// The token itself.
    jti: Option<String>,
    /// When it was issued, in seconds since the epoch.
    iat: Option<i64>,
    /// When it expires, in seconds since the epoch.
    exp: Option<i64>,
    /// When the person last showed who they are, in seconds since the epoch.
    auth_time: Option<i64>,
    /// How: `pwd`, `otp`, `sms` (RFC 8176).
    amr: Option<Vec<String>>,
    /// What the user may do.
    roles: Option<Vec<String>>,
    /// The user holds an e-mail address that was proved.
    email_verified: Option<bool>,
    /// The user holds a phone number that was proved.
    phone_number_verified: Option<bool>,
}

impl IntrospectionAnswer {
    const INACTIVE: Self = Self {
        active: false,
        token_type: None,
        iss: None,
        aud: None,
        sub: None,
        sid: None,
        jti: None,
        iat: None,
        exp: None,
        auth_time: None,
        amr: None,
        roles: None,
        email_verified: None,
        phone_number_verified: None,
    };

    fn new(introspection: &Introspection, issuer: &Issuer) -> Self {
        match introspection {
            Introspection::Inactive => Self::INACTIVE,
            Introspection::Access(claims) => Self {
                active: true,
                token_type: Some("Bearer".to_owned()),
                iss: Some(issuer.issuer.clone()),
                aud: Some(issuer.audience.clone()),
                sub: Some(claims.user.to_string()),
                sid: Some(claims.session.to_string()),
                jti: Some(claims.id.to_string()),
                iat: Some(claims.issued_at.as_seconds()),
                exp: Some(claims.expires_at.as_seconds()),
                auth_time: Some(claims.authenticated_at.as_seconds()),
                amr: Some(claims.methods.iter().map(|one| one.as_str().to_owned()).collect()),
                roles: Some(claims.roles.iter().map(|role| role.as_str().to_owned()).collect()),
                email_verified: Some(claims.email_verified),
                phone_number_verified: Some(claims.phone_verified),
            },
            Introspection::Refresh { user, session, issued_at, expires_at } => Self {
                active: true,
                token_type: Some("refresh_token".to_owned()),
                iss: Some(issuer.issuer.clone()),
                sub: Some(user.to_string()),
                sid: Some(session.to_string()),
                iat: Some(issued_at.as_seconds()),
                exp: Some(expires_at.as_seconds()),
                ..Self::INACTIVE
            },
        }
    }
}

impl Example for IntrospectionAnswer {
    fn example() -> Self {
        Self {
            active: true,
            token_type: Some("Bearer".to_owned()),
            iss: Some("https://auth.example.com".to_owned()),
            aud: Some("mapae".to_owned()),
            sub: Some("019a9c9e-7a10-7b3e-9c51-0f6d0c1b7e01".to_owned()),
            sid: Some("019a9c9e-6f60-7c3e-8a51-2f6d0c1b7e44".to_owned()),
            jti: Some("019a9c9e-6f61-7d10-8b22-3a7e1d2c8f55".to_owned()),
            iat: Some(1_795_000_000),
            exp: Some(1_795_000_600),
            auth_time: Some(1_795_000_000),
            amr: Some(vec!["pwd".to_owned()]),
            roles: Some(Vec::new()),
            email_verified: Some(true),
            phone_number_verified: Some(false),
        }
    }
}

/// What other programs must know of this service (RFC 8414 §2).
#[derive(Object)]
#[oai(example)]
pub(crate) struct ServerMetadata {
    /// Who issues the tokens: `iss`.
    issuer: String,
    /// Where the public keys are.
    jwks_uri: String,
    /// Where services ask what a token is worth.
    introspection_endpoint: String,
    /// How they show who they are.
    introspection_endpoint_auth_methods_supported: Vec<String>,
    /// Where a token is given up.
    revocation_endpoint: String,
    /// How whoever gives it up shows who they are: the token itself is enough.
    revocation_endpoint_auth_methods_supported: Vec<String>,
    /// None: there is no authorization endpoint.
    response_types_supported: Vec<String>,
    /// None of OAuth 2's: log-in is `POST /v1/tokens`.
    grant_types_supported: Vec<String>,
    /// The API's document.
    service_documentation: String,
}

impl ServerMetadata {
    fn new(issuer: &Issuer) -> Self {
        let at = |path: &str| format!("{}{path}", issuer.origin);
        let methods = |methods: &[&str]| methods.iter().map(|one| (*one).to_owned()).collect();
        Self {
            issuer: issuer.issuer.clone(),
            jwks_uri: at("/.well-known/jwks.json"),
            introspection_endpoint: at("/oauth2/introspect"),
            introspection_endpoint_auth_methods_supported: methods(&[
                "client_secret_basic",
                "client_secret_post",
            ]),
            revocation_endpoint: at("/oauth2/revoke"),
            revocation_endpoint_auth_methods_supported: methods(&["none"]),
            response_types_supported: Vec::new(),
            grant_types_supported: Vec::new(),
            service_documentation: at("/docs"),
        }
    }
}

impl Example for ServerMetadata {
    fn example() -> Self {
        let origin = "https://auth.example.com".to_owned();
        Self::new(&Issuer { issuer: origin.clone(), audience: "mapae".to_owned(), origin })
    }
}

problems! {
    /// Of introspection.
    IntrospectProblems {
        400: "`invalid_request`: the form holds no token, or a member twice.",
        401: "`invalid_client`: the asker is none of the configured services, or shows another secret.",
        413: "`body_too_large`: over 64 KiB.",
        415: "`unsupported_media_type`: not a form.",
    }
    /// Of revocation.
    RevocationProblems {
        400: "`invalid_request`: the form holds no token, or a member twice.",
        413: "`body_too_large`: over 64 KiB.",
        415: "`unsupported_media_type`: not a form.",
    }
    /// Of metadata.
    MetadataProblems {}
}

/// A token was given up.
#[derive(Object)]
#[oai(example)]
pub(crate) struct Revoked {
    /// Nothing is said of whether there was anything to give up.
    revoked: bool,
}

impl Example for Revoked {
    fn example() -> Self {
        Self { revoked: true }
    }
}

/// Operations that OAuth 2 has standards for.
pub(crate) struct OAuthApi;

#[OpenApi(tag = "Tag::Tokens")]
impl OAuthApi {
    /// What is a token worth?
    ///
    /// For services that must know at once when a session has ended (RFC 7662). The asker shows the
    /// name and secret that are configured for it, by `Authorization: Basic` or in the form.
    #[oai(path = "/oauth2/introspect", method = "post", operation_id = "introspectToken")]
    async fn introspect(
        &self,
        application: Data<&Arc<Application>>,
        issuer: Data<&Issuer>,
        form: OAuthForm,
    ) -> Result<Reply<200, IntrospectionAnswer>, Failure<IntrospectProblems>> {
        let known = form
            .client
            .as_ref()
            .is_some_and(|(id, secret)| application.is_service_client(id, secret));
        if !known {
            let detail = "A configured service and its secret are needed.";
            let problem = Problem::new(StatusCode::UNAUTHORIZED, "invalid_client", detail);
            return Err(problem.oauth("invalid_client").challenge("Basic realm=\"mapae\"").into());
        }
        match application.introspect(&form.token).await {
            Ok(introspection) => Ok(Reply(IntrospectionAnswer::new(&introspection, &issuer))),
            Err(IntrospectError::Unavailable(error)) => Err(Problem::unavailable(&error).into()),
        }
    }

    /// Give a token up
    ///
    /// Ends the session of a refresh or access token (RFC 7009). A token that is none is no error.
    #[oai(path = "/oauth2/revoke", method = "post", operation_id = "revokeToken")]
    async fn revoke(
        &self,
        application: Data<&Arc<Application>>,
        form: OAuthForm,
    ) -> Result<Reply<200, Revoked>, Failure<RevocationProblems>> {
        match application.revoke_token(&form.token).await {
            Ok(()) => Ok(Reply(Revoked { revoked: true })),
            Err(IntrospectError::Unavailable(error)) => Err(Problem::unavailable(&error).into()),
        }
    }

    /// Metadata
    ///
    /// What other programs must know of this service (RFC 8414).
    #[oai(
        path = "/.well-known/oauth-authorization-server",
        method = "get",
        operation_id = "getServerMetadata"
    )]
    async fn metadata(
        &self,
        issuer: Data<&Issuer>,
    ) -> Result<Reply<200, ServerMetadata>, Failure<MetadataProblems>> {
        Ok(Reply(ServerMetadata::new(&issuer)))
    }
}
