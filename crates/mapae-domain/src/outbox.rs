//! Messages that are to be sent, and what becomes of them.
//!
//! A message is stored with what caused it and sent afterwards, by a worker that leases it. A lease
//! carries a fencing number: a worker that lost its lease can record nothing any more.

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

/// What is known of a message's way to its reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryStatus {
    /// Waits to be sent.
    Queued,
    /// A provider took it.
    Sent,
    /// It reached the reader's mailbox or telephone.
    Delivered,
    /// It came back.
    Bounced,
    /// It could not be sent.
    Failed,
    /// It was not sent before its code expired.
    Expired,
}

impl DeliveryStatus {
    /// Every status.
    pub const ALL: [Self; 6] =
        [Self::Queued, Self::Sent, Self::Delivered, Self::Bounced, Self::Failed, Self::Expired];

    /// The name in the HTTP contract and in stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Bounced => "bounced",
            Self::Failed => "failed",
            Self::Expired => "expired",
        }
    }

    /// The status of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
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
    /// What the provider calls it.
    pub provider_id: Option<String>,
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
    /// The provider took it, and may have named it.
    Sent {
        /// What the provider calls it.
        provider_id: Option<String>,
    },
    /// It may work another time.
    Temporary,
    /// It never will.
    Permanent,
}

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
            provider_id: None,
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

    /// Whether it is too late to send it.
    pub const fn is_expired(&self, now: Timestamp) -> bool {
        self.0.deadline.is_expired(now)
    }

    /// Records what came of a try. What is final gives up its sealed content.
    #[must_use]
    pub fn tried(
        self,
        outcome: SendOutcome,
        policy: &RetryPolicy,
        now: Timestamp,
        random: &mut RandomSource<'_>,
    ) -> Self {
        let mut record = self.0;
        record.tries = record.tries.saturating_add(1);
        record.updated_at = now;
        match outcome {
            SendOutcome::Sent { provider_id } => {
                record.status = DeliveryStatus::Sent;
                record.provider_id = provider_id;
            }
            SendOutcome::Permanent => record.status = DeliveryStatus::Failed,
            SendOutcome::Temporary if record.tries >= policy.tries => {
                record.status = DeliveryStatus::Failed;
            }
            SendOutcome::Temporary => {
                record.due_at = now.plus(policy.wait(record.tries, random));
                if record.deadline <= record.due_at {
                    record.status = DeliveryStatus::Expired;
                }
            }
        }
        Self(record.without_content_if_final())
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
        let sent = SendOutcome::Sent { provider_id: Some("id".to_owned()) };
        for outcome in [sent, SendOutcome::Permanent] {
            assert!(tried(queued(60), outcome, 0).record().sealed.is_empty());
        }
        assert!(queued(60).expire(START).record().sealed.is_empty());
    }
}
