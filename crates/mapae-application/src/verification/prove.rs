use mapae_domain::verification::{Proof, ProofRefused};
use mapae_domain::{
    Code, ContactId, InvalidValue, Purpose, Registration, SecretHash, Timestamp, UserContact,
    Verification, VerificationId,
};
use zeroize::Zeroizing;

use super::{RegistrationProgress, VerificationView, count_verification, is_apart, parse_link_key};
use crate::Application;
use crate::error::{Unavailable, rests_on_the_world, until_settled};
use crate::idempotency::{IdempotencyKey, IdempotencyOutcome};
use crate::ports::{StoreError, UnitOfWork};
use crate::registration::Completion;
use crate::user::ContactChange;

/// Offers a code as proof.
pub struct CheckVerification {
    /// Of which verification.
    pub id: VerificationId,
    /// The code as it was typed.
    pub code: Zeroizing<String>,
    /// To recognise a repeat of the request that succeeded.
    pub idempotency: Option<IdempotencyKey>,
}

/// Why a proof did not count.
#[derive(Debug, thiserror::Error)]
pub enum ProveError {
    /// There is no verification of that id or key.
    #[error("no such verification")]
    NotFound,
    /// The code cannot be one; no attempt was counted.
    #[error("the code cannot be one: it {0}")]
    InvalidCode(InvalidValue),
    /// The verification's own rules say no.
    #[error("{0}")]
    Refused(ProofRefused),
    /// The idempotency key came with another request before.
    #[error("the idempotency key came with another request")]
    IdempotencyKeyReused,
    /// Something that Mapae rests on failed.
    #[error("not available")]
    Unavailable(#[source] Unavailable),
}

rests_on_the_world!(ProveError);

/// What a proof brought about.
enum Proved {
    /// The contact counts as proved, and a registration may have moved on.
    Accepted(Option<RegistrationProgress>),
    /// It was proved, but comes too late.
    Refused(ProofRefused),
}

impl Application {
    /// Checks a code. Whoever gives the right one gets the receipt, and a registration that waited
    /// for it moves on.
    ///
    /// # Errors
    /// [`ProveError`]; a wrong code has been counted and stored by then.
    pub async fn check_verification(
        &self,
        command: CheckVerification,
    ) -> Result<VerificationView, ProveError> {
        until_settled!(self.try_check(&command).await)
    }

    /// Confirms a contact by the key of a link. Gives no receipt: whoever follows a link need not
    /// be who asked for it.
    ///
    /// # Errors
    /// [`ProveError`].
    pub async fn confirm_verification(&self, key: &str) -> Result<VerificationView, ProveError> {
        let key = parse_link_key(key).ok_or(ProveError::NotFound)?;
        let link = self.hash_link(&key);
        until_settled!(self.try_confirm(link).await)
    }

    async fn try_confirm(&self, link: SecretHash) -> Result<VerificationView, ProveError> {
        let now = self.now();
        let mut work = self.ports.store.begin().await?;
        let verification = work.lock_verification_by_link(&link).await?;
        let verification =
            verification.filter(|found| !is_apart(found)).ok_or(ProveError::NotFound)?;
        let (work, view, _) = self.prove(work, verification, Proof::Link(link), now).await?;
        self.commit(work).await?;
        Ok(view)
    }

    async fn try_check(&self, command: &CheckVerification) -> Result<VerificationView, ProveError> {
        let now = self.now();
        let mut work = self.ports.store.begin().await?;
        let verification =
            work.lock_verification(command.id).await?.filter(|found| !is_apart(found));
        let verification = verification.ok_or(ProveError::NotFound)?;
        let length = verification.record().code_length;
        let code = Code::parse(&command.code, length).map_err(ProveError::InvalidCode)?;
        if let Some(key) = &command.idempotency {
            let claim = key.claim(command.id.as_uuid(), now);
            match work.find_idempotency_key(&claim, now).await? {
                IdempotencyOutcome::Fresh => {}
                IdempotencyOutcome::Mismatch => return Err(ProveError::IdempotencyKeyReused),
                IdempotencyOutcome::Repeat(_) => {
                    return self.repeat_check(&mut *work, &verification, now).await;
                }
            }
        }
        let proof = Proof::Code(self.hash_code(command.id, &code));
        let (mut work, mut view, proved) = self.prove(work, verification, proof, now).await?;
        view.receipt = self.receipt_of(&proved)?;
        if let Some(key) = &command.idempotency {
            // Claimed only by a success: a wrong code that is sent again is another guess.
            work.claim_idempotency_key(&key.claim(command.id.as_uuid(), now), now).await?;
        }
        self.commit(work).await?;
        Ok(view)
    }

