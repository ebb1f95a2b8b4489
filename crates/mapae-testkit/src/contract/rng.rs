//! What [`SecretRng`] promises, as far as its output can show it.

use std::collections::HashSet;
use std::sync::Arc;

use mapae_application::ports::SecretRng;

/// Every byte is filled, whatever the length.
pub fn every_byte_is_filled(rng: Arc<dyn SecretRng>) {
    for length in [1, 2, 7, 8, 9, 15, 16, 31, 32, 33, 64, 1_000] {
        let mut touched = vec![false; length];
        // A byte that is filled is zero each of 32 times with a chance of one in 2²⁵⁶.
        for _ in 0..32 {
            let mut bytes = vec![0; length];
            rng.fill(&mut bytes);
            for (touched, byte) in touched.iter_mut().zip(bytes) {
                *touched |= byte != 0;
            }
        }
        assert!(touched.iter().all(|touched| *touched), "of {length} bytes one is never filled");
    }
    rng.fill(&mut []);
}

/// What was there before does not show through.
pub fn what_was_there_before_does_not_matter(rng: Arc<dyn SecretRng>) {
    let mut cleared = [false; 32];
    for _ in 0..32 {
        let mut bytes = [0xff; 32];
        rng.fill(&mut bytes);
        for (cleared, byte) in cleared.iter_mut().zip(bytes) {
            *cleared |= byte != 0xff;
        }
    }
    assert!(cleared.iter().all(|cleared| *cleared));
}

/// No sixteen bytes come twice, whichever of several threads draws them.
pub fn nothing_comes_twice_on_any_thread(rng: Arc<dyn SecretRng>) {
    const DRAWS: usize = 5_000;
    let draw = || {
        let mut bytes = [0; 16];
        rng.fill(&mut bytes);
        bytes
    };
    let drawn: Vec<[u8; 16]> = std::thread::scope(|scope| {
        let draws = || (0..DRAWS).map(|_| draw()).collect::<Vec<_>>();
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(draws)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(drawn.len(), 4 * DRAWS);
    assert_eq!(drawn.into_iter().collect::<HashSet<_>>().len(), 4 * DRAWS);
}

/// Each of the eight bits of a byte is set about half of the time.
pub fn every_bit_is_set_about_half_of_the_time(rng: Arc<dyn SecretRng>) {
    let mut bytes = vec![0; 65_536];
    rng.fill(&mut bytes);
    for bit in 0..8 {
        let set = bytes.iter().filter(|byte| **byte >> bit & 1 == 1).count();
        // Half of 65,536, with a standard deviation of 128: eight of them either way.
        assert!((31_744..33_792).contains(&set), "bit {bit} is set in {set} bytes");
    }
}
