//! The compact form of a JSON Web Signature (RFC 7515 §3.1), and no other.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mapae_application::ports::{TokenError, TokenSigningError};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer, Serialize};

use crate::key::SigningKey;

/// The greatest length of a token: several times what Mapae signs.
const MAX_LENGTH: usize = 8 * 1024;

/// What a header must say. All else in it is ignored: `jku`, `jwk`, `x5u` and `x5c` name keys, and
/// a token's keys are never taken from the token (RFC 8725 §3.10).
#[derive(Deserialize)]
struct Header {
    alg: String,
    typ: String,
    kid: String,
    /// Extensions that must be understood (RFC 7515 §4.1.11): there is none that is.
    #[serde(default, deserialize_with = "present")]
    crit: bool,
}

/// Whether a member is there, whatever it holds.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| true)
}

/// Signs claims as a token of kind `typ`.
pub(crate) fn sign<C: Serialize>(
    key: &SigningKey,
    typ: &str,
    claims: &C,
) -> Result<String, TokenSigningError> {
    let (alg, kid) = (key.algorithm().as_str(), key.kid());
    // None of the three needs escaping: an algorithm's name, base64url, a kind of ours.
    let header = format!("{{\"alg\":\"{alg}\",\"kid\":\"{kid}\",\"typ\":\"{typ}\"}}");
    let claims = serde_json::to_vec(claims).map_err(|_| TokenSigningError)?;
    let mut token = String::with_capacity(1_024);
    URL_SAFE_NO_PAD.encode_string(header, &mut token);
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(claims, &mut token);
    let signature = key.sign(token.as_bytes())?;
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    Ok(token)
}

/// Checks a token of kind `typ` by the key that it names among `keys`, and reads its claims.
pub(crate) fn verify<C: DeserializeOwned>(
    keys: &[SigningKey],
    typ: &str,
    token: &str,
) -> Result<C, TokenError> {
    if token.len() > MAX_LENGTH {
        return Err(TokenError::Invalid);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Invalid)?;
    let (header, claims) = signed.split_once('.').ok_or(TokenError::Invalid)?;
    let header: Header = read(header)?;
    if header.crit || header.typ != typ {
        return Err(TokenError::Invalid);
    }
    let key = keys.iter().find(|key| key.kid() == header.kid).ok_or(TokenError::Invalid)?;
    if header.alg != key.algorithm().as_str() {
        return Err(TokenError::Invalid);
    }
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| TokenError::Invalid)?;
    if !key.verifies(signed.as_bytes(), &signature) {
        return Err(TokenError::Invalid);
    }
    // Read only once it is known to be ours.
    read(claims)
}

/// Reads a part. The alphabet has no `.`, so a token of more than three parts ends here.
fn read<T: DeserializeOwned>(part: &str) -> Result<T, TokenError> {
    let json = URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Invalid)?;
    serde_json::from_slice(&json).map_err(|_| TokenError::Invalid)
}
