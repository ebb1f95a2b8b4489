//! What is done with the server's secret.

use mapae_domain::SecretHash;
use zeroize::Zeroizing;

/// What a keyed hash is for. Hashes of one input for two purposes have nothing in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HashContext {
    /// A one-time code, bound to its verification.
    Code,
    /// The key in a link.
    LinkKey,
    /// The token by which a registration is asked about.
    RegistrationToken,
    /// A refresh token, bound to its session and generation.
    RefreshToken,
    /// A contact, where messages to it are counted.
    ContactSends,
    /// An address, where it is kept whether messages to it arrive.
    Deliverability,
    /// A provider's report of a message.
    DeliveryEvent,
    /// The secret of a service that asks about tokens.
    ClientSecret,
    /// What a page shows beside the cookies of a session.
    CsrfToken,
    /// An `Idempotency-Key` and the operation that it came with.
    IdempotencyKey,
    /// A request's content, to compare a repeat with.
    RequestContent,
    /// The name of the installation, where it shares a server with others.
    Installation,
    /// What an installation's whole state is written to, line by line.
    Export,
}

/// Hashes secrets under the server's secret.
pub trait SecretHasher: Send + Sync {
    /// HMAC-SHA-256 of `parts` under a key that is derived from the server's secret for `context`.
    ///
    /// An adapter MUST keep parts apart (`["ab", "c"]` is not `["a", "bc"]`) and MUST give the same
    /// hash on every replica that has the same secret.
    fn hash(&self, context: HashContext, parts: &[&[u8]]) -> SecretHash;
}

/// What was sealed cannot be opened: it was altered, belongs elsewhere, or the secret is another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("sealed content cannot be opened")]
pub struct Unsealable;

/// Seals what is stored but must not be read from the store.
pub trait MessageSealer: Send + Sync {
    /// Encrypts and authenticates `content`, and authenticates `context` (RFC 5116 §2.1).
    ///
    /// An adapter MUST make two sealings of the same content look unrelated, and MUST be safe for
    /// any number of messages under one secret.
    fn seal(&self, context: &[u8], content: &[u8]) -> Vec<u8>;

    /// Opens what was sealed in the same context.
    ///
    /// # Errors
    /// [`Unsealable`] where a single bit of it or of the context differs.
    fn open(&self, context: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Unsealable>;
}
