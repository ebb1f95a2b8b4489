use crate::invalid::InvalidValue;

/// What a verification is for. A code or receipt of one purpose is worth nothing for another
/// (ASVS 5.0 6.6.2).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// To sign up.
    Registration,
    /// To log in.
    Login,
    /// To choose a new password without the old one.
    PasswordReset,
    /// To add or change a contact of an account.
    ContactChange,
    /// Something that a caller named and that Mapae gives no meaning to.
    Custom(CustomPurpose),
}

/// The name of a caller's own purpose.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CustomPurpose(String);

impl Purpose {
    /// Greatest length of a name, in bytes.
    const MAX_LENGTH: usize = 64;

    /// The name in the HTTP contract, in receipts and in stores.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Registration => "registration",
            Self::Login => "login",
            Self::PasswordReset => "password_reset",
            Self::ContactChange => "contact_change",
            Self::Custom(name) => &name.0,
        }
    }

    /// The purpose of that name: one of Mapae's own, or a caller's, which begins with a lower-case
    /// letter and goes on with lower-case letters, digits, `_`, `-`, `.` or `:`.
    ///
    /// # Errors
    /// [`InvalidValue::TooLong`] over 64 bytes, or `Malformed`.
    pub fn parse(name: &str) -> Result<Self, InvalidValue> {
        if name.len() > Self::MAX_LENGTH {
            return Err(InvalidValue::TooLong { max: Self::MAX_LENGTH });
        }
        match name {
            "registration" => Ok(Self::Registration),
            "login" => Ok(Self::Login),
            "password_reset" => Ok(Self::PasswordReset),
            "contact_change" => Ok(Self::ContactChange),
            own => {
                let allowed =
                    |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-.:".contains(&b);
                let begins_with_letter = own.starts_with(|c: char| c.is_ascii_lowercase());
                if begins_with_letter && own.bytes().all(allowed) {
                    Ok(Self::Custom(CustomPurpose(own.to_owned())))
                } else {
                    Err(InvalidValue::Malformed)
                }
            }
        }
    }
}
