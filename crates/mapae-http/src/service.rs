//! What other programs ask the service about itself.

use std::sync::Arc;

use mapae_application::Application;
use mapae_application::error::Unavailable;
use poem::http::header;
use poem::web::Data;
use poem::{IntoResponse, Response};
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
    /// The key's family: `EC` or `OKP`.
    kty: String,
    /// The key's name, as tokens bear it in their header.
    kid: String,
    /// `ES256` or `EdDSA`.
    alg: String,
    /// `sig`.
    #[oai(rename = "use")]
    usage: String,
    /// The curve.
    crv: String,
    /// The public point, in base64url.
    x: String,
    /// The public point's other half, for `EC`.
    y: Option<String>,
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
                crv: "P-256".to_owned(),
                x: "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4".to_owned(),
                y: Some("4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM".to_owned()),
            }],
        }
    }
}

/// A JWK Set as the signer wrote it.
struct JwksReply(String);

impl IntoResponse for JwksReply {
    fn into_response(self) -> Response {
        Response::builder()
            .content_type("application/json")
            // Short enough for a new key to be known before it signs.
            .header(header::CACHE_CONTROL, "public, max-age=300")
            .body(self.0)
    }
}

impl ApiResponse for JwksReply {
    fn meta() -> MetaResponses {
        MetaResponses {
            responses: vec![MetaResponse {
                description: "The keys.",
                status: Some(200),
                status_range: None,
                content: vec![MetaMediaType {
                    content_type: "application/json",
                    schema: JwkSet::schema_ref(),
                }],
                headers: Vec::new(),
            }],
        }
    }

    fn register(registry: &mut Registry) {
        JwkSet::register(registry);
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
    ) -> Result<JwksReply, Failure<NoProblems>> {
        Ok(JwksReply(application.jwks()))
    }

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
