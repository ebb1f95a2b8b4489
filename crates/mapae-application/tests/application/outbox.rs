use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use mapae_application::Settings;
use mapae_application::outbox::{Route, Worker};
use mapae_application::ports::store::OutboxFilter;
use mapae_application::ports::{
    DeliveryEvent, EmailSender, HashContext, OutgoingEmail, SecretHasher, SendError, SendReceipt,
    SmsSender, Store as _,
};
use mapae_application::registration::Register;
use mapae_application::verification::VerificationView;
use mapae_domain::outbox::DeliveryReport;
use mapae_domain::{
    Channel, Deliverability, Delivery, DeliveryReason, DeliveryStatus, EmailAddress, MessageId,
    RegistrationPolicy, VerificationId,
};

use mapae_testkit::fake::{MemoryStore, RecordingEmailSender, SetClock};

use crate::{World, by_email, email, phone};

impl World {
    async fn delivery(&self, id: VerificationId) -> Delivery {
        self.application.verification(id).await.expect("it is there").delivery
    }

    async fn status(&self, id: VerificationId) -> DeliveryStatus {
        self.delivery(id).await.status
    }

    /// A verification by mail of a caller's own.
    async fn mail_to(&self, address: &str) -> VerificationView {
        self.begin("own", &email(address)).await
    }

    /// Lets the second sender fail as the first does.
    fn fail_both(&self, times: usize, error: &SendError) {
        self.emails.fail_with(times, error);
        self.second.fail_with(times, error);
    }
}

fn address(typed: &str) -> EmailAddress {
    EmailAddress::parse(typed).expect("an address")
}

fn temporary() -> SendError {
    SendError::Temporary("told to fail".to_owned())
}

fn throttled(seconds: u64) -> SendError {
    SendError::Throttled { retry_after: Duration::from_secs(seconds), why: "told to".to_owned() }
}

