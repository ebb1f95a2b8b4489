//! The machine under Mapae: its clock, its randomness, and what is done with the server's secret.
//!
//! Adapters of [`Clock`], [`SecretRng`], [`SecretHasher`] and [`MessageSealer`], over `ring`.
//!
//! [`Clock`]: mapae_application::ports::Clock
//! [`SecretRng`]: mapae_application::ports::SecretRng
//! [`SecretHasher`]: mapae_application::ports::SecretHasher
//! [`MessageSealer`]: mapae_application::ports::MessageSealer

mod clock;
mod keyring;
mod rng;
mod secret;

pub use clock::SystemClock;
pub use keyring::Keyring;
pub use rng::SystemRng;
pub use secret::{ServerSecret, WeakSecret};
