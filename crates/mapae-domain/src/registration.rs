//! Registrations: sign-ups that are not users yet.
//!
//! A registration holds what was asked for and waits for the proofs that the policy wants. Until it
//! has them it holds no contact, so nobody can squat on an address that is not theirs; then it
//! becomes a [`User`] with the contacts that were proved, and with no others.

use std::time::Duration;

use crate::consent::Consent;
use crate::contact::{Channel, Contact, EmailAddress, PhoneNumber};
use crate::id::{ContactId, RegistrationId, UserId};
use crate::locale::Locale;
use crate::secret::RandomSource;
use crate::time::Timestamp;
use crate::token::AuthMethod;
use crate::user::{
    Nickname, PasswordHash, PersonName, User, UserContact, UserRecord, UserStatus, Username,
};

/// What a registration must prove, and how long it may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistrationPolicy {
    /// An e-mail address has to be proved.
    pub require_email: bool,
    /// A phone number has to be proved.
    pub require_phone: bool,
    /// How long a registration lives.
    pub lifetime: Duration,
    /// Whether the answer to a sign-up may say that a contact has an account.
    pub reveal_taken: bool,
}

impl Default for RegistrationPolicy {
    fn default() -> Self {
        Self {
            require_email: true,
            require_phone: false,
            lifetime: Duration::from_secs(24 * 60 * 60),
            reveal_taken: false,
        }
    }
}

impl RegistrationPolicy {
    /// Whether a contact of that channel has to be proved.
    pub const fn requires(&self, channel: Channel) -> bool {
        match channel {
            Channel::Email => self.require_email,
            Channel::Sms => self.require_phone,
        }
    }
}

/// A contact that somebody signs up with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed<T> {
    /// The contact.
    pub contact: T,
    /// When it was proved, if it was.
    pub proved_at: Option<Timestamp>,
}

/// How far a registration has come, as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegistrationState {
    /// Waits for proofs.
    Pending,
    /// Became a user.
    Completed {
        /// Which.
        user: UserId,
        /// When.
        at: Timestamp,
    },
}

/// A registration as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistrationRecord {
    /// The id.
    pub id: RegistrationId,
    /// The public name asked for, reserved as long as the registration lives.
    pub username: Option<Username>,
    /// The e-mail address.
    pub email: Option<Claimed<EmailAddress>>,
    /// The phone number.
    pub phone: Option<Claimed<PhoneNumber>>,
    /// What the user wants to be called.
    pub nickname: Option<Nickname>,
    /// The person's name.
    pub name: Option<PersonName>,
    /// The language of messages.
    pub locale: Locale,
    /// The hash of the chosen password.
    pub password_hash: Option<PasswordHash>,
    /// What was agreed to, or refused.
    pub consents: Vec<Consent>,
    /// How far it has come.
    pub state: RegistrationState,
    /// When its first tokens were taken, which is once.
    pub tokens_issued_at: Option<Timestamp>,
    /// When it was begun.
    pub created_at: Timestamp,
    /// Until when it may be completed, and asked about.
    pub expires_at: Timestamp,
    /// Counts the changes, for stores to compare and swap.
    pub version: u32,
}

/// What somebody signs up with.
#[derive(Debug, Clone)]
pub struct NewRegistration {
    /// The id.
    pub id: RegistrationId,
    /// The public name.
    pub username: Option<Username>,
    /// The e-mail address.
    pub email: Option<Claimed<EmailAddress>>,
    /// The phone number.
    pub phone: Option<Claimed<PhoneNumber>>,
    /// What the user wants to be called.
    pub nickname: Option<Nickname>,
    /// The person's name.
    pub name: Option<PersonName>,
    /// The language of messages.
    pub locale: Locale,
    /// The hash of the chosen password.
    pub password_hash: Option<PasswordHash>,
    /// What was agreed to, or refused.
    pub consents: Vec<Consent>,
}

/// Why a registration did not go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RegistrationRefused {
    /// Time is up.
    #[error("the registration has expired")]
    Expired,
    /// It is not completed yet.
    #[error("the registration waits for a proof")]
    Pending,
    /// Its first tokens were taken before.
    #[error("the tokens of the registration were taken before")]
    TokensTaken,
}

/// A sign-up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration(RegistrationRecord);

impl Registration {
    /// Begins a registration.
    pub fn begin(new: NewRegistration, policy: &RegistrationPolicy, now: Timestamp) -> Self {
        Self(RegistrationRecord {
            id: new.id,
            username: new.username,
            email: new.email,
            phone: new.phone,
            nickname: new.nickname,
            name: new.name,
            locale: new.locale,
            password_hash: new.password_hash,
            consents: new.consents,
            state: RegistrationState::Pending,
            tokens_issued_at: None,
            created_at: now,
            expires_at: now.plus(policy.lifetime),
            version: 0,
        })
    }

