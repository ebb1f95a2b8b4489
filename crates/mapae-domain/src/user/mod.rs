//! Users: the accounts that registrations become.

mod contact_change;
mod name;
mod password;

use std::time::Duration;

use crate::contact::{Channel, Contact};
use crate::id::{ContactId, UserId};
use crate::invalid::InvalidValue;
use crate::locale::Locale;
use crate::session::Session;
use crate::time::Timestamp;
use crate::token::AuthMethod;

pub use contact_change::ContactUndo;
pub use name::{Nickname, PersonName, Username};
pub use password::{Password, PasswordHash, PasswordPolicy};

/// What a user may do, beyond being a user: a name that services compare.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Role(String);

impl Role {
    /// A role: 1–32 ASCII lower-case letters, digits, `_`, `-`, `:`.
    ///
    /// # Errors
    /// [`InvalidValue::Malformed`] for anything else.
    pub fn parse(name: &str) -> Result<Self, InvalidValue> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-:".contains(&b);
        if (1..=32).contains(&name.len()) && name.bytes().all(allowed) {
            Ok(Self(name.to_owned()))
        } else {
            Err(InvalidValue::Malformed)
        }
    }

    /// The role's name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a user may log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserStatus {
    /// May log in.
    Active,
    /// Was shut out by an operator.
    Disabled,
    /// Has left; what is kept of them is destroyed when its time has come.
    Withdrawn,
}

impl UserStatus {
    /// The name in the HTTP contract and in stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// The status of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Active, Self::Disabled, Self::Withdrawn]
            .into_iter()
            .find(|status| status.as_str() == name)
    }
}

/// A contact that a user holds: proved, and nobody else's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserContact {
    /// The contact's own id.
    pub id: ContactId,
    /// The address or number.
    pub contact: Contact,
    /// When the user proved to hold it.
    pub verified_at: Timestamp,
}

/// A user as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRecord {
    /// The user's id: `sub` in tokens, never given to another.
    pub id: UserId,
    /// The public name to log in with.
    pub username: Option<Username>,
    /// What the user wants to be called.
    pub nickname: Option<Nickname>,
    /// The person's name.
    pub name: Option<PersonName>,
    /// The language of messages to the user.
    pub locale: Locale,
    /// What the user may do.
    pub roles: Vec<Role>,
    /// Whether the user may log in.
    pub status: UserStatus,
    /// The password's hash; a user without one logs in by code.
    pub password_hash: Option<PasswordHash>,
    /// Raised whenever sessions opened before must end: password change, disablement, withdrawal.
    pub auth_generation: u32,
    /// At most one contact a channel, each proved.
    pub contacts: Vec<UserContact>,
    /// The channel whose contact gets the messages to the user, where the user has chosen one.
    pub primary: Option<Channel>,
    /// When everything that is kept of a user who has left is destroyed.
    pub erase_at: Option<Timestamp>,
    /// When the registration was completed.
    pub created_at: Timestamp,
    /// When something here last changed.
    pub updated_at: Timestamp,
    /// Counts the changes, for stores to compare and swap.
    pub version: u32,
}

/// A change of a user's profile: `None` leaves a field, `Some(None)` clears it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProfileChange {
    /// The new nickname.
    pub nickname: Option<Option<Nickname>>,
    /// The new name.
    pub name: Option<Option<PersonName>>,
    /// The new language.
    pub locale: Option<Locale>,
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User(UserRecord);

impl User {
    /// The user that was stored.
    pub const fn from_record(record: UserRecord) -> Self {
        Self(record)
    }

    /// What to store.
    pub const fn record(&self) -> &UserRecord {
        &self.0
    }

    /// The user's id.
    pub const fn id(&self) -> UserId {
        self.0.id
    }

    /// Whether the user may log in.
    pub fn is_active(&self) -> bool {
        self.0.status == UserStatus::Active
    }

    /// The user's contact of that channel.
    pub fn contact(&self, channel: Channel) -> Option<&Contact> {
        let mut contacts = self.0.contacts.iter().map(|held| &held.contact);
        contacts.find(|contact| contact.channel() == channel)
    }

    /// Whether the user proved to hold a contact of that channel.
    pub fn has_verified(&self, channel: Channel) -> bool {
        self.0.contacts.iter().any(|held| held.contact.channel() == channel)
    }

    /// The contact that gets the messages to the user: of the channel that the user has chosen, else
    /// the e-mail address, else the number.
    pub fn primary_contact(&self) -> Option<&UserContact> {
        let chosen = |held: &&UserContact| Some(held.contact.channel()) == self.0.primary;
        self.0.contacts.iter().find(chosen).or_else(|| self.0.contacts.first())
    }

    /// Chooses the contact that gets the messages to the user.
    ///
    /// # Errors
    /// [`UnknownContact`] where the user holds none of that id.
    pub fn choose_primary(self, id: ContactId, now: Timestamp) -> Result<Self, UnknownContact> {
        let mut record = self.0;
        let held = record.contacts.iter().find(|held| held.id == id).ok_or(UnknownContact)?;
        record.primary = Some(held.contact.channel());
        record.updated_at = now;
        record.version += 1;
        Ok(Self(record))
    }

    /// Takes another public name, or none, and changes the profile.
    ///
    /// # Errors
    /// [`LastWayIn`] where none is left to log in with.
    pub fn rename(
        self,
        username: Option<Username>,
        change: ProfileChange,
        now: Timestamp,
    ) -> Result<Self, LastWayIn> {
        if username.is_none() && self.0.contacts.is_empty() {
            return Err(LastWayIn);
        }
        let mut record = self.change_profile(change, now).0;
        record.username = username;
        Ok(Self(record))
    }

