use mapae_domain::registration::{Claimed, NewRegistration};
use mapae_domain::session::SessionClient;
use mapae_domain::verification::{NewVerification, Standing};
use mapae_domain::{
    Contact, Locale, PasswordHash, Purpose, Receipt, Registration, RegistrationId, Timestamp,
    Verification, VerificationId,
};
use zeroize::Zeroizing;

use super::parse::ParsedRegister;
use super::{Completion, RegistrationView};
use crate::Application;
use crate::consent::ConsentInput;
use crate::error::{FieldError, Unavailable, rests_on_the_world, until_settled};
use crate::idempotency::{IdempotencyKey, IdempotencyOutcome};
use crate::outbox::MessageContent;
use crate::ports::UnitOfWork;

/// Signs up.
pub struct Register {
    /// A public name to log in with.
    pub username: Option<String>,
    /// An e-mail address.
    pub email: Option<String>,
    /// A phone number.
    pub phone: Option<String>,
    /// A password; who gives none logs in by code.
    pub password: Option<Zeroizing<String>>,
    /// What the person wants to be called.
    pub nickname: Option<String>,
    /// The person's name.
    pub name: Option<String>,
    /// The language of messages; by `preferred_locale` where absent.
    pub locale: Option<String>,
    /// The language that the caller's client prefers.
    pub preferred_locale: Locale,
    /// What was agreed to, or refused.
    pub consents: Vec<ConsentInput>,
    /// Receipts for contacts that were proved before.
    pub receipts: Vec<String>,
    /// From where.
    pub client: SessionClient,
    /// To recognise a repeat.
    pub idempotency: Option<IdempotencyKey>,
}

/// Why nobody was signed up.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// Fields hold what they cannot.
    #[error("fields are not valid")]
    Invalid(Vec<FieldError>),
    /// A user has the username, or a registration that still lives.
    #[error("the username is taken")]
    UsernameTaken,
    /// An account holds a contact that was proved, or that may be told about.
    #[error("the contact is held by an account")]
    ContactTaken,
    /// A receipt is not good, or not any more, or for another purpose.
    #[error("a receipt was refused")]
    ReceiptRefused,
    /// A contact has had its messages for now.
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

rests_on_the_world!(RegisterError);

impl Application {
    /// Signs somebody up: stores what they asked for, and sends what proves their contacts.
    ///
    /// The answer is the same whether an account holds a contact or not. Where one does, its owner
    /// is told by a message, and the verification is a decoy; who has *proved* the contact, by a
    /// receipt, is told so.
    ///
    /// # Errors
    /// [`RegisterError`]; nothing is stored then, and no receipt is used up.
    pub async fn register(&self, command: Register) -> Result<RegistrationView, RegisterError> {
        let parsed = self.parse_register(command)?;
        if let Some(repeat) = self.find_repeat(&parsed).await? {
            return Ok(repeat);
        }
        let password_hash = match parsed.password.clone() {
            Some(password) => Some(self.ports.passwords.hash(password).await?),
            None => None,
        };
        until_settled!(self.try_register(&parsed, password_hash.as_ref()).await)
    }

    /// Answers a repeat before a password is hashed for nothing.
    async fn find_repeat(
        &self,
        parsed: &ParsedRegister,
    ) -> Result<Option<RegistrationView>, RegisterError> {
        let Some(key) = &parsed.idempotency else { return Ok(None) };
        let now = self.now();
        let mut view = self.ports.store.read().await?;
        let claim = key.claim(uuid::Uuid::nil(), now);
        match view.find_idempotency_key(&claim, now).await? {
            IdempotencyOutcome::Fresh => Ok(None),
            IdempotencyOutcome::Mismatch => Err(RegisterError::IdempotencyKeyReused),
            IdempotencyOutcome::Repeat(first) => {
                match view.registration(RegistrationId::from_uuid(first)).await? {
                    Some(first) => Ok(Some(self.registration_view(&mut *view, &first, now).await?)),
                    None => Ok(None),
                }
            }
        }
    }

