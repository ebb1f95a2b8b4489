//! What Mapae writes to people, in Korean and English: [`MessageRenderer`] on minijinja templates.
//!
//! The templates are compiled in; an operator replaces any of them by a file of the same name in a
//! folder. Each is tried with samples when the messages are loaded, so that a broken one stops the
//! start and not a sign-up. `templates/README.md` says which there are and what they are given.
//!
//! [`MessageRenderer`]: mapae_application::ports::MessageRenderer

mod check;
mod load;
mod render;
mod template;

pub use load::{LoadError, MessageSettings};
pub use render::Messages;
