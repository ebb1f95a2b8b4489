use std::sync::Arc;

use mapae_application::ports::{HashContext, MessageSealer, SecretHasher, SecretRng, Unsealable};
use mapae_domain::SecretHash;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::{hkdf, hmac};
use zeroize::Zeroizing;

use crate::secret::ServerSecret;

/// How sealed content begins: the version of its layout.
const VERSION: u8 = 1;
/// Random bytes of a sealing, from which its own key and nonce are derived.
const SALT: usize = 32;

/// Every key that is derived from the server's secret (RFC 5869).
///
/// Each kind of keyed hash has a key of its own, derived once. Each sealing has a key and a nonce of
/// its own, derived from a random salt, so that no number of messages wears a key out.
pub struct Keyring {
    hashes: [hmac::Key; CONTEXTS.len()],
    seal: hkdf::Prk,
    rng: Arc<dyn SecretRng>,
}

/// The contexts of keyed hashes, each with the name that its key is derived by. The names are for
/// good: what is stored depends on them.
const CONTEXTS: [(HashContext, &[u8]); 13] = [
    (HashContext::Code, b"mapae hash: code"),
    (HashContext::LinkKey, b"mapae hash: link key"),
    (HashContext::RegistrationToken, b"mapae hash: registration token"),
    (HashContext::RefreshToken, b"mapae hash: refresh token"),
    (HashContext::ContactSends, b"mapae hash: contact sends"),
    (HashContext::IdempotencyKey, b"mapae hash: idempotency key"),
    (HashContext::RequestContent, b"mapae hash: request content"),
    (HashContext::Deliverability, b"mapae hash: deliverability"),
    (HashContext::DeliveryEvent, b"mapae hash: delivery event"),
    (HashContext::ClientSecret, b"mapae hash: client secret"),
    (HashContext::CsrfToken, b"mapae hash: csrf token"),
    (HashContext::Installation, b"mapae hash: installation"),
    (HashContext::Export, b"mapae hash: export"),
];

/// Where the key of a context stands.
const fn index(context: HashContext) -> usize {
    match context {
        HashContext::Code => 0,
        HashContext::LinkKey => 1,
        HashContext::RegistrationToken => 2,
        HashContext::RefreshToken => 3,
        HashContext::ContactSends => 4,
        HashContext::IdempotencyKey => 5,
        HashContext::RequestContent => 6,
        HashContext::Deliverability => 7,
        HashContext::DeliveryEvent => 8,
        HashContext::ClientSecret => 9,
        HashContext::CsrfToken => 10,
        HashContext::Installation => 11,
        HashContext::Export => 12,
    }
}

/// How many bytes to derive.
struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

fn derive<const N: usize>(prk: &hkdf::Prk, info: &[&[u8]]) -> Zeroizing<[u8; N]> {
    let mut derived = Zeroizing::new([0; N]);
    // Fails only for more than 255 blocks of the hash, which no N here comes near.
    let filled = prk.expand(info, Length(N)).and_then(|okm| okm.fill(derived.as_mut_slice()));
    debug_assert!(filled.is_ok());
    derived
}

impl Keyring {
    /// Derives the keys. `rng` draws the salts of sealings.
    pub fn new(secret: &ServerSecret, rng: Arc<dyn SecretRng>) -> Self {
        let root = hkdf::Salt::new(hkdf::HKDF_SHA256, b"mapae").extract(secret.expose());
        let hashes = CONTEXTS.map(|(_, name)| {
            let key = derive::<32>(&root, &[name]);
            hmac::Key::new(hmac::HMAC_SHA256, key.as_slice())
        });
        let seal = derive::<32>(&root, &[b"mapae seal"]);
        let seal = hkdf::Prk::new_less_safe(hkdf::HKDF_SHA256, seal.as_slice());
        Self { hashes, seal, rng }
    }

