//! [`WakeUps`] by Redis: what one process publishes, others have subscribed to.
//!
//! Nothing is kept in Redis, and nothing rests on it. It is connected to when it is needed first, and
//! anew whenever it was gone.
//!
//! [`WakeUps`]: mapae_application::ports::WakeUps

mod server;
mod wake_up;

pub use server::{RedisServer, RedisUrlError};
pub use wake_up::RedisWakeUps;
