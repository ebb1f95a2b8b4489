use std::time::Duration;

use mapae_application::ports::Store as _;
use mapae_domain::{Channel, DeliveryStatus};

use crate::{World, email};

#[tokio::test]
async fn a_message_that_fails_for_a_while_is_sent_with_the_same_code() {
    let world = World::new();
    let contact = email("minji@example.com");
    world.emails.fail_temporarily(2);
    let begun = world.begin("own", &contact).await;
    for wait in [5, 10] {
        world.deliver().await;
        assert_eq!(world.emails.sent().len(), 0);
        // Not before its time.
        world.deliver().await;
        world.wait(wait);
    }
    let code = world.code_to(&contact).await;
    assert_eq!(world.emails.calls(), 3);
    world.check(begun.id, &code).await.expect("the right code");
}

#[tokio::test]
async fn a_message_that_can_never_be_sent_is_not_tried_again() {
    let world = World::new();
    world.emails.fail_permanently(1);
    let begun = world.begin("own", &email("minji@example.com")).await;
    world.deliver().await;
    world.wait(3_600);
    world.deliver().await;
    assert_eq!(world.emails.calls(), 1);
    let seen = world.application.verification(begun.id).await.expect("it is there");
    assert_eq!(seen.delivery.status, DeliveryStatus::Failed);
}

#[tokio::test]
async fn a_message_whose_code_has_expired_is_dropped() {
    let world = World::new();
    let begun = world.begin("own", &email("minji@example.com")).await;
    world.wait(30 * 60);
    world.deliver().await;
    assert_eq!(world.emails.calls(), 0);
    let seen = world.application.verification(begun.id).await.expect("it is there");
    assert_eq!(seen.delivery.status, DeliveryStatus::Expired);
}

#[tokio::test]
async fn one_bad_message_holds_up_nobody() {
    let world = World::new();
    world.emails.fail_temporarily(1);
    for nth in 0..40 {
        world.begin("own", &email(&format!("minji{nth}@example.com"))).await;
    }
    world.deliver().await;
    assert_eq!(world.emails.sent().len(), 39);
    world.wait(5);
    world.deliver().await;
    assert_eq!(world.emails.sent().len(), 40);
}

#[tokio::test]
async fn an_outcome_that_could_not_be_stored_means_a_second_try_and_not_a_lost_message() {
    let world = World::new();
    let begun = world.begin("own", &email("minji@example.com")).await;
    // Leased and sent by a worker that is gone before it has stored that.
    let mut work = world.store.begin().await.expect("a unit of work");
    let now = world.application.now();
    let lease = now.plus(Duration::from_secs(60));
    assert_eq!(
        work.lease_messages(Channel::Email, 10, lease, now).await.expect("a lease").len(),
        1
    );
    work.commit().await.expect("a commit");
    world.deliver().await;
    assert_eq!(world.emails.calls(), 0, "the lease still holds");
    world.wait(60);
    world.deliver().await;
    assert_eq!(world.emails.calls(), 1);
    let seen = world.application.verification(begun.id).await.expect("it is there");
    assert_eq!(seen.delivery.status, DeliveryStatus::Sent);
}
