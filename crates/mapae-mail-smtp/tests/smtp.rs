//! The sender against a server of the test's own. TLS is tried against a real server, by the
//! end-to-end tests.
#![expect(clippy::expect_used, reason = "test code: what fails here fails a test")]

use std::sync::Arc;
use std::time::Duration;

use mapae_application::ports::{
    Diagnose as _, EmailSender, OutgoingEmail, RenderedEmail, SendError, Verdict,
};
use mapae_domain::DeliveryReason;
use mapae_mail_smtp::{SmtpSender, SmtpSettings, SmtpTls};
use mapae_testkit::build;
use mapae_testkit::fake::{SetClock, SmtpReply, SmtpStub};
use zeroize::Zeroizing;

fn settings(port: u16) -> SmtpSettings {
    SmtpSettings {
        host: "localhost".to_owned(),
        port,
        tls: SmtpTls::None,
        credentials: None,
        authorities: None,
        from: "마패 <no-reply@mapae.example>".to_owned(),
        timeout: Duration::from_millis(800),
    }
}

fn sender(settings: SmtpSettings) -> SmtpSender {
    let clock = Arc::new(SetClock::at(build::START));
    SmtpSender::new(settings, clock).expect("a sender")
}

async fn taking() -> (Arc<dyn EmailSender>, SmtpStub) {
    let server = SmtpStub::start(&["8BITMIME"]).await;
    (Arc::new(sender(settings(server.port()))), server)
}

/// A port that nobody listens on.
fn nowhere() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
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
        failing: (Arc::new(super::sender(super::settings(super::nowhere()))), ()),
    }
}

#[tokio::test]
async fn a_mail_has_both_parts_and_names_itself_the_same_at_each_try() {
    let (sender, server) = taking().await;
    let email = email();
    let receipt = sender.send(&email).await.expect("a receipt");
    sender.send(&email).await.expect("a receipt");
    let mails = server.mails();
    let name = format!("<{}@mapae.example>", email.id);
    assert_eq!(receipt.provider_id.as_deref(), Some(name.as_str()));
    for mail in &mails {
        assert_eq!(mail.from, "MAIL FROM:<no-reply@mapae.example>");
        assert_eq!(mail.to, "RCPT TO:<minji@example.com>");
        for line in [
            &*format!("Message-ID: {name}"),
            "Auto-Submitted: auto-generated",
            "To: minji@example.com",
            "MIME-Version: 1.0",
            "Content-Type: text/plain; charset=utf-8",
            "Content-Type: text/html; charset=utf-8",
        ] {
            assert!(mail.raw.contains(line), "{line}\n{}", mail.raw);
        }
        assert!(mail.raw.is_ascii(), "what is not ASCII is encoded");
    }
    assert_eq!(server.connections(), 1, "one connection serves both");
}

#[tokio::test]
async fn a_connection_that_the_server_closed_is_replaced() {
    let (sender, server) = taking().await;
    sender.send(&email()).await.expect("a receipt");
    server.reply("MAIL", SmtpReply::Cut);
    let cut = sender.send(&email()).await;
    assert!(matches!(cut, Err(SendError::Temporary(_))), "{cut:?}");
    server.behave();
    sender.send(&email()).await.expect("a receipt");
    server.reply("MAIL", SmtpReply::Say("421 4.4.2 idle too long"));
    let before = server.connections();
    let refused = sender.send(&email()).await;
    assert!(matches!(refused, Err(SendError::Temporary(_))), "{refused:?}");
    assert_eq!(server.connections(), before + 1);
    assert_eq!(server.mails().len(), 2);
}

