//! The rules of Mapae, and nothing else.
//!
//! Users, contacts, registrations, verifications, sessions, tokens, consents and the messages that
//! they cause. Everything here is synchronous and pure: the time is an argument of type
//! [`Timestamp`], random bytes come from a source that the caller hands over, and no type knows how
//! it is stored, sent or written as JSON.
//!
//! Two rules hold throughout:
//!
//! * A value that can be wrong is parsed once, into a type that cannot: [`EmailAddress`],
//!   [`PhoneNumber`], [`Username`], [`Password`]. What refuses it is an [`InvalidValue`], whose
//!   code is stable and whose text never repeats the value.
//! * A state changes by consuming the entity and returning the next one, so a transition that was
//!   refused cannot be stored by accident.

pub mod audit;
pub mod consent;
pub mod contact;
pub mod id;
pub mod invalid;
pub mod locale;
pub mod outbox;
pub mod registration;
pub mod secret;
pub mod session;
pub mod signing_key;
pub mod time;
pub mod token;
pub mod user;
pub mod verification;

pub use audit::{AuditEntry, AuditKind};
pub use consent::{Consent, ConsentDocument, ConsentPolicy};
pub use contact::{Channel, Contact, Deliverability, EmailAddress, PhoneNumber, Region};
pub use id::{
    AuditId, ContactId, MessageId, RegistrationId, SessionId, TokenId, UserId, VerificationId,
};
pub use invalid::InvalidValue;
pub use locale::Locale;
pub use outbox::{Delivery, DeliveryReason, DeliveryStatus, OutboxMessage, RetryPolicy};
pub use registration::{Registration, RegistrationPolicy};
pub use secret::{Code, LinkKey, RandomSource, SecretHash};
pub use session::{RefreshDecision, Session, SessionPolicy};
pub use time::Timestamp;
pub use token::{AccessClaims, AuthMethod};
pub use user::{Nickname, Password, PasswordHash, PersonName, Role, User, UserContact, Username};
pub use verification::{Purpose, Receipt, Verification, VerificationPolicy};
