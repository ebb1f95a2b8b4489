//! Repeats of a request whose answer was lost.
//!
//! A client that sends an `Idempotency-Key` may send the same request again and gets the same
//! resource again. No answer is kept for that: the claim names what was made, in the same
//! transaction that made it, and the repeat is answered from there.

use std::time::Duration;

use mapae_domain::{SecretHash, Timestamp};
use uuid::Uuid;

use crate::ports::{HashContext, SecretHasher};

/// How long a repeat is recognised.
pub const IDEMPOTENCY_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// What a client sent to have a request recognised when it comes again.
#[derive(Clone)]
pub struct IdempotencyKey {
    /// Hash of the key and of the operation that it came with.
    key: SecretHash,
    /// Hash of the request's content.
    content: SecretHash,
}

impl IdempotencyKey {
    /// The key `key` of a request of `operation` with that content.
    pub fn new(hasher: &dyn SecretHasher, operation: &str, key: &str, content: &[u8]) -> Self {
        let operation = operation.as_bytes();
        Self {
            key: hasher.hash(HashContext::IdempotencyKey, &[operation, key.as_bytes()]),
            content: hasher.hash(HashContext::RequestContent, &[operation, content]),
        }
    }

    /// A claim of this key for `resource`.
    pub(crate) fn claim(&self, resource: Uuid, now: Timestamp) -> IdempotencyClaim {
        IdempotencyClaim {
            key: self.key,
            content: self.content,
            resource,
            expires_at: now.plus(IDEMPOTENCY_LIFETIME),
        }
    }
}

/// A claim as it is stored.
#[derive(Debug, Clone)]
pub struct IdempotencyClaim {
    /// Hash of the key and its operation: unique.
    pub key: SecretHash,
    /// Hash of the request's content.
    pub content: SecretHash,
    /// What the request made.
    pub resource: Uuid,
    /// Until when a repeat is recognised.
    pub expires_at: Timestamp,
}

/// What a claim came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdempotencyOutcome {
    /// The request is new.
    Fresh,
    /// It is a repeat, and this is what it made.
    Repeat(Uuid),
    /// The key was used for a request of another content.
    Mismatch,
}
