//! What SES reports by SNS: genuine envelopes act, and each changed one is refused.
#![expect(clippy::expect_used, reason = "test code: what fails here fails a test")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mapae_application::outbox::Bell;
use mapae_application::ports::{DeliveryEvents as _, EventRefused, Store as _, Untraced};
use mapae_application::{Application, Ports, Settings};
use mapae_domain::outbox::DeliveryReport;
use mapae_domain::{Deliverability, DeliveryReason, DeliveryStatus, MessageId};
use mapae_mail_ses::{SnsEvents, Source};
use mapae_testkit::build;
use mapae_testkit::fake::{
    FakeHasher, FakeSealer, FakeSecretHasher, FakeTokens, MemoryStore, SequenceRng, SetClock,
};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Value, json};

const CERTIFICATE: &[u8] = include_bytes!("sns/certificate.pem");
const KEY: &[u8] = include_bytes!("sns/key.der");
const VERSION_1: &str = include_str!("sns/version1.json");
const TOPIC: &str = "arn:aws:sns:ap-northeast-2:123456789012:mapae";
const CERTIFICATE_URL: &str =
    "https://sns.ap-northeast-2.amazonaws.com/SimpleNotificationService-test.pem";
const SUBSCRIBE_URL: &str =
    "https://sns.ap-northeast-2.amazonaws.com/?Action=ConfirmSubscription&Token=planted";

/// Gives out the test's certificate, and keeps what was asked for.
#[derive(Default)]
struct Fetched {
    urls: Mutex<Vec<String>>,
    fails: AtomicUsize,
}

#[async_trait]
impl Source for Fetched {
    async fn get(&self, url: &str) -> Result<Vec<u8>, String> {
        self.urls.lock().expect("the urls").push(url.to_owned());
        let fails =
            self.fails.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
        if fails.is_ok() { Err("told to fail".to_owned()) } else { Ok(CERTIFICATE.to_vec()) }
    }
}

impl Fetched {
    fn urls(&self) -> Vec<String> {
        self.urls.lock().expect("the urls").clone()
    }
}

fn events() -> (SnsEvents, Arc<Fetched>, SetClock) {
    let (source, clock) = (Arc::new(Fetched::default()), SetClock::at(build::START));
    let events = SnsEvents::new(vec![TOPIC.to_owned()], source.clone(), Arc::new(clock.clone()));
    (events, source, clock)
}

