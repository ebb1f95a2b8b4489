use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mapae_application::ports::{SigningKeyMaker, TokenSigningError};
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair,
    Ed25519KeyPair, KeyPair as _, UnparsedPublicKey,
};
use serde_json::{Value, json};
use zeroize::Zeroizing;

/// What signs tokens. One key has one algorithm (RFC 8725 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256 (RFC 7518 §3.4).
    Es256,
    /// Ed25519 (RFC 8037 §3.1).
    EdDsa,
}

impl Algorithm {
    /// The registered name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }

    /// The algorithm of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Es256, Self::EdDsa].into_iter().find(|algorithm| algorithm.as_str() == name)
    }
}

/// A stored key is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a stored signing key is damaged, or of an algorithm that this release does not know")]
pub struct KeyError;

enum Pair {
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
}

/// A key that signs, and checks what it has signed.
pub struct SigningKey {
    kid: String,
    pair: Pair,
    random: SystemRandom,
}

impl SigningKey {
    /// The key of that `kid`, algorithm and private part (PKCS #8).
    ///
    /// # Errors
    /// [`KeyError`] where they do not belong together.
    pub fn from_private(kid: &str, algorithm: &str, private: &[u8]) -> Result<Self, KeyError> {
        let random = system_random();
        let pair = match Algorithm::parse(algorithm).ok_or(KeyError)? {
            Algorithm::Es256 => Pair::Es256(
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, private, &random)
                    .map_err(|_| KeyError)?,
            ),
            Algorithm::EdDsa => {
                Pair::EdDsa(Ed25519KeyPair::from_pkcs8(private).map_err(|_| KeyError)?)
            }
        };
        let key = Self { kid: kid.to_owned(), pair, random };
        if key.thumbprint() == kid { Ok(key) } else { Err(KeyError) }
    }

    /// `kid`.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The one algorithm of the key.
    pub const fn algorithm(&self) -> Algorithm {
        match self.pair {
            Pair::Es256(_) => Algorithm::Es256,
            Pair::EdDsa(_) => Algorithm::EdDsa,
        }
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, TokenSigningError> {
        match &self.pair {
            Pair::Es256(pair) => {
                let signature = pair.sign(&self.random, message).map_err(|_| TokenSigningError)?;
                Ok(signature.as_ref().to_vec())
            }
            Pair::EdDsa(pair) => Ok(pair.sign(message).as_ref().to_vec()),
        }
    }

    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let checked = match &self.pair {
            Pair::Es256(pair) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, pair.public_key())
                    .verify(message, signature)
            }
            Pair::EdDsa(pair) => {
                UnparsedPublicKey::new(&ED25519, pair.public_key()).verify(message, signature)
            }
        };
        checked.is_ok()
    }

    /// The public key's own members, in the order of RFC 7638 §3.2.
    fn public_members(&self) -> Vec<(&'static str, String)> {
        match &self.pair {
            Pair::Es256(pair) => {
                // An uncompressed point: 4, then x and y of 32 bytes each (SEC 1 §2.3.3).
                let point = pair.public_key().as_ref();
                let half = |from: usize| {
                    URL_SAFE_NO_PAD.encode(point.get(from..from + 32).unwrap_or_default())
                };
                vec![
                    ("crv", "P-256".to_owned()),
                    ("kty", "EC".to_owned()),
                    ("x", half(1)),
                    ("y", half(33)),
                ]
            }
            Pair::EdDsa(pair) => vec![
                ("crv", "Ed25519".to_owned()),
                ("kty", "OKP".to_owned()),
                ("x", URL_SAFE_NO_PAD.encode(pair.public_key().as_ref())),
            ],
        }
    }

    /// The public key as a JWK (RFC 7517 §4).
    pub(crate) fn jwk(&self) -> Value {
        let mut jwk = json!({"kid": self.kid, "alg": self.algorithm().as_str(), "use": "sig"});
        for (name, value) in self.public_members() {
            jwk[name] = Value::String(value);
        }
        jwk
    }

    /// The thumbprint (RFC 7638) by which the key is named: two keys never share one.
    fn thumbprint(&self) -> String {
        let members = self.public_members().into_iter();
        let members: Vec<String> =
            members.map(|(name, value)| format!("\"{name}\":\"{value}\"")).collect();
        let canonical = format!("{{{}}}", members.join(","));
        URL_SAFE_NO_PAD.encode(digest(&SHA256, canonical.as_bytes()).as_ref())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

/// Makes keys of one algorithm.
#[derive(Debug, Clone, Copy)]
pub struct KeyMaker(Algorithm);

impl KeyMaker {
    /// Makes keys of `algorithm`.
    pub const fn new(algorithm: Algorithm) -> Self {
        Self(algorithm)
    }
}

impl SigningKeyMaker for KeyMaker {
    fn algorithm(&self) -> &'static str {
        self.0.as_str()
    }

    fn make(&self) -> Result<(String, Zeroizing<Vec<u8>>), TokenSigningError> {
        let random = system_random();
        let private = match self.0 {
            Algorithm::Es256 => {
                EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)
            }
            Algorithm::EdDsa => Ed25519KeyPair::generate_pkcs8(&random),
        };
        let private = private.map_err(|_| TokenSigningError)?;
        let private = Zeroizing::new(private.as_ref().to_vec());
        let failed = |_| TokenSigningError;
        let pair = match self.0 {
            Algorithm::Es256 => Pair::Es256(
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &private, &random)
                    .map_err(failed)?,
            ),
            Algorithm::EdDsa => Pair::EdDsa(Ed25519KeyPair::from_pkcs8(&private).map_err(failed)?),
        };
        let kid = SigningKey { kid: String::new(), pair, random }.thumbprint();
        Ok((kid, private))
    }
}

