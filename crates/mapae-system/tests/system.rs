//! The machine keeps what the ports promise.
#![expect(clippy::expect_used, reason = "test code: what fails here fails a test")]

use std::sync::Arc;

use mapae_system::{Keyring, ServerSecret, SystemRng};

fn keyring(secret: [u8; 32]) -> Keyring {
    // A test's secrets are patterns, which a server's must not be: spread them first.
    let hex: String = (0_u8..32)
        .zip(secret)
        .map(|(at, byte)| format!("{:02x}", byte.wrapping_mul(7).wrapping_add(at.wrapping_mul(37))))
        .collect();
    let secret = ServerSecret::parse(&hex).expect("a secret");
    Keyring::new(&secret, Arc::new(SystemRng::new()))
}

mod clock {
    mapae_testkit::clock_contract! { std::sync::Arc::new(mapae_system::SystemClock) }
}

mod rng {
    mapae_testkit::rng_contract! { std::sync::Arc::new(mapae_system::SystemRng::new()) }
}

mod secret_hasher {
    mapae_testkit::secret_hasher_contract! { super::keyring }
}

mod sealer {
    mapae_testkit::sealer_contract! { super::keyring }
}
