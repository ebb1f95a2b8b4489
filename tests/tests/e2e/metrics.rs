//! The figures for operators: each that the dashboard and the alerts speak of is there, and none says
//! whose.

use std::collections::BTreeSet;

use mapae_e2e::{Server, ServerOptions, until, workspace};
use mapae_testkit::machine::free_port;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use crate::{PASSWORD, check, complete_sign_up, first_verification, log_in, sign_up};

const TOKEN: &str = "a token of the metrics, which is long enough";

/// The names of the figures in a text.
fn figures(text: &str) -> BTreeSet<String> {
    let names = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    names.filter(|name| name.starts_with("mapae_")).map(str::to_owned).collect()
}

fn document(name: &str) -> String {
    let path = workspace().join("docs/operations").join(name);
    std::fs::read_to_string(path).expect("the document")
}

/// Something of everything that is counted.
async fn use_it(server: &Server) {
    complete_sign_up(server, "minji@example.com").await;
    log_in(server, "minji@example.com", PASSWORD).await.expect(200);
    log_in(server, "minji@example.com", "another password").await.expect(401);
    let registration = sign_up(server, "wrong@example.com").await;
    let code = server.message("wrong@example.com").await.code();
    let wrong = mapae_e2e::wrong(&code, 0);
    check(server, &first_verification(&registration), &wrong).await.expect(400);
    let own = json!({"channel": "email", "to": "own@example.com", "purpose": "ticket.4711"});
    server.post("/v1/verifications", &own).await.expect(202);
    server.get("/v1/registrations/minji@example.com").await;
    server.get("/nothing/of/the/kind").await.expect(404);
}

#[tokio::test]
async fn every_figure_of_the_dashboard_and_the_alerts_is_there() {
    let server = Server::start().await;
    use_it(&server).await;
    let metrics = server.get("/metrics").await.expect(200);
    let content_type = metrics.headers.get("content-type").and_then(|value| value.to_str().ok());
    assert_eq!(content_type, Some("text/plain; version=0.0.4; charset=utf-8"));
    let there = figures(&metrics.body);
    let dashboard: Value = serde_json::from_str(&document("grafana.json")).expect("JSON");
    for member in ["title", "uid", "panels", "templating", "schemaVersion", "time"] {
        assert!(!dashboard[member].is_null(), "the dashboard has no {member}");
    }
    for panel in dashboard["panels"].as_array().expect("panels") {
        for member in ["id", "type", "title", "gridPos", "targets", "fieldConfig"] {
            assert!(!panel[member].is_null(), "{member} of {}", panel["title"]);
        }
    }
    for name in ["grafana.json", "alerts.yml", "metrics.md", "metrics.ko.md"] {
        let spoken_of = figures(&document(name));
        assert!(spoken_of.len() >= 5, "{name}: {spoken_of:?}");
        let missing: Vec<_> = spoken_of.difference(&there).collect();
        assert!(missing.is_empty(), "{name} speaks of {missing:?}: {}", metrics.body);
    }
}

