use async_trait::async_trait;
use mapae_application::ports::{ReadView, StoreError, UnitOfWork};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait as _, DatabaseTransaction, DbBackend,
    EntityTrait, IntoActiveModel, QueryTrait as _,
};

use crate::error::store_error;

/// Every repository over one transaction. Dropped, it is rolled back.
///
/// A view is one of a connection that only reads, so the type that both share cannot write through
/// it.
pub(crate) struct Transaction(pub(crate) DatabaseTransaction);

/// What MariaDB does with a row that is there: nothing, but for a mark in its answer. It locks the row
/// for changing then, as an error would not: those who wait for it do so in a line, not in a circle.
fn marked<C: ColumnTrait>(key: C) -> OnConflict {
    let name = key.as_str();
    let unchanged = Expr::cust(format!("IF(LAST_INSERT_ID(1), `{name}`, `{name}`)"));
    OnConflict::new().value(key, unchanged).to_owned()
}

impl Transaction {
    /// Inserts a row, unless there is one with the same `key`: one atomic step, and no error, which
    /// on PostgreSQL would end the transaction. Says whether it did.
    pub(crate) async fn insert_unless_there<M, A, const N: usize>(
        &self,
        row: M,
        key: [<A::Entity as EntityTrait>::Column; N],
    ) -> Result<bool, StoreError>
    where
        M: IntoActiveModel<A>,
        A: ActiveModelTrait,
        <A::Entity as EntityTrait>::Model: IntoActiveModel<A>,
    {
        let insert = A::Entity::insert(row.into_active_model().reset_all());
        if self.0.get_database_backend() == DbBackend::MySql {
            let Some(first) = key.first() else { return Ok(false) };
            let insert = insert.on_conflict(marked(*first)).into_query();
            let done = self.0.execute(&insert).await.map_err(store_error)?;
            return Ok(done.last_insert_id() == 0);
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
