//! [`EmailSender`] on Amazon SES, version 2 of its API, and what SES reports by Amazon SNS.
//!
//! [`EmailSender`]: mapae_application::ports::EmailSender

mod client;
mod diagnose;
mod error;
mod pace;
mod sender;
mod sns;

pub use client::{SesError, SesSettings};
pub use sender::SesSender;
pub use sns::{HttpsSource, SnsEvents, Source};
