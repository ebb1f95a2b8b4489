//! One identifier type an entity, so that two ids next to each other cannot be swapped.
//!
//! All are UUIDs of version 7 (RFC 9562 §5.7): they sort by time, which keeps primary keys of all
//! three databases dense. Their 74 random bits make them hard to guess, but nothing that opens an
//! account rests on an id alone.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::invalid::InvalidValue;
use crate::secret::RandomSource;
use crate::time::Timestamp;

macro_rules! typed_ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id: the milliseconds of `now`, then 74 bits of `random`.
            pub fn draw(now: Timestamp, random: &mut RandomSource<'_>) -> Self {
                let mut bytes = [0; 10];
                random(&mut bytes);
                let millis = u64::try_from(now.as_millis()).unwrap_or(0);
                Self(uuid::Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid())
            }

            /// The id that is stored as `uuid`.
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID to store.
            pub const fn as_uuid(&self) -> Uuid {
                self.0
            }

            /// The sixteen bytes of the UUID, most significant first.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0.hyphenated())
            }
        }

        impl FromStr for $name {
            type Err = InvalidValue;

            /// Reads the hyphenated form of 36 characters and no other.
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match Uuid::try_parse(text) {
                    Ok(uuid) if text.len() == 36 => Ok(Self(uuid)),
                    _ => Err(InvalidValue::Malformed),
                }
            }
        }
    )*};
}

typed_ids! {
    /// A sign-up that may become a user.
    RegistrationId;
    /// One attempt to prove that a person holds a contact.
    VerificationId;
    /// An account.
    UserId;
    /// An e-mail address or phone number of a user.
    ContactId;
    /// What a log-in opened.
    SessionId;
    /// One access token: the `jti` of RFC 7519 §4.1.7.
    TokenId;
    /// Something that happened.
    AuditId;
    /// Something that is to be sent.
    MessageId;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_the_time_they_were_drawn_at() {
        let mut random = |bytes: &mut [u8]| bytes.fill(0xff);
        let earlier = UserId::draw(Timestamp::from_seconds(1), &mut random);
        let mut random = |bytes: &mut [u8]| bytes.fill(0);
        let later = UserId::draw(Timestamp::from_seconds(2), &mut random);
        assert!(earlier < later);
        assert_eq!(earlier.as_uuid().get_version_num(), 7);
    }

    #[test]
    fn only_the_hyphenated_form_is_read() {
        let id = "0192f0c1-2345-7abc-8def-0123456789ab";
        assert_eq!(id.parse::<UserId>().map(|id| id.to_string()), Ok(id.to_owned()));
        for other in [
            "0192f0c123457abc8def0123456789ab",
            "{0192f0c1-2345-7abc-8def-0123456789ab}",
            "urn:uuid:0192f0c1-2345-7abc-8def-0123456789ab",
            "0192f0c1",
            "",
        ] {
            assert_eq!(other.parse::<UserId>(), Err(InvalidValue::Malformed), "{other}");
        }
    }
}
