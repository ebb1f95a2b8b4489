use mapae_domain::outbox::OutboxRecord;
use mapae_domain::{Channel, Delivery, MessageId, Timestamp};

use crate::Application;
use crate::ports::StoreError;
use crate::ports::store::OutboxFilter;

/// A message of the outbox, for operators: nothing of what it says, or to whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageView {
    /// The id.
    pub id: MessageId,
    /// How it is sent.
    pub channel: Channel,
    /// What is known of its way.
    pub delivery: Delivery,
    /// How often it was tried.
    pub tries: u8,
    /// The sender that took it.
    pub sender: Option<String>,
    /// What the provider calls it.
    pub provider_id: Option<String>,
    /// When it was caused.
    pub created_at: Timestamp,
    /// When something about it last changed.
    pub updated_at: Timestamp,
}

impl From<&OutboxRecord> for MessageView {
    fn from(record: &OutboxRecord) -> Self {
        Self {
            id: record.id,
            channel: record.channel,
            delivery: Delivery { status: record.status, reason: record.reason },
            tries: record.tries,
            sender: record.sender.clone(),
            provider_id: record.provider_id.clone(),
            created_at: record.created_at,
            updated_at: record.updated_at,
        }
    }
}

impl Application {
    /// The messages that pass the filter, latest change first.
    ///
    /// # Errors
    /// What the store says.
    pub async fn messages(&self, filter: &OutboxFilter) -> Result<Vec<MessageView>, StoreError> {
        let messages = self.ports.store.read().await?.messages(filter).await?;
        Ok(messages.iter().map(|message| message.record().into()).collect())
    }
}
