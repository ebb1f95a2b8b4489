//! What [`EmailSender`] promises.
//!
//! A promise about success takes a sender whose provider takes everything; one about failure takes
//! a sender whose provider cannot be reached, or says that it cannot now.

use std::sync::Arc;
use std::time::Duration;

use mapae_application::ports::{EmailSender, OutgoingEmail, RenderedEmail, SendError};

use crate::build;

/// How long a sender may take before it gives up by itself.
const PATIENCE: Duration = Duration::from_secs(40);

fn email() -> OutgoingEmail {
    let content = RenderedEmail {
        subject: "Your code is 918273".to_owned(),
        text: "Your code is 918273.\nIt is good for 30 minutes.\n".to_owned(),
        html: "<p>Your code is <b>918273</b>.</p>".to_owned(),
    };
    OutgoingEmail { id: build::message_id(), to: build::email("minji@example.com"), content }
}

/// A mail that the provider takes gives a receipt, whose name is none of the mail's words.
pub async fn a_mail_that_is_taken_gives_a_receipt(sender: Arc<dyn EmailSender>) {
    let receipt = sender.send(&email()).await.unwrap();
    if let Some(name) = receipt.provider_id {
        assert!(!name.is_empty() && name.len() <= 255 && name.is_ascii(), "{} bytes", name.len());
        assert!(!name.contains("918273") && !name.contains("minji"));
    }
}

/// Any text is sent: of any script, long, with lines that begin with a dot, with none at all.
pub async fn any_text_is_sent(sender: Arc<dyn EmailSender>) {
    let contents = [
        ("[마패] 인증번호 918273 안내 👋", "인증번호는 918273입니다.\r\n", "<p>인증번호 🔑</p>"),
        ("a dot", ".\n..\n.\r\n.\r\nQUIT\r\n", "<p>.</p>\n.\n"),
        ("quotes \"and\" <angles> & more; =?utf-8?q?x?=", "=20=3D", "<a href=\"https://x\">x</a>"),
        ("nothing", "", ""),
    ];
    let long = (&*"가".repeat(300), &*"long line ".repeat(5_000), &*"<i>가</i>".repeat(5_000));
    for (subject, text, html) in contents.into_iter().chain([long]) {
        let content = RenderedEmail {
            subject: subject.to_owned(),
            text: text.to_owned(),
            html: html.to_owned(),
        };
        sender.send(&OutgoingEmail { content, ..email() }).await.unwrap();
    }
}

/// A mail whose answer was lost may be handed over again.
pub async fn a_mail_may_be_handed_over_again(sender: Arc<dyn EmailSender>) {
    let email = email();
    for _ in 0..2 {
        sender.send(&email).await.unwrap();
    }
}

/// Many mails go side by side.
pub async fn many_mails_go_side_by_side(sender: Arc<dyn EmailSender>) {
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let sender = Arc::clone(&sender);
        tasks.spawn(async move { sender.send(&email()).await.unwrap() });
    }
    tokio::time::timeout(PATIENCE, tasks.join_all()).await.expect("a mail hangs");
}

/// A provider that cannot be reached is worth another try, and is known as such in good time.
pub async fn a_provider_out_of_reach_is_worth_another_try(sender: Arc<dyn EmailSender>) {
    let sent = tokio::time::timeout(PATIENCE, sender.send(&email())).await;
    let error = sent.expect("the sender does not give up").expect_err("it was sent");
    assert!(matches!(error, SendError::Temporary(_)), "{error:?}");
}

/// What went wrong is told without the mail's reader and words.
pub async fn a_failure_tells_nothing_of_the_mail(sender: Arc<dyn EmailSender>) {
    let error = sender.send(&email()).await.expect_err("it was sent");
    let told = format!("{error} {error:?}").to_lowercase();
    for secret in ["918273", "minji", "example.com", "your code"] {
        assert!(!told.contains(secret), "the error repeats {secret:?}");
    }
}
