//! The outbox.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use mapae_application::ports::Store;
use mapae_application::ports::store::OutboxFilter;
use mapae_domain::outbox::{Lease, OutboxRecord, SendOutcome};
use mapae_domain::{
    Channel, DeliveryReason, DeliveryStatus, MessageId, OutboxMessage, RetryPolicy, Timestamp,
    VerificationId,
};

use super::{PATIENCE, a_stored_registration, give_way, race, settled, stored};
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
    stored!(store, work => { work.lease_messages(Channel::Email, limit, until, now).await.unwrap() })
}

async fn record(store: &Arc<dyn Store>, message: &OutboxMessage, lease: Lease) -> bool {
    stored!(store, work => { work.record_message(message, lease).await.unwrap() })
}

async fn next_due(store: &Arc<dyn Store>) -> Option<Timestamp> {
    store.read().await.unwrap().next_message_due(Channel::Email).await.unwrap()
}

fn lease_of(message: &OutboxMessage) -> Lease {
    message.record().lease.expect("a leased message has a lease")
}

fn ids(messages: &[OutboxMessage]) -> Vec<MessageId> {
    messages.iter().map(OutboxMessage::id).collect()
}

fn taken(provider_id: &str, ask: bool) -> SendOutcome {
    let provider_id = Some(provider_id.to_owned());
    SendOutcome::Sent { sender: Some("ses".to_owned()), provider_id, ask }
}

fn tried(message: &OutboxMessage, outcome: SendOutcome, now: Timestamp) -> OutboxMessage {
    let policy = RetryPolicy { tries: 8, first_wait: Duration::from_secs(5) };
    message.clone().tried(outcome, &policy, now, &mut |bytes: &mut [u8]| bytes.fill(0))
}

