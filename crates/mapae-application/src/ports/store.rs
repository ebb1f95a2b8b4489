//! Where everything is kept.
//!
//! [`Store::begin`] gives one object that is every repository over one transaction;
//! [`UnitOfWork::commit`] ends it, and dropping it undoes all. It is explicit rather than a closure
//! that rolls back on `Err`, because much that fails must stay: a wrong guess is an attempt that
//! counts.

use std::error::Error;

use async_trait::async_trait;
use mapae_domain::outbox::Lease;
use mapae_domain::session::SessionEnd;
use mapae_domain::user::ContactUndo;
use mapae_domain::{
    AuditEntry, Channel, Consent, Contact, ContactId, Deliverability, Delivery, DeliveryStatus,
    MessageId, OutboxMessage, Registration, RegistrationId, SecretHash, Session, SessionId,
    Timestamp, User, UserContact, UserId, Username, Verification, VerificationId,
};

use crate::idempotency::{IdempotencyClaim, IdempotencyOutcome};
use crate::inbox::{InboxFilter, InboxMessage};
use crate::ports::tokens::SigningKeyRecord;

/// Why the store did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another unit of work came first. Nothing was stored; begun anew, it will see the other's.
    #[error("another change came first")]
    Stale,
    /// The store cannot be reached, or not in time.
    #[error("the store is not available")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// What is stored cannot be read as what it must be.
    #[error("stored data cannot be read: {0}")]
    Corrupt(&'static str),
}

/// Keeps everything.
#[async_trait]
pub trait Store: Send + Sync {
    /// A consistent view that reads only: it MUST NOT wait for units of work that write.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn read(&self) -> Result<Box<dyn ReadView>, StoreError>;

    /// Begins a unit of work.
    ///
    /// What it reads and writes MUST be one transaction; two of them MUST NOT both succeed in
    /// changing what the other has read by a `lock_…` method. Once [`UnitOfWork::commit`] has
    /// returned, what was written MUST outlive the loss of power.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn begin(&self) -> Result<Box<dyn UnitOfWork>, StoreError>;

    /// Sees that nothing of what was deleted is left in the store's files, as far as the store has a
    /// say in that.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], also where somebody still looks at some of it: it MUST be tried
    /// again then.
    async fn purge(&self) -> Result<(), StoreError>;

    /// Whether the store can be read and written now.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn ping(&self) -> Result<(), StoreError>;
}

/// Every repository, to read.
pub trait ReadView:
    RegistrationReads
    + VerificationReads
    + UserReads
    + SessionReads
    + OutboxReads
    + DeliverabilityReads
    + InboxReads
    + SigningKeyReads
    + IdempotencyReads
    + AuditReads
    + Send
{
}

/// Every repository over one transaction.
#[async_trait]
pub trait UnitOfWork:
    ReadView
    + RegistrationWrites
    + VerificationWrites
    + UserWrites
    + SessionWrites
    + OutboxWrites
    + DeliverabilityWrites
    + InboxWrites
    + SigningKeyWrites
    + IdempotencyWrites
    + AuditWrites
    + RetentionWrites
{
    /// Makes everything that was written durable and visible to others, or none of it. Says of which
    /// channels messages were queued, so that whoever sends them can be woken.
    ///
    /// # Errors
    /// [`StoreError::Stale`] where another came first, [`StoreError::Unavailable`] where it is not
    /// known whether it was stored.
    async fn commit(self: Box<Self>) -> Result<Queued, StoreError>;
}

/// The channels of which a unit of work has queued messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Queued {
    email: bool,
    sms: bool,
}

impl Queued {
    /// Messages of every channel.
    pub const ALL: Self = Self { email: true, sms: true };

    /// Notes that a message of a channel was queued.
    pub fn add(&mut self, channel: Channel) {
        match channel {
            Channel::Email => self.email = true,
            Channel::Sms => self.sms = true,
        }
    }

    /// Each of the channels, once.
    pub fn channels(self) -> impl Iterator<Item = Channel> {
        let email = self.email.then_some(Channel::Email);
        email.into_iter().chain(self.sms.then_some(Channel::Sms))
    }
}

/// Registrations, to read.
#[async_trait]
pub trait RegistrationReads {
    /// The registrations that became a user and are kept, oldest first.
    async fn registrations_of_user(
        &mut self,
        user: UserId,
    ) -> Result<Vec<Registration>, StoreError>;

    /// The registration of that id.
    async fn registration(
        &mut self,
        id: RegistrationId,
    ) -> Result<Option<Registration>, StoreError>;
}

