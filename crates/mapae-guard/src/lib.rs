#![doc = include_str!("../README.md")]

mod clock;
mod error;
mod fetch;
mod gate;
mod guard;
mod introspection;
mod keys;
mod memory;
#[cfg(feature = "poem")]
mod poem;
#[cfg(feature = "tower")]
mod tower;
mod verified;

pub use clock::Clock;
pub use error::{GuardError, InvalidGuard};
pub use gate::{Gate, bearer};
pub use guard::{Guard, GuardBuilder};
pub use introspection::Introspection;
pub use mapae_token_claims::AccessTokenClaims;
pub use verified::{Channel, Verified};

#[cfg(feature = "poem")]
pub use self::poem::GatedEndpoint;
#[cfg(feature = "tower")]
pub use self::tower::{GatedFuture, GatedService};
