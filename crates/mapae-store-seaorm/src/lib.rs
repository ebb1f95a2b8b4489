//! [`Store`] on SQLite, PostgreSQL and MariaDB, by SeaORM.
//!
//! The statements are the same on each: single use is a conditional `UPDATE`, or an `INSERT` unless
//! there is one of that key, whose row count is checked; what is changed by what was read is locked by
//! its reading, or compared by its version; no `UPDATE` returns rows.
//!
//! * On SQLite one connection writes, in transactions begun `IMMEDIATE`, and a pool of others reads,
//!   each view in a transaction of its own.
//! * On PostgreSQL and MariaDB units of work are `READ COMMITTED`, and views `REPEATABLE READ` and
//!   `READ ONLY`. A deadlock is [`StoreError::Stale`](mapae_application::ports::StoreError::Stale): it
//!   is begun anew.
//!
//! [`Store`]: mapae_application::ports::Store

mod audit;
mod connection;
mod convert;
mod deliverability;
mod entity;
mod error;
mod idempotency;
mod inbox;
mod outbox;
mod portable;
mod registration;
mod retention;
#[doc(hidden)]
pub mod scratch;
mod session;
mod signing_key;
mod transaction;
mod user;
mod verification;
mod wake_up;

pub use connection::{ConnectError, Schema, SeaOrmStore, StoreSettings, Synchronous};
pub use portable::{ExportError, ImportError, LineFault, Tally};
