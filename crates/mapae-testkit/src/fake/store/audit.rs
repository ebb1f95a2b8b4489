use async_trait::async_trait;
use mapae_application::ports::StoreError;
use mapae_application::ports::store::{AuditReads, AuditWrites};
use mapae_domain::{AuditEntry, UserId};

use super::Transaction;

#[async_trait]
impl AuditReads for Transaction {
    async fn audit_of_user(
        &mut self,
        user: UserId,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        let of_user = self.state.audit.iter().filter(|entry| entry.user == user);
        let mut found: Vec<_> = of_user.cloned().collect();
        found.sort_by_key(|entry| std::cmp::Reverse((entry.at, entry.id)));
        found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(found)
    }
}

#[async_trait]
impl AuditWrites for Transaction {
    async fn insert_audit_entry(&mut self, entry: &AuditEntry) -> Result<(), StoreError> {
        self.write().audit.push(entry.clone());
        Ok(())
    }
}
