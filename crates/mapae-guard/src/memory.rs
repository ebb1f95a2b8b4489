//! Tokens that were verified, so that a signature is checked once and not at every request.
//!
//! A token is known by its SHA-256: nothing that is remembered opens anything. It is remembered
//! until it expires, until the keys change, or until there is no room for it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ring::digest::{SHA256, digest};

use crate::Verified;

/// Parts that are locked one by one.
const SHARDS: usize = 16;

/// By what a token is known.
pub(crate) type TokenHash = [u8; 32];

/// What is known of a token.
#[derive(Clone)]
pub(crate) struct Remembered {
    pub(crate) verified: Verified,
    /// When Mapae last said that it is active, by [`crate::Clock::elapsed`].
    pub(crate) introspected_at: Option<Duration>,
    /// Mapae has said that it is not.
    pub(crate) is_over: bool,
}

/// Two generations: the younger one takes what is new; when it is full it becomes the older one,
/// and what was in that is forgotten. Whatever is asked for comes back into the younger.
#[derive(Default)]
struct Shard {
    /// Which state of the keys this was verified by.
    epoch: u64,
    young: HashMap<TokenHash, Remembered>,
    old: HashMap<TokenHash, Remembered>,
}

pub(crate) struct Memory {
    shards: [Mutex<Shard>; SHARDS],
    /// How many a generation of a shard holds.
    room: usize,
}

impl Memory {
    /// Remembers about `capacity` tokens at the most; none where that is 0.
    pub(crate) fn new(capacity: usize) -> Self {
        Self { shards: Default::default(), room: capacity.div_ceil(2 * SHARDS) }
    }

    /// By what that token is known.
    pub(crate) fn hash(token: &str) -> TokenHash {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        hash
    }

    /// What is known of a token by the keys of `epoch`.
    pub(crate) fn get(&self, hash: &TokenHash, epoch: u64) -> Option<Remembered> {
        if self.room == 0 {
            return None;
        }
        let mut shard = self.shard(hash);
        if shard.epoch != epoch {
            return None;
        }
        if let Some(found) = shard.young.get(hash) {
            return Some(found.clone());
        }
        let found = shard.old.remove(hash)?;
        self.insert(&mut shard, hash, found.clone());
        Some(found)
    }

    /// Remembers what was verified by the keys of `epoch`.
    pub(crate) fn put(&self, hash: &TokenHash, epoch: u64, remembered: Remembered) {
        if self.room == 0 {
            return;
        }
        let mut shard = self.shard(hash);
        if shard.epoch < epoch {
            *shard = Shard { epoch, ..Shard::default() };
        }
        // What was verified by keys that are gone by now is not remembered.
        if shard.epoch == epoch {
            self.insert(&mut shard, hash, remembered);
        }
    }

    /// Forgets a token.
    pub(crate) fn forget(&self, hash: &TokenHash) {
        let mut shard = self.shard(hash);
        shard.young.remove(hash);
        shard.old.remove(hash);
    }

    fn insert(&self, shard: &mut Shard, hash: &TokenHash, remembered: Remembered) {
        if shard.young.len() >= self.room && !shard.young.contains_key(hash) {
            shard.old = std::mem::take(&mut shard.young);
        }
        shard.young.insert(*hash, remembered);
    }

    fn shard(&self, hash: &TokenHash) -> std::sync::MutexGuard<'_, Shard> {
        let shard = &self.shards[usize::from(hash[0]) % SHARDS];
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn remembered(sub: usize) -> Remembered {
        let claims = crate::AccessTokenClaims {
            iss: String::new(),
            aud: String::new(),
            sub: sub.to_string(),
            sid: String::new(),
            jti: String::new(),
            iat: 0,
            exp: 0,
            auth_time: 0,
            amr: Vec::new(),
            roles: Vec::new(),
            email_verified: false,
            phone_number_verified: false,
        };
        Remembered { verified: Verified(Arc::new(claims)), introspected_at: None, is_over: false }
    }

    fn hash(of: usize) -> TokenHash {
        Memory::hash(&of.to_string())
    }

    fn size(memory: &Memory) -> usize {
        let size = |shard: &Mutex<Shard>| {
            let shard = shard.lock().expect("a shard");
            shard.young.len() + shard.old.len()
        };
        memory.shards.iter().map(size).sum()
    }

    #[test]
    fn however_many_tokens_there_are_no_more_than_there_is_room_for_are_remembered() {
        let memory = Memory::new(320);
        for nth in 0..10_000 {
            memory.put(&hash(nth), 0, remembered(nth));
            assert!(size(&memory) <= 320);
        }
        assert!(size(&memory) > 160, "and they are remembered");
        let last = memory.get(&hash(9_999), 0).expect("the last one");
        assert_eq!(last.verified.sub, "9999");
        assert!(memory.get(&hash(0), 0).is_none());
        let nothing = Memory::new(0);
        nothing.put(&hash(1), 0, remembered(1));
        assert!(nothing.get(&hash(1), 0).is_none());
    }

    #[test]
    fn what_is_asked_for_stays() {
        let memory = Memory::new(320);
        memory.put(&hash(0), 0, remembered(0));
        for nth in 1..10_000 {
            memory.put(&hash(nth), 0, remembered(nth));
            assert!(memory.get(&hash(0), 0).is_some(), "after {nth}");
        }
    }

    #[test]
    fn other_keys_forget_everything_and_what_older_ones_verified_is_not_kept() {
        let memory = Memory::new(320);
        memory.put(&hash(1), 1, remembered(1));
        assert!(memory.get(&hash(1), 1).is_some());
        assert!(memory.get(&hash(1), 2).is_none());
        memory.put(&hash(1), 2, remembered(1));
        memory.put(&hash(1), 1, remembered(1));
        assert!(memory.get(&hash(1), 1).is_none());
        assert!(memory.get(&hash(1), 2).is_some());
        memory.forget(&hash(1));
        assert!(memory.get(&hash(1), 2).is_none());
    }
}
