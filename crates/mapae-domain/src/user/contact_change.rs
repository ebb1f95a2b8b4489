//! What becomes of a contact that was changed: its holder can have it back for a while.

use std::time::Duration;

use crate::id::UserId;
use crate::secret::SecretHash;
use crate::time::Timestamp;

use super::UserContact;

/// A contact that was taken from an account, and may come back (ASVS 5.0 6.3.7).
///
/// The message to the old contact bears a key. Whoever shows it in time has the contact back, and
/// every change of that channel since then is undone with it: the keys of those are worth nothing
/// any more. The keys of earlier changes stay, for whoever held the account first comes first.
#[derive(Debug, Clone)]
pub struct ContactUndo {
    /// The hash of the key.
    pub key: SecretHash,
    /// Whose contact it was.
    pub user: UserId,
    /// The contact.
    pub contact: UserContact,
    /// When it was taken.
    pub changed_at: Timestamp,
    /// Until when it may come back.
    pub expires_at: Timestamp,
}

impl ContactUndo {
    /// How long a contact may come back.
    pub const WINDOW: Duration = Duration::from_secs(72 * 60 * 60);

    /// A contact that is taken now.
    pub fn new(key: SecretHash, user: UserId, contact: UserContact, now: Timestamp) -> Self {
        Self { key, user, contact, changed_at: now, expires_at: now.plus(Self::WINDOW) }
    }
}
