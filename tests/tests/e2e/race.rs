//! Every rule that a race could break, raced.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use mapae_e2e::{Answer, Server, wrong};
use serde_json::json;

use crate::{PASSWORD, check, complete_sign_up, first_verification, log_in, sign_up};

/// Sends `count` requests at once.
pub(crate) async fn at_once<F, Fut>(count: usize, request: F) -> Vec<Answer>
where
    F: Fn(usize) -> Fut,
    Fut: Future<Output = Answer> + Send + 'static,
{
    let running: Vec<_> = (0..count).map(|nth| tokio::spawn(request(nth))).collect();
    let mut answers = Vec::new();
    for task in running {
        answers.push(task.await.expect("an answer"));
    }
    answers
}

/// Sees how often each status was answered, and that no other was.
#[track_caller]
pub(crate) fn assert_statuses<const N: usize>(answers: &[Answer], expected: [(u16, usize); N]) {
    let mut statuses = BTreeMap::new();
    for answer in answers {
        *statuses.entry(answer.status.as_u16()).or_default() += 1;
    }
    assert_eq!(statuses, BTreeMap::from(expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_wrong_codes_at_once_five_are_compared() {
    let server = Arc::new(Server::start().await);
    let registration = sign_up(&server, "minji@example.com").await;
    let id = first_verification(&registration);
    let code = server.message("minji@example.com").await.code();
    let answers = at_once(50, |nth| {
        let (server, id, guess) = (Arc::clone(&server), id.clone(), wrong(&code, nth));
        async move { check(&server, &id, &guess).await }
    })
    .await;
    assert_statuses(&answers, [(400, 5), (429, 45)]);
    check(&server, &id, &code).await.expect_problem(429, "attempts_exhausted");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_right_codes_at_once_one_succeeds() {
    let server = Arc::new(Server::start().await);
    let begin = json!({"channel": "email", "to": "minji@example.com"});
    let id = server.post("/v1/verifications", &begin).await.expect(202).text("id");
    let code = server.message("minji@example.com").await.code();
    let answers = at_once(50, |_| {
        let (server, id, code) = (Arc::clone(&server), id.clone(), code.clone());
        async move { check(&server, &id, &code).await }
    })
    .await;
    assert_statuses(&answers, [(200, 1), (409, 49)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_refreshes_of_one_token_at_once_have_one_successor() {
    let server = Arc::new(Server::start().await);
    complete_sign_up(&server, "minji@example.com").await;
    let pair = log_in(&server, "minji@example.com", PASSWORD).await.expect(200);
    let body = json!({"refresh_token": pair.text("refresh_token")});
    // Experiment 14.
    let answers = at_once(50, |_| {
        let (server, body) = (Arc::clone(&server), body.clone());
        async move { server.post("/v1/tokens/refresh", &body).await }
    })
    .await;
    assert_statuses(&answers, [(200, 50)]);
    let successors: HashSet<_> =
        answers.iter().map(|answer| answer.text("refresh_token")).collect();
    assert_eq!(successors.len(), 1);
    for successor in successors {
        let body = json!({"refresh_token": successor});
        server.post("/v1/tokens/refresh", &body).await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rivals_that_verify_at_once_make_one_account() {
    let server = Arc::new(Server::start().await);
    let mut ids = Vec::new();
    for nth in 1..=8 {
        let registration = sign_up(&server, "minji@example.com").await;
        let code = server.messages("minji@example.com", nth).await.swap_remove(0).code();
        ids.push((first_verification(&registration), code));
    }
    let answers = at_once(ids.len(), |nth| {
        let (server, (id, code)) = (Arc::clone(&server), ids[nth].clone());
        async move { check(&server, &id, &code).await }
    })
    .await;
    assert_statuses(&answers, [(200, 1), (409, 7)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_username_asked_for_twenty_times_at_once_is_given_once() {
    let server = Arc::new(Server::start().await);
    let answers = at_once(20, |nth| {
        let server = Arc::clone(&server);
        let email = format!("minji{nth}@example.com");
        let body = json!({"email": email, "username": "minji"});
        async move { server.post("/v1/registrations", &body).await }
    })
    .await;
    assert_statuses(&answers, [(202, 1), (409, 19)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_receipt_used_ten_times_at_once_logs_in_once() {
    let server = Arc::new(Server::start().await);
    complete_sign_up(&server, "minji@example.com").await;
    let begin = json!({"channel": "email", "to": "minji@example.com", "purpose": "login"});
    let id = server.post("/v1/verifications", &begin).await.expect(202).text("id");
    let code = server.messages("minji@example.com", 2).await.swap_remove(0).code();
    let body = json!({"receipt": check(&server, &id, &code).await.expect(200).text("receipt")});
    let answers = at_once(10, |_| {
        let (server, body) = (Arc::clone(&server), body.clone());
        async move { server.post("/v1/tokens/receipt", &body).await }
    })
    .await;
    assert_statuses(&answers, [(200, 1), (401, 9)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_idempotency_key_sent_ten_times_at_once_makes_one_registration() {
    let server = Arc::new(Server::start().await);
    let answers =
        at_once(10, |_| {
            let server = Arc::clone(&server);
            let body = json!({"email": "minji@example.com"});
            async move {
                server.post_with("/v1/registrations", &[("idempotency-key", "one")], &body).await
            }
        })
        .await;
    assert_statuses(&answers, [(202, 10)]);
    let ids: HashSet<_> = answers.iter().map(|answer| answer.text("id")).collect();
    assert_eq!(ids.len(), 1);
}
