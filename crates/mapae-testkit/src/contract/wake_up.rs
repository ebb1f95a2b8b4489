//! What [`WakeUps`] promises.
//!
//! Each promise takes two processes of one installation. A wake-up may be lost, by its contract; on a
//! machine where nothing is cut, none is.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use mapae_application::outbox::{Bell, Relay};
use mapae_application::ports::{WakeUpError, WakeUps};
use mapae_domain::Channel;
use tokio::task::JoinHandle;

use crate::fake::SequenceRng;

/// How long a wake-up may take before it counts as lost: far more than it should.
const PATIENCE: Duration = Duration::from_secs(30);

/// Cuts every connection of both processes, as a server that restarts does.
pub type Cut = Box<dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// Counts who listens, as the server sees it.
pub type Count = Box<dyn Fn() -> Pin<Box<dyn Future<Output = usize> + Send>> + Send + Sync>;

/// Two processes of one installation.
pub struct Processes {
    /// One of them.
    pub first: Arc<dyn WakeUps>,
    /// The other.
    pub second: Arc<dyn WakeUps>,
    /// Cuts both off.
    pub cut: Cut,
    /// How many listen.
    pub listeners: Count,
}

/// How often each channel was heard.
#[derive(Default)]
struct Heard([AtomicUsize; 2]);

impl Heard {
    fn note(&self, channel: Channel) {
        self.0[channel as usize].fetch_add(1, Ordering::SeqCst);
    }

    fn of(&self, channel: Channel) -> usize {
        self.0[channel as usize].load(Ordering::SeqCst)
    }

