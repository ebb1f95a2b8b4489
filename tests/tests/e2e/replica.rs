//! Three processes that serve and two that send, on one database of a server: no state in one that
//! another needs. On a file, one process serves, and the races of `race.rs` are run.

use std::collections::HashSet;
use std::sync::Arc;

use mapae_e2e::{Database, Server, ServerOptions, WorkerProcess, wrong};
use serde_json::{Value, json};

use crate::race::{assert_statuses, at_once};
use crate::{PASSWORD, check, complete_sign_up, first_verification, log_in, sign_up};

/// Three replicas that serve, and what sends for them.
struct Replicas {
    servers: Vec<Arc<Server>>,
    _workers: [WorkerProcess; 2],
}

impl Replicas {
    /// Starts them, where this run is on a server.
    async fn start() -> Option<Self> {
        if Database::of_this_run() == Database::Sqlite {
            return None;
        }
        // Links and issuer are the installation's, not a process's.
        let options = ServerOptions::default()
            .with("PUBLIC_ORIGIN", "http://localhost:18080")
            .without_worker();
        let first = options.start().await;
        let (second, third) = tokio::join!(first.start_replica(), first.start_replica());
        let workers = [first.start_worker(), first.start_worker()];
        let servers = [first, second, third].map(Arc::new).into();
        Some(Self { servers, _workers: workers })
    }

    fn nth(&self, nth: usize) -> Arc<Server> {
        Arc::clone(&self.servers[nth % self.servers.len()])
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_right_codes_at_once_on_three_replicas_one_succeeds() {
    // Experiment 12.
    let Some(replicas) = Replicas::start().await else { return };
    let begin = json!({"channel": "email", "to": "minji@example.com"});
    let id = replicas.nth(0).post("/v1/verifications", &begin).await.expect(202).text("id");
    let code = replicas.nth(1).message("minji@example.com").await.code();
    let answers = at_once(100, |nth| {
        let (server, id, code) = (replicas.nth(nth), id.clone(), code.clone());
        async move { check(&server, &id, &code).await }
    })
    .await;
    assert_statuses(&answers, [(200, 1), (409, 99)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_wrong_codes_at_once_on_three_replicas_five_are_compared() {
    // Experiment 13.
    let Some(replicas) = Replicas::start().await else { return };
    let registration = sign_up(&replicas.nth(0), "minji@example.com").await;
    let id = first_verification(&registration);
    let code = replicas.nth(2).message("minji@example.com").await.code();
    let answers = at_once(100, |nth| {
        let (server, id, guess) = (replicas.nth(nth), id.clone(), wrong(&code, nth));
        async move { check(&server, &id, &guess).await }
    })
    .await;
    assert_statuses(&answers, [(400, 5), (429, 95)]);
    check(&replicas.nth(1), &id, &code).await.expect_problem(429, "attempts_exhausted");
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_refreshes_of_one_token_at_once_on_three_replicas_have_one_successor() {
    // Experiment 14.
    let Some(replicas) = Replicas::start().await else { return };
    complete_sign_up(&replicas.nth(0), "minji@example.com").await;
    let pair = log_in(&replicas.nth(1), "minji@example.com", PASSWORD).await.expect(200);
    let body = json!({"refresh_token": pair.text("refresh_token")});
    let answers = at_once(50, |nth| {
        let (server, body) = (replicas.nth(nth), body.clone());
        async move { server.post("/v1/tokens/refresh", &body).await }
    })
    .await;
    assert_statuses(&answers, [(200, 50)]);
    let successors: HashSet<_> =
        answers.iter().map(|answer| answer.text("refresh_token")).collect();
    assert_eq!(successors.len(), 1);
    // A log-out on one is a log-out on all.
    let access = answers[0].text("access_token");
    let bearer = format!("Bearer {access}");
    let revoke = json!({"scope": "all"});
    let headers = [("authorization", bearer.as_str())];
    replicas.nth(2).post_with("/v1/tokens/revoke", &headers, &revoke).await.expect(204);
    for nth in 0..3 {
        replicas.nth(nth).get_as("/v1/me", &access).await.expect_problem(401, "unauthenticated");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_start_together_share_one_key_and_know_each_others_tokens() {
    let Some(replicas) = Replicas::start().await else { return };
    complete_sign_up(&replicas.nth(0), "minji@example.com").await;
    let mut key_sets = HashSet::new();
    for nth in 0..3 {
        let keys = replicas.nth(nth).get("/.well-known/jwks.json").await.expect(200);
        assert_eq!(keys.json()["keys"].as_array().map(Vec::len), Some(1), "{}", keys.body);
        key_sets.insert(keys.body);
        let pair = log_in(&replicas.nth(nth), "minji@example.com", PASSWORD).await.expect(200);
        for other in 0..3 {
            let me = replicas.nth(other).get_as("/v1/me", &pair.text("access_token")).await;
            assert_eq!(me.expect(200).json()["email"], "minji@example.com");
        }
    }
    assert_eq!(key_sets.len(), 1, "one key of all");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_replica_has_answered_every_other_knows() {
    let Some(replicas) = Replicas::start().await else { return };
    let body = json!({"email": "minji@example.com", "password": PASSWORD, "username": "minji"});
    let answers =
        at_once(9, |nth| {
            let (server, body) = (replicas.nth(nth), body.clone());
            async move {
                server.post_with("/v1/registrations", &[("idempotency-key", "one")], &body).await
            }
        })
        .await;
    assert_statuses(&answers, [(202, 9)]);
    let ids: HashSet<_> = answers.iter().map(|answer| answer.text("id")).collect();
    assert_eq!(ids.len(), 1, "one registration, whoever is asked");
    let registration: Value = answers[0].json();
    let code = replicas.nth(1).message("minji@example.com").await.code();
    let id = registration["verifications"][0]["id"].as_str().expect("an id");
    check(&replicas.nth(2), id, &code).await.expect(200);
    log_in(&replicas.nth(0), "minji", PASSWORD).await.expect(200);
}
