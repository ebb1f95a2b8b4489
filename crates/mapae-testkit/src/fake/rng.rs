use std::sync::atomic::{AtomicU64, Ordering};

use mapae_application::ports::SecretRng;

/// A fixed sequence of bytes that looks random and is not: whoever knows the seed knows it all.
///
/// `splitmix64`: each eight bytes are one step of a counter, mixed, so that no eight bytes come
/// twice within 2⁶⁴ steps, whichever threads draw them.
#[derive(Debug)]
pub struct SequenceRng(AtomicU64);

impl SequenceRng {
    /// The distance of two steps: odd, so that the counter takes every value once.
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

    /// The sequence of that seed.
    pub const fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    fn next(&self) -> u64 {
        let mut mixed = self.0.fetch_add(Self::STEP, Ordering::Relaxed).wrapping_add(Self::STEP);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

impl Default for SequenceRng {
    fn default() -> Self {
        Self::new(0)
    }
}

impl SecretRng for SequenceRng {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_be_bytes()[..chunk.len()]);
        }
    }
}