    /// Waits until this channel was heard more often than that.
    async fn more_than(&self, channel: Channel, times: usize) {
        let heard = async {
            while self.of(channel) <= times {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let heard = tokio::time::timeout(PATIENCE, heard).await;
        assert!(heard.is_ok(), "{channel:?} was heard {times} times, and not again");
    }
}

/// Somebody who listens until this is dropped, and again whenever they were cut off.
struct Listener {
    heard: Arc<Heard>,
    listening: JoinHandle<()>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl Listener {
    /// Listens, and comes back once it does.
    async fn to(process: &Arc<dyn WakeUps>) -> Self {
        let (process, heard) = (Arc::clone(process), Arc::new(Heard::default()));
        let noted = Arc::clone(&heard);
        let listening = tokio::spawn(async move {
            loop {
                process.listen(&|channel| noted.note(channel)).await;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        let listener = Self { heard, listening };
        for channel in Channel::ALL {
            listener.heard.more_than(channel, 0).await;
        }
        listener
    }

    /// Sees that another wake-up of this channel is heard.
    async fn hears(&self, channel: Channel, from: &Arc<dyn WakeUps>) {
        let before = self.heard.of(channel);
        from.wake(channel).await.unwrap();
        self.heard.more_than(channel, before).await;
    }
}

/// Who begins to listen is woken once for each channel: what was said before, they missed.
pub async fn who_begins_to_listen_is_woken_for_what_was_missed(processes: Processes) {
    let Processes { first, second, .. } = processes;
    first.wake(Channel::Sms).await.unwrap();
    let listener = Listener::to(&second).await;
    assert!(Channel::ALL.iter().all(|channel| listener.heard.of(*channel) >= 1));
}

/// Who listens is woken by another process, each time.
pub async fn who_listens_is_woken_by_another_process(processes: Processes) {
    let Processes { first, second, .. } = processes;
    let listener = Listener::to(&second).await;
    for _ in 0..10 {
        listener.hears(Channel::Email, &first).await;
    }
}

/// Who listens is woken by their own process as by any other.
pub async fn who_listens_is_woken_by_their_own_process(processes: Processes) {
    let listener = Listener::to(&processes.first).await;
    listener.hears(Channel::Sms, &processes.first).await;
}

/// One wake-up wakes everybody who listens.
pub async fn everybody_who_listens_is_woken(processes: Processes) {
    let Processes { first, second, .. } = processes;
    let listeners = [Listener::to(&first).await, Listener::to(&second).await];
    let before = listeners.each_ref().map(|listener| listener.heard.of(Channel::Sms));
    first.wake(Channel::Sms).await.unwrap();
    for (listener, before) in listeners.iter().zip(before) {
        listener.heard.more_than(Channel::Sms, before).await;
    }
}

/// A channel wakes who sends its messages, and not those of the other.
pub async fn each_channel_wakes_its_own(processes: Processes) {
    let Processes { first, second, .. } = processes;
    let listener = Listener::to(&second).await;
    for (channel, other) in [(Channel::Sms, Channel::Email), (Channel::Email, Channel::Sms)] {
        let before = listener.heard.of(other);
        for _ in 0..3 {
            listener.hears(channel, &first).await;
        }
        assert_eq!(listener.heard.of(other), before, "{channel:?} woke {other:?}");
    }
}

/// That nobody listens is no failure: they look by themselves.
pub async fn a_wake_up_that_nobody_hears_is_no_failure(processes: Processes) {
    for channel in Channel::ALL {
        processes.first.wake(channel).await.unwrap();
    }
}

/// Counts what it passes on.
struct Counted(Arc<dyn WakeUps>, AtomicUsize);

#[async_trait]
impl WakeUps for Counted {
    async fn wake(&self, channel: Channel) -> Result<(), WakeUpError> {
        self.1.fetch_add(1, Ordering::SeqCst);
        self.0.wake(channel).await
    }

    async fn listen(&self, woken: &(dyn Fn(Channel) + Send + Sync)) -> WakeUpError {
        self.0.listen(woken).await
    }
}

/// A hundred rings in a burst wake who listens, and are few wake-ups.
pub async fn a_hundred_rings_in_a_burst_wake_and_are_few_wake_ups(processes: Processes) {
    let Processes { first, second, .. } = processes;
    let listener = Listener::to(&second).await;
    let counted = Arc::new(Counted(first, AtomicUsize::new(0)));
    let bell = Bell::default();
    let relay = Relay {
        bell: bell.clone(),
        wake_ups: counted.clone(),
        rng: Arc::new(SequenceRng::new(1)),
        listens: false,
    };
    let relaying = tokio::spawn(relay.run(std::future::pending()));
    let before = listener.heard.of(Channel::Email);
    for _ in 0..100 {
        bell.ring(Channel::Email);
        tokio::task::yield_now().await;
    }
    listener.heard.more_than(Channel::Email, before).await;
    // What was rung last is passed on before long.
    tokio::time::sleep(Duration::from_millis(200)).await;
    relaying.abort();
    let calls = counted.1.load(Ordering::SeqCst);
    assert!((1..=10).contains(&calls), "{calls} wake-ups of a hundred rings");
}

/// After its connection was cut, who listens is told of what was missed, and is woken as before.
pub async fn after_the_connection_was_cut_it_is_listened_again(processes: Processes) {
    let Processes { first, second, cut, .. } = processes;
    let listener = Listener::to(&second).await;
    listener.hears(Channel::Email, &first).await;
    let before = Channel::ALL.map(|channel| listener.heard.of(channel));
    cut().await;
    for (channel, before) in Channel::ALL.into_iter().zip(before) {
        listener.heard.more_than(channel, before).await;
    }
    // Whoever wakes others was cut off, too, and may find out by a failure.
    let woken = async {
        while first.wake(Channel::Sms).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, woken).await.expect("nobody can be woken any more");
    listener.hears(Channel::Sms, &first).await;
}

/// Who gave up listening leaves nothing behind: no connection, and nobody to be told.
pub async fn who_gave_up_listening_leaves_nothing_behind(processes: Processes) {
    let Processes { first, second, listeners, .. } = processes;
    let (one, other) = (Listener::to(&first).await, Listener::to(&second).await);
    assert_eq!(listeners().await, 2);
    for (listener, left) in [(other, 1), (one, 0)] {
        drop(listener);
        let gone = async {
            while listeners().await > left {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, gone).await.expect("somebody still listens");
        assert_eq!(listeners().await, left);
    }
}
