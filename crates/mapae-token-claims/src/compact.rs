//! The compact form of a JSON Web Signature (RFC 7515 §3.1), and no other.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer};

use crate::{PublicKey, Refused};

/// The greatest length of a token, in bytes: several times what Mapae signs.
pub const MAX_LENGTH: usize = 8 * 1024;

/// What a header must say. All else in it is ignored: `jku`, `jwk`, `x5u` and `x5c` name keys, and
/// a token's keys are never taken from the token (RFC 8725 §3.10).
#[derive(Deserialize)]
struct Header {
    alg: String,
    typ: String,
    /// Absent only in tokens of a single shared key.
    kid: Option<String>,
    /// Extensions that must be understood (RFC 7515 §4.1.11): there is none that is.
    #[serde(default, deserialize_with = "present")]
    crit: bool,
    /// A payload that is not base64url (RFC 7797), or compressed (RFC 7516 §4.1.3): never.
    #[serde(default, deserialize_with = "present")]
    b64: bool,
    #[serde(default, deserialize_with = "present")]
    zip: bool,
}

/// Whether a member is there, whatever it holds.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| true)
}

/// A token that has the right form. Nothing in it is known to be true yet.
pub struct Compact<'t> {
    header: Header,
    /// The first two parts with the dot between them: what the signature is of.
    signed: &'t str,
    claims: &'t str,
    signature: Vec<u8>,
}

impl<'t> Compact<'t> {
    /// Takes a token apart.
    ///
    /// # Errors
    /// [`Refused::Invalid`] where it is longer than [`MAX_LENGTH`], of any other form, with padded
    /// or non-canonical base64url (RFC 4648 §3.5), with a header member twice, or with one that
    /// asks for what is not understood.
    pub fn read(token: &'t str) -> Result<Self, Refused> {
        if token.len() > MAX_LENGTH {
            return Err(Refused::Invalid);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(Refused::Invalid)?;
        let (header, claims) = signed.split_once('.').ok_or(Refused::Invalid)?;
        let header: Header = part(header)?;
        if header.crit || header.b64 || header.zip {
            return Err(Refused::Invalid);
        }
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| Refused::Invalid)?;
        Ok(Self { header, signed, claims, signature })
    }

    /// The algorithm that the token says it was signed by.
    pub fn alg(&self) -> &str {
        &self.header.alg
    }

    /// The kind of the token.
    pub fn typ(&self) -> &str {
        &self.header.typ
    }

    /// The key that the token says it was signed by.
    pub fn kid(&self) -> Option<&str> {
        self.header.kid.as_deref()
    }

    /// What the signature is of.
    pub fn signed(&self) -> &[u8] {
        self.signed.as_bytes()
    }

    /// The signature.
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// Whether `key` has signed it, and by its own algorithm.
    pub fn is_signed_by(&self, key: &PublicKey) -> bool {
        self.header.alg == key.algorithm().as_str()
            && self.kid() == Some(key.kid())
            && key.verifies(self.signed(), &self.signature)
    }

    /// Reads the claims. To be asked only of a token that is known to be genuine.
    ///
    /// # Errors
    /// [`Refused::Invalid`] where they are not what is asked for.
    pub fn claims<C: DeserializeOwned>(&self) -> Result<C, Refused> {
        part(self.claims)
    }
}

/// Reads a part: an object. The alphabet has no `.`, so a token of more than three parts ends here.
fn part<T: DeserializeOwned>(part: &str) -> Result<T, Refused> {
    let json = URL_SAFE_NO_PAD.decode(part).map_err(|_| Refused::Invalid)?;
    // A list would pass for a structure, member by member.
    if json.first() != Some(&b'{') {
        return Err(Refused::Invalid);
    }
    serde_json::from_slice(&json).map_err(|_| Refused::Invalid)
}
