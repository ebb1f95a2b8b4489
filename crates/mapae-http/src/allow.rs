//! Which methods a path takes: a 405 must say so (RFC 9110 §15.5.6).

use std::sync::Arc;

use poem::http::{StatusCode, header};
use poem::{Endpoint, IntoResponse, Request, Response};

use crate::path::Paths;

/// Adds `Allow` to every 405.
pub(crate) async fn with_allow<E: Endpoint>(
    inner: Arc<E>,
    paths: Arc<Paths>,
    request: Request,
) -> poem::Result<Response> {
    let path = request.uri().path().to_owned();
    let mut response = match inner.call(request).await {
        Ok(response) => response.into_response(),
        Err(error) => crate::framework::answer(error),
    };
    if response.status() == StatusCode::METHOD_NOT_ALLOWED
        && let Some(path) = paths.of(&path)
    {
        response.headers_mut().insert(header::ALLOW, path.allow.clone());
    }
    Ok(response)
}
