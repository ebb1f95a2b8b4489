//! What [`SecretHasher`] promises.
//!
//! Each promise takes what makes an adapter over a secret of 32 bytes: replicas share a secret, and
//! installations do not.

use std::collections::HashSet;

use mapae_application::ports::{HashContext, SecretHasher};

use super::secret;

const CONTEXTS: [HashContext; 13] = [
    HashContext::Code,
    HashContext::LinkKey,
    HashContext::RegistrationToken,
    HashContext::RefreshToken,
    HashContext::ContactSends,
    HashContext::Deliverability,
    HashContext::DeliveryEvent,
    HashContext::ClientSecret,
    HashContext::CsrfToken,
    HashContext::IdempotencyKey,
    HashContext::RequestContent,
    HashContext::Installation,
    HashContext::Export,
];

fn bytes<H: SecretHasher>(hasher: &H, context: HashContext, parts: &[&[u8]]) -> [u8; 32] {
    *hasher.hash(context, parts).as_bytes()
}

/// One input has one hash, now and on every replica.
pub fn one_input_has_one_hash_on_every_replica<H: SecretHasher>(make: impl Fn([u8; 32]) -> H) {
    let (first, replica) = (make(secret(1)), make(secret(1)));
    for context in CONTEXTS {
        let parts: [&[u8]; 2] = [b"123456", b"minji"];
        let hash = bytes(&first, context, &parts);
        assert_eq!(hash, bytes(&first, context, &parts), "{context:?}, again");
        assert_eq!(hash, bytes(&replica, context, &parts), "{context:?}, on a replica");
    }
}

/// Another secret gives another hash, if it differs in one bit only.
pub fn another_secret_gives_another_hash<H: SecretHasher>(make: impl Fn([u8; 32]) -> H) {
    let mut secrets = vec![secret(1), secret(2)];
    for position in [0, 31] {
        let mut close = secret(1);
        close[position] ^= 0x80;
        secrets.push(close);
    }
    for context in CONTEXTS {
        let hashes: HashSet<_> =
            secrets.iter().map(|secret| bytes(&make(*secret), context, &[b"123456"])).collect();
        assert_eq!(hashes.len(), secrets.len(), "{context:?}");
    }
}

/// One input has another hash for each purpose.
pub fn each_context_has_hashes_of_its_own<H: SecretHasher>(make: impl Fn([u8; 32]) -> H) {
    let hasher = make(secret(1));
    let inputs: [&[&[u8]]; 3] = [&[], &[b""], &[b"123456"]];
    for parts in inputs {
        let hashes: HashSet<_> =
            CONTEXTS.into_iter().map(|context| bytes(&hasher, context, parts)).collect();
        assert_eq!(hashes.len(), CONTEXTS.len());
    }
}

/// Where one part ends and the next begins makes a difference.
pub fn parts_are_kept_apart<H: SecretHasher>(make: impl Fn([u8; 32]) -> H) {
    let hasher = make(secret(1));
    let inputs: [&[&[u8]]; 12] = [
        &[],
        &[b""],
        &[b"", b""],
        &[b"abc"],
        &[b"ab", b"c"],
        &[b"a", b"bc"],
        &[b"a", b"b", b"c"],
        &[b"abc", b""],
        &[b"", b"abc"],
        &[b"c", b"ab"],
        &[b"abc\0"],
        &[b"abc", b"\0"],
    ];
    let hashes: HashSet<_> =
        inputs.iter().map(|parts| bytes(&hasher, HashContext::Code, parts)).collect();
    assert_eq!(hashes.len(), inputs.len());
}

/// Inputs of every length have hashes, and those that differ in one bit have others.
pub fn every_bit_of_the_input_counts<H: SecretHasher>(make: impl Fn([u8; 32]) -> H) {
    let hasher = make(secret(1));
    let input = [0; 200];
    let mut hashes = HashSet::from([bytes(&hasher, HashContext::Code, &[&input])]);
    for bit in 0..input.len() * 8 {
        let mut altered = input;
        altered[bit / 8] ^= 1 << (bit % 8);
        assert!(hashes.insert(bytes(&hasher, HashContext::Code, &[&altered])), "bit {bit}");
    }
}
