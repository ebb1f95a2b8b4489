//! The senders against a strict SENS of the test's own.
#![expect(clippy::expect_used, reason = "test code: what fails here fails a test")]

use std::sync::Arc;
use std::time::Duration;

use mapae_application::outbox::MessageContent;
use mapae_application::ports::{Diagnose as _, OutgoingSms, SendError, SmsSender, Verdict};
use mapae_domain::DeliveryReason;
use mapae_domain::outbox::DeliveryReport;
use mapae_sms_sens::{
    AlimTalkSender, AlimTalkSettings, SensClient, SensSender, SensSettings, SmsSettings,
};
use mapae_testkit::build;
use mapae_testkit::fake::{FakeSens, HttpReply, HttpStub, SetClock};
use zeroize::Zeroizing;

fn settings(base_url: String) -> SensSettings {
    SensSettings {
        base_url,
        access_key: FakeSens::ACCESS_KEY.to_owned(),
        secret_key: Zeroizing::new(FakeSens::SECRET_KEY.to_owned()),
        timeout: Duration::from_secs(2),
    }
}

fn client(base_url: String) -> Arc<SensClient> {
    let clock = Arc::new(SetClock::at(build::START));
    Arc::new(SensClient::new(&settings(base_url), clock).expect("a client"))
}

fn sender(base_url: String) -> SensSender {
    let settings =
        SmsSettings { service_id: FakeSens::SERVICE.to_owned(), from: "02-1234-5678".to_owned() };
    SensSender::new(client(base_url), &settings).expect("a sender")
}

fn alimtalk_settings() -> AlimTalkSettings {
    AlimTalkSettings {
        service_id: FakeSens::ALIMTALK_SERVICE.to_owned(),
        channel: FakeSens::CHANNEL.to_owned(),
        template_code: FakeSens::TEMPLATE.to_owned(),
        template: "[#{service}] 인증번호는 #{code}입니다. #{minutes}분 안에 입력해 주세요."
            .to_owned(),
        service_name: "마패".to_owned(),
        from: FakeSens::FROM.to_owned(),
    }
}

fn alimtalk(base_url: String) -> AlimTalkSender {
    AlimTalkSender::new(client(base_url), alimtalk_settings()).expect("a sender")
}

fn sms(text: &str) -> OutgoingSms {
    let content = MessageContent::Verification {
        purpose: "registration".to_owned(),
        code: "493817".to_owned(),
        link_key: None,
        minutes: 5,
    };
    let to = build::phone("010-1234-5678");
    OutgoingSms { id: build::message_id(), to, text: text.to_owned(), content }
}

async fn taking() -> (Arc<dyn SmsSender>, FakeSens) {
    let sens = FakeSens::start().await;
    sens.set_clock(build::START);
    (Arc::new(sender(sens.origin())), sens)
}

/// A port that nobody listens on.
fn nowhere() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    format!("http://{}", listener.local_addr().expect("an address"))
}

mod contract {
    use std::sync::Arc;

    mapae_testkit::sms_sender_contract! {
        taking: super::taking().await,
        failing: (Arc::new(super::sender(super::nowhere())), ()),
    }
}

#[tokio::test]
async fn a_korean_text_arrives_whole_and_as_the_type_that_holds_it() {
    let (sender, sens) = taking().await;
    let of_bytes = |bytes: usize| format!("{}{}", "뷁".repeat(bytes / 2), "a".repeat(bytes % 2));
    for (bytes, kind) in [(2, "SMS"), (90, "SMS"), (91, "LMS"), (2_000, "LMS")] {
        let text = of_bytes(bytes);
        let receipt = sender.send(&sms(&text)).await.expect("a receipt");
        let taken = sens.taken().pop().expect("a message");
        assert_eq!((taken.kind.as_str(), taken.content), (kind, text));
        assert_eq!((taken.country.as_str(), taken.to.as_str()), ("82", "01012345678"));
        assert_eq!(receipt.provider_id, Some(taken.request_id));
        assert!(receipt.ask);
    }
    for text in ["인증번호 🔑 493817", &of_bytes(2_001)] {
        let refused = sender.send(&sms(text)).await.expect_err("a text that would be cut");
        let expected = DeliveryReason::ContentRefused;
        assert!(matches!(&refused, SendError::Refused { reason, .. } if *reason == expected));
    }
    assert_eq!(sens.taken().len(), 4);
}

