use async_trait::async_trait;
use mapae_application::ports::{ReadView, StoreError, UnitOfWork};
use sea_orm::DatabaseTransaction;

use crate::error::store_error;

/// Every repository over one transaction. Dropped, it is rolled back.
///
/// A view is one of a connection that only reads, so the type that both share cannot write through
/// it.
pub(crate) struct Transaction(pub(crate) DatabaseTransaction);

impl ReadView for Transaction {}

#[async_trait]
impl UnitOfWork for Transaction {
    async fn commit(self: Box<Self>) -> Result<(), StoreError> {
        self.0.commit().await.map_err(store_error)
    }
}
