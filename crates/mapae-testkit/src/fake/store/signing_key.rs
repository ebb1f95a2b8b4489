use async_trait::async_trait;
use mapae_application::ports::store::{SigningKeyReads, SigningKeyWrites};
use mapae_application::ports::{SigningKeyRecord, StoreError};
use mapae_domain::Timestamp;

use super::{STORED_TWICE, Transaction};

#[async_trait]
impl SigningKeyReads for Transaction {
    async fn signing_keys(&mut self) -> Result<Vec<SigningKeyRecord>, StoreError> {
        let mut keys = self.state.signing_keys.clone();
        keys.sort_by_key(|key| key.life.created_at);
        Ok(keys)
    }
}

#[async_trait]
impl SigningKeyWrites for Transaction {
    async fn lock_signing_keys(&mut self) -> Result<Vec<SigningKeyRecord>, StoreError> {
        self.signing_keys().await
    }

    async fn insert_signing_key(&mut self, key: &SigningKeyRecord) -> Result<(), StoreError> {
        if self.state.signing_keys.iter().any(|stored| stored.kid == key.kid) {
            return Err(STORED_TWICE);
        }
        self.write().signing_keys.push(key.clone());
        Ok(())
    }

    async fn retire_signing_key(&mut self, kid: &str, at: Timestamp) -> Result<bool, StoreError> {
        let keys = &mut self.write().signing_keys;
        let found = keys.iter_mut().find(|key| key.kid == kid && key.life.retired_at.is_none());
        Ok(found.map(|key| key.life.retired_at = Some(at)).is_some())
    }
}
