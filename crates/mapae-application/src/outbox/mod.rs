//! What is to be sent: queued with what caused it, and sent afterwards by a [`Worker`].

mod bell;
mod content;
mod event;
mod message;
mod question;
mod relay;
mod route;
mod worker;

pub use bell::Bell;
pub use content::{MarketingDecision, MessageContent, Notice};
pub use event::TakeEventError;
pub use message::MessageView;
pub use relay::Relay;
pub use route::Route;
pub use worker::{Worker, WorkerSettings};

pub(crate) use content::{Envelope, minutes_until};
