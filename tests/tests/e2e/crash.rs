//! The process is killed between any two steps, and nothing that was acknowledged is gone.

use std::sync::Arc;

use mapae_e2e::{Database, Server, ServerOptions};
use serde_json::json;

use crate::{PASSWORD, check, first_verification, log_in, sign_up};

#[tokio::test]
async fn killed_between_any_two_steps_a_sign_up_goes_on() {
    // After which step the process is killed; the last round kills it after each.
    for killed_after in 0..6 {
        let mut server = Server::start().await;
        let email = format!("minji{killed_after}@example.com");
        let dies = |step: usize| killed_after == step || killed_after == 5;

        let registration = sign_up(&server, &email).await;
        if dies(0) {
            server = server.kill_and_restart().await;
        }
        // The message is sent, before the kill or after it, and bears one code.
        let code = server.message(&email).await.code();
        if dies(1) {
            server = server.kill_and_restart().await;
        }
        let checked = check(&server, &first_verification(&registration), &code).await.expect(200);
        if dies(2) {
            server = server.kill_and_restart().await;
        }
        let id = registration.text("id");
        let body = json!({"registration_token": registration.text("registration_token")});
        let path = format!("/v1/registrations/{id}/tokens");
        let pair = server.post(&path, &body).await.expect(200);
        if dies(3) {
            server = server.kill_and_restart().await;
        }
        server.post(&path, &body).await.expect_problem(409, "tokens_taken");
        let body = json!({"refresh_token": pair.text("refresh_token")});
        let next = server.post("/v1/tokens/refresh", &body).await.expect(200);
        if dies(4) {
            server = server.kill_and_restart().await;
        }
        // The lost answer is asked for again.
        let repeat = server.post("/v1/tokens/refresh", &body).await.expect(200);
        assert_eq!(next.text("refresh_token"), repeat.text("refresh_token"));
        let me = server.get_as("/v1/me", &repeat.text("access_token")).await.expect(200).json();
        assert_eq!(me["id"], checked.json()["registration"]["user_id"]);
        log_in(&server, &email, PASSWORD).await.expect(200);
        let used = check(&server, &first_verification(&registration), &code).await;
        used.expect_problem(409, "already_verified");
    }
}

#[tokio::test]
async fn told_to_stop_the_process_ends_well_and_keeps_everything() {
    let server = Server::start().await;
    let registration = sign_up(&server, "minji@example.com").await;
    assert!(server.get("/readyz").await.status.is_success());
    if Database::is_a_file() {
        assert!(server.folder().join("data/mapae.db").is_file());
    }
    drop(registration);
    assert!(server.terminate().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn told_to_stop_the_process_answers_what_it_was_asked_before() {
    let server = ServerOptions::default().with("LOG__LEVEL", "trace").start().await;
    let server = Arc::new(server);
    // More hashes than can be computed before the signal arrives.
    let asked: Vec<_> = (0..24)
        .map(|nth| {
            let server = Arc::clone(&server);
            let login = format!("nobody{nth}@example.com");
            tokio::spawn(async move { log_in(&server, &login, PASSWORD).await })
        })
        .collect();
    // Every one of them has arrived; most of them wait for their hash.
    while server.log().matches("TRACE").count() < asked.len() {
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    server.signal("-TERM").await;
    for answer in asked {
        let answer = answer.await.expect("an answer");
        answer.expect_problem(401, "invalid_credentials");
    }
}

/// Experiment 3 of `docs/reliability.md`: `MAPAE_TEST_KILLS=200` makes it the long form.
#[tokio::test]
async fn killed_in_a_refresh_a_session_has_one_live_branch_and_its_client_goes_on() {
    let kills: usize =
        std::env::var("MAPAE_TEST_KILLS").map_or(12, |kills| kills.parse().expect("a number"));
    let mut server = Server::start().await;
    let registration = sign_up(&server, "minji@example.com").await;
    let code = server.message("minji@example.com").await.code();
    check(&server, &first_verification(&registration), &code).await.expect(200);
    let pair = log_in(&server, "minji@example.com", PASSWORD).await.expect(200);
    let mut known = pair.text("refresh_token");
    let mut before = None;
    for nth in 0..kills {
        // The client asks, and whether an answer comes nobody knows.
        let (url, body) = (format!("{}/v1/tokens/refresh", server.origin()), refresh_body(&known));
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let asked = tokio::spawn(async move { client.post(url).json(&body).send().await });
        // From before the request arrives to long after its answer has left.
        let micros = u64::try_from(nth * 370 % 9_000).expect("short");
        tokio::time::sleep(std::time::Duration::from_micros(micros)).await;
        server = server.kill_and_restart().await;
        let answered = match asked.await.expect("the client") {
            Ok(answer) if answer.status().is_success() => {
                let pair: serde_json::Value = answer.json().await.unwrap_or_default();
                pair["refresh_token"].as_str().map(str::to_owned)
            }
            _ => None,
        };
        // Asked again, it is the successor that was given before, if one was.
        let next = server.post("/v1/tokens/refresh", &refresh_body(&known)).await.expect(200);
        let next = next.text("refresh_token");
        assert!(answered.is_none_or(|answered| answered == next), "two branches, kill {nth}");
        let again = server.post("/v1/tokens/refresh", &refresh_body(&known)).await.expect(200);
        assert_eq!(again.text("refresh_token"), next, "two branches, kill {nth}");
        before = Some(known);
        known = next;
    }
    // The one before the last but one opens nothing, and ends what there is.
    let oldest = before.expect("a replaced token");
    server.post("/v1/tokens/refresh", &refresh_body(&known)).await.expect(200);
    let late = server.post("/v1/tokens/refresh", &refresh_body(&oldest)).await;
    late.expect_problem(401, "invalid_grant");
    let over = server.post("/v1/tokens/refresh", &refresh_body(&known)).await;
    over.expect_problem(401, "invalid_grant");
}

fn refresh_body(token: &str) -> serde_json::Value {
    json!({ "refresh_token": token })
}
