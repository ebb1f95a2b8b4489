//! Users: what an account's owner sees and changes, and who may log in at all.

mod contact;
mod export;
mod password;
mod profile;
mod reset;
mod status;
mod withdraw;

pub(crate) use contact::ContactChange;
pub use contact::{ChangeContact, ContactError, UndoContactError};
pub use export::{Export, ExportError};
pub use password::{ChangePassword, ChangePasswordError};
pub use profile::{ChangeProfile, ChangeProfileError};
pub use reset::{
    CompletePasswordReset, CompleteResetError, PasswordResetView, RequestPasswordReset,
    RequestResetError, ResetProof,
};
pub use status::SetUserStatusError;
pub use withdraw::WithdrawError;
