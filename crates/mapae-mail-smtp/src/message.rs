use std::time::{Duration, SystemTime};

use lettre::message::header::{Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::{Address, Message};
use mapae_application::ports::{OutgoingEmail, SendError};
use mapae_domain::{DeliveryReason, Timestamp};

/// Says that no person wrote the message, so that none answers it by machine (RFC 3834 §5).
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// The address as SMTP knows it.
pub(crate) fn recipient(email: &OutgoingEmail) -> Result<Address, SendError> {
    email.to.as_str().parse().map_err(|_| SendError::Refused {
        reason: DeliveryReason::RecipientUnknown,
        why: "SMTP has no form for the address".to_owned(),
    })
}

/// The mail as it goes over the wire, with text and HTML. Its Message-ID is made of the message's
/// own id, so that a mailbox that gets it twice can tell.
pub(crate) fn write(
    email: &OutgoingEmail,
    from: &Mailbox,
    to: &Address,
    now: Timestamp,
) -> Result<(String, Vec<u8>), SendError> {
    let name = format!("<{}@{}>", email.id, from.email.domain());
    let since_1970 = u64::try_from(now.as_seconds()).unwrap_or_default();
    let content = &email.content;
    let message = Message::builder()
        .message_id(Some(name.clone()))
        .date(SystemTime::UNIX_EPOCH + Duration::from_secs(since_1970))
        .from(from.clone())
        .to(Mailbox::new(None, to.clone()))
        .subject(content.subject.clone())
        .header(AutoSubmitted)
        .multipart(MultiPart::alternative_plain_html(content.text.clone(), content.html.clone()))
        .map_err(|_| SendError::Refused {
            reason: DeliveryReason::ContentRefused,
            why: "the mail cannot be written".to_owned(),
        })?;
    Ok((name, message.formatted()))
}
