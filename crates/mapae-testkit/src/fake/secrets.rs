use mapae_application::ports::{
    HashContext, MessageSealer, SecretHasher, SecretRng as _, Unsealable,
};
use mapae_domain::SecretHash;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use zeroize::Zeroizing;

use super::SequenceRng;

/// The secret of a fake that was given none.
const SECRET: [u8; 32] = [0x5e; 32];

/// A [`SecretHasher`] over a secret that everybody can read here.
pub struct FakeSecretHasher([u8; 32]);

impl FakeSecretHasher {
    /// A hasher over that secret.
    pub const fn new(secret: [u8; 32]) -> Self {
        Self(secret)
    }
}

impl Default for FakeSecretHasher {
    fn default() -> Self {
        Self::new(SECRET)
    }
}

fn name(context: HashContext) -> &'static [u8] {
    match context {
        HashContext::Code => b"code",
        HashContext::LinkKey => b"link-key",
        HashContext::RegistrationToken => b"registration-token",
        HashContext::RefreshToken => b"refresh-token",
        HashContext::ContactSends => b"contact-sends",
        HashContext::Deliverability => b"deliverability",
        HashContext::DeliveryEvent => b"delivery-event",
        HashContext::ClientSecret => b"client-secret",
        HashContext::Installation => b"installation",
        HashContext::CsrfToken => b"csrf-token",
        HashContext::IdempotencyKey => b"idempotency-key",
        HashContext::RequestContent => b"request-content",
        HashContext::Export => b"export",
    }
}

impl SecretHasher for FakeSecretHasher {
    fn hash(&self, context: HashContext, parts: &[&[u8]]) -> SecretHash {
        let secret = hmac::Key::new(hmac::HMAC_SHA256, &self.0);
        let derived = hmac::sign(&secret, name(context));
        let key = hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref());
        let mut signing = hmac::Context::with_key(&key);
        for part in parts {
            // Its length keeps a part apart from the next.
            signing.update(&part.len().to_be_bytes());
            signing.update(part);
        }
        let tag = signing.sign();
        SecretHash::from_bytes(tag.as_ref().try_into().expect("32 bytes"))
    }
}

/// A [`MessageSealer`] over a secret that everybody can read here: ChaCha20-Poly1305 with nonces
/// that are counted for the whole process.
pub struct FakeSealer(LessSafeKey);

static NONCES: SequenceRng = SequenceRng::new(0x0000_5ea1);

impl FakeSealer {
    /// A sealer over that secret.
    pub fn new(secret: [u8; 32]) -> Self {
        let key = UnboundKey::new(&CHACHA20_POLY1305, &secret).expect("a key of 32 bytes");
        Self(LessSafeKey::new(key))
    }
}

impl Default for FakeSealer {
    fn default() -> Self {
        Self::new(SECRET)
    }
}

impl MessageSealer for FakeSealer {
    fn seal(&self, context: &[u8], content: &[u8]) -> Vec<u8> {
        let mut nonce = [0; NONCE_LEN];
        NONCES.fill(&mut nonce);
        let mut sealed = [&nonce, content].concat();
        let tag = self
            .0
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(context),
                &mut sealed[NONCE_LEN..],
            )
            .expect("a message that is not too long");
        sealed.extend_from_slice(tag.as_ref());
        sealed
    }

    fn open(&self, context: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Unsealable> {
        let (nonce, rest) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(Unsealable)?;
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let mut content = Zeroizing::new(rest.to_vec());
        let opened = self
            .0
            .open_in_place(nonce, Aad::from(context), &mut content)
            .map_err(|_| Unsealable)?;
        let length = opened.len();
        content.truncate(length);
        Ok(content)
    }
}
