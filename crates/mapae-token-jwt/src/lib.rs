//! [`AccessTokens`] as JSON Web Tokens: ES256 or EdDSA, over `ring`.
//!
//! Only what Mapae itself signs is ever accepted: the compact form, by a key of its own, of that
//! key's one algorithm, of the expected kind (RFC 8725 §3). Whatever a header says about keys is
//! not even read.
//!
//! [`AccessTokens`]: mapae_application::ports::AccessTokens

mod claims;
mod jws;
mod key;
mod tokens;

pub use key::{Algorithm, KeyError, KeyMaker, SigningKey};
pub use tokens::{JwtSettings, JwtTokens, NoSigningKey};
