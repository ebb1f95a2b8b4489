//! The keys that sign tokens: made once, kept sealed, shared by all replicas.

use mapae_domain::Timestamp;
use zeroize::Zeroizing;

use crate::ports::{
    MessageSealer, SigningKeyMaker, SigningKeyRecord, Store, StoreError, TokenSigningError,
    Unsealable,
};

/// A signing key with its private part in the clear.
pub struct SigningKey {
    /// `kid`.
    pub kid: String,
    /// The algorithm's name.
    pub algorithm: String,
    /// The private key, PKCS #8.
    pub private: Zeroizing<Vec<u8>>,
}

/// Why there are no signing keys.
#[derive(Debug, thiserror::Error)]
pub enum SigningKeyError {
    /// The store failed.
    #[error("the signing keys cannot be read or stored")]
    Store(#[from] StoreError),
    /// A key could not be made.
    #[error("no signing key could be made")]
    Making(#[from] TokenSigningError),
    /// The keys were sealed under another secret.
    #[error("the signing keys were sealed under another server secret")]
    Unsealable(#[from] Unsealable),
}

/// The installation's signing keys, oldest first, the last of which signs; makes one where there is
/// none of the maker's algorithm yet.
///
/// # Errors
/// [`SigningKeyError`].
pub async fn load_signing_keys(
    store: &dyn Store,
    sealer: &dyn MessageSealer,
    maker: &dyn SigningKeyMaker,
    now: Timestamp,
) -> Result<Vec<SigningKey>, SigningKeyError> {
    // One unit of work, so that of several replicas that start together one makes the key.
    let mut work = store.begin().await?;
    let mut records = work.signing_keys().await?;
    if !records.iter().any(|record| record.algorithm == maker.algorithm()) {
        let (kid, private) = maker.make()?;
        let sealed = sealer.seal(&context(&kid), &private);
        let algorithm = maker.algorithm().to_owned();
        let record = SigningKeyRecord { kid, algorithm, sealed, created_at: now };
        work.insert_signing_key(&record).await?;
        records.push(record);
        work.commit().await?;
        tracing::info!(algorithm = maker.algorithm(), "signing key made");
    }
    // The newest of today's algorithm signs, whatever was made after it for another.
    records.sort_by_key(|record| (record.algorithm == maker.algorithm(), record.created_at));
    open_all(records, sealer)
}

/// The installation's signing keys, oldest first; makes none.
///
/// # Errors
/// [`SigningKeyError`].
pub async fn open_signing_keys(
    store: &dyn Store,
    sealer: &dyn MessageSealer,
) -> Result<Vec<SigningKey>, SigningKeyError> {
    let records = store.read().await?.signing_keys().await?;
    open_all(records, sealer)
}

fn open_all(
    records: Vec<SigningKeyRecord>,
    sealer: &dyn MessageSealer,
) -> Result<Vec<SigningKey>, SigningKeyError> {
    let open = |record: SigningKeyRecord| {
        let private = sealer.open(&context(&record.kid), &record.sealed)?;
        Ok(SigningKey { kid: record.kid, algorithm: record.algorithm, private })
    };
    records.into_iter().map(open).collect()
}

fn context(kid: &str) -> Vec<u8> {
    [b"signing-key:", kid.as_bytes()].concat()
}
