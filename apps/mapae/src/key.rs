//! `mapae key`: the keys that sign tokens.

use std::sync::Arc;

use clap::Subcommand;
use mapae_application::ports::{Clock as _, SecretRng};
use mapae_application::signing_key::{SigningKeyView, SigningKeys};
use mapae_system::{Keyring, SystemClock, SystemRng};
use mapae_token_jwt::KeyMaker;

use crate::config::Config;
use crate::secret::server_secret;
use crate::{Failure, print, wire};

/// What is done with signing keys.
#[derive(Subcommand)]
pub(crate) enum KeyCommand {
    /// List every key, oldest first: kid, algorithm, where it stands, from when on it signs.
    List,
    /// Make the next key. It is published now, and signs once everybody knows it.
    Rotate,
    /// Retire a key: whatever it has signed is not good any more.
    Retire {
        /// The key's kid.
        // A thumbprint in Base64 begins with a hyphen in one case of 64.
        #[arg(allow_hyphen_values = true)]
        kid: String,
        /// Even if what it has signed may still be good: for a key that somebody else may have.
        #[arg(long)]
        at_once: bool,
    },
}

/// Runs `mapae key …`. Running services see what has changed within 15 seconds.
pub(crate) async fn key(config: &Config, command: KeyCommand) -> Result<(), Failure> {
    let store = wire::open_current_store(config).await?;
    let rng: Arc<dyn SecretRng> = Arc::new(SystemRng::new());
    let keyring = Keyring::new(&server_secret(config, &*rng)?, Arc::clone(&rng));
    let (maker, policy) = (KeyMaker::new(config.algorithm()?), config.signing_keys()?);
    let keys = SigningKeys { store: &store, sealer: &keyring, maker: &maker, policy: &policy };
    let now = SystemClock.now();
    match command {
        KeyCommand::List => {
            for key in keys.list(now).await? {
                print(&line(&key));
            }
        }
        KeyCommand::Rotate => print(&line(&keys.rotate(now).await?)),
        KeyCommand::Retire { kid, at_once } => keys.retire(&kid, at_once, now).await?,
    }
    store.close().await?;
    Ok(())
}

fn line(key: &SigningKeyView) -> String {
    let seconds = key.life.signs_from.as_seconds();
    let at = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds.max(0).unsigned_abs());
    let at = humantime::format_rfc3339_seconds(at);
    format!("{}\t{}\t{}\tsigns from {at}", key.kid, key.algorithm, key.state.as_str())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::{Cli, Command};

    fn retired(words: &[&str]) -> (String, bool) {
        let words = ["mapae", "key", "retire"].iter().chain(words);
        let cli = Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{error}"));
        let Command::Key(KeyCommand::Retire { kid, at_once }) = cli.command else {
            panic!("another command")
        };
        (kid, at_once)
    }

    #[test]
    fn a_key_is_named_by_its_kid_whatever_that_begins_with() {
        // `-c` and `-h` are options, too.
        for begins in ["k", "-", "--", "-c", "-h", "_"] {
            let kid = format!("{begins:0<43}");
            assert_eq!(retired(&[&kid]), (kid.clone(), false));
            assert_eq!(retired(&[&kid, "--at-once"]), (kid.clone(), true));
            assert_eq!(retired(&["--at-once", &kid]), (kid.clone(), true));
            assert_eq!(retired(&["--at-once", "--", &kid]), (kid, true));
        }
        assert!(Cli::try_parse_from(["mapae", "key", "retire", "--at-once"]).is_err());
    }
}