#[tokio::test]
async fn a_message_that_fails_for_a_while_is_sent_with_the_same_code() {
    let world = World::new();
    let contact = email("minji@example.com");
    world.fail_both(2, &temporary());
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
async fn a_message_that_can_never_be_sent_is_not_tried_again_by_anybody() {
    let world = World::new();
    world.emails.fail_permanently(1);
    let begun = world.mail_to("minji@example.com").await;
    world.deliver().await;
    world.wait(600);
    world.deliver().await;
    assert_eq!((world.emails.calls(), world.second.calls()), (1, 0));
    let delivery = world.delivery(begun.id).await;
    assert_eq!(delivery.status, DeliveryStatus::Failed);
    assert_eq!(delivery.reason, Some(DeliveryReason::RecipientUnknown));
}

#[tokio::test]
async fn a_message_whose_code_has_expired_is_dropped() {
    let world = World::new();
    let begun = world.mail_to("minji@example.com").await;
    world.wait(30 * 60);
    world.deliver().await;
    assert_eq!(world.emails.calls(), 0);
    assert_eq!(world.status(begun.id).await, DeliveryStatus::Expired);
}

#[tokio::test]
async fn one_bad_message_holds_up_nobody() {
    let world = World::new();
    world.fail_both(1, &temporary());
    for nth in 0..40 {
        world.mail_to(&format!("minji{nth}@example.com")).await;
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
    let begun = world.mail_to("minji@example.com").await;
    // Leased and sent by a worker that is gone before it has stored that.
    let mut work = world.store.begin().await.expect("a unit of work");
    let now = world.application.now();
    let lease = now.plus(Duration::from_secs(60));
    let leased = work.lease_messages(Channel::Email, 10, lease, now).await.expect("a lease");
    assert_eq!(leased.len(), 1);
    work.commit().await.expect("a commit");
    world.deliver().await;
    assert_eq!(world.emails.calls(), 0, "the lease still holds");
    world.wait(60);
    world.deliver().await;
    assert_eq!(world.emails.calls(), 1);
    assert_eq!(world.status(begun.id).await, DeliveryStatus::Sent);
}

#[tokio::test]
async fn the_next_sender_takes_what_the_first_cannot_now() {
    for error in [
        temporary(),
        SendError::Deferred("told to".to_owned()),
        SendError::Unanswered("told to".to_owned()),
        SendError::Broken("told to".to_owned()),
        SendError::Unsuited("told to"),
        throttled(60),
    ] {
        let world = World::new();
        world.emails.fail_with(1, &error);
        let begun = world.mail_to("minji@example.com").await;
        world.deliver().await;
        assert_eq!((world.emails.sent().len(), world.second.sent().len()), (0, 1), "{error:?}");
        assert_eq!(world.status(begun.id).await, DeliveryStatus::Sent, "{error:?}");
    }
}

#[tokio::test]
async fn a_sender_that_fails_in_a_row_is_left_alone_and_tried_again_with_one_message() {
    let world = World::new();
    world.emails.fail_with(1_000, &temporary());
    for nth in 0..40 {
        world.mail_to(&format!("minji{nth}@example.com")).await;
    }
    world.deliver().await;
    assert!(world.emails.calls() <= 10, "{} calls", world.emails.calls());
    assert_eq!(world.second.sent().len(), 40, "nobody waits for it");
    let before = world.emails.calls();
    world.wait(5);
    for nth in 0..40 {
        world.mail_to(&format!("jihun{nth}@example.com")).await;
    }
    world.deliver().await;
    assert_eq!(world.emails.calls(), before + 1, "one probe");
    assert_eq!(world.second.sent().len(), 80);
}

#[tokio::test]
async fn a_sender_that_is_left_alone_is_not_taken_back_by_a_message_that_is_none_for_it() {
    let world = World::new();
    world.emails.fail_with(5, &temporary());
    world.emails.fail_with(1, &SendError::Unsuited("told to"));
    world.emails.fail_with(1_000, &temporary());
    for nth in 0..10 {
        world.mail_to(&format!("minji{nth}@example.com")).await;
    }
    world.deliver().await;
    let before = world.emails.calls();
    assert_eq!(before, 5);
    world.wait(5);
    for nth in 0..20 {
        world.mail_to(&format!("jihun{nth}@example.com")).await;
    }
    world.deliver().await;
    assert_eq!(world.emails.calls(), before + 2, "the message that is none for it, and a probe");
    assert_eq!(world.second.sent().len(), 30);
}

#[tokio::test]
async fn a_quota_that_is_used_up_for_minutes_costs_no_try_and_no_message() {
    let world = World::new();
    let mut begun = Vec::new();
    for nth in 0..40 {
        begun.push(world.mail_to(&format!("minji{nth}@example.com")).await);
    }
    // Twenty minutes of it: at eight tries a message would be given up after ten.
    world.fail_both(1_000, &throttled(60));
    for _ in 0..20 {
        world.deliver().await;
        world.wait(61);
    }
    let calls = world.emails.calls();
    assert!(calls <= 8 + 20, "{calls} calls in twenty minutes");
    world.emails.succeed();
    world.second.succeed();
    for _ in 0..4 {
        world.wait(61);
        world.deliver().await;
    }
    assert_eq!(world.emails.sent().len() + world.second.sent().len(), 40);
    for verification in begun {
        assert_eq!(world.status(verification.id).await, DeliveryStatus::Sent);
    }
}

#[tokio::test]
async fn a_sender_that_has_to_be_mended_costs_no_try() {
    let world = World::new();
    world.fail_both(1_000, &SendError::Broken("told to".to_owned()));
    let begun = world.mail_to("minji@example.com").await;
    for _ in 0..12 {
        world.deliver().await;
        world.wait(62);
    }
    assert_eq!(world.status(begun.id).await, DeliveryStatus::Queued);
    world.emails.succeed();
    world.deliver().await;
    assert_eq!(world.status(begun.id).await, DeliveryStatus::Sent);
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_once_more_and_then_left() {
    let world = World::new();
    world.fail_both(1_000, &SendError::Unanswered("told to".to_owned()));
    let begun = world.mail_to("minji@example.com").await;
    for _ in 0..6 {
        world.deliver().await;
        world.wait(60);
    }
    let delivery = world.delivery(begun.id).await;
    assert_eq!(delivery.status, DeliveryStatus::Sent);
    assert_eq!(delivery.reason, Some(DeliveryReason::Unconfirmed));
    assert_eq!((world.emails.calls(), world.second.calls()), (1, 1), "two in all");
    // Where another sender is certain to have taken nothing, the first is asked once more.
    let world = World::new();
    world.emails.fail_with(1_000, &SendError::Unanswered("told to".to_owned()));
    world.second.fail_with(1_000, &temporary());
    let begun = world.mail_to("minji@example.com").await;
    for _ in 0..6 {
        world.deliver().await;
        world.wait(60);
    }
    assert_eq!(world.delivery(begun.id).await.reason, Some(DeliveryReason::Unconfirmed));
    assert_eq!((world.emails.calls(), world.second.calls()), (2, 1));
}

#[tokio::test]
async fn what_became_of_a_message_is_asked_until_it_is_known() {
    let world = World::new();
    world.texts.answer_questions();
    let begun = world.begin("own", &phone("010-1234-5678")).await;
    world.deliver().await;
    assert_eq!(world.status(begun.id).await, DeliveryStatus::Sent);
    world.texts.report(Ok(None));
    world.texts.report(Err(temporary()));
    world.texts.report(Ok(Some(DeliveryReport::Failed(DeliveryReason::RecipientFull))));
    for (wait, expected) in
        [(3, DeliveryStatus::Sent), (6, DeliveryStatus::Sent), (12, DeliveryStatus::Failed)]
    {
        world.wait(wait);
        world.deliver().await;
        assert_eq!(world.status(begun.id).await, expected, "after {wait} s more");
    }
    assert_eq!(world.delivery(begun.id).await.reason, Some(DeliveryReason::RecipientFull));
    // And not after that.
    world.texts.report(Ok(Some(DeliveryReport::Delivered)));
    world.wait(100);
    world.deliver().await;
    assert_eq!(world.status(begun.id).await, DeliveryStatus::Failed);
}

#[tokio::test]
async fn once_the_short_messages_of_the_day_are_used_up_no_provider_is_called() {
    let mut world = World::new();
    let worker = Arc::get_mut(&mut world.worker).expect("nobody else has it");
    worker.settings.sms_daily_limit = Some(3);
    for nth in 0..5 {
        world.begin("own", &phone(&format!("010-4000-000{nth}"))).await;
    }
    let mail = world.mail_to("minji@example.com").await;
    world.deliver().await;
    assert_eq!(world.texts.calls(), 3);
    assert_eq!(world.status(mail.id).await, DeliveryStatus::Sent, "mail is another thing");
    world.wait(240);
    world.deliver().await;
    assert_eq!(world.texts.calls(), 3);
    world.wait(86_400);
    world.begin("own", &phone("010-4000-0009")).await;
    world.deliver().await;
    assert_eq!(world.texts.calls(), 4, "the day after");
}

/// Whoever has an account is not known by what becomes of a message that is not sent.
#[tokio::test]
async fn a_message_that_is_none_waits_for_another_day_as_one_that_is_paid_for() {
    let registration =
        RegistrationPolicy { require_phone: true, require_email: false, ..Default::default() };
    let mut world = World::with(Settings { registration, ..Default::default() });
    let holder = phone("010-4000-0001");
    let sign_up =
        Register { email: None, phone: Some("010-4000-0001".to_owned()), ..by_email("x") };
    let begun = world.register(sign_up).await.expect("a sign-up");
    let code = world.code_to(&holder).await;
    world.check(begun.verifications[0].id, &code).await.expect("the right code");
    world.deliver().await;
    let worker = Arc::get_mut(&mut world.worker).expect("nobody else has it");
    worker.settings.sms_daily_limit = Some(1);
    world.wait(60);
    world.begin("own", &phone("010-4000-0002")).await;
    world.deliver().await;
    let mut seen = Vec::new();
    for contact in [&holder, &phone("010-4000-0003")] {
        let begun = world.begin("login", contact).await;
        world.deliver().await;
        let waiting = world.status(begun.id).await;
        world.wait(3_600);
        world.deliver().await;
        seen.push((waiting, world.status(begun.id).await));
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0].0, DeliveryStatus::Expired, "a code is worth nothing by then");
    // What was none has not counted.
    world.wait(86_400);
    world.begin("own", &phone("010-4000-0004")).await;
    let before = world.texts.calls();
    world.deliver().await;
    assert_eq!(world.texts.calls(), before + 1);
}

/// Takes whatever comes under a name, and says how many ask about it at once.
struct Asked {
    provider_id: String,
    now: AtomicUsize,
    most: AtomicUsize,
    all: AtomicUsize,
}

#[async_trait]
impl EmailSender for Asked {
    async fn send(&self, _: &OutgoingEmail) -> Result<SendReceipt, SendError> {
        Ok(SendReceipt { provider_id: Some(self.provider_id.clone()), ask: true })
    }

    async fn outcome(&self, _: &str) -> Result<Option<DeliveryReport>, SendError> {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        self.all.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(20)).await;
        self.now.fetch_sub(1, Ordering::SeqCst);
        Ok(Some(DeliveryReport::Delivered))
    }
}

impl Asked {
    fn by_the_name(provider_id: String) -> Arc<Self> {
        let (now, most, all) = <(AtomicUsize, AtomicUsize, AtomicUsize)>::default();
        Arc::new(Self { provider_id, now, most, all })
    }
}

#[tokio::test]
async fn however_many_are_to_be_asked_about_a_provider_is_asked_a_few_times_at_once() {
    let world = World::new();
    let sender = Asked::by_the_name("name".to_owned());
    let worker = Arc::new(world.worker_by(sender.clone()));
    for nth in 0..100 {
        world.mail_to(&format!("minji{nth}@example.com")).await;
    }
    worker.run_once().await.expect("the outbox");
    world.wait(60);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let worker = Arc::into_inner(worker).expect("nobody else has it");
    let running = tokio::spawn(worker.run(async { drop(stopped.await) }));
    while sender.all.load(Ordering::SeqCst) < 100 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    drop(stop);
    running.await.expect("an end");
    assert_eq!(sender.most.load(Ordering::SeqCst), 16);
}

#[tokio::test]
async fn a_providers_name_that_no_database_keeps_costs_the_name_and_not_the_outcome() {
    for name in ["n".repeat(256), "n\0".to_owned()] {
        let world = World::new();
        let sender = Asked::by_the_name(name);
        let worker = Arc::new(world.worker_by(sender.clone()));
        let begun = world.mail_to("minji@example.com").await;
        worker.run_once().await.expect("the outbox");
        assert_eq!(world.status(begun.id).await, DeliveryStatus::Sent);
        let filter = OutboxFilter { statuses: vec![DeliveryStatus::Sent], before: None, limit: 1 };
        let kept = world.store.read().await.expect("a view").messages(&filter).await;
        assert_eq!(kept.expect("an answer")[0].record().provider_id, None);
    }
}

/// Hashes as slowly as a database that makes everybody wait.
struct Slow {
    secrets: Arc<dyn SecretHasher>,
    clock: SetClock,
    seconds: u64,
}

impl SecretHasher for Slow {
    fn hash(&self, context: HashContext, parts: &[&[u8]]) -> mapae_domain::SecretHash {
        self.clock.advance(Duration::from_secs(self.seconds));
        self.secrets.hash(context, parts)
    }
}

impl World {
    /// A worker whose database takes so long before each message is handed over.
    fn worker_slowed_by(&self, seconds: u64) -> Arc<Worker> {
        let (secrets, clock) = (Arc::clone(&self.worker.secrets), self.clock.clone());
        let worker = self.worker_by(Arc::new(self.emails.clone()));
        let sms = Route::new(vec![("first", Arc::new(self.texts.clone()) as Arc<dyn SmsSender>)]);
        Arc::new(Worker { secrets: Arc::new(Slow { secrets, clock, seconds }), sms, ..worker })
    }
}

#[tokio::test]
async fn what_is_not_leased_for_as_long_as_a_send_takes_is_not_handed_over() {
    // A lease holds for 60 seconds, and a send takes 15.
    for (seconds, calls) in [(0, 1), (45, 1), (46, 0), (60, 0), (120, 0)] {
        let world = World::new();
        let begun = world.mail_to("minji@example.com").await;
        world.worker_slowed_by(seconds).run_once().await.expect("the outbox");
        assert_eq!(world.emails.calls(), calls, "{seconds}: another may have it before it is sent");
        // What was given back is sent by whoever is quick enough.
        world.wait(5);
        world.deliver().await;
        assert_eq!(world.status(begun.id).await, DeliveryStatus::Sent);
        assert_eq!(world.emails.calls(), 1);
    }
}

#[tokio::test]
async fn a_short_message_that_is_given_back_does_not_count_against_the_days() {
    let mut world = World::new();
    let worker = Arc::get_mut(&mut world.worker).expect("nobody else has it");
    worker.settings.sms_daily_limit = Some(1);
    let begun = world.begin("own", &phone("010-4000-0001")).await;
    world.worker_slowed_by(50).run_once().await.expect("the outbox");
    assert_eq!(world.texts.calls(), 0);
    world.wait(5);
    world.deliver().await;
    assert_eq!(world.status(begun.id).await, DeliveryStatus::Sent);
    assert_eq!(world.texts.calls(), 1);
}

/// The message of a verification.
async fn message_of(world: &World) -> MessageId {
    world.emails.sent().last().expect("a mail").id
}

fn bounce(message: MessageId, id: &str, to: &str) -> DeliveryEvent {
    DeliveryEvent {
        id: id.to_owned(),
        message: Some(message),
        provider_id: None,
        report: Some(DeliveryReport::Bounced(DeliveryReason::RecipientUnknown)),
        marks: vec![(address(to), Deliverability::Bounced)],
    }
}

impl World {
    async fn report(&self, event: DeliveryEvent) {
        self.events.0.lock().expect("the events").push(event);
        self.application.take_delivery_event(b"as the provider wrote it").await.expect("taken");
    }

    async fn mark_of(&self, typed: &str) -> Deliverability {
        self.application.deliverability(&address(typed)).await.expect("an answer")
    }
}

#[tokio::test]
async fn a_bounce_is_seen_where_people_look_and_ends_what_is_sent_there() {
    let world = World::new();
    let begun = world.mail_to("minji@example.com").await;
    world.deliver().await;
    world.report(bounce(message_of(&world).await, "event-1", "Minji@Example.com")).await;
    let delivery = world.delivery(begun.id).await;
    assert_eq!(delivery.status, DeliveryStatus::Bounced);
    assert_eq!(delivery.reason, Some(DeliveryReason::RecipientUnknown));
    assert_eq!(world.mark_of("minji@example.com").await, Deliverability::Bounced);
    // The next one is not handed to anybody.
    let calls = world.emails.calls();
    let next = world.mail_to("minji@example.com").await;
    world.deliver().await;
    assert_eq!((world.emails.calls(), world.second.calls()), (calls, 0));
    let delivery = world.delivery(next.id).await;
    assert_eq!(delivery.status, DeliveryStatus::Failed);
    assert_eq!(delivery.reason, Some(DeliveryReason::AddressBounced));
    // Until an operator clears it; and what was reported before does not come back.
    world.application.clear_address(&address("minji@example.com")).await.expect("cleared");
    let message = message_of(&world).await;
    world.report(bounce(message, "event-1", "minji@example.com")).await;
    assert_eq!(world.mark_of("minji@example.com").await, Deliverability::Deliverable);
    let last = world.mail_to("minji@example.com").await;
    world.deliver().await;
    assert_eq!(world.status(last.id).await, DeliveryStatus::Sent);
}

#[tokio::test]
async fn reports_come_in_any_order_and_more_than_once() {
    let delivered = |message| DeliveryEvent {
        report: Some(DeliveryReport::Delivered),
        marks: Vec::new(),
        ..bounce(message, "event-delivered", "minji@example.com")
    };
    let bounced = |message| bounce(message, "event-bounced", "minji@example.com");
    for bounced_first in [true, false] {
        let world = World::new();
        let begun = world.mail_to("minji@example.com").await;
        world.deliver().await;
        let message = message_of(&world).await;
        let events = [bounced(message), delivered(message)];
        let order: Vec<usize> = if bounced_first { vec![0, 1, 0] } else { vec![1, 0, 1] };
        for nth in order {
            world.report(events[nth].clone()).await;
        }
        assert_eq!(world.status(begun.id).await, DeliveryStatus::Bounced);
    }
}

#[tokio::test]
async fn a_complaint_marks_the_address_and_leaves_the_delivery() {
    let world = World::new();
    let begun = world.mail_to("minji@example.com").await;
    world.deliver().await;
    let message = message_of(&world).await;
    let marks = vec![(address("minji@example.com"), Deliverability::Complained)];
    world
        .report(DeliveryEvent { report: None, marks, ..bounce(message, "e", "x@y.example") })
        .await;
    assert_eq!(world.status(begun.id).await, DeliveryStatus::Sent);
    let next = world.mail_to("minji@example.com").await;
    world.deliver().await;
    assert_eq!(world.delivery(next.id).await.reason, Some(DeliveryReason::AddressComplained));
}

#[tokio::test]
async fn a_report_about_somebody_elses_message_changes_nothing() {
    let world = World::new();
    let foreign = mapae_testkit::build::message_id();
    world.report(bounce(foreign, "event-1", "minji@example.com")).await;
    let by_provider = DeliveryEvent {
        message: None,
        provider_id: Some("not-ours".to_owned()),
        ..bounce(foreign, "event-2", "minji@example.com")
    };
    world.report(by_provider).await;
    assert_eq!(world.mark_of("minji@example.com").await, Deliverability::Deliverable);
}

#[tokio::test]
async fn a_report_finds_its_message_by_the_providers_name_too() {
    let world = World::new();
    let begun = world.mail_to("minji@example.com").await;
    world.deliver().await;
    let provider_id = Some(format!("recorded-{}", message_of(&world).await));
    let foreign = mapae_testkit::build::message_id();
    let event =
        DeliveryEvent { message: None, provider_id, ..bounce(foreign, "e", "minji@example.com") };
    world.report(event).await;
    assert_eq!(world.status(begun.id).await, DeliveryStatus::Bounced);
}

#[tokio::test]
async fn nobody_learns_from_a_delivery_whether_an_address_can_log_in() {
    let world = World::new();
    world.user("minji@example.com").await;
    // The account's address bounces, and the message of a stranger is none.
    let contacts = [email("minji@example.com"), email("nobody@example.com")];
    let mut begun = Vec::new();
    for contact in &contacts {
        begun.push(world.begin("login", contact).await);
    }
    world.deliver().await;
    world.report(bounce(message_of(&world).await, "event-1", "minji@example.com")).await;
    let expected = Delivery { status: DeliveryStatus::Sent, reason: None };
    for verification in &begun {
        assert_eq!(world.delivery(verification.id).await, expected);
    }
}

#[tokio::test]
async fn a_message_that_is_none_fares_as_the_others_do() {
    let world = World::new();
    world.user("minji@example.com").await;
    let contacts = [email("minji@example.com"), email("nobody@example.com")];
    // The provider is down: what would be sent waits, and so does what would not.
    world.fail_both(1_000, &temporary());
    for nth in 0..8 {
        world.mail_to(&format!("other{nth}@example.com")).await;
        world.deliver().await;
    }
    let mut begun = Vec::new();
    for contact in &contacts {
        begun.push(world.begin("login", contact).await);
    }
    world.deliver().await;
    for verification in &begun {
        assert_eq!(world.status(verification.id).await, DeliveryStatus::Queued);
    }
    world.emails.succeed();
    world.second.succeed();
    for _ in 0..3 {
        world.wait(70);
        world.deliver().await;
    }
    for verification in &begun {
        assert_eq!(world.status(verification.id).await, DeliveryStatus::Sent);
    }
}

#[tokio::test]
async fn a_message_that_is_none_fails_as_the_last_one_did() {
    let world = World::new();
    // Too few failures for anybody to be left alone.
    world.fail_both(1, &temporary());
    world.mail_to("other@example.com").await;
    world.deliver().await;
    let stranger = world.begin("login", &email("nobody@example.com")).await;
    world.deliver().await;
    assert_eq!(world.status(stranger.id).await, DeliveryStatus::Queued);
    // Once one was taken, so is what comes after it.
    world.wait(5);
    world.deliver().await;
    world.wait(10);
    world.deliver().await;
    assert_eq!(world.status(stranger.id).await, DeliveryStatus::Sent);
    assert_eq!((world.emails.sent().len(), world.second.sent().len()), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_stops_gives_back_what_it_could_not_finish() {
    let world = World::new();
    let begun = world.mail_to("minji@example.com").await;
    world.emails.hang();
    let World { application, store, emails, worker, clock, .. } = world;
    let mut worker: Worker = Arc::into_inner(worker).expect("nobody else has it");
    worker.settings.grace = Duration::from_millis(50);
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let running = tokio::spawn(worker.run(async { drop(stopped.await) }));
    while emails.calls() == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    stop.send(()).expect("the worker runs");
    running.await.expect("it ends");
    // Not under a lease any more: due again after the wait of a first retry, and not a lease later.
    let due = store.read().await.expect("a view").next_message_due(Channel::Email).await;
    let due = due.expect("an answer").expect("a message");
    let now = mapae_application::ports::Clock::now(&clock);
    assert!(now.until(due) <= Duration::from_secs(5), "{:?}", now.until(due));
    let seen = application.verification(begun.id).await.expect("it is there");
    assert_eq!(seen.delivery.status, DeliveryStatus::Queued);
}

/// Takes a mail when little is left of the time that a stop gives, while the database goes away.
struct Late(Outage);

#[async_trait]
impl EmailSender for Late {
    async fn send(&self, email: &OutgoingEmail) -> Result<SendReceipt, SendError> {
        tokio::time::sleep(Duration::from_millis(60)).await;
        self.0.send(email).await
    }
}

#[tokio::test]
async fn what_a_worker_knows_when_it_stops_is_stored_however_little_time_is_left() {
    let world = World::new();
    let begun = world.mail_to("minji@example.com").await;
    let (emails, store) = (world.emails.clone(), world.store.clone());
    let late = Late(Outage { emails, store, is_answer_lost: false });
    let mut worker = world.worker_by(Arc::new(late));
    worker.settings.grace = Duration::from_millis(120);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(worker.run(async { drop(stopped.await) }));
    tokio::time::sleep(Duration::from_millis(20)).await;
    drop(stop);
    running.await.expect("an end");
    assert_eq!(world.emails.calls(), 1);
    assert_eq!(world.status(begun.id).await, DeliveryStatus::Sent);
}

/// Takes a mail, while the database goes away for as many commits.
struct Outage {
    emails: RecordingEmailSender,
    store: MemoryStore,
    is_answer_lost: bool,
}

#[async_trait]
impl EmailSender for Outage {
    async fn send(&self, email: &OutgoingEmail) -> Result<SendReceipt, SendError> {
        if self.is_answer_lost {
            self.store.lose_next_commit_answer();
        } else {
            self.store.fail_next_commit();
            self.store.fail_next_commit();
        }
        self.emails.send(email).await
    }
}

/// What was sent and not stored would be sent again after its lease.
#[tokio::test]
async fn what_was_sent_while_the_database_was_away_for_a_moment_is_sent_once() {
    for is_answer_lost in [false, true] {
        let world = World::new();
        let (emails, store) = (world.emails.clone(), world.store.clone());
        let outage: Arc<dyn EmailSender> = Arc::new(Outage { emails, store, is_answer_lost });
        let worker = Arc::new(world.worker_by(outage));
        let begun = world.mail_to("minji@example.com").await;
        worker.run_once().await.expect("the outbox");
        assert_eq!(world.status(begun.id).await, DeliveryStatus::Sent, "{is_answer_lost}");
        // Long after any lease.
        world.wait(600);
        world.deliver().await;
        assert_eq!(world.emails.sent().len(), 1, "{is_answer_lost}");
    }
}
