use std::time::Duration;

use mapae_e2e::Server;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::{PASSWORD, first_verification, sign_up};

/// Looks into an answer for anything that was sent.
fn assert_echoes_nothing(body: &str, sent: &Value) {
    let Some(members) = sent.as_object() else { return };
    for value in members.values().filter_map(Value::as_str) {
        let long_enough_to_be_no_coincidence = value.trim().chars().count() > 4;
        assert!(
            !long_enough_to_be_no_coincidence || !body.contains(value.trim()),
            "{value:?} is echoed: {body}"
        );
    }
}

#[tokio::test]
async fn a_field_that_holds_what_it_cannot_is_named_and_not_echoed() {
    let server = Server::start().await;
    let long_password = "x".repeat(4_000);
    let table = [
        (json!({"email": "no address"}), "email", "forbidden_character"),
        (json!({"email": "noaddress"}), "email", "malformed"),
        (json!({"email": "\u{212a}im@kakao.com"}), "email", "confusable"),
        (json!({"email": "m\u{131}nji@example.com"}), "email", "confusable"),
        (json!({"email": "minji@examp\u{131}e.com"}), "email", "confusable"),
        (
            json!({"email": "minji@example.com\r\nBcc: all@example.com"}),
            "email",
            "forbidden_character",
        ),
        (json!({"email": ""}), "email", "required"),
        (json!({"email": null}), "email", "required"),
        (json!({}), "email", "required"),
        (json!({"email": "a@example.com", "phone": "12345"}), "phone", "malformed"),
        (json!({"email": "a@example.com", "phone": "02-312-3456"}), "phone", "not_mobile"),
        (
            json!({"email": "a@example.com", "phone": "+1 202-555-0143"}),
            "phone",
            "country_not_allowed",
        ),
        (
            json!({"email": "a@example.com", "phone": "callme-maybe"}),
            "phone",
            "forbidden_character",
        ),
        (json!({"email": "a@example.com", "password": long_password}), "password", "too_long"),
        (json!({"email": "a@example.com", "password": "short77"}), "password", "too_short"),
        (json!({"email": "a@example.com", "password": "Password1"}), "password", "too_common"),
        (json!({"email": "a@example.com", "username": "m\u{131}nji"}), "username", "confusable"),
        (
            json!({"email": "a@example.com", "username": "admin@example.com"}),
            "username",
            "forbidden_character",
        ),
        (
            json!({"email": "a@example.com", "nickname": "evil\u{202e}name"}),
            "nickname",
            "forbidden_character",
        ),
        (json!({"email": "a@example.com", "locale": "klingon"}), "locale", "unknown_value"),
        (json!({"email": "a@example.com", "is_admin": true}), "is_admin", "unknown_field"),
        (json!({"email": 42}), "email", "invalid_type"),
        (json!({"email": ["a@example.com"]}), "email", "invalid_type"),
        (
            json!({"email": "a@example.com", "consents": [{"document": "", "version": "1", "accepted": true}]}),
            "consents[0].document",
            "required",
        ),
        (
            json!({"email": "a@example.com", "consents": [{"document": "terms", "version": "1"}]}),
            "consents[0].accepted",
            "required",
        ),
        (
            json!({"email": "a@example.com", "consents": [{"document": "terms", "version": "1", "accepted": "yes"}]}),
            "consents[0].accepted",
            "invalid_type",
        ),
    ];
    for (body, field, code) in table {
        let answer = server.post("/v1/registrations", &body).await;
        assert_echoes_nothing(&answer.body, &body);
        let problem = answer.expect_problem(400, "validation_failed").json();
        let errors = problem["errors"].as_array().expect("errors").clone();
        let named = errors.iter().any(|e| e["field"] == field && e["code"] == code);
        assert!(named, "{field} {code}: {problem}");
    }
    // All that is wrong is told at once.
    let body = json!({"email": "x", "phone": "y", "password": "z", "nickname": ""});
    let problem = server.post("/v1/registrations", &body).await.expect(400).json();
    assert_eq!(problem["errors"].as_array().map(Vec::len), Some(4), "{problem}");
}

