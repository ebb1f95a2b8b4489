use async_trait::async_trait;
use mapae_application::ports::store::{SigningKeyReads, SigningKeyWrites};
use mapae_application::ports::{SigningKeyRecord, StoreError};
use mapae_domain::Timestamp;
use sea_orm::{ActiveModelTrait as _, EntityTrait as _, IntoActiveModel as _, QueryOrder as _};

use crate::entity::signing_key::{Column, Entity, Model};
use crate::error::store_error;
use crate::transaction::Transaction;

#[async_trait]
impl SigningKeyReads for Transaction {
    async fn signing_keys(&mut self) -> Result<Vec<SigningKeyRecord>, StoreError> {
        let rows = Entity::find()
            .order_by_asc(Column::CreatedAt)
            .order_by_asc(Column::Kid)
            .all(&self.0)
            .await
            .map_err(store_error)?;
        let read = |row: Model| SigningKeyRecord {
            kid: row.kid,
            algorithm: row.algorithm,
            sealed: row.sealed,
            created_at: Timestamp::from_micros(row.created_at),
        };
        Ok(rows.into_iter().map(read).collect())
    }
}

#[async_trait]
impl SigningKeyWrites for Transaction {
    async fn insert_signing_key(&mut self, key: &SigningKeyRecord) -> Result<(), StoreError> {
        let row = Model {
            kid: key.kid.clone(),
            algorithm: key.algorithm.clone(),
            sealed: key.sealed.clone(),
            created_at: key.created_at.as_micros(),
        };
        let row = row.into_active_model().reset_all();
        Entity::insert(row).exec_without_returning(&self.0).await.map_err(store_error)?;
        Ok(())
    }
}
