//! Processes wake one another, and lose nothing where they cannot.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use mapae_e2e::{
    Database, RedisProcess, Server, ServerOptions, left_out, server_binary, until, wrong,
};
use mapae_testkit::machine::free_port;
use serde_json::json;
use tempfile::TempDir;
use tokio::process::Command;
use tokio::task::JoinSet;

use crate::race::{assert_statuses, at_once};
use crate::{check, first_verification, sign_up};

/// What a process says once where it cannot wake others, or be woken.
const OUT: &str = "wake-ups between processes do not get through";
const BACK: &str = "wake-ups between processes get through again";

async fn begin(server: &Server, to: &str) {
    let body = json!({"channel": "email", "to": to, "purpose": "own"});
    server.post("/v1/verifications", &body).await.expect(202);
}

/// A server without a worker whose workers look once in `poll`, woken as is usual on its database.
/// `None` where the test has no Redis.
fn apart(poll: &str) -> Option<ServerOptions> {
    let options = ServerOptions::default().with("OUTBOX__POLL", poll).without_worker();
    if Database::of_this_run() == Database::Postgres {
        return Some(options);
    }
    match std::env::var("MAPAE_TEST_REDIS_URL") {
        Ok(url) => Some(options.with("REDIS__URL", &url)),
        Err(_) => {
            left_out("MAPAE_TEST_REDIS_URL names no server");
            None
        }
    }
}

#[tokio::test]
async fn a_message_leaves_at_once_though_its_worker_looks_once_a_minute() {
    let Some(options) = apart("60s") else { return };
    let server = options.start().await;
    let _worker = server.start_worker();
    let all = async {
        for nth in 0..5 {
            let to = format!("minji{nth}@example.com");
            begin(&server, &to).await;
            server.message(&to).await;
        }
    };
    // By looking alone the second would wait for a minute, and the others with it.
    tokio::time::timeout(Duration::from_secs(50), all).await.expect("woken");
    assert!(!server.log().contains(OUT), "{}", server.log());
}

