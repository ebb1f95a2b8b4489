//! `/metrics`: figures for operators, in the text form of Prometheus.

use std::pin::Pin;
use std::sync::Arc;

use mapae_application::Application;
use mapae_application::ports::HashContext;
use poem::http::{StatusCode, header};
use poem::web::Data;
use poem::{FromRequest as _, IntoResponse as _, Request, Response, Route};
use zeroize::Zeroizing;

use crate::payload::bearer;
use crate::problem::Problem;

/// Writes the figures down.
pub type RenderMetrics =
    Arc<dyn Fn() -> Pin<Box<dyn Future<Output = String> + Send>> + Send + Sync>;

/// How the figures are read, and by whom.
#[derive(Clone)]
pub struct MetricsSettings {
    /// What writes them down.
    pub render: RenderMetrics,
    /// The bearer token that is asked for; anybody reads them where there is none.
    pub token: Option<Arc<Zeroizing<String>>>,
}

/// Adds `/metrics` to the routes.
pub(crate) fn routes(routes: Route, settings: MetricsSettings) -> Route {
    let endpoint = poem::endpoint::make(move |request: Request| {
        let settings = settings.clone();
        async move { answer(&request, &settings).await }
    });
    routes.at("/metrics", poem::get(endpoint))
}

async fn answer(request: &Request, settings: &MetricsSettings) -> poem::Result<Response> {
    if let Some(token) = &settings.token {
        let Data(application) =
            Data::<&Arc<Application>>::from_request_without_body(request).await?;
        // Compared by their hashes, which take as long whatever was shown.
        let hash = |text: &str| {
            application.secret_hasher().hash(HashContext::ClientSecret, &[text.as_bytes()])
        };
        let shown = bearer(request);
        let is_right = shown.is_some_and(|shown| hash(&shown).matches(&hash(token)));
        if !is_right {
            let detail = "The token of the metrics is needed: `Authorization: Bearer …`.";
            let refused = Problem::new(StatusCode::UNAUTHORIZED, "unauthenticated", detail);
            return Ok(refused.into_response());
        }
    }
    let text = (settings.render)().await;
    let content_type = "text/plain; version=0.0.4; charset=utf-8";
    Ok(Response::builder()
        .header(header::CACHE_CONTROL, "no-store")
        .content_type(content_type)
        .body(text))
}
