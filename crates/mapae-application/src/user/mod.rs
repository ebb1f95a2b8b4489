//! Users: what an account's owner sees and changes, and who may log in at all.

mod password;
mod profile;
mod reset;
mod status;

pub use password::{ChangePassword, ChangePasswordError};
pub use profile::{ChangeProfile, ChangeProfileError};
pub use reset::{
    CompletePasswordReset, CompleteResetError, PasswordResetView, RequestPasswordReset,
    RequestResetError, ResetProof,
};
pub use status::SetUserStatusError;
