//! The sender against a SES of the test's own; real stand-ins of SES are asked by the end-to-end
//! tests.
#![expect(clippy::expect_used, reason = "test code: what fails here fails a test")]

use std::sync::Arc;
use std::time::Duration;

use mapae_application::ports::{
    Diagnose as _, EmailSender, OutgoingEmail, RenderedEmail, SendError, Verdict,
};
use mapae_mail_ses::{SesSender, SesSettings};
use mapae_testkit::build;
use mapae_testkit::fake::{HttpReply, HttpRequest, HttpStub, SetClock};
use zeroize::Zeroizing;

const SECRET: &str = "planted-secret-access-key";

fn settings(endpoint: String) -> SesSettings {
    SesSettings {
        region: "ap-northeast-2".to_owned(),
        endpoint_url: Some(endpoint),
        keys: Some(("AKIDEXAMPLE".to_owned(), Zeroizing::new(SECRET.to_owned()))),
        configuration_set: Some("mapae".to_owned()),
        max_rate: None,
        from: "마패 <no-reply@mapae.example>".to_owned(),
        timeout: Duration::from_secs(2),
    }
}

async fn sender(settings: SesSettings) -> SesSender {
    let clock = Arc::new(SetClock::at(build::START));
    SesSender::new(settings, clock).await.expect("a sender")
}

/// A SES that answers a mail so; the account is a healthy one.
async fn ses(answer: HttpReply) -> HttpStub {
    HttpStub::start(move |request| match request.target.as_str() {
        "/v2/email/account" => account(),
        _ => answer.clone(),
    })
    .await
}

fn account() -> HttpReply {
    HttpReply::json(
        200,
        r#"{"DedicatedIpAutoWarmupEnabled":false,"EnforcementStatus":"HEALTHY",
            "ProductionAccessEnabled":true,"SendingEnabled":true,
            "SendQuota":{"Max24HourSend":50000.0,"MaxSendRate":1000.0,"SentLast24Hours":12.0}}"#,
    )
}

fn taken() -> HttpReply {
    HttpReply::json(200, r#"{"MessageId":"ses-1"}"#)
}

async fn taking() -> (Arc<dyn EmailSender>, HttpStub) {
    let server = ses(taken()).await;
    (Arc::new(sender(settings(server.origin())).await), server)
}

/// A port that nobody listens on.
fn nowhere() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    format!("http://{}", listener.local_addr().expect("an address"))
}

fn email() -> OutgoingEmail {
    let content = RenderedEmail {
        subject: "[마패] 인증번호 493817".to_owned(),
        text: "인증번호는 493817입니다.".to_owned(),
        html: "<p>인증번호는 <b>493817</b>입니다.</p>".to_owned(),
    };
    OutgoingEmail { id: build::message_id(), to: build::email("minji@example.com"), content }
}

mod contract {
    use std::sync::Arc;

    mapae_testkit::email_sender_contract! {
        taking: super::taking().await,
        failing: (Arc::new(super::sender(super::settings(super::nowhere())).await), ()),
    }
}

fn mails(server: &HttpStub) -> Vec<HttpRequest> {
    let requests = server.requests().into_iter();
    requests.filter(|request| request.target == "/v2/email/outbound-emails").collect()
}

#[tokio::test]
async fn a_mail_says_all_that_it_must() {
    let (sender, server) = taking().await;
    let email = email();
    let receipt = sender.send(&email).await.expect("a receipt");
    assert_eq!((receipt.provider_id.as_deref(), receipt.ask), (Some("ses-1"), false));
    let sent = mails(&server).pop().expect("a mail").json();
    let simple = &sent["Content"]["Simple"];
    let part = |data: &str| serde_json::json!({"Data": data, "Charset": "UTF-8"});
    assert_eq!(simple["Subject"], part(&email.content.subject));
    assert_eq!(simple["Body"]["Text"], part(&email.content.text));
    assert_eq!(simple["Body"]["Html"], part(&email.content.html));
    let header = serde_json::json!([{"Name": "Auto-Submitted", "Value": "auto-generated"}]);
    assert_eq!(simple["Headers"], header);
    assert_eq!(sent["Destination"]["ToAddresses"], serde_json::json!(["minji@example.com"]));
    assert_eq!(sent["FromEmailAddress"], "=?UTF-8?B?66eI7Yyo?= <no-reply@mapae.example>");
    assert_eq!(sent["ConfigurationSetName"], "mapae");
    let tag = serde_json::json!([{"Name": "mapae_message", "Value": email.id.to_string()}]);
    assert_eq!(sent["EmailTags"], tag);
    let tracking = &sent["ConfigurationOverrides"]["Tracking"];
    assert_eq!(tracking["OpenTrackingEnabled"], "DISABLED", "{sent}");
    assert_eq!(tracking["ClickTrackingEnabled"], "DISABLED", "{sent}");
}

