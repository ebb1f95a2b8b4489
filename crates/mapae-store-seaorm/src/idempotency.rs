use async_trait::async_trait;
use mapae_application::idempotency::{IdempotencyClaim, IdempotencyOutcome};
use mapae_application::ports::StoreError;
use mapae_application::ports::store::{IdempotencyReads, IdempotencyWrites};
use mapae_domain::Timestamp;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _};

use crate::convert::{bytes, hash};
use crate::entity::idempotency_key::{Column, Entity, Model};
use crate::error::store_error;
use crate::transaction::Transaction;

#[async_trait]
impl IdempotencyReads for Transaction {
    async fn find_idempotency_key(
        &mut self,
        claim: &IdempotencyClaim,
        now: Timestamp,
    ) -> Result<IdempotencyOutcome, StoreError> {
        let find = Entity::find_by_id(bytes(&claim.key));
        let Some(row) = find.one(&self.0).await.map_err(store_error)? else {
            return Ok(IdempotencyOutcome::Fresh);
        };
        if Timestamp::from_micros(row.expires_at).is_expired(now) {
            return Ok(IdempotencyOutcome::Fresh);
        }
        if hash(&row.content_hash)?.matches(&claim.content) {
            Ok(IdempotencyOutcome::Repeat(row.resource))
        } else {
            Ok(IdempotencyOutcome::Mismatch)
        }
    }
}

#[async_trait]
impl IdempotencyWrites for Transaction {
    async fn claim_idempotency_key(
        &mut self,
        claim: &IdempotencyClaim,
        now: Timestamp,
    ) -> Result<IdempotencyOutcome, StoreError> {
        let row = Model {
            key_hash: bytes(&claim.key),
            content_hash: bytes(&claim.content),
            resource: claim.resource,
            expires_at: claim.expires_at.as_micros(),
        };
        if self.insert_unless_there(row, [Column::KeyHash]).await? {
            return Ok(IdempotencyOutcome::Fresh);
        }
        let taken_over = Entity::update_many()
            .col_expr(Column::ContentHash, Expr::value(bytes(&claim.content)))
            .col_expr(Column::Resource, Expr::value(claim.resource))
            .col_expr(Column::ExpiresAt, Expr::value(claim.expires_at.as_micros()))
            .filter(Column::KeyHash.eq(bytes(&claim.key)))
            .filter(Column::ExpiresAt.lte(now.as_micros()))
            .exec(&self.0)
            .await
            .map_err(store_error)?;
        if taken_over.rows_affected == 1 {
            return Ok(IdempotencyOutcome::Fresh);
        }
        match self.find_idempotency_key(claim, now).await? {
            // It was there, and was removed as over meanwhile: nothing is claimed yet.
            IdempotencyOutcome::Fresh => Err(StoreError::Stale),
            known => Ok(known),
        }
    }
}
