use std::net::IpAddr;

use mapae_domain::consent::{ConsentChannel, DecidedBy, Decisions};
use mapae_domain::registration::Claimed;
use mapae_domain::{
    Channel, Consent, ConsentDocument, ConsentPolicy, Contact, EmailAddress, InvalidValue, Locale,
    Nickname, Password, PersonName, PhoneNumber, Purpose, Receipt, Timestamp, Username,
};

use super::register::{Register, RegisterError, claimed};
use crate::Application;
use crate::consent::parse_decisions;
use crate::error::FieldErrors;
use crate::idempotency::IdempotencyKey;

/// A sign-up whose every field is what it must be.
pub(super) struct ParsedRegister {
    pub(super) username: Option<Username>,
    pub(super) email: Option<Claimed<EmailAddress>>,
    pub(super) phone: Option<Claimed<PhoneNumber>>,
    pub(super) password: Option<Password>,
    pub(super) nickname: Option<Nickname>,
    pub(super) name: Option<PersonName>,
    pub(super) locale: Locale,
    pub(super) receipts: Vec<Receipt>,
    pub(super) idempotency: Option<IdempotencyKey>,
    consents: Vec<(ConsentDocument, bool)>,
    address: Option<IpAddr>,
}

impl ParsedRegister {
    /// The contacts that a message has to go to.
    pub(super) fn unproved(&self) -> Vec<Contact> {
        let email = self.email.iter().filter(|claimed| claimed.proved_at.is_none());
        let phone = self.phone.iter().filter(|claimed| claimed.proved_at.is_none());
        email
            .map(|claimed| Contact::Email(claimed.contact.clone()))
            .chain(phone.map(|claimed| Contact::Phone(claimed.contact.clone())))
            .collect()
    }

    /// The decisions, taken now.
    pub(super) fn consents_at(&self, policy: &ConsentPolicy, now: Timestamp) -> Vec<Consent> {
        let by = DecidedBy { channel: Some(ConsentChannel::SignUp), address: self.address };
        let decide = |(document, accepted): &(ConsentDocument, bool)| {
            policy.decide(document.clone(), *accepted, by, now)
        };
        self.consents.iter().map(decide).collect()
    }
}

impl Application {
    /// Reads every field, and tells of all that is wrong at once.
    pub(super) fn parse_register(
        &self,
        command: Register,
    ) -> Result<ParsedRegister, RegisterError> {
        let mut errors = FieldErrors::default();
        let username = errors.parse("username", command.username.as_deref(), Username::parse);
        let email = errors.parse("email", command.email.as_deref(), EmailAddress::parse);
        let phone =
            errors.parse("phone", command.phone.as_deref(), |typed| self.parse_phone(typed));
        let password = command.password.as_ref().map(|password| password.as_str());
        let password = errors
            .parse("password", password, |typed| Password::choose(typed, self.settings.password));
        let nickname = errors.parse("nickname", command.nickname.as_deref(), Nickname::parse);
        let name = errors.parse("name", command.name.as_deref(), PersonName::parse);
        let locale = errors.parse("locale", command.locale.as_deref(), Locale::parse);
        let policy = &self.settings.consents;
        let consents = parse_decisions(policy, &command.consents, Decisions::First, &mut errors);
        let receipts = self.parse_receipts(&command.receipts, &mut errors)?;

        let mut email = email.map(|email| claimed(email, None));
        let mut phone = phone.map(|phone| claimed(phone, None));
        for receipt in &receipts {
            let proved_at = Some(receipt.verified_at);
            let agrees = match &receipt.contact {
                Contact::Email(proved) => {
                    let claim = email.get_or_insert_with(|| claimed(proved.clone(), proved_at));
                    claim.proved_at = proved_at;
                    claim.contact == *proved
                }
                Contact::Phone(proved) => {
                    let claim = phone.get_or_insert_with(|| claimed(proved.clone(), proved_at));
                    claim.proved_at = proved_at;
                    claim.contact == *proved
                }
            };
            if !agrees {
                errors.add("receipts", InvalidValue::Conflicting);
            }
        }
        self.require_enough(&command, &mut errors, email.is_some(), phone.is_some());
        errors.into_result().map_err(RegisterError::Invalid)?;
        Ok(ParsedRegister {
            username,
            email,
            phone,
            password,
            nickname,
            name,
            locale: locale.unwrap_or(command.preferred_locale),
            receipts,
            idempotency: command.idempotency,
            consents,
            address: command.client.address,
        })
    }

    /// Sees that there is what the policy asks for, and a way to log in.
    fn require_enough(
        &self,
        command: &Register,
        errors: &mut FieldErrors,
        has_email: bool,
        has_phone: bool,
    ) {
        let policy = &self.settings.registration;
        // A contact that was given and is wrong was noted as that already.
        let (email_given, phone_given) = (command.email.is_some(), command.phone.is_some());
        if policy.requires(Channel::Email) && !has_email && !email_given {
            errors.add("email", InvalidValue::Required);
        }
        if policy.requires(Channel::Sms) && !has_phone && !phone_given {
            errors.add("phone", InvalidValue::Required);
        }
        if !has_email && !has_phone && !email_given && !phone_given {
            if command.username.is_none() && !policy.require_email && !policy.require_phone {
                errors.add("username", InvalidValue::Required);
            }
            if command.password.is_none() {
                errors.add("password", InvalidValue::Required);
            }
        }
    }

    fn parse_receipts(
        &self,
        receipts: &[String],
        errors: &mut FieldErrors,
    ) -> Result<Vec<Receipt>, RegisterError> {
        let now = self.now();
        let mut parsed: Vec<Receipt> = Vec::new();
        for receipt in receipts.iter().take(Channel::ALL.len() + 1) {
            let receipt = self
                .ports
                .tokens
                .verify_receipt(receipt, now)
                .map_err(|_| RegisterError::ReceiptRefused)?;
            if receipt.purpose != Purpose::Registration {
                return Err(RegisterError::ReceiptRefused);
            }
            let channel = receipt.contact.channel();
            if parsed.iter().any(|other| other.contact.channel() == channel) {
                errors.add("receipts", InvalidValue::Duplicate);
            } else {
                parsed.push(receipt);
            }
        }
        Ok(parsed)
    }
}
