//! Where somebody is logged in, and how it ends.

use mapae_e2e::{Server, ServerOptions};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{PASSWORD, complete_sign_up};

/// Logs in from a device, by way of a proxy; gives access and refresh token.
async fn log_in_from(server: &Server, device: &str, forwarded: &str) -> (String, String) {
    let headers = [
        ("content-type", "application/json"),
        ("user-agent", device),
        ("x-forwarded-for", forwarded),
    ];
    let body = json!({"login": "minji@example.com", "password": PASSWORD}).to_string();
    let answer = server.send(Method::POST, "/v1/tokens", &headers, Some(body.into_bytes())).await;
    let pair = answer.expect(200);
    (pair.text("access_token"), pair.text("refresh_token"))
}

async fn sessions(server: &Server, access: &str) -> Vec<Value> {
    let answer = server.get_as("/v1/me/sessions", access).await.expect(200);
    answer.json()["sessions"].as_array().expect("sessions").clone()
}

async fn end(server: &Server, access: &str, id: &str) -> mapae_e2e::Answer {
    let bearer = format!("Bearer {access}");
    let headers = [("authorization", bearer.as_str())];
    server.send(Method::DELETE, &format!("/v1/me/sessions/{id}"), &headers, None).await
}

async fn is_open(server: &Server, (access, refresh): &(String, String)) -> bool {
    let me = server.get_as("/v1/me", access).await.status.as_u16();
    let body = json!({"refresh_token": refresh});
    let refreshed = server.post("/v1/tokens/refresh", &body).await.status.as_u16();
    assert_eq!(me == 200, refreshed == 200, "the session is half open: {me} {refreshed}");
    me == 200
}

#[tokio::test]
async fn people_see_where_they_are_logged_in_and_end_it() {
    let proxies = r#"["127.0.0.1"]"#;
    let server = ServerOptions::default().with("SERVER__TRUSTED_PROXIES", proxies).start().await;
    complete_sign_up(&server, "minji@example.com").await;
    let phone = log_in_from(&server, "Phone of Minji", "6.6.6.6, 198.51.100.7").await;
    let laptop = log_in_from(&server, "Laptop", "2001:db8::9").await;
    let listed = sessions(&server, &laptop.0).await;
    assert_eq!(listed.len(), 2, "{listed:?}");
    let of = |device: &str| {
        listed.iter().find(|session| session["device"] == device).expect("the session").clone()
    };
    assert_eq!(of("Phone of Minji")["address"], "198.51.100.7");
    assert_eq!(of("Laptop")["address"], "2001:db8::9");
    assert_eq!(
        (&of("Laptop")["current"], &of("Phone of Minji")["current"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(of("Laptop")["amr"], json!(["pwd"]));
    // Somebody else's session is none of theirs, and neither is one that never was.
    let foreign = server
        .post("/v1/registrations", &json!({"email": "jihun@example.com", "password": PASSWORD}))
        .await
        .expect(202);
    let code = server.message("jihun@example.com").await.code();
    crate::check(&server, &crate::first_verification(&foreign), &code).await.expect(200);
    let jihun = crate::log_in(&server, "jihun@example.com", PASSWORD).await.expect(200);
    let theirs = jihun.text("session_id");
    for id in [theirs.as_str(), "019a9c9e-6f60-7c3e-8a51-2f6d0c1b7e44", "nonsense"] {
        end(&server, &laptop.0, id).await.expect_problem(404, "session_not_found");
    }
    server.get_as("/v1/me", &jihun.text("access_token")).await.expect(200);
    let id = of("Phone of Minji")["id"].as_str().expect("an id").to_owned();
    end(&server, &laptop.0, &id).await.expect(204);
    end(&server, &laptop.0, &id).await.expect_problem(404, "session_not_found");
    assert!(!is_open(&server, &phone).await);
    assert_eq!(sessions(&server, &laptop.0).await.len(), 1);
    assert!(is_open(&server, &laptop).await);
}

#[tokio::test]
async fn a_log_out_ends_this_session_the_others_or_all() {
    let server = ServerOptions::default().with("TOKENS__REUSE_WINDOW", "0s").start().await;
    complete_sign_up(&server, "minji@example.com").await;
    for (scope, by_refresh_token, this_open, others_open) in [
        ("this", true, false, true),
        ("others", true, true, false),
        ("all", true, false, false),
        ("others", false, true, false),
        ("all", false, false, false),
    ] {
        let mine = log_in_from(&server, "mine", "").await;
        let other = log_in_from(&server, "other", "").await;
        if by_refresh_token {
            let body = json!({"refresh_token": mine.1, "scope": scope});
            server.post("/v1/tokens/revoke", &body).await.expect(204);
        } else {
            let bearer = format!("Bearer {}", mine.0);
            let headers = [("authorization", bearer.as_str())];
            let body = json!({"scope": scope});
            server.post_with("/v1/tokens/revoke", &headers, &body).await.expect(204);
        }
        assert_eq!(is_open(&server, &mine).await, this_open, "{scope}: this");
        assert_eq!(is_open(&server, &other).await, others_open, "{scope}: the other");
    }
    // A token that was replaced, and one that is none, end nothing of anybody else's.
    let mine = log_in_from(&server, "mine", "").await;
    let other = log_in_from(&server, "other", "").await;
    let body = json!({"refresh_token": mine.1});
    server.post("/v1/tokens/refresh", &body).await.expect(200);
    for token in [mine.1.as_str(), "nonsense"] {
        let body = json!({"refresh_token": token, "scope": "all"});
        server.post("/v1/tokens/revoke", &body).await.expect(204);
    }
    assert!(is_open(&server, &other).await);
    let body = json!({"refresh_token": other.1, "scope": "everything"});
    server.post("/v1/tokens/revoke", &body).await.expect_problem(400, "validation_failed");
}
