//! Claims of the domain, as they are written.

use mapae_application::ports::TokenError;
use mapae_domain::{
    AccessClaims, AuthMethod, Channel, Contact, Purpose, Receipt, Role, SessionId, Timestamp,
    TokenId, UserId, VerificationId,
};
use mapae_token_claims::AccessTokenClaims;
use serde::{Deserialize, Serialize};

pub(crate) fn written(issuer: &str, audience: &str, claims: &AccessClaims) -> AccessTokenClaims {
    AccessTokenClaims {
        iss: issuer.to_owned(),
        aud: audience.to_owned(),
        sub: claims.user.to_string(),
        sid: claims.session.to_string(),
        jti: claims.id.to_string(),
        iat: claims.issued_at.as_seconds(),
        exp: claims.expires_at.as_seconds(),
        auth_time: claims.authenticated_at.as_seconds(),
        amr: claims.methods.iter().map(|method| method.as_str().to_owned()).collect(),
        roles: claims.roles.iter().map(|role| role.as_str().to_owned()).collect(),
        email_verified: claims.email_verified,
        phone_number_verified: claims.phone_verified,
    }
}

pub(crate) fn read(claims: &AccessTokenClaims) -> Result<AccessClaims, TokenError> {
    let method = |name: &String| AuthMethod::from_name(name).ok_or(TokenError::Invalid);
    let role = |name: &String| Role::parse(name).map_err(|_| TokenError::Invalid);
    Ok(AccessClaims {
        user: claims.sub.parse::<UserId>().map_err(|_| TokenError::Invalid)?,
        session: claims.sid.parse::<SessionId>().map_err(|_| TokenError::Invalid)?,
        id: claims.jti.parse::<TokenId>().map_err(|_| TokenError::Invalid)?,
        issued_at: Timestamp::from_seconds(claims.iat),
        expires_at: Timestamp::from_seconds(claims.exp),
        authenticated_at: Timestamp::from_seconds(claims.auth_time),
        methods: claims.amr.iter().map(method).collect::<Result<_, _>>()?,
        roles: claims.roles.iter().map(role).collect::<Result<_, _>>()?,
        email_verified: claims.email_verified,
        phone_verified: claims.phone_number_verified,
    })
}

/// Claims of a receipt.
#[derive(Serialize, Deserialize)]
pub(crate) struct ReceiptJson {
    pub(crate) iss: String,
    pub(crate) aud: String,
    jti: String,
    channel: String,
    contact: String,
    purpose: String,
    verified_at: i64,
    exp: i64,
}

impl ReceiptJson {
    pub(crate) fn new(issuer: &str, audience: &str, receipt: &Receipt) -> Self {
        Self {
            iss: issuer.to_owned(),
            aud: audience.to_owned(),
            jti: receipt.verification.to_string(),
            channel: receipt.contact.channel().as_str().to_owned(),
            contact: receipt.contact.as_str().to_owned(),
            purpose: receipt.purpose.as_str().to_owned(),
            verified_at: receipt.verified_at.as_seconds(),
            exp: receipt.expires_at.as_seconds(),
        }
    }

    pub(crate) fn into_receipt(self) -> Result<Receipt, TokenError> {
        let channel = Channel::from_name(&self.channel).ok_or(TokenError::Invalid)?;
        Ok(Receipt {
            verification: self.jti.parse::<VerificationId>().map_err(|_| TokenError::Invalid)?,
            contact: Contact::from_stored(channel, &self.contact),
            purpose: Purpose::parse(&self.purpose).map_err(|_| TokenError::Invalid)?,
            verified_at: Timestamp::from_seconds(self.verified_at),
            expires_at: Timestamp::from_seconds(self.exp),
        })
    }
}
