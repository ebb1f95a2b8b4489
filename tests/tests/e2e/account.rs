//! What shuts somebody out counts at once, whatever runs meanwhile; what matters asks for a recent
//! log-in.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mapae_e2e::{Answer, Server, ServerOptions, until};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{PASSWORD, check, complete_sign_up, log_in};

const NEW: &str = "a better horse needs no battery";
const SECRET: &str = "a secret of the shop, which is long enough";

async fn server() -> Server {
    let server = ServerOptions::default().with("CLIENTS__SHOP__SECRET", SECRET).start().await;
    complete_sign_up(&server, "minji@example.com").await;
    server
}

async fn change_password(server: &Server, access: &str, body: &Value) -> Answer {
    let bearer = format!("Bearer {access}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let body = body.to_string().into_bytes();
    server.send(Method::PUT, "/v1/me/password", &headers, Some(body)).await
}

async fn introspect(server: &Server, token: &str) -> Value {
    let encoded: String = SECRET.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let authorization = format!("Basic {}", STANDARD.encode(format!("shop:{encoded}")));
    let headers = [
        ("authorization", authorization.as_str()),
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    let form = format!("token={token}").into_bytes();
    server.send(Method::POST, "/oauth2/introspect", &headers, Some(form)).await.expect(200).json()
}

#[tokio::test]
async fn a_password_is_changed_and_the_other_sessions_end() {
    let server = server().await;
    let mine = log_in(&server, "minji@example.com", PASSWORD).await.expect(200);
    let other = log_in(&server, "minji@example.com", PASSWORD).await.expect(200);
    let access = mine.text("access_token");
    let wrong = json!({"current_password": "some other one", "new_password": NEW});
    let refused = change_password(&server, &access, &wrong).await;
    refused.expect_problem(400, "current_password_mismatch");
    let short = json!({"current_password": PASSWORD, "new_password": "short"});
    let refused = change_password(&server, &access, &short).await;
    let problem = refused.expect_problem(400, "validation_failed").json();
    assert_eq!(problem["errors"][0]["field"], "new_password");
    let missing = change_password(&server, &access, &json!({"new_password": NEW})).await;
    let problem = missing.expect_problem(400, "validation_failed").json();
    assert_eq!(problem["errors"][0]["field"], "current_password");
    let body = json!({"current_password": PASSWORD, "new_password": NEW});
    change_password(&server, "nonsense", &body).await.expect_problem(401, "unauthenticated");
    change_password(&server, &access, &body).await.expect(204);
    server.get_as("/v1/me", &access).await.expect(200);
    server.get_as("/v1/me", &other.text("access_token")).await.expect(401);
    for (pair, status) in [(&mine, 200), (&other, 401)] {
        let body = json!({"refresh_token": pair.text("refresh_token")});
        server.post("/v1/tokens/refresh", &body).await.expect(status);
    }
    let old = log_in(&server, "minji@example.com", PASSWORD).await;
    old.expect_problem(401, "invalid_credentials");
    log_in(&server, "minji@example.com", NEW).await.expect(200);
}

#[tokio::test]
async fn an_old_log_in_is_told_to_log_in_again_and_how_recent_it_must_be() {
    // The shortest that can be set.
    let minute = ServerOptions::default().with("TOKENS__REAUTHENTICATE_AFTER", "1m");
    let server = minute.start().await;
    complete_sign_up(&server, "minji@example.com").await;
    let pair = log_in(&server, "minji@example.com", PASSWORD).await.expect(200);
    tokio::time::sleep(std::time::Duration::from_secs(61)).await;
    let body = json!({"refresh_token": pair.text("refresh_token")});
    let pair = server.post("/v1/tokens/refresh", &body).await.expect(200);
    let body = json!({"current_password": PASSWORD, "new_password": NEW});
    let refused = change_password(&server, &pair.text("access_token"), &body).await;
    let challenge = refused.headers["www-authenticate"].to_str().expect("text").to_owned();
    assert!(challenge.contains("error=\"insufficient_user_authentication\""), "{challenge}");
    assert!(challenge.contains("max_age=60"), "{challenge}");
    refused.expect_problem(401, "reauthentication_required");
    // Everything else goes on, and a new log-in helps.
    server.get_as("/v1/me", &pair.text("access_token")).await.expect(200);
    let again = log_in(&server, "minji@example.com", PASSWORD).await.expect(200);
    change_password(&server, &again.text("access_token"), &body).await.expect(204);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_shut_out_while_refreshes_run_is_out_by_every_session_at_once() {
    let server = Arc::new(server().await);
    let mut password = PASSWORD.to_owned();
    for shut_out in ["disable", "change the password", "reset", "leave"] {
        let pair = log_in(&server, "minji@example.com", &password).await.expect(200);
        let stop = Arc::new(AtomicBool::new(false));
        let refreshed = Arc::new(AtomicUsize::new(0));
        let mut running = Vec::new();
        for _ in 0..6 {
            let session = log_in(&server, "minji@example.com", &password).await.expect(200);
            let (server, stop) = (Arc::clone(&server), Arc::clone(&stop));
            let refreshed = Arc::clone(&refreshed);
            running.push(tokio::spawn(async move {
                let mut refresh = session.text("refresh_token");
                let mut tokens = vec![session.text("access_token")];
                while !stop.load(Ordering::SeqCst) {
                    let body = json!({"refresh_token": refresh});
                    let answer = server.post("/v1/tokens/refresh", &body).await;
                    if answer.status == 401 {
                        break;
                    }
                    let next = answer.expect(200);
                    refresh = next.text("refresh_token");
                    tokens.push(next.text("access_token"));
                    if tokens.len() == 2 {
                        refreshed.fetch_add(1, Ordering::SeqCst);
                    }
                }
                (refresh, tokens)
            }));
        }
        until("each was refreshed", async || refreshed.load(Ordering::SeqCst) == 6).await;
        let access = pair.text("access_token");
        match shut_out {
            "disable" => {
                let (ended_well, said, log) =
                    server.run_beside(&["user", "disable", "minji@example.com"]).await;
                assert!(ended_well && said.contains("disabled"), "{log}");
            }
            "change the password" => {
                let body = json!({"current_password": password, "new_password": NEW});
                change_password(&server, &access, &body).await.expect(204);
                NEW.clone_into(&mut password);
            }
            "reset" => {
                let body = json!({"login": "minji@example.com"});
                let id = server.post("/v1/password-resets", &body).await.expect(202).text("id");
                // After the mail of the sign-up and that of the change.
                let code = server.messages("minji@example.com", 3).await.swap_remove(0).code();
                let body = json!({"code": code, "new_password": PASSWORD});
                let path = format!("/v1/password-resets/{id}/complete");
                server.post(&path, &body).await.expect(204);
                PASSWORD.clone_into(&mut password);
            }
            _ => {
                let bearer = format!("Bearer {access}");
                let headers = [("authorization", bearer.as_str())];
                server.send(Method::DELETE, "/v1/me", &headers, None).await.expect(204);
            }
        }
        // Whatever is asked from now on is asked afterwards.
        stop.store(true, Ordering::SeqCst);
        let inactive = json!({"active": false});
        for session in running {
            let (refresh, tokens) = session.await.expect("a session");
            let body = json!({"refresh_token": refresh});
            server.post("/v1/tokens/refresh", &body).await.expect_problem(401, "invalid_grant");
            assert_eq!(introspect(&server, &refresh).await, inactive, "{shut_out}");
            for token in [tokens.first(), tokens.last()].into_iter().flatten() {
                assert_eq!(introspect(&server, token).await, inactive, "{shut_out}");
                server.get_as("/v1/me", token).await.expect_problem(401, "unauthenticated");
            }
        }
        if shut_out == "disable" {
            let refused = log_in(&server, "minji@example.com", PASSWORD).await;
            refused.expect_problem(401, "invalid_credentials");
            let (ended_well, ..) =
                server.run_beside(&["user", "enable", "minji@example.com"]).await;
            assert!(ended_well);
        }
    }
    let (ended_well, _, error) = server.run_beside(&["user", "disable", "nobody"]).await;
    assert!(!ended_well && error.contains("nobody has that"), "{error}");
}

#[tokio::test]
async fn a_username_is_changed_and_the_old_one_logs_in_no_more() {
    let server = Server::start().await;
    complete_sign_up(&server, "minji-renamed@example.com").await;
    let pair = log_in(&server, "minji-renamed@example.com", PASSWORD).await.expect(200);
    let access = pair.text("access_token");
    for name in ["First.Name", "second-name"] {
        let changed = server.patch_as("/v1/me", &access, &json!({"username": name})).await;
        assert_eq!(changed.expect(200).text("username"), name.to_lowercase());
        log_in(&server, name, PASSWORD).await.expect(200);
    }
    log_in(&server, "first.name", PASSWORD).await.expect_problem(401, "invalid_credentials");
    complete_sign_up(&server, "rival-renamed@example.com").await;
    let rival = log_in(&server, "rival-renamed@example.com", PASSWORD).await.expect(200);
    for taken in ["first.name", "SECOND-NAME"] {
        let body = json!({"username": taken, "nickname": "changed"});
        let refused = server.patch_as("/v1/me", &rival.text("access_token"), &body).await;
        refused.expect_problem(409, "username_taken");
    }
    let profile = server.get_as("/v1/me", &rival.text("access_token")).await.expect(200).json();
    assert!(profile.get("nickname").is_none(), "nothing has changed: {profile}");
    let cleared = server.patch_as("/v1/me", &access, &json!({"username": null})).await.expect(200);
    assert!(cleared.json().get("username").is_none());
    let mail = server.messages("minji-renamed@example.com", 4).await.remove(0);
    assert!(mail.text().contains("The username of your account was changed."), "{}", mail.text());
}

#[tokio::test]
async fn messages_go_to_the_contact_that_was_chosen() {
    let server = ServerOptions::default().with("REGISTRATION__REQUIRE", "[\"email\",\"phone\"]");
    let server = server.start().await;
    let (address, number) = ("minji-two@example.com", "+821040008888");
    let body = json!({"email": address, "phone": number, "password": PASSWORD});
    let registration = server.post("/v1/registrations", &body).await.expect(202).json();
    for verification in registration["verifications"].as_array().expect("verifications") {
        let to = if verification["channel"] == "email" { address } else { number };
        let code = server.message(to).await.code();
        check(&server, verification["id"].as_str().expect("an id"), &code).await.expect(200);
    }
    let access = log_in(&server, address, PASSWORD).await.expect(200).text("access_token");
    let primaries = |profile: &Value| -> Vec<(String, bool)> {
        let contacts = profile["contacts"].as_array().expect("contacts");
        let one = |contact: &Value| {
            (contact["channel"].as_str().unwrap_or("?").to_owned(), contact["primary"] == true)
        };
        contacts.iter().map(one).collect()
    };
    let profile = server.get_as("/v1/me", &access).await.expect(200).json();
    assert_eq!(primaries(&profile), [("email".to_owned(), true), ("sms".to_owned(), false)]);
    let id = profile["contacts"][1]["id"].as_str().expect("an id");
    let bearer = format!("Bearer {access}");
    let choose = async |id: &str| {
        let path = format!("/v1/me/contacts/{id}/primary");
        server.send(Method::PUT, &path, &[("authorization", &bearer)], None).await
    };
    let profile = choose(id).await.expect(200).json();
    assert_eq!(primaries(&profile), [("email".to_owned(), false), ("sms".to_owned(), true)]);
    let told = server.messages(address, 2).await.remove(0);
    assert!(told.text().contains("another of its contacts"), "{}", told.text());
    server.patch_as("/v1/me", &access, &json!({"username": "minji-two"})).await.expect(200);
    let told = server.messages(number, 2).await.remove(0);
    assert!(told.text().contains("username was changed"), "{}", told.text());
    for unknown in ["019a9c9e-7a11-7c22-8d33-4b8f2e3d9a66", "nonsense"] {
        choose(unknown).await.expect_problem(404, "contact_not_found");
    }
}
