use async_trait::async_trait;
use mapae_application::ports::StoreError;
use mapae_application::ports::store::{RegistrationReads, RegistrationWrites};
use mapae_domain::{Registration, RegistrationId, UserId};

use super::{STORED_TWICE, Transaction};

#[async_trait]
impl RegistrationReads for Transaction {
    async fn registrations_of_user(
        &mut self,
        user: UserId,
    ) -> Result<Vec<Registration>, StoreError> {
        let became = |one: &&Registration| one.user() == Some(user);
        let mut found: Vec<_> = self.state.registrations.values().filter(became).cloned().collect();
        found.sort_by_key(|one| (one.record().created_at, one.id()));
        Ok(found)
    }

    async fn registration(
        &mut self,
        id: RegistrationId,
    ) -> Result<Option<Registration>, StoreError> {
        Ok(self.state.registrations.get(&id).cloned())
    }
}

#[async_trait]
impl RegistrationWrites for Transaction {
    async fn lock_registration(
        &mut self,
        id: RegistrationId,
    ) -> Result<Option<Registration>, StoreError> {
        self.registration(id).await
    }

    async fn insert_registration(&mut self, registration: &Registration) -> Result<(), StoreError> {
        match self.write().registrations.insert(registration.id(), registration.clone()) {
            None => Ok(()),
            Some(_) => Err(STORED_TWICE),
        }
    }

    async fn update_registration(&mut self, registration: &Registration) -> Result<(), StoreError> {
        let stored = self.state.registrations.get(&registration.id());
        let next = stored.and_then(|stored| stored.record().version.checked_add(1));
        if next != Some(registration.record().version) {
            return self.stale();
        }
        self.write().registrations.insert(registration.id(), registration.clone());
        Ok(())
    }
}
