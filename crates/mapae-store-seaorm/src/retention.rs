use async_trait::async_trait;
use mapae_application::ports::StoreError;
use mapae_application::ports::store::{Expiring, RetentionWrites};
use mapae_domain::{DeliveryStatus, Timestamp};
use sea_orm::prelude::Uuid;
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, QueryFilter as _, QueryOrder as _, QuerySelect as _,
    TryGetable, Value,
};

use crate::entity::{
    audit_entry, contact_sends, contact_undo, idempotency_key, outbox, registration, session,
    username, verification,
};
use crate::error::store_error;
use crate::transaction::Transaction;

impl Transaction {
    /// Deletes up to `limit` rows whose `at` is not after `before`, oldest first.
    ///
    /// Which they are is read first: no two of the databases delete with a limit alike.
    async fn delete_oldest<E, K>(
        &self,
        (key, at): (E::Column, E::Column),
        also: Condition,
        before: Timestamp,
        limit: u32,
    ) -> Result<u64, StoreError>
    where
        E: EntityTrait,
        K: TryGetable + Into<Value> + Clone,
    {
        let over = also.add(at.lte(before.as_micros()));
        let due = E::find()
            .select_only()
            .column(key)
            .filter(over.clone())
            .order_by_asc(at)
            .limit(u64::from(limit));
        let due: Vec<K> = due.into_tuple().all(&self.0).await.map_err(store_error)?;
        if due.is_empty() {
            return Ok(0);
        }
        // Still so: one that was refreshed meanwhile stays.
        let delete = E::delete_many().filter(key.is_in(due)).filter(over);
        Ok(delete.exec(&self.0).await.map_err(store_error)?.rows_affected)
    }
}

#[async_trait]
impl RetentionWrites for Transaction {
    async fn delete_expired(
        &mut self,
        what: Expiring,
        before: Timestamp,
        limit: u32,
    ) -> Result<u64, StoreError> {
        let all = Condition::all();
        match what {
            Expiring::Registrations => {
                use registration::{Column, Entity};
                let columns = (Column::Id, Column::ExpiresAt);
                self.delete_oldest::<Entity, Uuid>(columns, all, before, limit).await
            }
            Expiring::Verifications => {
                use verification::{Column, Entity};
                let columns = (Column::Id, Column::ExpiresAt);
                self.delete_oldest::<Entity, Uuid>(columns, all, before, limit).await
            }
            Expiring::ContactSends => {
                use contact_sends::{Column, Entity};
                let columns = (Column::ContactHash, Column::WindowEndsAt);
                self.delete_oldest::<Entity, Vec<u8>>(columns, all, before, limit).await
            }
            Expiring::Usernames => {
                use username::{Column, Entity};
                // What is a user's has no time.
                let columns = (Column::Username, Column::ExpiresAt);
                self.delete_oldest::<Entity, String>(columns, all, before, limit).await
            }
            Expiring::Sessions => {
                use session::{Column, Entity};
                let columns = (Column::Id, Column::IdleExpiresAt);
                self.delete_oldest::<Entity, Uuid>(columns, all, before, limit).await
            }
            Expiring::ContactUndos => {
                use contact_undo::{Column, Entity};
                let columns = (Column::KeyHash, Column::ExpiresAt);
                self.delete_oldest::<Entity, Vec<u8>>(columns, all, before, limit).await
            }
            Expiring::IdempotencyKeys => {
                use idempotency_key::{Column, Entity};
                let columns = (Column::KeyHash, Column::ExpiresAt);
                self.delete_oldest::<Entity, Vec<u8>>(columns, all, before, limit).await
            }
            Expiring::Messages => {
                use outbox::{Column, Entity};
                let done = all
                    .add(Column::Status.ne(DeliveryStatus::Queued.as_str()))
                    .add(Column::AskAt.is_null());
                let columns = (Column::Id, Column::UpdatedAt);
                self.delete_oldest::<Entity, Uuid>(columns, done, before, limit).await
            }
            Expiring::AuditEntries => {
                use audit_entry::{Column, Entity};
                let columns = (Column::Id, Column::At);
                self.delete_oldest::<Entity, Uuid>(columns, all, before, limit).await
            }
        }
    }
}
