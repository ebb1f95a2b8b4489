//! What providers report by themselves.

use async_trait::async_trait;
use mapae_domain::outbox::DeliveryReport;
use mapae_domain::{Deliverability, EmailAddress, MessageId};

/// Something that a provider reported of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryEvent {
    /// What the provider calls the event: the same where it is reported again.
    pub id: String,
    /// The message that it is about, where the provider was told our name for it.
    pub message: Option<MessageId>,
    /// What the provider calls the message.
    pub provider_id: Option<String>,
    /// What became of the message, where the event says so.
    pub report: Option<DeliveryReport>,
    /// What the event says of addresses. Holds whole addresses: not for logs.
    pub marks: Vec<(EmailAddress, Deliverability)>,
}

/// Why a report is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventRefused {
    /// It has not the form of one.
    #[error("not a report of the provider's: {0}")]
    Malformed(&'static str),
    /// It is not the provider's, not about this service, or too old.
    #[error("the report is refused: {0}")]
    NotGenuine(&'static str),
    /// It could not be checked now.
    #[error("the report cannot be checked now: {0}")]
    Unavailable(String),
}

/// Reads what a provider reports.
#[async_trait]
pub trait DeliveryEvents: Send + Sync {
    /// Reads a report; nothing where it asks for nothing further.
    ///
    /// An adapter MUST know by a signature that the report is the provider's and is meant for this
    /// service, and MUST refuse an old one, before it acts on anything that the report says.
    ///
    /// # Errors
    /// [`EventRefused`].
    async fn read(&self, report: &[u8]) -> Result<Option<DeliveryEvent>, EventRefused>;
}
