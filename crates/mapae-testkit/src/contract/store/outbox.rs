//! The outbox.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use mapae_application::ports::Store;
use mapae_domain::outbox::{Lease, OutboxRecord, SendOutcome};
use mapae_domain::{
    Channel, DeliveryStatus, MessageId, OutboxMessage, RetryPolicy, Timestamp, VerificationId,
};

use super::{a_stored_registration, give_way, race, settled, stored};
use crate::build;

async fn a_stored_verification(store: &Arc<dyn Store>) -> VerificationId {
    let registration = a_stored_registration(store).await;
    let contact = build::unique_contact(Channel::Email);
    let verification = build::a_verification(contact, Some(registration.id()));
    stored!(store, work => { work.insert_verification(&verification).await.unwrap() });
    verification.id()
}

async fn insert(store: &Arc<dyn Store>, message: &OutboxMessage) {
    stored!(store, work => { work.insert_message(message).await.unwrap() });
}

async fn a_stored_message(store: &Arc<dyn Store>, due: Timestamp) -> OutboxMessage {
    let message = build::a_message(None, due);
    insert(store, &message).await;
    message
}

async fn lease(
    store: &Arc<dyn Store>,
    limit: u32,
    until: Timestamp,
    now: Timestamp,
) -> Vec<OutboxMessage> {
    stored!(store, work => { work.lease_messages(limit, until, now).await.unwrap() })
}

async fn record(store: &Arc<dyn Store>, message: &OutboxMessage, lease: Lease) -> bool {
    stored!(store, work => { work.record_message(message, lease).await.unwrap() })
}

async fn next_due(store: &Arc<dyn Store>) -> Option<Timestamp> {
    store.read().await.unwrap().next_message_due().await.unwrap()
}

fn lease_of(message: &OutboxMessage) -> Lease {
    message.record().lease.expect("a leased message has a lease")
}

fn ids(messages: &[OutboxMessage]) -> Vec<MessageId> {
    messages.iter().map(OutboxMessage::id).collect()
}

fn tried(message: &OutboxMessage, outcome: SendOutcome, now: Timestamp) -> OutboxMessage {
    let policy = RetryPolicy { tries: 8, first_wait: Duration::from_secs(5) };
    message.clone().tried(outcome, &policy, now, &mut |bytes: &mut [u8]| bytes.fill(0))
}

/// An empty outbox has nothing to lease and nothing that comes due.
pub async fn an_empty_outbox_has_nothing_to_send(store: Arc<dyn Store>) {
    assert_eq!(next_due(&store).await, None);
    assert!(lease(&store, 10, build::after(60), build::START).await.is_empty());
    let mut view = store.read().await.unwrap();
    let delivery = view.delivery_of_verification(build::verification_id()).await.unwrap();
    assert_eq!(delivery, None);
}

/// A message comes back as it was, with the lease that it was given.
pub async fn a_leased_message_is_the_one_that_was_stored(store: Arc<dyn Store>) {
    let verification = a_stored_verification(&store).await;
    let every_byte: Vec<u8> = (0..=u8::MAX).cycle().take(70_000).collect();
    for (channel, verification, sealed) in
        [(Channel::Email, Some(verification), every_byte), (Channel::Sms, None, vec![0])]
    {
        let deadline = build::after(1_800);
        let id = build::message_id();
        let message =
            OutboxMessage::queue(id, channel, verification, sealed, deadline, build::START);
        insert(&store, &message).await;
        let until = build::after(60);
        let leased = lease(&store, 10, until, build::START).await;
        assert_eq!(leased.len(), 1);
        assert_eq!(lease_of(&leased[0]).expires_at, until);
        let stored =
            OutboxRecord { lease: None, updated_at: build::START, ..leased[0].record().clone() };
        // Its debug form shows little, so that a difference would not be seen in it.
        assert!(OutboxMessage::from_record(stored) == message, "the message has changed");
        let sent = tried(&leased[0], SendOutcome::Permanent, build::START);
        assert!(record(&store, &sent, lease_of(&leased[0])).await);
    }
}

/// A message is leased when it is due and not before, to the microsecond.
pub async fn a_message_is_leased_when_it_is_due(store: Arc<dyn Store>) {
    let due = build::after(30);
    a_stored_message(&store, due).await;
    let just_before = Timestamp::from_micros(due.as_micros() - 1);
    assert!(lease(&store, 10, build::after(90), just_before).await.is_empty());
    assert_eq!(lease(&store, 10, build::after(90), due).await.len(), 1);
}

/// Messages are leased in the order in which they came due, and no more than were asked for.
pub async fn the_longest_due_is_leased_first(store: Arc<dyn Store>) {
    let mut expected = Vec::new();
    for seconds in [4, 1, 5, 2, 3] {
        let message = a_stored_message(&store, build::after(seconds)).await;
        expected.push((seconds, message.id()));
    }
    expected.sort_unstable();
    let expected: Vec<MessageId> = expected.into_iter().map(|(_, id)| id).collect();
    let (until, now) = (build::after(100), build::after(10));
    assert_eq!(ids(&lease(&store, 2, until, now).await), expected[..2]);
    assert_eq!(ids(&lease(&store, 2, until, now).await), expected[2..4]);
    assert_eq!(ids(&lease(&store, 2, until, now).await), expected[4..]);
    assert!(lease(&store, 2, until, now).await.is_empty());
}

