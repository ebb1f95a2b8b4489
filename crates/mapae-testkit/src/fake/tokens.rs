use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mapae_application::ports::{
    AccessTokens, SimpleJwtClaims, SimpleJwtTokens, SimpleJwtUse, TokenError, TokenSigningError,
};
use mapae_domain::{AccessClaims, AuthMethod, Channel, Contact, Purpose, Receipt, Role, Timestamp};
use ring::hmac;
use serde_json::{Value, json};

/// [`AccessTokens`] and [`SimpleJwtTokens`] by HMAC: signed JSON in two segments. Its key is a secret, so that nobody else
/// can check its tokens and its JWK Set is empty.
pub struct FakeTokens(hmac::Key);

impl FakeTokens {
    /// The tokens of an installation with that secret.
    pub fn new(secret: [u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, &secret))
    }

    fn sign(&self, claims: &Value) -> String {
        let body = URL_SAFE_NO_PAD.encode(claims.to_string());
        let tag = hmac::sign(&self.0, body.as_bytes());
        format!("{body}.{}", URL_SAFE_NO_PAD.encode(tag))
    }

    /// The claims of a genuine token of that kind that has not expired.
    fn open(&self, token: &str, kind: &str, now: Timestamp) -> Result<Value, TokenError> {
        let claims = self.genuine(token).ok_or(TokenError::Invalid)?;
        if claims["typ"] != kind {
            return Err(TokenError::Invalid);
        }
        let expires_at = instant(&claims["exp"]).ok_or(TokenError::Invalid)?;
        if expires_at.is_expired(now) { Err(TokenError::Expired) } else { Ok(claims) }
    }

    fn genuine(&self, token: &str) -> Option<Value> {
        let (body, tag) = token.split_once('.')?;
        let tag = URL_SAFE_NO_PAD.decode(tag).ok()?;
        hmac::verify(&self.0, body.as_bytes(), &tag).ok()?;
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(body).ok()?).ok()
    }
}

impl Default for FakeTokens {
    fn default() -> Self {
        Self::new([0x70; 32])
    }
}

const ACCESS: &str = "access";
const RECEIPT: &str = "receipt";

fn instant(seconds: &Value) -> Option<Timestamp> {
    seconds.as_i64().map(Timestamp::from_seconds)
}

fn parsed<T: std::str::FromStr>(text: &Value) -> Option<T> {
    text.as_str()?.parse().ok()
}

/// Reads a list of names, none of which may be unknown.
fn each<T>(names: &Value, read: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    names.as_array()?.iter().map(|name| read(name.as_str()?)).collect()
}

fn read_access(claims: &Value) -> Option<AccessClaims> {
    Some(AccessClaims {
        user: parsed(&claims["sub"])?,
        session: parsed(&claims["sid"])?,
        id: parsed(&claims["jti"])?,
        issued_at: instant(&claims["iat"])?,
        expires_at: instant(&claims["exp"])?,
        authenticated_at: instant(&claims["auth_time"])?,
        methods: each(&claims["amr"], AuthMethod::from_name)?,
        roles: each(&claims["roles"], |name| Role::parse(name).ok())?,
        email_verified: claims["email_verified"].as_bool()?,
        phone_verified: claims["phone_number_verified"].as_bool()?,
    })
}

fn read_receipt(claims: &Value) -> Option<Receipt> {
    let channel = Channel::from_name(claims["channel"].as_str()?)?;
    Some(Receipt {
        verification: parsed(&claims["jti"])?,
        contact: Contact::from_stored(channel, claims["sub"].as_str()?),
        purpose: Purpose::parse(claims["purpose"].as_str()?).ok()?,
        verified_at: instant(&claims["verified_at"])?,
        expires_at: instant(&claims["exp"])?,
    })
}

