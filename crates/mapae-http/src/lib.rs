//! Mapae over HTTP: types, routes, problems, pages.
//!
//! This crate turns requests into commands of [`mapae_application`], and views and errors into
//! answers. It holds no rule: what may be done, and when, is decided below it. It knows no adapter;
//! whoever builds the service hands it an [`Application`].

mod allow;
mod caller;
mod client;
mod consent;
mod contact;
mod cookie;
mod cors;
mod delivery;
mod document;
mod export;
mod framework;
mod hook;
mod inbox;
mod metrics;
mod middleware;
mod oauth;
mod pages;
mod path;
mod payload;
mod problem;
mod registration;
mod reset;
mod service;
mod session;
mod simplejwt;
mod time;
mod token;
mod trace;
mod user;
mod verification;

use std::sync::Arc;
use std::time::Duration;

use mapae_application::Application;
use mapae_application::inbox::Inbox;
use mapae_application::ports::SecretRng;
use poem::middleware::CatchPanic;
use poem::{Endpoint, EndpointExt as _, Response, Route};
use poem_openapi::{OpenApiService, Tags};
use serde_json::Value;

pub use client::{InvalidNetwork, Network};
pub use metrics::{MetricsSettings, RenderMetrics};
pub use payload::MAX_BODY;
pub use simplejwt::SimpleJwtSettings;

/// Where an operation stands in the document.
#[derive(Tags)]
pub(crate) enum Tag {
    /// Signing up.
    Registrations,
    /// Proving that somebody holds an e-mail address or a phone number.
    Verifications,
    /// Logging in, refreshing, checking, logging out.
    Tokens,
    /// The account of whoever asks.
    Account,
    /// What other programs ask the service about itself.
    Service,
    /// What there is in development only.
    Development,
}

/// What the tokens of this service say of it, and where it is.
#[derive(Debug, Clone)]
pub struct Issuer {
    /// `iss`.
    pub issuer: String,
    /// `aud`.
    pub audience: String,
    /// Where people and programs reach the service: `https://auth.example.com`.
    pub origin: String,
}

/// What the service is built from.
#[derive(Clone)]
pub struct HttpSettings {
    /// Draws the ids of requests.
    pub rng: Arc<dyn SecretRng>,
    /// What its tokens say of it.
    pub issuer: Issuer,
    /// The networks whose word on where a request comes from is taken.
    pub trusted_proxies: Vec<Network>,
    /// The networks of those whose `traceparent` says whether a trace is exported.
    pub trusted_trace_callers: Vec<Network>,
    /// The origins of the pages that may call the service from elsewhere, with its cookies.
    pub allowed_origins: Vec<String>,
    /// How long others may keep the public keys.
    pub keys_max_age: Duration,
    /// The paths of SimpleJWT, where they are served.
    pub simplejwt: Option<SimpleJwtSettings>,
    /// The figures for operators; without them there is no `/metrics`.
    pub metrics: Option<MetricsSettings>,
    /// The inbox, in development; without one there are no pages and operations of it.
    pub inbox: Option<Arc<Inbox>>,
}

type Apis = (
    registration::RegistrationApi,
    verification::VerificationApi,
    token::TokenApi,
    user::UserApi,
    reset::ResetApi,
    contact::ContactApi,
    consent::ConsentApi,
    session::SessionApi,
    oauth::OAuthApi,
    hook::HookApi,
    service::ServiceApi,
    service::HealthApi,
);

fn describe<T: poem_openapi::OpenApi>(api: T) -> OpenApiService<T, ()> {
    OpenApiService::new(api, "Mapae", env!("CARGO_PKG_VERSION"))
        .description(
            "Sign-up, proof of e-mail addresses and phone numbers, log-in and tokens.\n\nEvery \
             error is an `application/problem+json` (RFC 9457) with a stable `code`. Times are \
             RFC 3339 in UTC, ids are UUIDs. Text in answers that is documented with its values \
             may have further values later.",
        )
        .license(poem_openapi::LicenseObject::new("MIT OR Apache-2.0"))
}

const APIS: Apis = (
    registration::RegistrationApi,
    verification::VerificationApi,
    token::TokenApi,
    user::UserApi,
    reset::ResetApi,
    contact::ContactApi,
    consent::ConsentApi,
    session::SessionApi,
    oauth::OAuthApi,
    hook::HookApi,
    service::ServiceApi,
    service::HealthApi,
);

