//! What [`MessageSealer`] promises.
//!
//! Each promise takes what makes an adapter over a secret of 32 bytes: replicas share a secret, and
//! installations do not.

use mapae_application::ports::MessageSealer;

use super::secret;

const CONTEXT: &[u8] = b"outbox:1";
const CONTENT: &[u8] = b"{\"code\":\"123456\"}";

/// What was sealed is opened again, whatever its length, by whoever has the secret.
pub fn what_was_sealed_is_opened_by_every_replica<S: MessageSealer>(make: impl Fn([u8; 32]) -> S) {
    let (sealer, replica) = (make(secret(1)), make(secret(1)));
    for length in [0, 1, 15, 16, 17, 255, 4_096, 100_000] {
        let content: Vec<u8> = (0..=u8::MAX).cycle().take(length).collect();
        for context in [CONTEXT, b""] {
            let sealed = sealer.seal(context, &content);
            for opener in [&sealer, &replica] {
                let opened = opener.open(context, &sealed).unwrap();
                assert!(*opened == content, "{length} bytes come back changed");
            }
        }
    }
}

/// What was sealed does not show its content.
pub fn what_was_sealed_shows_nothing<S: MessageSealer>(make: impl Fn([u8; 32]) -> S) {
    let sealed = make(secret(1)).seal(CONTEXT, CONTENT);
    for shown in CONTENT.windows(4) {
        assert!(!sealed.windows(4).any(|window| window == shown));
    }
}

/// Two sealings of one content have nothing in common, on one replica and on two.
pub fn two_sealings_of_one_content_look_unrelated<S: MessageSealer>(make: impl Fn([u8; 32]) -> S) {
    let (sealer, replica) = (make(secret(1)), make(secret(1)));
    let content = [0x61; 256];
    let sealings: Vec<Vec<u8>> = (0..16)
        .map(|number| if number % 2 == 0 { &sealer } else { &replica })
        .map(|sealer| sealer.seal(CONTEXT, &content))
        .collect();
    for (position, first) in sealings.iter().enumerate() {
        for second in &sealings[position + 1..] {
            // By chance one byte in 256 is equal: about one here, and never an eighth of them.
            let equal = first.iter().zip(second).filter(|(a, b)| a == b).count();
            assert!(equal < first.len() / 8, "{equal} of {} bytes are equal", first.len());
        }
    }
}

/// In another context it is not opened.
pub fn another_context_does_not_open<S: MessageSealer>(make: impl Fn([u8; 32]) -> S) {
    let sealer = make(secret(1));
    let sealed = sealer.seal(CONTEXT, CONTENT);
    for context in [b"outbox:2".as_slice(), b"outbox:", b"outbox:1\0", b"", b"Outbox:1"] {
        assert!(sealer.open(context, &sealed).is_err(), "{context:?}");
    }
}

/// With another secret it is not opened.
pub fn another_secret_does_not_open<S: MessageSealer>(make: impl Fn([u8; 32]) -> S) {
    let sealed = make(secret(1)).seal(CONTEXT, CONTENT);
    let mut close = secret(1);
    close[31] ^= 1;
    for other in [secret(2), close] {
        assert!(make(other).open(CONTEXT, &sealed).is_err());
    }
}

/// With a single bit altered it is not opened.
pub fn a_single_altered_bit_is_refused<S: MessageSealer>(make: impl Fn([u8; 32]) -> S) {
    let sealer = make(secret(1));
    let sealed = sealer.seal(CONTEXT, CONTENT);
    for bit in 0..sealed.len() * 8 {
        let mut altered = sealed.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        assert!(sealer.open(CONTEXT, &altered).is_err(), "bit {bit}");
    }
}

/// Shortened, lengthened, or made up, it is not opened, and nothing panics.
pub fn what_was_never_sealed_is_refused<S: MessageSealer>(make: impl Fn([u8; 32]) -> S) {
    let sealer = make(secret(1));
    let sealed = sealer.seal(CONTEXT, CONTENT);
    for length in 0..sealed.len() {
        assert!(sealer.open(CONTEXT, &sealed[..length]).is_err(), "its first {length} bytes");
        assert!(sealer.open(CONTEXT, &sealed[length + 1..]).is_err(), "less {length} + 1 bytes");
    }
    let mut longer = sealed;
    longer.push(0);
    assert!(sealer.open(CONTEXT, &longer).is_err(), "one byte more");
    for length in [1, 12, 16, 28, 64, 10_000] {
        assert!(sealer.open(CONTEXT, &vec![0; length]).is_err(), "{length} zeros");
    }
}