#[tokio::test]
async fn figures_count_what_happened_and_name_nobody() {
    let server = ServerOptions::default().with("SMS__DAILY_LIMIT", "1000").start().await;
    use_it(&server).await;
    let expected = [
        r#"mapae_http_requests_total{operation="createRegistration",status="202"} 2"#,
        r#"mapae_http_requests_total{operation="logIn",status="401"} 1"#,
        r#"mapae_http_requests_total{operation="other",status="404"} 1"#,
        r#"mapae_log_ins_total{method="pwd",outcome="failed"} 1"#,
        r#"mapae_log_ins_total{method="pwd",outcome="succeeded"} 1"#,
        r#"mapae_verifications_total{channel="email",purpose="registration",outcome="sent"} 2"#,
        r#"mapae_verifications_total{channel="email",purpose="registration",outcome="proved"} 1"#,
        r#"mapae_verifications_total{channel="email",purpose="registration",outcome="mismatched"} 1"#,
        r#"mapae_verifications_total{channel="email",purpose="other",outcome="sent"} 1"#,
        r#"mapae_outbox_messages{channel="sms"} 0"#,
        // There before it rises: an alert would not see it rise otherwise.
        r#"mapae_limits_total{limit="sms_daily",decision="refused"} 0"#,
    ];
    let mut metrics = String::new();
    until("the last message", async || {
        metrics = server.get("/metrics").await.expect(200).body;
        metrics.contains(r#"mapae_outbox_messages{channel="email"} 0"#)
    })
    .await;
    for line in expected {
        assert!(metrics.lines().any(|there| there == line), "no {line} in {metrics}");
    }
    for planted in ["minji", "example.com", "ticket", "nothing/of", "/v1/"] {
        assert!(!metrics.contains(planted), "{planted} in {metrics}");
    }
}

#[tokio::test]
async fn a_process_that_only_sends_says_how_it_is_and_what_it_has_sent() {
    let listen = format!("127.0.0.1:{}", free_port());
    let settings = [("WORK__LISTEN", listen.as_str()), ("METRICS__TOKEN", TOKEN)];
    let server = ServerOptions::default().with_all(&settings).without_worker().start().await;
    let worker = server.start_worker();
    let own = json!({"channel": "email", "to": "own@example.com", "purpose": "own"});
    server.post("/v1/verifications", &own).await.expect(202);
    server.message("own@example.com").await;
    let client = reqwest::Client::new();
    let ask = async |method: reqwest::Method, path: &str| {
        let request = client.request(method, format!("http://{listen}{path}"));
        let answer = request.bearer_auth(TOKEN).send().await.expect("an answer");
        (answer.status().as_u16(), answer.headers().clone(), answer.text().await.expect("a text"))
    };
    let get = async |path: &str| ask(reqwest::Method::GET, path).await;
    let mut metrics = String::new();
    until("the figure of what it sent", async || {
        metrics = get("/metrics").await.2;
        metrics.contains(r#"mapae_sends_total{channel="email",sender="inbox","#)
    })
    .await;
    assert!(!metrics.contains("example.com"), "{metrics}");
    // What serves says nothing of it.
    let others = server.get_as("/metrics", TOKEN).await.expect(200).body;
    assert!(!others.contains("mapae_sends_total{"), "{others}");
    for (path, status) in [("/healthz", 200), ("/readyz", 200), ("/v1/me", 404), ("/docs", 404)] {
        assert_eq!(get(path).await.0, status, "{path}");
    }
    let (status, headers, problem) = ask(reqwest::Method::POST, "/metrics").await;
    assert!(status == 405 && headers["allow"] == "GET, HEAD", "{status} {headers:?} {problem}");
    let without = client.get(format!("http://{listen}/metrics")).send().await.expect("an answer");
    assert_eq!(without.status(), 401);
    // Another cannot have the same place, and says whose it is.
    let (ended_well, _, error) = server.run_beside(&["work"]).await;
    assert!(!ended_well && error.contains("work.listen: "), "{error}");
    // Nor does it wait for somebody who never comes to the end of a question.
    let mut asking = tokio::net::TcpStream::connect(&listen).await.expect("a connection");
    asking.write_all(b"GET /healthz HTTP/1.1\r\nHost:").await.expect("the begin of one");
    assert!(worker.terminate().await);
}

#[tokio::test]
async fn a_sender_that_takes_nothing_is_named_and_so_is_the_one_that_takes_it_then() {
    let port = free_port().to_string();
    let server = ServerOptions::default()
        .with("MAIL__SENDERS", r#"["smtp", "inbox"]"#)
        .with("MAIL__SMTP__HOST", "127.0.0.1")
        .with("MAIL__SMTP__PORT", &port)
        .with("MAIL__SMTP__TLS", "none")
        .with("MAIL__FROM", "Mapae <no-reply@example.com>")
        .start()
        .await;
    let own = json!({"channel": "email", "to": "own@example.com", "purpose": "own"});
    server.post("/v1/verifications", &own).await.expect(202);
    server.message("own@example.com").await;
    let expected = [
        r#"mapae_sends_total{channel="email",sender="smtp",outcome="failed"} 1"#,
        r#"mapae_sends_total{channel="email",sender="inbox",outcome="taken"} 1"#,
        r#"mapae_messages_total{channel="email",status="sent"} 1"#,
    ];
    let mut metrics = String::new();
    until("all of it is counted", async || {
        metrics = server.get("/metrics").await.expect(200).body;
        metrics.contains("mapae_messages_total{")
    })
    .await;
    for line in expected {
        assert!(metrics.lines().any(|there| there == line), "no {line} in {metrics}");
    }
}

#[tokio::test]
async fn a_token_is_asked_for_where_one_is_configured() {
    let server = ServerOptions::default().with("METRICS__TOKEN", TOKEN).start().await;
    server.get("/metrics").await.expect_problem(401, "unauthenticated");
    server.get_as("/metrics", "another").await.expect_problem(401, "unauthenticated");
    server.get_as("/metrics", TOKEN).await.expect(200);
}

#[tokio::test]
async fn in_production_nobody_reads_figures_without_a_token() {
    let production = ServerOptions::default()
        .with("MODE", "production")
        .with("PUBLIC_ORIGIN", "https://auth.example.com")
        .with("SECRET", "b8Qzq2b5dXJm0n3q6Y5m5t7g1c9k4w2e8r6y0u3i5o8=")
        .with("MAIL__SENDERS", r#"["smtp"]"#)
        .with("MAIL__SMTP__HOST", "127.0.0.1")
        .with("MAIL__FROM", "Mapae <no-reply@example.com>")
        .with("SMS__SENDERS", "[]");
    let server = production.clone().start().await;
    server.get("/metrics").await.expect_problem(404, "not_found");
    let server = production.with("METRICS__TOKEN", TOKEN).start().await;
    server.get_as("/metrics", TOKEN).await.expect(200);
}