    /// The registration that was stored.
    pub const fn from_record(record: RegistrationRecord) -> Self {
        Self(record)
    }

    /// What to store.
    pub const fn record(&self) -> &RegistrationRecord {
        &self.0
    }

    /// The id.
    pub const fn id(&self) -> RegistrationId {
        self.0.id
    }

    /// The user that it became.
    pub const fn user(&self) -> Option<UserId> {
        match self.0.state {
            RegistrationState::Completed { user, .. } => Some(user),
            RegistrationState::Pending => None,
        }
    }

    /// Whether it can neither go on nor be asked about any more.
    pub const fn is_expired(&self, now: Timestamp) -> bool {
        self.0.expires_at.is_expired(now)
    }

    /// Notes that `contact` was proved at `now`. A contact that it does not hold changes nothing.
    #[must_use]
    pub fn prove(self, contact: &Contact, now: Timestamp) -> Self {
        let mut record = self.0;
        match (contact, &mut record.email, &mut record.phone) {
            (Contact::Email(proved), Some(email), _) if email.contact == *proved => {
                email.proved_at.get_or_insert(now);
            }
            (Contact::Phone(proved), _, Some(phone)) if phone.contact == *proved => {
                phone.proved_at.get_or_insert(now);
            }
            _ => {}
        }
        record.version += 1;
        Self(record)
    }

    /// The contacts that were proved, with when.
    pub fn proved(&self) -> Vec<(Contact, Timestamp)> {
        let email = self
            .0
            .email
            .as_ref()
            .and_then(|email| Some((Contact::Email(email.contact.clone()), email.proved_at?)));
        let phone = self
            .0
            .phone
            .as_ref()
            .and_then(|phone| Some((Contact::Phone(phone.contact.clone()), phone.proved_at?)));
        email.into_iter().chain(phone).collect()
    }

    /// Whether it has every proof that the policy asks for, and a name to log in with.
    pub fn is_proved(&self, policy: &RegistrationPolicy) -> bool {
        let proved = self.proved();
        let has = |channel| proved.iter().any(|(contact, _)| contact.channel() == channel);
        let enough =
            Channel::ALL.into_iter().all(|channel| !policy.requires(channel) || has(channel));
        enough && (self.0.username.is_some() || !proved.is_empty())
    }

    /// Becomes a user, with the contacts that were proved.
    ///
    /// `None` while the policy is not met, or where it is one already, or has expired.
    pub fn complete(
        self,
        policy: &RegistrationPolicy,
        now: Timestamp,
        random: &mut RandomSource<'_>,
    ) -> Option<(Self, User)> {
        if self.user().is_some() || self.is_expired(now) || !self.is_proved(policy) {
            return None;
        }
        let contacts = self
            .proved()
            .into_iter()
            .map(|(contact, verified_at)| UserContact {
                id: ContactId::draw(now, random),
                contact,
                verified_at,
            })
            .collect();
        let mut record = self.0;
        let user = User::from_record(UserRecord {
            id: UserId::draw(now, random),
            username: record.username.clone(),
            nickname: record.nickname.clone(),
            name: record.name.clone(),
            locale: record.locale,
            roles: Vec::new(),
            status: UserStatus::Active,
            password_hash: record.password_hash.clone(),
            auth_generation: 0,
            contacts,
            primary: None,
            erase_at: None,
            created_at: now,
            updated_at: now,
            version: 0,
        });
        // The user has it now; two copies of a hash are two to lose.
        record.password_hash = None;
        record.state = RegistrationState::Completed { user: user.id(), at: now };
        record.version += 1;
        Some((Self(record), user))
    }

    /// Takes the first tokens, which whoever signed up gets once without logging in.
    ///
    /// # Errors
    /// [`RegistrationRefused`] where it is not completed, has expired, or they were taken.
    pub fn take_tokens(self, now: Timestamp) -> Result<(Self, UserId), RegistrationRefused> {
        if self.is_expired(now) {
            return Err(RegistrationRefused::Expired);
        }
        let user = self.user().ok_or(RegistrationRefused::Pending)?;
        if self.0.tokens_issued_at.is_some() {
            return Err(RegistrationRefused::TokensTaken);
        }
        let mut record = self.0;
        record.tokens_issued_at = Some(now);
        record.version += 1;
        Ok((Self(record), user))
    }

