use mapae_domain::verification::VerificationStatus;
use mapae_domain::{
    Channel, Delivery, Locale, Purpose, Receipt, RegistrationId, Timestamp, UserId, Verification,
    VerificationId,
};

use super::is_apart;
use crate::Application;
use crate::error::{Unavailable, rests_on_the_world};
use crate::ports::{ReadView, StoreError, TokenSigningError};

/// A verification, for whoever began it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerificationView {
    /// The id.
    pub id: VerificationId,
    /// How messages are sent.
    pub channel: Channel,
    /// To whom, masked.
    pub to: String,
    /// What for.
    pub purpose: Purpose,
    /// How far it has come.
    pub status: VerificationStatus,
    /// Digits of its codes.
    pub code_length: u8,
    /// When the last message's code expires.
    pub expires_at: Timestamp,
    /// From when it may be sent again.
    pub resend_at: Timestamp,
    /// How many codes it would still compare.
    pub attempts_left: u8,
    /// The language of its messages.
    pub locale: Locale,
    /// What is known of its last message.
    pub delivery: Delivery,
    /// What it is worth, for whoever gave the right code just now.
    pub receipt: Option<String>,
    /// What became of the registration that waited for it, for whoever proved it just now.
    pub registration: Option<RegistrationProgress>,
}

/// How far a registration has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RegistrationProgress {
    /// The registration.
    pub id: RegistrationId,
    /// The user that it became, if it did.
    pub user: Option<UserId>,
}

impl VerificationView {
    pub(crate) fn new(verification: &Verification, delivery: Delivery, now: Timestamp) -> Self {
        let record = verification.record();
        Self {
            id: record.id,
            channel: record.contact.channel(),
            to: record.contact.masked(),
            purpose: record.purpose.clone(),
            status: verification.status(now),
            code_length: record.code_length,
            expires_at: record.expires_at,
            resend_at: record.resend_at,
            attempts_left: verification.attempts_left(),
            locale: record.locale,
            delivery: delivery.shown_for(&record.purpose),
            receipt: None,
            registration: None,
        }
    }

    /// The view with what is known of the last message.
    pub(crate) async fn read<V: ReadView + ?Sized>(
        view: &mut V,
        verification: &Verification,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let delivery = view.delivery_of_verification(verification.id()).await?;
        Ok(Self::new(verification, delivery.unwrap_or(Delivery::QUEUED), now))
    }
}

/// Why a verification is not shown.
#[derive(Debug, thiserror::Error)]
pub enum GetVerificationError {
    /// There is none of that id.
    #[error("no such verification")]
    NotFound,
    /// Something that Mapae rests on failed.
    #[error("not available")]
    Unavailable(#[source] Unavailable),
}

rests_on_the_world!(GetVerificationError);

impl Application {
    /// How far a verification has come.
    ///
    /// # Errors
    /// [`GetVerificationError`].
    pub async fn verification(
        &self,
        id: VerificationId,
    ) -> Result<VerificationView, GetVerificationError> {
        let now = self.now();
        let mut view = self.ports.store.read().await?;
        let verification = view.verification(id).await?.filter(|found| !is_apart(found));
        let verification = verification.ok_or(GetVerificationError::NotFound)?;
        Ok(VerificationView::read(&mut *view, &verification, now).await?)
    }

    pub(crate) fn sign_receipt(&self, receipt: &Receipt) -> Result<String, TokenSigningError> {
        self.ports.tokens.issue_receipt(receipt)
    }
}
