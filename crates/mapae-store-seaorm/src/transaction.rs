use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use mapae_application::ports::{Queued, ReadView, StoreError, UnitOfWork};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr,
    EntityTrait, ExecResult, IntoActiveModel, QueryResult, QueryTrait as _, RuntimeErr, Statement,
};
use tokio::runtime::Handle;
use tokio::time::{sleep, timeout};
use tracing::Span;

use crate::error::store_error;

/// Every repository over one transaction. Dropped, it is rolled back.
///
/// A view is one of a connection that only reads, so the type that both share cannot write through
/// it. The span lasts as long as it does, and what was queued is said by its commit.
pub(crate) struct Transaction(pub(crate) Bounded, pub(crate) Span, pub(crate) Queued);

/// How often the time for an answer passes before a connection counts as lost.
const LOST_AFTER: u32 = 8;

/// How long the database is waited for, and what has been given up.
#[derive(Clone)]
pub(crate) struct Patience {
    answer: Duration,
    given_up: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
}

impl Patience {
    pub(crate) fn new(answer: Duration) -> Self {
        Self { answer, given_up: Arc::default(), is_over: Arc::default() }
    }

    /// How long an answer is waited for.
    pub(crate) fn answer(&self) -> Duration {
        self.answer
    }

    /// How long a question without an answer is waited for before its connection counts as lost.
    pub(crate) fn lost_after(&self) -> Duration {
        self.answer * LOST_AFTER
    }

    /// Says that nobody asks any more.
    pub(crate) fn end(&self) {
        self.is_over.store(true, Ordering::Release);
    }

    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    /// Whether a connection was given up only now. Nothing tells which of those that come back it is, and
    /// it must serve nobody any more.
    pub(crate) fn has_just_given_up(&self) -> bool {
        self.given_up.load(Ordering::Acquire) > 0
    }

    /// Waits on for a question that its owner waits for no longer, and gives it up with its connection
    /// where its host is gone without a word: the network would take a quarter of an hour to find out.
    async fn wait_on<T>(self, mut question: Pin<Box<dyn Future<Output = T> + Send>>) {
        if timeout(self.lost_after(), &mut question).await.is_err() {
            // Before the connection is let go.
            self.given_up.fetch_add(1, Ordering::AcqRel);
            drop(question);
            // Long after it has come back.
            sleep(self.answer).await;
            self.given_up.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

/// A transaction that waits for its database for so long, at each statement and at its commit, and
/// no longer: one that has stopped to answer keeps its connections, and would keep whoever asks.
///
/// What became of a statement that was not waited for nobody knows. It is undone with the
/// transaction; of a commit its caller learns by asking again.
pub(crate) struct Bounded {
    transaction: Arc<DatabaseTransaction>,
    patience: Patience,
    /// Whether a question is without an answer, or was answered by an error: nothing more is asked then, and
    /// nothing committed. On PostgreSQL a commit after an error would be answered with a yes.
    is_asked: AtomicBool,
}

/// A question to the database that is brought to its end, though whoever asked waits no longer or has
/// gone: a driver whose question was dropped in the midst takes the rest of the answer for that to the
/// next, and does not know what it has begun.
struct ToItsEnd<T: Send + 'static> {
    question: Option<Pin<Box<dyn Future<Output = T> + Send>>>,
    is_begun: bool,
    patience: Patience,
}

impl<T: Send + 'static> Future for ToItsEnd<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        self.is_begun = true;
        let Some(question) = &mut self.question else { return Poll::Pending };
        let answer = question.as_mut().poll(context);
        if answer.is_ready() {
            self.question = None;
        }
        answer
    }
}

impl<T: Send + 'static> Drop for ToItsEnd<T> {
    fn drop(&mut self) {
        let Some(question) = self.question.take().filter(|_| self.is_begun) else { return };
        // Without a runtime the process ends, and its connections with it.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(self.patience.clone().wait_on(question));
        }
    }
}

/// Asks the database, and waits for so long.
///
/// # Errors
/// What the database says, or that it said nothing.
pub(crate) async fn bounded<T: Send + 'static>(
    patience: &Patience,
    question: impl Future<Output = Result<T, DbErr>> + Send + 'static,
) -> Result<T, DbErr> {
    let question = Some(Box::pin(question) as Pin<Box<dyn Future<Output = _> + Send>>);
    let question = ToItsEnd { question, is_begun: false, patience: patience.clone() };
    timeout(patience.answer, question).await.unwrap_or_else(|_| Err(no_answer()))
}

fn no_answer() -> DbErr {
    DbErr::Conn(RuntimeErr::Internal("the database did not answer in time".to_owned()))
}

impl Bounded {
    /// Begins one, by a future that does.
    ///
    /// # Errors
    /// What the database says, or that it said nothing.
    pub(crate) async fn begin(
        patience: &Patience,
        begun: impl Future<Output = Result<DatabaseTransaction, DbErr>> + Send + 'static,
    ) -> Result<Self, DbErr> {
        let transaction = Arc::new(bounded(patience, begun).await?);
        Ok(Self { transaction, patience: patience.clone(), is_asked: AtomicBool::new(false) })
    }

    /// Ends it, and takes nothing back.
    ///
    /// # Errors
    /// What the database says, or that it said nothing, now or to a statement before.
    pub(crate) async fn commit(self) -> Result<(), DbErr> {
        if self.is_asked.into_inner() {
            return Err(no_answer());
        }
        let transaction = Arc::try_unwrap(self.transaction).map_err(|_| no_answer())?;
        bounded(&self.patience, transaction.commit()).await
    }

    /// Asks within it.
    async fn ask<T, F>(
        &self,
        question: impl FnOnce(Arc<DatabaseTransaction>) -> F,
    ) -> Result<T, DbErr>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, DbErr>> + Send + 'static,
    {
        if self.is_asked.swap(true, Ordering::AcqRel) {
            return Err(no_answer());
        }
        let answer = bounded(&self.patience, question(Arc::clone(&self.transaction))).await?;
        self.is_asked.store(false, Ordering::Release);
        Ok(answer)
    }
}

#[async_trait]
impl ConnectionTrait for Bounded {
    fn get_database_backend(&self) -> DbBackend {
        self.transaction.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.ask(|transaction| async move { transaction.execute_raw(statement).await }).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        let sql = sql.to_owned();
        self.ask(|transaction| async move { transaction.execute_unprepared(&sql).await }).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.ask(|transaction| async move { transaction.query_one_raw(statement).await }).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.ask(|transaction| async move { transaction.query_all_raw(statement).await }).await
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
    async fn commit(self: Box<Self>) -> Result<Queued, StoreError> {
        let Self(transaction, span, queued) = *self;
        transaction.commit().await.map_err(store_error)?;
        span.record("outcome", "committed");
        Ok(queued)
    }
}