/// A message is under one lease at a time; when that has expired it is leased again, with a higher
/// fence.
pub async fn an_expired_lease_gives_way_to_one_with_a_higher_fence(store: Arc<dyn Store>) {
    let message = a_stored_message(&store, build::START).await;
    let first = lease(&store, 1, build::after(60), build::START).await;
    assert_eq!(ids(&first), [message.id()]);
    let just_before = Timestamp::from_micros(build::after(60).as_micros() - 1);
    assert!(lease(&store, 1, build::after(120), just_before).await.is_empty());
    let second = lease(&store, 1, build::after(120), build::after(60)).await;
    assert_eq!(ids(&second), [message.id()]);
    assert_eq!(lease_of(&second[0]).fence, lease_of(&first[0]).fence + 1);
    let third = lease(&store, 1, build::after(180), build::after(120)).await;
    assert_eq!(lease_of(&third[0]).fence, lease_of(&first[0]).fence + 2);
}

/// A lease that was not committed is none.
pub async fn a_lease_that_was_not_committed_is_none(store: Arc<dyn Store>) {
    let message = a_stored_message(&store, build::START).await;
    let mut work = store.begin().await.unwrap();
    let until = build::after(60);
    assert_eq!(work.lease_messages(1, until, build::START).await.unwrap().len(), 1);
    drop(work);
    assert_eq!(ids(&lease(&store, 1, until, build::START).await), [message.id()]);
}

/// Of two workers that lease at once, none gets a message that the other has, and all are leased.
pub async fn no_message_is_leased_by_two_at_once(store: Arc<dyn Store>) {
    const MESSAGES: usize = 50;
    stored!(store, work => {
        for _ in 0..MESSAGES {
            work.insert_message(&build::a_message(None, build::START)).await.unwrap();
        }
    });
    let leased = race(2, |_| {
        let store = Arc::clone(&store);
        async move {
            let mut mine = Vec::new();
            // A worker may find nothing while another holds all that is due.
            for _ in 0..MESSAGES {
                let until = build::after(60);
                let batch = settled!(store, work => {
                    let batch = work.lease_messages(3, until, build::after(1)).await?;
                    give_way().await;
                    batch
                });
                mine.extend(ids(&batch));
                tokio::task::yield_now().await;
            }
            mine
        }
    })
    .await;
    let all: Vec<MessageId> = leased.into_iter().flatten().collect();
    assert_eq!(all.len(), MESSAGES, "messages leased");
    assert_eq!(all.into_iter().collect::<HashSet<_>>().len(), MESSAGES, "different ones");
}

/// What became of a message is stored, and ends its lease: it is leased again as soon as it is due.
pub async fn a_message_to_try_again_is_leased_when_it_is_due_again(store: Arc<dyn Store>) {
    a_stored_message(&store, build::START).await;
    let leased = lease(&store, 1, build::after(60), build::START).await;
    let again = tried(&leased[0], SendOutcome::Temporary, build::after(1));
    let due = again.record().due_at;
    assert!(due < build::after(60), "due before the lease would have ended");
    assert!(record(&store, &again, lease_of(&leased[0])).await);
    assert_eq!(next_due(&store).await, Some(due));
    let just_before = Timestamp::from_micros(due.as_micros() - 1);
    assert!(lease(&store, 1, build::after(90), just_before).await.is_empty());
    let second = lease(&store, 1, build::after(90), due).await;
    assert_eq!(second.len(), 1);
    let (was, is) = (again.record(), second[0].record());
    assert_eq!((is.tries, is.status, is.due_at), (1, DeliveryStatus::Queued, due));
    assert!(is.sealed == was.sealed, "the content has changed");
    assert_eq!(lease_of(&second[0]).fence, lease_of(&leased[0]).fence + 1);
}

/// A worker whose lease went to another records nothing.
pub async fn a_lost_lease_records_nothing(store: Arc<dyn Store>) {
    let verification = a_stored_verification(&store).await;
    insert(&store, &build::a_message(Some(verification), build::START)).await;
    let first = lease(&store, 1, build::after(60), build::START).await;
    let second = lease(&store, 1, build::after(120), build::after(60)).await;
    let failed = tried(&first[0], SendOutcome::Permanent, build::after(61));
    assert!(!record(&store, &failed, lease_of(&first[0])).await);
    assert_eq!(delivery(&store, verification).await, Some(DeliveryStatus::Queued));
    let sent = SendOutcome::Sent { provider_id: Some("provider-1".to_owned()) };
    let sent = tried(&second[0], sent, build::after(62));
    assert!(record(&store, &sent, lease_of(&second[0])).await);
    assert_eq!(delivery(&store, verification).await, Some(DeliveryStatus::Sent));
    let unknown = build::a_message(None, build::START);
    assert!(!record(&store, &unknown, lease_of(&second[0])).await, "a message that is not there");
}

