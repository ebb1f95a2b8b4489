//! [`AccessTokens`] as JSON Web Tokens: ES256, EdDSA or RS256, over `ring`.
//!
//! Only what Mapae itself signs is ever accepted: the compact form, by a key of its own, of that
//! key's one algorithm, of the expected kind (RFC 8725 §3). Whatever a header says about keys is
//! not even read.
//!
//! [`AccessTokens`]: mapae_application::ports::AccessTokens

mod claims;
mod jws;
mod key;
mod rsa;
mod simplejwt;
mod tokens;

pub use key::{KeyError, KeyMaker, SigningKey};
pub use mapae_token_claims::Algorithm;
pub use simplejwt::JwtSimpleTokens;
pub use tokens::{JwtSettings, JwtTokens, NoSigningKey};
