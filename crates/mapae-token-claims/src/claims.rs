use serde::{Deserialize, Serialize};

/// The claims of an access token (RFC 9068 §2.2) as they are written.
///
/// Every claim is required and of one type: a claim of another type is refused, not taken as
/// absent, and so is one that stands twice. What a later release adds is ignored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessTokenClaims {
    /// Who issued the token.
    pub iss: String,
    /// For whom it was issued.
    pub aud: String,
    /// The user: an id that is never given to another.
    pub sub: String,
    /// The session that it was issued for.
    pub sid: String,
    /// This one token.
    pub jti: String,
    /// When it was issued, in seconds since the epoch.
    pub iat: i64,
    /// When it expires, in seconds since the epoch.
    pub exp: i64,
    /// When the person last showed who they are, in seconds since the epoch.
    pub auth_time: i64,
    /// How they did: values of RFC 8176 §2.
    pub amr: Vec<String>,
    /// What the user may do.
    pub roles: Vec<String>,
    /// The user holds an e-mail address that was proved.
    pub email_verified: bool,
    /// The user holds a phone number that was proved.
    pub phone_number_verified: bool,
}
