use std::time::Duration;

use mapae_domain::session::{SessionClient, SessionEnd};
use mapae_domain::user::{ContactStays, ContactUndo, UnknownContact};
use mapae_domain::verification::{ConcernedUser, NewVerification, Standing};
use mapae_domain::{
    AuditKind, Channel, Contact, ContactId, InvalidValue, LinkKey, Purpose, SecretHash, Session,
    Timestamp, User, UserContact, Verification, VerificationId,
};

use crate::Application;
use crate::error::{FieldError, Unavailable, rests_on_the_world, until_settled};
use crate::idempotency::{IdempotencyKey, IdempotencyOutcome};
use crate::outbox::{MessageContent, Notice};
use crate::ports::{HashContext, StoreError, UnitOfWork};
use crate::session::{Authenticated, ReauthenticationRequired};
use crate::verification::{VerificationView, parse_link_key};

/// Adds a contact, or replaces the one of its channel, once it is proved.
pub struct ChangeContact {
    /// `email` or `sms`.
    pub channel: String,
    /// The contact as it was typed.
    pub to: String,
    /// To recognise a repeat.
    pub idempotency: Option<IdempotencyKey>,
}

/// Why no change of a contact was begun, or none was removed.
#[derive(Debug, thiserror::Error)]
pub enum ContactError {
    /// Fields hold what they cannot.
    #[error("fields are not valid")]
    Invalid(Vec<FieldError>),
    /// The log-in is too long ago.
    #[error("the log-in is too long ago for this")]
    ReauthenticationRequired,
    /// The log-in was not by a code to the number that the address would recover the account for.
    #[error("the log-in was not by a code to the number")]
    CodeRequired,
    /// The session has ended meanwhile.
    #[error("the session has ended")]
    SessionEnded,
    /// There is none of that id.
    #[error("no such contact")]
    NotFound,
    /// It has to stay: it is the last way in, or sign-ups have to have one.
    #[error("the contact has to stay")]
    Stays,
    /// The contact has had its messages for now.
    #[error("the contact has had its messages for now")]
    ContactSendsExhausted {
        /// When there may be another.
        retry_at: Timestamp,
    },
    /// The idempotency key came with another request before.
    #[error("the idempotency key came with another request")]
    IdempotencyKeyReused,
    /// Something that Mapae rests on failed.
    #[error("not available")]
    Unavailable(#[source] Unavailable),
}

/// Why a change was not undone.
#[derive(Debug, thiserror::Error)]
pub enum UndoContactError {
    /// There is no change of that key: it was undone before, or an earlier one was.
    #[error("no such change")]
    NotFound,
    /// Its time was up.
    #[error("the time to undo it is over")]
    Expired,
    /// Another account holds the old contact by now.
    #[error("the contact is held by an account")]
    ContactTaken,
    /// Something that Mapae rests on failed.
    #[error("not available")]
    Unavailable(#[source] Unavailable),
}

rests_on_the_world!(ContactError, UndoContactError);

/// What came of a contact that was proved for an account.
pub(crate) enum ContactChange {
    /// The account holds it.
    Done,
    /// Nothing: the account has left, or been shown to be in other hands, since it was asked for.
    AccountChanged,
    /// Nothing: another account holds it by now.
    ContactTaken,
}

impl Application {
    /// Begins to add a contact to the caller's account, or to replace the one of its channel: it
    /// changes when it is proved, and the last change that was begun is the one that counts.
    ///
    /// Whether another account holds the contact nobody learns; its owner is told.
    ///
    /// # Errors
    /// [`ContactError`].
    pub async fn change_contact(
        &self,
        caller: &Authenticated,
        command: ChangeContact,
    ) -> Result<VerificationView, ContactError> {
        self.require_fresh(caller, self.now())
            .map_err(|ReauthenticationRequired| ContactError::ReauthenticationRequired)?;
        let invalid = |field, reason| ContactError::Invalid(vec![FieldError::new(field, reason)]);
        let channel = Channel::from_name(&command.channel)
            .ok_or_else(|| invalid("channel", InvalidValue::UnknownValue))?;
        let contact =
            self.parse_contact(channel, &command.to).map_err(|reason| invalid("to", reason))?;
        let key = command.idempotency.as_ref();
        until_settled!(self.try_change_contact(caller, &contact, key).await)
    }

