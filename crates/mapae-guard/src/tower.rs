//! For services on axum, tonic's HTTP side, or whatever else is made of tower's services.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{HeaderValue, Request, Response, StatusCode, header};
use tower_layer::Layer;
use tower_service::Service;

use crate::{Gate, Guard, GuardError};

/// A service behind a [`Gate`]. Whoever it lets through is in the request's extensions, as
/// [`crate::Verified`].
#[derive(Debug, Clone)]
pub struct GatedService<S> {
    inner: S,
    gate: Gate,
}

impl<S> Layer<S> for Gate {
    type Service = GatedService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        GatedService { inner, gate: self.clone() }
    }
}

impl<S> Layer<S> for Guard {
    type Service = GatedService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        GatedService { inner, gate: Gate::new(self.clone()) }
    }
}

/// What a [`GatedService`] gives.
pub type GatedFuture<R, E> = Pin<Box<dyn Future<Output = Result<Response<R>, E>> + Send>>;

impl<S, B, R> Service<Request<B>> for GatedService<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
    R: From<String>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = GatedFuture<R, S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        // The one that is ready goes with the request; the clone becomes ready for the next.
        let next = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, next);
        let gate = self.gate.clone();
        Box::pin(async move {
            let authorization = request.headers().get(header::AUTHORIZATION).cloned();
            let authorization = authorization.as_ref().and_then(|value| value.to_str().ok());
            match gate.check(authorization).await {
                Ok(verified) => {
                    request.extensions_mut().insert(verified);
                    inner.call(request).await
                }
                Err(error) => Ok(refusal(error)),
            }
        })
    }
}

fn refusal<R: From<String>>(error: GuardError) -> Response<R> {
    let mut response = Response::new(R::from(error.problem()));
    *response.status_mut() =
        StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    let problem = HeaderValue::from_static("application/problem+json");
    headers.insert(header::CONTENT_TYPE, problem);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(challenge) = error.challenge() {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    if let Some(after) = error.retry_after() {
        let seconds = HeaderValue::from(after.as_secs());
        headers.insert(header::RETRY_AFTER, seconds);
    }
    response
}
