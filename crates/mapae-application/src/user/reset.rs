use std::time::Duration;

use mapae_domain::session::{SessionClient, SessionEnd};
use mapae_domain::verification::{
    ConcernedUser, NewVerification, Proof, ProofRefused, Standing, VerificationStatus,
};
use mapae_domain::{
    AuditKind, Channel, Code, Contact, InvalidValue, Locale, Password, PasswordHash, Purpose,
    Timestamp, User, Verification, VerificationId,
};
use zeroize::Zeroizing;

use crate::Application;
use crate::error::{FieldError, Unavailable, rests_on_the_world, until_settled};
use crate::idempotency::{IdempotencyKey, IdempotencyOutcome};
use crate::outbox::{MessageContent, Notice};
use crate::ports::{StoreError, UnitOfWork};
use crate::session::log_in::LoginName;
use crate::verification::{is_apart, parse_link_key};

/// Asks for a way to choose a new password.
pub struct RequestPasswordReset {
    /// A username, an e-mail address or a phone number.
    pub login: String,
    /// The language that the caller's client prefers, for whoever has no account.
    pub preferred_locale: Locale,
    /// To recognise a repeat.
    pub idempotency: Option<IdempotencyKey>,
}

/// A password reset, for whoever asked: the same whether there is an account or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordResetView {
    /// The id.
    pub id: VerificationId,
    /// How far it has come.
    pub status: VerificationStatus,
    /// Digits of the code.
    pub code_length: u8,
    /// Until when code and link are good.
    pub expires_at: Timestamp,
    /// How many codes will still be compared.
    pub attempts_left: u8,
}

/// Why no password reset was begun.
#[derive(Debug, thiserror::Error)]
pub enum RequestResetError {
    /// The login name is none.
    #[error("fields are not valid")]
    Invalid(Vec<FieldError>),
    /// What was named has had its messages for now, whether it has an account or not.
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

/// What shows that somebody got the message.
pub enum ResetProof {
    /// The code, and of which reset.
    Code {
        /// The reset.
        id: VerificationId,
        /// The code as it was typed.
        code: Zeroizing<String>,
    },
    /// The key of the link, and of which reset where the asker knows.
    Key {
        /// The reset.
        id: Option<VerificationId>,
        /// The key.
        key: Zeroizing<String>,
    },
}

/// Chooses a new password.
pub struct CompletePasswordReset {
    /// What shows that the asker got the message.
    pub proof: ResetProof,
    /// The password from now on.
    pub new_password: Zeroizing<String>,
    /// From where.
    pub client: SessionClient,
}

/// Why no new password was chosen.
#[derive(Debug, thiserror::Error)]
pub enum CompleteResetError {
    /// There is no reset of that id or key, or it is void by now.
    #[error("no such password reset")]
    NotFound,
    /// The new password cannot be one, or the code; no attempt was counted.
    #[error("fields are not valid")]
    Invalid(Vec<FieldError>),
    /// The reset's own rules say no; a wrong code was counted.
    #[error("{0}")]
    Refused(ProofRefused),
    /// Something that Mapae rests on failed.
    #[error("not available")]
    Unavailable(#[source] Unavailable),
}

rests_on_the_world!(RequestResetError, CompleteResetError);

/// Where a reset goes.
struct Target {
    /// Whose password it is; nobody's where nothing is sent.
    user: Option<User>,
    /// What the message goes to; for nobody, what was typed, or a name's stand-in.
    contact: Contact,
}

/// What stands for a contact where a name was typed that has none: nothing is sent to it.
const NOWHERE: &str = "nowhere@invalid";

impl Application {
    /// Begins a password reset and sends a code, and by e-mail a link.
    ///
    /// The answer, and how long the reset lives, follow from what was typed and from nothing else:
    /// nobody learns whether there is an account. The message goes to the account's e-mail address
    /// wherever there is one: a phone number alone, which may have another owner by now, recovers
    /// only an account that has nothing else.
    ///
    /// # Errors
    /// [`RequestResetError`].
    pub async fn request_password_reset(
        &self,
        command: RequestPasswordReset,
    ) -> Result<PasswordResetView, RequestResetError> {
        let Some(name) = self.parse_login(&command.login) else {
            let error = FieldError::new("login", InvalidValue::Malformed);
            return Err(RequestResetError::Invalid(vec![error]));
        };
        until_settled!(self.try_request_reset(&name, &command).await)
    }