/// Each answer of delivery's table, and what becomes of the message and the sender.
#[tokio::test]
async fn every_answer_means_something_for_the_message() {
    let json = |status: u16, code: &str, message: &str| {
        let body = serde_json::json!({"__type": code, "message": message});
        HttpReply::json(status, body.to_string())
    };
    let page = |status| HttpReply::Answer {
        status,
        content_type: "text/html",
        body: "<html><h1>planted</h1></html>".to_owned(),
    };
    let unverified = |address: &str| {
        format!(
            "Email address is not verified. The following identities failed the check in region AP-NORTHEAST-2: {address}"
        )
    };
    for (answer, expected) in [
        (json(429, "TooManyRequestsException", "planted"), "Throttled { retry_after: 1s"),
        (json(400, "Throttling", "Maximum sending rate exceeded."), "Throttled { retry_after: 1s"),
        (json(400, "LimitExceededException", "planted"), "Throttled { retry_after: 900s"),
        (
            json(400, "ThrottlingException", "Daily message quota exceeded."),
            "Throttled { retry_after: 900s",
        ),
        (json(400, "AccountSuspendedException", "planted"), "Broken"),
        (json(400, "SendingPausedException", "planted"), "Broken"),
        (json(400, "MailFromDomainNotVerifiedException", "planted"), "Broken"),
        (json(404, "NotFoundException", "planted"), "Broken"),
        (json(403, "AccessDeniedException", "planted minji@example.com"), "Broken"),
        (json(403, "SignatureDoesNotMatch", "planted"), "Broken"),
        (json(403, "ExpiredTokenException", "planted"), "Broken"),
        (json(400, "MessageRejected", &unverified("Minji@Example.com")), "Unsuited"),
        (json(400, "MessageRejected", &unverified("no-reply@mapae.example")), "Broken"),
        (json(400, "MessageRejected", "planted"), "Refused"),
        (json(400, "BadRequestException", "planted"), "Refused"),
        (json(400, "SomethingNewException", "planted"), "Deferred"),
        (json(500, "InternalFailure", "planted"), "Temporary"),
        (page(503), "Temporary"),
        (page(502), "Temporary"),
        (page(403), "Broken"),
        (page(404), "Broken"),
        (page(200), "Unanswered"),
        (HttpReply::json(200, "{\"MessageId"), "Unanswered"),
        (HttpReply::Cut, "Unanswered"),
        (taken().after(Duration::from_secs(20)), "Unanswered"),
    ] {
        let server = ses(answer.clone()).await;
        let sender = sender(settings(server.origin())).await;
        let error = sender.send(&email()).await.expect_err("an error");
        let told = format!("{error:?} {error}");
        assert!(told.starts_with(expected), "{answer:?}: {told}");
        for secret in ["planted", "minji", "example.com", "493817", SECRET] {
            assert!(!told.contains(secret), "{answer:?}: {told}");
        }
        assert_eq!(mails(&server).len(), 1, "{answer:?} was tried again");
    }
}

#[tokio::test]
async fn messages_go_no_faster_than_the_account_may_send() {
    let slow = r#"{"ProductionAccessEnabled":false,"SendingEnabled":true,"SendQuota":{"Max24HourSend":200.0,"MaxSendRate":1.0,"SentLast24Hours":0.0}}"#;
    let server = HttpStub::start(move |request| match request.target.as_str() {
        "/v2/email/account" => HttpReply::json(200, slow),
        _ => taken(),
    })
    .await;
    let sender = Arc::new(sender(settings(server.origin())).await);
    // The clock stands still: what is more than two seconds off goes back to the outbox.
    let mut outcomes = Vec::new();
    for _ in 0..2 {
        outcomes.push(sender.send(&email()).await.is_ok());
    }
    assert_eq!(outcomes, [true, true]);
    let mut throttled = 0;
    for _ in 0..3 {
        if let Err(SendError::Throttled { .. }) = sender.send(&email()).await {
            throttled += 1;
        }
    }
    assert_eq!(throttled, 2);
    assert_eq!(mails(&server).len(), 3);
}

