//! What turns a message into words, and what takes the words to their reader.

use std::time::Duration;

use async_trait::async_trait;
use mapae_domain::outbox::DeliveryReport;
use mapae_domain::{DeliveryReason, EmailAddress, Locale, MessageId, PhoneNumber};

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
    /// What the words were made of, for a provider that has words of its own.
    pub content: MessageContent,
}

/// A provider took a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendReceipt {
    /// What the provider calls it.
    pub provider_id: Option<String>,
    /// Whether the sender's `outcome` tells what became of it.
    pub ask: bool,
}

/// A provider did not take a message, as far as is known.
///
/// What it means decides what happens next: to this message, and to the sender. The texts are for
/// operators and hold nothing of the message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The sender is in trouble and did not take it. It goes to the next sender, or is tried again;
    /// a sender that fails in a row is left alone for a while.
    #[error("the provider is in trouble: {0}")]
    Temporary(String),
    /// This message is not taken now, others may be. It goes to the next sender, or is tried again.
    #[error("the provider does not take this message now: {0}")]
    Deferred(String),
    /// It was handed over and the answer was lost: it may be on its way. It is handed over once
    /// more at the most.
    #[error("the provider did not answer: {0}")]
    Unanswered(String),
    /// The sender takes nothing for a while, by its own word: a rate or a quota is used up. It is
    /// left alone for so long, and the message loses no try.
    #[error("the provider takes nothing for {} s: {why}", retry_after.as_secs())]
    Throttled {
        /// For how long.
        retry_after: Duration,
        /// Why.
        why: String,
    },
    /// The sender takes nothing until somebody mends the configuration or the account. It is left
    /// alone for a while, operators are told, and the message loses no try.
    #[error("the sender does not work until it is mended: {0}")]
    Broken(String),
    /// The sender is not made for messages of this kind. Another may be.
    #[error("the sender is not made for this message: {0}")]
    Unsuited(&'static str),
    /// This message never goes, whoever sends it.
    #[error("the message never goes: {why}")]
    Refused {
        /// Why, for its reader.
        reason: DeliveryReason,
        /// Why, for operators.
        why: String,
    },
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
    /// [`SendError`] tells what to make of it.
    async fn send(&self, email: &OutgoingEmail) -> Result<SendReceipt, SendError>;

    /// What became of a mail that the provider took; nothing where that is not known yet. Asked
    /// only where the receipt said so.
    ///
    /// # Errors
    /// [`SendError`], where the provider could not be asked.
    async fn outcome(&self, provider_id: &str) -> Result<Option<DeliveryReport>, SendError> {
        let _ = provider_id;
        Ok(None)
    }
}

/// Sends short messages.
#[async_trait]
pub trait SmsSender: Send + Sync {
    /// Hands a short message to the provider. An adapter MUST do as [`EmailSender::send`] says, and
    /// MUST NOT let a provider cut a text short.
    ///
    /// # Errors
    /// [`SendError`] tells what to make of it.
    async fn send(&self, sms: &OutgoingSms) -> Result<SendReceipt, SendError>;

    /// What became of a short message, as [`EmailSender::outcome`].
    ///
    /// # Errors
    /// [`SendError`], where the provider could not be asked.
    async fn outcome(&self, provider_id: &str) -> Result<Option<DeliveryReport>, SendError> {
        let _ = provider_id;
        Ok(None)
    }
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

    /// A message as a short message: in signs that EUC-KR has, and at most 2,000 bytes of it, which
    /// is what a long message (LMS) holds.
    ///
    /// # Errors
    /// [`RenderError`] where the content is none that its templates know, or the text does not fit.
    fn sms(&self, content: &MessageContent, locale: Locale) -> Result<String, RenderError>;
}
