mod audit;
mod deliverability;
mod idempotency;
mod inbox;
mod outbox;
mod registration;
mod retention;
mod session;
mod signing_key;
mod user;
mod verification;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use mapae_application::idempotency::IdempotencyClaim;
use mapae_application::inbox::InboxMessage;
use mapae_application::ports::{Queued, ReadView, SigningKeyRecord, Store, StoreError, UnitOfWork};
use mapae_domain::user::ContactUndo;
use mapae_domain::{
    AuditEntry, Consent, Deliverability, MessageId, OutboxMessage, Registration, RegistrationId,
    Session, SessionId, Timestamp, User, UserId, Verification, VerificationId,
};

use super::lock;

/// A [`Store`] in maps.
///
/// A unit of work changes a copy of the whole state, which takes the place of the state when it is
/// committed; one is open at a time. A read view is the state as it was. A clone is the same store.
#[derive(Clone, Default)]
pub struct MemoryStore {
    shared: Arc<Shared>,
    /// Whose turn it is to write.
    turn: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Default)]
struct Shared {
    committed: Mutex<Arc<State>>,
    failures: Mutex<Vec<CommitFailure>>,
}

#[derive(Clone, Copy)]
enum CommitFailure {
    Unavailable,
    Stale,
    AnswerLost,
}

/// Everything.
#[derive(Clone, Default)]
struct State {
    registrations: HashMap<RegistrationId, Registration>,
    verifications: HashMap<VerificationId, Verification>,
    contact_sends: HashMap<[u8; 32], SendWindow>,
    users: HashMap<UserId, User>,
    usernames: HashMap<String, UsernameHolder>,
    consents: HashMap<UserId, Vec<Consent>>,
    sessions: HashMap<SessionId, Session>,
    outbox: HashMap<MessageId, OutboxMessage>,
    address_marks: HashMap<[u8; 32], Deliverability>,
    inbox: HashMap<MessageId, InboxMessage>,
    signing_keys: Vec<SigningKeyRecord>,
    idempotency: HashMap<[u8; 32], IdempotencyClaim>,
    audit: Vec<AuditEntry>,
    contact_undos: Vec<ContactUndo>,
}

/// The messages to a contact that were counted.
#[derive(Clone, Copy)]
struct SendWindow {
    count: u32,
    end: Timestamp,
}

/// Who has a username.
#[derive(Clone, Copy)]
enum UsernameHolder {
    Registration { id: RegistrationId, expires_at: Timestamp },
    User(UserId),
    Former { user: UserId, until: Timestamp },
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets the next commit fail with [`StoreError::Unavailable`]: nothing is stored. Called twice,
    /// the next two.
    pub fn fail_next_commit(&self) {
        lock(&self.shared.failures).push(CommitFailure::Unavailable);
    }

    /// Lets the next commit fail with [`StoreError::Stale`], as if another had come first: nothing
    /// is stored.
    pub fn make_next_commit_stale(&self) {
        lock(&self.shared.failures).push(CommitFailure::Stale);
    }

    /// Lets the next commit store everything and fail with [`StoreError::Unavailable`] all the
    /// same, as if its answer had been lost.
    pub fn lose_next_commit_answer(&self) {
        lock(&self.shared.failures).push(CommitFailure::AnswerLost);
    }

    fn committed(&self) -> Arc<State> {
        Arc::clone(&lock(&self.shared.committed))
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn read(&self) -> Result<Box<dyn ReadView>, StoreError> {
        let (state, shared) = (self.committed(), Arc::clone(&self.shared));
        let queued = Queued::default();
        Ok(Box::new(Transaction { state, shared, stale: false, turn: None, queued }))
    }

    async fn begin(&self) -> Result<Box<dyn UnitOfWork>, StoreError> {
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let (state, shared) = (self.committed(), Arc::clone(&self.shared));
        let queued = Queued::default();
        Ok(Box::new(Transaction { state, shared, stale: false, turn: Some(turn), queued }))
    }

    async fn purge(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn ping(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// A read view, or a unit of work that holds the turn.
struct Transaction {
    state: Arc<State>,
    shared: Arc<Shared>,
    /// Something in it was stale, so nothing of it may be committed.
    stale: bool,
    turn: Option<tokio::sync::OwnedMutexGuard<()>>,
    queued: Queued,
}

impl Transaction {
    /// The state to write to: this transaction's own copy.
    fn write(&mut self) -> &mut State {
        Arc::make_mut(&mut self.state)
    }

    fn stale<T>(&mut self) -> Result<T, StoreError> {
        self.stale = true;
        Err(StoreError::Stale)
    }
}

impl ReadView for Transaction {}

#[async_trait]
impl UnitOfWork for Transaction {
    async fn commit(self: Box<Self>) -> Result<Queued, StoreError> {
        let failure = {
            let mut failures = lock(&self.shared.failures);
            if failures.is_empty() { None } else { Some(failures.remove(0)) }
        };
        let unavailable = || StoreError::Unavailable("the commit was told to fail".into());
        match failure {
            Some(CommitFailure::Unavailable) => return Err(unavailable()),
            Some(CommitFailure::Stale) => return Err(StoreError::Stale),
            _ if self.stale => return Err(StoreError::Stale),
            _ => {}
        }
        *lock(&self.shared.committed) = Arc::clone(&self.state);
        drop(self.turn);
        match failure {
            Some(_) => Err(unavailable()),
            None => Ok(self.queued),
        }
    }
}

/// What to say where an id is stored a second time: a test's mistake, and no store's.
const STORED_TWICE: StoreError = StoreError::Corrupt("an id was stored twice");
