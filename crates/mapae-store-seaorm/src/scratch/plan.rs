//! What a store does, and how the database would go about it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use sea_orm::{
    ConnectionTrait as _, DatabaseConnection, DbBackend, DbErr, QueryResult, Statement, Value,
    Values,
};

use super::fill;

/// Tables of which all is read: there are a few signing keys, one row a lock, and the inbox is
/// development's.
const FEW_ROWS: [&str; 3] = ["signing_keys", "locks", "inbox"];

/// What is greater than this is an instant in microseconds, and no counter: it would be of 2001.
const AN_INSTANT: i64 = 1_000_000_000_000_000;

/// Every statement that a store has run, each once, with the values of one of its runs.
#[derive(Clone, Default)]
pub struct Overheard(Arc<Mutex<BTreeMap<String, Statement>>>);

/// How a database would go about a statement.
#[derive(Debug)]
pub struct Plan {
    /// The statement.
    pub statement: String,
    /// What the database says of it, a line a step.
    pub steps: Vec<String>,
    /// Whether it would read all of a table, or all of an index.
    pub scans: bool,
}

impl Plan {
    /// The statement without its columns.
    pub fn words(&self) -> String {
        let words = self.statement.replace(['"', '`'], "");
        let columns = words
            .split_once(" FROM ")
            .filter(|_| words.starts_with("SELECT"))
            .map(|(_, rest)| format!("SELECT … FROM {rest}"));
        let values = words.split_once(" SET ").and_then(|(table, rest)| {
            Some(format!("{table} SET … WHERE {}", rest.split_once(" WHERE ")?.1))
        });
        columns.or(values).unwrap_or(words)
    }
}

/// How plans are asked for.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    /// By how many microseconds the rows are younger than the statements.
    pub younger: i64,
    /// Whether PostgreSQL is told to read no table whole that it can help, as it likes to where there are
    /// few rows. One without an index it still reads whole.
    pub few_rows: bool,
}

impl Overheard {
    pub(crate) fn note(&self, statement: &Statement) {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        heard.entry(shape(&statement.sql)).or_insert_with(|| statement.clone());
    }

    /// Asks the database that `url` leads to, filled by [`fill`](super::fill), for its plan of each
    /// statement that looks for rows.
    ///
    /// # Errors
    /// What the database says.
    pub async fn plans(&self, url: &str, asked: Asked) -> Result<Vec<Plan>, DbErr> {
        let heard = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let connection = super::connect(url).await?;
        if asked.few_rows && connection.get_database_backend() == DbBackend::Postgres {
            connection.execute_unprepared("SET enable_seqscan = off").await?;
        }
        let mut plans = Vec::new();
        for statement in heard.into_values().filter(looks_for_rows) {
            plans.push(plan(&connection, statement, asked.younger).await?);
        }
        connection.close().await?;
        Ok(plans)
    }
}

/// A statement without how many values a list has.
fn shape(sql: &str) -> String {
    let mut shape = String::with_capacity(sql.len());
    let mut after_a_dollar = false;
    for character in sql.chars() {
        after_a_dollar = character == '$' || (after_a_dollar && character.is_ascii_digit());
        if !(after_a_dollar && character.is_ascii_digit()) {
            shape.push(character);
        }
    }
    shape.replace(", ?", "").replace(", $", "")
}

fn looks_for_rows(statement: &Statement) -> bool {
    let sql = statement.sql.replace(['"', '`'], "");
    let of_few = FEW_ROWS.iter().any(|table| {
        sql.contains(&format!("FROM {table}")) || sql.starts_with(&format!("UPDATE {table}"))
    });
    let looks = ["SELECT ", "UPDATE ", "DELETE "].iter().any(|verb| sql.starts_with(verb));
    // What only asks whether the database answers has no table, and a list of nothing finds nothing.
    looks && !of_few && !sql.starts_with("SELECT 1 ") && !sql.contains(" 1 = 2")
}

/// A value of a statement as it would be of the rows that are there: ids are those of rows, and instants
/// as far from the rows' as they were.
fn of_the_rows(value: Value, ids: &mut i64, younger: i64) -> Value {
    match value {
        Value::Uuid(Some(_)) => {
            *ids += 1;
            Value::Uuid(Some(fill::id(*ids)))
        }
        Value::BigInt(Some(at)) if at > AN_INSTANT => Value::BigInt(Some(at + younger)),
        other => other,
    }
}

async fn plan(
    connection: &DatabaseConnection,
    statement: Statement,
    younger: i64,
) -> Result<Plan, DbErr> {
    let backend = connection.get_database_backend();
    let Values(values) = statement.values.unwrap_or(Values(Vec::new()));
    let mut ids = 0;
    let values = values.into_iter().map(|value| of_the_rows(value, &mut ids, younger));
    let explain = match backend {
        DbBackend::Sqlite => "EXPLAIN QUERY PLAN",
        _ => "EXPLAIN",
    };
    let asked = format!("{explain} {}", statement.sql);
    let asked = Statement::from_sql_and_values(backend, asked, values);
    let rows = connection.query_all_raw(asked).await?;
    let steps = rows.iter().map(|row| step(backend, row)).collect::<Result<Vec<_>, _>>()?;
    let scans = match backend {
        DbBackend::Postgres => postgres_scans(&steps),
        DbBackend::MySql => {
            steps.iter().any(|step| step.contains(" by ALL ") || step.contains(" by index "))
        }
        _ => steps.iter().any(|step| step.starts_with("SCAN") && step != "SCAN CONSTANT ROW"),
    };
    Ok(Plan { statement: statement.sql, steps, scans })
}

fn step(backend: DbBackend, row: &QueryResult) -> Result<String, DbErr> {
    match backend {
        DbBackend::Postgres => row.try_get_by_index(0),
        DbBackend::MySql => {
            let column =
                |name| Ok::<_, DbErr>(row.try_get::<Option<String>>("", name)?.unwrap_or_default());
            let (table, access, key) = (column("table")?, column("type")?, column("key")?);
            Ok(format!("{table} by {access} {key}; {}", column("Extra")?))
        }
        _ => row.try_get("", "detail"),
    }
}

/// Whether a table is read whole, or an index from end to end: one without a condition.
fn postgres_scans(steps: &[String]) -> bool {
    let is_node = |step: &String| step.contains("  (cost=");
    steps.iter().enumerate().any(|(nth, step)| {
        let by_index = ["Index Scan", "Index Only Scan"].iter().any(|name| step.contains(name));
        let mut details = steps.iter().skip(nth + 1).take_while(|step| !is_node(step));
        step.contains("Seq Scan on")
            || (is_node(step) && by_index && !details.any(|detail| detail.contains("Index Cond")))
    })
}
