//! The real binary over real HTTP.
#![expect(clippy::expect_used, clippy::panic, reason = "test code: what fails here fails a test")]

mod account;
mod backup;
mod bad_input;
mod consent;
mod contact;
mod contract;
mod cookie;
mod crash;
mod guard;
mod key;
mod metrics;
mod oauth;
mod operation;
mod outbox;
mod portable;
mod provider;
mod race;
mod readme;
mod registration;
mod replica;
mod reset;
mod secrecy;
mod sending;
mod session;
mod simplejwt;
mod token;
mod traces;
mod upgrade;
mod verification;
mod wake_up;
mod withdrawal;

use mapae_e2e::{Answer, Server};
use serde_json::json;

const PASSWORD: &str = "correct horse battery staple";

/// Signs up with an e-mail address.
async fn sign_up(server: &Server, email: &str) -> Answer {
    server
        .post("/v1/registrations", &json!({"email": email, "password": PASSWORD}))
        .await
        .expect(202)
}

/// Signs up with an e-mail address, and proves it by the code.
async fn complete_sign_up(server: &Server, email: &str) -> Answer {
    let registration = sign_up(server, email).await;
    let code = server.message(email).await.code();
    check(server, &first_verification(&registration), &code).await.expect(200);
    registration
}

/// The id of a registration's first verification.
fn first_verification(registration: &Answer) -> String {
    registration.json()["verifications"][0]["id"].as_str().expect("a verification").to_owned()
}

/// Gives a code.
async fn check(server: &Server, verification: &str, code: &str) -> Answer {
    server.post(&format!("/v1/verifications/{verification}/check"), &json!({"code": code})).await
}

/// Logs in.
async fn log_in(server: &Server, login: &str, password: &str) -> Answer {
    server.post("/v1/tokens", &json!({"login": login, "password": password})).await
}
