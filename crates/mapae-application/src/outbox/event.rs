use mapae_domain::{Contact, Deliverability, EmailAddress, SecretHash, Timestamp};

use crate::Application;
use crate::error::{Unavailable, rests_on_the_world, until_settled};
use crate::idempotency::{IdempotencyClaim, IdempotencyOutcome};
use crate::ports::{DeliveryEvent, EventRefused, HashContext, SecretHasher, StoreError};

/// Why a provider's report was not taken.
#[derive(Debug, thiserror::Error)]
pub enum TakeEventError {
    /// No provider is configured that reports.
    #[error("no provider reports here")]
    NotConfigured,
    /// The report is none, or not the provider's.
    #[error(transparent)]
    Refused(EventRefused),
    /// Something that Mapae rests on failed.
    #[error("not available")]
    Unavailable(#[source] Unavailable),
}

rests_on_the_world!(TakeEventError);

/// How an address is known where it is kept whether messages to it arrive.
pub(crate) fn address_hash(secrets: &dyn SecretHasher, address: &Contact) -> SecretHash {
    secrets.hash(HashContext::Deliverability, &[address.as_str().as_bytes()])
}

impl Application {
    /// Takes what a provider reports of messages and addresses. A report that was taken before, and
    /// one of somebody else's message, changes nothing.
    ///
    /// # Errors
    /// [`TakeEventError`]; nothing has changed then.
    pub async fn take_delivery_event(&self, report: &[u8]) -> Result<(), TakeEventError> {
        let events = self.ports.delivery_events.as_ref().ok_or(TakeEventError::NotConfigured)?;
        let event = events.read(report).await.map_err(TakeEventError::Refused)?;
        let Some(event) = event else { return Ok(()) };
        until_settled!(self.try_take_event(&event).await)
    }

    async fn try_take_event(&self, event: &DeliveryEvent) -> Result<(), TakeEventError> {
        let now = self.now();
        let mut work = self.ports.store.begin().await?;
        let message = match (&event.message, &event.provider_id) {
            (Some(id), _) => work.lock_message(*id).await?,
            (None, Some(provider_id)) => work.lock_message_of_provider(provider_id).await?,
            (None, None) => None,
        };
        // An account of the provider's can send for others too, whose readers are none of ours.
        let Some(message) = message else { return Ok(()) };
        let claim = self.event_claim(event, message.id().as_uuid(), now);
        if work.claim_idempotency_key(&claim, now).await? != IdempotencyOutcome::Fresh {
            return Ok(());
        }
        for (address, deliverability) in &event.marks {
            let address = self.address_hash(address);
            work.mark_address(&address, *deliverability, now).await?;
            let deliverability = deliverability.as_str();
            tracing::warn!(message = %message.id(), deliverability, "an address was marked");
        }
        let id = message.id();
        if let Some(next) = event.report.and_then(|report| message.reported(report, now)) {
            tracing::info!(message = %id, status = next.record().status.as_str(), "outcome known");
            work.update_message(&next).await?;
        }
        work.commit().await?;
        Ok(())
    }

    fn event_claim(
        &self,
        event: &DeliveryEvent,
        resource: uuid::Uuid,
        now: Timestamp,
    ) -> IdempotencyClaim {
        let key = self.ports.secrets.hash(HashContext::DeliveryEvent, &[event.id.as_bytes()]);
        let expires_at = now.plus(crate::idempotency::IDEMPOTENCY_LIFETIME);
        IdempotencyClaim { key, content: key, resource, expires_at }
    }

    fn address_hash(&self, address: &EmailAddress) -> SecretHash {
        address_hash(&*self.ports.secrets, &Contact::Email(address.clone()))
    }

    /// Whether messages to an address arrive, as far as is known.
    ///
    /// # Errors
    /// What the store says.
    pub async fn deliverability(
        &self,
        address: &EmailAddress,
    ) -> Result<Deliverability, StoreError> {
        let address = self.address_hash(address);
        self.ports.store.read().await?.deliverability(&address).await
    }

    /// Forgets what is known of an address: messages are sent to it again.
    ///
    /// # Errors
    /// What the store says.
    pub async fn clear_address(&self, address: &EmailAddress) -> Result<(), StoreError> {
        let (address, now) = (self.address_hash(address), self.now());
        let mut work = self.ports.store.begin().await?;
        work.mark_address(&address, Deliverability::Deliverable, now).await?;
        work.commit().await.map(drop)
    }
}
