//! `mapae user`: who may log in.

use clap::Subcommand;
use mapae_domain::user::UserStatus;

use crate::config::Config;
use crate::{Failure, print, wire};

/// What is done with users.
#[derive(Subcommand)]
pub(crate) enum UserCommand {
    /// Shut a user out: no log-in any more, and every session ends at once.
    Disable {
        /// The user's username, e-mail address or phone number.
        #[arg(allow_hyphen_values = true)]
        login: String,
    },
    /// Let a user in again, who has to log in anew.
    Enable {
        /// The user's username, e-mail address or phone number.
        #[arg(allow_hyphen_values = true)]
        login: String,
    },
}

/// Runs `mapae user …`.
pub(crate) async fn user(config: &Config, command: UserCommand) -> Result<(), Failure> {
    let store = wire::open_current_store(config).await?;
    let public_origin = wire::public_origin(config, None)?;
    let wire::System { store, application, .. } =
        wire::build(config, store, &public_origin).await?;
    let (login, status) = match &command {
        UserCommand::Disable { login } => (login, UserStatus::Disabled),
        UserCommand::Enable { login } => (login, UserStatus::Active),
    };
    let id = application.set_user_status(login, status).await?;
    print(&format!("{id}\t{}", status.as_str()));
    store.close().await?;
    Ok(())
}
