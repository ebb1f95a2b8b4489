//! For services on poem.

use poem::http::{HeaderValue, StatusCode, header};
use poem::{Endpoint, Error, FromRequest, Middleware, Request, RequestBody, Response, Result};

use crate::{Gate, Guard, GuardError, Verified};

impl From<GuardError> for Error {
    fn from(error: GuardError) -> Self {
        let status = StatusCode::from_u16(error.status());
        let mut response = Response::builder()
            .status(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
            .content_type("application/problem+json")
            .header(header::CACHE_CONTROL, "no-store")
            .body(error.problem());
        if let Some(challenge) = error.challenge() {
            let challenge = HeaderValue::from_static(challenge);
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        if let Some(after) = error.retry_after() {
            let seconds = HeaderValue::from(after.as_secs());
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        Self::from_response(response)
    }
}

fn authorization(request: &Request) -> Option<&str> {
    request.headers().get(header::AUTHORIZATION)?.to_str().ok()
}

/// An endpoint behind a [`Gate`].
pub struct GatedEndpoint<E> {
    inner: E,
    gate: Gate,
}

impl<E: Endpoint> Endpoint for GatedEndpoint<E> {
    type Output = E::Output;

    async fn call(&self, mut request: Request) -> Result<Self::Output> {
        let verified = self.gate.check(authorization(&request)).await?;
        request.extensions_mut().insert(verified);
        self.inner.call(request).await
    }
}

impl<E: Endpoint> Middleware<E> for Gate {
    type Output = GatedEndpoint<E>;

    fn transform(&self, inner: E) -> Self::Output {
        GatedEndpoint { inner, gate: self.clone() }
    }
}

impl<E: Endpoint> Middleware<E> for Guard {
    type Output = GatedEndpoint<E>;

    fn transform(&self, inner: E) -> Self::Output {
        GatedEndpoint { inner, gate: Gate::new(self.clone()) }
    }
}

/// Whoever asks: behind a [`Guard`] or a [`Gate`], or by itself where the guard is the service's
/// data (`.data(guard)`).
impl<'a> FromRequest<'a> for Verified {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> Result<Self> {
        if let Some(verified) = request.extensions().get::<Self>() {
            return Ok(verified.clone());
        }
        let Some(guard) = request.data::<Guard>() else {
            let words = "there is neither a guard before this handler nor one as its data";
            return Err(Error::from_string(words, StatusCode::INTERNAL_SERVER_ERROR));
        };
        Ok(Gate::new(guard.clone()).check(authorization(request)).await?)
    }
}
