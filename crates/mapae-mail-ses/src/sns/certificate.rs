use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mapae_application::ports::{Clock, EventRefused};
use mapae_domain::Timestamp;
use ring::signature::{
    RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256, RsaParameters,
    UnparsedPublicKey,
};
use tokio::sync::Semaphore;
use x509_cert::Certificate;
use x509_cert::der::DecodePem as _;

use super::Source;
use super::envelope::{Envelope, Hash, Kind, is_of_sns};

/// How many certificates are remembered: SNS has one a region at a time.
const REMEMBERED: usize = 16;

/// How many certificates are fetched at once.
const AT_ONCE: usize = 4;

/// The key of a certificate, and when it is good.
#[derive(Clone)]
pub(super) struct Key {
    point: Arc<[u8]>,
    not_before: Timestamp,
    not_after: Timestamp,
}

/// The certificates of SNS, fetched once.
pub(super) struct Certificates {
    source: Arc<dyn Source>,
    clock: Arc<dyn Clock>,
    known: Mutex<HashMap<String, Key>>,
    /// Whoever sends forged envelopes names certificates: they are not all fetched for them.
    fetching: Semaphore,
}

impl Certificates {
    pub(super) fn new(source: Arc<dyn Source>, clock: Arc<dyn Clock>) -> Self {
        Self { source, clock, known: Mutex::default(), fetching: Semaphore::new(AT_ONCE) }
    }

    /// The key of the certificate at `url`.
    pub(super) async fn key(&self, url: &str) -> Result<Key, EventRefused> {
        let is_file = url.ends_with(".pem") && !url.contains(['?', '#']);
        if !is_of_sns(url) || !is_file {
            return Err(EventRefused::NotGenuine("its certificate is not SNS's"));
        }
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(url).cloned();
        let key = match known {
            Some(key) => key,
            None => {
                let busy = |_| EventRefused::Unavailable("too many are being fetched".to_owned());
                let _turn = self.fetching.try_acquire().map_err(busy)?;
                let pem = self.source.get(url).await.map_err(EventRefused::Unavailable)?;
                let key = Key::read(&pem)
                    .ok_or_else(|| EventRefused::Unavailable("no certificate".to_owned()))?;
                let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
                if known.len() >= REMEMBERED {
                    known.clear();
                }
                known.insert(url.to_owned(), key.clone());
                key
            }
        };
        let now = self.clock.now();
        if now < key.not_before || key.not_after.is_expired(now) {
            return Err(EventRefused::NotGenuine("its certificate is not good now"));
        }
        Ok(key)
    }
}

impl Key {
    fn read(pem: &[u8]) -> Option<Self> {
        let certificate = Certificate::from_pem(pem).ok()?.tbs_certificate;
        let at = |time: x509_cert::time::Time| {
            let seconds = time.to_unix_duration().as_secs();
            Some(Timestamp::from_seconds(i64::try_from(seconds).ok()?))
        };
        let point = certificate.subject_public_key_info.subject_public_key.as_bytes()?;
        Some(Self {
            point: point.into(),
            not_before: at(certificate.validity.not_before)?,
            not_after: at(certificate.validity.not_after)?,
        })
    }

    /// Sees that an envelope was signed with this key.
    pub(super) fn verify(&self, envelope: &Envelope, kind: Kind) -> Result<(), EventRefused> {
        let refused = EventRefused::NotGenuine("its signature does not match");
        let algorithm: &RsaParameters = match envelope.hash()? {
            // What SNS signs with where a topic was not told otherwise.
            Hash::Sha1 => &RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
            Hash::Sha256 => &RSA_PKCS1_2048_8192_SHA256,
        };
        let signature = STANDARD.decode(envelope.signature()).map_err(|_| refused.clone())?;
        let signed = envelope.signed(kind)?;
        UnparsedPublicKey::new(algorithm, &self.point)
            .verify(signed.as_bytes(), &signature)
            .map_err(|_| refused)
    }
}
