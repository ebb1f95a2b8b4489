//! Values and entities for tests, each in one call.
//!
//! Ids, hashes and unique contacts come from one sequence a process, so no two are alike and no run
//! differs from another in anything but the order of its threads.

use std::time::Duration;

use mapae_application::ports::SecretRng as _;
use mapae_domain::consent::DecidedBy;
use mapae_domain::registration::{Claimed, NewRegistration};
use mapae_domain::session::{NewSession, SessionClient};
use mapae_domain::user::{UserRecord, UserStatus};
use mapae_domain::verification::{Challenge, NewVerification, Standing, carries_link};
use mapae_domain::{
    AuthMethod, Channel, Consent, ConsentDocument, Contact, ContactId, EmailAddress, Locale,
    MessageId, OutboxMessage, Password, PasswordHash, PhoneNumber, Purpose, Region, Registration,
    RegistrationId, RegistrationPolicy, SecretHash, Session, SessionId, SessionPolicy, Timestamp,
    TokenId, User, UserContact, UserId, Username, Verification, VerificationId, VerificationPolicy,
};

use crate::fake::SequenceRng;

/// When tests begin: an instant whose every microsecond counts.
pub const START: Timestamp = Timestamp::from_micros(1_800_000_000_123_457);

static SEQUENCE: SequenceRng = SequenceRng::new(0x006d_6170_6165);

/// Fills `bytes` from the process's one sequence: a `RandomSource` for the domain.
pub fn random(bytes: &mut [u8]) {
    SEQUENCE.fill(bytes);
}

/// A number that nobody has drawn before.
fn unique_number() -> u64 {
    static NUMBERS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
    NUMBERS.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}

/// The instant `seconds` seconds after 1970.
pub fn timestamp(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

/// The instant `seconds` seconds after [`START`].
pub fn after(seconds: u64) -> Timestamp {
    START.plus(Duration::from_secs(seconds))
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident -> $id:ident;)*) => {$(
        $(#[$doc])*
        pub fn $name() -> $id {
            $id::draw(START, &mut random)
        }
    )*};
}

ids! {
    /// A new registration's id.
    registration_id -> RegistrationId;
    /// A new verification's id.
    verification_id -> VerificationId;
    /// A new user's id.
    user_id -> UserId;
    /// A new contact's id.
    contact_id -> ContactId;
    /// A new session's id.
    session_id -> SessionId;
    /// A new access token's id.
    token_id -> TokenId;
    /// A new message's id.
    message_id -> MessageId;
}

/// The address that somebody types as `typed`.
///
/// # Panics
/// Where it is none.
pub fn email(typed: &str) -> EmailAddress {
    EmailAddress::parse(typed).expect("an e-mail address")
}

/// The number that somebody in Korea types as `typed`.
///
/// # Panics
/// Where it is none.
pub fn phone(typed: &str) -> PhoneNumber {
    PhoneNumber::parse(typed, Region::KR).expect("a mobile number")
}

/// An address that no other call gives.
pub fn unique_email() -> EmailAddress {
    email(&format!("person-{}@example.com", unique_number()))
}

/// A number that no other call gives, up to ten million of them.
pub fn unique_phone() -> PhoneNumber {
    let number = unique_number() % 10_000_000;
    phone(&format!("010-2{:03}-{:04}", number / 10_000, number % 10_000))
}

/// A contact of that channel that no other call gives.
pub fn unique_contact(channel: Channel) -> Contact {
    match channel {
        Channel::Email => unique_email().into(),
        Channel::Sms => unique_phone().into(),
    }
}

/// A username that no other call gives.
pub fn unique_username() -> Username {
    username(&format!("person-{}", unique_number()))
}

/// The username that somebody types as `typed`.
///
/// # Panics
/// Where it is none.
pub fn username(typed: &str) -> Username {
    Username::parse(typed).expect("a username")
}

