//! Messages that are to be sent, and what becomes of them.
//!
//! A message is stored with what caused it and sent afterwards, by a worker that leases it. A lease
//! carries a fencing number: a worker that lost its lease can record nothing any more.

mod circuit;
mod delivery;

pub use circuit::{Circuit, CircuitPolicy, Room};
pub use delivery::{Delivery, DeliveryReason, DeliveryReport, DeliveryStatus};

use std::time::Duration;

use crate::contact::Channel;
use crate::id::{MessageId, VerificationId};
use crate::secret::RandomSource;
use crate::time::Timestamp;

/// When a message is tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryPolicy {
    /// How often a message is tried at the most.
    pub tries: u8,
    /// How long the first retry waits; each further one waits twice as long.
    pub first_wait: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { tries: 8, first_wait: Duration::from_secs(5) }
    }
}

impl RetryPolicy {
    /// How long to wait after try number `tried` (1 for the first): `first_wait × 2ⁿ⁻¹`, of which
    /// up to a quarter is taken off by chance, so that what failed together does not return
    /// together.
    pub fn wait(&self, tried: u8, random: &mut RandomSource<'_>) -> Duration {
        let doublings = u32::from(tried.saturating_sub(1)).min(16);
        let full = self.first_wait.saturating_mul(1 << doublings);
        let mut byte = [0];
        random(&mut byte);
        full - full / 4 * u32::from(byte[0]) / 255
    }
}

/// A worker's hold on a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// Goes up with every lease of the message: a worker with a lower number has lost it.
    pub fence: u32,
    /// Until when it holds.
    pub expires_at: Timestamp,
}

/// A message as it is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct OutboxRecord {
    /// The id, which a provider is given too where it takes one.
    pub id: MessageId,
    /// How it is sent.
    pub channel: Channel,
    /// The verification that it carries a code of.
    pub verification: Option<VerificationId>,
    /// What to send, sealed; empty once the message is final.
    pub sealed: Vec<u8>,
    /// What is known of its way.
    pub status: DeliveryStatus,
    /// How often it was tried.
    pub tries: u8,
    /// From when it may be tried (again).
    pub due_at: Timestamp,
    /// From when on it is not worth sending.
    pub deadline: Timestamp,
    /// The hold of a worker, or the last one there was.
    pub lease: Option<Lease>,
    /// Why it is no further, where it is not.
    pub reason: Option<DeliveryReason>,
    /// How often it was handed over without an answer.
    pub unanswered: u8,
    /// The sender that took it, by the name that the configuration has for it.
    pub sender: Option<String>,
    /// What the provider calls it.
    pub provider_id: Option<String>,
    /// When to ask the provider what became of it.
    pub ask_at: Option<Timestamp>,
    /// How often the provider was asked.
    pub asked: u8,
    /// When it was caused.
    pub created_at: Timestamp,
    /// When something here last changed.
    pub updated_at: Timestamp,
}

impl std::fmt::Debug for OutboxRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OutboxRecord")
            .field("id", &self.id)
            .field("channel", &self.channel)
            .field("status", &self.status)
            .field("tries", &self.tries)
            .finish_non_exhaustive()
    }
}

/// What came of one try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendOutcome {
    /// A provider took it, and may have named it.
    Sent {
        /// The sender, by the name that the configuration has for it.
        sender: Option<String>,
        /// What the provider calls it.
        provider_id: Option<String>,
        /// Whether the provider tells what became of it when it is asked.
        ask: bool,
    },
    /// Nobody took it; it may work another time.
    Temporary,
    /// It was handed over, and no answer came: it may be on its way.
    Unanswered {
        /// How often, to one sender after another.
        times: u8,
    },
    /// There is no sender that could be tried before then. Not a try.
    Postponed {
        /// When there may be one.
        until: Timestamp,
    },
    /// It never goes.
    Refused(DeliveryReason),
}

/// How often a message is handed over without an answer. A second time, because the first may not
/// have arrived; not a third, because it would be the reader's third.
const MOST_UNANSWERED: u8 = 2;
/// How long after a message was taken its provider is asked for the first time. Each further wait
/// is twice as long.
const FIRST_ASK: Duration = Duration::from_secs(3);
/// The longest wait between two questions.
const LONGEST_ASK: Duration = Duration::from_secs(600);
/// How long a provider is asked for what became of a message.
const LAST_ASK: Duration = Duration::from_secs(24 * 60 * 60);

/// Something that is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxMessage(OutboxRecord);

impl OutboxMessage {
    /// A new message, due at once.
    pub fn queue(
        id: MessageId,
        channel: Channel,
        verification: Option<VerificationId>,
        sealed: Vec<u8>,
        deadline: Timestamp,
        now: Timestamp,
    ) -> Self {
        Self(OutboxRecord {
            id,
            channel,
            verification,
            sealed,
            status: DeliveryStatus::Queued,
            tries: 0,
            due_at: now,
            deadline,
            lease: None,
            reason: None,
            unanswered: 0,
            sender: None,
            provider_id: None,
            ask_at: None,
            asked: 0,
            created_at: now,
            updated_at: now,
        })
    }