impl AccessTokens for FakeTokens {
    fn issue(&self, claims: &AccessClaims) -> Result<String, TokenSigningError> {
        Ok(self.sign(&json!({
            "typ": ACCESS,
            "sub": claims.user.to_string(),
            "sid": claims.session.to_string(),
            "jti": claims.id.to_string(),
            "iat": claims.issued_at.as_seconds(),
            "exp": claims.expires_at.as_seconds(),
            "auth_time": claims.authenticated_at.as_seconds(),
            "amr": claims.methods.iter().map(|method| method.as_str()).collect::<Vec<_>>(),
            "roles": claims.roles.iter().map(Role::as_str).collect::<Vec<_>>(),
            "email_verified": claims.email_verified,
            "phone_number_verified": claims.phone_verified,
        })))
    }

    fn verify(&self, token: &str, now: Timestamp) -> Result<AccessClaims, TokenError> {
        read_access(&self.open(token, ACCESS, now)?).ok_or(TokenError::Invalid)
    }

    fn issue_receipt(&self, receipt: &Receipt) -> Result<String, TokenSigningError> {
        Ok(self.sign(&json!({
            "typ": RECEIPT,
            "jti": receipt.verification.to_string(),
            "channel": receipt.contact.channel().as_str(),
            "sub": receipt.contact.as_str(),
            "purpose": receipt.purpose.as_str(),
            "verified_at": receipt.verified_at.as_seconds(),
            "exp": receipt.expires_at.as_seconds(),
        })))
    }

    fn verify_receipt(&self, token: &str, now: Timestamp) -> Result<Receipt, TokenError> {
        read_receipt(&self.open(token, RECEIPT, now)?).ok_or(TokenError::Invalid)
    }

    fn jwks(&self) -> String {
        json!({ "keys": [] }).to_string()
    }
}

const SIMPLE_ACCESS: &str = "simple-access";
const SIMPLE_REFRESH: &str = "simple-refresh";

fn read_simple(claims: &Value) -> Option<SimpleJwtClaims> {
    let text = |name: &str| claims[name].as_str().map(str::to_owned);
    Some(SimpleJwtClaims {
        user: parsed(&claims["sub"])?,
        session: parsed(&claims["sid"])?,
        id: parsed(&claims["jti"])?,
        issued_at: instant(&claims["iat"])?,
        expires_at: instant(&claims["exp"])?,
        usage: match (claims["typ"].as_str()?, instant(&claims["opened_at"])) {
            (SIMPLE_ACCESS, None) => SimpleJwtUse::Access,
            (SIMPLE_ACCESS, Some(opened_at)) => {
                SimpleJwtUse::Renewable { username: text("username"), opened_at }
            }
            _ => SimpleJwtUse::Refresh { token: text("token")? },
        },
    })
}

impl SimpleJwtTokens for FakeTokens {
    fn issue(&self, claims: &SimpleJwtClaims) -> Result<String, TokenSigningError> {
        let (typ, username, opened_at, token) = match &claims.usage {
            SimpleJwtUse::Access => (SIMPLE_ACCESS, None, None, None),
            SimpleJwtUse::Renewable { username, opened_at } => {
                (SIMPLE_ACCESS, username.clone(), Some(opened_at.as_seconds()), None)
            }
            SimpleJwtUse::Refresh { token } => (SIMPLE_REFRESH, None, None, Some(token.clone())),
        };
        Ok(self.sign(&json!({
            "typ": typ,
            "sub": claims.user.to_string(),
            "sid": claims.session.to_string(),
            "jti": claims.id.to_string(),
            "iat": claims.issued_at.as_seconds(),
            "exp": claims.expires_at.as_seconds(),
            "opened_at": opened_at,
            "username": username,
            "token": token,
        })))
    }

    fn verify(&self, token: &str, now: Timestamp) -> Result<SimpleJwtClaims, TokenError> {
        let access = self.open(token, SIMPLE_ACCESS, now);
        let claims = match access {
            Err(TokenError::Invalid) => self.open(token, SIMPLE_REFRESH, now)?,
            opened => opened?,
        };
        read_simple(&claims).ok_or(TokenError::Invalid)
    }
}
