//! [`SmsSender`] on Naver Cloud SENS: short messages (SMS), long ones (LMS), and AlimTalk.
//!
//! SENS answers 202 when it has taken a message, and says nothing of its own accord after that. So
//! each receipt asks to be asked about, and [`SmsSender::outcome`] reads what became of it.
//!
//! [`SmsSender`]: mapae_application::ports::SmsSender
//! [`SmsSender::outcome`]: mapae_application::ports::SmsSender::outcome

mod alimtalk;
mod client;
mod diagnose;
mod result;
mod signature;
mod sms;

pub use alimtalk::{AlimTalkSender, AlimTalkSettings};
pub use client::{SensClient, SensError, SensSettings};
pub use sms::{SensSender, SmsSettings};