/// A lease that has expired and went to nobody still records: the message went out.
pub async fn an_expired_lease_that_went_to_nobody_still_records(store: Arc<dyn Store>) {
    let verification = a_stored_verification(&store).await;
    insert(&store, &build::a_message(Some(verification), build::START)).await;
    let leased = lease(&store, 1, build::after(60), build::START).await;
    let sent = SendOutcome::Sent { provider_id: None };
    let sent = tried(&leased[0], sent, build::after(90));
    assert!(record(&store, &sent, lease_of(&leased[0])).await);
    assert_eq!(delivery(&store, verification).await, Some(DeliveryStatus::Sent));
}

/// A message that is final is never leased again, never comes due, and changes no more.
pub async fn a_final_message_is_never_leased(store: Arc<dyn Store>) {
    let later = build::after(1_000_000);
    for status in DeliveryStatus::ALL {
        if status == DeliveryStatus::Queued {
            continue;
        }
        let verification = a_stored_verification(&store).await;
        insert(&store, &build::a_message(Some(verification), build::START)).await;
        let leased = lease(&store, 1, build::after(60), build::START).await;
        let record_of = OutboxRecord {
            status,
            sealed: Vec::new(),
            provider_id: Some("provider-7".to_owned()),
            updated_at: build::after(1),
            ..leased[0].record().clone()
        };
        let done = OutboxMessage::from_record(record_of);
        assert!(record(&store, &done, lease_of(&leased[0])).await);
        assert!(lease(&store, 10, later.plus(Duration::from_secs(60)), later).await.is_empty());
        assert_eq!(next_due(&store).await, None);
        assert_eq!(delivery(&store, verification).await, Some(status));
        // Its fence is the same; it is final all the same.
        let failed = tried(&leased[0], SendOutcome::Permanent, build::after(2));
        assert!(!record(&store, &failed, lease_of(&leased[0])).await, "{status:?} has changed");
        assert_eq!(delivery(&store, verification).await, Some(status));
    }
}

/// A message past its deadline is leased as any other, for its worker to give it up.
pub async fn a_message_past_its_deadline_is_leased_and_given_up(store: Arc<dyn Store>) {
    let verification = a_stored_verification(&store).await;
    insert(&store, &build::a_message(Some(verification), build::START)).await;
    let late = build::after(86_400);
    let leased = lease(&store, 1, late.plus(Duration::from_secs(60)), late).await;
    assert_eq!(leased.len(), 1);
    let expired = leased[0].clone().expire(late);
    assert!(record(&store, &expired, lease_of(&leased[0])).await);
    assert_eq!(delivery(&store, verification).await, Some(DeliveryStatus::Expired));
}

/// The next due time is the least over the queued messages of the later of due time and lease.
pub async fn the_next_due_time_knows_of_leases(store: Arc<dyn Store>) {
    a_stored_message(&store, build::after(50)).await;
    assert_eq!(next_due(&store).await, Some(build::after(50)), "still to come");
    a_stored_message(&store, build::START).await;
    assert_eq!(next_due(&store).await, Some(build::START));
    let leased = lease(&store, 1, build::after(40), build::after(1)).await;
    assert_eq!(next_due(&store).await, Some(build::after(40)), "the lease's expiry");
    let again = tried(&leased[0], SendOutcome::Temporary, build::after(2));
    assert!(record(&store, &again, lease_of(&leased[0])).await);
    assert_eq!(next_due(&store).await, Some(again.record().due_at));
    let leased = lease(&store, 10, build::after(200), build::after(60)).await;
    assert_eq!(leased.len(), 2);
    assert_eq!(next_due(&store).await, Some(build::after(200)));
    for message in &leased {
        let sent = tried(message, SendOutcome::Permanent, build::after(61));
        assert!(record(&store, &sent, lease_of(message)).await);
    }
    assert_eq!(next_due(&store).await, None);
}

async fn delivery(store: &Arc<dyn Store>, id: VerificationId) -> Option<DeliveryStatus> {
    store.read().await.unwrap().delivery_of_verification(id).await.unwrap()
}

/// What is known of a verification's delivery is that of its latest message.
pub async fn the_delivery_is_that_of_the_latest_message(store: Arc<dyn Store>) {
    let verification = a_stored_verification(&store).await;
    let other = a_stored_verification(&store).await;
    assert_eq!(delivery(&store, verification).await, None);
    insert(&store, &build::a_message(Some(verification), build::START)).await;
    assert_eq!(delivery(&store, verification).await, Some(DeliveryStatus::Queued));
    let leased = lease(&store, 1, build::after(60), build::START).await;
    let failed = tried(&leased[0], SendOutcome::Permanent, build::after(1));
    assert!(record(&store, &failed, lease_of(&leased[0])).await);
    assert_eq!(delivery(&store, verification).await, Some(DeliveryStatus::Failed));
    insert(&store, &build::a_message(Some(verification), build::after(120))).await;
    assert_eq!(delivery(&store, verification).await, Some(DeliveryStatus::Queued));
    assert_eq!(delivery(&store, other).await, None);
}
