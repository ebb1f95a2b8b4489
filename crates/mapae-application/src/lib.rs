//! Mapae's use cases, and the ports that they need.
//!
//! [`Application`] is the whole of it: each operation of the service is one of its methods, in the
//! module of its topic, with a command to go in, a view to come out, and an error of its own. What
//! the operations need of the world is a [port](ports), which an adapter of another crate fills.

pub mod idempotency;
pub mod inbox;
pub mod outbox;
pub mod ports;
