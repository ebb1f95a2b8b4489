//! Tokens as djangorestframework-simplejwt makes and checks them.

use std::sync::Arc;

use mapae_application::ports::{
    SimpleJwtClaims, SimpleJwtTokens, SimpleJwtUse, TokenError, TokenSigningError,
};
use mapae_domain::{SessionId, Timestamp, TokenId, UserId};
use mapae_token_claims::Compact;
use ring::hmac;
use serde::{Deserialize, Serialize};

use crate::jws;
use crate::tokens::JwtTokens;

/// The kind of these tokens: none of Mapae's own is of it.
const KIND: &str = "JWT";
/// The algorithm of a shared key (RFC 7518 §3.2).
const SHARED: &str = "HS256";

const ACCESS: &str = "access";
const REFRESH: &str = "refresh";

/// The claims as they are written, in the words of SimpleJWT, with `sid` and `mapae_refresh_token`
/// besides.
#[derive(Serialize, Deserialize)]
struct Claims {
    token_type: String,
    exp: i64,
    iat: i64,
    /// 32 hexadecimal digits.
    jti: String,
    user_id: String,
    /// When the session was opened, in the older package's word: what it renews a token by.
    #[serde(skip_serializing_if = "Option::is_none")]
    orig_iat: Option<i64>,
    sid: String,
    iss: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mapae_refresh_token: Option<String>,
}

/// Signs and checks tokens of SimpleJWT's form: by a key that is shared with services of Django, or
/// by the installation's own keys, which such services find in its JWK Set.
pub struct JwtSimpleTokens {
    tokens: Arc<JwtTokens>,
    shared: Option<hmac::Key>,
}

impl JwtSimpleTokens {
    /// Signs by `shared`, where there is one, and else by the keys of `tokens`.
    pub fn new(tokens: Arc<JwtTokens>, shared: Option<&[u8]>) -> Self {
        let shared = shared.map(|key| hmac::Key::new(hmac::HMAC_SHA256, key));
        Self { tokens, shared }
    }

    /// For whom a token is. A refresh token is for Mapae, and names no audience of services'. Nor
    /// does an access token of a shared key name one, as SimpleJWT's do not: the older package
    /// refuses what does.
    fn audience(&self, usage: &SimpleJwtUse) -> Option<String> {
        let settings = self.tokens.settings();
        match (usage, &self.shared) {
            (SimpleJwtUse::Refresh { .. }, _) => Some(settings.issuer.clone()),
            (SimpleJwtUse::Access | SimpleJwtUse::Renewable { .. }, None) => {
                Some(settings.audience.clone())
            }
            (SimpleJwtUse::Access | SimpleJwtUse::Renewable { .. }, Some(_)) => None,
        }
    }

    fn genuine(&self, token: &str) -> Result<Claims, TokenError> {
        let Some(key) = &self.shared else {
            return self.tokens.genuine(KIND, token);
        };
        let token = Compact::read(token).map_err(|_| TokenError::Invalid)?;
        if token.typ() != KIND || token.alg() != SHARED {
            return Err(TokenError::Invalid);
        }
        hmac::verify(key, token.signed(), token.signature()).map_err(|_| TokenError::Invalid)?;
        token.claims().map_err(|_| TokenError::Invalid)
    }
}

impl SimpleJwtTokens for JwtSimpleTokens {
    fn issue(&self, claims: &SimpleJwtClaims) -> Result<String, TokenSigningError> {
        let (username, opened_at, refresh_token) = match &claims.usage {
            SimpleJwtUse::Access => (None, None, None),
            SimpleJwtUse::Renewable { username, opened_at } => {
                (username.clone(), Some(opened_at.as_seconds()), None)
            }
            SimpleJwtUse::Refresh { token } => (None, None, Some(token.clone())),
        };
        let token_type = if refresh_token.is_some() { REFRESH } else { ACCESS };
        let written = Claims {
            token_type: token_type.to_owned(),
            exp: claims.expires_at.as_seconds(),
            iat: claims.issued_at.as_seconds(),
            jti: claims.id.as_uuid().simple().to_string(),
            user_id: claims.user.to_string(),
            orig_iat: opened_at,
            sid: claims.session.to_string(),
            iss: self.tokens.settings().issuer.clone(),
            aud: self.audience(&claims.usage),
            username,
            mapae_refresh_token: refresh_token,
        };
        match &self.shared {
            None => self.tokens.sign(KIND, &written, claims.issued_at),
            Some(key) => {
                let header = format!("{{\"alg\":\"{SHARED}\",\"typ\":\"{KIND}\"}}");
                let sign = |message: &[u8]| Ok(hmac::sign(key, message).as_ref().to_vec());
                jws::compact(&header, &written, sign)
            }
        }
    }

    fn verify(&self, token: &str, now: Timestamp) -> Result<SimpleJwtClaims, TokenError> {
        let written = self.genuine(token)?;
        let opened_at = written.orig_iat.map(Timestamp::from_seconds);
        let usage = match (written.token_type.as_str(), written.mapae_refresh_token, opened_at) {
            (ACCESS, None, None) => SimpleJwtUse::Access,
            (ACCESS, None, Some(opened_at)) => {
                SimpleJwtUse::Renewable { username: written.username, opened_at }
            }
            (REFRESH, Some(token), None) => SimpleJwtUse::Refresh { token },
            _ => return Err(TokenError::Invalid),
        };
        if written.iss != self.tokens.settings().issuer || written.aud != self.audience(&usage) {
            return Err(TokenError::Invalid);
        }
        let id = uuid::Uuid::try_parse(&written.jti).map_err(|_| TokenError::Invalid)?;
        let claims = SimpleJwtClaims {
            user: written.user_id.parse::<UserId>().map_err(|_| TokenError::Invalid)?,
            session: written.sid.parse::<SessionId>().map_err(|_| TokenError::Invalid)?,
            id: TokenId::from_uuid(id),
            issued_at: Timestamp::from_seconds(written.iat),
            expires_at: Timestamp::from_seconds(written.exp),
            usage,
        };
        if claims.expires_at.is_expired(now) { Err(TokenError::Expired) } else { Ok(claims) }
    }
}
