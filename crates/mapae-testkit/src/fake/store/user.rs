use async_trait::async_trait;
use mapae_application::ports::StoreError;
use mapae_application::ports::store::{UserReads, UserWrites};
use mapae_domain::user::{ContactUndo, UserRecord};
use mapae_domain::verification::{VerificationRecord, VerificationState};
use mapae_domain::{
    Channel, Consent, Contact, ContactId, Purpose, Registration, RegistrationId, SecretHash,
    Timestamp, User, UserContact, UserId, Username, VerificationId,
};

use super::{STORED_TWICE, State, Transaction, UsernameHolder};

impl State {
    fn holder(&self, contact: &Contact) -> Option<&User> {
        let holds =
            |user: &&User| user.record().contacts.iter().any(|held| held.contact == *contact);
        self.users.values().find(holds)
    }
}

#[async_trait]
impl UserReads for Transaction {
    async fn user(&mut self, id: UserId) -> Result<Option<User>, StoreError> {
        Ok(self.state.users.get(&id).cloned())
    }

    async fn user_by_username(&mut self, username: &Username) -> Result<Option<User>, StoreError> {
        match self.state.usernames.get(username.as_str()) {
            Some(UsernameHolder::User(id)) => Ok(self.state.users.get(id).cloned()),
            Some(UsernameHolder::Registration { .. } | UsernameHolder::Former { .. }) | None => {
                Ok(None)
            }
        }
    }

    async fn user_by_contact(&mut self, contact: &Contact) -> Result<Option<User>, StoreError> {
        Ok(self.state.holder(contact).cloned())
    }

    async fn contact_undos_of_user(&mut self, id: UserId) -> Result<Vec<ContactUndo>, StoreError> {
        let of_user = self.state.contact_undos.iter().filter(|undo| undo.user == id);
        let mut found: Vec<_> = of_user.cloned().collect();
        found.sort_by_key(|undo| (std::cmp::Reverse(undo.changed_at), *undo.key.as_bytes()));
        Ok(found)
    }

    async fn users_to_erase(
        &mut self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<UserId>, StoreError> {
        let due = |user: &User| user.record().erase_at.filter(|at| at.is_expired(now));
        let users = self.state.users.values();
        let mut found: Vec<_> = users.filter_map(|user| Some((due(user)?, user.id()))).collect();
        found.sort_unstable();
        found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(found.into_iter().map(|(_, id)| id).collect())
    }

    async fn former_usernames_of_user(
        &mut self,
        id: UserId,
    ) -> Result<Vec<(Username, Timestamp)>, StoreError> {
        let former = |(name, holder): (&String, &UsernameHolder)| match holder {
            UsernameHolder::Former { user, until } if *user == id => Some((*until, name.clone())),
            _ => None,
        };
        let mut found: Vec<_> = self.state.usernames.iter().filter_map(former).collect();
        found.sort_unstable();
        Ok(found.into_iter().map(|(until, name)| (Username::from_stored(&name), until)).collect())
    }

    async fn consents_of_user(&mut self, id: UserId) -> Result<Vec<Consent>, StoreError> {
        let mut consents = self.state.consents.get(&id).cloned().unwrap_or_default();
        consents.sort_by_key(|consent| consent.decided_at);
        Ok(consents)
    }

    async fn consents_to_reconfirm(
        &mut self,
        before: Timestamp,
        limit: u32,
    ) -> Result<Vec<(UserId, Consent)>, StoreError> {
        let is_meant = |user: &User| user.is_active() && user.primary_contact().is_some();
        let is_meant = |id: &UserId| self.state.users.get(id).is_some_and(is_meant);
        let of_reachable = self.state.consents.iter().filter(|(id, _)| is_meant(id));
        let mut due: Vec<_> = of_reachable
            .flat_map(|(id, history)| history.iter().map(|consent| (*id, consent.clone())))
            .filter(|(_, consent)| consent.reconfirm_at.is_some_and(|due| due < before))
            .collect();
        due.sort_by_key(|(id, consent)| (consent.reconfirm_at, *id));
        due.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(due)
    }
}

#[async_trait]
impl UserWrites for Transaction {
    async fn lock_user(&mut self, id: UserId) -> Result<Option<User>, StoreError> {
        self.user(id).await
    }

