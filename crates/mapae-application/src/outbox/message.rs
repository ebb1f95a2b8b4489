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

    /// Tells the recorder of metrics how much waits to be sent, and for how long.
    ///
    /// # Errors
    /// What the store says.
    pub async fn record_outbox_depth(&self) -> Result<(), StoreError> {
        let now = self.now();
        let mut view = self.ports.store.read().await?;
        for channel in Channel::ALL {
            let depth = view.outbox_depth(channel).await?;
            let age = depth.oldest.map_or(0.0, |oldest| oldest.until(now).as_secs_f64());
            let name = channel.as_str();
            let queued = f64::from(u32::try_from(depth.queued).unwrap_or(u32::MAX));
            metrics::gauge!("mapae_outbox_messages", "channel" => name).set(queued);
            metrics::gauge!("mapae_outbox_oldest_seconds", "channel" => name).set(age);
        }
        Ok(())
    }
}
