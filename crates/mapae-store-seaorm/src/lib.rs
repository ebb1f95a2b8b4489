//! [`Store`] on SQLite, by SeaORM.
//!
//! One connection writes, in transactions begun `IMMEDIATE`, so that what a unit of work has read
//! nobody else changes before it commits; a pool of others reads, each view in a transaction of its
//! own. The statements are written so that PostgreSQL and MariaDB can run them: single use is a
//! conditional `UPDATE` or an `INSERT … ON CONFLICT DO NOTHING` whose row count is checked, and no
//! `UPDATE` returns rows.
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
mod registration;
mod session;
mod signing_key;
mod transaction;
mod user;
mod verification;

pub use connection::{ConnectError, SeaOrmStore, StoreSettings, Synchronous};
