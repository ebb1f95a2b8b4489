//! How processes wake one another.

use std::error::Error;

use async_trait::async_trait;
use mapae_domain::Channel;

/// Wake-ups do not get through.
#[derive(Debug, thiserror::Error)]
#[error("wake-ups do not get through")]
pub struct WakeUpError(#[source] pub Box<dyn Error + Send + Sync>);

/// Wakes those that send, in all processes of an installation.
///
/// Nobody may rest on it: a wake-up may be lost, and may come twice. Whoever has something to send is
/// found by looking for it, now and then; a wake-up says that now is the time.
#[async_trait]
pub trait WakeUps: Send + Sync {
    /// Wakes whoever listens: a message of this channel was committed.
    ///
    /// An adapter MUST wake nobody of another installation, and MUST show nothing of the message but
    /// its channel. What it returns may be dropped at any time.
    ///
    /// # Errors
    /// [`WakeUpError`]; the next call MUST try anew.
    async fn wake(&self, channel: Channel) -> Result<(), WakeUpError>;

    /// Listens until it cannot any more, and says why. What it returns may be dropped at any time.
    ///
    /// An adapter MUST call `woken` for each channel once it listens, for what it missed before; and
    /// MUST find out by itself, within a minute, that nothing can be heard.
    async fn listen(&self, woken: &(dyn Fn(Channel) + Send + Sync)) -> WakeUpError;
}
