use mapae_domain::verification::{ConcernedUser, NewVerification, Standing};
use mapae_domain::{
    Channel, Contact, EmailAddress, InvalidValue, Locale, PhoneNumber, Purpose, Timestamp, User,
    Verification, VerificationId,
};

use super::VerificationView;
use crate::Application;
use crate::error::{FieldError, FieldErrors, Unavailable, rests_on_the_world, until_settled};
use crate::idempotency::{IdempotencyKey, IdempotencyOutcome};
use crate::outbox::MessageContent;

/// Asks to prove a contact on its own: not as part of a registration.
pub struct BeginVerification {
    /// `email` or `sms`.
    pub channel: String,
    /// The contact as it was typed.
    pub to: String,
    /// What for; to register where absent.
    pub purpose: Option<String>,
    /// The language of the message; by `preferred_locale` where absent.
    pub locale: Option<String>,
    /// The language that the caller's client prefers.
    pub preferred_locale: Locale,
    /// To recognise a repeat.
    pub idempotency: Option<IdempotencyKey>,
}

/// Why no verification was begun.
#[derive(Debug, thiserror::Error)]
pub enum BeginVerificationError {
    /// Fields hold what they cannot.
    #[error("fields are not valid")]
    Invalid(Vec<FieldError>),
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

rests_on_the_world!(BeginVerificationError);

struct Parsed {
    contact: Contact,
    purpose: Purpose,
    locale: Locale,
    idempotency: Option<IdempotencyKey>,
}

impl Application {
    /// Begins a verification and queues its message.
    ///
    /// To log in, a contact that no active account holds gets a decoy, which looks the same from
    /// outside and of which nothing is sent.
    ///
    /// # Errors
    /// [`BeginVerificationError`].
    pub async fn begin_verification(
        &self,
        command: BeginVerification,
    ) -> Result<VerificationView, BeginVerificationError> {
        let parsed = self.parse_begin(command).map_err(BeginVerificationError::Invalid)?;
        until_settled!(self.try_begin(&parsed).await)
    }

    fn parse_begin(&self, command: BeginVerification) -> Result<Parsed, Vec<FieldError>> {
        let mut errors = FieldErrors::default();
        let channel = Channel::from_name(&command.channel);
        if channel.is_none() {
            errors.add("channel", InvalidValue::UnknownValue);
        }
        let contact = channel.and_then(|channel| {
            errors.parse("to", Some(&command.to), |typed| self.parse_contact(channel, typed))
        });
        let purpose = match command.purpose.as_deref().map(Purpose::parse) {
            None => Some(Purpose::Registration),
            // These begin at operations of their own, which know whose they are.
            Some(Ok(Purpose::PasswordReset | Purpose::ContactChange)) => {
                errors.add("purpose", InvalidValue::UnknownValue);
                None
            }
            Some(Ok(purpose)) => Some(purpose),
            Some(Err(reason)) => {
                errors.add("purpose", reason);
                None
            }
        };
        let locale = errors.parse("locale", command.locale.as_deref(), Locale::parse);
        errors.into_result()?;
        match (contact, purpose) {
            (Some(contact), Some(purpose)) => Ok(Parsed {
                contact,
                purpose,
                locale: locale.unwrap_or(command.preferred_locale),
                idempotency: command.idempotency,
            }),
            // Each absence was noted above.
            _ => Err(Vec::new()),
        }
    }

    async fn try_begin(&self, parsed: &Parsed) -> Result<VerificationView, BeginVerificationError> {
        let now = self.now();
        let id = VerificationId::draw(now, &mut self.random());
        let mut work = self.ports.store.begin().await?;
        if let Some(key) = &parsed.idempotency {
            match work.claim_idempotency_key(&key.claim(id.as_uuid(), now), now).await? {
                IdempotencyOutcome::Fresh => {}
                IdempotencyOutcome::Mismatch => {
                    return Err(BeginVerificationError::IdempotencyKeyReused);
                }
                IdempotencyOutcome::Repeat(first) => {
                    let first = work.verification(VerificationId::from_uuid(first)).await?;
                    if let Some(first) = first {
                        return Ok(VerificationView::read(&mut *work, &first, now).await?);
                    }
                }
            }
        }
        if let Err(exhausted) = self.count_contact_send(&mut *work, &parsed.contact, now).await? {
            let retry_at = exhausted.retry_at;
            return Err(BeginVerificationError::ContactSendsExhausted { retry_at });
        }
        let holder = work.user_by_contact(&parsed.contact).await?.filter(User::is_active);
        let standing = match parsed.purpose {
            Purpose::Login if holder.is_none() => Standing::Decoy,
            _ => Standing::Genuine,
        };
        let drawn = self.draw_challenge(id, &parsed.contact, &parsed.purpose);
        let verification = Verification::begin(
            NewVerification {
                id,
                contact: parsed.contact.clone(),
                purpose: parsed.purpose.clone(),
                registration: None,
                user: match parsed.purpose {
                    Purpose::Login => holder.as_ref().map(ConcernedUser::of),
                    _ => None,
                },
                locale: parsed.locale,
                standing,
                challenge: drawn.hashes,
                lifetime: None,
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
        let view = VerificationView::read(&mut *work, &verification, now).await?;
        self.commit(work).await?;
        Ok(view)
    }

    /// Reads a contact as it was typed, and sees that messages can go there.
    pub(crate) fn parse_contact(
        &self,
        channel: Channel,
        typed: &str,
    ) -> Result<Contact, InvalidValue> {
        match channel {
            Channel::Email => EmailAddress::parse(typed).map(Contact::Email),
            Channel::Sms => self.parse_phone(typed).map(Contact::Phone),
        }
    }

    /// Reads a contact as it was typed, whether messages go there or not.
    ///
    /// # Errors
    /// [`InvalidValue`] says why it is none.
    pub fn read_contact(&self, channel: Channel, typed: &str) -> Result<Contact, InvalidValue> {
        match channel {
            Channel::Email => EmailAddress::parse(typed).map(Contact::Email),
            Channel::Sms => {
                PhoneNumber::parse(typed, self.settings.default_region).map(Contact::Phone)
            }
        }
    }

    pub(crate) fn parse_phone(&self, typed: &str) -> Result<PhoneNumber, InvalidValue> {
        let phone = PhoneNumber::parse(typed, self.settings.default_region)?;
        let served = phone.region().is_some_and(|of| self.settings.sms_regions.contains(&of));
        if served { Ok(phone) } else { Err(InvalidValue::CountryNotAllowed) }
    }
}
