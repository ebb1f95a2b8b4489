use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mapae_domain::outbox::{Circuit, CircuitPolicy, DeliveryReport, Room, SendOutcome};
use mapae_domain::{DeliveryReason, Timestamp};
use tracing::{Instrument as _, field};

use crate::ports::{
    Clock, EmailSender, OutgoingEmail, OutgoingSms, SendError, SendReceipt, SmsSender,
};
use crate::trace::TARGET;

/// The longest name of a message at its provider that is kept, in characters.
const LONGEST_ID: usize = 255;

/// How long a sender is left alone that does not work until somebody mends it.
const UNTIL_MENDED: Duration = Duration::from_secs(60);

/// How far it goes to have a message taken.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// What figures call the channel.
    pub(super) channel: &'static str,
    /// How long a sender may take.
    pub(super) timeout: Duration,
    /// How often it may be handed over without an answer.
    pub(super) unanswered: u8,
    /// From when on another worker may have the message.
    pub(super) until: Timestamp,
}

impl Limits {
    /// Whether the lease holds for as long as a sender may take that gets the message now: where the
    /// database was slow before, another may have it in the midst of that. A sender gets all of its time or
    /// none: one that is cut off sooner may never have heard of the message, and counts as if it had.
    pub(super) fn lease_lasts(&self, now: Timestamp) -> bool {
        let lasts = now.plus(self.timeout) <= self.until;
        if !lasts {
            tracing::warn!(self.channel, "a lease does not last for a send any more");
        }
        lasts
    }
}

/// The senders of a channel, in the order of preference.
///
/// A message goes to the first whose circuit lets it pass; where that one cannot take it, to the
/// next. A refusal of the message itself is final.
pub struct Route<S: ?Sized> {
    lanes: Vec<Lane<S>>,
}

/// A sender, and how it has been doing.
struct Lane<S: ?Sized> {
    /// What the configuration calls it.
    name: &'static str,
    sender: Arc<S>,
    health: Mutex<Health>,
}

struct Health {
    circuit: Circuit,
    /// How long the last message took, and whether it was taken.
    last: (Duration, bool),
}

/// What came of a call, while a send timed out or not.
type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, SendError>> + Send + 'a>>;