    async fn reserve_username(
        &mut self,
        username: &Username,
        registration: RegistrationId,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let is_free = match self.state.usernames.get(username.as_str()) {
            None => true,
            Some(UsernameHolder::User(_)) => false,
            Some(UsernameHolder::Former { until, .. }) => until.is_expired(now),
            Some(UsernameHolder::Registration { id, expires_at }) => {
                *id == registration || expires_at.is_expired(now)
            }
        };
        if is_free {
            let holder = UsernameHolder::Registration { id: registration, expires_at };
            self.write().usernames.insert(username.as_str().to_owned(), holder);
        }
        Ok(is_free)
    }

    async fn assign_username(
        &mut self,
        username: &Username,
        registration: RegistrationId,
        user: UserId,
    ) -> Result<(), StoreError> {
        match self.state.usernames.get(username.as_str()) {
            Some(UsernameHolder::Registration { id, .. }) if *id == registration => {
                let holder = UsernameHolder::User(user);
                self.write().usernames.insert(username.as_str().to_owned(), holder);
                Ok(())
            }
            _ => self.stale(),
        }
    }

    async fn claim_username(
        &mut self,
        username: &Username,
        user: UserId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let is_free = match self.state.usernames.get(username.as_str()) {
            None => true,
            Some(UsernameHolder::User(holder)) => *holder == user,
            Some(UsernameHolder::Former { user: holder, until }) => {
                *holder == user || until.is_expired(now)
            }
            Some(UsernameHolder::Registration { expires_at, .. }) => expires_at.is_expired(now),
        };
        if is_free {
            let holder = UsernameHolder::User(user);
            self.write().usernames.insert(username.as_str().to_owned(), holder);
        }
        Ok(is_free)
    }

    async fn release_username(
        &mut self,
        username: &Username,
        user: UserId,
        until: Timestamp,
    ) -> Result<(), StoreError> {
        if let Some(holder) = self.write().usernames.get_mut(username.as_str())
            && matches!(holder, UsernameHolder::User(id) if *id == user)
        {
            *holder = UsernameHolder::Former { user, until };
        }
        Ok(())
    }

    async fn insert_user(&mut self, user: &User) -> Result<(), StoreError> {
        let held = |held: &UserContact| self.state.holder(&held.contact).is_some();
        if user.record().contacts.iter().any(held) {
            return self.stale();
        }
        match self.write().users.insert(user.id(), user.clone()) {
            None => Ok(()),
            Some(_) => Err(STORED_TWICE),
        }
    }

    async fn update_user(&mut self, user: &User) -> Result<(), StoreError> {
        let Some(stored) = self.state.users.get(&user.id()) else { return self.stale() };
        if stored.record().version.checked_add(1) != Some(user.record().version) {
            return self.stale();
        }
        let contacts = stored.record().contacts.clone();
        let updated = User::from_record(UserRecord { contacts, ..user.record().clone() });
        self.write().users.insert(user.id(), updated);
        Ok(())
    }

    async fn insert_user_contact(
        &mut self,
        user: UserId,
        contact: &UserContact,
    ) -> Result<(), StoreError> {
        if self.state.holder(&contact.contact).is_some() {
            return self.stale();
        }
        let Some(stored) = self.state.users.get(&user) else { return self.stale() };
        let mut record = stored.record().clone();
        record.contacts.push(contact.clone());
        self.write().users.insert(user, User::from_record(record));
        Ok(())
    }

    async fn delete_user_contact(
        &mut self,
        user: UserId,
        contact: ContactId,
    ) -> Result<(), StoreError> {
        if let Some(stored) = self.write().users.get_mut(&user) {
            let mut record = stored.record().clone();
            record.contacts.retain(|held| held.id != contact);
            *stored = User::from_record(record);
        }
        Ok(())
    }

    async fn insert_contact_undo(&mut self, undo: &ContactUndo) -> Result<(), StoreError> {
        self.write().contact_undos.push(undo.clone());
        Ok(())
    }

