use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use mapae_domain::outbox::{Lease, SendOutcome};
use mapae_domain::{Contact, OutboxMessage, RetryPolicy, Timestamp};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::{Envelope, MessageContent};
use crate::ports::{
    Clock, EmailSender, MessageRenderer, MessageSealer, OutgoingEmail, OutgoingSms, SecretRng,
    SendError, SmsSender, Store, StoreError,
};

/// Wakes the worker of this process when a message was committed, so that it leaves at once.
#[derive(Clone, Default)]
pub struct Bell(Arc<Notify>);

impl Bell {
    /// Says that a message was committed.
    pub fn ring(&self) {
        self.0.notify_one();
    }

    async fn rung(&self) {
        self.0.notified().await;
    }
}

/// The numbers of a worker.
#[derive(Debug, Clone)]
pub struct WorkerSettings {
    /// How many messages are under way at once.
    pub concurrency: usize,
    /// How long a sender may take before the try counts as failed.
    pub send_timeout: Duration,
    /// How long a lease holds: longer than a send takes.
    pub lease: Duration,
    /// How long the worker sleeps at the most before it looks for messages of other processes.
    pub poll: Duration,
    /// How long messages under way may take to finish once the worker is told to stop.
    pub grace: Duration,
    /// When a failed message is tried again.
    pub retry: RetryPolicy,
}

impl Default for WorkerSettings {
    fn default() -> Self {
        Self {
            concurrency: 32,
            send_timeout: Duration::from_secs(20),
            lease: Duration::from_secs(60),
            poll: Duration::from_secs(1),
            grace: Duration::from_secs(10),
            retry: RetryPolicy::default(),
        }
    }
}

/// Sends what the outbox holds.
pub struct Worker {
    /// Where the outbox is.
    pub store: Arc<dyn Store>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance, for the jitter of retries.
    pub rng: Arc<dyn SecretRng>,
    /// Opens the messages.
    pub sealer: Arc<dyn MessageSealer>,
    /// Puts them into words.
    pub renderer: Arc<dyn MessageRenderer>,
    /// Sends mail.
    pub email: Arc<dyn EmailSender>,
    /// Sends short messages.
    pub sms: Arc<dyn SmsSender>,
    /// Rung when a message was committed in this process.
    pub bell: Bell,
    /// The worker's numbers.
    pub settings: WorkerSettings,
}

/// A message whose try is over.
struct Tried {
    message: OutboxMessage,
    lease: Lease,
    outcome: Option<SendOutcome>,
}

impl Worker {
    /// Sends messages until `stop` is ready, then lets those under way finish.
    ///
    /// A failure of the store is logged and tried again: a worker does not end by itself.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let worker = Arc::new(self);
        let mut sending = JoinSet::new();
        tokio::pin!(stop);
        loop {
            let wait = match worker.lease_into(&mut sending).await {
                Ok(wait) => wait,
                Err(error) => {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "outbox not readable"
                    );
                    worker.settings.poll
                }
            };
            tokio::select! {
                () = &mut stop => break,
                Some(tried) = sending.join_next() => worker.record(tried, &mut sending).await,
                () = worker.bell.rung() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
        let finish = async {
            while let Some(tried) = sending.join_next().await {
                worker.record(tried, &mut sending).await;
            }
        };
        if tokio::time::timeout(worker.settings.grace, finish).await.is_err() {
            tracing::warn!("messages under way were left to their leases");
        }
    }

    /// Sends what is due now, and comes back when all of it was tried.
    ///
    /// # Errors
    /// What the store says when messages are leased.
    pub async fn run_once(self: &Arc<Self>) -> Result<(), StoreError> {
        let mut sending = JoinSet::new();
        loop {
            self.lease_into(&mut sending).await?;
            match sending.join_next().await {
                Some(tried) => self.record(tried, &mut sending).await,
                None => return Ok(()),
            }
        }
    }

