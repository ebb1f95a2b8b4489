//! How processes wake one another.

use std::error::Error;

use std::time::Duration;

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

/// How long nothing may be heard before whoever listens tries the connection: one that leads nowhere any
/// more is as silent as one that nobody has anything to say on.
pub const SILENCE: Duration = Duration::from_secs(20);

/// The channels that a word wakes: the one whose name it is. One of another release, which has more of
/// them, wakes all.
pub fn channels_of(word: &str) -> impl Iterator<Item = Channel> {
    let named = Channel::from_name(word);
    Channel::ALL.into_iter().filter(move |channel| named.is_none_or(|named| named == *channel))
}