    /// The message that was stored.
    pub const fn from_record(record: OutboxRecord) -> Self {
        Self(record)
    }

    /// What to store.
    pub const fn record(&self) -> &OutboxRecord {
        &self.0
    }

    /// The id.
    pub const fn id(&self) -> MessageId {
        self.0.id
    }

    /// How often it may still be handed over without an answer.
    pub const fn unanswered_left(&self) -> u8 {
        MOST_UNANSWERED.saturating_sub(self.0.unanswered)
    }

    /// Whether it is too late to send it.
    pub const fn is_expired(&self, now: Timestamp) -> bool {
        self.0.deadline.is_expired(now)
    }

    /// Records what came of a try. What is not to be sent any more gives up its sealed content.
    #[must_use]
    pub fn tried(
        self,
        outcome: SendOutcome,
        policy: &RetryPolicy,
        now: Timestamp,
        random: &mut RandomSource<'_>,
    ) -> Self {
        let mut record = self.0;
        record.updated_at = now;
        match outcome {
            SendOutcome::Postponed { until } => {
                // By up to a second by chance, so that what waits together does not come together.
                let mut byte = [0];
                random(&mut byte);
                record.due_at = until.plus(Duration::from_millis(4 * u64::from(byte[0])));
            }
            SendOutcome::Sent { sender, provider_id, ask } => {
                record.tries = record.tries.saturating_add(1);
                record.status = DeliveryStatus::Sent;
                record.sender = sender;
                record.ask_at = (ask && provider_id.is_some()).then(|| now.plus(FIRST_ASK));
                record.provider_id = provider_id;
            }
            SendOutcome::Refused(reason) => {
                record.tries = record.tries.saturating_add(1);
                record.status = DeliveryStatus::Failed;
                record.reason = Some(reason);
            }
            SendOutcome::Unanswered { times }
                if record.unanswered.saturating_add(times) >= MOST_UNANSWERED =>
            {
                record.tries = record.tries.saturating_add(1);
                record.unanswered = record.unanswered.saturating_add(times);
                record.status = DeliveryStatus::Sent;
                record.reason = Some(DeliveryReason::Unconfirmed);
            }
            SendOutcome::Temporary | SendOutcome::Unanswered { .. } => {
                record.tries = record.tries.saturating_add(1);
                if let SendOutcome::Unanswered { times } = outcome {
                    record.unanswered = record.unanswered.saturating_add(times);
                }
                if record.tries >= policy.tries {
                    record.status = DeliveryStatus::Failed;
                    record.reason = Some(DeliveryReason::ProviderUnavailable);
                } else {
                    record.due_at = now.plus(policy.wait(record.tries, random));
                }
            }
        }
        if record.status == DeliveryStatus::Queued && record.deadline <= record.due_at {
            record.status = DeliveryStatus::Expired;
        }
        Self(record.without_content_if_final())
    }

    /// Records what a provider reported, and gives nothing where that changes nothing.
    #[must_use]
    pub fn reported(self, report: DeliveryReport, now: Timestamp) -> Option<Self> {
        let mut record = self.0;
        let delivery = report.applied_to(record.status)?;
        record.status = delivery.status;
        record.reason = delivery.reason;
        record.ask_at = None;
        record.updated_at = now;
        Some(Self(record.without_content_if_final()))
    }

    /// Records that its provider was asked and did not know yet; after a day it is not asked again.
    #[must_use]
    pub fn asked_in_vain(self, now: Timestamp) -> Self {
        let mut record = self.0;
        record.asked = record.asked.saturating_add(1);
        let wait = FIRST_ASK.saturating_mul(1 << u32::from(record.asked).min(16)).min(LONGEST_ASK);
        let next = now.plus(wait);
        let last = record.created_at.plus(LAST_ASK);
        record.ask_at = (record.status == DeliveryStatus::Sent && next < last).then_some(next);
        Self(record)
    }

    /// Gives the message up because its deadline has passed.
    #[must_use]
    pub fn expire(self, now: Timestamp) -> Self {
        let mut record = self.0;
        record.status = DeliveryStatus::Expired;
        record.updated_at = now;
        Self(record.without_content_if_final())
    }
}

