use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use mapae_domain::outbox::{Lease, Room, SendOutcome};
use mapae_domain::{
    Channel, Contact, DeliveryReason, OutboxMessage, RetryPolicy, Timestamp, VerificationPolicy,
};
use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};
use tracing::{Instrument as _, Span, field};

use super::event::address_hash;
use super::route::Limits;
use super::{Bell, Envelope, MessageContent, Route};
use crate::error::until_settled;
use crate::ports::store::SendAllowance;
use crate::ports::{
    Clock, EmailSender, HashContext, MessageRenderer, MessageSealer, OutgoingEmail, OutgoingSms,
    SecretHasher, SecretRng, SmsSender, Store, StoreError, TraceCaller, TraceLinks,
};
use crate::trace::TARGET;
use crate::verification::{begin_decisions, count_decision};

/// The numbers of a worker.
#[derive(Debug, Clone)]
pub struct WorkerSettings {
    /// How many messages of a channel are under way at once.
    pub concurrency: usize,
    /// How long a sender may take before it counts as one that did not answer.
    pub send_timeout: Duration,
    /// How long a lease holds: longer than all senders of a channel together may take.
    pub lease: Duration,
    /// How long the worker sleeps at the most before it looks for messages that nobody woke it for.
    pub poll: Duration,
    /// How long messages under way may take to finish once the worker is told to stop.
    pub grace: Duration,
    /// When a failed message is tried again.
    pub retry: RetryPolicy,
    /// How many short messages all workers together hand over within 24 hours; any number where
    /// absent. Whoever has strangers send to numbers of their own does not spend more than that.
    pub sms_daily_limit: Option<u32>,
}

impl Default for WorkerSettings {
    fn default() -> Self {
        Self {
            concurrency: 32,
            send_timeout: Duration::from_secs(15),
            lease: Duration::from_secs(60),
            poll: Duration::from_secs(1),
            grace: Duration::from_secs(10),
            retry: RetryPolicy::default(),
            sms_daily_limit: None,
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
    /// Hashes addresses, to see what is known of them.
    pub secrets: Arc<dyn SecretHasher>,
    /// Puts messages into words.
    pub renderer: Arc<dyn MessageRenderer>,
    /// Sends mail.
    pub email: Route<dyn EmailSender>,
    /// Sends short messages.
    pub sms: Route<dyn SmsSender>,
    /// Rung when a message was committed: in this process, or in another that a
    /// [`Relay`](super::Relay) hears.
    pub bell: Bell,
    /// Ties a send to the request that caused it.
    pub traces: Arc<dyn TraceLinks>,
    /// The worker's numbers.
    pub settings: WorkerSettings,
}

/// A message whose try is over.
struct Tried {
    message: OutboxMessage,
    lease: Lease,
    outcome: Option<SendOutcome>,
}

/// The messages of a channel that are under way.
struct UnderWay {
    channel: Channel,
    sending: JoinSet<Tried>,
    /// What was leased, for the case that a try never comes to an end.
    leased: HashMap<Id, (OutboxMessage, Lease)>,
}

impl UnderWay {
    fn of(channel: Channel) -> Self {
        Self { channel, sending: JoinSet::new(), leased: HashMap::new() }
    }

    /// The next that comes to an end, and all others that have by then.
    async fn finished(&mut self) -> Option<Vec<Tried>> {
        let next = self.sending.join_next_with_id().await;
        next.as_ref()?;
        Some(self.ended(next))
    }

    /// One that has come to its end, and all others that have.
    fn ended(&mut self, mut next: Option<Result<(Id, Tried), JoinError>>) -> Vec<Tried> {
        let mut finished = Vec::new();
        while let Some(ended) = next {
            match ended {
                Ok((id, tried)) => {
                    self.leased.remove(&id);
                    finished.push(tried);
                }
                Err(error) => {
                    tracing::error!(%error, "a send broke off");
                    finished.extend(self.leased.remove(&error.id()).map(broken_off));
                }
            }
            next = self.sending.try_join_next_with_id();
        }
        finished
    }

    /// Breaks off what has not come to its end; what has is the first.
    fn abandon(mut self) -> (Vec<Tried>, Vec<Tried>) {
        let next = self.sending.try_join_next_with_id();
        let finished = self.ended(next);
        self.sending.abort_all();
        (finished, self.leased.drain().map(|(_, leased)| broken_off(leased)).collect())
    }
}

/// Nobody knows how far it was.
fn broken_off((message, lease): (OutboxMessage, Lease)) -> Tried {
    Tried { message, lease, outcome: Some(SendOutcome::Unanswered { times: 1 }) }
}

impl Worker {
    /// Sends messages until `stop` is ready, then lets those under way finish and gives back the
    /// others.
    ///
    /// Each channel goes its own way: a slow provider of one holds up nothing of the other. A
    /// failure of the store is logged and tried again: a worker does not end by itself.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        if self.settings.sms_daily_limit.is_some() {
            // A figure that is not there before the first refusal has not risen by it.
            begin_decisions("sms_daily");
        }
        let worker = Arc::new(self);
        let (stopping, stopped) = watch::channel(false);
        let stop = async {
            stop.await;
            stopping.send_replace(true);
        };
        tokio::join!(
            stop,
            worker.send_all(Channel::Email, stopped.clone()),
            worker.send_all(Channel::Sms, stopped.clone()),
            worker.ask_all(stopped.clone()),
        );
    }

