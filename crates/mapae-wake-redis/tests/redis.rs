//! Wake-ups by a real Redis, where the environment names one: `MAPAE_TEST_REDIS_URL`.
#![expect(clippy::expect_used, reason = "test code: what fails here fails a test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use fred::prelude::{Builder, ClientLike as _, Config, PubsubInterface as _};
use mapae_application::ports::WakeUps as _;
use mapae_domain::Channel;
use mapae_testkit::contract::wake_up::Processes;
use mapae_testkit::fake::TcpProxy;
use mapae_testkit::machine::{free_port, server_of};
use mapae_wake_redis::{RedisServer, RedisUrlError, RedisWakeUps};

const REDIS: &str = "MAPAE_TEST_REDIS_URL";
const PATIENCE: Duration = Duration::from_secs(30);

/// A way to the server that the variable names, where it does: `redis://host:port`, no more.
async fn way() -> Option<TcpProxy> {
    let url = server_of(REDIS)?;
    let address = url.strip_prefix("redis://").expect("a URL with redis://").trim_end_matches('/');
    Some(TcpProxy::start(address).await)
}

/// The name of an installation that no other test has.
fn installation() -> String {
    static NUMBERS: AtomicU32 = AtomicU32::new(0);
    format!("test-{}-{}", std::process::id(), NUMBERS.fetch_add(1, Ordering::Relaxed))
}

fn process(way: &TcpProxy, installation: &str) -> RedisWakeUps {
    let server = RedisServer::parse(&format!("redis://{}", way.address())).expect("a server");
    RedisWakeUps::new(server, installation)
}

async fn fresh() -> Option<(Processes, ())> {
    let way = Arc::new(way().await?);
    let installation = installation();
    let look = Builder::from_config(
        Config::from_url(&format!("redis://{}", way.address())).expect("a URL"),
    );
    let look = look.build().expect("a client");
    // By a way that nobody cuts.
    let topic = format!("mapae:{installation}:outbox");
    let processes = Processes {
        first: Arc::new(process(&way, &installation)),
        second: Arc::new(process(&way, &installation)),
        cut: Box::new(move || {
            way.cut();
            Box::pin(std::future::ready(()))
        }),
        listeners: Box::new(move || {
            let (look, topic) = (look.clone(), topic.clone());
            Box::pin(async move {
                if !look.is_connected() {
                    look.init().await.expect("Redis");
                }
                let counted: Vec<(String, usize)> =
                    look.pubsub_numsub(topic).await.expect("a count");
                counted.first().map_or(0, |(_, count)| *count)
            })
        }),
    };
    Some((processes, ()))
}

mod wake_up {
    mapae_testkit::wake_ups_contract! { super::fresh().await }
}

#[tokio::test]
async fn installations_that_share_a_redis_wake_each_their_own() {
    let Some(way) = way().await else { return };
    let (ours, theirs) = (process(&way, &installation()), process(&way, &installation()));
    let (heard, control) = (AtomicU32::new(0), AtomicU32::new(0));
    let at_least = async |counted: &AtomicU32, times: u32| {
        while counted.load(Ordering::SeqCst) < times {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let both = async {
        // Each for each channel, because they began to listen.
        at_least(&heard, 2).await;
        at_least(&control, 2).await;
        for _ in 0..10 {
            theirs.wake(Channel::Email).await.expect("a wake-up");
        }
        at_least(&control, 12).await;
        // And one of our own, which is passed on after all of theirs.
        ours.wake(Channel::Email).await.expect("a wake-up");
        at_least(&heard, 3).await;
    };
    let note_heard = |_| _ = heard.fetch_add(1, Ordering::SeqCst);
    let note_control = |_| _ = control.fetch_add(1, Ordering::SeqCst);
    tokio::select! {
        () = both => {}
        error = ours.listen(&note_heard) => panic!("{error:?}"),
        error = theirs.listen(&note_control) => panic!("{error:?}"),
        () = tokio::time::sleep(PATIENCE) => panic!("what was said is not heard"),
    }
    assert_eq!(heard.into_inner(), 3, "woken by another installation");
}

#[tokio::test]
async fn a_connection_that_fell_silent_is_found_out_and_one_that_is_only_quiet_is_kept() {
    let Some(way) = way().await else { return };
    let silence = Duration::from_millis(200);
    let process = process(&way, &installation()).with_silence(silence);
    let listening = process.listen(&|_| {});
    tokio::pin!(listening);
    tokio::select! {
        error = &mut listening => panic!("quiet, and given up: {error:?}"),
        () = tokio::time::sleep(silence * 8) => way.fall_silent(),
    }
    let found_out = tokio::time::timeout(PATIENCE, listening).await;
    found_out.expect("the silence is not noticed");
}

#[tokio::test]
async fn who_wakes_by_a_connection_that_fell_silent_gives_up_and_takes_another() {
    let Some(way) = way().await else { return };
    let process = process(&way, &installation());
    process.wake(Channel::Sms).await.expect("a wake-up");
    way.fall_silent();
    let woken = tokio::time::timeout(PATIENCE, process.wake(Channel::Sms)).await;
    assert!(woken.expect("an end").is_err(), "nothing gets through");
    process.wake(Channel::Sms).await.expect("another connection");
}

#[tokio::test]
async fn where_there_is_no_redis_it_is_said_at_once_and_without_the_password() {
    let url = format!("redis://mapae:planted-password@127.0.0.1:{}", free_port());
    let process = RedisWakeUps::new(RedisServer::parse(&url).expect("a server"), "none");
    let both = async { (process.wake(Channel::Email).await, process.listen(&|_| {}).await) };
    let (woken, error) = tokio::time::timeout(PATIENCE, both).await.expect("an end");
    for error in [woken.expect_err("nobody was woken"), error] {
        let told = format!("{error} {error:?}");
        assert!(!told.contains("planted"), "{told}");
    }
}

#[tokio::test]
async fn a_wrong_password_is_a_failure_that_does_not_show_it() {
    let Some(way) = way().await else { return };
    let url = format!("redis://nobody:planted-password@{}", way.address());
    let process = RedisWakeUps::new(RedisServer::parse(&url).expect("a server"), "none");
    let error = process.wake(Channel::Email).await.expect_err("a stranger");
    let told = format!("{error} {error:?}");
    assert!(told.contains("WRONGPASS") && !told.contains("planted"), "{told}");
}

#[test]
fn a_url_that_is_none_is_refused_and_not_repeated() {
    let refused = [
        "",
        "planted",
        "http://planted",
        "redis-cluster://planted",
        "redis://",
        "redis://planted:port",
        "redis://planted:6379/database",
        "redis://planted:6379/0/1",
    ];
    for url in refused {
        let error = RedisServer::parse(url).err();
        assert_eq!(error, Some(RedisUrlError::Form), "{url}");
    }
    assert!(!RedisUrlError::Form.to_string().contains("planted"));
    for url in ["redis://localhost", "redis://:p%40ss@[::1]:6380/3", "rediss://u:p@redis.internal"]
    {
        assert!(RedisServer::parse(url).is_ok(), "{url}");
    }
}
