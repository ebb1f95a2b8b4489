//! The keys that sign tokens: made once, kept sealed, shared by all replicas, replaced in time.

use mapae_domain::Timestamp;
use mapae_domain::signing_key::{
    KeyLife, KeyState, RetireRefused, SigningKeyPolicy, may_retire, rotation_is_due, states,
};
use zeroize::Zeroizing;

use crate::ports::{
    MessageSealer, SigningKeyMaker, SigningKeyRecord, Store, StoreError, TokenSigningError,
    UnitOfWork, Unsealable,
};

/// A signing key with its private part in the clear.
pub struct SigningKey {
    /// `kid`.
    pub kid: String,
    /// The algorithm's name.
    pub algorithm: String,
    /// The private key, PKCS #8.
    pub private: Zeroizing<Vec<u8>>,
    /// When it was made, and signs.
    pub life: KeyLife,
}

/// A signing key, for operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningKeyView {
    /// `kid`.
    pub kid: String,
    /// The algorithm's name.
    pub algorithm: String,
    /// When it was made, signs and is retired.
    pub life: KeyLife,
    /// Where it stands.
    pub state: KeyState,
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
    /// There is no key of that name.
    #[error("there is no key of that kid")]
    Unknown,
    /// A key is not to be retired.
    #[error("the key is not retired: {0}")]
    NotRetired(RetireRefused),
}

/// Sees to the signing keys of an installation.
#[derive(Clone, Copy)]
pub struct SigningKeys<'a> {
    /// Where they are kept.
    pub store: &'a dyn Store,
    /// Seals their private parts.
    pub sealer: &'a dyn MessageSealer,
    /// Makes keys of today's algorithm.
    pub maker: &'a dyn SigningKeyMaker,
    /// When they are replaced.
    pub policy: &'a SigningKeyPolicy,
}