    async fn try_request_reset(
        &self,
        name: &LoginName,
        command: &RequestPasswordReset,
    ) -> Result<PasswordResetView, RequestResetError> {
        let now = self.now();
        let id = VerificationId::draw(now, &mut self.random());
        let mut work = self.ports.store.begin().await?;
        if let Some(key) = &command.idempotency {
            match work.claim_idempotency_key(&key.claim(id.as_uuid(), now), now).await? {
                IdempotencyOutcome::Fresh => {}
                IdempotencyOutcome::Mismatch => {
                    return Err(RequestResetError::IdempotencyKeyReused);
                }
                IdempotencyOutcome::Repeat(first) => {
                    let first = work.verification(VerificationId::from_uuid(first)).await?;
                    if let Some(first) = first {
                        return Ok(reset_view(&first, now));
                    }
                }
            }
        }
        // What was typed is counted, be there an account or not.
        if let Err(exhausted) =
            self.count_against("password_resets", &mut *work, name.as_typed(), now).await?
        {
            let retry_at = exhausted.retry_at;
            return Err(RequestResetError::ContactSendsExhausted { retry_at });
        }
        let target = self.reset_target(&mut *work, name, now).await?;
        let drawn = self.draw_challenge(id, &target.contact, &Purpose::PasswordReset);
        let user = target.user.as_ref();
        let standing = if user.is_some() { Standing::Genuine } else { Standing::Decoy };
        let verification = Verification::begin(
            NewVerification {
                id,
                contact: target.contact.clone(),
                purpose: Purpose::PasswordReset,
                registration: None,
                user: user.map(ConcernedUser::of),
                locale: user.map_or(command.preferred_locale, |user| user.record().locale),
                standing,
                challenge: drawn.hashes,
                lifetime: Some(self.reset_lifetime(name)),
            },
            &self.settings.verification,
            now,
        );
        let content = match standing {
            Standing::Genuine => self.verification_content(&verification, &drawn, now),
            Standing::Superseded | Standing::Decoy => MessageContent::Nothing,
        };
        work.insert_verification(&verification).await?;
        self.queue_message(&mut *work, &verification, content, now).await?;
        self.commit(work).await?;
        Ok(reset_view(&verification, now))
    }

    /// How long a reset lives: as what was typed tells, whatever the message goes to.
    fn reset_lifetime(&self, name: &LoginName) -> Duration {
        let channel = match name {
            LoginName::Username(_) => Channel::Email,
            LoginName::Contact(contact) => contact.channel(),
        };
        self.settings.verification.lifetime(channel, &Purpose::PasswordReset)
    }

    /// Where a reset for that name goes.
    async fn reset_target(
        &self,
        work: &mut dyn UnitOfWork,
        name: &LoginName,
        now: Timestamp,
    ) -> Result<Target, StoreError> {
        let typed = match name {
            LoginName::Username(_) => None,
            LoginName::Contact(contact) => Some(contact),
        };
        let nowhere = || Contact::from_stored(Channel::Email, NOWHERE);
        let nobody = || Target { user: None, contact: typed.cloned().unwrap_or_else(nowhere) };
        let Some(user) = name.find(&mut *work).await?.filter(User::is_active) else {
            return Ok(nobody());
        };
        let contact = match (user.contact(Channel::Email), typed) {
            (Some(email), _) => email.clone(),
            (None, Some(number)) => number.clone(),
            // Of a name nobody may learn that its account has a number and nothing else.
            (None, None) => return Ok(nobody()),
        };
        // A contact that was not typed has its own messages of the day; that it has had them would
        // tell whoever asked.
        let is_typed = typed == Some(&contact);
        if !is_typed && self.count_contact_send(work, &contact, now).await?.is_err() {
            return Ok(nobody());
        }
        Ok(Target { user: Some(user), contact })
    }

    /// How far a password reset has come.
    ///
    /// # Errors
    /// [`CompleteResetError::NotFound`] or [`CompleteResetError::Unavailable`].
    pub async fn password_reset(
        &self,
        id: VerificationId,
    ) -> Result<PasswordResetView, CompleteResetError> {
        let now = self.now();
        let found = self.ports.store.read().await?.verification(id).await?;
        let found = found.filter(is_apart).ok_or(CompleteResetError::NotFound)?;
        Ok(reset_view(&found, now))
    }

