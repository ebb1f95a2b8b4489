//! What an access token says.

use crate::id::{SessionId, TokenId, UserId};
use crate::time::Timestamp;
use crate::user::Role;

/// How a person proved who they are: the Authentication Method Reference values of RFC 8176 §2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AuthMethod {
    /// A password.
    Password,
    /// A one-time code or link by e-mail.
    OneTimeCode,
    /// A one-time code by SMS.
    Sms,
}

impl AuthMethod {
    /// Every method.
    pub const ALL: [Self; 3] = [Self::Password, Self::OneTimeCode, Self::Sms];

    /// The registered value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Password => "pwd",
            Self::OneTimeCode => "otp",
            Self::Sms => "sms",
        }
    }

    /// The method of that value.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str() == name)
    }
}

/// The claims of an access token (RFC 9068 §2.2), less the issuer and the audience, which belong to
/// the whole installation and which whoever signs and checks tokens adds and compares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessClaims {
    /// `sub`: whose token it is.
    pub user: UserId,
    /// `sid`: the session that it was issued for.
    pub session: SessionId,
    /// `jti`: this one token.
    pub id: TokenId,
    /// `iat`, in whole seconds.
    pub issued_at: Timestamp,
    /// `exp`, in whole seconds.
    pub expires_at: Timestamp,
    /// `auth_time`: when the person last showed who they are.
    pub authenticated_at: Timestamp,
    /// `amr`: how they did.
    pub methods: Vec<AuthMethod>,
    /// `roles`.
    pub roles: Vec<Role>,
    /// `email_verified`: the user holds an e-mail address that was proved.
    pub email_verified: bool,
    /// `phone_number_verified`: the user holds a phone number that was proved.
    pub phone_verified: bool,
}
