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

    /// Tells the recorder of metrics how much waits to be sent, for how long, and for how long longer than
    /// it should. Where that is not known, it tells so.
    ///
    /// # Errors
    /// What the store says.
    pub async fn record_outbox_depth(&self) -> Result<(), StoreError> {
        for channel in Channel::ALL {
            match self.waiting(channel).await {
                Ok(waiting) => waiting.record(channel),
                Err(error) => {
                    // What was known before is not how it is now.
                    Channel::ALL.into_iter().for_each(|channel| Waiting::UNKNOWN.record(channel));
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    async fn waiting(&self, channel: Channel) -> Result<Waiting, StoreError> {
        let now = self.now();
        let mut view = self.ports.store.read().await?;
        let depth = view.outbox_depth(channel).await?;
        let due = view.next_message_due(channel).await?;
        let since = |at: Option<Timestamp>| at.map_or(0.0, |at| at.until(now).as_secs_f64());
        Ok(Waiting {
            messages: f64::from(u32::try_from(depth.queued).unwrap_or(u32::MAX)),
            oldest: since(depth.oldest),
            overdue: since(due),
        })
    }
}

/// What waits to be sent by a channel, as figures.
struct Waiting {
    messages: f64,
    /// In seconds: since the oldest was caused.
    oldest: f64,
    /// In seconds: since one should have been tried.
    overdue: f64,
}

impl Waiting {
    const UNKNOWN: Self = Self { messages: f64::NAN, oldest: f64::NAN, overdue: f64::NAN };

    fn record(&self, channel: Channel) {
        let channel = channel.as_str();
        metrics::gauge!("mapae_outbox_messages", "channel" => channel).set(self.messages);
        metrics::gauge!("mapae_outbox_oldest_seconds", "channel" => channel).set(self.oldest);
        metrics::gauge!("mapae_outbox_overdue_seconds", "channel" => channel).set(self.overdue);
    }
}
