use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use mapae_application::ports::{WakeUpError, WakeUps};
use mapae_domain::Channel;
use tokio::sync::broadcast::{self, error::RecvError};

use crate::contract::wake_up::Processes;

/// Wake-ups within one process, whose clones are the processes of one installation. Can be cut and
/// told to fail.
#[derive(Clone)]
pub struct MemoryWakeUps(Arc<Wire>);

struct Wire {
    /// A channel; or nothing, where whoever listens is cut off.
    said: broadcast::Sender<Option<Channel>>,
    calls: AtomicUsize,
    is_down: AtomicBool,
    hangs: AtomicBool,
}

impl Default for MemoryWakeUps {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryWakeUps {
    /// Wake-ups that get through.
    pub fn new() -> Self {
        Self(Arc::new(Wire {
            said: broadcast::channel(64).0,
            calls: AtomicUsize::new(0),
            is_down: AtomicBool::new(false),
            hangs: AtomicBool::new(false),
        }))
    }

    /// How often somebody was to be woken, whether it got through or not.
    pub fn calls(&self) -> usize {
        self.0.calls.load(Ordering::SeqCst)
    }

    /// Cuts off whoever listens.
    pub fn cut(&self) {
        // Nobody may be listening.
        drop(self.0.said.send(None));
    }

    /// Lets nothing through any more, or everything again.
    pub fn set_down(&self, is_down: bool) {
        self.0.is_down.store(is_down, Ordering::SeqCst);
        if is_down {
            self.cut();
        }
    }

    /// Has whoever wakes others wait for ever, or not any more.
    pub fn set_hanging(&self, hangs: bool) {
        self.0.hangs.store(hangs, Ordering::SeqCst);
    }

    /// Two processes, for the contract.
    pub fn processes(&self) -> Processes {
        let (this, wire) = (self.clone(), Arc::clone(&self.0));
        Processes {
            first: Arc::new(self.clone()),
            second: Arc::new(self.clone()),
            cut: Box::new(move || {
                this.cut();
                Box::pin(std::future::ready(()))
            }),
            listeners: Box::new(move || Box::pin(std::future::ready(wire.said.receiver_count()))),
        }
    }

    fn check(&self) -> Result<(), WakeUpError> {
        match self.0.is_down.load(Ordering::SeqCst) {
            true => Err(WakeUpError("told to be down".into())),
            false => Ok(()),
        }
    }
}

#[async_trait]
impl WakeUps for MemoryWakeUps {
    async fn wake(&self, channel: Channel) -> Result<(), WakeUpError> {
        self.0.calls.fetch_add(1, Ordering::SeqCst);
        if self.0.hangs.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        self.check()?;
        // Nobody may be listening.
        drop(self.0.said.send(Some(channel)));
        Ok(())
    }

    async fn listen(&self, woken: &(dyn Fn(Channel) + Send + Sync)) -> WakeUpError {
        if let Err(error) = self.check() {
            return error;
        }
        let mut said = self.0.said.subscribe();
        Channel::ALL.into_iter().for_each(woken);
        loop {
            match said.recv().await {
                Ok(Some(channel)) => woken(channel),
                Ok(None) | Err(RecvError::Closed) => return WakeUpError("cut off".into()),
                // What was missed is any channel.
                Err(RecvError::Lagged(_)) => Channel::ALL.into_iter().for_each(woken),
            }
        }
    }
}