impl SigningKeys<'_> {
    /// Makes the first key where there is none of today's algorithm, the next where one is due, and
    /// retires those whose tokens are over. Gives every key that is not retired, oldest first,
    /// those of today's algorithm last.
    ///
    /// # Errors
    /// [`SigningKeyError`].
    pub async fn keep(&self, now: Timestamp) -> Result<Vec<SigningKey>, SigningKeyError> {
        let records = self.store.read().await?.signing_keys().await?;
        let ours = self.lives(&records);
        let overdue = |at: &usize| may_retire(&ours, *at, self.policy, now).is_ok();
        let nothing_to_do = !ours.is_empty()
            && !rotation_is_due(&ours, self.policy, now)
            && !self.old(&ours, now).iter().any(overdue);
        if nothing_to_do && ours.iter().any(|life| !life.is_retired(now)) {
            return self.open(records, now);
        }
        let is_due = |lives: &[KeyLife]| {
            lives.iter().all(|life| life.is_retired(now))
                || rotation_is_due(lives, self.policy, now)
        };
        // Made before the unit of work begins: a key of RSA takes its time.
        let made = if is_due(&ours) { Some(self.maker.make()?) } else { None };
        // One after the other, so that of several replicas one stores its key.
        let mut work = self.store.begin().await?;
        let mut records = work.lock_signing_keys().await?;
        let ours = self.lives(&records);
        let none_is_left = ours.iter().all(|life| life.is_retired(now));
        if let Some(made) = made.filter(|_| is_due(&ours)) {
            records.push(self.insert(&mut *work, made, none_is_left, now).await?);
        }
        let ours: Vec<_> = self.of_ours(&records).map(|(_, record)| record.clone()).collect();
        let lives: Vec<KeyLife> = ours.iter().map(|record| record.life).collect();
        for at in self.old(&lives, now) {
            if may_retire(&lives, at, self.policy, now).is_ok() {
                work.retire_signing_key(&ours[at].kid, now).await?;
                tracing::info!(kid = ours[at].kid, "signing key retired");
            }
        }
        let records = work.signing_keys().await?;
        work.commit().await?;
        self.open(records, now)
    }

    /// Makes the next key, which signs once it was published for long enough.
    ///
    /// # Errors
    /// [`SigningKeyError`].
    pub async fn rotate(&self, now: Timestamp) -> Result<SigningKeyView, SigningKeyError> {
        let made = self.maker.make()?;
        let mut work = self.store.begin().await?;
        let records = work.lock_signing_keys().await?;
        let is_first = self.lives(&records).iter().all(|life| life.is_retired(now));
        let made = self.insert(&mut *work, made, is_first, now).await?;
        work.commit().await?;
        let state = if is_first { KeyState::Signing } else { KeyState::Next };
        Ok(SigningKeyView { kid: made.kid, algorithm: made.algorithm, life: made.life, state })
    }

    /// Retires a key: nothing that it has signed is good any more. With `at_once`, whatever it has
    /// signed and even where it signs: for a key that somebody else may have.
    ///
    /// # Errors
    /// [`SigningKeyError::Unknown`], or [`SigningKeyError::NotRetired`] where it is too early.
    pub async fn retire(
        &self,
        kid: &str,
        at_once: bool,
        now: Timestamp,
    ) -> Result<(), SigningKeyError> {
        let successor = if at_once { Some(self.maker.make()?) } else { None };
        let mut work = self.store.begin().await?;
        let records = work.lock_signing_keys().await?;
        let found = records.iter().find(|record| record.kid == kid);
        let algorithm = &found.ok_or(SigningKeyError::Unknown)?.algorithm;
        let alike: Vec<_> =
            records.iter().filter(|record| record.algorithm == *algorithm).collect();
        let lives: Vec<KeyLife> = alike.iter().map(|record| record.life).collect();
        let at = alike.iter().position(|record| record.kid == kid).unwrap_or_default();
        match may_retire(&lives, at, self.policy, now) {
            Err(refused) if !at_once || refused == RetireRefused::Retired => {
                return Err(SigningKeyError::NotRetired(refused));
            }
            _ => {}
        }
        work.retire_signing_key(kid, now).await?;
        if let Some(successor) = successor.filter(|_| algorithm == self.maker.algorithm()) {
            // What is left may not sign yet: whoever is in such a hurry is not made to wait.
            let left = lives.iter().enumerate().any(|(other, life)| {
                other != at && !life.is_retired(now) && life.signs_from.is_expired(now)
            });
            if !left {
                self.insert(&mut *work, successor, true, now).await?;
            }
        }
        work.commit().await?;
        tracing::warn!(kid, at_once, "signing key retired");
        Ok(())
    }

    /// Every key, oldest first.
    ///
    /// # Errors
    /// [`SigningKeyError`].
    pub async fn list(&self, now: Timestamp) -> Result<Vec<SigningKeyView>, SigningKeyError> {
        let records = self.store.read().await?.signing_keys().await?;
        let view = |record: &SigningKeyRecord| {
            let alike: Vec<&SigningKeyRecord> =
                records.iter().filter(|other| other.algorithm == record.algorithm).collect();
            let lives: Vec<KeyLife> = alike.iter().map(|other| other.life).collect();
            let at = alike.iter().position(|other| other.kid == record.kid);
            let state = at.and_then(|at| states(&lives, now).get(at).copied());
            SigningKeyView {
                kid: record.kid.clone(),
                algorithm: record.algorithm.clone(),
                life: record.life,
                // Of another algorithm than today's none signs any more.
                state: match state.unwrap_or(KeyState::Retired) {
                    KeyState::Signing if record.algorithm != self.maker.algorithm() => {
                        KeyState::Old
                    }
                    state => state,
                },
            }
        };
        Ok(records.iter().map(view).collect())
    }

    /// Every key that is not retired, in the clear, oldest first; makes none.
    ///
    /// # Errors
    /// [`SigningKeyError`].
    pub async fn read(&self, now: Timestamp) -> Result<Vec<SigningKey>, SigningKeyError> {
        let records = self.store.read().await?.signing_keys().await?;
        self.open(records, now)
    }

    fn of_ours<'r>(
        &self,
        records: &'r [SigningKeyRecord],
    ) -> impl Iterator<Item = (usize, &'r SigningKeyRecord)> {
        let algorithm = self.maker.algorithm();
        records.iter().enumerate().filter(move |(_, record)| record.algorithm == algorithm)
    }

    fn lives(&self, records: &[SigningKeyRecord]) -> Vec<KeyLife> {
        self.of_ours(records).map(|(_, record)| record.life).collect()
    }

    /// Where those stand that sign no more.
    fn old(&self, lives: &[KeyLife], now: Timestamp) -> Vec<usize> {
        let states = states(lives, now);
        (0..states.len()).filter(|at| states[*at] == KeyState::Old).collect()
    }

    async fn insert(
        &self,
        work: &mut dyn UnitOfWork,
        (kid, private): (String, Zeroizing<Vec<u8>>),
        is_first: bool,
        now: Timestamp,
    ) -> Result<SigningKeyRecord, SigningKeyError> {
        let sealed = self.sealer.seal(&context(&kid), &private);
        let algorithm = self.maker.algorithm().to_owned();
        let life = KeyLife::begin(is_first, self.policy, now);
        let record = SigningKeyRecord { kid, algorithm, sealed, life };
        work.insert_signing_key(&record).await?;
        tracing::info!(algorithm = self.maker.algorithm(), kid = record.kid, "signing key made");
        Ok(record)
    }

    fn open(
        &self,
        mut records: Vec<SigningKeyRecord>,
        now: Timestamp,
    ) -> Result<Vec<SigningKey>, SigningKeyError> {
        records.retain(|record| !record.life.is_retired(now));
        // Those of today's algorithm sign, whatever was made after them for another.
        records.sort_by_key(|record| {
            (record.algorithm == self.maker.algorithm(), record.life.created_at)
        });
        let open = |record: SigningKeyRecord| {
            let private = self.sealer.open(&context(&record.kid), &record.sealed)?;
            let SigningKeyRecord { kid, algorithm, life, .. } = record;
            Ok(SigningKey { kid, algorithm, private, life })
        };
        records.into_iter().map(open).collect()
    }
}

fn context(kid: &str) -> Vec<u8> {
    [b"signing-key:", kid.as_bytes()].concat()
}
