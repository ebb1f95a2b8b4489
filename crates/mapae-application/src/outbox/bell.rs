use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mapae_domain::Channel;
use tokio::sync::Notify;

/// Rung when a message was committed, so that it leaves at once: wakes the worker of this process,
/// and by a [`Relay`](super::Relay) those of others.
///
/// To ring marks what is to be done and goes on: it waits for nobody, and cannot fail.
#[derive(Clone, Default)]
pub struct Bell(Arc<Rings>);

/// What was rung and not yet heard.
#[derive(Default)]
struct Rings {
    here: [Notify; 2],
    /// The channels whose messages other processes have not been told of.
    untold: [AtomicBool; 2],
    elsewhere: Notify,
}

const fn index(channel: Channel) -> usize {
    match channel {
        Channel::Email => 0,
        Channel::Sms => 1,
    }
}

impl Bell {
    /// Says that a message of this channel was committed in this process.
    pub fn ring(&self, channel: Channel) {
        self.ring_here(channel);
        self.ring_elsewhere(channel);
    }

    /// Wakes the worker of this process alone.
    pub(super) fn ring_here(&self, channel: Channel) {
        self.0.here[index(channel)].notify_one();
    }

    /// Has other processes told, once they can be.
    pub(super) fn ring_elsewhere(&self, channel: Channel) {
        self.0.untold[index(channel)].store(true, Ordering::Release);
        self.0.elsewhere.notify_one();
    }

    /// Ready when a message of this channel was committed since the last time.
    pub(super) async fn rung(&self, channel: Channel) {
        self.0.here[index(channel)].notified().await;
    }

    /// Ready when other processes are to be told of something.
    pub(super) async fn rung_elsewhere(&self) {
        self.0.elsewhere.notified().await;
    }

    /// Whether other processes are to be told of this channel. From now on they count as told.
    pub(super) fn take_untold(&self, channel: Channel) -> bool {
        self.0.untold[index(channel)].swap(false, Ordering::AcqRel)
    }
}
