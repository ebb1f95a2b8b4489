//! The whole state as lines of JSON, out of one database and into another.
//!
//! The first line says what the file is, each other bears a row, and the last says how many there
//! were. Rows are read and written by what the entities say of their columns: a table is named once,
//! below, and a test compares that with the schema.
//!
//! What is hashed or sealed stays so. The file is good under the same secret of the server alone: its
//! first line bears a hash under that secret, and its last one a hash of every line.

mod export;
mod file;
mod import;
mod table;
mod value;

pub use export::ExportError;
pub use file::{ImportError, LineFault};

use self::table::{Of, Table};
use crate::entity::{
    address_mark, audit_entry, consent, contact_sends, contact_undo, idempotency_key, inbox,
    outbox, registration, session, signing_key, user, user_contact, username, verification,
};

/// How many rows are read or written at once.
const BATCH: usize = 500;

/// How many rows of each table there were.
pub type Tally = Vec<(&'static str, u64)>;

/// Every table with state, after those that it refers to. `locks` is part of the schema.
static TABLES: [&dyn Table; 15] = [
    &Of::<user::Entity>::NEW,
    &Of::<user_contact::Entity>::NEW,
    &Of::<username::Entity>::NEW,
    &Of::<consent::Entity>::NEW,
    &Of::<registration::Entity>::NEW,
    &Of::<verification::Entity>::NEW,
    &Of::<contact_sends::Entity>::NEW,
    &Of::<contact_undo::Entity>::NEW,
    &Of::<session::Entity>::NEW,
    &Of::<audit_entry::Entity>::NEW,
    &Of::<outbox::Entity>::NEW,
    &Of::<address_mark::Entity>::NEW,
    &Of::<inbox::Entity>::NEW,
    &Of::<signing_key::Entity>::NEW,
    &Of::<idempotency_key::Entity>::NEW,
];
