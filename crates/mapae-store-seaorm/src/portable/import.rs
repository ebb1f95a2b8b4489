use std::io::BufRead;

use mapae_application::ports::{SecretHasher, StoreError};
use sea_orm::{
    DatabaseTransaction, DbErr, EntityTrait as _, QuerySelect as _, RuntimeErr, SqlErr,
    TransactionTrait as _,
};

use super::file::{End, ImportError, LineFault, Lines, Read};
use super::table::{Row, Table};
use super::{BATCH, TABLES, Tally};
use crate::connection::SeaOrmStore;
use crate::entity::lock;
use crate::error::store_error;

/// How many bytes of lines are written at once, at the most: a statement of MariaDB has 16 MiB.
const BATCH_BYTES: usize = 1024 * 1024;

fn store(error: DbErr) -> ImportError {
    ImportError::Store(store_error(error))
}

impl SeaOrmStore {
    /// Brings in what [`SeaOrmStore::export`] has written, from any database, and says how much it was.
    /// It is one transaction, and keeps others from beginning to serve: all of it is there, or none. A
    /// `trial` does all of that, and leaves nothing behind.
    ///
    /// # Errors
    /// [`ImportError`], and no row is changed; PostgreSQL may go on counting from where the last row was.
    pub async fn import(
        &self,
        secrets: &dyn SecretHasher,
        input: &mut dyn BufRead,
        trial: bool,
    ) -> Result<Tally, ImportError> {
        let lines = Lines::open(input, secrets)?;
        self.check_own_schema().await?;
        let work = self.begin_alone().await?;
        let imported = fill(&work, lines, trial).await;
        let unlocked = self.leave_alone(&work).await;
        let keeps = imported.is_ok() && unlocked.is_ok() && !trial;
        let ended = if keeps { work.commit().await } else { work.rollback().await };
        // What went wrong first is why.
        let tally = imported?;
        unlocked?;
        ended.map_err(store)?;
        Ok(tally)
    }
}

async fn fill(
    work: &DatabaseTransaction,
    mut lines: Lines<'_>,
    trial: bool,
) -> Result<Tally, ImportError> {
    // A service that starts makes its signing keys, and waits for this first.
    lock::Entity::find().lock_exclusive().all(work).await.map_err(store)?;
    for table in TABLES {
        if !table.is_empty(work).await.map_err(ImportError::Store)? {
            return Err(ImportError::NotEmpty(table.name()));
        }
    }
    let mut tally: Tally = TABLES.iter().map(|table| (table.name(), 0)).collect();
    let mut pending = Pending::default();
    let end = loop {
        let (name, row) = match lines.next()? {
            Read::Row { table, row } => (table, row),
            Read::End(end) => break end,
        };
        let found = TABLES.iter().zip(&mut tally).find(|(table, _)| table.name() == name);
        let (table, (_, count)) = found.ok_or_else(|| lines.wrong(LineFault::UnknownTable))?;
        let row = table.read(row).map_err(|fault| lines.wrong(fault))?;
        *count += 1;
        pending.take(work, *table, row, &lines).await?;
    };
    pending.write(work).await?;
    if !fits(&end, &tally) {
        return Err(ImportError::Altered(lines.number()));
    }
    // Last, and not for a trial: PostgreSQL never takes a count back.
    for table in TABLES.into_iter().filter(|_| !trial) {
        table.go_on_counting(work).await.map_err(store)?;
    }
    Ok(tally)
}

fn fits(end: &End, tally: &Tally) -> bool {
    let counted = |(table, rows): &(&str, u64)| end.rows.get(*table) == Some(rows);
    end.rows.len() == tally.len() && tally.iter().all(counted)
}

/// Rows of one table that were read and are not written yet, each with its line.
#[derive(Default)]
struct Pending {
    table: Option<&'static dyn Table>,
    rows: Vec<(u64, Row)>,
    bytes: usize,
}

impl Pending {
    /// Takes the row of the line that was read last; what is enough is written.
    async fn take(
        &mut self,
        work: &DatabaseTransaction,
        table: &'static dyn Table,
        row: Row,
        lines: &Lines<'_>,
    ) -> Result<(), ImportError> {
        let goes_on = self.table.is_some_and(|before| before.name() == table.name());
        let is_full = self.rows.len() == BATCH || self.bytes + lines.length() > BATCH_BYTES;
        if !goes_on || is_full {
            self.write(work).await?;
        }
        self.table = Some(table);
        self.bytes += lines.length();
        self.rows.push((lines.number(), row));
        Ok(())
    }

    async fn write(&mut self, work: &DatabaseTransaction) -> Result<(), ImportError> {
        let rows = std::mem::take(&mut self.rows);
        self.bytes = 0;
        let Some(table) = self.table else { return Ok(()) };
        if rows.is_empty() {
            return Ok(());
        }
        let all: Vec<&Row> = rows.iter().map(|(_, row)| row).collect();
        let Err(error) = attempt(work, table, &all).await.map_err(store)? else { return Ok(()) };
        if fault(&error).is_none() {
            return Err(store(error));
        }
        // One of them is wrong: which it is shows one by one.
        for (line, row) in &rows {
            if let Err(error) = attempt(work, table, &[row]).await.map_err(store)? {
                let Some(fault) = fault(&error) else { return Err(store(error)) };
                return Err(ImportError::Line { line: *line, fault });
            }
        }
        // Its own words may show a value.
        Err(ImportError::Store(StoreError::Unavailable(
            "refused together, taken one by one".into(),
        )))
    }
}

/// Inserts rows, and undoes that alone where the database does not take them; the inner error is why.
///
/// # Errors
/// Where it cannot be undone alone: the whole transaction may be gone, and nothing more is a part of it.
async fn attempt(
    work: &DatabaseTransaction,
    table: &dyn Table,
    rows: &[&Row],
) -> Result<Result<(), DbErr>, DbErr> {
    let step = work.begin().await?;
    if let Err(error) = table.insert(&step, rows).await {
        return match step.rollback().await {
            Ok(()) => Ok(Err(error)),
            // What went wrong first is why.
            Err(_) => Err(error),
        };
    }
    step.commit().await.map(Ok)
}

/// What is wrong with a row that the database refused. Its own words may show a value.
fn fault(error: &DbErr) -> Option<LineFault> {
    match error.sql_err() {
        Some(SqlErr::UniqueConstraintViolation(_)) => return Some(LineFault::Twice),
        Some(SqlErr::ForeignKeyConstraintViolation(_)) => return Some(LineFault::Orphan),
        _ => {}
    }
    let (DbErr::Exec(RuntimeErr::SqlxError(cause)) | DbErr::Query(RuntimeErr::SqlxError(cause))) =
        error
    else {
        return None;
    };
    let sqlx::Error::Database(cause) = &**cause else { return None };
    let code = cause.code()?;
    let is_of_data = match cause.try_downcast_ref::<sqlx::sqlite::SqliteError>() {
        // SQLITE_TOOBIG, SQLITE_CONSTRAINT, SQLITE_MISMATCH, each with what it says more exactly.
        Some(_) => code.parse().is_ok_and(|code: u32| matches!(code & 0xff, 18..=20)),
        // SQL's classes of data exceptions and of violated constraints.
        None => code.starts_with("22") || code.starts_with("23"),
    };
    is_of_data.then_some(LineFault::Refused)
}
