//! The paths of SimpleJWT: what `tests/verifiers` compares with the real thing, in short, and what
//! the real thing has nothing of.

use mapae_e2e::{Answer, Server, ServerOptions};
use reqwest::Method;
use serde_json::json;

use crate::{PASSWORD, complete_sign_up};

const PATHS: [&str; 7] = [
    "/api/token/",
    "/api/token/refresh/",
    "/api/token/verify/",
    "/api/token/blacklist/",
    "/api-token-auth/",
    "/api-token-refresh/",
    "/api-token-verify/",
];
const KEY: &str = "planted: a key that a service of Django shares";

async fn bridge(shared: bool) -> Server {
    let options = ServerOptions::default().with("SIMPLEJWT__ENABLED", "true");
    let options = if shared { options.with("SIMPLEJWT__SIGNING_KEY", KEY) } else { options };
    let server = options.start().await;
    complete_sign_up(&server, "minji@example.com").await;
    server
}

async fn obtain(server: &Server) -> Answer {
    let body = json!({"username": "minji@example.com", "password": PASSWORD});
    server.post("/api/token/", &body).await.expect(200)
}

async fn me(server: &Server, authorization: &str) -> Answer {
    server.send(Method::GET, "/v1/me", &[("authorization", authorization)], None).await
}

#[tokio::test]
async fn the_paths_are_not_there_unless_they_are_configured() {
    let server = Server::start().await;
    for path in PATHS {
        server.post(path, &json!({})).await.expect_problem(404, "not_found");
    }
    let bridge = bridge(false).await;
    for path in PATHS {
        bridge.post(path, &json!({})).await.expect(400);
        bridge.get(path).await.expect(405);
    }
    let document = bridge.get("/openapi.json").await.expect(200).json();
    assert!(PATHS.iter().all(|path| document["paths"].get(path).is_none()));
}

#[tokio::test]
async fn a_client_logs_in_uses_renews_and_ends_by_either_key_and_both_schemes() {
    for shared in [false, true] {
        let server = bridge(shared).await;
        let pair = obtain(&server).await;
        assert_eq!(pair.headers["cache-control"], "no-store");
        let (access, refresh) = (pair.text("access"), pair.text("refresh"));
        for scheme in ["Bearer", "JWT"] {
            me(&server, &format!("{scheme} {access}")).await.expect(200);
            let refused = me(&server, &format!("{scheme} {refresh}")).await;
            refused.expect_problem(401, "unauthenticated");
        }
        server.post("/api/token/verify/", &json!({"token": access})).await.expect(200);
        let renewed = server.post("/api/token/refresh/", &json!({"refresh": refresh})).await;
        let renewed = renewed.expect(200);
        assert!(renewed.json().get("refresh").is_none());
        me(&server, &format!("Bearer {}", renewed.text("access"))).await.expect(200);
        server.post("/api/token/blacklist/", &json!({"refresh": refresh})).await.expect(200);
        let over = server.post("/api/token/refresh/", &json!({"refresh": refresh})).await;
        assert_eq!(over.expect(401).json()["code"], "token_not_valid");
        me(&server, &format!("Bearer {access}")).await.expect_problem(401, "unauthenticated");
        let log = server.log();
        assert!(!log.contains("planted") && !log.contains(&access), "{log}");
    }
}

#[tokio::test]
async fn somebody_with_the_shared_key_opens_no_session_and_changes_nobodys_roles() {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let server = bridge(true).await;
    let access = obtain(&server).await.text("access");
    let part = access.split('.').nth(1).expect("claims");
    let claims = URL_SAFE_NO_PAD.decode(part).expect("base64url");
    let claims: serde_json::Value = serde_json::from_slice(&claims).expect("JSON");
    let forged = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut claims = claims.clone();
        change(&mut claims);
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
        let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, KEY.as_bytes());
        let signature = ring::hmac::sign(&key, signed.as_bytes());
        format!("Bearer {signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    };
    me(&server, &forged(&|_| {})).await.expect(200);
    // Roles are read from the database, whatever a token says.
    let with_roles = me(&server, &forged(&|claims| claims["roles"] = json!(["admin"]))).await;
    assert_eq!(with_roles.expect(200).json()["roles"], json!([]));
    let nobody = "019a9c9e-7a10-7b3e-9c51-0f6d0c1b7e01";
    for claim in ["sid", "user_id"] {
        let refused = me(&server, &forged(&|claims| claims[claim] = json!(nobody))).await;
        refused.expect_problem(401, "unauthenticated");
    }
    let expired = me(&server, &forged(&|claims| claims["exp"] = json!(1_700_000_000))).await;
    expired.expect_problem(401, "unauthenticated");
    for token_type in ["refresh", "sliding", ""] {
        let other = me(&server, &forged(&|claims| claims["token_type"] = json!(token_type))).await;
        other.expect_problem(401, "unauthenticated");
    }
}

