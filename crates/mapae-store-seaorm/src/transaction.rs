use std::future::Future;
use std::time::Duration;

use async_trait::async_trait;
use mapae_application::ports::{ReadView, StoreError, UnitOfWork};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr,
    EntityTrait, ExecResult, IntoActiveModel, QueryResult, QueryTrait as _, RuntimeErr, Statement,
};
use tracing::Span;

use crate::error::store_error;

/// Every repository over one transaction. Dropped, it is rolled back.
///
/// A view is one of a connection that only reads, so the type that both share cannot write through
/// it. The span lasts as long as it does.
pub(crate) struct Transaction(pub(crate) Bounded, pub(crate) Span);

/// A transaction that waits for its database for so long, at each statement and at its commit, and
/// no longer: one that has stopped to answer keeps its connections, and would keep whoever asks.
///
/// What became of a statement that was not waited for nobody knows. It is undone with the
/// transaction; of a commit its caller learns by asking again.
pub(crate) struct Bounded {
    transaction: DatabaseTransaction,
    patience: Duration,
}

/// Waits for the database for so long.
///
/// # Errors
/// What the database says, or that it said nothing.
pub(crate) async fn bounded<T>(
    patience: Duration,
    asked: impl Future<Output = Result<T, DbErr>>,
) -> Result<T, DbErr> {
    let no_answer =
        || DbErr::Conn(RuntimeErr::Internal("the database did not answer in time".to_owned()));
    tokio::time::timeout(patience, asked).await.unwrap_or_else(|_| Err(no_answer()))
}

impl Bounded {
    /// Begins one, by a future that does.
    ///
    /// # Errors
    /// What the database says, or that it said nothing.
    pub(crate) async fn begin(
        patience: Duration,
        begun: impl Future<Output = Result<DatabaseTransaction, DbErr>>,
    ) -> Result<Self, DbErr> {
        Ok(Self { transaction: bounded(patience, begun).await?, patience })
    }

    /// Ends it, and takes nothing back.
    ///
    /// # Errors
    /// What the database says, or that it said nothing.
    pub(crate) async fn commit(self) -> Result<(), DbErr> {
        bounded(self.patience, self.transaction.commit()).await
    }
}

#[async_trait]
impl ConnectionTrait for Bounded {
    fn get_database_backend(&self) -> DbBackend {
        self.transaction.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        bounded(self.patience, self.transaction.execute_raw(statement)).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        bounded(self.patience, self.transaction.execute_unprepared(sql)).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        bounded(self.patience, self.transaction.query_one_raw(statement)).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        bounded(self.patience, self.transaction.query_all_raw(statement)).await
    }
}

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
        let Self(transaction, span) = *self;
        transaction.commit().await.map_err(store_error)?;
        span.record("outcome", "committed");
        Ok(())
    }
}
