//! Contacts: the e-mail addresses and phone numbers by which a person can be reached.
//!
//! Each has one canonical form, made here and compared byte for byte everywhere else, so that one
//! mailbox or telephone is one contact on every database.

mod deliverability;
mod email;
mod phone;

use std::fmt;

pub use deliverability::Deliverability;
pub use email::EmailAddress;
pub use phone::{PhoneNumber, Region};

/// A way to reach a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// E-mail.
    Email,
    /// Short message to a mobile phone.
    Sms,
}

impl Channel {
    /// Every channel.
    pub const ALL: [Self; 2] = [Self::Email, Self::Sms];

    /// The channel's name in the HTTP contract and in stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Sms => "sms",
        }
    }

    /// The channel of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.as_str() == name)
    }
}

/// An e-mail address or a phone number.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Contact {
    /// Reached by e-mail.
    Email(EmailAddress),
    /// Reached by SMS.
    Phone(PhoneNumber),
}

impl Contact {
    /// How this contact is reached.
    pub const fn channel(&self) -> Channel {
        match self {
            Self::Email(_) => Channel::Email,
            Self::Phone(_) => Channel::Sms,
        }
    }

    /// The canonical form, which is unique among users.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Email(email) => email.as_str(),
            Self::Phone(phone) => phone.as_str(),
        }
    }

    /// Enough of the contact for its owner to know which one is meant, and for nobody else to learn
    /// it: `m•••@example.com`, `+82 ••• 5678`.
    pub fn masked(&self) -> String {
        match self {
            Self::Email(email) => email.masked(),
            Self::Phone(phone) => phone.masked(),
        }
    }

    /// The contact whose canonical form was stored.
    ///
    /// Trusts the store: a form that was canonical once stays good when the metadata of numbers
    /// changes.
    pub fn from_stored(channel: Channel, canonical: &str) -> Self {
        match channel {
            Channel::Email => Self::Email(EmailAddress::from_stored(canonical)),
            Channel::Sms => Self::Phone(PhoneNumber::from_stored(canonical)),
        }
    }
}

impl fmt::Debug for Contact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Contact({}, …)", self.channel().as_str())
    }
}

impl From<EmailAddress> for Contact {
    fn from(email: EmailAddress) -> Self {
        Self::Email(email)
    }
}

impl From<PhoneNumber> for Contact {
    fn from(phone: PhoneNumber) -> Self {
        Self::Phone(phone)
    }
}