/// Each reply at each step, and what becomes of the message.
#[tokio::test]
async fn every_reply_means_something_for_the_message() {
    use SmtpReply::{Cut, Hang, Say};
    let hang = Hang(Duration::from_secs(5));
    for (step, reply, expected) in [
        ("greeting", Say("421 4.3.2 not now"), "Temporary"),
        ("greeting", Say("554 5.7.1 go away"), "Broken"),
        ("greeting", Cut, "Temporary"),
        ("greeting", hang.clone(), "Temporary"),
        ("EHLO", Cut, "Temporary"),
        ("MAIL", Say("451 4.3.0 trouble"), "Temporary"),
        ("MAIL", Say("454 4.7.0 throttled"), "Throttled"),
        ("MAIL", Say("530 5.7.0 authentication required"), "Broken"),
        ("MAIL", Say("553 5.1.8 sender minji refused"), "Broken"),
        ("RCPT", Say("450 4.2.1 greylisted"), "Deferred"),
        ("RCPT", Say("550 5.1.1 minji@example.com unknown"), "Refused"),
        ("RCPT", Cut, "Temporary"),
        ("DATA", Say("451 4.3.0 trouble"), "Temporary"),
        ("DATA", Say("554 5.6.0 no"), "Refused"),
        ("DATA", hang.clone(), "Temporary"),
        (".", Say("451 4.3.0 try again"), "Deferred"),
        (".", Say("454 4.7.0 throttled"), "Throttled"),
        (".", Say("554 5.7.1 spam from minji 493817"), "Refused"),
        (".", Cut, "Unanswered"),
        (".", hang, "Unanswered"),
        (".", Say("what is this"), "Unanswered"),
    ] {
        let (sender, server) = taking().await;
        server.reply(step, reply.clone());
        let error = sender.send(&email()).await.expect_err("an error");
        let told = format!("{error:?} {error}");
        assert!(told.starts_with(expected), "{step} {reply:?}: {told}");
        for secret in ["minji", "example.com", "493817"] {
            assert!(!told.contains(secret), "{step} {reply:?}: {told}");
        }
        if expected != "Unanswered" {
            assert!(server.mails().is_empty(), "{step} {reply:?} took the mail");
        }
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_reader_is_told_apart() {
    for (reply, expected) in [
        ("550 5.1.1 no such user", DeliveryReason::RecipientUnknown),
        ("550 no such user", DeliveryReason::RecipientUnknown),
        ("552 5.2.2 full", DeliveryReason::RecipientFull),
        ("550 5.7.1 blocked", DeliveryReason::RecipientRefuses),
        ("554 no", DeliveryReason::RecipientRefuses),
    ] {
        let (sender, server) = taking().await;
        server.reply("RCPT", SmtpReply::Say(reply));
        match sender.send(&email()).await {
            Err(SendError::Refused { reason, .. }) => assert_eq!(reason, expected, "{reply}"),
            other => panic!("{reply}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn without_starttls_nothing_is_said_in_the_clear() {
    // A server whose offer somebody on the way has stripped, and one that lies about it.
    for (features, says_starttls) in [(&["8BITMIME"][..], false), (&["STARTTLS"][..], true)] {
        let server = SmtpStub::start(features).await;
        let credentials = Some(("mapae".to_owned(), Zeroizing::new("planted-password".to_owned())));
        let settings =
            SmtpSettings { tls: SmtpTls::StartTls, credentials, ..settings(server.port()) };
        let sender = sender(settings);
        let error = sender.send(&email()).await.expect_err("an error");
        let expected = matches!(error, SendError::Broken(_) | SendError::Temporary(_));
        assert!(expected, "{error:?}");
        assert_eq!(sender.diagnose().await[0].verdict, Verdict::Bad);
        let lines = server.lines();
        let said: Vec<&str> = lines
            .iter()
            .filter_map(|line| line.split(' ').next())
            .filter(|w| w.is_ascii())
            .collect();
        for never in ["AUTH", "MAIL", "RCPT", "DATA"] {
            assert!(!said.contains(&never), "{lines:?}");
        }
        assert!(!lines.join("\n").contains("planted"), "{lines:?}");
        assert_eq!(said.contains(&"STARTTLS"), says_starttls, "{lines:?}");
        assert!(server.mails().is_empty());
    }
}

#[tokio::test]
async fn a_server_without_tls_gets_nothing_where_tls_is_meant() {
    let server = SmtpStub::start(&[]).await;
    let sender = sender(SmtpSettings { tls: SmtpTls::Implicit, ..settings(server.port()) });
    assert!(sender.send(&email()).await.is_err());
    let lines = server.lines().join("\n");
    assert!(!lines.contains("EHLO") && !lines.contains("MAIL"), "{lines:?}");
}

#[tokio::test]
async fn a_diagnosis_logs_in_and_sends_nothing() {
    let server = SmtpStub::start(&["AUTH PLAIN LOGIN"]).await;
    let credentials = Some(("mapae".to_owned(), Zeroizing::new("planted-password".to_owned())));
    let with_password = SmtpSettings { credentials, ..settings(server.port()) };
    let findings = sender(with_password.clone()).diagnose().await;
    let verdicts: Vec<Verdict> = findings.iter().map(|finding| finding.verdict).collect();
    assert_eq!(verdicts, [Verdict::Good, Verdict::Doubtful, Verdict::Good], "{findings:?}");
    server.reply("AUTH", SmtpReply::Say("535 5.7.8 planted-password is wrong"));
    let findings = sender(with_password).diagnose().await;
    assert_eq!(findings[0].verdict, Verdict::Bad);
    assert!(!format!("{findings:?}").contains("planted"));
    assert_eq!(sender(settings(nowhere())).diagnose().await[0].verdict, Verdict::Bad);
    assert!(server.mails().is_empty());
}

#[test]
fn a_wrong_setting_is_named_and_not_shown() {
    let clock = || Arc::new(SetClock::at(build::START));
    let refused = |settings| match SmtpSender::new(settings, clock()) {
        Ok(_) => panic!("it was taken"),
        Err(error) => error.key,
    };
    let planted = Zeroizing::new("planted-password".to_owned());
    let with_password = SmtpSettings {
        host: "mail.example.com".to_owned(),
        credentials: Some(("mapae".to_owned(), planted)),
        ..settings(25)
    };
    assert!(!format!("{with_password:?}").contains("planted"));
    assert_eq!(refused(with_password), "mail.smtp.tls");
    assert_eq!(refused(SmtpSettings { from: "mapae".to_owned(), ..settings(25) }), "mail.from");
    assert_eq!(refused(SmtpSettings { host: String::new(), ..settings(25) }), "mail.smtp.host");
    let authorities = Some(b"planted".to_vec());
    assert_eq!(refused(SmtpSettings { authorities, ..settings(25) }), "mail.smtp.ca_certificates");
}