#[tokio::test]
async fn every_worker_of_several_can_be_woken() {
    let Some(options) = apart("60s") else { return };
    let server = options.start().await;
    let workers = [server.start_worker(), server.start_worker()];
    begin(&server, "first@example.com").await;
    server.message("first@example.com").await;
    let [one, other] = workers;
    one.kill().await;
    let all = async {
        for nth in 0..3 {
            let to = format!("minji{nth}@example.com");
            begin(&server, &to).await;
            server.message(&to).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(50), all).await.expect("the other is woken");
    drop(other);
}

/// Sign-ups one after the other by several at once, until it is ended.
struct Load {
    answered: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
    asking: JoinSet<Vec<String>>,
}

impl Load {
    fn on(server: &Arc<Server>) -> Self {
        let (answered, is_over) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let mut asking = JoinSet::new();
        for asker in 0..4 {
            let (server, answered, is_over) =
                (Arc::clone(server), Arc::clone(&answered), Arc::clone(&is_over));
            asking.spawn(async move {
                let mut signed_up = Vec::new();
                while !is_over.load(Ordering::SeqCst) {
                    let email = format!("load-{asker}-{}@example.com", signed_up.len());
                    // Whatever is not a 202 ends the test.
                    sign_up(&server, &email).await;
                    signed_up.push(email);
                    answered.fetch_add(1, Ordering::SeqCst);
                }
                signed_up
            });
        }
        Self { answered, is_over, asking }
    }

    /// Waits until so many more were answered.
    async fn answered(&self, more: usize) {
        let until_then = self.answered.load(Ordering::SeqCst) + more;
        until("sign-ups are answered", async || self.answered.load(Ordering::SeqCst) >= until_then)
            .await;
    }

    /// Ends it, and says who was answered.
    async fn end(self) -> Vec<String> {
        self.is_over.store(true, Ordering::SeqCst);
        self.asking.join_all().await.concat()
    }
}

/// Five messages, each once the one before is there. Workers that only look, every five seconds,
/// take twenty for it.
async fn five_messages(server: &Server, name: &str) -> bool {
    let five = async {
        for nth in 0..5 {
            let to = format!("{name}{nth}@example.com");
            begin(server, &to).await;
            server.message(&to).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(15), five).await.is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_nothing_is_lost_and_when_it_is_there_again_it_wakes_again() {
    let Some(redis) = RedisProcess::start().await else { return };
    let options = ServerOptions::default()
        .with("REDIS__URL", &redis.url())
        .with("OUTBOX__POLL", "5s")
        .without_worker();
    let server = Arc::new(options.start().await);
    let _worker = server.start_worker();
    redis.listened().await;
    assert!(five_messages(&server, "before").await, "not woken");
    assert_eq!(redis.ask("DBSIZE").await, ":0\r\n", "something is kept in Redis");

    // It hangs, and then it is gone: nobody who signs up notices.
    let load = Load::on(&server);
    load.answered(10).await;
    redis.set_hanging(true).await;
    let hanging = tokio::time::timeout(Duration::from_secs(30), load.answered(20)).await;
    hanging.expect("sign-ups wait for a Redis that hangs");
    until("it is said", async || server.log().matches(OUT).count() == 1).await;
    redis.set_hanging(false).await;
    until("it is noticed", async || server.log().matches(BACK).count() == 1).await;
    let port = redis.port();
    redis.kill().await;
    load.answered(30).await;

    // Limits do not rest on it.
    let registration = sign_up(&server, "minji@example.com").await;
    let id = first_verification(&registration);
    let code = server.message("minji@example.com").await.code();
    let answers = at_once(20, |nth| {
        let (server, id, guess) = (Arc::clone(&server), id.clone(), wrong(&code, nth));
        async move { check(&server, &id, &guess).await }
    })
    .await;
    assert_statuses(&answers, [(400, 5), (429, 15)]);

    // By looking alone, every message leaves.
    for email in load.end().await {
        assert_eq!(server.messages(&email, 1).await.len(), 1, "{email}");
    }
    assert_eq!(server.log().matches(OUT).count(), 2, "once hanging, once gone: {}", server.log());
    assert!(!server.log().contains("ERROR"), "{}", server.log());

    let redis = RedisProcess::start_on(port).await.expect("Redis again");
    until("it is noticed", async || server.log().matches(BACK).count() == 2).await;
    redis.listened().await;
    assert!(five_messages(&server, "after").await, "not woken any more");
}

#[tokio::test]
async fn a_start_without_redis_is_a_start_that_says_so_once_and_shows_no_password() {
    let port = free_port();
    let url = format!("redis://mapae:planted-password@127.0.0.1:{port}/0");
    let options = ServerOptions::default().with("REDIS__URL", &url).with("LOG__LEVEL", "trace");
    let server = options.start().await;
    let _worker = server.start_worker();
    begin(&server, "minji@example.com").await;
    server.message("minji@example.com").await;
    until("it is said", async || server.log().contains(OUT)).await;
    // Time for a few more tries.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(server.log().matches(OUT).count(), 1, "{}", server.log());
    let (ended_well, doctor, doctor_log) = server.run_beside(&["doctor"]).await;
    assert!(ended_well && doctor.contains("look  wake-ups: by Redis: "), "{doctor}");
    let (_, config, _) = server.run_beside(&["config"]).await;
    assert!(config.contains(&format!("redis://(set)@127.0.0.1:{port}/0")), "{config}");
    for shown in [server.log(), doctor, doctor_log, config] {
        let line = shown.lines().find(|line| line.contains("planted"));
        assert!(line.is_none(), "{line:?}");
    }
    assert!(server.terminate().await, "it ends well without Redis, too");
}

#[tokio::test]
async fn the_doctor_says_how_processes_wake_one_another() {
    let said = match Database::of_this_run() {
        Database::Sqlite => None,
        Database::Postgres => Some("ok    wake-ups: heard, by LISTEN and NOTIFY"),
        Database::Mariadb => Some("ok    wake-ups: none without redis.url: workers look every 1s"),
    };
    let server = Server::start().await;
    let (_, doctor, _) = server.run_beside(&["doctor"]).await;
    match said {
        Some(said) => assert!(doctor.contains(said), "{doctor}"),
        None => assert!(!doctor.contains("wake-ups"), "{doctor}"),
    }
    let Some(redis) = RedisProcess::start().await else { return };
    let server = ServerOptions::default().with("REDIS__URL", &redis.url()).start().await;
    let (_, doctor, _) = server.run_beside(&["doctor"]).await;
    assert!(doctor.contains("ok    wake-ups: heard, by Redis"), "{doctor}");
}

#[tokio::test]
async fn redis_is_asked_over_tls_and_a_strangers_certificate_is_refused() {
    let folder = TempDir::new().expect("a temporary folder");
    let Some((_redis, port)) = RedisProcess::start_encrypted(folder.path()).await else { return };
    for (authorities, host, expected) in [
        (Some("ca.pem"), "localhost", "ok    wake-ups: heard, by Redis"),
        (None, "localhost", "look  wake-ups: by Redis"),
        // It is another's by its name.
        (Some("ca.pem"), "127.0.0.1", "look  wake-ups: by Redis"),
    ] {
        let mut doctor = Command::new(server_binary());
        doctor.arg("doctor").current_dir(folder.path());
        doctor.env("MAPAE_REDIS__URL", format!("rediss://default:planted@{host}:{port}"));
        if let Some(authorities) = authorities {
            doctor.env("SSL_CERT_FILE", folder.path().join(authorities));
        }
        let found = doctor.output().await.expect("a process");
        let found = String::from_utf8_lossy(&found.stdout).into_owned();
        assert!(found.contains(expected) && !found.contains("planted"), "{host}: {found}");
    }
}
