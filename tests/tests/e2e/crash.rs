//! The process is killed between any two steps, and nothing that was acknowledged is gone.

use std::sync::Arc;

use mapae_e2e::{Server, ServerOptions};
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
    let folder = server.folder();
    assert!(folder.join("data/mapae.db").is_file());
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
