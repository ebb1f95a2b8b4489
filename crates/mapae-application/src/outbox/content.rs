use mapae_domain::{Channel, Contact, Locale, MessageId, Timestamp};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::ports::{MessageSealer, Unsealable};
use crate::trace::TraceParent;

/// What a message tells its reader. It becomes words when it is sent.
#[derive(Clone, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum MessageContent {
    /// A code, and perhaps a link, to prove that the reader holds the contact.
    Verification {
        /// What for: the name of a purpose.
        purpose: String,
        /// The code.
        code: String,
        /// The key of the link, in base64url.
        link_key: Option<String>,
        /// Minutes until both expire, counted from when the message was caused.
        minutes: u64,
    },
    /// Somebody wanted to sign up with a contact that the reader's account has.
    AlreadyRegistered,
    /// Something has happened to the reader's account.
    Notice {
        /// What: the name of a [`Notice`].
        notice: String,
        /// When, in seconds since the epoch.
        at: i64,
        /// The key of a link that undoes it, in base64url.
        undo_key: Option<String>,
    },
    /// What the reader has decided about advertising.
    Marketing {
        /// The decisions.
        decisions: Vec<MarketingDecision>,
        /// It was decided long ago and is so still; else it was decided now.
        reminder: bool,
    },
    /// That messages arrive: what an operator sends to try a sender.
    Test,
    /// Nothing. It goes the way of a message and is sent to nobody, so that nobody can tell from
    /// what happens whether a contact has an account.
    Nothing,
}

/// A decision about advertising, as its message tells it.
#[derive(Clone, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub struct MarketingDecision {
    /// What the document is called, in the reader's language.
    pub title: String,
    /// Whether the reader agreed.
    pub accepted: bool,
    /// When it was decided, in seconds since the epoch.
    pub at: i64,
}

/// What people are told of their account (ASVS 5.0 6.3.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// The password was changed.
    PasswordChanged,
    /// The reader's contact was replaced by another; the link has it back.
    ContactChanged,
    /// Another contact was added to the reader's account.
    ContactAdded,
    /// The reader's contact was removed; the link has it back.
    ContactRemoved,
    /// Another contact of the reader's account gets its messages from now on.
    PrimaryContactChanged,
    /// The name to log in with was changed.
    UsernameChanged,
    /// A change was undone: the reader's contact is back, and a password has to be chosen.
    ContactRestored,
    /// The reader has left, and what was kept of them is destroyed.
    Withdrawn,
}

impl Notice {
    /// Every notice.
    pub const ALL: [Self; 8] = [
        Self::PasswordChanged,
        Self::ContactChanged,
        Self::ContactAdded,
        Self::ContactRemoved,
        Self::PrimaryContactChanged,
        Self::UsernameChanged,
        Self::ContactRestored,
        Self::Withdrawn,
    ];

    /// The name that templates know it by.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PasswordChanged => "password_changed",
            Self::ContactChanged => "contact_changed",
            Self::ContactAdded => "contact_added",
            Self::ContactRemoved => "contact_removed",
            Self::PrimaryContactChanged => "primary_contact_changed",
            Self::UsernameChanged => "username_changed",
            Self::ContactRestored => "contact_restored",
            Self::Withdrawn => "withdrawn",
        }
    }
}

impl std::fmt::Debug for MessageContent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Verification { .. } => "MessageContent::Verification(…)",
            Self::AlreadyRegistered => "MessageContent::AlreadyRegistered",
            Self::Notice { .. } => "MessageContent::Notice(…)",
            Self::Marketing { .. } => "MessageContent::Marketing(…)",
            Self::Test => "MessageContent::Test",
            Self::Nothing => "MessageContent::Nothing",
        })
    }
}

/// A message with its reader: what is sealed in the outbox.
#[derive(Serialize, Deserialize)]
pub(crate) struct Envelope {
    channel: String,
    to: String,
    locale: String,
    pub(crate) content: MessageContent,
    /// The span that caused it, as `traceparent`; none where nothing was traced, and in messages of
    /// earlier releases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cause: Option<String>,
}

impl Envelope {
    pub(crate) fn new(to: &Contact, locale: Locale, content: MessageContent) -> Self {
        Self {
            channel: to.channel().as_str().to_owned(),
            to: to.as_str().to_owned(),
            locale: locale.as_str().to_owned(),
            content,
            cause: None,
        }
    }

    /// The same, caused by that span.
    pub(crate) fn caused_by(self, cause: Option<TraceParent>) -> Self {
        Self { cause: cause.map(|cause| cause.to_string()), ..self }
    }

    pub(crate) fn cause(&self) -> Option<TraceParent> {
        TraceParent::parse(self.cause.as_deref()?)
    }

    pub(crate) fn seal(&self, sealer: &dyn MessageSealer, id: MessageId) -> Vec<u8> {
        // A structure of strings and numbers is always JSON.
        let json = Zeroizing::new(serde_json::to_vec(self).unwrap_or_default());
        sealer.seal(&context(id), &json)
    }

    pub(crate) fn open(
        sealer: &dyn MessageSealer,
        id: MessageId,
        sealed: &[u8],
    ) -> Result<Self, Unsealable> {
        let json = sealer.open(&context(id), sealed)?;
        serde_json::from_slice(&json).map_err(|_| Unsealable)
    }

    pub(crate) fn recipient(&self) -> Result<Contact, Unsealable> {
        let channel = Channel::from_name(&self.channel).ok_or(Unsealable)?;
        Ok(Contact::from_stored(channel, &self.to))
    }

    pub(crate) fn locale(&self) -> Locale {
        Locale::parse(&self.locale).unwrap_or_default()
    }
}

/// Minutes from `now` until `expiry`, rounded up: what a message says of its life.
pub(crate) fn minutes_until(now: Timestamp, expiry: Timestamp) -> u64 {
    now.until(expiry).as_secs().div_ceil(60)
}

/// Binds what is sealed to its message, so that it cannot be moved to another.
fn context(id: MessageId) -> Vec<u8> {
    [b"outbox:".as_slice(), id.as_bytes()].concat()
}
