//! What Mapae's access tokens say, and how they are checked by public keys.
//!
//! One place for it, so that the service and whoever relies on it read a token the same way: the
//! compact form (RFC 7515 §3.1), by a key that is known by its `kid`, of that key's one algorithm,
//! of the expected kind (RFC 8725 §3). Whatever a header says about keys is not even read.
//!
//! This crate knows no time and no network: whether a token has expired, and where keys come from,
//! is its caller's to say. It knows nothing else of Mapae.

mod claims;
mod compact;
mod key;

pub use claims::AccessTokenClaims;
pub use compact::{Compact, MAX_LENGTH};
pub use key::{Algorithm, InvalidKeySet, KeySet, PublicKey};

/// The kind of an access token: `typ` in its header (RFC 9068 §2.1).
pub const ACCESS_TOKEN: &str = "at+jwt";

/// Why a token is not accepted. Never the token's own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is none: malformed, of another kind, altered, or with claims of a wrong type.
    #[error("the token is not valid")]
    Invalid,
    /// It names a key that is not known. The key may be new.
    #[error("the token's key is not known")]
    UnknownKey,
}

/// Checks that `token` is one of kind `typ`, signed by one of `keys`, and reads its claims. Who
/// issued it, for whom and until when is left to whoever reads them.
///
/// # Errors
/// [`Refused`].
pub fn verify<C: serde::de::DeserializeOwned>(
    keys: &KeySet,
    typ: &str,
    token: &str,
) -> Result<C, Refused> {
    let token = Compact::read(token)?;
    if token.typ() != typ {
        return Err(Refused::Invalid);
    }
    let kid = token.kid().ok_or(Refused::Invalid)?;
    let key = keys.key(kid).ok_or(Refused::UnknownKey)?;
    if !token.is_signed_by(key) {
        return Err(Refused::Invalid);
    }
    // Read only once it is known to be genuine.
    token.claims()
}
