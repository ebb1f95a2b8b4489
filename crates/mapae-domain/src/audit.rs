//! What is kept of what happened to an account, for its owner and for operators.
//!
//! An entry holds ids and from where, never what was typed; it outlives the user and the session
//! that it speaks of.

use crate::id::{AuditId, SessionId, UserId};
use crate::session::SessionClient;
use crate::time::Timestamp;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditKind {
    /// A refresh token was used that had been replaced before: somebody has a copy, and the session
    /// ended (RFC 9700 §4.14.2).
    RefreshTokenReplayed,
    /// The password was changed, and the other sessions ended.
    PasswordChanged,
    /// A new password was chosen by whoever proved a contact, and every session ended.
    PasswordReset,
    /// A contact was added or changed.
    ContactChanged,
    /// A contact was removed.
    ContactRemoved,
    /// A change of a contact was undone by who held the old one: every session ended, and the
    /// password is worth nothing any more.
    ContactRestored,
    /// Another contact was chosen to get the messages to the user.
    PrimaryContactChanged,
    /// The public name was changed.
    UsernameChanged,
    /// The user has left.
    UserWithdrawn,
    /// The user was disabled, and every session ended.
    UserDisabled,
    /// The user may log in again.
    UserEnabled,
}

impl AuditKind {
    /// Every kind.
    pub const ALL: [Self; 11] = [
        Self::RefreshTokenReplayed,
        Self::PasswordChanged,
        Self::PasswordReset,
        Self::ContactChanged,
        Self::ContactRemoved,
        Self::ContactRestored,
        Self::PrimaryContactChanged,
        Self::UsernameChanged,
        Self::UserWithdrawn,
        Self::UserDisabled,
        Self::UserEnabled,
    ];

    /// The name in stores and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RefreshTokenReplayed => "refresh_token_replayed",
            Self::PasswordChanged => "password_changed",
            Self::PasswordReset => "password_reset",
            Self::ContactChanged => "contact_changed",
            Self::ContactRemoved => "contact_removed",
            Self::ContactRestored => "contact_restored",
            Self::PrimaryContactChanged => "primary_contact_changed",
            Self::UsernameChanged => "username_changed",
            Self::UserWithdrawn => "user_withdrawn",
            Self::UserDisabled => "user_disabled",
            Self::UserEnabled => "user_enabled",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// The id.
    pub id: AuditId,
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: AuditKind,
    /// To whose account.
    pub user: UserId,
    /// By or to which session.
    pub session: Option<SessionId>,
    /// From where.
    pub client: SessionClient,
}
