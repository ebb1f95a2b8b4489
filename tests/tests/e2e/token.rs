use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mapae_e2e::{Server, ServerOptions};
use ring::signature::{ECDSA_P256_SHA256_FIXED, ED25519, UnparsedPublicKey};
use serde_json::{Value, json};

use crate::{PASSWORD, complete_sign_up, log_in};

fn decode(part: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(part).expect("base64url")
}

/// Checks a token as another program would: with nothing but the key set.
fn claims_by_key_set(token: &str, key_set: &Value) -> Value {
    let parts: Vec<&str> = token.split('.').collect();
    let header: Value = serde_json::from_slice(&decode(parts[0])).expect("a header");
    assert_eq!(header["typ"], "at+jwt");
    let keys = key_set["keys"].as_array().expect("keys");
    let key = keys.iter().find(|key| key["kid"] == header["kid"]).expect("the token's key");
    assert_eq!((&key["use"], &key["alg"]), (&json!("sig"), &header["alg"]));
    let member = |name: &str| decode(key[name].as_str().expect("a member"));
    let signed = format!("{}.{}", parts[0], parts[1]);
    let signature = decode(parts[2]);
    let checked = match header["alg"].as_str() {
        Some("ES256") => {
            let point = [vec![4], member("x"), member("y")].concat();
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
                .verify(signed.as_bytes(), &signature)
        }
        Some("EdDSA") => {
            UnparsedPublicKey::new(&ED25519, member("x")).verify(signed.as_bytes(), &signature)
        }
        other => panic!("{other:?}"),
    };
    checked.expect("a good signature");
    serde_json::from_slice(&decode(parts[1])).expect("claims")
}

#[tokio::test]
async fn another_program_checks_a_token_with_nothing_but_the_key_set() {
    for algorithm in ["ES256", "EdDSA"] {
        let server = ServerOptions::default().with("TOKENS__ALGORITHM", algorithm).start().await;
        complete_sign_up(&server, "minji@example.com").await;
        let pair = log_in(&server, "minji@example.com", PASSWORD).await.expect(200);
        assert_eq!(pair.headers["cache-control"], "no-store");
        let json = pair.json();
        assert_eq!((&json["token_type"], &json["expires_in"]), (&json!("Bearer"), &json!(600)));
        assert_eq!(json["refresh_expires_in"], 604_800);
        let token = pair.text("access_token");
        let key_set = server.get("/.well-known/jwks.json").await.expect(200).json();
        let claims = claims_by_key_set(&token, &key_set);
        let me = server.get_as("/v1/me", &token).await.expect(200).json();
        assert_eq!(claims["sub"], me["id"]);
        assert_eq!(claims["sid"], pair.text("session_id"));
        assert_eq!(claims["aud"], "mapae");
        let issuer =
            format!("http://localhost:{}", server.origin().rsplit(':').next().expect("a port"));
        assert_eq!(claims["iss"], issuer.as_str());
        assert_eq!((&claims["amr"], &claims["email_verified"]), (&json!(["pwd"]), &json!(true)));
        let lifetime = claims["exp"].as_i64().zip(claims["iat"].as_i64()).map(|(e, i)| e - i);
        assert_eq!(lifetime, Some(600));
        let verified = server.post("/v1/tokens/verify", &json!({"token": token})).await.expect(200);
        assert_eq!(verified.json()["claims"]["sub"], claims["sub"]);
    }
}

#[tokio::test]
async fn keys_outlive_the_process_so_that_tokens_do() {
    let server = Server::start().await;
    complete_sign_up(&server, "minji@example.com").await;
    let pair = log_in(&server, "minji@example.com", PASSWORD).await.expect(200);
    let before = server.get("/.well-known/jwks.json").await.expect(200).json();
    let server = server.kill_and_restart().await;
    assert_eq!(server.get("/.well-known/jwks.json").await.expect(200).json(), before);
    // The issuer follows the port where none is configured, so the token itself is checked there.
    let body = json!({"refresh_token": pair.text("refresh_token")});
    let next = server.post("/v1/tokens/refresh", &body).await.expect(200);
    server.get_as("/v1/me", &next.text("access_token")).await.expect(200);
}

#[tokio::test]
async fn a_refresh_rotates_and_a_log_out_ends_everything_at_once() {
    let server = Server::start().await;
    complete_sign_up(&server, "minji@example.com").await;
    let first = log_in(&server, "minji@example.com", PASSWORD).await.expect(200);
    let refresh = async |token: &str| {
        server.post("/v1/tokens/refresh", &json!({"refresh_token": token})).await
    };
    let second = refresh(&first.text("refresh_token")).await.expect(200);
    assert_ne!(first.text("refresh_token"), second.text("refresh_token"));
    assert_eq!(first.text("session_id"), second.text("session_id"));
    // The answer was lost: the same successor again.
    let repeat = refresh(&first.text("refresh_token")).await.expect(200);
    assert_eq!(repeat.text("refresh_token"), second.text("refresh_token"));

    let body = json!({"refresh_token": second.text("refresh_token"), "scope": "this"});
    server.post("/v1/tokens/revoke", &body).await.expect(204);
    for token in [first.text("refresh_token"), second.text("refresh_token")] {
        refresh(&token).await.expect_problem(401, "invalid_grant");
    }
    for pair in [&first, &second] {
        let me = server.get_as("/v1/me", &pair.text("access_token")).await;
        assert!(me.headers["www-authenticate"].to_str().is_ok_and(|v| v.starts_with("Bearer")));
        me.expect_problem(401, "unauthenticated");
    }
    // Again, and with nonsense: no error, and nothing learnt.
    server.post("/v1/tokens/revoke", &body).await.expect(204);
    server.post("/v1/tokens/revoke", &json!({"refresh_token": "nonsense"})).await.expect(204);
}

