//! Messages leave by real HTTP and SMTP, whatever providers do.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use mapae_e2e::{Server, ServerOptions, code_in, until};
use mapae_testkit::fake::{FakeSens, HttpReply, HttpStub, SmtpReply, SmtpStub};
use serde_json::{Value, json};

use crate::{PASSWORD, check, first_verification};

/// A server that sends short messages by this SENS.
pub(crate) fn by_sens(sens: &FakeSens) -> ServerOptions {
    ServerOptions::default().with_all(&[
        ("SMS__SENDERS", r#"["sens"]"#),
        ("SMS__FROM", FakeSens::FROM),
        ("SMS__SENS__BASE_URL", &sens.origin()),
        ("SMS__SENS__SERVICE_ID", FakeSens::SERVICE),
        ("SMS__SENS__ACCESS_KEY", FakeSens::ACCESS_KEY),
        ("SMS__SENS__SECRET_KEY", FakeSens::SECRET_KEY),
    ])
}

/// A server that sends mail by this SES.
fn by_ses(ses: &HttpStub) -> ServerOptions {
    ServerOptions::default().with_all(&[
        ("MAIL__SENDERS", r#"["ses"]"#),
        ("MAIL__FROM", "마패 <no-reply@example.com>"),
        ("MAIL__SES__ENDPOINT_URL", &ses.origin()),
        ("MAIL__SES__ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("MAIL__SES__SECRET_ACCESS_KEY", "planted-ses-secret"),
    ])
}

pub(crate) fn and_by_smtp(options: ServerOptions, smtp: &SmtpStub) -> ServerOptions {
    options.with_all(&[
        ("MAIL__FROM", "마패 <no-reply@example.com>"),
        ("MAIL__SMTP__HOST", "127.0.0.1"),
        ("MAIL__SMTP__PORT", &smtp.port().to_string()),
        ("MAIL__SMTP__TLS", "none"),
    ])
}

async fn begin(server: &Server, channel: &str, to: &str) -> String {
    let body = json!({"channel": channel, "to": to, "purpose": "own", "locale": "ko"});
    server.post("/v1/verifications", &body).await.expect(202).text("id")
}

async fn delivery(server: &Server, verification: &str) -> Value {
    let seen = server.get(&format!("/v1/verifications/{verification}")).await.expect(200);
    seen.json()["delivery"].clone()
}

/// Waits until the delivery is no longer on its way.
async fn outcome(server: &Server, verification: &str) -> Value {
    let mut seen = Value::Null;
    until("an outcome", async || {
        seen = delivery(server, verification).await;
        !matches!(seen["status"].as_str(), Some("queued" | "sent"))
    })
    .await;
    seen
}

#[tokio::test]
async fn a_sign_up_by_sens_is_completed_by_the_code_that_arrived() {
    let sens = FakeSens::start().await;
    let server = by_sens(&sens).with("REGISTRATION__REQUIRE", r#"["phone"]"#).start().await;
    let body = json!({"phone": "010-4000-1234", "password": PASSWORD, "locale": "ko"});
    let registration = server.post("/v1/registrations", &body).await.expect(202);
    until("a message", async || !sens.taken().is_empty()).await;
    let message = sens.taken_to("01040001234").swap_remove(0);
    assert_eq!((message.kind.as_str(), message.from.as_str()), ("SMS", FakeSens::FROM));
    assert!(message.content.contains("인증번호"), "{}", message.content);
    let verification = first_verification(&registration);
    // What became of it is asked for, and is where people look.
    let known = outcome(&server, &verification).await;
    assert_eq!(known, json!({"status": "delivered"}));
    let checked = check(&server, &verification, &code_in(&message.content)).await.expect(200);
    assert_eq!(checked.json()["registration"]["status"], "completed");
}

#[tokio::test]
async fn a_message_that_was_taken_and_did_not_arrive_is_never_called_delivered() {
    let sens = FakeSens::start().await;
    sens.behave(|sens| (sens.result, sens.empty_lists) = (Some("3001"), 1));
    let server = by_sens(&sens).start().await;
    let verification = begin(&server, "sms", "010-4000-1234").await;
    let mut statuses = Vec::new();
    until("an outcome", async || {
        let status = delivery(&server, &verification).await["status"].clone();
        if !statuses.contains(&status) {
            statuses.push(status);
        }
        statuses.contains(&json!("failed"))
    })
    .await;
    assert!(!statuses.contains(&json!("delivered")), "{statuses:?}");
    let known = delivery(&server, &verification).await;
    assert_eq!(known["reason"], "recipient_unknown");
    let detail = known["detail"].as_str().expect("words");
    assert!(detail.contains("번호") && !detail.contains("planted"), "{detail}");
    assert!(!server.log().contains("planted-provider-text"));
}

#[tokio::test]
async fn a_kakao_account_is_preferred_and_a_short_message_goes_where_it_cannot() {
    let sens = FakeSens::start().await;
    let settings = [
        ("SMS__SENDERS", r#"["alimtalk", "sens"]"#),
        ("SMS__ALIMTALK__SERVICE_ID", FakeSens::ALIMTALK_SERVICE),
        ("SMS__ALIMTALK__CHANNEL", FakeSens::CHANNEL),
        ("SMS__ALIMTALK__TEMPLATE_CODE", FakeSens::TEMPLATE),
        ("SMS__ALIMTALK__TEMPLATE", "[#{service}] 인증번호는 #{code}입니다."),
    ];
    let server = by_sens(&sens).with_all(&settings).start().await;
    begin(&server, "sms", "010-4000-0001").await;
    until("an AlimTalk", async || sens.taken().len() == 1).await;
    sens.behave(|sens| sens.alimtalk = "A999");
    begin(&server, "sms", "010-4000-0002").await;
    until("a message", async || sens.taken().len() == 2).await;
    let kinds: Vec<String> = sens.taken().into_iter().map(|message| message.kind).collect();
    assert_eq!(kinds, ["ALIMTALK", "SMS"]);
}

#[tokio::test]
async fn mail_goes_to_the_next_sender_where_the_first_is_in_trouble() {
    let ses = HttpStub::start(|_| HttpReply::Answer {
        status: 503,
        content_type: "text/html",
        body: "<html>planted</html>".to_owned(),
    })
    .await;
    let smtp = SmtpStub::start(&[]).await;
    let both = ("MAIL__SENDERS", r#"["ses", "smtp"]"#);
    let server = and_by_smtp(by_ses(&ses), &smtp).with_all(&[both]).start().await;
    let verification = begin(&server, "email", "minji@example.com").await;
    until("a mail", async || !smtp.mails().is_empty()).await;
    assert!(ses.calls() > 0, "the first was asked first");
    until("it is sent", async || delivery(&server, &verification).await["status"] == "sent").await;
    assert_eq!(smtp.mails().len(), 1);
}

#[tokio::test]
async fn a_message_that_never_goes_is_not_tried_again_and_goes_to_no_other() {
    let ses = HttpStub::start(|_| {
        HttpReply::json(400, r#"{"__type": "MessageRejected", "message": "planted"}"#)
    })
    .await;
    let smtp = SmtpStub::start(&[]).await;
    let both = ("MAIL__SENDERS", r#"["ses", "smtp"]"#);
    let server = and_by_smtp(by_ses(&ses), &smtp).with_all(&[both]).start().await;
    let verification = begin(&server, "email", "minji@example.com").await;
    let known = outcome(&server, &verification).await;
    assert_eq!((&known["status"], &known["reason"]), (&json!("failed"), &json!("content_refused")));
    assert!(smtp.mails().is_empty());
    let mails = ses.requests().into_iter().filter(|request| request.method == "POST").count();
    assert_eq!(mails, 1);
    // It is kept, and listed for operators: without the address.
    let (_, listed, _) = server.run_beside(&["message", "list"]).await;
    assert!(listed.contains("failed\tcontent_refused\t1 tries"), "{listed}");
    assert!(!listed.contains("minji"), "{listed}");
}

#[tokio::test]
async fn a_lost_answer_costs_one_duplicate_and_no_more() {
    let sens = FakeSens::start().await;
    sens.behave(|sens| sens.cut = true);
    let server = by_sens(&sens).start().await;
    let verification = begin(&server, "sms", "010-4000-1234").await;
    until("it is sent", async || delivery(&server, &verification).await["status"] == "sent").await;
    assert_eq!(delivery(&server, &verification).await["reason"], "unconfirmed");
    let taken = sens.taken();
    assert_eq!(taken.len(), 2);
    assert_eq!(taken[0].content, taken[1].content, "the same code");
    check(&server, &verification, &code_in(&taken[0].content)).await.expect(200);
}

#[tokio::test]
async fn a_provider_that_is_down_is_called_ten_times_at_most_and_loses_nothing() {
    const MESSAGES: usize = 40;
    for answer in [
        HttpReply::json(503, r#"{"__type": "ServiceUnavailable"}"#),
        HttpReply::json(429, r#"{"__type": "TooManyRequestsException"}"#),
        // Slower than a sender may be.
        HttpReply::json(200, r#"{"MessageId": "late"}"#).after(Duration::from_secs(20)),
    ] {
        // Down while nothing stands here; then whom it has taken a message for.
        let taken = Arc::new(Mutex::new(None::<Vec<String>>));
        let (down, shared) = (answer.clone(), Arc::clone(&taken));
        let ses = HttpStub::start(move |request| {
            if request.method == "GET" {
                let account = r#"{"ProductionAccessEnabled": true, "SendingEnabled": true}"#;
                return HttpReply::json(200, account);
            }
            match &mut *shared.lock().expect("whom it has taken a message for") {
                None => down.clone(),
                Some(taken) => {
                    taken.push(request.json()["Destination"]["ToAddresses"][0].to_string());
                    HttpReply::json(200, r#"{"MessageId": "taken"}"#)
                }
            }
        })
        .await;
        // What is taken is answered by then, on a busy machine, too.
        let short = [("OUTBOX__SEND_TIMEOUT", "4s"), ("MAIL__SES__TIMEOUT", "3s")];
        // Everything is there before the first message leaves.
        let server = by_ses(&ses).with_all(&short).without_worker().start().await;
        let mut begun = Vec::new();
        for nth in 0..MESSAGES {
            begun.push(begin(&server, "email", &format!("minji{nth}@example.com")).await);
        }
        let worker = server.start_worker();
        until("a call", async || ses.calls_of("POST") > 0).await;
        // The circuit is open for five seconds at first, or the second that SES asks for.
        tokio::time::sleep(Duration::from_millis(700)).await;
        let calls = ses.calls_of("POST");
        assert!(calls <= 10, "{calls} calls of {answer:?}");
        *taken.lock().expect("whom it has taken a message for") = Some(Vec::new());
        until("every message is sent", async || {
            let mut sent = 0;
            for verification in &begun {
                sent += usize::from(delivery(&server, verification).await["status"] == "sent");
            }
            sent == MESSAGES
        })
        .await;
        let mut readers = taken.lock().expect("the readers").take().expect("it was up");
        let all = readers.len();
        readers.sort();
        readers.dedup();
        assert_eq!(readers.len(), MESSAGES, "every message left");
        assert_eq!(all, MESSAGES, "and once, once the provider was there");
        worker.kill().await;
    }
}

#[tokio::test]
async fn of_a_provider_that_fails_three_times_in_ten_nothing_is_lost_and_nothing_comes_twice() {
    const MESSAGES: usize = 30;
    let calls = std::sync::atomic::AtomicUsize::new(0);
    let ses = HttpStub::start(move |request| {
        if request.method == "GET" {
            return HttpReply::json(404, "{}");
        }
        let nth = calls.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        // 30 %, in no simple rhythm.
        if [1, 4, 7].contains(&(nth * 7 % 10)) {
            HttpReply::json(500, r#"{"__type": "InternalFailure"}"#)
        } else {
            HttpReply::json(200, r#"{"MessageId": "taken"}"#)
        }
    })
    .await;
    // So that many tries fit into the time of a test.
    let server = by_ses(&ses).with("OUTBOX__RETRY_AFTER", "50ms").start().await;
    let mut begun = Vec::new();
    for nth in 0..MESSAGES {
        begun.push(begin(&server, "email", &format!("minji{nth}@example.com")).await);
    }
    for verification in &begun {
        until("it is sent", async || delivery(&server, verification).await["status"] == "sent")
            .await;
    }
}

#[tokio::test]
async fn smtp_that_cannot_now_is_asked_again_and_a_reader_that_is_none_is_not() {
    let smtp = SmtpStub::start(&[]).await;
    let options = ServerOptions::default().with("MAIL__SENDERS", r#"["smtp"]"#);
    let server = and_by_smtp(options, &smtp).start().await;
    smtp.reply("RCPT", SmtpReply::Say("450 4.2.1 greylisted"));
    let later = begin(&server, "email", "minji@example.com").await;
    until("it is refused once", async || smtp.lines().iter().any(|line| line.starts_with("RCPT")))
        .await;
    smtp.behave();
    until("it is sent", async || delivery(&server, &later).await["status"] == "sent").await;
    assert!(smtp.mails()[0].raw.contains("=?utf-8?b?"), "{}", smtp.mails()[0].raw);
    smtp.reply("RCPT", SmtpReply::Say("550 5.1.1 <nobody@example.com> unknown"));
    let never = begin(&server, "email", "nobody@example.com").await;
    let known = outcome(&server, &never).await;
    assert_eq!(known["reason"], "recipient_unknown");
    assert!(!known["detail"].as_str().expect("words").contains("nobody"));
}

#[tokio::test]
async fn reports_are_refused_unless_they_are_genuine_and_topics_are_configured() {
    let server = Server::start().await;
    let report = async |server: &Server, body: &str| {
        let headers = [("content-type", "text/plain; charset=UTF-8")];
        let body = Some(body.as_bytes().to_vec());
        let answer = server.send(reqwest::Method::POST, "/v1/hooks/ses", &headers, body).await;
        (answer.status.as_u16(), answer.json()["code"].clone())
    };
    assert_eq!(report(&server, "{}").await, (404, json!("hook_not_configured")));
    let ses = HttpStub::start(|_| HttpReply::json(200, "{}")).await;
    let topics = r#"["arn:aws:sns:ap-northeast-2:123456789012:mapae"]"#;
    let server = by_ses(&ses).with("MAIL__SES__TOPIC_ARNS", topics).start().await;
    for body in ["", "{}", "[]", "planted", "null"] {
        assert_eq!(report(&server, body).await, (400, json!("malformed_event")), "{body}");
    }
    let forged = r#"{"Type":"Notification","MessageId":"1","TopicArn":"arn:aws:sns:ap-northeast-2:999999999999:x","Message":"{}","Timestamp":"2026-11-21T00:00:00Z","SignatureVersion":"2","Signature":"AAAA","SigningCertURL":"https://sns.ap-northeast-2.amazonaws.com/x.pem"}"#;
    assert_eq!(report(&server, forged).await, (403, json!("event_refused")));
    assert!(!server.log().contains("planted"));
}
