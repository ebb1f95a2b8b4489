use async_trait::async_trait;
use mapae_application::ports::StoreError;
use mapae_application::ports::store::{DeliverabilityReads, DeliverabilityWrites};
use mapae_domain::{Deliverability, SecretHash, Timestamp};

use super::Transaction;

#[async_trait]
impl DeliverabilityReads for Transaction {
    async fn deliverability(&mut self, address: &SecretHash) -> Result<Deliverability, StoreError> {
        let mark = self.state.address_marks.get(address.as_bytes()).copied();
        Ok(mark.unwrap_or(Deliverability::Deliverable))
    }
}

#[async_trait]
impl DeliverabilityWrites for Transaction {
    async fn mark_address(
        &mut self,
        address: &SecretHash,
        deliverability: Deliverability,
        _now: Timestamp,
    ) -> Result<(), StoreError> {
        let marks = &mut self.write().address_marks;
        if deliverability == Deliverability::Deliverable {
            marks.remove(address.as_bytes());
        } else {
            marks.insert(*address.as_bytes(), deliverability);
        }
        Ok(())
    }
}
