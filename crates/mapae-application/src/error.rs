//! What goes wrong in more than one use case.

use std::borrow::Cow;
use std::time::Duration;

use mapae_domain::InvalidValue;

use crate::ports::{PasswordHashError, StoreError, TokenSigningError};

/// A field of a command holds what it cannot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// The field, as a path: `email`, `consents[0].document`.
    pub field: Cow<'static, str>,
    /// What is wrong with its value.
    pub reason: InvalidValue,
}

impl FieldError {
    pub(crate) fn new(field: impl Into<Cow<'static, str>>, reason: InvalidValue) -> Self {
        Self { field: field.into(), reason }
    }
}

/// Collects what is wrong with the fields of a command, so that all of it is told at once.
#[derive(Default)]
pub(crate) struct FieldErrors(Vec<FieldError>);

impl FieldErrors {
    pub(crate) fn add(&mut self, field: impl Into<Cow<'static, str>>, reason: InvalidValue) {
        self.0.push(FieldError::new(field, reason));
    }

    /// The value where there is a good one, and a note of what is wrong where there is a bad one.
    pub(crate) fn parse<T>(
        &mut self,
        field: &'static str,
        given: Option<&str>,
        parse: impl FnOnce(&str) -> Result<T, InvalidValue>,
    ) -> Option<T> {
        match parse(given?) {
            Ok(value) => Some(value),
            Err(reason) => {
                self.add(field, reason);
                None
            }
        }
    }

    pub(crate) fn into_result(self) -> Result<(), Vec<FieldError>> {
        if self.0.is_empty() { Ok(()) } else { Err(self.0) }
    }
}

/// Something that Mapae itself rests on did not do its part. The same request may work later.
#[derive(Debug, thiserror::Error)]
pub enum Unavailable {
    /// The store.
    #[error("the store did not do what it was asked to")]
    Store(#[from] StoreError),
    /// The password hasher has too much to do.
    #[error("too many passwords wait to be hashed")]
    Overloaded {
        /// When it is worth asking again.
        retry_after: Duration,
    },
    /// The password hasher failed.
    #[error("the password hasher failed")]
    Hasher,
    /// A token could not be signed.
    #[error("a token could not be signed")]
    Signing(#[from] TokenSigningError),
}

impl From<PasswordHashError> for Unavailable {
    fn from(error: PasswordHashError) -> Self {
        match error {
            PasswordHashError::Overloaded { retry_after } => Self::Overloaded { retry_after },
            PasswordHashError::Failed => Self::Hasher,
        }
    }
}

/// An error that may say that another unit of work came first.
pub(crate) trait MaybeStale {
    fn is_stale(&self) -> bool;
}

impl MaybeStale for StoreError {
    fn is_stale(&self) -> bool {
        matches!(self, Self::Stale)
    }
}

impl MaybeStale for Unavailable {
    fn is_stale(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_stale())
    }
}

/// Lets `?` turn an error of the store, the hasher or the signer into the error of a use case.
macro_rules! rests_on_the_world {
    ($($error:ident),* $(,)?) => {$(
        impl<E: Into<$crate::error::Unavailable>> From<E> for $error {
            fn from(error: E) -> Self {
                Self::Unavailable(error.into())
            }
        }

        impl $crate::error::MaybeStale for $error {
            fn is_stale(&self) -> bool {
                matches!(self, Self::Unavailable(error)
                    if $crate::error::MaybeStale::is_stale(error))
            }
        }
    )*};
}
pub(crate) use rests_on_the_world;

/// How often a unit of work is begun anew before its caller is told to come back.
pub(crate) const MOST_STALE: u8 = 8;

/// Evaluates an attempt until it is not stale: begun anew, a unit of work sees what came first.
macro_rules! until_settled {
    ($attempt:expr) => {{
        let mut stale = 0;
        loop {
            match $attempt {
                Err(error)
                    if $crate::error::MaybeStale::is_stale(&error)
                        && stale < $crate::error::MOST_STALE =>
                {
                    stale += 1;
                    // Whoever came first is given time to be done.
                    let pause = u64::from(stale) * u64::from(stale);
                    tokio::time::sleep(std::time::Duration::from_millis(pause)).await;
                }
                settled => break settled,
            }
        }
    }};
}
pub(crate) use until_settled;
