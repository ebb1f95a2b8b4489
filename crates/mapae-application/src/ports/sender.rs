//! What turns a message into words, and what takes the words to their reader.

use async_trait::async_trait;
use mapae_domain::{EmailAddress, Locale, MessageId, PhoneNumber};

use crate::outbox::MessageContent;

/// A mail's words.
#[derive(Clone, PartialEq, Eq)]
pub struct RenderedEmail {
    /// The subject, one line.
    pub subject: String,
    /// The body as text.
    pub text: String,
    /// The body as HTML.
    pub html: String,
}

/// A mail on its way.
#[derive(Clone)]
pub struct OutgoingEmail {
    /// The message's id: the same at each try.
    pub id: MessageId,
    /// Who gets it.
    pub to: EmailAddress,
    /// What it says.
    pub content: RenderedEmail,
}

/// A short message on its way.
#[derive(Clone)]
pub struct OutgoingSms {
    /// The message's id: the same at each try.
    pub id: MessageId,
    /// Who gets it.
    pub to: PhoneNumber,
    /// What it says.
    pub text: String,
}

/// A provider took a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendReceipt {
    /// What the provider calls it.
    pub provider_id: Option<String>,
}

/// A provider did not take a message. The text is for operators and holds nothing of the message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// It may work another time, or it is not known whether it worked.
    #[error("the provider cannot take the message now: {0}")]
    Temporary(String),
    /// This message never goes.
    #[error("the provider does not take the message: {0}")]
    Permanent(String),
}

/// Sends e-mail.
#[async_trait]
pub trait EmailSender: Send + Sync {
    /// Hands a mail to the provider.
    ///
    /// An adapter MUST give up after a time of its own, MUST NOT try again by itself, MUST NOT fall
    /// back to an unprotected connection, and MUST keep addresses and contents out of its errors
    /// and logs. A message may come twice when an answer was lost; an adapter that can tell by
    /// [`OutgoingEmail::id`] MUST then send it once.
    ///
    /// # Errors
    /// [`SendError`] tells whether a later try makes sense.
    async fn send(&self, email: &OutgoingEmail) -> Result<SendReceipt, SendError>;
}

/// Sends short messages.
#[async_trait]
pub trait SmsSender: Send + Sync {
    /// Hands a short message to the provider. An adapter MUST do as [`EmailSender::send`] says.
    ///
    /// # Errors
    /// [`SendError`] tells whether a later try makes sense.
    async fn send(&self, sms: &OutgoingSms) -> Result<SendReceipt, SendError>;
}

/// A message could not be put into words. The text names the template and the place, not the
/// content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the message cannot be rendered: {0}")]
pub struct RenderError(pub String);

/// Puts messages into words.
pub trait MessageRenderer: Send + Sync {
    /// A message as a mail.
    ///
    /// An adapter MUST escape what people have chosen themselves, and MUST have tried each of its
    /// templates before it exists: an operator learns of a broken one at start, not from readers.
    ///
    /// # Errors
    /// [`RenderError`] where the content is none that its templates know.
    fn email(&self, content: &MessageContent, locale: Locale)
    -> Result<RenderedEmail, RenderError>;

    /// A message as a short message: at most 90 bytes in EUC-KR, so that it is sent as one SMS.
    ///
    /// # Errors
    /// [`RenderError`] where the content is none that its templates know, or the text is too long.
    fn sms(&self, content: &MessageContent, locale: Locale) -> Result<String, RenderError>;
}
