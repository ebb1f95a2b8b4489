//! What a server's replies, and its silence, mean for a message.

use std::error::Error as _;
use std::future::Future;
use std::time::Duration;

use lettre::transport::smtp::Error;
use mapae_application::ports::{Clock, SendError};
use mapae_domain::{DeliveryReason, Timestamp};

/// How long a server is left alone that says it has had enough for now (454).
const THROTTLED: Duration = Duration::from_secs(5);

/// A step of the conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// The greeting.
    Connect,
    /// STARTTLS, or TLS itself.
    Tls,
    /// AUTH.
    LogIn,
    /// MAIL FROM.
    Sender,
    /// RCPT TO.
    Recipient,
    /// DATA.
    Data,
    /// The message and what the server says to it.
    Message,
}

impl Step {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "the greeting",
            Self::Tls => "TLS",
            Self::LogIn => "AUTH",
            Self::Sender => "MAIL FROM",
            Self::Recipient => "RCPT TO",
            Self::Data => "DATA",
            Self::Message => "the message",
        }
    }
}

/// Until when a conversation may go on: a server that is slow at each step is slow in all.
#[derive(Clone, Copy)]
pub(crate) struct Deadline<'a> {
    pub(crate) clock: &'a dyn Clock,
    pub(crate) at: Timestamp,
}

/// Waits for a step, as long as there is time.
pub(crate) async fn within<T>(
    deadline: Deadline<'_>,
    step: Step,
    answer: impl Future<Output = Result<T, Error>>,
) -> Result<T, SendError> {
    let left = deadline.clock.now().until(deadline.at);
    match tokio::time::timeout(left, answer).await {
        Ok(answer) => answer.map_err(|error| what_it_means(&error, step)),
        Err(_) => Err(no_answer(step, "no answer in time")),
    }
}

/// A server that falls silent has taken nothing, until the message was on its way.
fn no_answer(step: Step, why: &str) -> SendError {
    let why = format!("{why} at {}", step.as_str());
    if step == Step::Message { SendError::Unanswered(why) } else { SendError::Temporary(why) }
}

/// What an error means at a step. A server's own words can hold the address, and are left out but
/// for their codes (RFC 5321 §4.2, RFC 3463).
pub(crate) fn what_it_means(error: &Error, step: Step) -> SendError {
    let at = step.as_str();
    let Some(status) = error.status() else {
        return if error.is_tls() || (step == Step::Tls && !error.is_timeout()) {
            SendError::Broken(format!(
                "TLS failed: the certificate, or a server without TLS, at {at}"
            ))
        } else if error.is_client() {
            SendError::Broken(format!("the server lacks what is needed at {at}"))
        } else {
            no_answer(step, "the connection broke")
        };
    };
    let code = u16::from(status);
    let enhanced = error.source().and_then(|words| enhanced_code(&words.to_string()));
    let why = match &enhanced {
        Some(enhanced) => format!("{code} {enhanced} to {at}"),
        None => format!("{code} to {at}"),
    };
    if code == 454 && !matches!(step, Step::Tls | Step::LogIn) {
        return SendError::Throttled { retry_after: THROTTLED, why };
    }
    match (step, error.is_permanent()) {
        (Step::Recipient, false) | (Step::Message, false) => SendError::Deferred(why),
        (_, false) => SendError::Temporary(why),
        (Step::Recipient, true) if !matches!(code, 530 | 535) => {
            SendError::Refused { reason: recipient_reason(code, enhanced.as_deref()), why }
        }
        (Step::Sender, true) if code == 552 => refused_content(why),
        (Step::Data | Step::Message, true) if !matches!(code, 530 | 535) => refused_content(why),
        (_, true) => SendError::Broken(why),
    }
}

const fn refused_content(why: String) -> SendError {
    SendError::Refused { reason: DeliveryReason::ContentRefused, why }
}

fn recipient_reason(code: u16, enhanced: Option<&str>) -> DeliveryReason {
    match (code, enhanced) {
        (_, Some("5.2.2")) | (552, _) => DeliveryReason::RecipientFull,
        (_, Some(enhanced)) if enhanced.starts_with("5.7.") => DeliveryReason::RecipientRefuses,
        (554, None) => DeliveryReason::RecipientRefuses,
        _ => DeliveryReason::RecipientUnknown,
    }
}

/// The code `5.1.1` that words begin with, if they do.
fn enhanced_code(words: &str) -> Option<String> {
    let first = words.split_whitespace().next()?;
    let parts: Vec<&str> = first.split('.').collect();
    let [class, subject, detail] = parts.as_slice() else { return None };
    let number =
        |part: &str| (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    (matches!(*class, "2" | "4" | "5") && number(subject) && number(detail))
        .then(|| first.to_owned())
}
