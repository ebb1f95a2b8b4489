//! What [`SmsSender`] promises.
//!
//! A promise about success takes a sender whose provider takes everything; one about failure takes
//! a sender whose provider cannot be reached, or says that it cannot now.

use std::sync::Arc;
use std::time::Duration;

use mapae_application::outbox::MessageContent;
use mapae_application::ports::{OutgoingSms, SendError, SmsSender};

use crate::build;

/// How long a sender may take before it gives up by itself.
const PATIENCE: Duration = Duration::from_secs(40);

fn sms() -> OutgoingSms {
    let content = MessageContent::Verification {
        purpose: "registration".to_owned(),
        code: "918273".to_owned(),
        link_key: None,
        minutes: 5,
    };
    let text = "Your code is 918273".to_owned();
    OutgoingSms { id: build::message_id(), to: build::phone("010-1234-5678"), text, content }
}

/// A message that the provider takes gives a receipt, whose name is none of the message's words.
pub async fn a_message_that_is_taken_gives_a_receipt(sender: Arc<dyn SmsSender>) {
    let receipt = sender.send(&sms()).await.unwrap();
    if let Some(name) = receipt.provider_id {
        assert!(!name.is_empty() && name.len() <= 255 && name.is_ascii(), "{} bytes", name.len());
        assert!(!name.contains("918273") && !name.contains("12345678"));
    }
}

/// Any text of one short message is sent.
pub async fn any_short_text_is_sent(sender: Arc<dyn SmsSender>) {
    let longest = "가".repeat(45);
    for text in ["[마패] 인증번호 918273", "quotes \"and\" \\ <angles> & more\n", &longest] {
        sender.send(&OutgoingSms { text: text.to_owned(), ..sms() }).await.unwrap();
    }
}

/// A message whose answer was lost may be handed over again.
pub async fn a_message_may_be_handed_over_again(sender: Arc<dyn SmsSender>) {
    let sms = sms();
    for _ in 0..2 {
        sender.send(&sms).await.unwrap();
    }
}

/// Many messages go side by side.
pub async fn many_messages_go_side_by_side(sender: Arc<dyn SmsSender>) {
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let sender = Arc::clone(&sender);
        tasks.spawn(async move { sender.send(&sms()).await.unwrap() });
    }
    tokio::time::timeout(PATIENCE, tasks.join_all()).await.expect("a message hangs");
}

/// A provider that cannot be reached is worth another try, and is known as such in good time.
pub async fn a_carrier_out_of_reach_is_worth_another_try(sender: Arc<dyn SmsSender>) {
    let sent = tokio::time::timeout(PATIENCE, sender.send(&sms())).await;
    let error = sent.expect("the sender does not give up").expect_err("it was sent");
    assert!(matches!(error, SendError::Temporary(_)), "{error:?}");
}

/// What went wrong is told without the message's reader and words.
pub async fn a_failure_tells_nothing_of_the_message(sender: Arc<dyn SmsSender>) {
    let error = sender.send(&sms()).await.expect_err("it was sent");
    let told = format!("{error} {error:?}").to_lowercase();
    for secret in ["918273", "12345678", "1234-5678", "your code"] {
        assert!(!told.contains(secret), "the error repeats {secret:?}");
    }
}
