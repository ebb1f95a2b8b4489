use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use serde::Deserialize;
use serde_json::Value;

/// What signs tokens. One key has one algorithm (RFC 8725 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256 (RFC 7518 §3.4).
    Es256,
    /// Ed25519 (RFC 8037 §3.1).
    EdDsa,
    /// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518 §3.3), of 3072 bits at least.
    Rs256,
}

impl Algorithm {
    /// Every algorithm.
    pub const ALL: [Self; 3] = [Self::Es256, Self::EdDsa, Self::Rs256];

    /// The registered name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
            Self::Rs256 => "RS256",
        }
    }

    /// The algorithm of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == name)
    }
}

#[derive(Clone, PartialEq, Eq)]
enum Material {
    /// An uncompressed point: 4, then x and y of 32 bytes each (SEC 1 §2.3.3).
    Point([u8; 65]),
    /// A point of Ed25519 (RFC 8032 §5.1.2).
    Ed25519([u8; 32]),
    /// Modulus and exponent, without leading zeros.
    Rsa { n: Vec<u8>, e: Vec<u8> },
}

/// The least length of a modulus, in bytes: 3072 bits (NIST SP 800-57 part 1 §5.6.1: 128 bits of
/// security).
const LEAST_MODULUS: usize = 384;

/// A public key, by its name.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    kid: String,
    material: Material,
}

/// A JWK (RFC 7517 §4), as far as Mapae's keys go.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: String,
    alg: String,
    #[serde(rename = "use")]
    usage: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
}

impl PublicKey {
    /// A key of ES256 by its uncompressed point (SEC 1 §2.3.3).
    pub fn es256(kid: &str, point: &[u8]) -> Option<Self> {
        let point = <[u8; 65]>::try_from(point).ok().filter(|point| point[0] == 4)?;
        Some(Self { kid: kid.to_owned(), material: Material::Point(point) })
    }

    /// A key of Ed25519 (RFC 8032 §5.1.2).
    pub fn ed25519(kid: &str, point: &[u8]) -> Option<Self> {
        let point = <[u8; 32]>::try_from(point).ok()?;
        Some(Self { kid: kid.to_owned(), material: Material::Ed25519(point) })
    }

    /// A key of RS256 by modulus and exponent, both big-endian.
    pub fn rs256(kid: &str, n: &[u8], e: &[u8]) -> Option<Self> {
        let trimmed = |number: &[u8]| {
            let zeros = number.iter().take_while(|byte| **byte == 0).count();
            number[zeros..].to_vec()
        };
        let (n, e) = (trimmed(n), trimmed(e));
        let long_enough = n.len() > LEAST_MODULUS
            || (n.len() == LEAST_MODULUS && n.first().is_some_and(|byte| *byte >= 0x80));
        if !long_enough || e.is_empty() {
            return None;
        }
        Some(Self { kid: kid.to_owned(), material: Material::Rsa { n, e } })
    }

    /// The key of a JWK; none where it is not for signatures, of an algorithm that is not known, or
    /// not what its algorithm needs.
    fn from_jwk(jwk: &Jwk) -> Option<Self> {
        let bytes = |text: &Option<String>| URL_SAFE_NO_PAD.decode(text.as_deref()?).ok();
        if jwk.usage.as_deref().is_some_and(|usage| usage != "sig") {
            return None;
        }
        match (Algorithm::parse(&jwk.alg)?, jwk.kty.as_str(), jwk.crv.as_deref()) {
            (Algorithm::Es256, "EC", Some("P-256")) => {
                let (x, y) = (bytes(&jwk.x)?, bytes(&jwk.y)?);
                let whole = x.len() == 32 && y.len() == 32;
                Self::es256(&jwk.kid, &[&[4], &x[..], &y[..]].concat()).filter(|_| whole)
            }
            (Algorithm::EdDsa, "OKP", Some("Ed25519")) => Self::ed25519(&jwk.kid, &bytes(&jwk.x)?),
            (Algorithm::Rs256, "RSA", None) => {
                Self::rs256(&jwk.kid, &bytes(&jwk.n)?, &bytes(&jwk.e)?)
            }
            _ => None,
        }
    }

    /// `kid`.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The one algorithm of the key.
    pub const fn algorithm(&self) -> Algorithm {
        match self.material {
            Material::Point(_) => Algorithm::Es256,
            Material::Ed25519(_) => Algorithm::EdDsa,
            Material::Rsa { .. } => Algorithm::Rs256,
        }
    }

    /// Whether it verifies that signature.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let verified = match &self.material {
            Material::Point(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
            }
            Material::Ed25519(point) => {
                UnparsedPublicKey::new(&ED25519, point).verify(message, signature)
            }
            Material::Rsa { n, e } => RsaPublicKeyComponents { n, e }.verify(
                &RSA_PKCS1_2048_8192_SHA256,
                message,
                signature,
            ),
        };
        verified.is_ok()
    }

    /// The key's own members in a JWK, in the order of RFC 7638 §3.2.
    pub fn members(&self) -> Vec<(&'static str, String)> {
        let encoded = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match &self.material {
            Material::Point(point) => vec![
                ("crv", "P-256".to_owned()),
                ("kty", "EC".to_owned()),
                ("x", encoded(&point[1..33])),
                ("y", encoded(&point[33..])),
            ],
            Material::Ed25519(point) => vec![
                ("crv", "Ed25519".to_owned()),
                ("kty", "OKP".to_owned()),
                ("x", encoded(point)),
            ],
            Material::Rsa { n, e } => {
                vec![("e", encoded(e)), ("kty", "RSA".to_owned()), ("n", encoded(n))]
            }
        }
    }
}

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PublicKey")
            .field("kid", &self.kid)
            .field("algorithm", &self.algorithm())
            .finish_non_exhaustive()
    }
}

/// A text is no JWK Set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no JWK Set")]
pub struct InvalidKeySet;

/// Public keys by which tokens are checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeySet(Vec<PublicKey>);

impl KeySet {
    /// A set of these keys.
    pub const fn new(keys: Vec<PublicKey>) -> Self {
        Self(keys)
    }

    /// Reads a JWK Set (RFC 7517 §5). Keys that are not understood are left out, as that section
    /// says.
    ///
    /// # Errors
    /// [`InvalidKeySet`] where it is none, or where two keys have one name.
    pub fn from_json(json: &[u8]) -> Result<Self, InvalidKeySet> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Value>,
        }
        let set: Set = serde_json::from_slice(json).map_err(|_| InvalidKeySet)?;
        let understood = |jwk: Value| {
            let jwk: Jwk = serde_json::from_value(jwk).ok()?;
            PublicKey::from_jwk(&jwk)
        };
        let keys: Vec<PublicKey> = set.keys.into_iter().filter_map(understood).collect();
        let named_twice =
            |key: &PublicKey| keys.iter().filter(|other| other.kid == key.kid).count() > 1;
        if keys.iter().any(named_twice) { Err(InvalidKeySet) } else { Ok(Self(keys)) }
    }

    /// The key of that name.
    pub fn key(&self, kid: &str) -> Option<&PublicKey> {
        self.0.iter().find(|key| key.kid == kid)
    }

    /// The keys.
    pub fn keys(&self) -> &[PublicKey] {
        &self.0
    }
}