/// Registrations, to write.
#[async_trait]
pub trait RegistrationWrites {
    /// The registration of that id, held against other units of work until this one ends.
    async fn lock_registration(
        &mut self,
        id: RegistrationId,
    ) -> Result<Option<Registration>, StoreError>;

    /// Stores a new registration.
    async fn insert_registration(&mut self, registration: &Registration) -> Result<(), StoreError>;

    /// Stores a changed registration. Its version MUST be one more than the stored one, else
    /// [`StoreError::Stale`].
    async fn update_registration(&mut self, registration: &Registration) -> Result<(), StoreError>;
}

/// Verifications, to read.
#[async_trait]
pub trait VerificationReads {
    /// The verification of that id.
    async fn verification(
        &mut self,
        id: VerificationId,
    ) -> Result<Option<Verification>, StoreError>;

    /// Every verification that concerns a user and is kept, oldest first.
    async fn verifications_of_user(
        &mut self,
        user: UserId,
    ) -> Result<Vec<Verification>, StoreError>;

    /// The verifications that a registration waits for, oldest first.
    async fn verifications_of_registration(
        &mut self,
        id: RegistrationId,
    ) -> Result<Vec<Verification>, StoreError>;
}

/// Whether one more message may go to a contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendAllowance {
    /// It may, and was counted.
    Allowed,
    /// It may not: the window's messages are used up.
    Refused {
        /// When the window ends.
        retry_at: Timestamp,
    },
}

/// Verifications, to write.
#[async_trait]
pub trait VerificationWrites {
    /// The verification of that id, held against other units of work until this one ends.
    async fn lock_verification(
        &mut self,
        id: VerificationId,
    ) -> Result<Option<Verification>, StoreError>;

    /// The verification whose current or previous link key has that hash, held likewise.
    async fn lock_verification_by_link(
        &mut self,
        link: &SecretHash,
    ) -> Result<Option<Verification>, StoreError>;

    /// Stores a new verification.
    async fn insert_verification(&mut self, verification: &Verification) -> Result<(), StoreError>;

    /// Stores a changed verification. Its version MUST be one more than the stored one, else
    /// [`StoreError::Stale`].
    async fn update_verification(&mut self, verification: &Verification) -> Result<(), StoreError>;

    /// Marks as superseded every pending, genuine verification of `contact` that belongs to a
    /// registration other than `except`, and raises its version. One that another unit of work holds
    /// by a `lock_…` method MAY be passed over, and MUST NOT be waited for.
    async fn supersede_verifications(
        &mut self,
        contact: &Contact,
        except: Option<RegistrationId>,
    ) -> Result<(), StoreError>;

    /// Counts a message to the contact of that hash, unless `limit` were counted since the window's
    /// first: one atomic step. A window begins with its first message and ends at `window_end` of
    /// that call; the next message begins another.
    async fn count_contact_send(
        &mut self,
        contact: &SecretHash,
        limit: u32,
        window_end: Timestamp,
        now: Timestamp,
    ) -> Result<SendAllowance, StoreError>;
}

/// Users, to read.
#[async_trait]
pub trait UserReads {
    /// The user of that id.
    async fn user(&mut self, id: UserId) -> Result<Option<User>, StoreError>;

    /// The user of that name.
    async fn user_by_username(&mut self, username: &Username) -> Result<Option<User>, StoreError>;

    /// The user who holds that contact.
    async fn user_by_contact(&mut self, contact: &Contact) -> Result<Option<User>, StoreError>;

    /// The contacts that were taken from a user and may come back or might have, latest first.
    async fn contact_undos_of_user(&mut self, id: UserId) -> Result<Vec<ContactUndo>, StoreError>;

    /// Up to `limit` users who have left and whose time has come at `now`, longest first.
    async fn users_to_erase(
        &mut self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<UserId>, StoreError>;

    /// The usernames that a user has let go of and nobody else can have yet, with until when.
    async fn former_usernames_of_user(
        &mut self,
        id: UserId,
    ) -> Result<Vec<(Username, Timestamp)>, StoreError>;

    /// The decisions of a user about documents, oldest first.
    async fn consents_of_user(&mut self, id: UserId) -> Result<Vec<Consent>, StoreError>;

    /// Up to `limit` decisions that whoever took them is to be reminded of before `before`, longest
    /// due first: of users who may log in and hold a contact.
    async fn consents_to_reconfirm(
        &mut self,
        before: Timestamp,
        limit: u32,
    ) -> Result<Vec<(UserId, Consent)>, StoreError>;
}

/// Users, to write.
#[async_trait]
pub trait UserWrites {
    /// The user of that id, held against other units of work until this one ends.
    async fn lock_user(&mut self, id: UserId) -> Result<Option<User>, StoreError>;