/// A commit says of which channels it queued messages, of each once, and of no other's.
pub async fn a_commit_names_the_channels_of_what_it_queued(store: Arc<dyn Store>) {
    for queued in [&[][..], &[Channel::Sms], &[Channel::Email, Channel::Email], &Channel::ALL] {
        let mut work = store.begin().await.unwrap();
        for channel in queued {
            let (id, deadline) = (build::message_id(), build::after(60));
            let message =
                OutboxMessage::queue(id, *channel, None, Vec::new(), deadline, build::START);
            work.insert_message(&message).await.unwrap();
        }
        let named: HashSet<Channel> = work.commit().await.unwrap().channels().collect();
        assert_eq!(named, queued.iter().copied().collect());
        // What another queued is not named.
        let nothing = store.begin().await.unwrap().commit().await.unwrap();
        assert_eq!(nothing.channels().count(), 0);
    }
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
        let leased = stored!(store, work => {
            work.lease_messages(channel, 10, until, build::START).await.unwrap()
        });
        assert_eq!(leased.len(), 1);
        assert_eq!(lease_of(&leased[0]).expires_at, until);
        let stored =
            OutboxRecord { lease: None, updated_at: build::START, ..leased[0].record().clone() };
        // Its debug form shows little, so that a difference would not be seen in it.
        assert!(OutboxMessage::from_record(stored) == message, "the message has changed");
        let sent =
            tried(&leased[0], SendOutcome::Refused(DeliveryReason::RecipientUnknown), build::START);
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
    assert_eq!(work.lease_messages(Channel::Email, 1, until, build::START).await.unwrap().len(), 1);
    drop(work);
    // It is undone behind the back of whoever dropped it.
    let undone = async {
        loop {
            let leased = lease(&store, 1, until, build::START).await;
            if !leased.is_empty() {
                break leased;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    let leased = tokio::time::timeout(PATIENCE, undone).await.expect("the lease is none");
    assert_eq!(ids(&leased), [message.id()]);
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
                    let batch = work.lease_messages(Channel::Email, 3, until, build::after(1)).await?;
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
    let failed =
        tried(&first[0], SendOutcome::Refused(DeliveryReason::RecipientUnknown), build::after(61));
    assert!(!record(&store, &failed, lease_of(&first[0])).await);
    assert_eq!(delivery(&store, verification).await, Some(DeliveryStatus::Queued));
    let sent = taken("provider-1", false);
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
    let sent = SendOutcome::Sent { sender: None, provider_id: None, ask: false };
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
        let failed = tried(
            &leased[0],
            SendOutcome::Refused(DeliveryReason::RecipientUnknown),
            build::after(2),
        );
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
        let sent = tried(
            message,
            SendOutcome::Refused(DeliveryReason::RecipientUnknown),
            build::after(61),
        );
        assert!(record(&store, &sent, lease_of(message)).await);
    }
    assert_eq!(next_due(&store).await, None);
}

async fn delivery(store: &Arc<dyn Store>, id: VerificationId) -> Option<DeliveryStatus> {
    let delivery = store.read().await.unwrap().delivery_of_verification(id).await.unwrap();
    delivery.map(|delivery| delivery.status)
}

/// What is known of a verification's delivery is that of its latest message.
pub async fn the_delivery_is_that_of_the_latest_message(store: Arc<dyn Store>) {
    let verification = a_stored_verification(&store).await;
    let other = a_stored_verification(&store).await;
    assert_eq!(delivery(&store, verification).await, None);
    insert(&store, &build::a_message(Some(verification), build::START)).await;
    assert_eq!(delivery(&store, verification).await, Some(DeliveryStatus::Queued));
    let leased = lease(&store, 1, build::after(60), build::START).await;
    let failed =
        tried(&leased[0], SendOutcome::Refused(DeliveryReason::RecipientUnknown), build::after(1));
    assert!(record(&store, &failed, lease_of(&leased[0])).await);
    assert_eq!(delivery(&store, verification).await, Some(DeliveryStatus::Failed));
    insert(&store, &build::a_message(Some(verification), build::after(120))).await;
    assert_eq!(delivery(&store, verification).await, Some(DeliveryStatus::Queued));
    assert_eq!(delivery(&store, other).await, None);
}

/// The channels are leased apart.
pub async fn a_channel_is_leased_without_the_other(store: Arc<dyn Store>) {
    let mail = a_stored_message(&store, build::START).await;
    let sms = OutboxMessage::queue(
        build::message_id(),
        Channel::Sms,
        None,
        vec![7],
        build::after(1_800),
        build::after(5),
    );
    insert(&store, &sms).await;
    let mut view = store.read().await.unwrap();
    assert_eq!(view.next_message_due(Channel::Email).await.unwrap(), Some(build::START));
    assert_eq!(view.next_message_due(Channel::Sms).await.unwrap(), Some(build::after(5)));
    drop(view);
    let (until, now) = (build::after(60), build::after(10));
    for (channel, id) in [(Channel::Sms, sms.id()), (Channel::Email, mail.id())] {
        let leased = stored!(store, work => {
            work.lease_messages(channel, 10, until, now).await.unwrap()
        });
        assert_eq!(ids(&leased), [id]);
    }
}

/// A message that its provider took: of which `ask` says whether it can be asked about.
async fn a_taken_message(store: &Arc<dyn Store>, provider_id: &str, ask: bool) -> OutboxMessage {
    let message = a_stored_message(store, build::START).await;
    let leased = lease(store, 1, build::after(60), build::START).await;
    assert_eq!(ids(&leased), [message.id()]);
    let sent = tried(&leased[0], taken(provider_id, ask), build::START);
    assert!(record(store, &sent, lease_of(&leased[0])).await);
    sent
}

/// Everything that is known of a message comes back, by its id and by its provider's.
pub async fn a_message_is_found_by_its_own_name_and_its_providers(store: Arc<dyn Store>) {
    let sent = a_taken_message(&store, "provider-1", true).await;
    a_taken_message(&store, "provider-2", false).await;
    let read = store.read().await.unwrap().message(sent.id()).await.unwrap().unwrap();
    let mut work = store.begin().await.unwrap();
    let by_id = work.lock_message(sent.id()).await.unwrap().unwrap();
    let by_provider = work.lock_message_of_provider("provider-1").await.unwrap().unwrap();
    for found in [read, by_id, by_provider] {
        let (found, sent) = (found.record(), sent.record());
        assert_eq!((found.id, found.status), (sent.id, DeliveryStatus::Sent));
        assert_eq!(found.sender.as_deref(), Some("ses"));
        assert_eq!(found.provider_id.as_deref(), Some("provider-1"));
        assert_eq!((found.ask_at, found.asked), (sent.ask_at, 0));
        assert!(found.ask_at.is_some() && found.sealed.is_empty());
        assert_eq!((found.tries, found.updated_at), (1, build::START));
    }
    assert!(work.lock_message(build::message_id()).await.unwrap().is_none());
    assert!(work.lock_message_of_provider("provider-3").await.unwrap().is_none());
    assert!(work.lock_message_of_provider("PROVIDER-1").await.unwrap().is_none());
}

/// A question is claimed when it is due, by one at a time, and comes again when its claim runs out.
pub async fn a_question_is_claimed_when_it_is_due_and_by_one(store: Arc<dyn Store>) {
    let due = async |store: &Arc<dyn Store>| {
        store.read().await.unwrap().next_question_due().await.unwrap()
    };
    assert_eq!(due(&store).await, None);
    a_taken_message(&store, "provider-0", false).await;
    assert_eq!(due(&store).await, None, "nobody to be asked");
    let sent = a_taken_message(&store, "provider-1", true).await;
    let at = sent.record().ask_at.unwrap();
    assert_eq!(due(&store).await, Some(at));
    let claim = async |store: &Arc<dyn Store>, until: Timestamp, now: Timestamp| stored!(store, work => { work.claim_questions(10, until, now).await.unwrap() });
    let just_before = Timestamp::from_micros(at.as_micros() - 1);
    assert!(claim(&store, build::after(90), just_before).await.is_empty());
    assert_eq!(ids(&claim(&store, build::after(90), at).await), [sent.id()]);
    assert!(claim(&store, build::after(120), build::after(89)).await.is_empty(), "claimed");
    assert_eq!(due(&store).await, Some(build::after(90)));
    assert_eq!(ids(&claim(&store, build::after(150), build::after(90)).await), [sent.id()]);
}

/// Of many that claim at once, each question goes to one.
pub async fn no_question_is_claimed_by_two_at_once(store: Arc<dyn Store>) {
    for nth in 0..10 {
        a_taken_message(&store, &format!("provider-{nth}"), true).await;
    }
    let claimed = race(4, |_| {
        let store = Arc::clone(&store);
        async move {
            let mut mine = Vec::new();
            for _ in 0..10 {
                let batch = settled!(store, work => {
                    let batch =
                        work.claim_questions(2, build::after(900), build::after(60)).await?;
                    give_way().await;
                    batch
                });
                mine.extend(ids(&batch));
            }
            mine
        }
    })
    .await;
    let all: Vec<MessageId> = claimed.into_iter().flatten().collect();
    assert_eq!(all.len(), 10, "questions claimed");
    assert_eq!(all.into_iter().collect::<HashSet<_>>().len(), 10, "different ones");
}

/// What was reported of a message is stored, with its reason, and nothing else of it changes.
pub async fn a_report_is_stored_with_its_reason(store: Arc<dyn Store>) {
    let verification = a_stored_verification(&store).await;
    insert(&store, &build::a_message(Some(verification), build::START)).await;
    let leased = lease(&store, 1, build::after(60), build::START).await;
    let sent = tried(&leased[0], taken("provider-1", true), build::START);
    assert!(record(&store, &sent, lease_of(&leased[0])).await);
    for reason in DeliveryReason::ALL {
        let report = OutboxRecord {
            status: DeliveryStatus::Bounced,
            reason: Some(reason),
            ask_at: None,
            asked: 3,
            updated_at: build::after(9),
            ..sent.record().clone()
        };
        let reported = OutboxMessage::from_record(report);
        stored!(store, work => { work.update_message(&reported).await.unwrap() });
        let mut view = store.read().await.unwrap();
        let delivery = view.delivery_of_verification(verification).await.unwrap().unwrap();
        assert_eq!((delivery.status, delivery.reason), (DeliveryStatus::Bounced, Some(reason)));
        let found = view.message(sent.id()).await.unwrap().unwrap();
        let found = found.record();
        assert_eq!((found.ask_at, found.asked, found.updated_at), (None, 3, build::after(9)));
        assert_eq!(found.provider_id.as_deref(), Some("provider-1"));
    }
}

/// A report of a message that is under way ends it: its worker records nothing over it.
pub async fn a_report_comes_before_what_its_worker_records(store: Arc<dyn Store>) {
    let message = a_stored_message(&store, build::START).await;
    let leased = lease(&store, 1, build::after(60), build::START).await;
    let report = mapae_domain::outbox::DeliveryReport::Delivered;
    let delivered = leased[0].clone().reported(report, build::after(1)).expect("a change");
    stored!(store, work => { work.update_message(&delivered).await.unwrap() });
    let sent = tried(&leased[0], taken("provider-1", false), build::after(2));
    assert!(!record(&store, &sent, lease_of(&leased[0])).await);
    let found = store.read().await.unwrap().message(message.id()).await.unwrap().unwrap();
    assert_eq!(found.record().status, DeliveryStatus::Delivered);
}

/// Messages are listed by status, latest change first, and page by page.
pub async fn messages_are_listed_by_status_and_latest_change(store: Arc<dyn Store>) {
    let mut failed = Vec::new();
    for nth in 0..5 {
        a_stored_message(&store, build::START).await;
        let leased = lease(&store, 1, build::after(60), build::START).await;
        let refused = SendOutcome::Refused(DeliveryReason::RecipientUnknown);
        let done = tried(&leased[0], refused, build::after(nth));
        assert!(record(&store, &done, lease_of(&leased[0])).await);
        failed.insert(0, done.id());
    }
    a_taken_message(&store, "provider-1", false).await;
    let mut view = store.read().await.unwrap();
    let mut list = async |statuses: &[DeliveryStatus], before, limit| {
        let statuses = statuses.to_vec();
        let filter = OutboxFilter { statuses, before, limit };
        ids(&view.messages(&filter).await.unwrap())
    };
    let dead = [DeliveryStatus::Failed, DeliveryStatus::Bounced];
    assert_eq!(list(&dead, None, 2).await, failed[..2]);
    assert_eq!(list(&dead, Some(build::after(3)), 10).await, failed[2..]);
    assert_eq!(list(&[DeliveryStatus::Sent], None, 10).await.len(), 1);
    assert!(list(&[DeliveryStatus::Expired], None, 10).await.is_empty());
    assert!(list(&[], None, 10).await.is_empty());
}

/// What waits is counted by channel, with since when; what is done is not.
pub async fn what_waits_is_counted_with_since_when(store: Arc<dyn Store>) {
    let depth = async |channel| {
        let mut view = store.read().await.unwrap();
        let depth = view.outbox_depth(channel).await.unwrap();
        (depth.queued, depth.oldest)
    };
    for channel in Channel::ALL {
        assert_eq!(depth(channel).await, (0, None));
    }
    let queued_at = |seconds| {
        let base = build::a_message(None, build::START);
        let record = OutboxRecord { created_at: build::after(seconds), ..base.record().clone() };
        OutboxMessage::from_record(record)
    };
    let done = OutboxRecord {
        status: DeliveryStatus::Sent,
        ..build::a_message(None, build::START).record().clone()
    };
    stored!(store, work => {
        for message in [queued_at(7), queued_at(5), OutboxMessage::from_record(done)] {
            work.insert_message(&message).await.unwrap();
        }
    });
    assert_eq!(depth(Channel::Email).await, (2, Some(build::after(5))));
    assert_eq!(depth(Channel::Sms).await, (0, None));
}
