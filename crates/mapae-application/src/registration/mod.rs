//! Registrations: signing up, and what becomes of it.

mod complete;
mod parse;
mod register;
mod view;

pub use register::{Register, RegisterError};
pub use view::{GetRegistrationError, RegistrationView};

pub(crate) use complete::Completion;
