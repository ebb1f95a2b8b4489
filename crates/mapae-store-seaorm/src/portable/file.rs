//! The file: its lines, what they say of themselves, and what can be wrong with them.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, BufRead, Read as _};

use mapae_application::ports::{HashContext, SecretHasher, StoreError};
use mapae_domain::SecretHash;
use mapae_migrations::{Migrator, MigratorTrait as _};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::value::{from_hex, hex};
use crate::connection::ConnectError;

/// What the first line calls the file.
const FORMAT: &str = "mapae-export";
/// The version of the format.
const VERSION: u64 = 1;
/// The longest line that is read, in bytes: far longer than any row, and short enough to be held.
const LONGEST_LINE: u64 = 4 * 1024 * 1024;

/// The first line.
#[derive(Serialize, Deserialize)]
pub(super) struct Header {
    format: String,
    version: u64,
    /// The last step of the schema.
    schema: String,
    /// A hash under the server's secret, by which another secret is known.
    secret: String,
    exported_at: String,
}

impl Header {
    pub(super) fn new(sum: &Checksum<'_>, exported_at: &str) -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            schema: schema().unwrap_or_default(),
            secret: sum.fingerprint(),
            exported_at: exported_at.to_owned(),
        }
    }
}

/// The last step of this release's schema.
fn schema() -> Option<String> {
    Migrator::migrations().last().map(|step| step.name().to_owned())
}

/// A line after the first, as it is written: a row, or the end.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Written<'a> {
    /// A row of a table.
    Row { table: &'a str, row: Map<String, Json> },
    /// The last line.
    End { end: End },
}

/// What the last line says of those before it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct End {
    /// How many rows of each table there are.
    pub(super) rows: BTreeMap<String, u64>,
    /// The hash of every line before.
    pub(super) checksum: String,
}

/// A line after the first, as it is read: a table with a row, or the end.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    table: Option<String>,
    row: Option<Map<String, Json>>,
    end: Option<End>,
}

/// A line after the first.
pub(super) enum Read {
    /// A row of a table.
    Row { table: String, row: Map<String, Json> },
    /// The last line.
    End(End),
}

/// The hash of all lines so far, under the server's secret: each line's, with that of those before it.
pub(super) struct Checksum<'a> {
    secrets: &'a dyn SecretHasher,
    sum: SecretHash,
}

impl<'a> Checksum<'a> {
    pub(super) fn new(secrets: &'a dyn SecretHasher) -> Self {
        Self { secrets, sum: SecretHash::from_bytes([0; 32]) }
    }

    /// What tells this secret from another, and nothing else of it.
    fn fingerprint(&self) -> String {
        hex(self.secrets.hash(HashContext::Export, &[b"secret"]).as_bytes())
    }

    /// Takes a line in, without what ends it.
    pub(super) fn take(&mut self, line: &[u8]) {
        self.sum = self.secrets.hash(HashContext::Export, &[self.sum.as_bytes(), line]);
    }

    pub(super) fn written(&self) -> String {
        hex(self.sum.as_bytes())
    }

    fn matches(&self, written: &str) -> bool {
        let written = from_hex(written).and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        written.is_some_and(|bytes| self.sum.matches(&SecretHash::from_bytes(bytes)))
    }
}

/// Why a file was not imported. Nothing of the database was changed, and no value is shown.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Its first line is of something else.
    #[error("the file is no export of Mapae")]
    NotAnExport,
    /// Its format is of another version.
    #[error("the file is of a format that this release cannot read: run the release that wrote it")]
    Version,
    /// A release with fewer steps of the schema wrote it.
    #[error("the file has the schema of an older release: run the release that wrote it")]
    Older,
    /// A release with steps that this one does not know wrote it.
    #[error("the file has the schema of a newer release: run the release that wrote it")]
    Newer,
    /// It was written under another secret, and what is hashed and sealed in it is worth nothing here.
    #[error(
        "the file was written under another secret of the server: \
         configure the secret of the installation that wrote it"
    )]
    Secret,
    /// Somebody lives there already.
    #[error("the database is not empty: {0} has rows; a file is imported into an empty one only")]
    NotEmpty(&'static str),
    /// A line is wrong.
    #[error("line {line} {fault}")]
    Line {
        /// Which, from 1.
        line: u64,
        /// What is wrong with it.
        fault: LineFault,
    },
    /// The last line is missing.
    #[error("the file ends after line {0}, and its last lines are missing")]
    Truncated(u64),
    /// What the last line says does not fit the lines before it.
    #[error("line {0} does not fit the lines before it: the file was altered or damaged")]
    Altered(u64),
    /// The file cannot be read.
    #[error("the file cannot be read")]
    Read(#[source] io::Error),
    /// The schema of the database is not this release's, or somebody else is at it.
    #[error(transparent)]
    Schema(#[from] ConnectError),
    /// What the database says.
    #[error("the database cannot be written")]
    Store(#[source] StoreError),
}

/// What is wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineFault {
    /// It is no row and no end.
    NotALine,
    /// It comes after the end.
    AfterTheEnd,
    /// Its table is none.
    UnknownTable,
    /// It has no such column.
    Lacks(&'static str),
    /// It has a column that its table does not have.
    UnknownColumn,
    /// That column is of another kind.
    WrongKind(&'static str),
    /// There was one of the same key.
    Twice,
    /// It belongs to a row that is not there.
    Orphan,
    /// The database does not take it.
    Refused,
}

impl fmt::Display for LineFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotALine => f.write_str("is no line of an export"),
            Self::AfterTheEnd => f.write_str("comes after the end"),
            Self::UnknownTable => f.write_str("names a table that there is not"),
            Self::Lacks(column) => write!(f, "has no {column}"),
            Self::UnknownColumn => f.write_str("has a column that its table does not have"),
            Self::WrongKind(column) => write!(f, "has a value that is none of {column}"),
            Self::Twice => f.write_str("has a row that is there already"),
            Self::Orphan => f.write_str("belongs to a row that is not there"),
            Self::Refused => f.write_str("has a row that the database does not take"),
        }
    }
}

/// Reads a file's lines, one at a time.
pub(super) struct Lines<'a> {
    input: &'a mut dyn BufRead,
    sum: Checksum<'a>,
    line: Vec<u8>,
    number: u64,
}