impl<S: ?Sized> Route<S> {
    /// A route over senders with the names that the configuration has for them, the preferred one
    /// first.
    pub fn new(senders: Vec<(&'static str, Arc<S>)>) -> Self {
        let lane = |(name, sender)| {
            let circuit = Circuit::new(CircuitPolicy::default());
            Lane {
                name,
                sender,
                health: Mutex::new(Health { circuit, last: (Duration::ZERO, true) }),
            }
        };
        Self { lanes: senders.into_iter().map(lane).collect() }
    }

    /// How many messages may be under way by this route.
    pub(super) fn room(&self, now: Timestamp) -> Room {
        let mut earliest = None::<Timestamp>;
        let mut widest = 0;
        for lane in &self.lanes {
            match lane.health().circuit.room(now) {
                Room::For(room) => widest = widest.max(room),
                Room::NotBefore(at) => {
                    earliest = Some(earliest.map_or(at, |earliest| earliest.min(at)));
                }
            }
        }
        match earliest {
            Some(earliest) if widest == 0 => Room::NotBefore(earliest),
            _ => Room::For(widest),
        }
    }

    /// Hands a message to the first sender that takes it.
    async fn pass<'a>(
        &'a self,
        clock: &dyn Clock,
        limits: Limits,
        hand_over: impl Fn(&'a S) -> Answer<'a, SendReceipt> + Send,
    ) -> SendOutcome {
        let mut outcome = Untaken::default();
        for lane in &self.lanes {
            let began = clock.now();
            if !limits.lease_lasts(began) {
                // Given back, where no other has it yet.
                outcome.wait(began);
                break;
            }
            if let Err(until) = lane.enter(began) {
                outcome.wait(until);
                continue;
            }
            let span = tracing::info_span!(
                target: TARGET,
                "message.hand_over",
                otel.kind = "client",
                sender = lane.name,
                outcome = field::Empty,
            );
            let answer = tokio::time::timeout(limits.timeout, hand_over(&lane.sender));
            let answer = answer.instrument(span.clone()).await.unwrap_or_else(|_| {
                Err(SendError::Unanswered("it took longer than a send may".to_owned()))
            });
            span.record("outcome", name(&answer));
            drop(span);
            metrics::counter!(
                "mapae_sends_total",
                "channel" => limits.channel,
                "sender" => lane.name,
                "outcome" => name(&answer),
            )
            .increment(1);
            let now = clock.now();
            lane.learn(&answer, began, now);
            match answer {
                Ok(SendReceipt { provider_id, ask }) => {
                    // A name such as no provider gives, and no database takes, is none to ask by.
                    let is_name =
                        |id: &String| id.chars().count() <= LONGEST_ID && !id.contains('\0');
                    let provider_id = provider_id.filter(is_name);
                    let sender = Some(lane.name.to_owned());
                    return SendOutcome::Sent { sender, provider_id, ask };
                }
                Err(SendError::Refused { reason, .. }) => return SendOutcome::Refused(reason),
                Err(SendError::Unanswered(_)) => {
                    outcome.unanswered += 1;
                    if outcome.unanswered >= limits.unanswered {
                        break;
                    }
                }
                Err(SendError::Temporary(_) | SendError::Deferred(_)) => outcome.failed = true,
                Err(SendError::Throttled { retry_after, .. }) => {
                    outcome.wait(now.plus(retry_after));
                }
                Err(SendError::Broken(_)) => outcome.wait(now.plus(UNTIL_MENDED)),
                Err(SendError::Unsuited(_)) => {}
            }
        }
        outcome.into()
    }

    /// Does with nothing what would be done with a message: takes as long as the last one took, and
    /// fares as it fared. So nobody can tell from outside that nothing was sent.
    pub(super) async fn imitate(&self, clock: &dyn Clock, limits: Limits) -> SendOutcome {
        let mut outcome = Untaken::default();
        for lane in &self.lanes {
            let now = clock.now();
            if !limits.lease_lasts(now) {
                outcome.wait(now);
                break;
            }
            let (room, last) = {
                let health = lane.health();
                (health.circuit.room(now), health.last)
            };
            match (room, last) {
                (Room::NotBefore(until), _) => outcome.wait(until),
                (Room::For(_), (took, taken)) => {
                    tokio::time::sleep(took).await;
                    if taken {
                        return SendOutcome::Sent { sender: None, provider_id: None, ask: false };
                    }
                    outcome.failed = true;
                }
            }
        }
        outcome.into()
    }

    /// Asks the sender of that name what became of a message; nothing where there is none of that
    /// name any more.
    async fn ask<'a>(
        &'a self,
        name: &str,
        timeout: Duration,
        ask: impl Fn(&'a S) -> Answer<'a, Option<DeliveryReport>> + Send,
    ) -> Result<Option<DeliveryReport>, SendError> {
        let Some(lane) = self.lanes.iter().find(|lane| lane.name == name) else { return Ok(None) };
        tokio::time::timeout(timeout, ask(&lane.sender))
            .await
            .unwrap_or_else(|_| Err(SendError::Unanswered("it took too long".to_owned())))
    }
}

impl<S: ?Sized> Lane<S> {
    fn health(&self) -> MutexGuard<'_, Health> {
        // Nothing panics while it is held.
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, now: Timestamp) -> Result<(), Timestamp> {
        self.health().circuit.enter(now)
    }

