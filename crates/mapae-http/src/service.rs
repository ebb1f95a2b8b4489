//! What other programs ask the service about itself.

use std::hash::{Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use mapae_application::Application;
use mapae_application::error::Unavailable;
use poem::http::{StatusCode, header};
use poem::web::Data;
use poem::{FromRequest, IntoResponse, Request, RequestBody, Response};
use poem_openapi::registry::{MetaMediaType, MetaResponse, MetaResponses, Registry};
use poem_openapi::types::{Example, Type};
use poem_openapi::{ApiResponse, Object, OpenApi};

use crate::Tag;
use crate::payload::Reply;
use crate::problem::{Failure, Problem, problems};

/// How the service is.
#[derive(Object)]
#[oai(example)]
pub(crate) struct Health {
    /// `ok`.
    status: String,
}

impl Example for Health {
    fn example() -> Self {
        Self { status: "ok".to_owned() }
    }
}

/// A public key (RFC 7517).
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
pub(crate) struct Jwk {
    /// The key's family: `EC`, `OKP` or `RSA`.
    kty: String,
    /// The key's name, as tokens bear it in their header.
    kid: String,
    /// `ES256`, `EdDSA` or `RS256`.
    alg: String,
    /// `sig`.
    #[oai(rename = "use")]
    usage: String,
    /// The curve, for `EC` and `OKP`.
    crv: Option<String>,
    /// The public point, in base64url, for `EC` and `OKP`.
    x: Option<String>,
    /// The public point's other half, for `EC`.
    y: Option<String>,
    /// The modulus, in base64url, for `RSA`.
    n: Option<String>,
    /// The exponent, in base64url, for `RSA`.
    e: Option<String>,
}

/// The public keys that check access tokens (RFC 7517 §5).
#[derive(Object)]
#[oai(example)]
pub(crate) struct JwkSet {
    /// The keys.
    keys: Vec<Jwk>,
}

impl Example for JwkSet {
    fn example() -> Self {
        Self {
            keys: vec![Jwk {
                kty: "EC".to_owned(),
                kid: "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U".to_owned(),
                alg: "ES256".to_owned(),
                usage: "sig".to_owned(),
                crv: Some("P-256".to_owned()),
                x: Some("MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4".to_owned()),
                y: Some("4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM".to_owned()),
                n: None,
                e: None,
            }],
        }
    }
}

/// How long others may keep the keys: shorter than a new one is published before it signs.
#[derive(Clone, Copy)]
pub(crate) struct KeysMaxAge(pub(crate) Duration);

/// A JWK Set as the signer wrote it, or that it is still the one that is known.
struct JwksReply {
    jwks: String,
    max_age: Duration,
    /// What the asker knows.
    known: Option<String>,
}

impl JwksReply {
    /// Names this state of the set (RFC 9110 §8.8.3).
    fn etag(&self) -> String {
        let mut hasher = std::hash::DefaultHasher::new();
        self.jwks.hash(&mut hasher);
        format!("\"{:016x}\"", hasher.finish())
    }
}

impl IntoResponse for JwksReply {
    fn into_response(self) -> Response {
        let etag = self.etag();
        let unchanged = self.known.as_deref().is_some_and(|known| {
            known.split(',').any(|known| known.trim().trim_start_matches("W/") == etag)
        });
        let cache = format!("public, max-age={}", self.max_age.as_secs());
        let response =
            Response::builder().header(header::CACHE_CONTROL, cache).header(header::ETAG, etag);
        if unchanged {
            return response.status(StatusCode::NOT_MODIFIED).finish();
        }
        response.content_type("application/json").body(self.jwks)
    }
}

impl ApiResponse for JwksReply {
    fn meta() -> MetaResponses {
        let unchanged = MetaResponse {
            description: "They are still those of the `ETag` in `If-None-Match`.",
            status: Some(304),
            status_range: None,
            content: Vec::new(),
            headers: Vec::new(),
        };
        MetaResponses {
            responses: vec![
                MetaResponse {
                    description: "The keys.",
                    status: Some(200),
                    status_range: None,
                    content: vec![MetaMediaType {
                        content_type: "application/json",
                        schema: JwkSet::schema_ref(),
                    }],
                    headers: Vec::new(),
                },
                unchanged,
            ],
        }
    }

    fn register(registry: &mut Registry) {
        JwkSet::register(registry);
    }
}

/// What a client knows already (RFC 9110 §13.1.2).
struct IfNoneMatch(Option<String>);

impl<'a> FromRequest<'a> for IfNoneMatch {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> poem::Result<Self> {
        let known = request.headers().get(header::IF_NONE_MATCH);
        Ok(Self(known.and_then(|known| known.to_str().ok()).map(str::to_owned)))
    }
}

problems! {
    /// Of what cannot go wrong by itself.
    NoProblems {}
}

/// Operations on the service itself.
pub(crate) struct ServiceApi;

#[OpenApi(tag = "Tag::Service")]
impl ServiceApi {
    /// Public keys
    ///
    /// The keys by which any service checks access tokens (RFC 7517).
    #[oai(path = "/.well-known/jwks.json", method = "get", operation_id = "getJwks")]
    async fn jwks(
        &self,
        application: Data<&Arc<Application>>,
        max_age: Data<&KeysMaxAge>,
        known: IfNoneMatch,
    ) -> Result<JwksReply, Failure<NoProblems>> {
        let KeysMaxAge(max_age) = **max_age;
        Ok(JwksReply { jwks: application.jwks(), max_age, known: known.0 })
    }
}

/// Whether the process is alive and ready.
pub(crate) struct HealthApi;

#[OpenApi(tag = "Tag::Service")]
impl HealthApi {
    /// Is the process alive?
    ///
    /// Answers as long as the process can answer at all; asks nothing else.
    #[oai(path = "/healthz", method = "get", operation_id = "getHealth")]
    async fn health(&self) -> Result<Reply<200, Health>, Failure<NoProblems>> {
        Ok(Reply(Health::example()))
    }

    /// Is the service ready?
    ///
    /// Answers 503 while the database does not.
    #[oai(path = "/readyz", method = "get", operation_id = "getReadiness")]
    async fn ready(
        &self,
        application: Data<&Arc<Application>>,
    ) -> Result<Reply<200, Health>, Failure<NoProblems>> {
        match application.ping().await {
            Ok(()) => Ok(Reply(Health::example())),
            Err(error) => Err(Problem::unavailable(&Unavailable::Store(error)).into()),
        }
    }
}