    async fn try_change_contact(
        &self,
        caller: &Authenticated,
        contact: &Contact,
        idempotency: Option<&IdempotencyKey>,
    ) -> Result<VerificationView, ContactError> {
        let now = self.now();
        let id = VerificationId::draw(now, &mut self.random());
        let mut work = self.ports.store.begin().await?;
        if let Some(key) = idempotency {
            match work.claim_idempotency_key(&key.claim(id.as_uuid(), now), now).await? {
                IdempotencyOutcome::Fresh => {}
                IdempotencyOutcome::Mismatch => return Err(ContactError::IdempotencyKeyReused),
                IdempotencyOutcome::Repeat(first) => {
                    let first = work.verification(VerificationId::from_uuid(first)).await?;
                    let mine = first.filter(|first| {
                        first.record().user.is_some_and(|user| user.id == caller.user.id())
                    });
                    if let Some(first) = mine {
                        return Ok(VerificationView::read(&mut *work, &first, now).await?);
                    }
                }
            }
        }
        // Of two that are begun at once the one gives up the other.
        let (session, user) = self.hold_fresh(&mut *work, caller, now).await?;
        // In the order in which they had the user, whatever the clocks of replicas say: whoever waited
        // begins after the one it waited for.
        let others = work.verifications_of_user(user.id()).await?;
        let others = others.iter().map(|other| other.record().created_at.plus(TICK));
        let begun_at = others.fold(now, Timestamp::max);
        if user.contact(contact.channel()) == Some(contact) {
            let error = FieldError::new("to", InvalidValue::Conflicting);
            return Err(ContactError::Invalid(vec![error]));
        }
        if !user.may_change_contact(contact.channel(), &session) {
            return Err(ContactError::CodeRequired);
        }
        if let Err(exhausted) = self.count_contact_send(&mut *work, contact, now).await? {
            return Err(ContactError::ContactSendsExhausted { retry_at: exhausted.retry_at });
        }
        let taken = work.user_by_contact(contact).await?.is_some();
        let drawn = self.draw_challenge(id, contact, &Purpose::ContactChange);
        let verification = Verification::begin(
            NewVerification {
                id,
                contact: contact.clone(),
                purpose: Purpose::ContactChange,
                registration: None,
                user: Some(ConcernedUser::of(&user)),
                locale: user.record().locale,
                standing: if taken { Standing::Decoy } else { Standing::Genuine },
                challenge: drawn.hashes,
                lifetime: None,
            },
            &self.settings.verification,
            begun_at,
        );
        let content = match taken {
            true => MessageContent::AlreadyRegistered,
            false => self.verification_content(&verification, &drawn, now),
        };
        work.cancel_contact_changes(user.id(), contact.channel(), id).await?;
        work.insert_verification(&verification).await?;
        self.queue_message(&mut *work, &verification, content, now).await?;
        let view = VerificationView::read(&mut *work, &verification, now).await?;
        self.commit(work).await?;
        Ok(view)
    }

    /// The caller's session and user, held, and logged in not too long ago.
    async fn hold_fresh(
        &self,
        work: &mut dyn UnitOfWork,
        caller: &Authenticated,
        now: Timestamp,
    ) -> Result<(Session, User), ContactError> {
        let held = self.hold_caller(work, caller, now).await?;
        let (session, user) = held.ok_or(ContactError::SessionEnded)?;
        match session.is_fresh(&self.settings.session, now) {
            true => Ok((session, user)),
            false => Err(ContactError::ReauthenticationRequired),
        }
    }

