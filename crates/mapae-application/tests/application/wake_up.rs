use std::future::{pending, ready};
use std::sync::Arc;
use std::time::Duration;

use mapae_application::outbox::{Bell, Relay, Worker};
use mapae_application::registration::Register;
use mapae_domain::Channel;
use mapae_testkit::fake::{MemoryWakeUps, RecordingEmailSender, link_key_in};
use tokio::task::JoinSet;

use crate::{World, begin, by_email, consent, email};

/// Far more than anything here should take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The world with its worker in another process, which looks by itself once an hour.
struct Apart {
    world: World,
    wake_ups: MemoryWakeUps,
    _running: JoinSet<()>,
}

impl Apart {
    fn new() -> Self {
        Self::with(World::new())
    }

    fn with(world: World) -> Self {
        let wake_ups = MemoryWakeUps::new();
        let mut running = JoinSet::new();
        let (here, other) = (world.worker.bell.clone(), Bell::default());
        for (bell, listens) in [(here, false), (other.clone(), true)] {
            let (rng, wake_ups) = (Arc::clone(&world.worker.rng), Arc::new(wake_ups.clone()));
            let relay = Relay { bell, wake_ups, rng, listens };
            running.spawn(relay.run(pending()));
        }
        let worker = world.worker_by(Arc::new(world.emails.clone()));
        let mut worker = Worker { bell: other, ..worker };
        worker.settings.poll = Duration::from_secs(3_600);
        running.spawn(worker.run(pending()));
        Self { world, wake_ups, _running: running }
    }
}