    /// Sets a new password for whoever shows the code or the link's key. Every session ends, and so
    /// does whatever was begun by the old password; nobody is logged in by it (ASVS 5.0 6.4.3).
    ///
    /// # Errors
    /// [`CompleteResetError`]; a wrong code has been counted and stored by then.
    pub async fn complete_password_reset(
        &self,
        command: CompletePasswordReset,
    ) -> Result<(), CompleteResetError> {
        let new = Password::choose(&command.new_password, self.settings.password)
            .map_err(|reason| invalid("new_password", reason))?;
        // Looked at first, so that nobody has passwords hashed by guessing.
        until_settled!(self.try_reset(&command, None).await)?;
        let hash = self.ports.passwords.hash(new).await?;
        until_settled!(self.try_reset(&command, Some(&hash)).await)
    }

    /// Takes a proof. Without a hash only a wrong one is stored; a right one changes nothing yet.
    async fn try_reset(
        &self,
        command: &CompletePasswordReset,
        hash: Option<&PasswordHash>,
    ) -> Result<(), CompleteResetError> {
        let now = self.now();
        let mut work = self.ports.store.begin().await?;
        let (verification, proof) = self.presented_reset(&mut *work, &command.proof).await?;
        let before = verification.record().version;
        let (verification, outcome) = verification.prove(proof, now);
        if let Err(refused) = outcome {
            if verification.record().version != before {
                work.update_verification(&verification).await?;
                self.commit(work).await?;
            }
            return Err(CompleteResetError::Refused(refused));
        }
        let record = verification.record();
        let user = match record.user {
            Some(concerned) => work.user(concerned.id).await?.filter(|user| {
                user.is_active()
                    && concerned == ConcernedUser::of(user)
                    && user.contact(record.contact.channel()) == Some(&record.contact)
            }),
            None => None,
        };
        // Whoever changed the password, or the contact, meanwhile has made it void.
        let user = user.ok_or(CompleteResetError::NotFound)?;
        let Some(hash) = hash else { return Ok(()) };
        work.update_verification(&verification.spend(now)).await?;
        let user = user.change_password(hash.clone(), now);
        work.update_user(&user).await?;
        let why = SessionEnd::AuthenticationChanged;
        work.end_sessions_of_user(user.id(), None, why, now).await?;
        let kind = AuditKind::PasswordReset;
        self.note(&mut *work, kind, user.id(), None, &command.client, now).await?;
        self.queue_notice(&mut *work, &user, Notice::PasswordChanged, now).await?;
        self.commit(work).await?;
        tracing::info!(user = %user.id(), "password reset");
        Ok(())
    }

    async fn presented_reset(
        &self,
        work: &mut dyn UnitOfWork,
        proof: &ResetProof,
    ) -> Result<(Verification, Proof), CompleteResetError> {
        match proof {
            ResetProof::Code { id, code } => {
                let found = work.lock_verification(*id).await?.filter(is_apart);
                let found = found.ok_or(CompleteResetError::NotFound)?;
                let code = Code::parse(code, found.record().code_length)
                    .map_err(|reason| invalid("code", reason))?;
                Ok((found, Proof::Code(self.hash_code(*id, &code))))
            }
            ResetProof::Key { id, key } => {
                let key = parse_link_key(key).ok_or(CompleteResetError::NotFound)?;
                let link = self.hash_link(&key);
                let found = work.lock_verification_by_link(&link).await?;
                let found =
                    found.filter(|found| is_apart(found) && id.is_none_or(|id| id == found.id()));
                Ok((found.ok_or(CompleteResetError::NotFound)?, Proof::Link(link)))
            }
        }
    }
}

fn invalid(field: &'static str, reason: InvalidValue) -> CompleteResetError {
    CompleteResetError::Invalid(vec![FieldError::new(field, reason)])
}

fn reset_view(verification: &Verification, now: Timestamp) -> PasswordResetView {
    let record = verification.record();
    PasswordResetView {
        id: record.id,
        status: verification.status(now),
        code_length: record.code_length,
        expires_at: record.expires_at,
        attempts_left: verification.attempts_left(),
    }
}
