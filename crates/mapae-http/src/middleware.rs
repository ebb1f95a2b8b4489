//! What surrounds every request: an id, a line in the log, headers that keep browsers strict.

use std::sync::Arc;
use std::time::Duration;

use mapae_application::ports::SecretRng;
use poem::http::{HeaderName, HeaderValue, StatusCode, header};
use poem::{Endpoint, IntoResponse, Middleware, Request, Response};
use poem_openapi::OperationId;
use tracing::Instrument as _;

use crate::framework;
use crate::problem::Problem;
use crate::trace::{self, Traces};

/// The header that bears a request's id, both ways.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Gives each request an id, logs it, and answers whatever went wrong as a problem.
pub(crate) struct Surround {
    pub(crate) rng: Arc<dyn SecretRng>,
    pub(crate) traces: Arc<Traces>,
}

/// What [`Surround`] makes of an endpoint.
pub(crate) struct Surrounded<E> {
    inner: E,
    rng: Arc<dyn SecretRng>,
    traces: Arc<Traces>,
}

impl<E: Endpoint> Middleware<E> for Surround {
    type Output = Surrounded<E>;

    fn transform(&self, inner: E) -> Self::Output {
        Surrounded { inner, rng: Arc::clone(&self.rng), traces: Arc::clone(&self.traces) }
    }
}

impl<E: Endpoint> Endpoint for Surrounded<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        let id = request_id(&request).unwrap_or_else(|| {
            let mut bytes = [0; 16];
            self.rng.fill(&mut bytes);
            uuid::Builder::from_random_bytes(bytes).into_uuid().simple().to_string()
        });
        // The path alone: a query may bear the key of a link.
        let path = request.uri().path().to_owned();
        #[expect(clippy::disallowed_methods, reason = "measures, and decides nothing")]
        let begun = std::time::Instant::now();
        let traced = self.traces.begin(&request);
        let trace_id = self.traces.id(&traced);
        let span = tracing::info_span!("request", id, method = %request.method(), path, trace_id);
        let answered = async {
            tracing::trace!("asked");
            let (response, operation) = match self.inner.call(request).await {
                Ok(response) => {
                    let response = response.into_response();
                    let operation = response.data::<OperationId>().map(|id| id.0);
                    (response, operation)
                }
                Err(error) => {
                    let operation = error.data::<OperationId>().map(|id| id.0);
                    (framework::answer(error), operation)
                }
            };
            let status = response.status();
            count(operation, status, begun.elapsed());
            trace::answered(&traced, status);
            if status.is_server_error() {
                tracing::warn!(status = status.as_u16(), "answered");
            } else {
                tracing::info!(status = status.as_u16(), "answered");
            }
            response
        };
        let mut response = answered.instrument(span).instrument(traced.clone()).await;
        let headers = response.headers_mut();
        if let Ok(id) = HeaderValue::from_str(&id) {
            headers.insert(REQUEST_ID, id);
        }
        let strict = [
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::REFERRER_POLICY, "no-referrer"),
            (header::X_FRAME_OPTIONS, "DENY"),
            (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        ];
        for (name, value) in strict {
            // A page that needs more says so itself.
            headers.entry(name).or_insert(HeaderValue::from_static(value));
        }
        Ok(response)
    }
}

/// Counts a request: by its operation, which are so many and no more, and never by its path.
fn count(operation: Option<&'static str>, status: StatusCode, took: Duration) {
    // Pages, and what is asked for in vain.
    let operation = operation.unwrap_or("other");
    let status = status.as_u16().to_string();
    ::metrics::counter!("mapae_http_requests_total", "operation" => operation, "status" => status)
        .increment(1);
    ::metrics::histogram!("mapae_http_request_duration_seconds", "operation" => operation)
        .record(took.as_secs_f64());
}

/// The id that a proxy or a client gave the request, where it is fit for a log.
fn request_id(request: &Request) -> Option<String> {
    let id = request.headers().get(REQUEST_ID)?.to_str().ok()?;
    let harmless = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    ((1..=64).contains(&id.len()) && id.bytes().all(harmless)).then(|| id.to_owned())
}

/// Answers a panic as a problem; the hook that the binary has installed has logged it.
pub(crate) fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    Problem::internal().into_response()
}
