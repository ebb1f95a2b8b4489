//! What is to be sent: queued with what caused it, and sent afterwards by a [`Worker`].

mod content;
mod event;
mod message;
mod question;
mod route;
mod worker;

pub use content::{MarketingDecision, MessageContent, Notice};
pub use event::TakeEventError;
pub use message::MessageView;
pub use route::Route;
pub use worker::{Bell, Worker, WorkerSettings};

pub(crate) use content::{Envelope, minutes_until};
