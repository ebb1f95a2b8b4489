use std::io::{self, Write};

use mapae_application::ports::{SecretHasher, StoreError};
use sea_orm::{ConnectionTrait as _, DatabaseTransaction, DbBackend, DbErr};
use serde::Serialize;

use super::file::{Checksum, End, Header, Written};
use super::table::Table;
use super::{TABLES, Tally};
use crate::connection::{ConnectError, SeaOrmStore};
use crate::error::store_error;

/// Why nothing, or not all, was exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The schema of the database is not this release's.
    #[error(transparent)]
    Schema(#[from] ConnectError),
    /// What the database says.
    #[error("the database cannot be read")]
    Store(#[source] StoreError),
    /// The file cannot be written.
    #[error("the export cannot be written")]
    Write(#[from] io::Error),
}

/// Writes lines, and keeps their checksum.
struct Lines<'a> {
    output: &'a mut dyn Write,
    sum: Checksum<'a>,
}

impl Lines<'_> {
    fn write(&mut self, line: &impl Serialize) -> Result<(), ExportError> {
        let mut line = serde_json::to_vec(line).map_err(io::Error::from)?;
        self.sum.take(&line);
        line.push(b'\n');
        self.output.write_all(&line)?;
        Ok(())
    }
}

impl SeaOrmStore {
    /// Writes the whole state to `output`, as it is at one instant, and says how much it was. Rows are
    /// read a batch at a time; those who write meanwhile are not held up, and what they write is not
    /// in it. `exported_at` is what the first line says of the instant.
    ///
    /// What is written is as secret as the database itself.
    ///
    /// # Errors
    /// [`ExportError`]; what was written until then is refused by [`SeaOrmStore::import`].
    pub async fn export(
        &self,
        secrets: &dyn SecretHasher,
        exported_at: &str,
        output: &mut dyn Write,
    ) -> Result<Tally, ExportError> {
        self.check_own_schema().await?;
        let view = self.begin_reading().await.map_err(store)?;
        let lines = Lines { output, sum: Checksum::new(secrets) };
        let written = write_all(&view, lines, exported_at).await;
        let ended = view.rollback().await.map_err(store);
        let tally = written?;
        ended?;
        Ok(tally)
    }
}

fn store(error: DbErr) -> ExportError {
    ExportError::Store(store_error(error))
}

async fn write_all(
    view: &DatabaseTransaction,
    mut lines: Lines<'_>,
    exported_at: &str,
) -> Result<Tally, ExportError> {
    if view.get_database_backend() == DbBackend::Postgres {
        // Whoever takes the lines may be slow, and nobody waits for a view.
        let patient = "SET LOCAL idle_in_transaction_session_timeout = 0; \
                       SET LOCAL statement_timeout = 0";
        view.execute_unprepared(patient).await.map_err(store)?;
    }
    let header = Header::new(&lines.sum, exported_at);
    lines.write(&header)?;
    let mut tally = Tally::new();
    for table in TABLES {
        tally.push((table.name(), write_table(table, view, &mut lines).await?));
    }
    let rows = tally.iter().map(|(table, rows)| ((*table).to_owned(), *rows)).collect();
    let end = End { rows, checksum: lines.sum.written() };
    lines.write(&Written::End { end })?;
    lines.output.flush()?;
    Ok(tally)
}

async fn write_table(
    table: &dyn Table,
    view: &DatabaseTransaction,
    lines: &mut Lines<'_>,
) -> Result<u64, ExportError> {
    let (mut count, mut last) = (0, None);
    loop {
        let batch = table.rows_after(view, last).await.map_err(ExportError::Store)?;
        for row in batch.rows {
            lines.write(&Written::Row { table: table.name(), row })?;
            count += 1;
        }
        match batch.last {
            Some(key) => last = Some(key),
            None => return Ok(count),
        }
    }
}
