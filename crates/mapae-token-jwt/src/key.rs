use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mapae_application::ports::{SigningKeyMaker, TokenSigningError};
use mapae_token_claims::{Algorithm, PublicKey};
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RsaKeyPair,
};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::rsa;

/// A stored key is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a stored signing key is damaged, or of an algorithm that this release does not know")]
pub struct KeyError;

enum Pair {
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
    Rs256(Box<RsaKeyPair>),
}

impl Pair {
    fn read(algorithm: Algorithm, private: &[u8]) -> Result<Self, KeyError> {
        let failed = |_| KeyError;
        Ok(match algorithm {
            Algorithm::Es256 => {
                let (kind, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, system_random());
                Self::Es256(EcdsaKeyPair::from_pkcs8(kind, private, &random).map_err(failed)?)
            }
            Algorithm::EdDsa => Self::EdDsa(Ed25519KeyPair::from_pkcs8(private).map_err(failed)?),
            Algorithm::Rs256 => {
                Self::Rs256(Box::new(RsaKeyPair::from_der(private).map_err(failed)?))
            }
        })
    }

    /// The public half under a name.
    fn public(&self, kid: &str) -> Option<PublicKey> {
        match self {
            Self::Es256(pair) => PublicKey::es256(kid, pair.public_key().as_ref()),
            Self::EdDsa(pair) => PublicKey::ed25519(kid, pair.public_key().as_ref()),
            Self::Rs256(pair) => {
                let public = PublicKeyComponents::<Vec<u8>>::from(pair.public());
                PublicKey::rs256(kid, &public.n, &public.e)
            }
        }
    }
}

/// A key that signs, and checks what it has signed.
pub struct SigningKey {
    pair: Pair,
    public: PublicKey,
    random: SystemRandom,
}

impl SigningKey {
    /// The key of that `kid`, algorithm and private part: PKCS #8, or PKCS #1 for RS256.
    ///
    /// # Errors
    /// [`KeyError`] where they do not belong together.
    pub fn from_private(kid: &str, algorithm: &str, private: &[u8]) -> Result<Self, KeyError> {
        let pair = Pair::read(Algorithm::parse(algorithm).ok_or(KeyError)?, private)?;
        let public = pair.public(kid).ok_or(KeyError)?;
        if thumbprint(&public) != kid {
            return Err(KeyError);
        }
        Ok(Self { pair, public, random: system_random() })
    }

    /// `kid`.
    pub fn kid(&self) -> &str {
        self.public.kid()
    }

    /// The one algorithm of the key.
    pub const fn algorithm(&self) -> Algorithm {
        self.public.algorithm()
    }

    /// The public half.
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, TokenSigningError> {
        match &self.pair {
            Pair::Es256(pair) => {
                let signature = pair.sign(&self.random, message).map_err(|_| TokenSigningError)?;
                Ok(signature.as_ref().to_vec())
            }
            Pair::EdDsa(pair) => Ok(pair.sign(message).as_ref().to_vec()),
            Pair::Rs256(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &self.random, message, &mut signature)
                    .map_err(|_| TokenSigningError)?;
                Ok(signature)
            }
        }
    }

    /// The public key as a JWK (RFC 7517 §4).
    pub(crate) fn jwk(&self) -> Value {
        let mut jwk = json!({"kid": self.kid(), "alg": self.algorithm().as_str(), "use": "sig"});
        for (name, value) in self.public.members() {
            jwk[name] = Value::String(value);
        }
        jwk
    }
}

/// The thumbprint (RFC 7638) by which a key is named: two keys never share one.
fn thumbprint(key: &PublicKey) -> String {
    let members = key.members().into_iter();
    let members: Vec<String> =
        members.map(|(name, value)| format!("\"{name}\":\"{value}\"")).collect();
    let canonical = format!("{{{}}}", members.join(","));
    URL_SAFE_NO_PAD.encode(digest(&SHA256, canonical.as_bytes()).as_ref())
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("kid", &self.kid()).finish_non_exhaustive()
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
                let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random);
                Zeroizing::new(made.map_err(|_| TokenSigningError)?.as_ref().to_vec())
            }
            Algorithm::EdDsa => {
                let made = Ed25519KeyPair::generate_pkcs8(&random);
                Zeroizing::new(made.map_err(|_| TokenSigningError)?.as_ref().to_vec())
            }
            Algorithm::Rs256 => rsa::make(&random)?,
        };
        let pair = Pair::read(self.0, &private).map_err(|_| TokenSigningError)?;
        let kid = thumbprint(&pair.public("").ok_or(TokenSigningError)?);
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
        for algorithm in Algorithm::ALL {
            let (kid, private) = KeyMaker::new(algorithm).make().expect("a key");
            let key = SigningKey::from_private(&kid, algorithm.as_str(), &private).expect("a key");
            assert_eq!(thumbprint(key.public()), kid);
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
        let pair = Pair::EdDsa(pair);
        let public = pair.public("").expect("a key");
        let key = SigningKey { pair, public, random: system_random() };
        assert_eq!(thumbprint(key.public()), hash);
        // RFC 8037, appendix A.4: its signature of the example.
        let message = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
        let signature = URL_SAFE_NO_PAD.encode(key.sign(message).expect("a signature"));
        assert_eq!(
            signature,
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
        );
    }
}
