use mapae_domain::verification::{ResendRefused, Standing};
use mapae_domain::{Purpose, Timestamp, VerificationId};

use super::{VerificationView, is_apart};
use crate::Application;
use crate::error::{Unavailable, rests_on_the_world, until_settled};
use crate::idempotency::{IdempotencyKey, IdempotencyOutcome};
use crate::outbox::MessageContent;

/// Asks to send a verification again.
pub struct ResendVerification {
    /// Which.
    pub id: VerificationId,
    /// To recognise a repeat.
    pub idempotency: Option<IdempotencyKey>,
}

/// Why a verification was not sent again.
#[derive(Debug, thiserror::Error)]
pub enum ResendError {
    /// There is none of that id.
    #[error("no such verification")]
    NotFound,
    /// Its own rules say no. Nothing has changed.
    #[error("not sent again: {0}")]
    Refused(ResendRefused),
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

rests_on_the_world!(ResendError);

impl Application {
    /// Sends a verification again, with a new code and a new life; the attempts stay as they are.
    ///
    /// # Errors
    /// [`ResendError`]; nothing has changed then.
    pub async fn resend_verification(
        &self,
        command: ResendVerification,
    ) -> Result<VerificationView, ResendError> {
        until_settled!(self.try_resend(&command).await)
    }

    async fn try_resend(
        &self,
        command: &ResendVerification,
    ) -> Result<VerificationView, ResendError> {
        let (now, id) = (self.now(), command.id);
        let mut work = self.ports.store.begin().await?;
        let verification = work.lock_verification(id).await?.filter(|found| !is_apart(found));
        let verification = verification.ok_or(ResendError::NotFound)?;
        if let Some(key) = &command.idempotency {
            match work.claim_idempotency_key(&key.claim(id.as_uuid(), now), now).await? {
                IdempotencyOutcome::Fresh => {}
                IdempotencyOutcome::Mismatch => return Err(ResendError::IdempotencyKeyReused),
                IdempotencyOutcome::Repeat(_) => {
                    return Ok(VerificationView::read(&mut *work, &verification, now).await?);
                }
            }
        }
        verification.may_resend(now).map_err(ResendError::Refused)?;
        let record = verification.record();
        if let Err(exhausted) = self.count_contact_send(&mut *work, &record.contact, now).await? {
            return Err(ResendError::ContactSendsExhausted { retry_at: exhausted.retry_at });
        }
        let drawn = self.draw_challenge(id, &record.contact, &record.purpose);
        let resent = verification
            .resend(drawn.hashes, &self.settings.verification, now)
            .map_err(ResendError::Refused)?;
        let content = match (resent.record().standing, &resent.record().purpose) {
            (Standing::Genuine, _) => self.verification_content(&resent, &drawn, now),
            // The account's owner is told once more, as by the first message.
            (Standing::Superseded | Standing::Decoy, Purpose::Registration) => {
                MessageContent::AlreadyRegistered
            }
            (Standing::Superseded | Standing::Decoy, _) => MessageContent::Nothing,
        };
        work.update_verification(&resent).await?;
        self.queue_message(&mut *work, &resent, content, now).await?;
        let view = VerificationView::read(&mut *work, &resent, now).await?;
        self.commit(work).await?;
        Ok(view)
    }
}
