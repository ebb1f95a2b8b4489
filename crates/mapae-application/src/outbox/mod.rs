//! What is to be sent: queued with what caused it, and sent afterwards by a [`Worker`].

mod content;
mod worker;

pub use content::MessageContent;
pub use worker::{Bell, Worker, WorkerSettings};

pub(crate) use content::{Envelope, minutes_until};
