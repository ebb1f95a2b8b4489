//! The outbox loses nothing, whoever dies.

use std::collections::HashMap;
use std::time::Duration;

use mapae_e2e::{Server, code_in, until};
use mapae_store_seaorm::scratch;
use mapae_testkit::fake::FakeSens;
use serde_json::json;
use tokio::task::JoinSet;

use crate::check;
use crate::sending::by_sens;

/// Leases that a test can wait for, and that last for a send on a busy machine; and time-outs that such a
/// machine does not reach: whatever is cut off twice is not sent a third time.
const SHORT: [(&str, &str); 3] =
    [("OUTBOX__LEASE", "14s"), ("OUTBOX__SEND_TIMEOUT", "10s"), ("OUTBOX__POLL", "20ms")];
/// Longer than a lease: whoever sends a message again has done it by then.
const ANOTHER_TRY: Duration = Duration::from_secs(15);

/// Queues a message to each of so many numbers, a few requests at a time.
async fn queue(server: &Server, messages: usize) {
    const AT_ONCE: usize = 16;
    let client = reqwest::Client::new();
    let mut asking = JoinSet::new();
    for asker in 0..AT_ONCE {
        let (client, url) = (client.clone(), format!("{}/v1/verifications", server.origin()));
        asking.spawn(async move {
            for nth in (asker..messages).step_by(AT_ONCE) {
                let body = json!({"channel": "sms", "to": number(nth), "purpose": "own"});
                // Whoever is told that it is for the moment asks again, and is known by a key.
                let request = client.post(&url).header("idempotency-key", number(nth)).json(&body);
                loop {
                    let request = request.try_clone().expect("a body that can be sent again");
                    match request.send().await.expect("an answer").status().as_u16() {
                        202 => break,
                        503 => tokio::time::sleep(Duration::from_millis(100)).await,
                        other => panic!("{other}"),
                    }
                }
            }
        });
    }
    asking.join_all().await;
}

fn number(nth: usize) -> String {
    format!("0104000{nth:04}")
}

/// How often each number got a message; the same one each time.
fn received(sens: &FakeSens) -> HashMap<String, usize> {
    let mut received = HashMap::new();
    let mut contents = HashMap::new();
    for message in sens.taken() {
        *received.entry(message.to.clone()).or_default() += 1;
        let first = contents.entry(message.to).or_insert_with(|| message.content.clone());
        assert_eq!(*first, message.content, "another code the second time");
    }
    received
}

/// Three workers send a thousand messages, and one of them is killed on the way. Gives how often
/// each number got its message.
async fn with_one_killed(concurrency: &str) -> HashMap<String, usize> {
    const MESSAGES: usize = 1_000;
    let sens = FakeSens::start().await;
    let options = by_sens(&sens).with_all(&SHORT).with("OUTBOX__CONCURRENCY", concurrency);
    let server = options.without_worker().start().await;
    queue(&server, MESSAGES).await;
    assert!(sens.taken().is_empty(), "nobody sends yet");
    let workers = [server.start_worker(), server.start_worker(), server.start_worker()];
    let [first, second, third] = workers;
    until("three hundred messages", async || sens.taken().len() >= 300).await;
    second.kill().await;
    for many in (400..=MESSAGES).step_by(100) {
        until("the next hundred messages", async || received(&sens).len() >= many).await;
    }
    // Whoever would send one again does it within a lease.
    tokio::time::sleep(ANOTHER_TRY).await;
    drop((first, third));
    let received = received(&sens);
    assert_eq!(received.len(), MESSAGES);
    received
}

#[tokio::test]
async fn a_thousand_messages_by_three_workers_one_of_which_dies_cost_one_duplicate_at_most() {
    // One message a worker at a time: that is what a kill can make uncertain.
    let received = with_one_killed("1").await;
    let all: usize = received.values().sum();
    assert!(all <= 1_001, "{} duplicates", all - 1_000);
}

#[tokio::test]
async fn with_many_under_way_a_kill_repeats_only_those() {
    let received = with_one_killed("32").await;
    let twice = received.values().filter(|times| **times == 2).count();
    assert!(received.values().all(|times| *times <= 2), "a message came three times");
    assert!(twice <= 32, "{twice} came twice");
}

/// Experiment 2 of `docs/reliability.md`: `MAPAE_TEST_KILLS=200` makes it the long form.
#[tokio::test]
async fn killed_around_a_send_no_message_is_lost_and_its_code_is_good() {
    let kills =
        std::env::var("MAPAE_TEST_KILLS").map_or(12, |kills| kills.parse().expect("a number"));
    let sens = FakeSens::start().await;
    sens.behave(|sens| sens.delay = Duration::from_millis(4));
    let mut server = by_sens(&sens).with_all(&SHORT).start().await;
    let mut begun = Vec::new();
    for nth in 0..kills {
        let body = json!({"channel": "sms", "to": number(nth), "purpose": "own"});
        let verification = server.post("/v1/verifications", &body).await.expect(202).text("id");
        begun.push(verification);
        // From at once to long after the send.
        tokio::time::sleep(Duration::from_micros(
            u64::try_from(nth * 700 % 17_000).expect("short"),
        ))
        .await;
        server = server.kill_and_restart().await;
    }
    until("every message", async || received(&sens).len() == kills).await;
    tokio::time::sleep(ANOTHER_TRY).await;
    let received = received(&sens);
    let duplicates: usize = received.values().map(|times| times - 1).sum();
    // A message can be under way at more than one kill; each kill costs one duplicate at the most.
    assert!(duplicates <= kills, "{duplicates} duplicates of {kills} kills");
    if kills >= 100 {
        #[expect(clippy::print_stderr, reason = "the figures of the long form")]
        {
            eprintln!(
                "{kills} kills: {} messages received, {duplicates} duplicates",
                received.len()
            );
        }
    }
    for (nth, verification) in begun.iter().enumerate() {
        let message = sens.taken_to(&number(nth)).swap_remove(0);
        check(&server, verification, &code_in(&message.content)).await.expect(200);
    }
}

#[tokio::test]
async fn a_worker_that_is_told_to_stop_leaves_nothing_under_lease() {
    let sens = FakeSens::start().await;
    // Two at once, so that there is much left to do, however long it takes to queue them; and with leases
    // that nobody waits for.
    let settings = [("OUTBOX__CONCURRENCY", "2"), ("OUTBOX__LEASE", "10m")];
    let server = by_sens(&sens).with_all(&settings).start().await;
    sens.behave(|sens| sens.delay = Duration::from_secs(3));
    queue(&server, 20).await;
    until("the first", async || !sens.taken().is_empty()).await;
    let database = server.database_url();
    let stopped = server.stop().await;
    let sent = sens.taken().len();
    assert!(sent < 20, "{sent} sent");
    let leased =
        "SELECT COUNT(*) FROM outbox WHERE status = 'queued' AND lease_expires_at IS NOT NULL";
    assert_eq!(scratch::number(&database, leased).await.expect("a number"), 0);
    sens.behave(|sens| sens.delay = Duration::ZERO);
    let _next = stopped.start().await;
    until("the rest", async || received(&sens).len() == 20).await;
    assert!(received(&sens).values().all(|times| *times == 1), "one came twice");
}