    /// Reserves a username for a registration, one atomic step: `false` where a user has it, or had it
    /// until later than `now`, or another registration has it until then.
    async fn reserve_username(
        &mut self,
        username: &Username,
        registration: RegistrationId,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Makes the username that `registration` reserved the user's for good.
    ///
    /// # Errors
    /// [`StoreError::Stale`] where the registration does not have it any more.
    async fn assign_username(
        &mut self,
        username: &Username,
        registration: RegistrationId,
        user: UserId,
    ) -> Result<(), StoreError>;

    /// Makes a username a user's, one atomic step: `false` where another user has it, or had it until
    /// later than `now`, or a registration has it until then.
    async fn claim_username(
        &mut self,
        username: &Username,
        user: UserId,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Lets go of a username, where it is the user's: it finds nobody any more, and until `until`
    /// nobody else has it.
    async fn release_username(
        &mut self,
        username: &Username,
        user: UserId,
        until: Timestamp,
    ) -> Result<(), StoreError>;

    /// Stores a new user with all contacts.
    ///
    /// # Errors
    /// [`StoreError::Stale`] where a user holds one of the contacts: nothing of this unit of work
    /// may be committed then.
    async fn insert_user(&mut self, user: &User) -> Result<(), StoreError>;

    /// Stores a changed user, all but the contacts. The version MUST be one more than the stored
    /// one, else [`StoreError::Stale`].
    async fn update_user(&mut self, user: &User) -> Result<(), StoreError>;

    /// Stores a contact that a user has added.
    ///
    /// # Errors
    /// [`StoreError::Stale`] where a user holds it: nothing of this unit of work may be committed.
    async fn insert_user_contact(
        &mut self,
        user: UserId,
        contact: &UserContact,
    ) -> Result<(), StoreError>;

    /// Deletes a contact of a user's.
    async fn delete_user_contact(
        &mut self,
        user: UserId,
        contact: ContactId,
    ) -> Result<(), StoreError>;

    /// Keeps a contact that was taken from a user.
    async fn insert_contact_undo(&mut self, undo: &ContactUndo) -> Result<(), StoreError>;

    /// Takes the contact of that key out, with all that were taken from the same user and channel
    /// since: one atomic step, so that a key is worth something once. Gives the key's own.
    async fn claim_contact_undo(
        &mut self,
        key: &SecretHash,
    ) -> Result<Option<ContactUndo>, StoreError>;

    /// Gives up what verifications to change a contact of that channel a user has begun and not
    /// proved, but for `except`. One that another unit of work holds by a `lock_…` method MAY be passed
    /// over.
    async fn cancel_contact_changes(
        &mut self,
        user: UserId,
        channel: Channel,
        except: VerificationId,
    ) -> Result<(), StoreError>;

    /// Destroys everything that is kept of a user: the user, contacts, name, decisions, sessions,
    /// verifications that concern the user or one of the contacts with what was to be sent of them,
    /// and registrations that became the user or hold one of the contacts. Audit entries stay, without
    /// from where.
    async fn erase_user(&mut self, id: UserId) -> Result<(), StoreError>;

    /// Adds decisions to a user's history. Nobody is reminded any more of an earlier one about the
    /// same document.
    async fn insert_consents(
        &mut self,
        user: UserId,
        consents: &[Consent],
    ) -> Result<(), StoreError>;

    /// Stores that a user was reminded of a decision, which was due at `due`: one atomic step.
    /// `false`, and nothing, where it is not due then any more.
    async fn record_reminder(
        &mut self,
        user: UserId,
        reminded: &Consent,
        due: Timestamp,
    ) -> Result<bool, StoreError>;
}

/// Sessions, to read.
#[async_trait]
pub trait SessionReads {
    /// A session and its user.
    async fn session_and_user(
        &mut self,
        id: SessionId,
    ) -> Result<Option<(Session, User)>, StoreError>;

    /// Every session of a user that is kept, latest opened first.
    async fn sessions_of_user(&mut self, user: UserId) -> Result<Vec<Session>, StoreError>;

    /// The sessions of a user that have neither ended nor expired at `now`, latest refreshed first;
    /// no more than a hundred.
    async fn open_sessions_of_user(
        &mut self,
        user: UserId,
        now: Timestamp,
    ) -> Result<Vec<Session>, StoreError>;
}

/// Sessions, to write.
#[async_trait]
pub trait SessionWrites {
    /// Stores a new session.
    async fn insert_session(&mut self, session: &Session) -> Result<(), StoreError>;

    /// Stores a rotated session if the stored one is open and of generation `from`: one statement.
    /// `false` where it is not.
    async fn rotate_session(&mut self, session: &Session, from: u32) -> Result<bool, StoreError>;

    /// Stores when, how and for which authentication generation a session's user showed who they
    /// are, if the stored one is open: one statement. `false` where it is not.
    async fn reauthenticate_session(&mut self, session: &Session) -> Result<bool, StoreError>;

    /// Stores when and why a session ended, unless one is stored already.
    async fn end_session(&mut self, session: &Session) -> Result<(), StoreError>;

    /// Ends every session of a user but `except`, where it has not ended before.
    async fn end_sessions_of_user(
        &mut self,
        user: UserId,
        except: Option<SessionId>,
        why: SessionEnd,
        now: Timestamp,
    ) -> Result<(), StoreError>;
}

/// Which messages of the outbox are meant.
#[derive(Debug, Clone)]
pub struct OutboxFilter {
    /// Those of one of these statuses.
    pub statuses: Vec<DeliveryStatus>,
    /// Those that changed before then.
    pub before: Option<Timestamp>,
    /// No more than so many.
    pub limit: u32,
}

/// How much waits to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OutboxDepth {
    /// How many messages are queued, under lease or not.
    pub queued: u64,
    /// When the one that has waited longest was caused.
    pub oldest: Option<Timestamp>,
}

/// The outbox, to read.
#[async_trait]
pub trait OutboxReads {
    /// How much of a channel waits to be sent.
    async fn outbox_depth(&mut self, channel: Channel) -> Result<OutboxDepth, StoreError>;

