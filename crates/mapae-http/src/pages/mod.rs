//! Pages for people: the one behind the link of a mail, the inbox of development, the API's
//! documentation.

mod docs;
mod inbox;
mod reset;
mod undo;
mod verify;

use minijinja::Environment;
use poem::http::{StatusCode, header};
use poem::web::Html;
use poem::{IntoResponse, Response, Route, get, handler};

pub(crate) use docs::routes as docs_routes;
pub(crate) use inbox::routes as inbox_routes;
pub(crate) use reset::routes as reset_routes;
pub(crate) use undo::routes as undo_routes;
pub(crate) use verify::routes as verify_routes;

/// What a page may load: its own stylesheet and scripts, and nothing from anywhere else.
const PAGE_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; \
    connect-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; \
    base-uri 'none'";

/// Fills in a page. What it is given is escaped: a template's name ends in `.html`.
fn render(name: &'static str, source: &'static str, context: minijinja::Value) -> String {
    let mut pages = Environment::new();
    let filled = pages.add_template(name, source).and_then(|()| {
        let page = pages.get_template(name)?;
        page.render(context)
    });
    // The pages are compiled in, and a test renders each.
    filled.unwrap_or_else(|error| {
        tracing::error!(%error, page = name, "page not rendered");
        String::new()
    })
}

/// A page with the headers that every page has.
fn page(status: StatusCode, html: String) -> Response {
    Html(html)
        .with_status(status)
        .with_header(header::CONTENT_SECURITY_POLICY, PAGE_POLICY)
        .with_header(header::CACHE_CONTROL, "no-store")
        .into_response()
}

fn asset(content_type: &'static str, body: &'static str) -> Response {
    Response::builder()
        .content_type(content_type)
        .header(header::CACHE_CONTROL, "public, max-age=3600")
        .body(body)
}

#[handler]
fn stylesheet() -> Response {
    asset("text/css; charset=utf-8", include_str!("../../assets/pages.css"))
}

#[handler]
fn inbox_script() -> Response {
    asset("text/javascript; charset=utf-8", include_str!("../../assets/inbox.js"))
}

#[handler]
fn icon() -> Response {
    asset("image/svg+xml", include_str!("../../assets/icon.svg"))
}

/// What pages load.
pub(crate) fn asset_routes(routes: Route) -> Route {
    routes
        .at("/assets/pages.css", get(stylesheet))
        .at("/assets/inbox.js", get(inbox_script))
        .at("/assets/icon.svg", get(icon))
        // Browsers ask for it by themselves, for a mail's HTML too.
        .at("/favicon.ico", get(icon))
}