async fn sent(emails: &RecordingEmailSender, messages: usize) {
    let sent = async {
        while emails.sent().len() < messages {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let sent = tokio::time::timeout(PATIENCE, sent).await;
    assert!(sent.is_ok(), "{} of {messages} were sent", emails.sent().len());
}

/// It may have been stored, and its message would wait until somebody looks.
#[tokio::test]
async fn a_commit_whose_answer_was_lost_wakes_others_all_the_same() {
    let (world, wake_ups) = (World::new(), MemoryWakeUps::new());
    let relay = Relay {
        bell: world.worker.bell.clone(),
        wake_ups: Arc::new(wake_ups.clone()),
        rng: Arc::clone(&world.worker.rng),
        listens: false,
    };
    world.store.lose_next_commit_answer();
    let contact = email("minji@example.com");
    let begun = world.application.begin_verification(begin("own", &contact)).await;
    assert!(begun.is_err(), "an answer");
    relay.run(ready(())).await;
    assert_eq!(wake_ups.calls(), Channel::ALL.len());
}

#[tokio::test]
async fn a_worker_of_another_process_sends_what_it_is_woken_for() {
    let apart = Apart::new();
    for nth in 0..3 {
        apart.world.begin("own", &email(&format!("minji{nth}@example.com"))).await;
        sent(&apart.world.emails, nth + 1).await;
    }
}

#[tokio::test]
async fn while_wake_ups_do_not_get_through_nobody_notices_and_afterwards_they_are_made_up_for() {
    let apart = Apart::new();
    apart.world.begin("own", &email("before@example.com")).await;
    sent(&apart.world.emails, 1).await;
    apart.wake_ups.set_down(true);
    let before = apart.wake_ups.calls();
    for nth in 0..50 {
        apart.world.begin("own", &email(&format!("minji{nth}@example.com"))).await;
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    let tried = apart.wake_ups.calls() - before;
    assert!(tried <= 2, "{tried} tries for fifty messages");
    assert_eq!(apart.world.emails.sent().len(), 1);
    apart.wake_ups.set_down(false);
    sent(&apart.world.emails, 51).await;
}

#[tokio::test]
async fn a_way_that_hangs_keeps_no_request_waiting() {
    let apart = Apart::new();
    apart.wake_ups.set_hanging(true);
    let begun = async {
        for nth in 0..50 {
            apart.world.begin("own", &email(&format!("minji{nth}@example.com"))).await;
        }
    };
    // Less than one wake-up is waited for.
    tokio::time::timeout(Duration::from_secs(4), begun).await.expect("nobody waits");
    assert!(apart.wake_ups.calls() <= 1, "{} at once", apart.wake_ups.calls());
}

#[tokio::test]
async fn a_code_that_is_checked_wakes_nobody() {
    let apart = Apart::new();
    let begun = apart.world.begin("own", &email("minji@example.com")).await;
    sent(&apart.world.emails, 1).await;
    let code = apart.world.code_to(&email("minji@example.com")).await;
    let before = apart.wake_ups.calls();
    apart.world.check(begun.id, &code).await.expect("the right code");
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(apart.wake_ups.calls(), before);
}

#[tokio::test]
async fn what_is_rung_while_others_are_woken_wakes_them_again() {
    let apart = Apart::new();
    for nth in 0..200 {
        apart.world.begin("own", &email(&format!("minji{nth}@example.com"))).await;
        tokio::task::yield_now().await;
    }
    // The last one's ring came into whatever was under way, and was not lost in it.
    sent(&apart.world.emails, 200).await;
}

#[tokio::test]
async fn who_is_told_to_stop_tells_others_what_they_were_not_told() {
    let (bell, wake_ups) = (Bell::default(), MemoryWakeUps::new());
    let relay = |bell: &Bell| Relay {
        bell: bell.clone(),
        wake_ups: Arc::new(wake_ups.clone()),
        rng: Arc::clone(&World::new().worker.rng),
        listens: true,
    };
    relay(&bell).run(ready(())).await;
    assert_eq!(wake_ups.calls(), 0, "there was nothing to tell");
    let bell = Bell::default();
    bell.ring(Channel::Sms);
    relay(&bell).run(ready(())).await;
    assert_eq!(wake_ups.calls(), 1);
    // Also of what they were being told of when it came.
    wake_ups.set_hanging(true);
    bell.ring(Channel::Sms);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let stopped = async move { drop(stopped.await) };
    let running = tokio::spawn(relay(&bell).run(stopped));
    while wake_ups.calls() < 2 {
        tokio::task::yield_now().await;
    }
    wake_ups.set_hanging(false);
    drop(stop);
    running.await.expect("an end");
    assert_eq!(wake_ups.calls(), 3);
}

/// A registration becomes an account by a code, by a link, and by a receipt at once; what was agreed to is
/// confirmed by a message that nothing else of it sends.
#[tokio::test]
async fn who_completes_a_sign_up_wakes_those_who_confirm_what_was_agreed_to() {
    for way in ["code", "link", "receipt"] {
        let apart = Apart::with(World::with(consent::settings("1")));
        let (world, minji) = (&apart.world, email("minji@example.com"));
        let consents = consent::inputs(consent::ALL);
        let sign_up = Register { consents, ..by_email("minji@example.com") };
        if way == "receipt" {
            let begun = world.begin("registration", &minji).await;
            sent(&world.emails, 1).await;
            let checked = world.check(begun.id, &world.code_to(&minji).await).await;
            let receipt = checked.expect("the right code").receipt.expect("a receipt");
            let receipts = vec![receipt.to_string()];
            world.register(Register { email: None, receipts, ..sign_up }).await.expect("a sign-up");
        } else {
            let begun = world.register(sign_up).await.expect("a sign-up");
            sent(&world.emails, 1).await;
            let text = world.emails.sent()[0].content.text.clone();
            if way == "code" {
                let code = world.code_to(&minji).await;
                world.check(begun.verifications[0].id, &code).await.expect("the right code");
            } else {
                let key = link_key_in(&text).expect("a key");
                world.application.confirm_verification(key).await.expect("the right key");
            }
        }
        sent(&world.emails, 2).await;
        let told = world.emails.sent()[1].content.text.clone();
        assert!(told.contains("marketing=news"), "by {way}: {told}");
    }
}

#[tokio::test]
async fn what_queues_nothing_wakes_nobody() {
    let apart = Apart::with(World::with(consent::settings("1")));
    let pair = consent::user(&apart.world, consent::ALL).await;
    sent(&apart.world.emails, 2).await;
    let before = apart.wake_ups.calls();
    let caller = consent::caller(&apart.world, &pair).await;
    // Nothing that was not decided before.
    consent::decide(&apart.world, &caller, consent::ALL).await.expect("a decision");
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(apart.wake_ups.calls(), before);
}