#[tokio::test]
async fn a_number_abroad_gets_an_sms_and_never_an_lms() {
    let (sender, sens) = taking().await;
    let abroad = |text: &str| OutgoingSms { to: build::phone("+1 201-555-0123"), ..sms(text) };
    sender.send(&abroad("code 493817")).await.expect("a receipt");
    let taken = sens.taken().pop().expect("a message");
    assert_eq!((taken.kind.as_str(), taken.country.as_str()), ("SMS", "1"));
    assert_eq!(taken.to, "2015550123");
    let long = sender.send(&abroad(&"a".repeat(91))).await;
    assert!(matches!(long, Err(SendError::Refused { .. })), "{long:?}");
}

#[tokio::test]
async fn a_request_is_signed_when_it_is_sent() {
    let sens = FakeSens::start().await;
    let clock = SetClock::at(build::START);
    let client = SensClient::new(&settings(sens.origin()), Arc::new(clock.clone()));
    let settings =
        SmsSettings { service_id: FakeSens::SERVICE.to_owned(), from: FakeSens::FROM.to_owned() };
    let sender = SensSender::new(Arc::new(client.expect("a client")), &settings).expect("a sender");
    for _ in 0..3 {
        sens.set_clock(clock.advance(Duration::from_secs(3_600)));
        sender.send(&sms("인증번호 493817")).await.expect("a receipt");
    }
    // A clock that is six minutes off is told so, and is for operators to mend.
    sens.set_clock(clock.advance(Duration::from_secs(360)));
    clock.set(build::START);
    let refused = sender.send(&sms("인증번호 493817")).await;
    assert!(
        matches!(&refused, Err(SendError::Broken(why)) if why.contains("clock")),
        "{refused:?}"
    );
}

#[tokio::test]
async fn every_answer_means_something_for_the_message() {
    let gateway = r#"{"error":{"errorCode":"200","message":"planted","details":"planted"}}"#;
    let service = r#"{"errorCode":"210","errorMessage":"planted"}"#;
    let html = "<html><body>planted</body></html>";
    for (status, body, expected) in [
        (400, service, "Refused"),
        (401, gateway, "Broken"),
        (403, gateway, "Broken"),
        (404, gateway, "Broken"),
        (302, html, "Broken"),
        (429, gateway, "Throttled"),
        (500, html, "Temporary"),
        (502, html, "Temporary"),
        (503, "", "Temporary"),
    ] {
        let (sender, sens) = taking().await;
        sens.behave(|sens| sens.refuse = Some((status, "text/html", body.to_owned())));
        let error = sender.send(&sms("인증번호 493817")).await.expect_err("an error");
        let told = format!("{error:?} {error}");
        assert!(told.starts_with(expected), "{status}: {told}");
        for secret in ["planted", "493817", "1012345678"] {
            assert!(!told.contains(secret), "{status}: {told}");
        }
    }
}

#[tokio::test]
async fn an_answer_that_is_lost_or_late_is_not_taken_for_a_failure() {
    let (sender, sens) = taking().await;
    sens.behave(|sens| sens.cut = true);
    let cut = sender.send(&sms("인증번호 493817")).await;
    assert!(matches!(cut, Err(SendError::Unanswered(_))), "{cut:?}");
    assert_eq!(sens.taken().len(), 1, "it was taken all the same");
    sens.behave(|sens| (sens.cut, sens.delay) = (false, Duration::from_secs(30)));
    let late = sender.send(&sms("인증번호 493817")).await;
    assert!(matches!(late, Err(SendError::Unanswered(_))), "{late:?}");
    // And one that says it was taken, in words that cannot be read, is taken.
    let stub = HttpStub::start(|_| HttpReply::json(202, "planted")).await;
    let receipt = self::sender(stub.origin()).send(&sms("인증번호 493817")).await;
    let receipt = receipt.expect("a receipt");
    assert_eq!((receipt.provider_id, receipt.ask), (None, false));
}

#[tokio::test]
async fn what_became_of_a_message_is_asked_until_it_is_final() {
    let (sender, sens) = taking().await;
    let receipt = sender.send(&sms("인증번호 493817")).await.expect("a receipt");
    let name = receipt.provider_id.expect("a name");
    sens.behave(|sens| (sens.empty_lists, sens.result) = (2, None));
    for _ in 0..2 {
        assert_eq!(sender.outcome(&name).await, Ok(None), "an empty list");
    }
    assert_eq!(sender.outcome(&name).await, Ok(None), "not final");
    assert_eq!(sender.outcome("RSSA-0-unknown").await, Ok(None), "an empty 404");
    for (code, expected) in [
        ("0", DeliveryReport::Delivered),
        ("3001", DeliveryReport::Failed(DeliveryReason::RecipientUnknown)),
        ("2004", DeliveryReport::Failed(DeliveryReason::RecipientFull)),
        ("E999", DeliveryReport::Failed(DeliveryReason::Unknown)),
    ] {
        sens.behave(|sens| sens.result = Some(code));
        assert_eq!(sender.outcome(&name).await, Ok(Some(expected)), "{code}");
    }
    // A list that says it all needs no second question.
    let list = r#"{"messages":[{"messageId":"x","status":"COMPLETED","statusCode":"0"}]}"#;
    let stub = HttpStub::start(move |_| HttpReply::json(200, list)).await;
    let outcome = self::sender(stub.origin()).outcome("RSSA-1").await;
    assert_eq!((outcome, stub.calls()), (Ok(Some(DeliveryReport::Delivered)), 1));
}

