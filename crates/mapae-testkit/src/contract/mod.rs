//! What each port promises, one function a promise, and one macro a port that turns the promises
//! into tests of an adapter.
//!
//! A macro declares its tests where it stands, named after the promises; give each a module of its
//! own:
//!
//! ```ignore
//! mod store {
//!     mapae_testkit::store_contract! { super::fresh().await }
//! }
//! ```
//!
//! The crate that uses a macro needs `tokio` among its dependencies.

mod macros;

pub mod clock;
pub mod email;
pub mod password;
pub mod renderer;
pub mod rng;
pub mod sealer;
pub mod secret_hasher;
pub mod simplejwt;
pub mod sms;
pub mod store;
pub mod tokens;
pub mod wake_up;

/// A server's secret: the same for the same number, and as random to look at as a real one.
fn secret(number: u64) -> [u8; 32] {
    let mut secret = [0; 32];
    mapae_application::ports::SecretRng::fill(&crate::fake::SequenceRng::new(number), &mut secret);
    secret
}