impl<'a> Lines<'a> {
    /// Begins to read: the first line must be of an export that fits this release and this secret.
    pub(super) fn open(
        input: &'a mut dyn BufRead,
        secrets: &'a dyn SecretHasher,
    ) -> Result<Self, ImportError> {
        let mut lines = Self { input, sum: Checksum::new(secrets), line: Vec::new(), number: 0 };
        if !lines.advance()? {
            return Err(ImportError::NotAnExport);
        }
        lines.check_header()?;
        lines.sum.take(&lines.line);
        Ok(lines)
    }

    fn check_header(&self) -> Result<(), ImportError> {
        let header: Json =
            serde_json::from_slice(&self.line).map_err(|_| ImportError::NotAnExport)?;
        if header["format"] != FORMAT {
            return Err(ImportError::NotAnExport);
        }
        if header["version"] != VERSION {
            return Err(ImportError::Version);
        }
        let header: Header =
            serde_json::from_value(header).map_err(|_| ImportError::NotAnExport)?;
        let known = Migrator::migrations();
        match known.iter().rposition(|step| step.name() == header.schema) {
            None => Err(ImportError::Newer),
            Some(step) if step + 1 < known.len() => Err(ImportError::Older),
            Some(_) if header.secret != self.sum.fingerprint() => Err(ImportError::Secret),
            Some(_) => Ok(()),
        }
    }

    /// Reads the next line into its buffer, without what ends it; not where there is none.
    fn advance(&mut self) -> Result<bool, ImportError> {
        self.line.clear();
        let mut bounded = (&mut *self.input).take(LONGEST_LINE);
        let read = bounded.read_until(b'\n', &mut self.line).map_err(ImportError::Read)?;
        self.number += u64::from(read > 0);
        if self.line.last() == Some(&b'\n') {
            self.line.pop();
        }
        Ok(read > 0)
    }

    /// Which line was read last, from 1.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// How long that line is, in bytes.
    pub(super) fn length(&self) -> usize {
        self.line.len()
    }

    /// That this line is wrong.
    pub(super) fn wrong(&self, fault: LineFault) -> ImportError {
        ImportError::Line { line: self.number, fault }
    }

    /// The next line, which must be there; the end must fit all before it and be the last.
    pub(super) fn next(&mut self) -> Result<Read, ImportError> {
        if !self.advance()? {
            return Err(ImportError::Truncated(self.number));
        }
        let Ok(line) = serde_json::from_slice::<Line>(&self.line) else {
            return Err(self.unreadable());
        };
        match (line.table, line.row, line.end) {
            (Some(table), Some(row), None) => {
                self.sum.take(&self.line);
                Ok(Read::Row { table, row })
            }
            (None, None, Some(end)) => self.ended(end).map(Read::End),
            _ => Err(self.wrong(LineFault::NotALine)),
        }
    }

    /// A line that breaks off is the last one of a truncated file; any other is wrong.
    fn unreadable(&mut self) -> ImportError {
        let number = self.number;
        let fault = self.wrong(LineFault::NotALine);
        match self.advance() {
            Ok(true) => fault,
            Ok(false) => ImportError::Truncated(number),
            Err(error) => error,
        }
    }

    fn ended(&mut self, end: End) -> Result<End, ImportError> {
        if !self.sum.matches(&end.checksum) {
            return Err(ImportError::Altered(self.number));
        }
        match self.advance()? {
            true => Err(self.wrong(LineFault::AfterTheEnd)),
            false => Ok(end),
        }
    }
}