/// The password that somebody types as `typed`.
///
/// # Panics
/// Where it could be none.
pub fn password(typed: &str) -> Password {
    Password::present(typed).expect("a password")
}

/// A hash that no other call gives.
pub fn unique_hash() -> SecretHash {
    let mut bytes = [0; 32];
    random(&mut bytes);
    SecretHash::from_bytes(bytes)
}

/// A decision about version `version` of `document`, taken at `decided_at`.
///
/// # Panics
/// Where there can be no such document.
pub fn consent(document: &str, version: &str, accepted: bool, decided_at: Timestamp) -> Consent {
    let document = ConsentDocument::parse(document, version).expect("a document and its version");
    Consent {
        document,
        required: false,
        accepted,
        decided_at,
        by: DecidedBy { channel: None, address: None },
        reconfirm_at: None,
        reminded_at: None,
    }
}

/// A registration for `email`, begun at [`START`], that waits for its proof.
pub fn a_registration(email: EmailAddress) -> Registration {
    let new = NewRegistration {
        id: registration_id(),
        username: None,
        email: Some(Claimed { contact: email, proved_at: None }),
        phone: None,
        nickname: None,
        name: None,
        locale: Locale::En,
        password_hash: None,
        consents: Vec::new(),
    };
    Registration::begin(new, &RegistrationPolicy::default(), START)
}

/// A user who has proved to hold `contacts`, and has no password.
pub fn a_user(contacts: impl IntoIterator<Item = Contact>) -> User {
    User::from_record(UserRecord {
        id: user_id(),
        username: None,
        nickname: None,
        name: None,
        locale: Locale::En,
        roles: Vec::new(),
        status: UserStatus::Active,
        password_hash: None,
        auth_generation: 0,
        contacts: contacts.into_iter().map(a_user_contact).collect(),
        primary: None,
        erase_at: None,
        created_at: START,
        updated_at: START,
        version: 0,
    })
}

/// The same user with that password hash.
pub fn with_password_hash(user: &User, hash: PasswordHash) -> User {
    User::from_record(UserRecord { password_hash: Some(hash), ..user.record().clone() })
}

/// `contact` as one that a user holds.
pub fn a_user_contact(contact: Contact) -> UserContact {
    UserContact { id: contact_id(), contact, verified_at: START }
}

/// A genuine, pending verification of `contact` to register, begun at [`START`].
pub fn a_verification(contact: Contact, registration: Option<RegistrationId>) -> Verification {
    let purpose = Purpose::Registration;
    let challenge = a_challenge(carries_link(contact.channel(), &purpose));
    let new = NewVerification {
        id: verification_id(),
        contact,
        purpose,
        registration,
        user: None,
        locale: Locale::En,
        standing: Standing::Genuine,
        challenge,
        lifetime: None,
    };
    Verification::begin(new, &VerificationPolicy::default(), START)
}

/// A challenge of random hashes.
pub fn a_challenge(with_link: bool) -> Challenge {
    Challenge { code: unique_hash(), link: with_link.then(unique_hash) }
}

/// A session of `user`, opened at [`START`] with a password.
pub fn a_session(user: UserId) -> Session {
    let mut seed = [0; 32];
    random(&mut seed);
    let new = NewSession {
        id: session_id(),
        user,
        auth_generation: 0,
        seed: mapae_domain::session::SessionSeed::from_bytes(seed),
        methods: vec![AuthMethod::Password],
        client: SessionClient::default(),
    };
    Session::open(new, &SessionPolicy::default(), START)
}

/// A mail of `verification` that was caused, and is due, at `now`, and expires half an hour later.
pub fn a_message(verification: Option<VerificationId>, now: Timestamp) -> OutboxMessage {
    let deadline = now.plus(Duration::from_secs(30 * 60));
    let sealed = b"sealed content".to_vec();
    OutboxMessage::queue(message_id(), Channel::Email, verification, sealed, deadline, now)
}