#[tokio::test]
async fn an_account_that_may_not_be_asked_about_still_sends() {
    let server = HttpStub::start(|request| match request.target.as_str() {
        "/v2/email/account" => HttpReply::Answer {
            status: 404,
            content_type: "text/html",
            body: "<html>404</html>".to_owned(),
        },
        _ => taken(),
    })
    .await;
    sender(settings(server.origin())).await.send(&email()).await.expect("a receipt");
}

#[tokio::test]
async fn a_diagnosis_tells_sandbox_quota_and_keys() {
    let verdict = async |status: u16, account: &'static str, what: &str| {
        let server = HttpStub::start(move |_| HttpReply::json(status, account)).await;
        let findings = sender(settings(server.origin())).await.diagnose().await;
        assert!(mails(&server).is_empty(), "nothing is sent");
        assert!(!format!("{findings:?}").contains("planted"), "{findings:?}");
        let found = findings.iter().find(|finding| finding.what == what);
        found.map(|finding| finding.verdict)
    };
    let live = r#"{"ProductionAccessEnabled":true,"SendingEnabled":true,"EnforcementStatus":"HEALTHY","SendQuota":{"Max24HourSend":50000.0,"MaxSendRate":14.0,"SentLast24Hours":3.0}}"#;
    let sandbox = r#"{"ProductionAccessEnabled":false,"SendingEnabled":true,"EnforcementStatus":"HEALTHY","SendQuota":{"Max24HourSend":200.0,"MaxSendRate":1.0,"SentLast24Hours":200.0}}"#;
    let paused =
        r#"{"ProductionAccessEnabled":true,"SendingEnabled":false,"EnforcementStatus":"SHUTDOWN"}"#;
    let denied = r#"{"__type":"AccessDeniedException","message":"planted"}"#;
    let forged = r#"{"__type":"SignatureDoesNotMatch","message":"planted"}"#;
    assert_eq!(verdict(200, live, "SES, sandbox").await, Some(Verdict::Good));
    assert_eq!(verdict(200, live, "SES, quota").await, Some(Verdict::Good));
    assert_eq!(verdict(200, sandbox, "SES, sandbox").await, Some(Verdict::Doubtful));
    assert_eq!(verdict(200, sandbox, "SES, quota").await, Some(Verdict::Bad));
    assert_eq!(verdict(200, paused, "SES, account").await, Some(Verdict::Bad));
    assert_eq!(verdict(403, denied, "SES, account").await, Some(Verdict::Doubtful));
    assert_eq!(verdict(403, denied, "SES, sender").await, Some(Verdict::Doubtful));
    assert_eq!(verdict(403, forged, "SES").await, Some(Verdict::Bad));
}

#[tokio::test]
async fn a_wrong_setting_is_named_and_not_shown() {
    let refused = async |settings| {
        let clock = Arc::new(SetClock::at(build::START));
        SesSender::new(settings, clock).await.err().map(|error| error.key)
    };
    let good = || settings("https://email.ap-northeast-2.amazonaws.com".to_owned());
    assert!(!format!("{:?}", good()).contains(SECRET));
    assert_eq!(refused(good()).await, None);
    let plain = settings("http://email.example.com".to_owned());
    assert_eq!(refused(plain).await, Some("mail.ses.endpoint_url"));
    let region = SesSettings { region: "Seoul".to_owned(), ..good() };
    assert_eq!(refused(region).await, Some("mail.ses.region"));
    let from = SesSettings { from: "mapae".to_owned(), ..good() };
    assert_eq!(refused(from).await, Some("mail.from"));
    let rate = SesSettings { max_rate: Some(0.0), ..good() };
    assert_eq!(refused(rate).await, Some("mail.ses.max_rate"));
    let half = Some(("AKIDEXAMPLE".to_owned(), Zeroizing::new(String::new())));
    let keys = SesSettings { keys: half, ..good() };
    assert_eq!(refused(keys).await, Some("mail.ses.access_key_id"));
}
