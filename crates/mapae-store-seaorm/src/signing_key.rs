use async_trait::async_trait;
use mapae_application::ports::store::{SigningKeyReads, SigningKeyWrites};
use mapae_application::ports::{SigningKeyRecord, StoreError};
use mapae_domain::Timestamp;
use mapae_domain::signing_key::KeyLife;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, EntityTrait as _, IntoActiveModel as _,
    QueryFilter as _, QueryOrder as _, QuerySelect as _,
};

use crate::entity::lock;
use crate::entity::signing_key::{Column, Entity, Model};
use crate::error::store_error;
use crate::transaction::Transaction;

/// The row that is locked by whoever is about to change the signing keys.
const SIGNING_KEYS: &str = "signing_keys";

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
            life: KeyLife {
                created_at: Timestamp::from_micros(row.created_at),
                signs_from: Timestamp::from_micros(row.signs_from),
                retired_at: row.retired_at.map(Timestamp::from_micros),
            },
        };
        Ok(rows.into_iter().map(read).collect())
    }
}

#[async_trait]
impl SigningKeyWrites for Transaction {
    async fn lock_signing_keys(&mut self) -> Result<Vec<SigningKeyRecord>, StoreError> {
        // There may be no key yet to lock.
        let turn = lock::Entity::find_by_id(SIGNING_KEYS).lock_exclusive();
        let turn = turn.one(&self.0).await.map_err(store_error)?;
        turn.ok_or(StoreError::Corrupt("the lock of the signing keys is missing"))?;
        self.signing_keys().await
    }

    async fn insert_signing_key(&mut self, key: &SigningKeyRecord) -> Result<(), StoreError> {
        let row = Model {
            kid: key.kid.clone(),
            algorithm: key.algorithm.clone(),
            sealed: key.sealed.clone(),
            created_at: key.life.created_at.as_micros(),
            signs_from: key.life.signs_from.as_micros(),
            retired_at: key.life.retired_at.map(Timestamp::as_micros),
        };
        let row = row.into_active_model().reset_all();
        Entity::insert(row).exec_without_returning(&self.0).await.map_err(store_error)?;
        Ok(())
    }

    async fn retire_signing_key(&mut self, kid: &str, at: Timestamp) -> Result<bool, StoreError> {
        let retired = Entity::update_many()
            .col_expr(Column::RetiredAt, Expr::value(at.as_micros()))
            .filter(Column::Kid.eq(kid))
            .filter(Column::RetiredAt.is_null())
            .exec(&self.0)
            .await
            .map_err(store_error)?;
        Ok(retired.rows_affected == 1)
    }
}
