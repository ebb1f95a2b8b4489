//! Writing the compact form of a JSON Web Signature (RFC 7515 §3.1). Reading it is
//! [`mapae_token_claims`].

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mapae_application::ports::TokenSigningError;
use serde::Serialize;

use crate::key::SigningKey;

/// Signs claims as a token of kind `typ`.
pub(crate) fn sign<C: Serialize>(
    key: &SigningKey,
    typ: &str,
    claims: &C,
) -> Result<String, TokenSigningError> {
    let (alg, kid) = (key.algorithm().as_str(), key.kid());
    // None of the three needs escaping: an algorithm's name, base64url, a kind of ours.
    let header = format!("{{\"alg\":\"{alg}\",\"kid\":\"{kid}\",\"typ\":\"{typ}\"}}");
    compact(&header, claims, |message| key.sign(message))
}

/// Puts a token together: header, claims, and what `sign` makes of both.
pub(crate) fn compact<C: Serialize>(
    header: &str,
    claims: &C,
    sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, TokenSigningError>,
) -> Result<String, TokenSigningError> {
    let claims = serde_json::to_vec(claims).map_err(|_| TokenSigningError)?;
    let mut token = String::with_capacity(1_024);
    URL_SAFE_NO_PAD.encode_string(header, &mut token);
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(claims, &mut token);
    let signature = sign(token.as_bytes())?;
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    Ok(token)
}
