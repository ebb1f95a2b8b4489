use async_trait::async_trait;
use mapae_application::ports::{ReadView, StoreError, UnitOfWork};
use sea_orm::sea_query::{IntoIden, OnConflict};
use sea_orm::{
    ActiveModelTrait, ConnectionTrait as _, DatabaseTransaction, DbBackend, EntityTrait,
    IntoActiveModel,
};

use crate::error::{is_unique_violation, store_error};

/// Every repository over one transaction. Dropped, it is rolled back.
///
/// A view is one of a connection that only reads, so the type that both share cannot write through
/// it.
pub(crate) struct Transaction(pub(crate) DatabaseTransaction);

impl Transaction {
    /// Inserts a row, unless there is one with the same `key`: one atomic step, and no error, which
    /// on PostgreSQL would end the transaction. Says whether it did.
    pub(crate) async fn insert_unless_there<M, A>(
        &self,
        row: M,
        key: impl IntoIterator<Item = impl IntoIden>,
    ) -> Result<bool, StoreError>
    where
        M: IntoActiveModel<A>,
        A: ActiveModelTrait,
        <A::Entity as EntityTrait>::Model: IntoActiveModel<A>,
    {
        let insert = A::Entity::insert(row.into_active_model().reset_all());
        // MariaDB does not tell the one from the other where a conflict is no error; there, an
        // error ends the statement alone.
        if self.0.get_database_backend() == DbBackend::MySql {
            return match insert.exec_without_returning(&self.0).await {
                Ok(_) => Ok(true),
                Err(error) if is_unique_violation(&error) => Ok(false),
                Err(error) => Err(store_error(error)),
            };
        }
        let unless_there = OnConflict::columns(key).do_nothing().to_owned();
        let inserted = insert
            .on_conflict(unless_there)
            .exec_without_returning(&self.0)
            .await
            .map_err(store_error)?;
        Ok(inserted == 1)
    }
}

impl ReadView for Transaction {}

#[async_trait]
impl UnitOfWork for Transaction {
    async fn commit(self: Box<Self>) -> Result<(), StoreError> {
        self.0.commit().await.map_err(store_error)
    }
}