    /// Gives a user the contact that was proved for it, in the unit of work of the proof.
    pub(crate) async fn apply_contact_change(
        &self,
        work: &mut dyn UnitOfWork,
        verification: &Verification,
        now: Timestamp,
    ) -> Result<ContactChange, StoreError> {
        let record = verification.record();
        let Some(concerned) = record.user else { return Ok(ContactChange::AccountChanged) };
        let user = work.user(concerned.id).await?;
        let user = user.filter(|user| user.is_active() && ConcernedUser::of(user) == concerned);
        let Some(user) = user else { return Ok(ContactChange::AccountChanged) };
        // One that was begun later counts. This one was not cancelled then, because it was held: by a
        // wrong answer, perhaps.
        let others = work.verifications_of_user(user.id()).await?;
        if others.iter().any(|other| is_begun_after(other, verification)) {
            return Ok(ContactChange::AccountChanged);
        }
        if work.user_by_contact(&record.contact).await?.is_some() {
            return Ok(ContactChange::ContactTaken);
        }
        let new = UserContact {
            id: ContactId::draw(now, &mut self.random()),
            contact: record.contact.clone(),
            verified_at: now,
        };
        let (user, old) = user.replace_contact(new.clone(), now);
        // The user's row first, here and wherever contacts change: nobody waits in a circle.
        work.update_user(&user).await?;
        if let Some(old) = &old {
            work.delete_user_contact(user.id(), old.id).await?;
        }
        work.insert_user_contact(user.id(), &new).await?;
        work.supersede_verifications(&record.contact, None).await?;
        let nowhere = SessionClient::default();
        self.note(work, AuditKind::ContactChanged, user.id(), None, &nowhere, now).await?;
        match old {
            Some(old) => self.tell_of_loss(work, &user, old, Notice::ContactChanged, now).await?,
            None => {
                let others = user.record().contacts.iter().find(|held| held.id != new.id);
                if let Some(other) = others {
                    let (to, locale) = (&other.contact, user.record().locale);
                    let notice = Notice::ContactAdded;
                    self.queue_notice_to(work, to, locale, notice, None, now).await?;
                }
            }
        }
        tracing::info!(user = %user.id(), channel = record.contact.channel().as_str(), "contact changed");
        Ok(ContactChange::Done)
    }

    /// Tells the old contact that it was taken, with the key by which it comes back.
    async fn tell_of_loss(
        &self,
        work: &mut dyn UnitOfWork,
        user: &User,
        old: UserContact,
        notice: Notice,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let key = LinkKey::draw(&mut self.random());
        let (to, locale) = (old.contact.clone(), user.record().locale);
        let undo = ContactUndo::new(self.hash_undo(&key), user.id(), old, now);
        work.insert_contact_undo(&undo).await?;
        self.queue_notice_to(work, &to, locale, notice, Some(&key), now).await
    }

    fn hash_undo(&self, key: &LinkKey) -> SecretHash {
        let parts: [&[u8]; 2] = [b"contact undo", key.expose()];
        self.ports.secrets.hash(HashContext::LinkKey, &parts)
    }

    /// Removes a contact of the caller's, which is told and can come back.
    ///
    /// # Errors
    /// [`ContactError`].
    pub async fn remove_contact(
        &self,
        caller: &Authenticated,
        id: ContactId,
    ) -> Result<(), ContactError> {
        until_settled!({
            let attempt = async {
                let now = self.now();
                let mut work = self.ports.store.begin().await?;
                let (_, user) = self.hold_fresh(&mut *work, caller, now).await?;
                let (user, removed) = user.remove_contact(id, now).map_err(|why| match why {
                    ContactStays::Unknown => ContactError::NotFound,
                    ContactStays::LastWayIn => ContactError::Stays,
                })?;
                if self.settings.registration.requires(removed.contact.channel()) {
                    return Err(ContactError::Stays);
                }
                work.update_user(&user).await?;
                work.delete_user_contact(user.id(), removed.id).await?;
                let (kind, nowhere) = (AuditKind::ContactRemoved, SessionClient::default());
                let session = Some(caller.session.id());
                self.note(&mut *work, kind, user.id(), session, &nowhere, now).await?;
                let notice = Notice::ContactRemoved;
                self.tell_of_loss(&mut *work, &user, removed, notice, now).await?;
                self.commit(work).await?;
                Ok(())
            };
            attempt.await
        })?;
        Ok(())
    }

    /// Chooses which of the caller's contacts gets their messages. The one before is told.
    ///
    /// # Errors
    /// [`ContactError`].
    pub async fn choose_primary_contact(
        &self,
        caller: &Authenticated,
        id: ContactId,
        client: &SessionClient,
    ) -> Result<User, ContactError> {
        until_settled!(self.try_choose_primary_contact(caller, id, client).await)
    }

