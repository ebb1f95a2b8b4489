//! Adapters that live in memory, for tests of what needs a port.

mod clock;
mod http;
mod password;
mod proxy;
mod renderer;
mod rng;
mod secrets;
mod sender;
mod sens;
mod smtp;
mod store;
mod tokens;
mod trace;
mod wake_up;

pub use clock::SetClock;
pub use http::{HttpReply, HttpRequest, HttpStub};
pub use password::FakeHasher;
pub use proxy::TcpProxy;
pub use renderer::{FakeRenderer, code_in, link_key_in, six_digits_in};
pub use rng::SequenceRng;
pub use secrets::{FakeSealer, FakeSecretHasher};
pub use sender::{RecordingEmailSender, RecordingSmsSender};
pub use sens::{FakeSens, SensBehaviour, SensMessage};
pub use smtp::{SmtpMail, SmtpReply, SmtpStub};
pub use store::MemoryStore;
pub use tokens::FakeTokens;
pub use trace::FakeTraces;
pub use wake_up::MemoryWakeUps;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks a fake's state. A test that panicked while it held the lock has failed already.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
