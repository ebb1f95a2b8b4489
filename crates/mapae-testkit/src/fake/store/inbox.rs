use async_trait::async_trait;
use mapae_application::inbox::{InboxFilter, InboxMessage};
use mapae_application::ports::StoreError;
use mapae_application::ports::store::{InboxReads, InboxWrites};

use super::Transaction;

fn passes(filter: &InboxFilter, message: &InboxMessage) -> bool {
    filter.to.as_ref().is_none_or(|to| *to == message.to)
}

#[async_trait]
impl InboxReads for Transaction {
    async fn inbox(&mut self, filter: &InboxFilter) -> Result<Vec<InboxMessage>, StoreError> {
        let all = self.state.inbox.values();
        let mut found: Vec<InboxMessage> =
            all.filter(|message| passes(filter, message)).cloned().collect();
        found.sort_by_key(|message| std::cmp::Reverse((message.received_at, message.id)));
        if let Some(limit) = filter.limit {
            found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        }
        Ok(found)
    }
}

#[async_trait]
impl InboxWrites for Transaction {
    async fn insert_inbox_message(&mut self, message: &InboxMessage) -> Result<(), StoreError> {
        self.write().inbox.entry(message.id).or_insert_with(|| message.clone());
        Ok(())
    }

    async fn delete_inbox_messages(&mut self, filter: &InboxFilter) -> Result<u64, StoreError> {
        let inbox = &mut self.write().inbox;
        let before = inbox.len();
        inbox.retain(|_, message| !passes(filter, message));
        Ok(u64::try_from(before - inbox.len()).unwrap_or(u64::MAX))
    }
}