    async fn try_register(
        &self,
        parsed: &ParsedRegister,
        password_hash: Option<&PasswordHash>,
    ) -> Result<RegistrationView, RegisterError> {
        let now = self.now();
        let id = RegistrationId::draw(now, &mut self.random());
        let mut work = self.ports.store.begin().await?;
        if let Some(key) = &parsed.idempotency {
            match work.claim_idempotency_key(&key.claim(id.as_uuid(), now), now).await? {
                IdempotencyOutcome::Fresh => {}
                IdempotencyOutcome::Mismatch => return Err(RegisterError::IdempotencyKeyReused),
                IdempotencyOutcome::Repeat(first) => {
                    // A twin of this request came first, while the password was hashed.
                    let first = work.registration(RegistrationId::from_uuid(first)).await?;
                    if let Some(first) = first {
                        return Ok(self.registration_view(&mut *work, &first, now).await?);
                    }
                }
            }
        }
        for receipt in &parsed.receipts {
            self.redeem_for_registration(&mut *work, receipt, now).await?;
        }
        let registration = Registration::begin(
            NewRegistration {
                id,
                username: parsed.username.clone(),
                email: parsed.email.clone(),
                phone: parsed.phone.clone(),
                nickname: parsed.nickname.clone(),
                name: parsed.name.clone(),
                locale: parsed.locale,
                password_hash: password_hash.cloned(),
                consents: parsed.consents_at(&self.settings.consents, now),
            },
            &self.settings.registration,
            now,
        );
        if let Some(username) = &parsed.username {
            let until = registration.record().expires_at;
            if !work.reserve_username(username, id, until, now).await? {
                return Err(RegisterError::UsernameTaken);
            }
        }
        work.insert_registration(&registration).await?;
        for contact in parsed.unproved() {
            self.verify_for_registration(&mut *work, &registration, contact, now).await?;
        }
        let registration = match self.complete_registration(&mut *work, &registration, now).await? {
            Completion::Waiting => registration,
            Completion::ContactTaken => return Err(RegisterError::ContactTaken),
            Completion::Done(_) => work.registration(id).await?.unwrap_or(registration),
        };
        let view = self.registration_view(&mut *work, &registration, now).await?;
        self.commit(work).await?;
        Ok(view)
    }

    /// Uses up a receipt for a contact that nobody holds yet.
    async fn redeem_for_registration(
        &self,
        work: &mut dyn UnitOfWork,
        receipt: &Receipt,
        now: Timestamp,
    ) -> Result<(), RegisterError> {
        let verification = work.lock_verification(receipt.verification).await?;
        let (redeemed, redeemed_receipt) = verification
            .and_then(|verification| verification.redeem(&self.settings.verification, now).ok())
            .ok_or(RegisterError::ReceiptRefused)?;
        if redeemed_receipt.contact != receipt.contact {
            return Err(RegisterError::ReceiptRefused);
        }
        if work.user_by_contact(&receipt.contact).await?.is_some() {
            return Err(RegisterError::ContactTaken);
        }
        work.update_verification(&redeemed).await?;
        Ok(())
    }

    /// Begins the verification of a contact, or what looks like it where an account holds it.
    async fn verify_for_registration(
        &self,
        work: &mut dyn UnitOfWork,
        registration: &Registration,
        contact: Contact,
        now: Timestamp,
    ) -> Result<(), RegisterError> {
        if let Err(exhausted) = self.count_contact_send(work, &contact, now).await? {
            return Err(RegisterError::ContactSendsExhausted { retry_at: exhausted.retry_at });
        }
        let taken = work.user_by_contact(&contact).await?.is_some();
        if taken && self.settings.registration.reveal_taken {
            return Err(RegisterError::ContactTaken);
        }
        let id = VerificationId::draw(now, &mut self.random());
        let drawn = self.draw_challenge(id, &contact, &Purpose::Registration);
        let verification = Verification::begin(
            NewVerification {
                id,
                contact,
                purpose: Purpose::Registration,
                registration: Some(registration.id()),
                user: None,
                locale: registration.record().locale,
                standing: if taken { Standing::Decoy } else { Standing::Genuine },
                challenge: drawn.hashes,
                lifetime: None,
            },
            &self.settings.verification,
            now,
        );
        let content = if taken {
            MessageContent::AlreadyRegistered
        } else {
            self.verification_content(&verification, &drawn, now)
        };
        work.insert_verification(&verification).await?;
        self.queue_message(work, &verification, content, now).await?;
        Ok(())
    }
}

/// A contact with when it was proved.
pub(super) fn claimed<T>(contact: T, proved_at: Option<Timestamp>) -> Claimed<T> {
    Claimed { contact, proved_at }
}