#[tokio::test]
async fn a_token_that_was_replaced_long_ago_ends_the_session() {
    let server = ServerOptions::default().with("TOKENS__REUSE_WINDOW", "0s").start().await;
    complete_sign_up(&server, "minji@example.com").await;
    let first = log_in(&server, "minji@example.com", PASSWORD).await.expect(200);
    let refresh = async |token: String| {
        server.post("/v1/tokens/refresh", &json!({"refresh_token": token})).await
    };
    let second = refresh(first.text("refresh_token")).await.expect(200);
    refresh(first.text("refresh_token")).await.expect_problem(401, "invalid_grant");
    // Also for whoever holds the successor.
    refresh(second.text("refresh_token")).await.expect_problem(401, "invalid_grant");
}

#[tokio::test]
async fn a_made_up_refresh_token_ends_nobodys_session() {
    let server = Server::start().await;
    complete_sign_up(&server, "minji@example.com").await;
    let pair = log_in(&server, "minji@example.com", PASSWORD).await.expect(200);
    let token = pair.text("refresh_token");
    let mut bytes = decode(&token);
    for at in [0, 15, 16, 19, 20, 51] {
        bytes[at] ^= 1;
        let forged = URL_SAFE_NO_PAD.encode(&bytes);
        let answer = server.post("/v1/tokens/refresh", &json!({"refresh_token": forged})).await;
        answer.expect_problem(401, "invalid_grant");
        bytes[at] ^= 1;
    }
    server.post("/v1/tokens/refresh", &json!({"refresh_token": token})).await.expect(200);
}

#[tokio::test]
async fn a_bearer_logs_its_own_session_out_and_no_other() {
    let server = Server::start().await;
    complete_sign_up(&server, "minji@example.com").await;
    let one = log_in(&server, "minji@example.com", PASSWORD).await.expect(200);
    let other = log_in(&server, "minji@example.com", PASSWORD).await.expect(200);
    let bearer = format!("Bearer {}", one.text("access_token"));
    let headers = [("authorization", bearer.as_str())];
    server.post_with("/v1/tokens/revoke", &headers, &json!({})).await.expect(204);
    server.get_as("/v1/me", &one.text("access_token")).await.expect(401);
    server.get_as("/v1/me", &other.text("access_token")).await.expect(200);
    let none = server.post("/v1/tokens/revoke", &json!({})).await;
    none.expect_problem(401, "unauthenticated");
}

#[tokio::test]
async fn wrong_password_and_unknown_name_answer_the_same() {
    let server = Server::start().await;
    complete_sign_up(&server, "minji@example.com").await;
    let wrong = log_in(&server, "minji@example.com", "some other password").await;
    let mut seen = vec![wrong.expect_problem(401, "invalid_credentials").body];
    for login in ["nobody@example.com", "nobody", "01012345678", "", "@", "\u{0}", "💥"] {
        let answer = log_in(&server, login, "some other password").await;
        seen.push(answer.expect_problem(401, "invalid_credentials").body);
    }
    seen.dedup();
    assert_eq!(seen.len(), 1, "{seen:?}");
}

#[tokio::test]
async fn a_profile_changes_by_what_is_sent_and_by_nothing_else() {
    let server = Server::start().await;
    complete_sign_up(&server, "minji@example.com").await;
    let pair = log_in(&server, "minji@example.com", PASSWORD).await.expect(200);
    let token = pair.text("access_token");
    let set = json!({"nickname": "민지", "name": "김민지", "locale": "ko"});
    let changed = server.patch_as("/v1/me", &token, &set).await.expect(200).json();
    assert_eq!((&changed["nickname"], &changed["locale"]), (&json!("민지"), &json!("ko")));
    let cleared =
        server.patch_as("/v1/me", &token, &json!({"name": null})).await.expect(200).json();
    assert!(cleared.get("name").is_none(), "{cleared}");
    assert_eq!(cleared["nickname"], "민지");
    for (body, field, code) in [
        (json!({"roles": ["admin"]}), "roles", "unknown_field"),
        (json!({"email": "x@example.com"}), "email", "unknown_field"),
        (json!({"nickname": ""}), "nickname", "required"),
        (json!({"locale": "tlh"}), "locale", "unknown_value"),
        (json!({"nickname": 7}), "nickname", "invalid_type"),
    ] {
        let refused = server.patch_as("/v1/me", &token, &body).await;
        let problem = refused.expect_problem(400, "validation_failed").json();
        assert_eq!(problem["errors"][0]["field"], field, "{problem}");
        assert_eq!(problem["errors"][0]["code"], code, "{problem}");
    }
    server.patch_as("/v1/me", "nonsense", &set).await.expect_problem(401, "unauthenticated");
}