/// `ring` makes keys and signs with its own source of randomness alone: its type is closed.
fn system_random() -> SystemRandom {
    #[expect(clippy::disallowed_methods, reason = "ring takes no other source for keys")]
    SystemRandom::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_named_by_its_thumbprint_and_belongs_to_its_algorithm() {
        for algorithm in [Algorithm::Es256, Algorithm::EdDsa] {
            let (kid, private) = KeyMaker::new(algorithm).make().expect("a key");
            let key = SigningKey::from_private(&kid, algorithm.as_str(), &private).expect("a key");
            assert_eq!(key.thumbprint(), kid);
            assert_eq!(kid.len(), 43);
            for (kid, algorithm) in [("other", algorithm.as_str()), (kid.as_str(), "HS256")] {
                assert!(SigningKey::from_private(kid, algorithm, &private).is_err());
            }
            let other = if algorithm == Algorithm::Es256 { "EdDSA" } else { "ES256" };
            assert!(SigningKey::from_private(&kid, other, &private).is_err());
            assert!(SigningKey::from_private(&kid, algorithm.as_str(), &private[1..]).is_err());
        }
    }

    #[test]
    fn a_thumbprint_is_that_of_rfc_8037() {
        // RFC 8037, appendix A.3: the thumbprint of the key in appendix A.1 and A.2.
        let canonical =
            r#"{"crv":"Ed25519","kty":"OKP","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
        let hash = URL_SAFE_NO_PAD.encode(digest(&SHA256, canonical.as_bytes()).as_ref());
        assert_eq!(hash, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        let seed =
            URL_SAFE_NO_PAD.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").expect("a seed");
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).expect("a key");
        let key =
            SigningKey { kid: String::new(), pair: Pair::EdDsa(pair), random: system_random() };
        assert_eq!(key.thumbprint(), hash);
        // RFC 8037, appendix A.4: its signature of the example.
        let message = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
        let signature = URL_SAFE_NO_PAD.encode(key.sign(message).expect("a signature"));
        assert_eq!(
            signature,
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
        );
    }
}