impl OutboxRecord {
    fn without_content_if_final(mut self) -> Self {
        if self.status != DeliveryStatus::Queued {
            self.sealed.clear();
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_seconds(1_700_000_000);

    fn queued(deadline: u64) -> OutboxMessage {
        let mut random = |bytes: &mut [u8]| bytes.fill(0);
        let id = MessageId::draw(START, &mut random);
        let deadline = START.plus(Duration::from_secs(deadline));
        OutboxMessage::queue(id, Channel::Email, None, vec![1, 2, 3], deadline, START)
    }

    fn taken(ask: bool) -> SendOutcome {
        SendOutcome::Sent {
            sender: Some("ses".to_owned()),
            provider_id: Some("id".to_owned()),
            ask,
        }
    }

    fn tried(message: OutboxMessage, outcome: SendOutcome, jitter: u8) -> OutboxMessage {
        let mut random = |bytes: &mut [u8]| bytes.fill(jitter);
        message.tried(outcome, &RetryPolicy::default(), START, &mut random)
    }

    #[test]
    fn a_retry_waits_twice_as_long_each_time_and_never_more() {
        let policy = RetryPolicy::default();
        for (tried, seconds) in [(1, 5), (2, 10), (3, 20), (7, 320)] {
            let full = Duration::from_secs(seconds);
            assert_eq!(policy.wait(tried, &mut |b: &mut [u8]| b.fill(0)), full);
            assert_eq!(policy.wait(tried, &mut |b: &mut [u8]| b.fill(255)), full * 3 / 4);
        }
    }

    #[test]
    fn a_temporary_failure_is_tried_again_until_the_tries_are_used() {
        let mut message = queued(86_400);
        for n in 1..8 {
            message = tried(message, SendOutcome::Temporary, 0);
            assert_eq!(message.record().status, DeliveryStatus::Queued, "after try {n}");
            assert!(!message.record().sealed.is_empty());
        }
        message = tried(message, SendOutcome::Temporary, 0);
        assert_eq!(message.record().status, DeliveryStatus::Failed);
        assert!(message.record().sealed.is_empty());
    }

    #[test]
    fn a_message_that_could_only_come_too_late_is_dropped() {
        let message = tried(queued(5), SendOutcome::Temporary, 0);
        assert_eq!(message.record().status, DeliveryStatus::Expired);
    }

    #[test]
    fn what_is_final_keeps_no_content() {
        let sent = taken(false);
        for outcome in [sent, SendOutcome::Refused(DeliveryReason::Unknown)] {
            assert!(tried(queued(60), outcome, 0).record().sealed.is_empty());
        }
        assert!(queued(60).expire(START).record().sealed.is_empty());
    }

    #[test]
    fn a_message_without_an_answer_is_handed_over_twice_and_no_more() {
        let once = tried(queued(86_400), SendOutcome::Unanswered { times: 1 }, 0);
        assert_eq!(once.record().status, DeliveryStatus::Queued);
        // A certain failure in between changes nothing.
        let once = tried(once, SendOutcome::Temporary, 0);
        let twice = tried(once, SendOutcome::Unanswered { times: 1 }, 0);
        let record = twice.record();
        assert_eq!(record.status, DeliveryStatus::Sent);
        assert_eq!(record.reason, Some(DeliveryReason::Unconfirmed));
        assert!(record.sealed.is_empty());
    }

    #[test]
    fn to_wait_for_a_sender_is_no_try() {
        let mut message = queued(86_400);
        let until = START.plus(Duration::from_secs(60));
        for _ in 0..100 {
            message = tried(message, SendOutcome::Postponed { until }, 0);
        }
        assert_eq!((message.record().tries, message.record().due_at), (0, until));
        assert_eq!(message.record().status, DeliveryStatus::Queued);
        let late = tried(queued(60), SendOutcome::Postponed { until }, 0);
        assert_eq!(late.record().status, DeliveryStatus::Expired);
    }

    #[test]
    fn a_provider_is_asked_less_and_less_often_and_not_for_ever() {
        let mut message = tried(queued(600), taken(true), 0);
        let mut now = START;
        let mut waits = Vec::new();
        while let Some(at) = message.record().ask_at {
            waits.push(now.until(at).as_secs());
            now = at;
            message = message.asked_in_vain(now);
        }
        assert_eq!(waits[..9], [3, 6, 12, 24, 48, 96, 192, 384, 600]);
        assert!((23..25).contains(&(START.until(now).as_secs() / 3_600)), "{now:?}");
        assert_eq!(message.record().status, DeliveryStatus::Sent);
        assert_eq!(tried(queued(600), taken(false), 0).record().ask_at, None);
    }

    #[test]
    fn a_report_ends_the_questions_and_the_content() {
        let sent = tried(queued(600), taken(true), 0);
        let report = DeliveryReport::Failed(DeliveryReason::RecipientUnreachable);
        let failed = sent.reported(report, START).expect("a change");
        assert_eq!(failed.record().status, DeliveryStatus::Failed);
        assert_eq!(failed.record().reason, Some(DeliveryReason::RecipientUnreachable));
        assert_eq!(failed.record().ask_at, None);
        assert_eq!(failed.reported(DeliveryReport::Delivered, START), None);
        let early = queued(600).reported(DeliveryReport::Delivered, START).expect("a change");
        assert!(early.record().sealed.is_empty());
    }
}
