//! Many users, with what a database holds of them.

mod rows;

use std::fmt::Display;

use sea_orm::prelude::Uuid;
use sea_orm::{ConnectionTrait as _, DatabaseConnection, DbBackend, DbErr};

/// How many rows one statement inserts.
const SLICE: u32 = 100_000;

/// When the first id was drawn, in milliseconds.
const FIRST: i64 = 1_767_225_600_000;
/// Spreads what is not time in an id.
const SPREAD: i64 = 2_654_435_761;

/// The seed of every session. Who knows the server's secret, too, can derive their refresh tokens.
pub const SEED: [u8; 32] = [7; 32];

/// The bytes of the id that a session has, by its number.
pub fn session_id(number: i64) -> [u8; 16] {
    *id(number).as_bytes()
}

/// The id that a table's row of this number has. Rows of one number have one id in every table, so that
/// who looks for one finds what belongs to it.
pub(super) fn id(number: i64) -> Uuid {
    let text = format!("{:012x}7{:03x}8{:015x}", FIRST + number, number % 4096, number * SPREAD);
    Uuid::parse_str(&text).unwrap_or_default()
}

/// The words of a database for what the others say otherwise.
#[derive(Clone, Copy)]
struct Words(DbBackend);

impl Words {
    /// [`id`] of the number that an expression gives.
    fn id(self, number: impl Display) -> String {
        let (time, few, rest) = (
            format!("{FIRST} + ({number})"),
            format!("({number}) % 4096"),
            format!("({number}) * {SPREAD}"),
        );
        match self.0 {
            DbBackend::Postgres => format!(
                "(lpad(to_hex({time}), 12, '0') || '7' || lpad(to_hex({few}), 3, '0') || '8' \
                 || lpad(to_hex({rest}), 15, '0'))::uuid"
            ),
            DbBackend::MySql => format!(
                "UNHEX(CONCAT(LPAD(HEX({time}), 12, '0'), '7', LPAD(HEX({few}), 3, '0'), '8', \
                 LPAD(HEX({rest}), 15, '0')))"
            ),
            _ => format!("unhex(printf('%012x7%03x8%015x', {time}, {few}, {rest}))"),
        }
    }

    /// 32 bytes that look like chance, of the row `i`.
    fn hash(self, of: &str) -> String {
        match self.0 {
            DbBackend::Postgres => format!("sha256(concat('{of}', i)::bytea)"),
            DbBackend::MySql => format!("UNHEX(SHA2(CONCAT('{of}', i), 256))"),
            _ => "randomblob(32)".to_owned(),
        }
    }

    /// The same bytes in each row.
    fn bytes(self, bytes: &[u8]) -> String {
        let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        match self.0 {
            DbBackend::Postgres => format!("'\\x{digits}'::bytea"),
            _ => format!("x'{digits}'"),
        }
    }

    /// Rows with one column `i`, which counts.
    fn series(self, from: u32, to: u32) -> String {
        match self.0 {
            DbBackend::Postgres => format!("generate_series({from}::bigint, {to}::bigint) AS n(i)"),
            DbBackend::MySql => {
                // They count without a sign.
                format!("(SELECT CAST(seq AS SIGNED) AS i FROM seq_{from}_to_{to}) AS n")
            }
            _ => format!(
                "(WITH RECURSIVE n(i) AS (SELECT {from} UNION ALL SELECT i + 1 FROM n WHERE i < {to}) \
                 SELECT i FROM n) AS n"
            ),
        }
    }
}

/// Rows of a table: how many, and for each column an expression over the row's number `i`.
struct Rows {
    table: &'static str,
    count: u32,
    columns: Vec<(&'static str, String)>,
}

impl Rows {
    fn new<const N: usize>(
        table: &'static str,
        count: u32,
        columns: [(&'static str, &str); N],
    ) -> Self {
        let columns = columns.map(|(name, value)| (name, value.to_owned())).into();
        Self { table, count, columns }
    }

    /// Instants, a column each: how many microseconds `after` now, in the past where that is negative.
    fn at<const N: usize>(mut self, now: i64, columns: [(&'static str, String); N]) -> Self {
        let instants = columns.map(|(name, after)| (name, format!("{now} + ({after})")));
        self.columns.extend(instants);
        self
    }

    fn insert(&self, words: Words, from: u32) -> String {
        let to = self.count.min(from + SLICE - 1);
        let columns: Vec<&str> = self.columns.iter().map(|(name, _)| *name).collect();
        let values: Vec<&str> = self.columns.iter().map(|(_, value)| value.as_str()).collect();
        format!(
            "INSERT INTO {} ({}) SELECT {} FROM {}",
            self.table,
            columns.join(", "),
            values.join(", "),
            words.series(from, to)
        )
    }
}

/// Fills the empty database that `url` leads to: users, each with an e-mail address
/// `person<number>@example.com` and the password of `password_hash`, every third with a phone and a
/// username; three sessions a user, and what else is left of so many. Nothing of it is over at `now`, in
/// microseconds. The database knows afterwards what it holds, as it does when it has had time to look.
///
/// # Errors
/// What the database says.
pub async fn fill(url: &str, users: u32, now: i64, password_hash: &str) -> Result<(), DbErr> {
    let connection = super::connect(url).await?;
    let words = Words(connection.get_database_backend());
    // Rows that are right, and a database that is thrown away when this breaks off.
    let hurry = match words.0 {
        DbBackend::Postgres => {
            "SET synchronous_commit = off; SET session_replication_role = replica"
        }
        DbBackend::MySql => "SET foreign_key_checks = 0, unique_checks = 0",
        _ => "PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF; PRAGMA cache_size = -262144",
    };
    connection.execute_unprepared(hurry).await?;
    for rows in rows::of_all(words, users, now, password_hash) {
        let mut from = 1;
        while from <= rows.count {
            connection.execute_unprepared(&rows.insert(words, from)).await?;
            from += SLICE;
        }
    }
    look_through(&connection).await?;
    connection.close().await
}

/// Has a server gather what it plans by, as it does by itself in time. SQLite never does.
async fn look_through(connection: &DatabaseConnection) -> Result<(), DbErr> {
    for table in super::TABLES {
        let look = match connection.get_database_backend() {
            DbBackend::Postgres => format!("VACUUM ANALYZE {table}"),
            DbBackend::MySql => format!("ANALYZE TABLE {table}"),
            _ => "PRAGMA wal_checkpoint(TRUNCATE)".to_owned(),
        };
        connection.execute_unprepared(&look).await?;
    }
    Ok(())
}