#[tokio::test]
async fn an_alimtalk_carries_the_approved_text_and_a_message_in_its_place() {
    let sens = FakeSens::start().await;
    let sender = alimtalk(sens.origin());
    let receipt = sender.send(&sms("[마패] 인증번호 [493817]")).await.expect("a receipt");
    let taken = sens.taken().pop().expect("a message");
    assert_eq!(taken.kind, "ALIMTALK");
    assert_eq!(taken.content, "[마패] 인증번호는 493817입니다. 5분 안에 입력해 주세요.");
    let failover = taken.failover.expect("a failover");
    assert_eq!(
        (&failover["type"], &failover["content"]),
        (&"SMS".into(), &"[마패] 인증번호 [493817]".into())
    );
    let name = receipt.provider_id.expect("a name");
    sens.behave(|sens| sens.result = Some("0000"));
    assert_eq!(sender.outcome(&name).await, Ok(Some(DeliveryReport::Delivered)));
    // A message that is refused inside a request that was taken goes another way.
    sens.behave(|sens| sens.alimtalk = "A002");
    let refused = sender.send(&sms("[마패] 인증번호 [493817]")).await;
    assert!(matches!(refused, Err(SendError::Deferred(_))), "{refused:?}");
    // So does what no template was approved for, and who is abroad.
    let other = OutgoingSms { content: MessageContent::AlreadyRegistered, ..sms("안내") };
    assert!(matches!(sender.send(&other).await, Err(SendError::Unsuited(_))));
    let abroad = OutgoingSms { to: build::phone("+1 201-555-0123"), ..sms("code") };
    assert!(matches!(sender.send(&abroad).await, Err(SendError::Unsuited(_))));
}

#[tokio::test]
async fn a_diagnosis_tells_a_wrong_key_from_a_right_one() {
    let (_, sens) = taking().await;
    let findings = sender(sens.origin()).diagnose().await;
    assert_eq!(findings[0].verdict, Verdict::Good, "{findings:?}");
    let keys = SensSettings {
        secret_key: Zeroizing::new("planted-other-secret".to_owned()),
        ..settings(sens.origin())
    };
    let clock = Arc::new(SetClock::at(build::START));
    let client = Arc::new(SensClient::new(&keys, clock).expect("a client"));
    let service =
        SmsSettings { service_id: FakeSens::SERVICE.to_owned(), from: FakeSens::FROM.to_owned() };
    let findings = SensSender::new(client, &service).expect("a sender").diagnose().await;
    assert_eq!(findings[0].verdict, Verdict::Bad, "{findings:?}");
    assert!(!format!("{findings:?}").contains("planted"));
    let findings = sender(nowhere()).diagnose().await;
    assert_eq!(findings[0].verdict, Verdict::Bad, "{findings:?}");
    let findings = alimtalk(sens.origin()).diagnose().await;
    assert_eq!(findings[0].verdict, Verdict::Good, "{findings:?}");
    assert!(sens.taken().is_empty(), "nothing is sent");
}

#[test]
fn a_wrong_setting_is_named_and_not_shown() {
    let clock = || Arc::new(SetClock::at(build::START));
    for base_url in
        ["", "planted", "http://sens.apigw.ntruss.com", "https://x.example/planted", "ftp://x"]
    {
        let Err(error) = SensClient::new(&settings(base_url.to_owned()), clock()) else {
            panic!("{base_url} was taken");
        };
        assert!(error.to_string().starts_with("sms.sens.base_url"), "{error}");
    }
    let bad = SensSettings { access_key: "planted key".to_owned(), ..settings(nowhere()) };
    let Err(error) = SensClient::new(&bad, clock()) else { panic!("it was taken") };
    assert_eq!(error.to_string(), "sms.sens.access_key is missing, or no key");
    assert!(!format!("{:?}", settings(nowhere())).contains(FakeSens::SECRET_KEY));
    for (template, right) in
        [("인증번호 #{code}", true), ("인증번호", false), ("#{code} #{name}", false)]
    {
        let settings = AlimTalkSettings { template: template.to_owned(), ..alimtalk_settings() };
        assert_eq!(AlimTalkSender::new(client(nowhere()), settings).is_ok(), right, "{template}");
    }
}
