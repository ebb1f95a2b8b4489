use async_trait::async_trait;
use mapae_application::idempotency::{IdempotencyClaim, IdempotencyOutcome};
use mapae_application::ports::StoreError;
use mapae_application::ports::store::{IdempotencyReads, IdempotencyWrites};
use mapae_domain::Timestamp;

use super::{State, Transaction};

impl State {
    fn idempotency_outcome(&self, claim: &IdempotencyClaim, now: Timestamp) -> IdempotencyOutcome {
        match self.idempotency.get(claim.key.as_bytes()) {
            Some(stored) if stored.expires_at.is_expired(now) => IdempotencyOutcome::Fresh,
            Some(stored) if stored.content.matches(&claim.content) => {
                IdempotencyOutcome::Repeat(stored.resource)
            }
            Some(_) => IdempotencyOutcome::Mismatch,
            None => IdempotencyOutcome::Fresh,
        }
    }
}

#[async_trait]
impl IdempotencyReads for Transaction {
    async fn find_idempotency_key(
        &mut self,
        claim: &IdempotencyClaim,
        now: Timestamp,
    ) -> Result<IdempotencyOutcome, StoreError> {
        Ok(self.state.idempotency_outcome(claim, now))
    }
}

#[async_trait]
impl IdempotencyWrites for Transaction {
    async fn claim_idempotency_key(
        &mut self,
        claim: &IdempotencyClaim,
        now: Timestamp,
    ) -> Result<IdempotencyOutcome, StoreError> {
        let outcome = self.state.idempotency_outcome(claim, now);
        if outcome == IdempotencyOutcome::Fresh {
            self.write().idempotency.insert(*claim.key.as_bytes(), claim.clone());
        }
        Ok(outcome)
    }
}
