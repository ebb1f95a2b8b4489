//! [`PasswordHasher`] on argon2id (RFC 9106).
//!
//! Hashes are computed on threads of their own, one a core, each of which keeps its memory from one
//! hash to the next: a burst of log-ins neither stalls the threads that answer requests nor leaves
//! the allocator with hundreds of megabytes. What waits is bounded; beyond that the answer is
//! [`PasswordHashError::Overloaded`], at once.
//!
//! [`PasswordHasher`]: mapae_application::ports::PasswordHasher
//! [`PasswordHashError::Overloaded`]: mapae_application::ports::PasswordHashError::Overloaded

mod hasher;
mod params;
mod phc;
mod queue;

pub use hasher::Argon2Hasher;
pub use params::{Argon2Settings, InvalidSettings};
