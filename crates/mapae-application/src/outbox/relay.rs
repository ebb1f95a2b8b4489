use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use mapae_domain::Channel;
use tokio::sync::Notify;

use super::Bell;
use crate::ports::{SecretRng, WakeUpError, WakeUps};

/// How long others are left alone once they were woken: a thousand messages a second are a hundred
/// wake-ups of a channel.
const PAUSE: Duration = Duration::from_millis(10);
/// How long a wake-up may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a failure waits before the next try: the first, and the longest.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(8));

/// Passes what is rung in this process on to others, and the other way round.
///
/// One task, away from every request: rings that come while it is busy become one wake-up, and where
/// wake-ups do not get through, it says so once and goes on trying. Workers then find by looking what
/// they are not told of.
pub struct Relay {
    /// The bell of this process.
    pub bell: Bell,
    /// The way to the others.
    pub wake_ups: Arc<dyn WakeUps>,
    /// Chance, so that those who lost the way together do not try it again together.
    pub rng: Arc<dyn SecretRng>,
    /// Whether somebody in this process is to be woken by others.
    pub listens: bool,
}

/// Which ways are out of order, as bits.
#[derive(Default)]
struct Outage(AtomicU8);

const WAKING: u8 = 1;
const LISTENING: u8 = 2;

impl Outage {
    fn is_of(&self, way: u8) -> bool {
        self.0.load(Ordering::Relaxed) & way != 0
    }

    fn begun(&self, way: u8, error: &WakeUpError) {
        if self.0.fetch_or(way, Ordering::Relaxed) == 0 {
            tracing::warn!(
                error = error as &dyn std::error::Error,
                "wake-ups between processes do not get through: workers look by themselves (outbox.poll)"
            );
        }
    }

    fn over(&self, way: u8) {
        if self.0.fetch_and(!way, Ordering::Relaxed) == way {
            tracing::info!("wake-ups between processes get through again");
        }
    }
}

/// How long to wait after a failure: twice as long each time, and up to half of it less by chance.
struct BackOff<'a>(Duration, &'a dyn SecretRng);

impl<'a> BackOff<'a> {
    fn new(rng: &'a dyn SecretRng) -> Self {
        Self(BACK_OFF.0, rng)
    }

    fn next(&mut self) -> Duration {
        let mut chance = [0];
        self.1.fill(&mut chance);
        let next = self.0 - self.0 * u32::from(chance[0]) / 512;
        self.0 = (self.0 * 2).min(BACK_OFF.1);
        next
    }

    async fn wait(&mut self) {
        tokio::time::sleep(self.next()).await;
    }
}

/// A channel that others are being told of; they were not told, unless it says so.
struct Telling<'a>(&'a Bell, Channel);

impl Telling<'_> {
    fn done(self) {
        std::mem::forget(self);
    }
}

impl Drop for Telling<'_> {
    fn drop(&mut self) {
        self.0.ring_elsewhere(self.1);
    }
}

impl Relay {
    /// Relays until `stop` is ready, and then tells others what they were not told yet.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let outage = Outage::default();
        let relaying = async { tokio::join!(self.wake_others(&outage), self.listen(&outage)) };
        tokio::select! {
            () = stop => {}
            _ = relaying => {}
        }
        if !outage.is_of(WAKING)
            && let Err(error) = self.wake_now().await
        {
            outage.begun(WAKING, &error);
        }
    }

    /// Wakes others whenever something was rung here.
    async fn wake_others(&self, outage: &Outage) {
        let mut back_off = BackOff::new(&*self.rng);
        loop {
            self.bell.rung_elsewhere().await;
            match self.wake_now().await {
                Ok(()) => {
                    back_off = BackOff::new(&*self.rng);
                    outage.over(WAKING);
                    tokio::time::sleep(PAUSE).await;
                }
                Err(error) => {
                    outage.begun(WAKING, &error);
                    back_off.wait().await;
                }
            }
        }
    }

    /// Wakes others for every channel that they were not told of. What fails is to be told still.
    async fn wake_now(&self) -> Result<(), WakeUpError> {
        for channel in Channel::ALL {
            if !self.bell.take_untold(channel) {
                continue;
            }
            let telling = Telling(&self.bell, channel);
            let woken = tokio::time::timeout(PATIENCE, self.wake_ups.wake(channel)).await;
            let woken = woken.unwrap_or_else(|late| Err(WakeUpError(late.into())));
            woken?;
            telling.done();
        }
        Ok(())
    }

    /// Rings here for what others have rung.
    async fn listen(&self, outage: &Outage) {
        if !self.listens {
            // Whoever does not listen waits for the end.
            return std::future::pending().await;
        }
        let mut back_off = BackOff::new(&*self.rng);
        loop {
            let heard = Notify::new();
            let woken = |channel| {
                heard.notify_one();
                self.bell.ring_here(channel);
            };
            let listening = self.wake_ups.listen(&woken);
            // A way that is lost again and again is not there, though each time it is for a moment.
            let lasting = async {
                heard.notified().await;
                tokio::time::sleep(BACK_OFF.1).await;
                outage.over(LISTENING);
                back_off = BackOff::new(&*self.rng);
                std::future::pending().await
            };
            let error = tokio::select! {
                error = listening => error,
                never = lasting => never,
            };
            outage.begun(LISTENING, &error);
            back_off.wait().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Draws the same byte each time.
    struct Fixed(u8);

    impl SecretRng for Fixed {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }

    fn waits(byte: u8) -> Vec<Duration> {
        let rng = Fixed(byte);
        let mut back_off = BackOff::new(&rng);
        (0..8).map(|_| back_off.next()).collect()
    }

    #[test]
    fn who_fails_again_waits_twice_as_long_and_chance_takes_up_to_half_of_it() {
        let longest = [250, 500, 1_000, 2_000, 4_000, 8_000, 8_000, 8_000];
        assert_eq!(waits(0), longest.map(Duration::from_millis));
        let (middle, shortest) = (waits(128), waits(u8::MAX));
        for (nth, longest) in waits(0).into_iter().enumerate() {
            assert!(longest > middle[nth] && middle[nth] > shortest[nth]);
            assert!(shortest[nth] > longest / 2);
        }
    }
}