    /// Changes the profile.
    #[must_use]
    pub fn change_profile(self, change: ProfileChange, now: Timestamp) -> Self {
        let mut record = self.0;
        if let Some(nickname) = change.nickname {
            record.nickname = nickname;
        }
        if let Some(name) = change.name {
            record.name = name;
        }
        if let Some(locale) = change.locale {
            record.locale = locale;
        }
        record.updated_at = now;
        record.version += 1;
        Self(record)
    }

    /// Adds a contact that the user proved to hold.
    ///
    /// # Errors
    /// [`HoldsAnother`] where the user holds one of that channel already.
    pub fn add_contact(self, added: UserContact, now: Timestamp) -> Result<Self, HoldsAnother> {
        if self.has_verified(added.contact.channel()) {
            return Err(HoldsAnother);
        }
        let mut record = self.0;
        record.contacts.push(added);
        record.updated_at = now;
        record.version += 1;
        Ok(Self(record))
    }

    /// Takes another password. Whoever logged in by the old one is logged out by that.
    #[must_use]
    pub fn change_password(self, hash: PasswordHash, now: Timestamp) -> Self {
        let mut record = self.0;
        record.password_hash = Some(hash);
        record.auth_generation += 1;
        record.updated_at = now;
        record.version += 1;
        Self(record)
    }

    /// Leaves. Nobody logs in any more; what is kept is destroyed after `grace`, unless an operator
    /// lets the user in again before.
    #[must_use]
    pub fn withdraw(self, grace: Duration, now: Timestamp) -> Self {
        let mut record = self.with_status(UserStatus::Withdrawn, now).0;
        record.erase_at = Some(now.plus(grace));
        Self(record)
    }

    /// Keeps the user from logging in, or lets them again. Whoever is logged in is logged out by
    /// either. Who has left and is let in again stays; to be shut out as well keeps nothing.
    #[must_use]
    pub fn with_status(self, status: UserStatus, now: Timestamp) -> Self {
        let mut record = self.0;
        record.status = status;
        if status == UserStatus::Active {
            record.erase_at = None;
        }
        record.auth_generation += 1;
        record.updated_at = now;
        record.version += 1;
        Self(record)
    }

    /// Holds `new` from now on, in place of what it held of that channel, which is given back.
    pub fn replace_contact(self, new: UserContact, now: Timestamp) -> (Self, Option<UserContact>) {
        let channel = new.contact.channel();
        let mut record = self.0;
        let at = record.contacts.iter().position(|held| held.contact.channel() == channel);
        let old = at.map(|at| record.contacts.remove(at));
        record.contacts.push(new);
        // E-mail first, as everywhere.
        record.contacts.sort_by_key(|held| held.contact.channel() != Channel::Email);
        record.updated_at = now;
        record.version += 1;
        (Self(record), old)
    }

    /// Whether a session may add or replace the contact of a channel.
    ///
    /// An e-mail address that joins a number recovers the account in its place from then on, so that
    /// takes whoever holds the number: a log-in by its code. A password alone does not do.
    pub fn may_change_contact(&self, channel: Channel, session: &Session) -> bool {
        let takes_recovery = channel == Channel::Email
            && self.contact(Channel::Email).is_none()
            && self.contact(Channel::Sms).is_some();
        !takes_recovery || session.record().methods.contains(&AuthMethod::Sms)
    }

    /// Holds a contact no more.
    ///
    /// # Errors
    /// [`ContactStays`] where there is none of that id, or where it is the last way in.
    pub fn remove_contact(
        self,
        id: ContactId,
        now: Timestamp,
    ) -> Result<(Self, UserContact), ContactStays> {
        let mut record = self.0;
        let at = record.contacts.iter().position(|held| held.id == id);
        let at = at.ok_or(ContactStays::Unknown)?;
        let by_name = record.username.is_some() && record.password_hash.is_some();
        if record.contacts.len() == 1 && !by_name {
            return Err(ContactStays::LastWayIn);
        }
        let removed = record.contacts.remove(at);
        record.updated_at = now;
        record.version += 1;
        Ok((Self(record), removed))
    }

    /// Has a contact back that was taken. Whoever took it is out: no session and no password of that
    /// time opens anything, and the owner chooses a new one by the contact.
    #[must_use]
    pub fn take_back(self, contact: UserContact, now: Timestamp) -> Self {
        let (user, _) = self.replace_contact(contact, now);
        let mut record = user.0;
        record.password_hash = None;
        record.auth_generation += 1;
        Self(record)
    }

    /// Replaces the password's hash by one of the same password under today's parameters.
    #[must_use]
    pub fn rehash_password(self, hash: PasswordHash, now: Timestamp) -> Self {
        let mut record = self.0;
        record.password_hash = Some(hash);
        record.updated_at = now;
        record.version += 1;
        Self(record)
    }
}

/// Why a contact stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ContactStays {
    /// The user holds none of that id.
    #[error("the user holds no such contact")]
    Unknown,
    /// Nobody could log in any more.
    #[error("it is the last way to log in")]
    LastWayIn,
}

/// The user holds no contact of that id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the user holds no such contact")]
pub struct UnknownContact;

/// Nobody could log in any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is the last way to log in")]
pub struct LastWayIn;

/// The user holds a contact of that channel already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the user holds a contact of that channel already")]
pub struct HoldsAnother;