fn sign(mut envelope: Value) -> Value {
    let names: &[&str] = match envelope["Type"].as_str() {
        Some("Notification") => {
            &["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]
        }
        _ => &["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"],
    };
    let lines = names.iter().filter_map(|name| Some((name, envelope[*name].as_str()?)));
    let signed: String = lines.map(|(name, value)| format!("{name}\n{value}\n")).collect();
    let key = RsaKeyPair::from_pkcs8(KEY).expect("a key");
    let mut signature = vec![0; key.public().modulus_len()];
    #[expect(clippy::disallowed_methods, reason = "PKCS #1 v1.5 draws nothing; ring asks for it")]
    let random = SystemRandom::new();
    key.sign(&RSA_PKCS1_SHA256, &random, signed.as_bytes(), &mut signature).expect("a signature");
    envelope["Signature"] = json!(STANDARD.encode(signature));
    envelope
}

fn envelope(message: &Value) -> Value {
    json!({
        "Type": "Notification",
        "MessageId": "165545c9-2a5c-472c-8df2-7ff2be2b3b1b",
        "TopicArn": TOPIC,
        "Subject": "Amazon SES Email Event Notification",
        "Message": message.to_string(),
        "Timestamp": "2027-01-15T07:59:30.123Z",
        "SignatureVersion": "2",
        "SigningCertURL": CERTIFICATE_URL,
        "UnsubscribeURL": "https://sns.ap-northeast-2.amazonaws.com/?Action=Unsubscribe",
    })
}

fn delivery() -> Value {
    json!({"eventType": "Delivery", "mail": {"messageId": "ses-1"}, "delivery": {}})
}

fn bytes(envelope: &Value) -> Vec<u8> {
    envelope.to_string().into_bytes()
}

#[tokio::test]
async fn a_genuine_envelope_of_either_version_is_read() {
    let (events, source, _) = events();
    let second = bytes(&sign(envelope(&delivery())));
    for report in [VERSION_1.as_bytes(), &second] {
        let event = events.read(report).await.expect("genuine").expect("an event");
        assert_eq!(event.report, Some(DeliveryReport::Delivered));
        assert!(event.provider_id.is_some_and(|id| id.starts_with("ses-")));
    }
    assert_eq!(source.urls(), [CERTIFICATE_URL], "one certificate serves both");
}

#[tokio::test]
async fn each_changed_field_is_refused() {
    let first: Value = serde_json::from_str(VERSION_1).expect("JSON");
    for genuine in [first, sign(envelope(&delivery()))] {
        let (events, _, _) = events();
        events.read(&bytes(&genuine)).await.expect("genuine");
        for (name, other) in [
            ("Type", "SubscriptionConfirmation"),
            ("Type", "UnsubscribeConfirmation"),
            ("Type", "Other"),
            ("MessageId", "165545c9-2a5c-472c-8df2-7ff2be2b3b1c"),
            ("TopicArn", "arn:aws:sns:ap-northeast-2:999999999999:mapae"),
            ("Subject", "Another subject"),
            ("Message", r#"{"eventType":"Bounce","mail":{"messageId":"ses-1"}}"#),
            ("Timestamp", "2027-01-15T07:59:31.123Z"),
            ("SignatureVersion", "3"),
            ("SignatureVersion", ""),
            ("Signature", ""),
            ("Signature", "AAAA"),
            ("SigningCertURL", "https://evil.example/x.pem"),
            ("SigningCertURL", "http://sns.ap-northeast-2.amazonaws.com/x.pem"),
            ("SigningCertURL", "https://sns.ap-northeast-2.amazonaws.com/x.pem?y"),
            ("SigningCertURL", "https://sns.ap-northeast-2.amazonaws.com/x.txt"),
        ] {
            let mut changed = genuine.clone();
            changed[name] = json!(other);
            assert!(events.read(&bytes(&changed)).await.is_err(), "{name} = {other}");
        }
        // The other version's hash, over the same words.
        let mut changed = genuine.clone();
        changed["SignatureVersion"] =
            json!(if genuine["SignatureVersion"] == "1" { "2" } else { "1" });
        assert!(events.read(&bytes(&changed)).await.is_err(), "the other version");
        for name in ["Subject", "Message", "Timestamp", "Signature", "SigningCertURL", "TopicArn"] {
            let mut changed = genuine.clone();
            changed.as_object_mut().expect("an object").remove(name);
            assert!(events.read(&bytes(&changed)).await.is_err(), "without {name}");
        }
        let twice = genuine.to_string().replacen('{', "{\"Message\":\"{}\",", 1);
        assert!(events.read(twice.as_bytes()).await.is_err(), "a member that comes twice");
    }
}

#[tokio::test]
async fn nothing_is_fetched_for_what_is_not_ours() {
    let (events, source, _) = events();
    let mut foreign = envelope(&delivery());
    foreign["TopicArn"] = json!("arn:aws:sns:ap-northeast-2:999999999999:other");
    let mut elsewhere = envelope(&delivery());
    elsewhere["SigningCertURL"] = json!("https://169.254.169.254/x.pem");
    for report in [sign(foreign), sign(elsewhere), json!({}), json!("x"), json!(null)] {
        assert!(events.read(&bytes(&report)).await.is_err(), "{report}");
    }
    assert!(events.read(b"").await.is_err() && events.read(b"\xff{").await.is_err());
    assert!(source.urls().is_empty(), "{:?}", source.urls());
}

#[tokio::test]
async fn an_old_envelope_and_one_from_the_future_are_refused() {
    let report = bytes(&sign(envelope(&delivery())));
    for (seconds, good) in [(0, true), (3_500, true), (3_600, false), (86_400, false)] {
        let (events, _, clock) = events();
        clock.advance(Duration::from_secs(seconds));
        assert_eq!(events.read(&report).await.is_ok(), good, "after {seconds} s");
    }
    let (events, _, clock) = events();
    clock.set(build::START.minus(Duration::from_secs(600)));
    assert!(events.read(&report).await.is_err(), "ten minutes ahead");
    // And where the certificate is not good any more.
    clock.set(build::timestamp(3_000_000_000));
    let mut late = envelope(&delivery());
    late["Timestamp"] = json!("2065-01-24T05:20:00.000Z");
    let refused = events.read(&bytes(&sign(late))).await;
    assert_eq!(refused, Err(EventRefused::NotGenuine("its certificate is not good now")));
}

#[tokio::test]
async fn a_certificate_that_cannot_be_had_is_asked_for_again() {
    let (events, source, _) = events();
    source.fails.store(1, Ordering::SeqCst);
    let report = bytes(&sign(envelope(&delivery())));
    let refused = events.read(&report).await;
    assert!(matches!(refused, Err(EventRefused::Unavailable(_))), "{refused:?}");
    assert!(events.read(&report).await.is_ok());
}

#[tokio::test]
async fn a_subscription_is_confirmed_once_it_is_known_to_be_genuine() {
    let subscription = |url: &str| {
        json!({
            "Type": "SubscriptionConfirmation",
            "MessageId": "165545c9-2a5c-472c-8df2-7ff2be2b3b1b",
            "Token": "planted", "TopicArn": TOPIC, "Message": "You have chosen to subscribe",
            "SubscribeURL": url, "Timestamp": "2027-01-15T07:59:30.123Z",
            "SignatureVersion": "2", "SigningCertURL": CERTIFICATE_URL,
        })
    };
    let (events, source, _) = events();
    let genuine = sign(subscription(SUBSCRIBE_URL));
    let mut forged = genuine.clone();
    forged["SubscribeURL"] = json!("https://sns.us-east-1.amazonaws.com/?Token=other");
    assert!(events.read(&bytes(&forged)).await.is_err());
    let elsewhere = sign(subscription("https://evil.example/"));
    assert!(events.read(&bytes(&elsewhere)).await.is_err());
    assert_eq!(source.urls(), [CERTIFICATE_URL]);
    assert_eq!(events.read(&bytes(&genuine)).await, Ok(None));
    assert_eq!(source.urls(), [CERTIFICATE_URL, SUBSCRIBE_URL]);
}

/// What SES says, and what it means.
#[tokio::test]
async fn every_kind_of_event_means_something() {
    let ours = build::message_id();
    let mail = json!({"messageId": "ses-1", "tags": {"mapae_message": [ours.to_string()]}});
    let bounce = |kind: &str, sub: &str| {
        let recipients =
            json!([{"emailAddress": "Minji <Minji@Example.com>"}, {"emailAddress": "x"}]);
        let bounce =
            json!({"bounceType": kind, "bounceSubType": sub, "bouncedRecipients": recipients});
        json!({"eventType": "Bounce", "mail": mail, "bounce": bounce})
    };
    let bounced = |reason| Some(DeliveryReport::Bounced(reason));
    let complaint = json!({"eventType": "Complaint", "mail": mail,
        "complaint": {"complainedRecipients": [{"emailAddress": "minji@example.com"}]}});
    let simple = |kind: &str| json!({"eventType": kind, "mail": mail});
    let failed = Some(DeliveryReport::Failed(DeliveryReason::ContentRefused));
    let (dead, unwanted) = (Some(Deliverability::Bounced), Some(Deliverability::Complained));
    for (message, report, mark) in [
        (bounce("Permanent", "General"), bounced(DeliveryReason::RecipientUnknown), dead),
        (bounce("Permanent", "NoEmail"), bounced(DeliveryReason::RecipientUnknown), dead),
        (bounce("Permanent", "Suppressed"), bounced(DeliveryReason::AddressBounced), dead),
        (
            bounce("Permanent", "OnAccountSuppressionList"),
            bounced(DeliveryReason::AddressBounced),
            dead,
        ),
        (bounce("Transient", "MailboxFull"), bounced(DeliveryReason::RecipientFull), None),
        (bounce("Transient", "ContentRejected"), bounced(DeliveryReason::ContentRefused), None),
        (bounce("Transient", "General"), bounced(DeliveryReason::Unknown), None),
        (bounce("Undetermined", "Undetermined"), bounced(DeliveryReason::Unknown), None),
        (complaint, None, unwanted),
        (simple("Reject"), failed, None),
        (simple("Rendering Failure"), failed, None),
        (simple("Delivery"), Some(DeliveryReport::Delivered), None),
    ] {
        let (events, _, _) = events();
        let read = events.read(&bytes(&sign(envelope(&message)))).await.expect("genuine");
        let event = read.unwrap_or_else(|| panic!("nothing in {message}"));
        assert_eq!(event.message, Some(ours), "{message}");
        assert_eq!(event.report, report, "{message}");
        let marks: Vec<_> = event
            .marks
            .iter()
            .map(|(address, mark)| (address.as_str().to_owned(), *mark))
            .collect();
        let expected: Vec<_> =
            mark.into_iter().map(|mark| ("minji@example.com".to_owned(), mark)).collect();
        assert_eq!(marks, expected, "{message}");
    }
    for message in [simple("Send"), simple("Open"), simple("Click"), simple("DeliveryDelay")] {
        let (events, _, _) = events();
        assert_eq!(events.read(&bytes(&sign(envelope(&message)))).await, Ok(None), "{message}");
    }
    let strange = json!({"eventType": "Delivery", "mail": {"tags": {"mapae_message": ["x"]}}});
    let (events, _, _) = events();
    let event = events.read(&bytes(&sign(envelope(&strange)))).await.expect("genuine");
    assert_eq!(event.map(|event| event.message), Some(None::<MessageId>));
}

/// An application on fakes that takes what SNS reports.
fn application(store: &MemoryStore) -> (Application, SetClock) {
    let (events, _, clock) = events();
    let ports = Ports {
        store: Arc::new(store.clone()),
        clock: Arc::new(clock.clone()),
        rng: Arc::new(SequenceRng::new(7)),
        passwords: Arc::new(FakeHasher::new()),
        tokens: Arc::new(FakeTokens::new([1; 32])),
        simplejwt: None,
        secrets: Arc::new(FakeSecretHasher::new([2; 32])),
        sealer: Arc::new(FakeSealer::new([3; 32])),
        delivery_events: Some(Arc::new(events)),
        traces: Arc::new(Untraced),
    };
    (Application::new(ports, Settings::default(), Bell::default()), clock)
}

#[tokio::test]
async fn a_genuine_report_acts_and_each_changed_one_does_nothing() {
    let store = MemoryStore::new();
    let (application, _) = application(&store);
    let message = build::a_message(None, build::START);
    let mut work = store.begin().await.expect("a unit of work");
    work.insert_message(&message).await.expect("a message");
    work.commit().await.expect("a commit");
    let status = async || {
        let found = store.read().await.expect("a view").message(message.id()).await;
        found.expect("an answer").expect("the message").record().status
    };
    let minji = build::email("minji@example.com");
    let report = json!({
        "eventType": "Bounce",
        "mail": {"messageId": "ses-1", "tags": {"mapae_message": [message.id().to_string()]}},
        "bounce": {"bounceType": "Permanent", "bounceSubType": "NoEmail",
            "bouncedRecipients": [{"emailAddress": "minji@example.com"}]},
    });
    let genuine = sign(envelope(&report));
    for name in ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type", "Signature"] {
        let mut changed = genuine.clone();
        let value = changed[name].as_str().expect("text").replacen(['1', 'N', 'A'], "2", 1);
        assert_ne!(changed[name], json!(value), "{name}");
        changed[name] = json!(value);
        assert!(application.take_delivery_event(&bytes(&changed)).await.is_err(), "{name}");
        assert_eq!(status().await, DeliveryStatus::Queued, "{name}");
        let known = application.deliverability(&minji).await.expect("an answer");
        assert_eq!(known, Deliverability::Deliverable, "{name}");
    }
    for _ in 0..2 {
        application.take_delivery_event(&bytes(&genuine)).await.expect("taken");
        assert_eq!(status().await, DeliveryStatus::Bounced);
        let known = application.deliverability(&minji).await.expect("an answer");
        assert_eq!(known, Deliverability::Bounced);
    }
}

/// Never answers.
struct Silent(AtomicUsize);

#[async_trait]
impl Source for Silent {
    async fn get(&self, _: &str) -> Result<Vec<u8>, String> {
        self.0.fetch_add(1, Ordering::SeqCst);
        std::future::pending().await
    }
}

#[tokio::test]
async fn forged_envelopes_have_few_certificates_fetched_at_once() {
    let source = Arc::new(Silent(AtomicUsize::new(0)));
    let clock = Arc::new(SetClock::at(build::START));
    let events = SnsEvents::new(vec![TOPIC.to_owned()], source.clone(), clock);
    let events = Arc::new(events);
    let mut asking = tokio::task::JoinSet::new();
    for nth in 0..50 {
        let mut forged = envelope(&delivery());
        forged["Signature"] = json!("AAAA");
        let host = "https://sns.ap-northeast-2.amazonaws.com";
        forged["SigningCertURL"] = json!(format!("{host}/{nth}.pem"));
        let (events, report) = (Arc::clone(&events), bytes(&forged));
        asking.spawn(async move { events.read(&report).await });
    }
    let mut refused = 0;
    while refused < 46 {
        let answer = asking.join_next().await.expect("an answer").expect("no panic");
        assert!(matches!(answer, Err(EventRefused::Unavailable(_))), "{answer:?}");
        refused += 1;
    }
    assert_eq!(source.0.load(Ordering::SeqCst), 4);
}