#[tokio::test]
async fn a_body_that_is_no_json_of_the_right_kind_is_a_problem() {
    let server = Server::start().await;
    let json_type = ("content-type", "application/json");
    let table: [(&[u8], u16, &str); 12] = [
        (b"", 400, "malformed_json"),
        (b"{", 400, "malformed_json"),
        (b"{\"email\": \"secret-value@example.com\",}", 400, "malformed_json"),
        (b"\xff\xfe", 400, "malformed_json"),
        (b"{\"email\": \"\\ud800\"}", 400, "malformed_json"),
        (b"{} {}", 400, "malformed_json"),
        (b"null", 400, "validation_failed"),
        (b"[]", 400, "validation_failed"),
        (b"\"secret-value\"", 400, "validation_failed"),
        (b"7", 400, "validation_failed"),
        (
            b"{\"email\": \"a@example.com\", \"email\": \"secret-value@example.com\"}",
            400,
            "validation_failed",
        ),
        (b"{\"<script>secret-value</script>\": 1}", 400, "validation_failed"),
    ];
    for (body, status, code) in table {
        for path in ["/v1/registrations", "/v1/tokens", "/v1/verifications"] {
            let sent = Some(body.to_vec());
            let answer = server.send(Method::POST, path, &[json_type], sent).await;
            let shown = String::from_utf8_lossy(body).into_owned();
            assert!(!answer.body.contains("secret-value"), "{shown}: {}", answer.body);
            // Another operation may refuse the same body for a field that it lacks.
            if path == "/v1/registrations" {
                answer.expect_problem(status, code);
            } else {
                assert_eq!(answer.status.as_u16(), 400, "{shown}: {}", answer.body);
            }
        }
    }
    for deep in ["[".repeat(60_000), "{\"a\":".repeat(10_000)] {
        let sent = Some(deep.into_bytes());
        server.send(Method::POST, "/v1/registrations", &[json_type], sent).await.expect(400);
    }
    let list = json!([null, "minji@example.com", null, "correct horse battery"]);
    server.post("/v1/registrations", &list).await.expect_problem(400, "validation_failed");
    let list = json!({"email": "minji@example.com", "consents": [["terms", "1", true]]});
    server.post("/v1/registrations", &list).await.expect_problem(400, "validation_failed");
}

#[tokio::test]
async fn a_body_of_a_mebibyte_is_refused_with_or_without_its_length() {
    let server = Server::start().await;
    let body = format!("{{\"email\": \"{}\"}}", "a".repeat(1 << 20)).into_bytes();
    let headers = [("content-type", "application/json")];
    let answer = server.send(Method::POST, "/v1/registrations", &headers, Some(body)).await;
    answer.expect_problem(413, "body_too_large");
    // In chunks, so that no header tells its length.
    let mut chunked = b"POST /v1/registrations HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..64 {
        chunked.extend_from_slice(b"4000\r\n");
        chunked.extend_from_slice(&[b'a'; 0x4000]);
        chunked.extend_from_slice(b"\r\n");
    }
    let answer = server.send_raw(&chunked).await;
    assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("body_too_large"), "{answer}");
    let within = format!("{{\"email\": \"{}\"}}", "a".repeat(60 << 10)).into_bytes();
    let answer = server.send(Method::POST, "/v1/registrations", &headers, Some(within)).await;
    answer.expect_problem(400, "validation_failed");
}

#[tokio::test]
async fn what_is_not_json_is_415_and_what_is_not_there_404_and_what_is_not_meant_405() {
    let server = Server::start().await;
    let body = json!({"email": "minji@example.com", "password": PASSWORD}).to_string();
    for headers in [
        vec![],
        vec![("content-type", "text/plain")],
        vec![("content-type", "application/x-www-form-urlencoded")],
    ] {
        let sent = Some(body.clone().into_bytes());
        let answer = server.send(Method::POST, "/v1/registrations", &headers, sent).await;
        answer.expect_problem(415, "unsupported_media_type");
    }
    for path in ["/", "/v1", "/v1/nothing", "/v1/registrations/x/y", "/v2/me", "/%ff", "/..%2f"] {
        server.get(path).await.expect_problem(404, "not_found");
    }
    let unknown = "019a9c9e-6f60-7c3e-8a51-2f6d0c1b7e44";
    for id in [unknown, "x", "%00", "019a9c9e6f607c3e8a512f6d0c1b7e44"] {
        let path = format!("/v1/verifications/{id}");
        server.get(&path).await.expect_problem(404, "verification_not_found");
        let checked = server.post(&format!("{path}/check"), &json!({"code": "123456"})).await;
        checked.expect_problem(404, "verification_not_found");
        let resent = server.post(&format!("{path}/resend"), &json!({})).await;
        resent.expect_problem(404, "verification_not_found");
        let asked = server.get_as(&format!("/v1/registrations/{id}"), "x").await;
        asked.expect_problem(404, "registration_not_found");
    }
    for (method, path, allow) in [
        (Method::GET, "/v1/registrations", "POST"),
        (Method::DELETE, "/v1/tokens", "POST"),
        (Method::PUT, "/v1/me", "GET"),
        (Method::POST, "/healthz", "GET"),
        (Method::PUT, "/verify/email", "POST"),
    ] {
        let answer = server.send(method, path, &[], None).await;
        let allowed = answer.headers.get("allow").and_then(|value| value.to_str().ok());
        assert!(allowed.is_some_and(|allowed| allowed.contains(allow)), "{path}: {allowed:?}");
        answer.expect_problem(405, "method_not_allowed");
    }
}

