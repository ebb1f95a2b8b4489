//! [`EmailSender`] on SMTP (RFC 5321), with TLS from the first byte (RFC 8314), by STARTTLS
//! (RFC 3207), or without for a server on this machine.
//!
//! Each step of the conversation is taken by itself, because what a failure means depends on where
//! it happened: before the message was handed over nothing was sent, after it nobody knows.
//!
//! [`EmailSender`]: mapae_application::ports::EmailSender

mod connect;
mod diagnose;
mod message;
mod reply;
mod sender;

pub use sender::{SmtpError, SmtpSender, SmtpSettings, SmtpTls};
