//! What a trace tells of a request: which operation it was, and how it ended. Never by whom, from
//! where, or what was sent.

use std::sync::Arc;

use mapae_application::ports::{TraceCaller, TraceLinks};
use mapae_application::trace::{TARGET, TraceParent};
use poem::Request;
use poem::http::{HeaderMap, Method, StatusCode};
use tracing::{Span, field};

use crate::client::Network;
use crate::path::Paths;

/// Begins spans of requests.
pub(crate) struct Traces {
    pub(crate) links: Arc<dyn TraceLinks>,
    /// From where a caller decides what of theirs is exported.
    pub(crate) trusted_callers: Vec<Network>,
    pub(crate) paths: Arc<Paths>,
}

impl Traces {
    /// A span of a request, in the trace that its caller names.
    pub(crate) fn begin(&self, request: &Request) -> Span {
        let span = tracing::info_span!(
            target: TARGET,
            "request",
            otel.kind = "server",
            otel.name = field::Empty,
            otel.status_code = field::Empty,
            http.request.method = field::Empty,
            http.route = field::Empty,
            http.response.status_code = field::Empty,
        );
        if span.is_disabled() {
            return span;
        }
        let method = known(request.method());
        span.record("http.request.method", method);
        match self.paths.of(request.uri().path()) {
            Some(path) => {
                span.record("http.route", path.template.as_str());
                match path.operation(request.method()) {
                    Some(operation) => span.record("otel.name", operation),
                    None => span.record("otel.name", format!("{method} {}", path.template)),
                };
            }
            // What was asked for in vain may be called anything.
            None => {
                span.record("otel.name", method);
            }
        }
        if let Some(parent) = parent(request.headers()) {
            self.links.follow(&span, &parent, self.caller(request));
        }
        span
    }

    /// The id of the trace that a span belongs to.
    pub(crate) fn id(&self, span: &Span) -> Option<String> {
        if span.is_disabled() {
            return None;
        }
        span.in_scope(|| self.links.current()).map(|current| current.trace_id_text())
    }

    fn caller(&self, request: &Request) -> TraceCaller {
        let peer = request.remote_addr().as_socket_addr().map(|address| address.ip());
        match peer {
            Some(peer) if self.trusted_callers.iter().any(|network| network.contains(peer)) => {
                TraceCaller::Trusted
            }
            _ => TraceCaller::Stranger,
        }
    }
}

/// Tells a span how its request was answered.
pub(crate) fn answered(span: &Span, status: StatusCode) {
    span.record("http.response.status_code", i64::from(status.as_u16()));
    if status.is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
}

/// The caller's span. Two of them are none (W3C Trace Context §3.2: one header, one value).
fn parent(headers: &HeaderMap) -> Option<TraceParent> {
    let mut values = headers.get_all("traceparent").into_iter();
    let value = values.next()?.to_str().ok()?;
    if values.next().is_some() { None } else { TraceParent::parse(value.trim()) }
}

/// A method by its name, where it is one that is known: a caller may make up any other.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::CONNECT => "CONNECT",
        Method::TRACE => "TRACE",
        _ => "_OTHER",
    }
}