#[tokio::test]
async fn no_value_of_any_kind_in_any_field_is_a_fault_of_the_service() {
    let server = Server::start().await;
    let registration = sign_up(&server, "minji@example.com").await;
    let id = first_verification(&registration);
    let values = [
        json!(null),
        json!(true),
        json!(-1),
        json!(1e308),
        json!(""),
        json!(" "),
        json!("\u{0}"),
        json!("\u{feff}"),
        json!("'; DROP TABLE users; --"),
        json!("%s%n"),
        json!("{{7*7}}"),
        json!("../../etc/passwd"),
        json!("😀".repeat(300)),
        json!("\u{202e}"),
        json!("ﷺ".repeat(300)),
        json!([]),
        json!({}),
        json!([[]]),
        json!({"a": {"b": []}}),
        json!("a".repeat(10_000)),
    ];
    let operations: [(&str, &[&str]); 8] = [
        (
            "/v1/registrations",
            &[
                "username", "email", "phone", "password", "nickname", "name", "locale", "consents",
                "receipts",
            ],
        ),
        ("/v1/verifications", &["channel", "to", "purpose", "locale"]),
        ("/v1/verifications/confirm", &["key"]),
        ("/v1/tokens", &["login", "password"]),
        ("/v1/tokens/receipt", &["receipt"]),
        ("/v1/tokens/refresh", &["refresh_token"]),
        ("/v1/tokens/verify", &["token"]),
        ("/v1/tokens/revoke", &["refresh_token", "scope"]),
    ];
    for (path, fields) in operations {
        for field in fields {
            for value in &values {
                let mut body = json!({"login": "minji@example.com", "password": "x y z x y z"});
                if path != "/v1/tokens" {
                    body = json!({});
                }
                body[*field] = value.clone();
                let answer = server.post(path, &body).await;
                assert!(answer.status.as_u16() < 500, "{path} {body}: {}", answer.body);
                if answer.status.is_client_error() {
                    let problem = answer.json();
                    assert!(problem["code"].is_string(), "{path} {body}: {problem}");
                }
            }
        }
    }
    for value in &values {
        let path = format!("/v1/verifications/{id}/check");
        let answer = server.post(&path, &json!({"code": value})).await;
        assert_eq!(answer.status.as_u16(), 400, "{value}: {}", answer.body);
    }
    let seen = server.get(&format!("/v1/verifications/{id}")).await.expect(200).json();
    assert_eq!(seen["attempts_left"], 5, "none of that was an attempt");
    for key in ["", " ", "a b", "é", &"k".repeat(256)] {
        // A header cannot bear every sign; those that it can are refused by name.
        if let Ok(value) = std::str::from_utf8(key.as_bytes())
            && value.is_ascii()
        {
            let body = json!({"email": "other@example.com"});
            let answer =
                server.post_with("/v1/registrations", &[("idempotency-key", value)], &body).await;
            assert!(matches!(answer.status.as_u16(), 202 | 400), "{value:?}: {}", answer.body);
        }
    }
}

/// Somebody who sends the begin of a body, and nothing more of it.
#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let server = Server::start().await;
    let begun = "POST /v1/registrations HTTP/1.1\r\nHost: localhost\r\n\
                 Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{";
    let answer = tokio::time::timeout(Duration::from_secs(45), server.send_raw(begun.as_bytes()));
    let answer = answer.await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("body_incomplete"), "{answer}");
}

/// One who speaks HTTP/2 is told how much they may ask at once (RFC 9113 §6.5.2).
#[tokio::test]
async fn one_connection_has_a_bound_on_what_it_asks_at_once() {
    const MAX_CONCURRENT_STREAMS: u16 = 3;
    let server = Server::start().await;
    let mut stream = server.connect().await;
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    stream.write_all(preface).await.expect("a preface");
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.expect("a frame");
    assert_eq!(head[3], 4, "the first frame is of settings");
    let mut settings = vec![0; usize::from(u16::from_be_bytes([head[1], head[2]]))];
    stream.read_exact(&mut settings).await.expect("the settings");
    let told = settings.chunks_exact(6).find_map(|setting| {
        let id = u16::from_be_bytes([setting[0], setting[1]]);
        let value = u32::from_be_bytes([setting[2], setting[3], setting[4], setting[5]]);
        (id == MAX_CONCURRENT_STREAMS).then_some(value)
    });
    assert_eq!(told, Some(200));
}
