//! The rows of each table, as SeaORM reads and writes them. They leave this crate as entities of the
//! domain only; their `Debug` shows nothing.
#![expect(unreachable_pub, reason = "what the derives make is public")]

pub(crate) mod address_mark;
pub(crate) mod audit_entry;
pub(crate) mod consent;
pub(crate) mod contact_sends;
pub(crate) mod contact_undo;
pub(crate) mod idempotency_key;
pub(crate) mod inbox;
pub(crate) mod lock;
pub(crate) mod outbox;
pub(crate) mod registration;
pub(crate) mod session;
pub(crate) mod signing_key;
pub(crate) mod user;
pub(crate) mod user_contact;
pub(crate) mod username;
pub(crate) mod verification;