    /// Leases as many messages as there is room for, and begins to send them. Says how long it may
    /// take until there is something to do again.
    async fn lease_into(
        self: &Arc<Self>,
        sending: &mut JoinSet<Tried>,
    ) -> Result<Duration, StoreError> {
        let room = self.settings.concurrency.saturating_sub(sending.len());
        if room == 0 {
            // The next message that finishes makes room.
            return Ok(self.settings.poll);
        }
        let now = self.clock.now();
        let due = self.store.read().await?.next_message_due().await?;
        match due {
            Some(due) if due <= now => {}
            Some(due) => return Ok(now.until(due).min(self.settings.poll)),
            None => return Ok(self.settings.poll),
        }
        let limit = u32::try_from(room).unwrap_or(u32::MAX);
        let mut work = self.store.begin().await?;
        let leased = work.lease_messages(limit, now.plus(self.settings.lease), now).await?;
        work.commit().await?;
        let full = leased.len() == room;
        for message in leased {
            let Some(lease) = message.record().lease else { continue };
            let worker = Arc::clone(self);
            sending.spawn(async move { worker.attempt(message, lease, now).await });
        }
        Ok(if full { Duration::ZERO } else { self.settings.poll })
    }

    async fn attempt(&self, message: OutboxMessage, lease: Lease, now: Timestamp) -> Tried {
        if message.is_expired(now) {
            return Tried { message, lease, outcome: None };
        }
        let sent = tokio::time::timeout(self.settings.send_timeout, self.send(&message)).await;
        let result =
            sent.unwrap_or_else(|_| Err(SendError::Temporary("no answer in time".to_owned())));
        let (id, channel) = (message.id(), message.record().channel.as_str());
        let outcome = match result {
            Ok(provider_id) => {
                tracing::info!(message = %id, channel, "message sent");
                SendOutcome::Sent { provider_id }
            }
            Err(error @ SendError::Temporary(_)) => {
                tracing::warn!(message = %id, channel, %error, "message not sent, will be tried again");
                SendOutcome::Temporary
            }
            Err(error @ SendError::Permanent(_)) => {
                tracing::error!(message = %id, channel, %error, "message not sent, and never will be");
                SendOutcome::Permanent
            }
        };
        Tried { message, lease, outcome: Some(outcome) }
    }

    async fn send(&self, message: &OutboxMessage) -> Result<Option<String>, SendError> {
        let id = message.id();
        let envelope = Envelope::open(&*self.sealer, id, &message.record().sealed)
            .map_err(|error| SendError::Permanent(error.to_string()))?;
        let recipient =
            envelope.recipient().map_err(|error| SendError::Permanent(error.to_string()))?;
        if matches!(envelope.content, MessageContent::Nothing) {
            return Ok(None);
        }
        let rendering = |error: crate::ports::RenderError| SendError::Permanent(error.to_string());
        let receipt = match recipient {
            Contact::Email(to) => {
                let content =
                    self.renderer.email(&envelope.content, envelope.locale()).map_err(rendering)?;
                self.email.send(&OutgoingEmail { id, to, content }).await?
            }
            Contact::Phone(to) => {
                let text =
                    self.renderer.sms(&envelope.content, envelope.locale()).map_err(rendering)?;
                self.sms.send(&OutgoingSms { id, to, text }).await?
            }
        };
        Ok(receipt.provider_id)
    }

    /// Stores what became of a message, together with all others that have finished by now.
    async fn record(
        &self,
        tried: Result<Tried, tokio::task::JoinError>,
        sending: &mut JoinSet<Tried>,
    ) {
        let mut finished = Vec::new();
        let mut next = Some(tried);
        while let Some(tried) = next {
            match tried {
                Ok(tried) => finished.push(tried),
                // The message's lease runs out, and it is tried again.
                Err(error) => tracing::error!(%error, "a send broke off"),
            }
            next = sending.try_join_next();
        }
        let now = self.clock.now();
        let recorded = finished.into_iter().map(|tried| {
            let random = &mut |bytes: &mut [u8]| self.rng.fill(bytes);
            let message = match tried.outcome {
                Some(outcome) => tried.message.tried(outcome, &self.settings.retry, now, random),
                None => tried.message.expire(now),
            };
            (message, tried.lease)
        });
        let recorded: Vec<_> = recorded.collect();
        let store = async {
            let mut work = self.store.begin().await?;
            for (message, lease) in &recorded {
                if !work.record_message(message, *lease).await? {
                    tracing::warn!(message = %message.id(), "the lease was lost before the outcome was stored");
                }
            }
            work.commit().await
        };
        if let Err(error) = store.await {
            // Their leases run out, and they are tried again: twice is better than never.
            tracing::error!(error = &error as &dyn std::error::Error, "outcomes not stored");
        }
    }
}
