//! Traces by OTLP: a request's spans, and what follows from it, under the caller's trace; nothing in
//! them that is anybody's; and nobody waits for the collector.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mapae_e2e::{Server, ServerOptions, until};
use mapae_testkit::fake::{HttpReply, HttpStub};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::{Span as Exported, span::SpanKind};
use prost::Message as _;
use reqwest::Method;
use serde_json::json;

use crate::{PASSWORD, complete_sign_up, log_in};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

/// A collector that takes everything.
async fn collector() -> HttpStub {
    HttpStub::start(|_| HttpReply::Answer {
        status: 200,
        content_type: "application/x-protobuf",
        body: String::new(),
    })
    .await
}

fn traced(collector: &HttpStub) -> ServerOptions {
    ServerOptions::default().with("TRACES__ENDPOINT", &collector.origin())
}

/// A span as the collector got it.
#[derive(Debug, Clone)]
struct Span {
    name: String,
    kind: SpanKind,
    trace: String,
    id: String,
    parent: String,
    attributes: BTreeMap<String, String>,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn texts(attributes: Vec<KeyValue>) -> BTreeMap<String, String> {
    let text = |attribute: KeyValue| {
        let value = match attribute.value.and_then(|value| value.value) {
            Some(Value::StringValue(text)) => text,
            Some(Value::IntValue(number)) => number.to_string(),
            other => panic!("{}: {other:?}", attribute.key),
        };
        (attribute.key, value)
    };
    attributes.into_iter().map(text).collect()
}

impl From<Exported> for Span {
    fn from(span: Exported) -> Self {
        assert!(span.events.is_empty() && span.links.is_empty(), "{span:?}");
        assert!(span.end_time_unix_nano >= span.start_time_unix_nano, "{span:?}");
        Self {
            kind: span.kind(),
            trace: hex(&span.trace_id),
            id: hex(&span.span_id),
            parent: hex(&span.parent_span_id),
            name: span.name,
            attributes: texts(span.attributes),
        }
    }
}

/// Every span that the collector has got so far.
fn spans(collector: &HttpStub) -> Vec<Span> {
    let mut spans = Vec::new();
    for request in collector.requests() {
        assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/v1/traces"));
        assert_eq!(request.header("content-type"), "application/x-protobuf");
        let body = ExportTraceServiceRequest::decode(request.body.as_slice()).expect("OTLP");
        for resource in body.resource_spans {
            let about = texts(resource.resource.expect("a resource").attributes);
            let known: Vec<_> = about.keys().map(String::as_str).collect();
            assert_eq!(known, ["service.name", "service.version"]);
            let scopes = resource.scope_spans.into_iter();
            spans.extend(scopes.flat_map(|scope| scope.spans).map(Span::from));
        }
    }
    spans
}

/// The span of that name in a trace, once it is there.
async fn span(collector: &HttpStub, trace: &str, name: &str) -> Span {
    let mut found = None;
    until(&format!("{name} in {trace}"), async || {
        found = spans(collector).into_iter().find(|span| span.trace == trace && span.name == name);
        found.is_some()
    })
    .await;
    found.expect("the span")
}

/// `GET` with this `traceparent`.
async fn get_in(server: &Server, path: &str, traceparent: &str) -> u16 {
    let headers = [("traceparent", traceparent)];
    server.send(Method::GET, path, &headers, None).await.status.as_u16()
}

fn attributes<const N: usize>(expected: [(&str, &str); N]) -> BTreeMap<String, String> {
    expected.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}

#[tokio::test]
async fn a_request_and_the_send_that_another_process_does_for_it_belong_to_the_callers_trace() {
    let collector = collector().await;
    let options = traced(&collector).with("LOG__FORMAT", "json").without_worker();
    let server = options.start().await;
    let traceparent = format!("00-{TRACE}-{CALLER}-01");
    let body = json!({"channel": "email", "to": "minji@example.com", "purpose": "own"});
    let headers = [("traceparent", traceparent.as_str())];
    server.post_with("/v1/verifications", &headers, &body).await.expect(202);
    let request = span(&collector, TRACE, "createVerification").await;
    assert_eq!(request.parent, CALLER);
    assert_eq!(request.kind, SpanKind::Server);
    let expected = attributes([
        ("http.request.method", "POST"),
        ("http.response.status_code", "202"),
        ("http.route", "/v1/verifications"),
    ]);
    assert_eq!(request.attributes, expected);
    let stored = span(&collector, TRACE, "database.unit_of_work").await;
    assert_eq!(stored.parent, request.id);
    assert_eq!(stored.attributes["outcome"], "committed");

    let _worker = server.start_worker();
    let sent = span(&collector, TRACE, "message.send").await;
    assert_eq!(sent.parent, request.id);
    let expected = [("channel", "email"), ("outcome", "sent"), ("sender", "inbox")];
    assert_eq!(sent.attributes, attributes(expected));
    let handed_over = span(&collector, TRACE, "message.hand_over").await;
    assert_eq!(handed_over.parent, sent.id);
    assert_eq!(handed_over.attributes, attributes([("outcome", "taken"), ("sender", "inbox")]));
    assert!(spans(&collector).iter().all(|span| span.trace == TRACE), "{:?}", spans(&collector));

    let line = server.log().lines().find(|line| line.contains("answered")).map(str::to_owned);
    let line: serde_json::Value = serde_json::from_str(&line.expect("a line")).expect("JSON");
    assert_eq!(line["span"]["trace_id"], TRACE, "{line}");
}

#[tokio::test]
async fn passwords_are_hashed_in_the_trace_of_the_request() {
    let collector = collector().await;
    let server = traced(&collector).start().await;
    complete_sign_up(&server, "minji@example.com").await;
    let headers = [("traceparent", format!("00-{TRACE}-{CALLER}-01"))];
    let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
    let body = json!({"login": "minji@example.com", "password": PASSWORD});
    server.post_with("/v1/tokens", &headers, &body).await.expect(200);
    let request = span(&collector, TRACE, "logIn").await;
    let hashed = span(&collector, TRACE, "password.hash").await;
    assert_eq!((hashed.parent, hashed.attributes), (request.id, BTreeMap::new()));
}

#[tokio::test]
async fn without_a_callers_span_each_request_begins_a_trace_of_its_own() {
    let collector = collector().await;
    let server = traced(&collector).start().await;
    let malformed = [
        "",
        "nonsense",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
    ];
    for traceparent in malformed {
        assert_eq!(get_in(&server, "/v1/consents", traceparent).await, 200, "{traceparent}");
    }
    let twice = format!("00-{TRACE}-{CALLER}-01");
    let twice = [("traceparent", twice.as_str()), ("traceparent", twice.as_str())];
    server.send(Method::GET, "/v1/consents", &twice, None).await.expect(200);
    let requests = || {
        let spans = spans(&collector).into_iter();
        spans.filter(|span| span.kind == SpanKind::Server).collect::<Vec<_>>()
    };
    until("all of them", async || requests().len() == malformed.len() + 1).await;
    let traces: BTreeSet<_> = requests().into_iter().map(|span| span.trace).collect();
    assert_eq!(traces.len(), malformed.len() + 1);
    assert!(!traces.contains(TRACE));
    assert!(requests().iter().all(|span| span.parent.is_empty()), "{:?}", requests());
}

#[tokio::test]
async fn a_span_has_the_name_of_a_route_and_never_of_a_path() {
    let collector = collector().await;
    let server = traced(&collector).start().await;
    server.get("/v1/verifications/planted-id").await;
    server.get("/planted/path?key=planted-key").await.expect(404);
    server.get("/verify/email?key=planted-key").await;
    let made_up = Method::from_bytes(b"PLANTED-METHOD").expect("a method");
    server.send(made_up, "/v1/me", &[], None).await;
    assert!(server.terminate().await);
    let mut named: Vec<_> = spans(&collector)
        .into_iter()
        .filter(|span| span.kind == SpanKind::Server)
        .map(|span| (span.name, span.attributes.get("http.route").cloned().unwrap_or_default()))
        .collect();
    named.sort();
    let expected = [
        ("GET", ""),
        ("GET /verify/email", "/verify/email"),
        ("_OTHER /v1/me", "/v1/me"),
        ("getVerification", "/v1/verifications/{id}"),
    ];
    assert_eq!(named, expected.map(|(name, route)| (name.to_owned(), route.to_owned())));
}

#[tokio::test]
async fn a_strangers_flag_has_nothing_exported_and_a_trusted_callers_decides() {
    let (sampled, unsampled) =
        (format!("00-{TRACE}-{CALLER}-01"), format!("00-{}-{CALLER}-00", "ab".repeat(16)));
    let begin = json!({"channel": "email", "to": "minji@example.com", "purpose": "own"});
    let (strangers, everybody) = ("TRACES__SERVICE_NAME", r#"["127.0.0.1"]"#);
    for (setting, ratio, exported) in [
        (strangers, "0.0", vec![]),
        (strangers, "1.0", vec![TRACE.to_owned(), "ab".repeat(16)]),
        // A proxy passes on what whoever asks has sent.
        ("SERVER__TRUSTED_PROXIES", "0.0", vec![]),
        ("TRACES__TRUSTED_CALLERS", "0.0", vec![TRACE.to_owned()]),
        ("TRACES__TRUSTED_CALLERS", "1.0", vec![TRACE.to_owned()]),
    ] {
        let collector = collector().await;
        let options =
            traced(&collector).with(setting, everybody).with("TRACES__SAMPLE_RATIO", ratio);
        let server = options.start().await;
        for traceparent in [&sampled, &unsampled] {
            let headers = [("traceparent", traceparent.as_str())];
            server.post_with("/v1/verifications", &headers, &begin).await;
        }
        // Whether it is exported or not, the caller finds its requests in the log.
        assert!(server.log().contains(TRACE) && server.log().contains(&"ab".repeat(16)));
        assert!(server.terminate().await);
        let traces: BTreeSet<_> = spans(&collector).into_iter().map(|span| span.trace).collect();
        assert_eq!(traces, exported.into_iter().collect(), "{setting} {ratio}");
    }
}

#[tokio::test]
async fn nothing_that_is_exported_shows_whose_it_is_or_what_was_said() {
    let collector = collector().await;
    let authorization = "Bearer planted-token-of-the-collector";
    let server = traced(&collector)
        .with("TRACES__AUTHORIZATION", authorization)
        .with("LOG__LEVEL", "trace")
        .with("REGISTRATION__REQUIRE", "[\"email\", \"phone\"]")
        .start()
        .await;
    let mut planted = crate::secrecy::every_flow(&server).await;
    let (email, renewed) = ("plantedaddress@secret.example", "planted new pass phrase");
    let asked = server.post("/v1/password-resets", &json!({ "login": email })).await.expect(202);
    // The sign-up, its code to log in, that there is an account already, and this; newest first.
    let mails = server.messages(email, 4).await;
    let mail = mails.iter().find(|mail| mail.json["code"].is_string()).expect("a code");
    let path = format!("/v1/password-resets/{}/complete", asked.text("id"));
    let body = json!({"code": mail.code(), "new_password": renewed});
    server.post(&path, &body).await.expect(204);
    let pair = log_in(&server, email, renewed).await.expect(200);
    planted.extend([mail.code(), renewed.to_owned(), asked.text("id"), pair.text("session_id")]);
    planted.extend([pair.text("access_token"), pair.text("refresh_token")]);
    planted.extend(["127.0.0.1".to_owned(), "plantedlogin".to_owned(), authorization.to_owned()]);
    let (_, dump, _) = server.run_beside(&["config"]).await;
    let log = server.log();
    assert!(server.terminate().await);

    for shown in [&log, &dump] {
        assert!(!shown.contains("planted-token-of-the-collector"), "{shown}");
    }
    let requests = collector.requests();
    assert!(requests.iter().all(|request| request.header("authorization") == authorization));
    let exported: Vec<u8> = requests.into_iter().flat_map(|request| request.body).collect();
    let has = |text: &str| exported.windows(text.len()).any(|window| window == text.as_bytes());
    for name in ["createRegistration", "completePasswordReset", "password.hash", "message.send"] {
        assert!(has(name), "{name} was exported");
    }
    for secret in planted {
        assert!(!has(&secret), "{secret:?} was exported");
    }
}

/// Whoever is served notices nothing, and the process stops in time.
async fn is_served_and_stops(options: ServerOptions) {
    let server = options.start().await;
    complete_sign_up(&server, "minji@example.com").await;
    // Less than a fifth of what they would take if each waited for as long as a batch does.
    let all = Duration::from_secs(200);
    let served = tokio::time::timeout(all, async {
        for _ in 0..200 {
            server.get("/v1/consents").await.expect(200);
        }
    });
    served.await.expect("each of them waited");
    until("word of it", async || server.log().contains("traces are not delivered")).await;
    for _ in 0..200 {
        server.get("/v1/consents").await.expect(200);
    }
    let lines = server.log();
    assert_eq!(lines.matches("traces are not delivered").count(), 1, "{lines}");
    let stopped = tokio::time::timeout(Duration::from_secs(20), server.terminate()).await;
    assert_eq!(stopped, Ok(true));
}

#[tokio::test]
async fn nobody_waits_for_a_collector_that_is_gone() {
    let gone = collector().await.origin();
    is_served_and_stops(ServerOptions::default().with("TRACES__ENDPOINT", &gone)).await;
}

#[tokio::test]
async fn nobody_waits_for_a_collector_that_does_not_answer() {
    let silent = HttpStub::start(|_| HttpReply::Cut.after(Duration::from_secs(600))).await;
    is_served_and_stops(traced(&silent)).await;
}

#[tokio::test]
async fn a_collector_that_comes_back_gets_what_happens_from_then_on() {
    let answers = std::sync::Arc::new(std::sync::atomic::AtomicU16::new(400));
    let status = std::sync::Arc::clone(&answers);
    let collector = HttpStub::start(move |_| {
        HttpReply::json(status.load(std::sync::atomic::Ordering::SeqCst), "")
    })
    .await;
    let server = traced(&collector).start().await;
    server.get("/v1/consents").await.expect(200);
    until("a refusal", async || server.log().contains("traces are not delivered")).await;
    answers.store(200, std::sync::atomic::Ordering::SeqCst);
    server.get("/v1/consents").await.expect(200);
    until("a delivery", async || server.log().contains("traces are delivered again")).await;
}

#[tokio::test]
async fn without_a_collector_there_are_no_traces() {
    let server = ServerOptions::default().with("LOG__LEVEL", "trace").start().await;
    let traceparent = format!("00-{TRACE}-{CALLER}-01");
    assert_eq!(get_in(&server, "/v1/consents", &traceparent).await, 200);
    assert!(!server.log().contains("trace_id") && !server.log().contains(TRACE));
}

#[tokio::test]
async fn settings_of_traces_that_cannot_be_meant_are_refused_by_their_names() {
    let plain = ("TRACES__ENDPOINT", "http://collector.example.com:4318");
    let production = [
        ("MODE", "production"),
        ("PUBLIC_ORIGIN", "https://auth.example.com"),
        ("SECRET", "b8Qzq2b5dXJm0n3q6Y5m5t7g1c9k4w2e8r6y0u3i5o8="),
        ("MAIL__SENDERS", r#"["smtp"]"#),
        ("MAIL__SMTP__HOST", "127.0.0.1"),
        ("MAIL__FROM", "no-reply@example.com"),
        ("SMS__SENDERS", "[]"),
        ("TRACES__AUTHORIZATION", "Bearer planted"),
    ];
    for (settings, named) in [
        (vec![("TRACES__ENDPOINT", "collector:4318")], "traces.endpoint"),
        (vec![("TRACES__ENDPOINT", "ftp://collector")], "traces.endpoint"),
        (vec![("TRACES__ENDPOINT", "http://planted@collector")], "traces.authorization"),
        (vec![("TRACES__ENDPOINT", "http://:planted@collector")], "traces.authorization"),
        (vec![("TRACES__ENDPOINT", "http://collector?key=planted")], "traces.authorization"),
        (vec![("TRACES__TRUSTED_CALLERS", "[\"planted\"]")], "traces.trusted_callers"),
        (vec![("TRACES__SAMPLE_RATIO", "1.5")], "traces.sample_ratio"),
        (vec![("TRACES__SAMPLE_RATIO", "-0.1")], "traces.sample_ratio"),
        (vec![("TRACES__AUTHORIZATION", "planted\nx: y")], "traces.authorization"),
        ([&production[..], &[plain]].concat(), "traces.endpoint"),
    ] {
        let (ran, _, error) = Server::run(&["config"], &settings).await;
        assert!(!ran && error.contains(named) && !error.contains("planted"), "{named}: {error}");
    }
}
