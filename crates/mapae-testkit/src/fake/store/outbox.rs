use async_trait::async_trait;
use mapae_application::ports::StoreError;
use mapae_application::ports::store::{OutboxDepth, OutboxFilter, OutboxReads, OutboxWrites};
use mapae_domain::outbox::{Lease, OutboxRecord};
use mapae_domain::{
    Channel, Delivery, DeliveryStatus, MessageId, OutboxMessage, Timestamp, VerificationId,
};

use super::{STORED_TWICE, Transaction};

/// From when on a message can be leased; a final one never.
fn leasable_at(message: &OutboxMessage) -> Option<Timestamp> {
    let record = message.record();
    let lease_ends = record.lease.map_or(record.due_at, |lease| lease.expires_at);
    (record.status == DeliveryStatus::Queued).then(|| record.due_at.max(lease_ends))
}

#[async_trait]
impl OutboxReads for Transaction {
    async fn outbox_depth(&mut self, channel: Channel) -> Result<OutboxDepth, StoreError> {
        let records = self.state.outbox.values().map(OutboxMessage::record);
        let waits = records
            .filter(|record| record.channel == channel && record.status == DeliveryStatus::Queued);
        let caused: Vec<_> = waits.map(|record| record.created_at).collect();
        let queued = u64::try_from(caused.len()).unwrap_or(u64::MAX);
        Ok(OutboxDepth { queued, oldest: caused.into_iter().min() })
    }

    async fn message(&mut self, id: MessageId) -> Result<Option<OutboxMessage>, StoreError> {
        Ok(self.state.outbox.get(&id).cloned())
    }

    async fn delivery_of_verification(
        &mut self,
        id: VerificationId,
    ) -> Result<Option<Delivery>, StoreError> {
        let of_verification = self
            .state
            .outbox
            .values()
            .map(OutboxMessage::record)
            .filter(|message| message.verification == Some(id));
        let latest = of_verification.max_by_key(|message| (message.created_at, message.id));
        Ok(latest.map(|message| Delivery { status: message.status, reason: message.reason }))
    }

    async fn next_message_due(
        &mut self,
        channel: Channel,
    ) -> Result<Option<Timestamp>, StoreError> {
        let all = self.state.outbox.values().filter(|message| message.record().channel == channel);
        Ok(all.filter_map(leasable_at).min())
    }

    async fn next_question_due(&mut self) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.state.outbox.values().filter_map(|message| message.record().ask_at).min())
    }

    async fn messages(&mut self, filter: &OutboxFilter) -> Result<Vec<OutboxMessage>, StoreError> {
        let passes = |message: &&OutboxMessage| {
            let record = message.record();
            let early = filter.before.is_none_or(|before| record.updated_at < before);
            early && filter.statuses.contains(&record.status)
        };
        let mut found: Vec<_> = self.state.outbox.values().filter(passes).cloned().collect();
        found.sort_by_key(|message| std::cmp::Reverse((message.record().updated_at, message.id())));
        found.truncate(usize::try_from(filter.limit).unwrap_or(usize::MAX));
        Ok(found)
    }
}

#[async_trait]
impl OutboxWrites for Transaction {
    async fn insert_message(&mut self, message: &OutboxMessage) -> Result<(), StoreError> {
        self.queued.add(message.record().channel);
        match self.write().outbox.insert(message.id(), message.clone()) {
            None => Ok(()),
            Some(_) => Err(STORED_TWICE),
        }
    }

    async fn lease_messages(
        &mut self,
        channel: Channel,
        limit: u32,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<OutboxMessage>, StoreError> {
        let all = self.state.outbox.values();
        let mut due: Vec<(Timestamp, MessageId)> = all
            .filter(|message| message.record().channel == channel)
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

    async fn claim_questions(
        &mut self,
        limit: u32,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<OutboxMessage>, StoreError> {
        let all = self.state.outbox.values().map(OutboxMessage::record);
        let mut due: Vec<(Timestamp, MessageId)> = all
            .filter_map(|record| record.ask_at.filter(|at| *at <= now).map(|at| (at, record.id)))
            .collect();
        due.sort_unstable();
        due.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let outbox = &mut self.write().outbox;
        let mut claimed = Vec::with_capacity(due.len());
        for (_, id) in due {
            let Some(message) = outbox.get_mut(&id) else { continue };
            let record = OutboxRecord { ask_at: Some(until), ..message.record().clone() };
            *message = OutboxMessage::from_record(record);
            claimed.push(message.clone());
        }
        Ok(claimed)
    }

    async fn lock_message(&mut self, id: MessageId) -> Result<Option<OutboxMessage>, StoreError> {
        Ok(self.state.outbox.get(&id).cloned())
    }

    async fn lock_message_of_provider(
        &mut self,
        provider_id: &str,
    ) -> Result<Option<OutboxMessage>, StoreError> {
        let mut all = self.state.outbox.values();
        Ok(all
            .find(|message| message.record().provider_id.as_deref() == Some(provider_id))
            .cloned())
    }

    async fn update_message(&mut self, message: &OutboxMessage) -> Result<(), StoreError> {
        let Some(stored) = self.state.outbox.get(&message.id()) else { return self.stale() };
        let (stored, changed) = (stored.record().clone(), message.record().clone());
        let record = OutboxRecord {
            status: changed.status,
            reason: changed.reason,
            sealed: changed.sealed,
            ask_at: changed.ask_at,
            asked: changed.asked,
            updated_at: changed.updated_at,
            ..stored
        };
        self.write().outbox.insert(message.id(), OutboxMessage::from_record(record));
        Ok(())
    }
}
