//! What OAuth 2 has standards for.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mapae_e2e::{Answer, Server, ServerOptions};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{PASSWORD, complete_sign_up, log_in};

const SECRET: &str = "planted+shop/secret=of%40forty characters";

async fn server() -> Server {
    ServerOptions::default().with("CLIENTS__SHOP__SECRET", SECRET).start().await
}

/// A member of a form.
fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

async fn form(server: &Server, path: &str, authorization: Option<&str>, form: String) -> Answer {
    let mut headers = vec![("content-type", "application/x-www-form-urlencoded")];
    if let Some(authorization) = authorization {
        headers.push(("authorization", authorization));
    }
    server.send(Method::POST, path, &headers, Some(form.into_bytes())).await
}

fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{}:{}", encoded(id), encoded(secret))))
}

async fn introspect(server: &Server, token: &str) -> Value {
    let token = format!("token={}", encoded(token));
    let authorization = basic("shop", SECRET);
    form(server, "/oauth2/introspect", Some(&authorization), token).await.expect(200).json()
}

#[tokio::test]
async fn a_service_learns_what_a_token_is_worth_now() {
    let server = server().await;
    complete_sign_up(&server, "minji@example.com").await;
    let pair = log_in(&server, "minji@example.com", PASSWORD).await.expect(200);
    let (access, refresh) = (pair.text("access_token"), pair.text("refresh_token"));
    let seen = introspect(&server, &access).await;
    let me = server.get_as("/v1/me", &access).await.expect(200).json();
    assert_eq!((&seen["active"], &seen["sub"]), (&json!(true), &me["id"]));
    assert_eq!(seen["token_type"], "Bearer");
    assert_eq!(seen["sid"], pair.json()["session_id"]);
    assert_eq!((&seen["iss"], &seen["aud"]), (&json!(localhost(&server)), &json!("mapae")));
    let seen = introspect(&server, &refresh).await;
    assert_eq!((&seen["active"], &seen["sub"]), (&json!(true), &me["id"]));
    assert_eq!(seen["token_type"], "refresh_token");
    // A token that was replaced is worth nothing to a service, nor is one that is none.
    let body = json!({"refresh_token": refresh});
    let next = server.post("/v1/tokens/refresh", &body).await.expect(200).text("refresh_token");
    let inactive = json!({"active": false});
    for token in [refresh.as_str(), "nonsense", &format!("{access}x"), "a.b.c"] {
        assert_eq!(introspect(&server, token).await, inactive, "{token}");
    }
    // Logged out, all of it is at once.
    server.post("/v1/tokens/revoke", &json!({"refresh_token": next})).await.expect(204);
    for token in [access, next] {
        assert_eq!(introspect(&server, &token).await, inactive);
    }
}

/// Where the server says that it is: the harness gives it no public origin.
fn localhost(server: &Server) -> String {
    let (_, port) = server.origin().rsplit_once(':').expect("a port");
    format!("http://localhost:{port}")
}

#[tokio::test]
async fn only_a_configured_service_that_shows_its_secret_is_told() {
    let server = server().await;
    let path = "/oauth2/introspect";
    let token = || "token=x".to_owned();
    for authorization in [
        None,
        Some(basic("shop", "another")),
        Some(basic("shop", "")),
        Some(basic("other", SECRET)),
        Some(basic("", "")),
        Some("Basic".to_owned()),
        Some("Basic !!!".to_owned()),
        Some(format!("Bearer {SECRET}")),
    ] {
        let refused = form(&server, path, authorization.as_deref(), token()).await;
        assert_eq!(refused.headers["www-authenticate"], "Basic realm=\"mapae\"");
        let problem = refused.expect_problem(401, "invalid_client").json();
        assert_eq!(problem["error"], "invalid_client");
    }
    let posted = format!("token=x&client_id=shop&client_secret={}", encoded(SECRET));
    form(&server, path, None, posted).await.expect(200);
    let good = basic("shop", SECRET);
    for body in ["", "token=", "token=x&token=y", "other=x"] {
        let refused = form(&server, path, Some(&good), body.to_owned()).await;
        refused.expect_problem(400, "invalid_request");
    }
    let body = Some(b"{\"token\": \"x\"}".to_vec());
    let headers = [("content-type", "application/json"), ("authorization", good.as_str())];
    let json = server.send(Method::POST, path, &headers, body).await;
    json.expect_problem(415, "unsupported_media_type");
    assert!(!server.log().contains("planted"));
}

#[tokio::test]
async fn a_token_is_given_up_whichever_kind_it_is() {
    let server = server().await;
    complete_sign_up(&server, "minji@example.com").await;
    for kind in ["access_token", "refresh_token"] {
        let pair = log_in(&server, "minji@example.com", PASSWORD).await.expect(200);
        let token = format!("token={}&token_type_hint={kind}", encoded(&pair.text(kind)));
        form(&server, "/oauth2/revoke", None, token.clone()).await.expect(200);
        server.get_as("/v1/me", &pair.text("access_token")).await.expect(401);
        form(&server, "/oauth2/revoke", None, token).await.expect(200);
    }
    form(&server, "/oauth2/revoke", None, "token=nonsense".to_owned()).await.expect(200);
}

#[tokio::test]
async fn the_metadata_says_where_everything_is() {
    let origin = "https://auth.example.com";
    let server = ServerOptions::default().with("PUBLIC_ORIGIN", origin).start().await;
    let answer = server.get("/.well-known/oauth-authorization-server").await.expect(200);
    let metadata = answer.json();
    assert_eq!(metadata["issuer"], origin);
    for (member, path) in [
        ("jwks_uri", "/.well-known/jwks.json"),
        ("introspection_endpoint", "/oauth2/introspect"),
        ("revocation_endpoint", "/oauth2/revoke"),
    ] {
        assert_eq!(metadata[member], format!("{origin}{path}"));
        assert_ne!(server.get(path).await.status, 404, "{path} is there");
    }
    assert_eq!(metadata["response_types_supported"], json!([]));
}

#[tokio::test]
async fn a_refused_token_is_told_so_and_a_missing_one_is_not() {
    let server = Server::start().await;
    let missing = server.get("/v1/me").await.expect(401);
    assert_eq!(missing.headers["www-authenticate"], "Bearer realm=\"mapae\"");
    let refused = server.get_as("/v1/me", "nonsense").await.expect(401);
    let challenge = "Bearer realm=\"mapae\", error=\"invalid_token\"";
    assert_eq!(refused.headers["www-authenticate"], challenge);
}

#[tokio::test]
async fn a_service_with_a_short_secret_stops_the_start() {
    let short = [("CLIENTS__SHOP__SECRET", "planted-and-too-short")];
    let (ended_well, _, error) = Server::run(&["serve"], &short).await;
    assert!(!ended_well && error.contains("clients.NAME.secret"), "{error}");
    assert!(!error.contains("planted"), "{error}");
}
