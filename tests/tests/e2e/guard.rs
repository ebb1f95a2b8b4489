//! Another service behind a guard: the one of the guard's README, as it is written, and one that
//! checks tokens while keys are rotated.

use std::collections::HashSet;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mapae_e2e::{Server, ServerOptions, example_binary, until, workspace};
use mapae_guard::{Guard, GuardError, Introspection};
use mapae_testkit::machine::free_port;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::{PASSWORD, complete_sign_up, log_in};

/// What the server calls itself: the harness gives it no public origin.
fn issuer(server: &Server) -> String {
    let (_, port) = server.origin().rsplit_once(':').expect("a port");
    format!("http://localhost:{port}")
}

#[test]
fn the_readmes_service_is_the_one_that_is_built() {
    let folder = workspace().join("crates/mapae-guard");
    let readme = std::fs::read_to_string(folder.join("README.md")).expect("the README");
    let example = std::fs::read_to_string(folder.join("examples/protected.rs"));
    let example = example.expect("the example");
    let first = readme.split("```").nth(1).expect("a block of code");
    let (_, code) = first.split_once('\n').expect("lines");
    assert_eq!(code, example);
    let statements = example.lines().filter(|line| line.contains(|c: char| c.is_alphanumeric()));
    // Without the imports, the comment, the attributes and the signatures: ten lines and fewer.
    let plain = |line: &&str| {
        !["use ", "//!", "#["].iter().any(|start| line.trim_start().starts_with(start))
    };
    assert!(statements.filter(plain).count() <= 10, "{example}");
}

#[tokio::test]
async fn the_readmes_service_lets_in_whoever_logged_in_and_nobody_else() {
    let server = Server::start().await;
    complete_sign_up(&server, "minji@example.com").await;
    let token = log_in(&server, "minji@example.com", PASSWORD).await.expect(200);
    let token = token.text("access_token");
    let me = server.get_as("/v1/me", &token).await.expect(200).text("id");
    let address = format!("127.0.0.1:{}", free_port());
    let mut service = Command::new(example_binary("mapae-guard", "protected"))
        .env("MAPAE_ORIGIN", issuer(&server))
        .env("LISTEN", &address)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("the example");
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let ask = async |token: Option<&str>| {
        let mut request = client.get(format!("http://{address}/hello"));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        request.send().await
    };
    until("the service answers", async || ask(None).await.is_ok()).await;
    let answer = ask(Some(&token)).await.expect("an answer");
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.text().await.expect("a body"), format!("Hello, {me}.\n"));
    for token in [None, Some("nonsense"), Some(&format!("{token}x"))] {
        let answer = ask(token).await.expect("an answer");
        assert_eq!(answer.status(), 401);
        assert!(answer.headers().contains_key("www-authenticate"));
        let problem: Value = answer.json().await.expect("JSON");
        assert_eq!(problem["code"], "unauthenticated");
    }
    service.kill().await.expect("an end");
}

#[tokio::test]
async fn a_guard_that_introspects_knows_of_a_log_out_at_once() {
    let secret = "a secret of the shop, which is long enough";
    let server = ServerOptions::default().with("CLIENTS__SHOP__SECRET", secret).start().await;
    complete_sign_up(&server, "minji@example.com").await;
    let pair = log_in(&server, "minji@example.com", PASSWORD).await.expect(200);
    let token = pair.text("access_token");
    let guard = |introspection| {
        let guard = Guard::builder(&issuer(&server)).reached_at(server.origin());
        guard.introspection(introspection).build().expect("a guard")
    };
    let knowing = guard(Introspection::new("shop", secret));
    assert!(knowing.check(&token).await.is_ok());
    let stranger = guard(Introspection::new("shop", "another secret"));
    assert_eq!(stranger.check(&token).await, Err(GuardError::Unavailable), "it fails closed");
    let body = json!({"refresh_token": pair.text("refresh_token")});
    server.post("/v1/tokens/revoke", &body).await.expect(204);
    assert_eq!(knowing.check(&token).await, Err(GuardError::Invalid));
}

fn kid(token: &str) -> String {
    let header = token.split('.').next().expect("a header");
    let header: Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).expect("base64url")).expect("JSON");
    header["kid"].as_str().expect("a kid").to_owned()
}

/// Experiment 19: a key is replaced by the next as it is meant to be, while a guard checks two
/// hundred tokens a second, old ones and new ones.
#[tokio::test(flavor = "multi_thread")]
async fn while_keys_are_rotated_a_guard_refuses_none_of_two_hundred_tokens_a_second() {
    let ahead = ("TOKENS__PUBLISH_KEYS_AHEAD", "1m");
    let server = Arc::new(ServerOptions::default().with(ahead.0, ahead.1).start().await);
    complete_sign_up(&server, "minji@example.com").await;
    let guard = Guard::builder(&issuer(&server)).reached_at(server.origin());
    // Each check is one of a signature.
    let guard = guard.remembered_tokens(0).build().expect("a guard");
    let pair = log_in(&server, "minji@example.com", PASSWORD).await.expect(200);
    let tokens = Arc::new(Mutex::new(vec![pair.text("access_token")]));
    let (checked, stop) = (Arc::new(AtomicUsize::new(0)), tokio::sync::watch::channel(false));
    let checking = {
        let (tokens, checked) = (Arc::clone(&tokens), Arc::clone(&checked));
        let mut ended = stop.1.clone();
        tokio::spawn(async move {
            let mut tick = tokio::time::interval(Duration::from_millis(5));
            let mut refused = Vec::new();
            let mut nth = 0;
            loop {
                tokio::select! {
                    _ = tick.tick() => {}
                    _ = ended.changed() => break refused,
                }
                nth += 1;
                // By turns the newest and any of the others.
                let token = {
                    let tokens = tokens.lock().expect("the tokens");
                    let at = if nth % 2 == 0 { tokens.len() - 1 } else { nth * 31 % tokens.len() };
                    tokens[at].clone()
                };
                if let Err(error) = guard.check(&token).await {
                    refused.push((error, kid(&token)));
                }
                checked.fetch_add(1, Ordering::SeqCst);
            }
        })
    };
    let (ended_well, made, log) = server.run_beside(&["key", "rotate"]).await;
    assert!(ended_well, "{log}");
    let next = made.split('\t').next().expect("a kid").to_owned();
    let mut refresh = pair.text("refresh_token");
    let mut kids = HashSet::from([kid(&pair.text("access_token"))]);
    let mut after = 0;
    // A token a second, until the next key has signed ten.
    for _ in 0..150 {
        let answer = server.post("/v1/tokens/refresh", &json!({"refresh_token": refresh})).await;
        let pair = answer.expect(200);
        refresh = pair.text("refresh_token");
        let token = pair.text("access_token");
        after += usize::from(kid(&token) == next);
        kids.insert(kid(&token));
        tokens.lock().expect("the tokens").push(token);
        if after >= 10 {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert!(after >= 10 && kids.len() == 2, "{after} tokens by the next key, {kids:?}");
    stop.0.send_replace(true);
    let refused = checking.await.expect("the checks");
    let checked = checked.load(Ordering::SeqCst);
    assert!(refused.is_empty(), "{} of {checked} refused: {:?}", refused.len(), refused.first());
    assert!(checked > 2_000, "{checked} checks");
}