    async fn try_choose_primary_contact(
        &self,
        caller: &Authenticated,
        id: ContactId,
        client: &SessionClient,
    ) -> Result<User, ContactError> {
        let now = self.now();
        let mut work = self.ports.store.begin().await?;
        let (_, before) = self.hold_fresh(&mut *work, caller, now).await?;
        let user = before.clone().choose_primary(id, now);
        let user = user.map_err(|UnknownContact| ContactError::NotFound)?;
        if user.primary_contact() != before.primary_contact() {
            self.queue_notice(&mut *work, &before, Notice::PrimaryContactChanged, now).await?;
            let (kind, session) = (AuditKind::PrimaryContactChanged, Some(caller.session.id()));
            self.note(&mut *work, kind, user.id(), session, client, now).await?;
        }
        work.update_user(&user).await?;
        self.commit(work).await?;
        Ok(user)
    }

    /// Gives an account the contact back that was taken from it, for whoever shows the key that the
    /// old contact was sent. Every session ends and the password is worth nothing any more: whoever
    /// changed the contact knew it.
    ///
    /// # Errors
    /// [`UndoContactError`].
    pub async fn undo_contact_change(
        &self,
        key: &str,
        client: &SessionClient,
    ) -> Result<(), UndoContactError> {
        let key = parse_link_key(key).ok_or(UndoContactError::NotFound)?;
        let hash = self.hash_undo(&key);
        until_settled!(self.try_undo(&hash, client).await)
    }

    async fn try_undo(
        &self,
        key: &SecretHash,
        client: &SessionClient,
    ) -> Result<(), UndoContactError> {
        let now = self.now();
        let mut work = self.ports.store.begin().await?;
        let undo = work.claim_contact_undo(key).await?.ok_or(UndoContactError::NotFound)?;
        // From here on an error gives the key back: nothing of this unit of work is stored.
        if undo.expires_at.is_expired(now) {
            return Err(UndoContactError::Expired);
        }
        let user = work.user(undo.user).await?.filter(User::is_active);
        let user = user.ok_or(UndoContactError::NotFound)?;
        match work.user_by_contact(&undo.contact.contact).await? {
            Some(holder) if holder.id() != user.id() => {
                return Err(UndoContactError::ContactTaken);
            }
            _ => {}
        }
        let channel = undo.contact.contact.channel();
        let held = user.record().contacts.iter().find(|held| held.contact.channel() == channel);
        let held = held.map(|held| held.id);
        let back = UserContact { id: ContactId::draw(now, &mut self.random()), ..undo.contact };
        let user = user.take_back(back.clone(), now);
        work.update_user(&user).await?;
        if let Some(held) = held {
            work.delete_user_contact(user.id(), held).await?;
        }
        work.insert_user_contact(user.id(), &back).await?;
        let nobody = VerificationId::draw(now, &mut self.random());
        for channel in Channel::ALL {
            work.cancel_contact_changes(user.id(), channel, nobody).await?;
        }
        let why = SessionEnd::AuthenticationChanged;
        work.end_sessions_of_user(user.id(), None, why, now).await?;
        self.note(&mut *work, AuditKind::ContactRestored, user.id(), None, client, now).await?;
        let (to, locale) = (&back.contact, user.record().locale);
        let notice = Notice::ContactRestored;
        self.queue_notice_to(&mut *work, to, locale, notice, None, now).await?;
        self.commit(work).await?;
        tracing::warn!(user = %user.id(), "contact restored");
        Ok(())
    }
}

/// The least by which two instants differ.
const TICK: Duration = Duration::from_micros(1);

/// Whether another change of the same contact was begun after this one, whatever became of it.
fn is_begun_after(other: &Verification, this: &Verification) -> bool {
    let (other, this) = (other.record(), this.record());
    let is_alike = other.purpose == Purpose::ContactChange
        && other.user.as_ref().map(|user| user.id) == this.user.as_ref().map(|user| user.id)
        && other.contact.channel() == this.contact.channel();
    is_alike && other.id != this.id && other.created_at > this.created_at
}