    async fn send_all(self: &Arc<Self>, channel: Channel, mut stopped: watch::Receiver<bool>) {
        let mut under_way = UnderWay::of(channel);
        loop {
            let wait = match self.lease_into(&mut under_way).await {
                Ok(wait) => wait,
                Err(error) => {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "outbox not readable"
                    );
                    self.settings.poll
                }
            };
            tokio::select! {
                () = raised(&mut stopped) => break,
                Some(finished) = under_way.finished() => self.record(finished).await,
                () = self.bell.rung(channel) => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
        let grace = tokio::time::sleep(self.settings.grace);
        tokio::pin!(grace);
        loop {
            // What has come to its end is stored, however little of the time is left.
            let finished = tokio::select! {
                finished = under_way.finished() => finished,
                () = &mut grace => break,
            };
            match finished {
                Some(finished) => self.record(finished).await,
                None => return,
            }
        }
        let (finished, abandoned) = under_way.abandon();
        tracing::warn!(messages = abandoned.len(), "messages under way are given back");
        self.record(finished.into_iter().chain(abandoned).collect()).await;
    }

    async fn ask_all(self: &Arc<Self>, mut stopped: watch::Receiver<bool>) {
        let mut asking = JoinSet::new();
        loop {
            let wait = match self.ask_into(&mut asking).await {
                Ok(wait) => wait,
                Err(error) => {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "outbox not readable"
                    );
                    self.settings.poll
                }
            };
            tokio::select! {
                () = raised(&mut stopped) => break,
                Some(asked) = asking.join_next() => {
                    if let Err(error) = asked {
                        // The claim runs out, and the provider is asked again.
                        tracing::error!(%error, "a question broke off");
                    }
                }
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Sends what is due now, asks what is to be asked now, and comes back when all of it was tried.
    ///
    /// # Errors
    /// What the store says when messages are leased.
    pub async fn run_once(self: &Arc<Self>) -> Result<(), StoreError> {
        for channel in Channel::ALL {
            let mut under_way = UnderWay::of(channel);
            loop {
                self.lease_into(&mut under_way).await?;
                match under_way.finished().await {
                    Some(finished) => self.record(finished).await,
                    None => break,
                }
            }
        }
        let mut asking = JoinSet::new();
        loop {
            self.ask_into(&mut asking).await?;
            if asking.join_next().await.is_none() {
                return Ok(());
            }
        }
    }

    fn room(&self, channel: Channel, now: Timestamp) -> Room {
        match channel {
            Channel::Email => self.email.room(now),
            Channel::Sms => self.sms.room(now),
        }
    }

    /// Leases as many messages as there is room for, and begins to send them. Says how long it may
    /// take until there is something to do again.
    async fn lease_into(
        self: &Arc<Self>,
        under_way: &mut UnderWay,
    ) -> Result<Duration, StoreError> {
        let (now, channel) = (self.clock.now(), under_way.channel);
        let room = match self.room(channel, now) {
            Room::For(room) => room.min(self.settings.concurrency),
            Room::NotBefore(at) => return Ok(now.until(at).min(self.settings.poll)),
        };
        let room = room.saturating_sub(under_way.sending.len());
        if room == 0 {
            // The next message that finishes makes room.
            return Ok(self.settings.poll);
        }
        let due = self.store.read().await?.next_message_due(channel).await?;
        match due {
            Some(due) if due <= now => {}
            Some(due) => return Ok(now.until(due).min(self.settings.poll)),
            None => return Ok(self.settings.poll),
        }
        let limit = u32::try_from(room).unwrap_or(u32::MAX);
        let until = now.plus(self.settings.lease);
        let mut work = self.store.begin().await?;
        let leased = work.lease_messages(channel, limit, until, now).await?;
        work.commit().await?;
        let full = leased.len() == room;
        for message in leased {
            let Some(lease) = message.record().lease else { continue };
            let worker = Arc::clone(self);
            let kept = (message.clone(), lease);
            let task =
                under_way.sending.spawn(async move { worker.attempt(message, lease, now).await });
            under_way.leased.insert(task.id(), kept);
        }
        Ok(if full { Duration::ZERO } else { self.settings.poll })
    }

    async fn attempt(&self, message: OutboxMessage, lease: Lease, now: Timestamp) -> Tried {
        if message.is_expired(now) {
            return Tried { message, lease, outcome: None };
        }
        let outcome = match self.send(&message, lease).await {
            Ok(outcome) => outcome,
            Err(Unsent::Never { reason, why }) => {
                let (id, channel) = (message.id(), message.record().channel.as_str());
                tracing::error!(message = %id, channel, why, "message not sent, and never will be");
                SendOutcome::Refused(reason)
            }
            Err(Unsent::Store(error)) => {
                tracing::error!(error = &error as &dyn std::error::Error, "outbox not readable");
                SendOutcome::Postponed { until: now.plus(self.settings.poll) }
            }
        };
        Tried { message, lease, outcome: Some(outcome) }
    }

    async fn send(&self, message: &OutboxMessage, lease: Lease) -> Result<SendOutcome, Unsent> {
        let id = message.id();
        let envelope = Envelope::open(&*self.sealer, id, &message.record().sealed)?;
        let span = self.begin_span(message, &envelope);
        let sent = self.send_opened(message, lease, envelope).instrument(span.clone()).await;
        tell(&span, &sent);
        sent
    }

    /// A span for a try, in the trace of the request that caused the message.
    fn begin_span(&self, message: &OutboxMessage, envelope: &Envelope) -> Span {
        let channel = message.record().channel.as_str();
        let span = tracing::info_span!(
            target: TARGET,
            "message.send",
            otel.kind = "consumer",
            channel,
            sender = field::Empty,
            outcome = field::Empty,
        );
        if let Some(cause) = envelope.cause() {
            // It was sealed by this installation.
            self.traces.follow(&span, &cause, TraceCaller::Trusted);
        }
        span
    }

    async fn send_opened(
        &self,
        message: &OutboxMessage,
        lease: Lease,
        envelope: Envelope,
    ) -> Result<SendOutcome, Unsent> {
        let id = message.id();
        let recipient = envelope.recipient()?;
        let address = address_hash(&*self.secrets, &recipient);
        let deliverability = self.store.read().await?.deliverability(&address).await?;
        if let Some(reason) = deliverability.refusal() {
            return Err(Unsent::Never { reason, why: "the address is marked".to_owned() });
        }
        let (clock, locale) = (&*self.clock, envelope.locale());
        let limits = Limits {
            channel: message.record().channel.as_str(),
            timeout: self.settings.send_timeout,
            unanswered: message.unanswered_left(),
            until: lease.expires_at,
        };
        let now = clock.now();
        if !limits.lease_lasts(now) {
            // Before it counts against the day's: it is given back.
            return Ok(SendOutcome::Postponed { until: now });
        }
        let used_up = match (&recipient, &envelope.content) {
            (Contact::Email(_), _) => None,
            // Nothing is paid for nothing, and it fares no better.
            (Contact::Phone(_), content) => {
                let is_paid = !matches!(content, MessageContent::Nothing);
                self.sms_used_up_until(is_paid).await?
            }
        };
        if let Some(until) = used_up {
            return Ok(SendOutcome::Postponed { until });
        }
        let outcome = match (recipient, envelope.content) {
            (Contact::Email(_), MessageContent::Nothing) => self.email.imitate(clock, limits).await,
            (Contact::Phone(_), MessageContent::Nothing) => self.sms.imitate(clock, limits).await,
            (Contact::Email(to), content) => {
                let content = self.renderer.email(&content, locale)?;
                self.email.send(clock, limits, &OutgoingEmail { id, to, content }).await
            }
            (Contact::Phone(to), content) => {
                let text = self.renderer.sms(&content, locale)?;
                self.sms.send(clock, limits, &OutgoingSms { id, to, text, content }).await
            }
        };
        Ok(outcome)
    }

    /// Says until when there are no short messages where those of the day are used up; one that is paid
    /// counts. A second try is a second message to whoever pays.
    async fn sms_used_up_until(&self, is_paid: bool) -> Result<Option<Timestamp>, StoreError> {
        let Some(limit) = self.settings.sms_daily_limit else { return Ok(None) };
        let now = self.clock.now();
        let all = self.secrets.hash(HashContext::ContactSends, &[b"every short message", b"day"]);
        let mut work = self.store.begin().await?;
        let window_end = now.plus(VerificationPolicy::CONTACT_WINDOW);
        let allowance = work.count_contact_send(&all, limit, window_end, now).await?;
        if is_paid {
            work.commit().await?;
            count_decision("sms_daily", allowance == SendAllowance::Allowed);
        }
        Ok(match allowance {
            SendAllowance::Allowed => None,
            SendAllowance::Refused { retry_at } => {
                tracing::error!(
                    limit,
                    "the short messages of the day are used up: sms.daily_limit"
                );
                Some(retry_at)
            }
        })
    }

    /// Stores what became of messages.
    async fn record(&self, finished: Vec<Tried>) {
        let now = self.clock.now();
        let recorded = finished.into_iter().map(|tried| {
            let random = &mut |bytes: &mut [u8]| self.rng.fill(bytes);
            let message = match tried.outcome {
                Some(outcome) => tried.message.tried(outcome, &self.settings.retry, now, random),
                None => tried.message.expire(now),
            };
            (message, tried.lease)
        });
        let mut recorded: Vec<_> = recorded.collect();
        // In one order, whoever holds some of them: nobody waits in a circle.
        recorded.sort_by_key(|(message, _)| message.id());
        // What was sent and is not stored is sent again. To store it again does nothing, for the lease is gone.
        let until = now.plus(self.settings.lease.min(STORING));
        for tries in 1.. {
            match until_settled!(self.store_outcomes(&recorded).await) {
                Ok(()) => {
                    recorded.iter().for_each(|(message, _)| log(message));
                    return;
                }
                Err(StoreError::Unavailable(_)) if tries < TRIES && self.clock.now() < until => {
                    tokio::time::sleep(STORING / TRIES).await;
                }
                // Their leases run out, and they are tried again: twice is better than never.
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(error, "outcomes not stored");
                    return;
                }
            }
        }
    }
}

/// How long it is tried to store what became of messages, where the database is not there: less than a
/// process that stops is waited for; and how often.
const STORING: Duration = Duration::from_secs(10);
const TRIES: u32 = 50;

impl Worker {
    async fn store_outcomes(&self, recorded: &[(OutboxMessage, Lease)]) -> Result<(), StoreError> {
        let mut work = self.store.begin().await?;
        for (message, lease) in recorded {
            if !work.record_message(message, *lease).await? {
                tracing::warn!(message = %message.id(), "the lease was lost before the outcome was stored");
            }
        }
        work.commit().await.map(drop)
    }
}

/// Ready once the flag is up, or nobody is left who could raise it.
async fn raised(flag: &mut watch::Receiver<bool>) {
    drop(flag.wait_for(|up| *up).await);
}

/// Says what became of a message: by its id, its channel and its sender.
fn log(message: &OutboxMessage) {
    let record = message.record();
    let (id, channel, tries) = (record.id, record.channel.as_str(), record.tries);
    let status = record.status.as_str();
    let reason = record.reason.map(DeliveryReason::as_str);
    metrics::counter!("mapae_messages_total", "channel" => channel, "status" => status)
        .increment(1);
    tracing::info!(message = %id, channel, status, reason, tries, sender = record.sender, "message tried");
}

/// Tells a span what came of a try.
fn tell(span: &Span, sent: &Result<SendOutcome, Unsent>) {
    let outcome = match sent {
        Ok(SendOutcome::Sent { sender, .. }) => {
            if let Some(sender) = sender {
                span.record("sender", sender.as_str());
            }
            "sent"
        }
        Ok(SendOutcome::Refused(_)) | Err(Unsent::Never { .. }) => "refused",
        Ok(SendOutcome::Temporary) => "failed",
        Ok(SendOutcome::Postponed { .. }) | Err(Unsent::Store(_)) => "postponed",
        Ok(SendOutcome::Unanswered { .. }) => "unanswered",
    };
    span.record("outcome", outcome);
}

/// Why no sender was asked.
enum Unsent {
    /// It never goes.
    Never { reason: DeliveryReason, why: String },
    /// What is known of its reader cannot be read.
    Store(StoreError),
}

impl From<StoreError> for Unsent {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<crate::ports::Unsealable> for Unsent {
    fn from(error: crate::ports::Unsealable) -> Self {
        Self::Never { reason: DeliveryReason::Unknown, why: error.to_string() }
    }
}

impl From<crate::ports::RenderError> for Unsent {
    fn from(error: crate::ports::RenderError) -> Self {
        Self::Never { reason: DeliveryReason::ContentRefused, why: error.to_string() }
    }
}