    /// The message of that id.
    async fn message(&mut self, id: MessageId) -> Result<Option<OutboxMessage>, StoreError>;

    /// What is known of the latest message of a verification.
    async fn delivery_of_verification(
        &mut self,
        id: VerificationId,
    ) -> Result<Option<Delivery>, StoreError>;

    /// When the next message of a channel can be leased, if there is one: the least over all queued
    /// messages of the later of its due time and its lease's expiry. It may have passed.
    async fn next_message_due(&mut self, channel: Channel)
    -> Result<Option<Timestamp>, StoreError>;

    /// When the next provider is to be asked what became of a message.
    async fn next_question_due(&mut self) -> Result<Option<Timestamp>, StoreError>;

    /// The messages that pass the filter, latest change first.
    async fn messages(&mut self, filter: &OutboxFilter) -> Result<Vec<OutboxMessage>, StoreError>;
}

/// The outbox, to write.
#[async_trait]
pub trait OutboxWrites {
    /// Stores a new message.
    async fn insert_message(&mut self, message: &OutboxMessage) -> Result<(), StoreError>;

    /// Leases up to `limit` messages of a channel that are queued, due at `now`, and under no lease
    /// that still holds: longest due first. Each gets a lease until `expires_at` with a fence one
    /// higher than its last. No message MUST be leased by two at once.
    async fn lease_messages(
        &mut self,
        channel: Channel,
        limit: u32,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<OutboxMessage>, StoreError>;

    /// Stores what became of a leased message and ends the lease; `false`, and nothing, where the
    /// stored message has another fence than `lease` or is not queued any more.
    async fn record_message(
        &mut self,
        message: &OutboxMessage,
        lease: Lease,
    ) -> Result<bool, StoreError>;

    /// Claims up to `limit` messages whose providers are to be asked at `now`: longest due first.
    /// Until `until` no other caller gets them, unless what came of it is stored before.
    async fn claim_questions(
        &mut self,
        limit: u32,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<OutboxMessage>, StoreError>;

    /// The message of that id, held against other units of work until this one ends.
    async fn lock_message(&mut self, id: MessageId) -> Result<Option<OutboxMessage>, StoreError>;

    /// The message that its provider calls so, held likewise.
    async fn lock_message_of_provider(
        &mut self,
        provider_id: &str,
    ) -> Result<Option<OutboxMessage>, StoreError>;

    /// Stores what was reported of a message that this unit of work holds: status, reason, content,
    /// and when its provider is asked again.
    async fn update_message(&mut self, message: &OutboxMessage) -> Result<(), StoreError>;
}

/// What is known of addresses, to read. An address is known by a keyed hash of it.
#[async_trait]
pub trait DeliverabilityReads {
    /// Whether messages to the address of that hash arrive; `Deliverable` where nothing is known.
    async fn deliverability(&mut self, address: &SecretHash) -> Result<Deliverability, StoreError>;
}

/// What is known of addresses, to write.
#[async_trait]
pub trait DeliverabilityWrites {
    /// Stores what is known of an address, in place of what was. `Deliverable` clears it.
    async fn mark_address(
        &mut self,
        address: &SecretHash,
        deliverability: Deliverability,
        now: Timestamp,
    ) -> Result<(), StoreError>;
}

/// The inbox of development, to read.
#[async_trait]
pub trait InboxReads {
    /// The messages that pass the filter, newest first.
    async fn inbox(&mut self, filter: &InboxFilter) -> Result<Vec<InboxMessage>, StoreError>;
}

/// The inbox of development, to write.
#[async_trait]
pub trait InboxWrites {
    /// Keeps a message; one whose id is kept already changes nothing.
    async fn insert_inbox_message(&mut self, message: &InboxMessage) -> Result<(), StoreError>;

    /// Deletes the messages that pass the filter, whatever its limit, and says how many.
    async fn delete_inbox_messages(&mut self, filter: &InboxFilter) -> Result<u64, StoreError>;
}

/// Signing keys, to read.
#[async_trait]
pub trait SigningKeyReads {
    /// Every key, oldest first.
    async fn signing_keys(&mut self) -> Result<Vec<SigningKeyRecord>, StoreError>;
}

/// Signing keys, to write.
#[async_trait]
pub trait SigningKeyWrites {
    /// Every key, oldest first, once no other unit of work is under way that has asked by this: from
    /// then on, until this one ends, none gets an answer.
    async fn lock_signing_keys(&mut self) -> Result<Vec<SigningKeyRecord>, StoreError>;

    /// Stores a new key.
    async fn insert_signing_key(&mut self, key: &SigningKeyRecord) -> Result<(), StoreError>;

    /// Stores from when on the key of that `kid` is worth nothing, unless that is stored already;
    /// `false` where it is, or where there is no such key.
    async fn retire_signing_key(&mut self, kid: &str, at: Timestamp) -> Result<bool, StoreError>;
}

/// Requests that were answered, to read.
#[async_trait]
pub trait IdempotencyReads {
    /// What [`IdempotencyWrites::claim_idempotency_key`] would say, without claiming.
    async fn find_idempotency_key(
        &mut self,
        claim: &IdempotencyClaim,
        now: Timestamp,
    ) -> Result<IdempotencyOutcome, StoreError>;
}

/// Requests that were answered, to write.
#[async_trait]
pub trait IdempotencyWrites {
    /// Claims a key for the resource that this unit of work makes, one atomic step. A claim that
    /// has expired at `now` is as none.
    async fn claim_idempotency_key(
        &mut self,
        claim: &IdempotencyClaim,
        now: Timestamp,
    ) -> Result<IdempotencyOutcome, StoreError>;
}

/// What happened to accounts, to read.
#[async_trait]
pub trait AuditReads {
    /// The entries about a user, latest first; no more than `limit`.
    async fn audit_of_user(
        &mut self,
        user: UserId,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, StoreError>;
}

/// What happened to accounts, to write. Nothing here is ever changed.
#[async_trait]
pub trait AuditWrites {
    /// Adds an entry.
    async fn insert_audit_entry(&mut self, entry: &AuditEntry) -> Result<(), StoreError>;
}

/// What is kept for a time only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiring {
    /// Sign-ups, since they expired.
    Registrations,
    /// Verifications, since they expired.
    Verifications,
    /// Counts of messages to a contact, since their window ended.
    ContactSends,
    /// Usernames that were reserved or let go of, since that was over.
    Usernames,
    /// Sessions, since they would have ended without a refresh.
    Sessions,
    /// Contacts that were taken from users, since their time to come back was over.
    ContactUndos,
    /// Requests that were answered, since a repeat of them is a new one.
    IdempotencyKeys,
    /// Messages that are neither to be sent nor asked about, since that last changed.
    Messages,
    /// What happened to accounts, since it did.
    AuditEntries,
}

impl Expiring {
    /// All of it.
    pub const ALL: [Self; 9] = [
        Self::Registrations,
        Self::Verifications,
        Self::ContactSends,
        Self::Usernames,
        Self::Sessions,
        Self::ContactUndos,
        Self::IdempotencyKeys,
        Self::Messages,
        Self::AuditEntries,
    ];
}

/// What is kept for a time only, to remove.
#[async_trait]
pub trait RetentionWrites {
    /// Deletes up to `limit` of what was over at `before`, oldest first, and says how many: by an
    /// index, so that it holds up nobody.
    async fn delete_expired(
        &mut self,
        what: Expiring,
        before: Timestamp,
        limit: u32,
    ) -> Result<u64, StoreError>;
}
