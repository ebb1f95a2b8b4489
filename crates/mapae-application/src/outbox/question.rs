use std::sync::Arc;
use std::time::Duration;

use mapae_domain::outbox::DeliveryReport;
use mapae_domain::{Channel, OutboxMessage};
use tokio::task::JoinSet;

use super::Worker;
use crate::ports::{SendError, StoreError};

/// How many providers are asked at once.
const AT_ONCE: u32 = 16;

impl Worker {
    /// Asks the providers whose turn it is what became of their messages, and says how long it may
    /// take until there is something to ask again.
    pub(super) async fn ask_into(
        self: &Arc<Self>,
        asking: &mut JoinSet<()>,
    ) -> Result<Duration, StoreError> {
        let under_way = u32::try_from(asking.len()).unwrap_or(u32::MAX);
        let room = AT_ONCE.saturating_sub(under_way);
        if room == 0 {
            // The next that ends makes room.
            return Ok(self.settings.poll);
        }
        let now = self.clock.now();
        match self.store.read().await?.next_question_due().await? {
            Some(due) if due <= now => {}
            Some(due) => return Ok(now.until(due).min(self.settings.poll)),
            None => return Ok(self.settings.poll),
        }
        let until = now.plus(self.settings.lease);
        let mut work = self.store.begin().await?;
        let claimed = work.claim_questions(room, until, now).await?;
        work.commit().await?;
        let full = u32::try_from(claimed.len()) == Ok(room);
        for message in claimed {
            let worker = Arc::clone(self);
            asking.spawn(async move { worker.ask(message).await });
        }
        Ok(if full { Duration::ZERO } else { self.settings.poll })
    }

    async fn ask(&self, message: OutboxMessage) {
        let id = message.id();
        let answer = self.outcome_of(&message).await;
        let report = answer.unwrap_or_else(|error| {
            tracing::warn!(message = %id, %error, "a provider did not say what became of a message");
            None
        });
        if let Err(error) = self.store_answer(&message, report).await {
            // The claim runs out, and the provider is asked again.
            tracing::error!(error = &error as &dyn std::error::Error, "an outcome was not stored");
        }
    }

    async fn outcome_of(
        &self,
        message: &OutboxMessage,
    ) -> Result<Option<DeliveryReport>, SendError> {
        let record = message.record();
        let (Some(sender), Some(provider_id)) = (&record.sender, &record.provider_id) else {
            return Ok(None);
        };
        let timeout = self.settings.send_timeout;
        match record.channel {
            Channel::Email => self.email.outcome(sender, timeout, provider_id).await,
            Channel::Sms => self.sms.outcome(sender, timeout, provider_id).await,
        }
    }

    async fn store_answer(
        &self,
        asked: &OutboxMessage,
        report: Option<DeliveryReport>,
    ) -> Result<(), StoreError> {
        let now = self.clock.now();
        let mut work = self.store.begin().await?;
        let Some(message) = work.lock_message(asked.id()).await? else { return Ok(()) };
        let next = match report {
            None => Some(message.asked_in_vain(now)),
            Some(report) => {
                let (id, channel) = (message.id(), message.record().channel.as_str());
                tracing::info!(message = %id, channel, ?report, "outcome known");
                message.reported(report, now)
            }
        };
        if let Some(next) = next {
            work.update_message(&next).await?;
        }
        work.commit().await.map(drop)
    }
}