/// The OpenAPI document of the service, the development inbox included.
pub fn openapi_document() -> Value {
    spec(&describe((APIS, inbox::InboxApi)))
}

fn spec<T: poem_openapi::OpenApi>(service: &OpenApiService<T, ()>) -> Value {
    // The framework writes JSON.
    document::clean(serde_json::from_str(&service.spec()).unwrap_or_default())
}

/// The path of the figures, and its methods.
const METRICS: (&str, &str) = ("/metrics", "GET, HEAD");

/// The whole service as one endpoint.
pub fn service(
    application: Arc<Application>,
    settings: HttpSettings,
) -> impl Endpoint<Output = Response> + 'static {
    let (document, swagger_page, routes) = match &settings.inbox {
        Some(_) => {
            let service = describe((APIS, inbox::InboxApi));
            let (document, page) = (spec(&service), service.swagger_ui_html());
            (document, page, pages::inbox_routes(Route::new().nest("/", service)))
        }
        None => {
            let service = describe(APIS);
            let (document, page) = (spec(&service), service.swagger_ui_html());
            (document, page, Route::new().nest("/", service))
        }
    };
    let mut pages = vec![
        ("/verify/email", "GET, HEAD, POST"),
        ("/reset/password", "GET, HEAD, POST"),
        ("/undo/contact", "GET, HEAD, POST"),
        ("/dev/inbox", "GET, HEAD"),
        ("/docs", "GET, HEAD"),
        METRICS,
    ];
    if settings.simplejwt.is_some() {
        pages.extend(simplejwt::PATHS.map(|path| (path, "POST")));
    }
    let paths = Arc::new(path::Paths::new(&document, &pages));
    let document: Arc<str> = document.to_string().into();
    let routes = pages::docs_routes(routes, &swagger_page, document);
    let routes =
        pages::asset_routes(pages::undo_routes(pages::reset_routes(pages::verify_routes(routes))));
    let routes = match &settings.simplejwt {
        Some(bridge) => simplejwt::routes(routes, bridge),
        None => routes,
    };
    let surround = surround(&application, &settings, &paths);
    let endpoint = with_metrics(routes, settings.metrics, paths);
    let origin = &settings.issuer.origin;
    let endpoint = match settings.allowed_origins.as_slice() {
        [] => endpoint.boxed(),
        allowed => cors::shared(endpoint, origin, allowed).boxed(),
    };
    let endpoint = endpoint
        .data(application)
        .data(cookie::CookiePolicy::new(origin, &settings.allowed_origins))
        .data(service::KeysMaxAge(settings.keys_max_age))
        .data(settings.issuer)
        .data(client::TrustedProxies(settings.trusted_proxies.into()))
        .with(CatchPanic::new().with_handler(middleware::panicked))
        .with(surround);
    match settings.inbox {
        Some(inbox) => endpoint.data(inbox).boxed(),
        None => endpoint.boxed(),
    }
}

/// What a process says of itself that serves nobody: `/healthz`, `/readyz`, and `/metrics` where there
/// are figures.
pub fn status_service(
    application: Arc<Application>,
    settings: HttpSettings,
) -> impl Endpoint<Output = Response> + 'static {
    let service = describe(service::HealthApi);
    let paths = Arc::new(path::Paths::new(&spec(&service), &[METRICS]));
    let surround = surround(&application, &settings, &paths);
    with_metrics(Route::new().nest("/", service), settings.metrics, paths)
        .data(application)
        .with(CatchPanic::new().with_handler(middleware::panicked))
        .with(surround)
}

fn surround(
    application: &Application,
    settings: &HttpSettings,
    paths: &Arc<path::Paths>,
) -> middleware::Surround {
    let traces = trace::Traces {
        links: Arc::clone(application.traces()),
        trusted_callers: settings.trusted_trace_callers.clone(),
        paths: Arc::clone(paths),
    };
    middleware::Surround { rng: Arc::clone(&settings.rng), traces: Arc::new(traces) }
}

/// The routes with `/metrics`, where there are figures, and with `Allow` on every 405.
fn with_metrics(
    routes: Route,
    metrics: Option<MetricsSettings>,
    paths: Arc<path::Paths>,
) -> impl Endpoint<Output = Response> + 'static {
    let routes = match metrics {
        Some(metrics) => metrics::routes(routes, metrics),
        None => routes,
    };
    let routes = Arc::new(routes);
    poem::endpoint::make(move |request| {
        allow::with_allow(Arc::clone(&routes), Arc::clone(&paths), request)
    })
}