#[tokio::test]
async fn bad_input_is_answered_in_the_words_of_django_and_repeats_nothing() {
    let server = bridge(false).await;
    let send = async |path: &str, kind: &str, body: &[u8]| {
        let headers = [("content-type", kind)];
        server.send(Method::POST, path, &headers, Some(body.to_vec())).await
    };
    let json_type = "application/json";
    let path = "/api/token/";
    for (body, expected) in [
        (
            "{}",
            json!({"username": ["This field is required."], "password": ["This field is required."]}),
        ),
        (
            r#"{"username": null, "password": " "}"#,
            json!({"username": ["This field may not be null."], "password": ["This field may not be blank."]}),
        ),
        (
            r#"{"username": [], "password": true}"#,
            json!({"username": ["Not a valid string."], "password": ["Not a valid string."]}),
        ),
        ("[]", json!({"non_field_errors": ["Invalid data. Expected a dictionary, but got list."]})),
        ("null", json!({"non_field_errors": ["No data provided"]})),
        ("{", json!({"detail": "JSON parse error"})),
    ] {
        let answer = send(path, json_type, body.as_bytes()).await.expect(400);
        assert_eq!(answer.json(), expected, "{body}");
    }
    let wrong = r#"{"username": "planted@example.com", "password": "planted password"}"#;
    let answer = send(path, json_type, wrong.as_bytes()).await.expect(401);
    let detail = "No active account found with the given credentials";
    assert_eq!(answer.json(), json!({"detail": detail}));
    let older = send("/api-token-auth/", json_type, wrong.as_bytes()).await.expect(400);
    let message = "Unable to log in with provided credentials.";
    assert_eq!(older.json(), json!({"non_field_errors": [message]}));
    let long = format!("{{\"username\": \"{}\"}}", "a".repeat(70_000));
    send(path, json_type, long.as_bytes()).await.expect(413);
    for kind in ["text/planted", "multipart/form-data"] {
        let answer = send(path, kind, b"planted").await.expect(415);
        assert!(!answer.body.contains("planted"), "{}", answer.body);
    }
    let form = b"username=minji%40example.com&password=correct+horse+battery+staple";
    send(path, "application/x-www-form-urlencoded", form).await.expect(200);
    for garbage in ["", "a.b.c", "\u{0}", "💥", "eyJhbGciOiJub25lIn0.e30."] {
        for (path, field) in [
            ("/api/token/refresh/", "refresh"),
            ("/api/token/verify/", "token"),
            ("/api/token/blacklist/", "refresh"),
            ("/api-token-refresh/", "token"),
            ("/api-token-verify/", "token"),
        ] {
            let answer = server.post(path, &json!({ field: garbage })).await;
            assert!(matches!(answer.status.as_u16(), 400 | 401), "{path}: {}", answer.body);
        }
    }
    assert!(!server.log().contains("planted"));
}

#[tokio::test]
async fn a_bridge_that_would_be_weak_is_not_started() {
    const SECRET: &str = "planted-5Jq0nT8xWvYb2LkR7sHcDfGzA4";
    for (key, value, named) in [
        ("SIMPLEJWT__SIGNING_KEY", "planted-short", "32 bytes at least"),
        (
            "SIMPLEJWT__SIGNING_KEY",
            "django-insecure-planted-5Jq0nT8xWvYb2LkR7sHcDfGzA4",
            "simplejwt.signing_key is no secret",
        ),
        (
            "SIMPLEJWT__SIGNING_KEY",
            "plantedplantedplantedplantedplantedplanted",
            "simplejwt.signing_key is no secret",
        ),
        ("SIMPLEJWT__SIGNING_KEY", SECRET, "another than secret"),
        ("SIMPLEJWT__USERNAME_FIELD", "password", "simplejwt.username_field"),
        ("TOKENS__AUDIENCE", "https://issuer.example.com", "another than the issuer"),
    ] {
        let settings = [
            ("SIMPLEJWT__ENABLED", "true"),
            ("SECRET", SECRET),
            ("TOKENS__ISSUER", "https://issuer.example.com"),
            (key, value),
        ];
        let (ended_well, _, error) = Server::run(&["serve"], &settings).await;
        assert!(!ended_well && error.contains(named), "{error}");
        assert!(!error.contains("planted"), "{error}");
    }
}
