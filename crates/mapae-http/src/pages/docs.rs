use std::sync::Arc;

use poem::http::header;
use poem::web::{Data, Html};
use poem::{EndpointExt as _, IntoResponse, Response, Route, get, handler};

use super::asset;

/// Swagger UI sets styles from its script, and has its icons in `data:` URLs.
const DOCS_POLICY: &str = "default-src 'none'; script-src 'self'; \
    style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; \
    frame-ancestors 'none'; base-uri 'none'";

/// What Swagger UI needs, all from this binary.
#[derive(Clone)]
struct SwaggerUi {
    script: Arc<str>,
    style: Arc<str>,
}

impl SwaggerUi {
    /// Takes the assets out of the one page that poem-openapi makes of them: its inline script
    /// would need a weaker content security policy, and its copy of the document is not the
    /// cleaned one.
    fn from_page(page: &str) -> Option<Self> {
        let between = |open: &str, close: &str| {
            let (_, rest) = page.split_once(open)?;
            rest.split_once(close).map(|(inner, _)| Arc::from(inner))
        };
        Some(Self {
            script: between("<script charset=\"UTF-8\">", "</script>\n</head>")?,
            style: between("<style charset=\"UTF-8\">", "</style>")?,
        })
    }
}

/// `/docs`, with the assets of `swagger_page`, and `/openapi.json`.
pub(crate) fn routes(routes: Route, swagger_page: &str, document: Arc<str>) -> Route {
    let routes = routes.at("/openapi.json", get(openapi).data(document));
    match SwaggerUi::from_page(swagger_page) {
        Some(ui) => routes
            .at("/docs", get(docs))
            .at("/docs/docs.js", get(docs_script))
            .at("/docs/swagger-ui-bundle.js", get(bundle).data(ui.clone()))
            .at("/docs/swagger-ui.css", get(style).data(ui)),
        None => {
            tracing::error!("the assets of Swagger UI are not where they are expected");
            routes
        }
    }
}

#[handler]
fn openapi(document: Data<&Arc<str>>) -> Response {
    Response::builder().content_type("application/json").body(document.to_string())
}

#[handler]
fn docs() -> Response {
    Html(include_str!("../../assets/docs.html"))
        .with_header(header::CONTENT_SECURITY_POLICY, DOCS_POLICY)
        .into_response()
}

#[handler]
fn docs_script() -> Response {
    asset("text/javascript; charset=utf-8", include_str!("../../assets/docs.js"))
}

#[handler]
fn bundle(ui: Data<&SwaggerUi>) -> Response {
    cached("text/javascript; charset=utf-8", &ui.script)
}

#[handler]
fn style(ui: Data<&SwaggerUi>) -> Response {
    cached("text/css; charset=utf-8", &ui.style)
}

fn cached(content_type: &'static str, body: &str) -> Response {
    Response::builder()
        .content_type(content_type)
        .header(header::CACHE_CONTROL, "public, max-age=3600")
        .body(body.to_owned())
}
