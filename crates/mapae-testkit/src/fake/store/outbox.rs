use async_trait::async_trait;
use mapae_application::ports::StoreError;
use mapae_application::ports::store::{OutboxReads, OutboxWrites};
use mapae_domain::outbox::{Lease, OutboxRecord};
use mapae_domain::{DeliveryStatus, MessageId, OutboxMessage, Timestamp, VerificationId};

use super::{STORED_TWICE, Transaction};

/// From when on a message can be leased; a final one never.
fn leasable_at(message: &OutboxMessage) -> Option<Timestamp> {
    let record = message.record();
    let lease_ends = record.lease.map_or(record.due_at, |lease| lease.expires_at);
    (record.status == DeliveryStatus::Queued).then(|| record.due_at.max(lease_ends))
}

#[async_trait]
impl OutboxReads for Transaction {
    async fn delivery_of_verification(
        &mut self,
        id: VerificationId,
    ) -> Result<Option<DeliveryStatus>, StoreError> {
        let of_verification = self
            .state
            .outbox
            .values()
            .map(OutboxMessage::record)
            .filter(|message| message.verification == Some(id));
        let latest = of_verification.max_by_key(|message| (message.created_at, message.id));
        Ok(latest.map(|message| message.status))
    }

    async fn next_message_due(&mut self) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.state.outbox.values().filter_map(leasable_at).min())
    }
}

#[async_trait]
impl OutboxWrites for Transaction {
    async fn insert_message(&mut self, message: &OutboxMessage) -> Result<(), StoreError> {
        match self.write().outbox.insert(message.id(), message.clone()) {
            None => Ok(()),
            Some(_) => Err(STORED_TWICE),
        }
    }

    async fn lease_messages(
        &mut self,
        limit: u32,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<OutboxMessage>, StoreError> {
        let all = self.state.outbox.values();
        let mut due: Vec<(Timestamp, MessageId)> = all
            .filter(|message| leasable_at(message).is_some_and(|at| at <= now))
            .map(|message| (message.record().due_at, message.id()))
            .collect();
        due.sort_unstable();
        due.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let outbox = &mut self.write().outbox;
        let mut leased = Vec::with_capacity(due.len());
        for (_, id) in due {
            let Some(message) = outbox.get_mut(&id) else { continue };
            let record = message.record().clone();
            let fence = record.lease.map_or(0, |lease| lease.fence) + 1;
            let lease = Some(Lease { fence, expires_at });
            *message = OutboxMessage::from_record(OutboxRecord { lease, ..record });
            leased.push(message.clone());
        }
        Ok(leased)
    }

    async fn record_message(
        &mut self,
        message: &OutboxMessage,
        lease: Lease,
    ) -> Result<bool, StoreError> {
        let may_record = self.state.outbox.get(&message.id()).is_some_and(|stored| {
            let stored = stored.record();
            stored.status == DeliveryStatus::Queued
                && stored.lease.is_some_and(|held| held.fence == lease.fence)
        });
        if may_record {
            let record = message.record().clone();
            // Ended, but remembered: the next one's fence is higher.
            let ended = Lease { expires_at: lease.expires_at.min(record.updated_at), ..lease };
            let recorded = OutboxRecord { lease: Some(ended), ..record };
            self.write().outbox.insert(message.id(), OutboxMessage::from_record(recorded));
        }
        Ok(may_record)
    }
}
