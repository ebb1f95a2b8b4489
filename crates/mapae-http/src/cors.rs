//! Which pages of elsewhere may call the service, and with what (the Fetch standard §3.2).

use std::sync::Arc;

use poem::http::{HeaderValue, Method, header};
use poem::middleware::Cors;
use poem::{Endpoint, EndpointExt as _, IntoResponse, Request, Response};

use crate::cookie::as_browsers_write_it;

/// Where programs ask: these are shared. The pages for people are not; their own forms bear
/// `Origin: null`, for nothing may be said of the key in their address.
const SHARED: [&str; 3] = ["/v1/", "/oauth2/", "/.well-known/"];

/// Lets the pages of `allowed` origins, by their very name, call what programs call, with cookies.
pub(crate) fn shared<E>(
    inner: E,
    origin: &str,
    allowed: &[String],
) -> impl Endpoint<Output = Response> + use<E>
where
    E: Endpoint<Output = Response> + 'static,
{
    let cors = Cors::new()
        .allow_origins(allowed.iter().map(String::as_str).chain([origin]).map(as_browsers_write_it))
        .allow_credentials(true)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers(["authorization", "content-type", "idempotency-key", "x-csrf-token"])
        .expose_headers(["retry-after", "www-authenticate", "x-request-id"])
        .max_age(600);
    let inner = Arc::new(inner);
    let shared = Arc::new(Arc::clone(&inner).with(cors));
    poem::endpoint::make(move |request: Request| {
        let (inner, shared) = (Arc::clone(&inner), Arc::clone(&shared));
        async move {
            if !SHARED.iter().any(|path| request.uri().path().starts_with(path)) {
                return inner.call(request).await;
            }
            let mut response = match shared.call(request).await {
                Ok(response) => response.into_response(),
                Err(error) => crate::framework::answer(error),
            };
            // What one origin is told is not what a cache may tell another (RFC 9110 §12.5.5).
            response.headers_mut().append(header::VARY, HeaderValue::from_static("Origin"));
            Ok(response)
        }
    })
}