    /// What an answer tells of the sender.
    fn learn(&self, answer: &Result<SendReceipt, SendError>, began: Timestamp, now: Timestamp) {
        let mut health = self.health();
        let taken = matches!(answer, Ok(_) | Err(SendError::Refused { .. }));
        if !matches!(answer, Err(SendError::Unsuited(_))) {
            health.last = (began.until(now), taken);
        }
        let opened = match answer {
            // A message that is refused was understood: the sender works.
            Ok(_) | Err(SendError::Refused { .. } | SendError::Deferred(_)) => {
                health.circuit.succeeded();
                false
            }
            Err(SendError::Unsuited(_)) => {
                health.circuit.not_asked(now);
                false
            }
            Err(SendError::Temporary(_) | SendError::Unanswered(_)) => health.circuit.failed(now),
            Err(SendError::Throttled { retry_after, .. }) => {
                health.circuit.leave_alone(*retry_after, now);
                false
            }
            Err(SendError::Broken(_)) => {
                health.circuit.leave_alone(UNTIL_MENDED, now);
                true
            }
        };
        drop(health);
        let sender = self.name;
        match answer {
            Err(error @ SendError::Broken(_)) => {
                tracing::error!(sender, %error, "the sender has to be mended");
            }
            Err(error @ SendError::Throttled { retry_after, .. })
                if *retry_after >= UNTIL_MENDED =>
            {
                tracing::error!(sender, %error, "the sender is left alone");
            }
            Err(error) if opened => tracing::error!(sender, %error, "the sender is left alone"),
            Err(error) => tracing::warn!(sender, %error, "a message was not taken"),
            Ok(_) => {}
        }
    }
}

/// What spans and figures call a sender's answer.
fn name(answer: &Result<SendReceipt, SendError>) -> &'static str {
    match answer {
        Ok(_) => "taken",
        Err(SendError::Refused { .. }) => "refused",
        Err(SendError::Temporary(_)) => "failed",
        Err(SendError::Unanswered(_)) => "unanswered",
        Err(SendError::Deferred(_)) => "deferred",
        Err(SendError::Throttled { .. }) => "throttled",
        Err(SendError::Broken(_)) => "broken",
        Err(SendError::Unsuited(_)) => "unsuited",
    }
}

/// What is to be done with a message that nobody took.
#[derive(Default)]
struct Untaken {
    unanswered: u8,
    failed: bool,
    until: Option<Timestamp>,
}

impl Untaken {
    fn wait(&mut self, until: Timestamp) {
        self.until = Some(self.until.map_or(until, |before| before.min(until)));
    }
}

impl From<Untaken> for SendOutcome {
    fn from(untaken: Untaken) -> Self {
        match untaken {
            Untaken { unanswered: times @ 1.., .. } => Self::Unanswered { times },
            Untaken { failed: true, .. } => Self::Temporary,
            Untaken { until: Some(until), .. } => Self::Postponed { until },
            // No sender is made for it.
            Untaken { .. } => Self::Refused(DeliveryReason::ProviderUnavailable),
        }
    }
}

impl Route<dyn EmailSender> {
    pub(super) async fn send<'a>(
        &'a self,
        clock: &dyn Clock,
        limits: Limits,
        email: &'a OutgoingEmail,
    ) -> SendOutcome {
        self.pass(clock, limits, |sender| sender.send(email)).await
    }

    pub(super) async fn outcome<'a>(
        &'a self,
        name: &str,
        timeout: Duration,
        provider_id: &'a str,
    ) -> Result<Option<DeliveryReport>, SendError> {
        self.ask(name, timeout, |sender| sender.outcome(provider_id)).await
    }
}

impl Route<dyn SmsSender> {
    pub(super) async fn send<'a>(
        &'a self,
        clock: &dyn Clock,
        limits: Limits,
        sms: &'a OutgoingSms,
    ) -> SendOutcome {
        self.pass(clock, limits, |sender| sender.send(sms)).await
    }

    pub(super) async fn outcome<'a>(
        &'a self,
        name: &str,
        timeout: Duration,
        provider_id: &'a str,
    ) -> Result<Option<DeliveryReport>, SendError> {
        self.ask(name, timeout, |sender| sender.outcome(provider_id)).await
    }
}
