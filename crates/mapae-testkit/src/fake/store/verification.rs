use async_trait::async_trait;
use mapae_application::ports::StoreError;
use mapae_application::ports::store::{SendAllowance, VerificationReads, VerificationWrites};
use mapae_domain::verification::{Standing, VerificationRecord, VerificationState};
use mapae_domain::{
    Contact, RegistrationId, SecretHash, Timestamp, UserId, Verification, VerificationId,
};

use super::{STORED_TWICE, SendWindow, Transaction};

#[async_trait]
impl VerificationReads for Transaction {
    async fn verification(
        &mut self,
        id: VerificationId,
    ) -> Result<Option<Verification>, StoreError> {
        Ok(self.state.verifications.get(&id).cloned())
    }

    async fn verifications_of_user(
        &mut self,
        user: UserId,
    ) -> Result<Vec<Verification>, StoreError> {
        let concerns = |one: &&Verification| one.record().user.is_some_and(|of| of.id == user);
        let mut found: Vec<_> =
            self.state.verifications.values().filter(concerns).cloned().collect();
        found.sort_by_key(|one| (one.record().created_at, one.id()));
        Ok(found)
    }

    async fn verifications_of_registration(
        &mut self,
        id: RegistrationId,
    ) -> Result<Vec<Verification>, StoreError> {
        let all = self.state.verifications.values();
        let mut found: Vec<Verification> =
            all.filter(|one| one.record().registration == Some(id)).cloned().collect();
        found.sort_by_key(|one| (one.record().created_at, one.id()));
        Ok(found)
    }
}

#[async_trait]
impl VerificationWrites for Transaction {
    async fn lock_verification(
        &mut self,
        id: VerificationId,
    ) -> Result<Option<Verification>, StoreError> {
        self.verification(id).await
    }

    async fn lock_verification_by_link(
        &mut self,
        link: &SecretHash,
    ) -> Result<Option<Verification>, StoreError> {
        let has_link = |one: &&Verification| {
            let previous = one.record().previous.map(|previous| previous.challenge);
            [Some(one.record().challenge), previous]
                .into_iter()
                .filter_map(|challenge| challenge?.link)
                .any(|stored| stored.matches(link))
        };
        Ok(self.state.verifications.values().find(has_link).cloned())
    }

    async fn insert_verification(&mut self, verification: &Verification) -> Result<(), StoreError> {
        match self.write().verifications.insert(verification.id(), verification.clone()) {
            None => Ok(()),
            Some(_) => Err(STORED_TWICE),
        }
    }

    async fn update_verification(&mut self, verification: &Verification) -> Result<(), StoreError> {
        let stored = self.state.verifications.get(&verification.id());
        let next = stored.and_then(|stored| stored.record().version.checked_add(1));
        if next != Some(verification.record().version) {
            return self.stale();
        }
        self.write().verifications.insert(verification.id(), verification.clone());
        Ok(())
    }

    async fn supersede_verifications(
        &mut self,
        contact: &Contact,
        except: Option<RegistrationId>,
    ) -> Result<(), StoreError> {
        for one in self.write().verifications.values_mut() {
            let record = one.record();
            let is_rival = record.contact == *contact
                && record.registration.is_some()
                && record.registration != except
                && record.standing == Standing::Genuine
                && record.state == VerificationState::Pending;
            if is_rival {
                *one = Verification::from_record(VerificationRecord {
                    standing: Standing::Superseded,
                    version: record.version + 1,
                    ..record.clone()
                });
            }
        }
        Ok(())
    }

    async fn count_contact_send(
        &mut self,
        contact: &SecretHash,
        limit: u32,
        window_end: Timestamp,
        now: Timestamp,
    ) -> Result<SendAllowance, StoreError> {
        let new = SendWindow { count: 0, end: window_end };
        let window = self.write().contact_sends.entry(*contact.as_bytes()).or_insert(new);
        if window.end.is_expired(now) {
            *window = new;
        }
        if window.count >= limit {
            return Ok(SendAllowance::Refused { retry_at: window.end });
        }
        window.count += 1;
        Ok(SendAllowance::Allowed)
    }
}