    /// The key and the nonce of one sealing.
    fn sealing_key(&self, salt: &[u8]) -> Result<(LessSafeKey, Nonce), Unsealable> {
        let derived = derive::<{ 32 + NONCE_LEN }>(&self.seal, &[salt]);
        let (key, nonce) = derived.split_at(32);
        let key = UnboundKey::new(&CHACHA20_POLY1305, key).map_err(|_| Unsealable)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Unsealable)?;
        Ok((LessSafeKey::new(key), nonce))
    }
}

impl SecretHasher for Keyring {
    fn hash(&self, context: HashContext, parts: &[&[u8]]) -> SecretHash {
        let mut hash = hmac::Context::with_key(&self.hashes[index(context)]);
        for part in parts {
            // A part's length before it keeps parts apart.
            hash.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part);
        }
        let mut bytes = [0; 32];
        bytes.copy_from_slice(hash.sign().as_ref());
        SecretHash::from_bytes(bytes)
    }
}

impl MessageSealer for Keyring {
    fn seal(&self, context: &[u8], content: &[u8]) -> Vec<u8> {
        let mut salt = [0; SALT];
        self.rng.fill(&mut salt);
        let mut encrypted = content.to_vec();
        let sealed = self.sealing_key(&salt).and_then(|(key, nonce)| {
            key.seal_in_place_append_tag(nonce, Aad::from(context), &mut encrypted)
                .map_err(|_| Unsealable)
        });
        if sealed.is_err() {
            // Only content of more than 256 GiB cannot be sealed. What cannot be is not kept.
            return Vec::new();
        }
        let mut whole = Vec::with_capacity(1 + SALT + encrypted.len());
        whole.push(VERSION);
        whole.extend_from_slice(&salt);
        whole.extend_from_slice(&encrypted);
        whole
    }

    fn open(&self, context: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Unsealable> {
        let (version, rest) = sealed.split_first().ok_or(Unsealable)?;
        if *version != VERSION {
            return Err(Unsealable);
        }
        let (salt, encrypted) = rest.split_at_checked(SALT).ok_or(Unsealable)?;
        let (key, nonce) = self.sealing_key(salt)?;
        let mut content = Zeroizing::new(encrypted.to_vec());
        let length = key
            .open_in_place(nonce, Aad::from(context), &mut content)
            .map_err(|_| Unsealable)?
            .len();
        content.truncate(length);
        Ok(content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed;

    impl SecretRng for Fixed {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0x5a);
        }
    }

    fn keyring() -> Keyring {
        let secret =
            ServerSecret::parse("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
        Keyring::new(&secret.expect("a secret"), Arc::new(Fixed))
    }

    #[test]
    fn every_context_stands_where_its_key_does() {
        for (at, (context, _)) in CONTEXTS.iter().enumerate() {
            assert_eq!(index(*context), at);
        }
    }

    /// What is stored depends on these: a change of the derivation would make every code, link and
    /// token of a running installation worthless.
    #[test]
    fn a_hash_is_the_same_for_good() {
        let shown = |context| {
            let hash = keyring().hash(context, &[b"part", b"other"]);
            hash.as_bytes().iter().map(|b| format!("{b:02x}")).collect::<String>()
        };
        let kept = CONTEXTS.map(|(context, _)| shown(context)[..16].to_owned());
        assert_eq!(kept, GOLDEN);
    }

    /// Computed by another implementation of RFC 5869 and RFC 2104.
    const GOLDEN: [&str; 13] = [
        "8c677a42dfebaa21",
        "a63a87607a6d5b20",
        "da934c7cf3f14ad8",
        "afa65ea24e7c8ba1",
        "c4070aad589d9ecf",
        "ff229f4d5213433a",
        "75c84c2766f6783b",
        "be8540af9254f485",
        "6b297e75892d6610",
        "c98f4902f915b18a",
        "1d262f73687e224b",
        "c89331c1f966d4b3",
        "989f94cfe2eaa65c",
    ];

    #[test]
    fn content_of_another_version_is_not_opened() {
        let mut sealed = keyring().seal(b"context", b"content");
        assert_eq!(keyring().open(b"context", &sealed).as_deref(), Ok(&b"content".to_vec()));
        sealed[0] = 2;
        assert_eq!(keyring().open(b"context", &sealed).err(), Some(Unsealable));
    }
}
