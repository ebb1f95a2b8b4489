//! What tests of Mapae are made of: fakes of every port, builders of every entity, a clock that
//! you set, and one contract suite a port.
//!
//! For development only: nothing that is shipped depends on this crate.
//!
//! * [`mod@fake`]: an adapter of each port that lives in memory and can be told to fail.
//! * [`contract`]: what a port promises, one function a promise. A macro a port declares one test
//!   for each, for whatever adapter it is given; the fakes pass them as every real adapter does.
//! * [`machine`]: ports, servers that the environment names, and none of its settings.
//! * [`build`]: entities and values in one call, with ids that never repeat.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test code: a broken expectation is a failed test"
)]

pub mod build;
pub mod contract;
pub mod fake;
pub mod machine;
