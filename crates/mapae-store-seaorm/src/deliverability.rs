use async_trait::async_trait;
use mapae_application::ports::StoreError;
use mapae_application::ports::store::{DeliverabilityReads, DeliverabilityWrites};
use mapae_domain::{Deliverability, SecretHash, Timestamp};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveModelTrait as _, EntityTrait as _, IntoActiveModel as _};

use crate::convert::{bytes, known};
use crate::entity::address_mark::{Column, Entity, Model};
use crate::error::store_error;
use crate::transaction::Transaction;

#[async_trait]
impl DeliverabilityReads for Transaction {
    async fn deliverability(&mut self, address: &SecretHash) -> Result<Deliverability, StoreError> {
        let mark = Entity::find_by_id(bytes(address)).one(&self.0).await.map_err(store_error)?;
        match mark {
            Some(mark) => known(Deliverability::from_name(&mark.deliverability)),
            None => Ok(Deliverability::Deliverable),
        }
    }
}

#[async_trait]
impl DeliverabilityWrites for Transaction {
    async fn mark_address(
        &mut self,
        address: &SecretHash,
        deliverability: Deliverability,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let address_hash = bytes(address);
        if deliverability == Deliverability::Deliverable {
            Entity::delete_by_id(address_hash).exec(&self.0).await.map_err(store_error)?;
            return Ok(());
        }
        let deliverability = deliverability.as_str().to_owned();
        let mark = Model { address_hash, deliverability, marked_at: now.as_micros() };
        let replace = OnConflict::column(Column::AddressHash)
            .update_columns([Column::Deliverability, Column::MarkedAt])
            .to_owned();
        Entity::insert(mark.into_active_model().reset_all())
            .on_conflict(replace)
            .exec_without_returning(&self.0)
            .await
            .map_err(store_error)?;
        Ok(())
    }
}