    /// How whoever signed up has shown who they are.
    pub fn methods(&self) -> Vec<AuthMethod> {
        let proved = self.proved();
        let proofs = proved.iter().map(|(contact, _)| match contact.channel() {
            Channel::Email => AuthMethod::OneTimeCode,
            Channel::Sms => AuthMethod::Sms,
        });
        let mut methods: Vec<_> = proofs.collect();
        if methods.is_empty() {
            methods.push(AuthMethod::Password);
        }
        methods
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contact::Region;

    const START: Timestamp = Timestamp::from_seconds(1_700_000_000);

    fn email() -> EmailAddress {
        EmailAddress::parse("minji@example.com").expect("an address")
    }

    fn phone() -> PhoneNumber {
        PhoneNumber::parse("010-1234-5678", Region::KR).expect("a number")
    }

    fn begin(policy: &RegistrationPolicy, username: Option<&str>) -> Registration {
        let mut random = |bytes: &mut [u8]| bytes.fill(7);
        let new = NewRegistration {
            id: RegistrationId::draw(START, &mut random),
            username: username.map(|name| Username::parse(name).expect("a username")),
            email: Some(Claimed { contact: email(), proved_at: None }),
            phone: Some(Claimed { contact: phone(), proved_at: None }),
            nickname: None,
            name: None,
            locale: Locale::Ko,
            password_hash: Some(PasswordHash::from_stored("hash")),
            consents: Vec::new(),
        };
        Registration::begin(new, policy, START)
    }

    fn complete(
        registration: Registration,
        policy: &RegistrationPolicy,
        now: Timestamp,
    ) -> Option<(Registration, User)> {
        registration.complete(policy, now, &mut |bytes: &mut [u8]| bytes.fill(9))
    }

    #[test]
    fn the_policy_decides_which_proofs_make_a_user() {
        // require e-mail, require phone, username, proofs → user with so many contacts
        let table: [(bool, bool, Option<&str>, &[Contact], Option<usize>); 9] = [
            (true, false, None, &[], None),
            (true, false, None, &[phone().into()], None),
            (true, false, None, &[email().into()], Some(1)),
            (false, true, None, &[email().into()], None),
            (false, true, None, &[phone().into()], Some(1)),
            (true, true, None, &[email().into()], None),
            (true, true, None, &[email().into(), phone().into()], Some(2)),
            (false, false, None, &[], None),
            (false, false, Some("minji"), &[], Some(0)),
        ];
        for (require_email, require_phone, username, proofs, contacts) in table {
            let policy = RegistrationPolicy {
                require_email,
                require_phone,
                ..RegistrationPolicy::default()
            };
            let mut registration = begin(&policy, username);
            for proof in proofs {
                registration = registration.prove(proof, START);
            }
            let completed = complete(registration, &policy, START);
            let held = completed.map(|(_, user)| user.record().contacts.len());
            assert_eq!(held, contacts, "{require_email} {require_phone} {username:?} {proofs:?}");
        }
    }

    #[test]
    fn a_user_gets_only_the_contacts_that_were_proved() {
        let policy = RegistrationPolicy::default();
        let registration = begin(&policy, None).prove(&email().into(), START);
        let (registration, user) = complete(registration, &policy, START).expect("a user");
        assert!(user.has_verified(Channel::Email) && !user.has_verified(Channel::Sms));
        assert_eq!(registration.user(), Some(user.id()));
        assert!(registration.record().password_hash.is_none());
        assert!(complete(registration, &policy, START).is_none(), "completed twice");
    }

    #[test]
    fn proof_of_a_contact_that_it_does_not_hold_changes_nothing() {
        let policy = RegistrationPolicy::default();
        let other = EmailAddress::parse("rival@example.com").expect("an address");
        let registration = begin(&policy, None).prove(&other.into(), START);
        assert!(registration.proved().is_empty());
    }

    #[test]
    fn an_expired_registration_becomes_nobody() {
        let policy = RegistrationPolicy::default();
        let registration = begin(&policy, None).prove(&email().into(), START);
        let end = START.plus(policy.lifetime);
        assert!(complete(registration, &policy, end).is_none());
    }

    #[test]
    fn the_first_tokens_are_taken_once_and_only_from_a_completed_one() {
        let policy = RegistrationPolicy::default();
        let pending = begin(&policy, None).prove(&email().into(), START);
        assert_eq!(pending.clone().take_tokens(START).err(), Some(RegistrationRefused::Pending));
        let (completed, user) = complete(pending, &policy, START).expect("a user");
        let (taken, whose) = completed.take_tokens(START).expect("tokens");
        assert_eq!(whose, user.id());
        assert_eq!(taken.clone().take_tokens(START).err(), Some(RegistrationRefused::TokensTaken));
        let end = START.plus(policy.lifetime);
        assert_eq!(taken.take_tokens(end).err(), Some(RegistrationRefused::Expired));
    }
}