    async fn claim_contact_undo(
        &mut self,
        key: &SecretHash,
    ) -> Result<Option<ContactUndo>, StoreError> {
        let found = self.state.contact_undos.iter().find(|undo| undo.key.matches(key)).cloned();
        if let Some(found) = &found {
            let channel = found.contact.contact.channel();
            self.write().contact_undos.retain(|undo| {
                undo.user != found.user
                    || undo.contact.contact.channel() != channel
                    || undo.changed_at < found.changed_at
            });
        }
        Ok(found)
    }

    async fn cancel_contact_changes(
        &mut self,
        user: UserId,
        channel: Channel,
        except: VerificationId,
    ) -> Result<(), StoreError> {
        for one in self.write().verifications.values_mut() {
            let record = one.record();
            let is_meant = record.user.is_some_and(|of| of.id == user)
                && record.contact.channel() == channel
                && record.purpose == Purpose::ContactChange
                && record.state == VerificationState::Pending
                && record.id != except;
            if is_meant {
                *one = mapae_domain::Verification::from_record(VerificationRecord {
                    state: VerificationState::Cancelled,
                    version: record.version + 1,
                    ..record.clone()
                });
            }
        }
        Ok(())
    }

    async fn erase_user(&mut self, id: UserId) -> Result<(), StoreError> {
        let state = self.write();
        let Some(user) = state.users.remove(&id) else { return Ok(()) };
        let contacts: Vec<_> =
            user.record().contacts.iter().map(|held| held.contact.clone()).collect();
        let holds = |one: &Registration| {
            let record = one.record();
            let email = record.email.as_ref().map(|claim| Contact::Email(claim.contact.clone()));
            let phone = record.phone.as_ref().map(|claim| Contact::Phone(claim.contact.clone()));
            one.user() == Some(id)
                || [email, phone].into_iter().flatten().any(|one| contacts.contains(&one))
        };
        let void: Vec<RegistrationId> =
            state.registrations.values().filter(|one| holds(one)).map(Registration::id).collect();
        let concerned = |record: &VerificationRecord| {
            record.user.is_some_and(|user| user.id == id) || contacts.contains(&record.contact)
        };
        let messages: Vec<_> = state
            .verifications
            .values()
            .filter(|one| concerned(one.record()))
            .map(mapae_domain::Verification::id)
            .collect();
        state.outbox.retain(|_, message| {
            message.record().verification.is_none_or(|of| !messages.contains(&of))
        });
        state.verifications.retain(|_, one| {
            let record = one.record();
            !concerned(record) && record.registration.is_none_or(|of| !void.contains(&of))
        });
        state.registrations.retain(|id, _| !void.contains(id));
        state.usernames.retain(|_, holder| match holder {
            UsernameHolder::User(user) | UsernameHolder::Former { user, .. } => *user != id,
            UsernameHolder::Registration { id, .. } => !void.contains(id),
        });
        state.contact_undos.retain(|undo| undo.user != id);
        state.consents.remove(&id);
        state.sessions.retain(|_, session| session.record().user != id);
        for entry in state.audit.iter_mut().filter(|entry| entry.user == id) {
            entry.client = mapae_domain::session::SessionClient::default();
        }
        Ok(())
    }

    async fn insert_consents(
        &mut self,
        user: UserId,
        consents: &[Consent],
    ) -> Result<(), StoreError> {
        let history = self.write().consents.entry(user).or_default();
        for earlier in history.iter_mut() {
            if consents.iter().any(|new| new.document.name() == earlier.document.name()) {
                earlier.reconfirm_at = None;
            }
        }
        history.extend_from_slice(consents);
        Ok(())
    }

    async fn record_reminder(
        &mut self,
        user: UserId,
        reminded: &Consent,
        due: Timestamp,
    ) -> Result<bool, StoreError> {
        let history = self.write().consents.entry(user).or_default();
        let stored = history.iter_mut().find(|one| {
            one.document.name() == reminded.document.name() && one.reconfirm_at == Some(due)
        });
        let Some(stored) = stored else { return Ok(false) };
        stored.reconfirm_at = reminded.reconfirm_at;
        stored.reminded_at = reminded.reminded_at;
        Ok(true)
    }
}
