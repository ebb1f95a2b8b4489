//! A table, by what its entity says of it.

use std::marker::PhantomData;

use async_trait::async_trait;
use mapae_application::ports::StoreError;
use sea_orm::sea_query::{Expr, Query};
use sea_orm::{
    ColumnTrait, ConnectionTrait as _, DatabaseTransaction, DbBackend, DbErr, EntityTrait,
    IdenStatic as _, Iterable as _, ModelTrait as _, PrimaryKeyToColumn as _, PrimaryKeyTrait as _,
    QueryFilter as _, QueryOrder as _, QuerySelect as _, Statement, Value,
};
use serde_json::{Map, Value as Json};

use super::file::LineFault;
use super::value::{Kind, written};
use crate::error::store_error;

/// A row to insert: its values in the order of the entity's columns.
pub(super) type Row = Vec<Value>;

/// Rows of a table, and the key of the last of them.
pub(super) struct Batch {
    pub(super) rows: Vec<Map<String, Json>>,
    pub(super) last: Option<Value>,
}

/// What is done with a table, whichever it is.
#[async_trait]
pub(super) trait Table: Send + Sync {
    /// Its name in the database, and in the file.
    fn name(&self) -> &'static str;

    /// The next rows after a key, in its order.
    async fn rows_after(
        &self,
        view: &DatabaseTransaction,
        key: Option<Value>,
    ) -> Result<Batch, StoreError>;

    /// Reads a row: every column of the table, and no other.
    fn read(&self, row: Map<String, Json>) -> Result<Row, LineFault>;

    /// Whether it has no row.
    async fn is_empty(&self, work: &DatabaseTransaction) -> Result<bool, StoreError>;

    /// Inserts rows by one statement.
    async fn insert(&self, work: &DatabaseTransaction, rows: &[&Row]) -> Result<(), DbErr>;

    /// Has keys that the database makes by itself go on after those that were inserted.
    async fn go_on_counting(&self, work: &DatabaseTransaction) -> Result<(), DbErr>;
}

/// The table of an entity.
pub(super) struct Of<E>(PhantomData<fn() -> E>);

impl<E: EntityTrait> Of<E> {
    pub(super) const NEW: Self = Self(PhantomData);

    /// The column of the key: every table has one of one column.
    fn key() -> Option<E::Column> {
        E::PrimaryKey::iter().next().map(|key| key.into_column())
    }

    fn write(row: &E::Model) -> Option<Map<String, Json>> {
        let form =
            |column: E::Column| Some((column.as_str().to_owned(), written(row.get(column))?));
        E::Column::iter().map(form).collect()
    }
}

/// What a column of a row must be, taken out of the row.
fn taken<C: ColumnTrait>(column: C, row: &mut Map<String, Json>) -> Result<Value, LineFault> {
    let value = row.remove(column.as_str()).ok_or(LineFault::Lacks(column.as_str()))?;
    let wrong = LineFault::WrongKind(column.as_str());
    let expected = column.def();
    if value.is_null() && !expected.is_null() {
        return Err(wrong);
    }
    Kind::of(expected.get_column_type()).and_then(|kind| kind.read(value)).ok_or(wrong)
}

#[async_trait]
impl<E: EntityTrait> Table for Of<E>
where
    E::Model: Sync,
{
    fn name(&self) -> &'static str {
        E::default().as_str()
    }

    async fn rows_after(
        &self,
        view: &DatabaseTransaction,
        after: Option<Value>,
    ) -> Result<Batch, StoreError> {
        let key = Self::key().ok_or(StoreError::Corrupt("a table has no key"))?;
        let mut find = E::find().order_by_asc(key).limit(super::BATCH as u64);
        if let Some(after) = after {
            find = find.filter(key.gt(after));
        }
        let found = find.all(view).await.map_err(store_error)?;
        let last = found.last().map(|row| row.get(key));
        let rows: Option<Vec<_>> = found.iter().map(Self::write).collect();
        let rows = rows.ok_or(StoreError::Corrupt("a column has no form in the file"))?;
        Ok(Batch { rows, last })
    }

    fn read(&self, mut row: Map<String, Json>) -> Result<Row, LineFault> {
        let values =
            E::Column::iter().map(|column| taken(column, &mut row)).collect::<Result<_, _>>()?;
        match row.is_empty() {
            true => Ok(values),
            false => Err(LineFault::UnknownColumn),
        }
    }

    async fn is_empty(&self, work: &DatabaseTransaction) -> Result<bool, StoreError> {
        let found = E::find().one(work).await.map_err(store_error)?;
        Ok(found.is_none())
    }

    async fn insert(&self, work: &DatabaseTransaction, rows: &[&Row]) -> Result<(), DbErr> {
        let mut insert = Query::insert();
        insert.into_table(E::default().table_ref()).columns(E::Column::iter());
        for row in rows {
            let values = row.iter().cloned().map(Expr::value);
            insert
                .values(values)
                .map_err(|error| DbErr::Query(sea_orm::RuntimeErr::Internal(error.to_string())))?;
        }
        work.execute(&insert).await.map(drop)
    }

    async fn go_on_counting(&self, work: &DatabaseTransaction) -> Result<(), DbErr> {
        // The others count on by themselves.
        let counts = E::PrimaryKey::auto_increment();
        if !counts || work.get_database_backend() != DbBackend::Postgres {
            return Ok(());
        }
        let Some(key) = Self::key() else { return Ok(()) };
        let (table, key) = (self.name(), key.as_str());
        let sql = format!(
            "SELECT setval(pg_get_serial_sequence('{table}', '{key}'), MAX({key})) FROM {table}"
        );
        work.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await.map(drop)
    }
}