    /// The answer to a check that succeeded before and whose answer was lost.
    async fn repeat_check(
        &self,
        work: &mut dyn UnitOfWork,
        verification: &Verification,
        now: Timestamp,
    ) -> Result<VerificationView, ProveError> {
        let mut view = VerificationView::read(work, verification, now).await?;
        view.receipt = self.receipt_of(verification)?;
        if let Some(id) = verification.record().registration {
            let user = work.registration(id).await?.and_then(|registration| registration.user());
            view.registration = Some(RegistrationProgress { id, user });
        }
        Ok(view)
    }

    /// The signed receipt of a verification that stands on its own.
    fn receipt_of(&self, verification: &Verification) -> Result<Option<String>, Unavailable> {
        let record = verification.record();
        if record.registration.is_some() || record.purpose == Purpose::ContactChange {
            // The registration, or the account, has had what it was worth.
            return Ok(None);
        }
        let receipt = verification.receipt(&self.settings.verification);
        Ok(receipt.map(|receipt| self.sign_receipt(&receipt)).transpose()?)
    }

    /// Takes a proof and stores what came of it. Gives the unit of work back where it was accepted;
    /// has committed it where it was not, because the attempt must count.
    async fn prove(
        &self,
        mut work: Box<dyn UnitOfWork>,
        verification: Verification,
        proof: Proof,
        now: Timestamp,
    ) -> Result<(Box<dyn UnitOfWork>, VerificationView, Verification), ProveError> {
        let before = verification.record().version;
        let (verification, outcome) = verification.prove(proof, now);
        let what = match &outcome {
            Ok(_) => "proved",
            Err(ProofRefused::Mismatch { .. }) => "mismatched",
            Err(_) => "refused",
        };
        count_verification(&verification, what);
        if let Err(refused) = outcome {
            if verification.record().version != before {
                work.update_verification(&verification).await?;
                self.commit(work).await?;
            }
            return Err(ProveError::Refused(refused));
        }
        match self.move_registration(&mut *work, &verification, now).await? {
            Proved::Accepted(registration) => {
                work.update_verification(&verification).await?;
                let mut view = VerificationView::read(&mut *work, &verification, now).await?;
                view.registration = registration;
                Ok((work, view, verification))
            }
            Proved::Refused(refused) => {
                work.update_verification(&verification.cancel()).await?;
                self.commit(work).await?;
                Err(ProveError::Refused(refused))
            }
        }
    }

    /// Moves the registration on that waits for this verification, if one does.
    async fn move_registration(
        &self,
        work: &mut dyn UnitOfWork,
        verification: &Verification,
        now: Timestamp,
    ) -> Result<Proved, StoreError> {
        let record = verification.record();
        if record.purpose == Purpose::ContactChange {
            return Ok(match self.apply_contact_change(work, verification, now).await? {
                ContactChange::Done => Proved::Accepted(None),
                ContactChange::AccountChanged => Proved::Refused(ProofRefused::Cancelled),
                ContactChange::ContactTaken => Proved::Refused(ProofRefused::ContactTaken),
            });
        }
        let Some(id) = record.registration else { return Ok(Proved::Accepted(None)) };
        let Some(registration) = work.lock_registration(id).await? else {
            return Ok(Proved::Accepted(None));
        };
        if work.user_by_contact(&record.contact).await?.is_some() {
            return Ok(Proved::Refused(ProofRefused::ContactTaken));
        }
        let registration = registration.prove(&record.contact, now);
        work.update_registration(&registration).await?;
        let user = match registration.user() {
            Some(user) => {
                self.add_late_contact(work, &registration, verification, now).await?;
                Some(user)
            }
            None => match self.complete_registration(work, &registration, now).await? {
                Completion::Done(user) => Some(user),
                Completion::Waiting => None,
                Completion::ContactTaken => return Ok(Proved::Refused(ProofRefused::ContactTaken)),
            },
        };
        Ok(Proved::Accepted(Some(RegistrationProgress { id, user })))
    }

    /// Gives a user a contact that the registration did not have to wait for.
    async fn add_late_contact(
        &self,
        work: &mut dyn UnitOfWork,
        registration: &Registration,
        verification: &Verification,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Some(id) = registration.user() else { return Ok(()) };
        let Some(user) = work.user(id).await? else { return Ok(()) };
        let contact = &verification.record().contact;
        let added = UserContact {
            id: ContactId::draw(now, &mut self.random()),
            contact: contact.clone(),
            verified_at: now,
        };
        // Whoever chose another contact of that channel since then has said what they want.
        if let Ok(user) = user.add_contact(added.clone(), now) {
            work.update_user(&user).await?;
            work.insert_user_contact(id, &added).await?;
            work.supersede_verifications(contact, Some(registration.id())).await?;
        }
        Ok(())
    }
}
