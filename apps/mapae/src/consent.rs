//! `mapae consent`: consents to advertising, which are reconfirmed every two years.

use std::time::Duration;

use clap::Subcommand;
use mapae_application::outbox::Relay;

use crate::config::Config;
use crate::{Failure, print, wire};

/// What is done with consents.
#[derive(Subcommand)]
pub(crate) enum ConsentCommand {
    /// List consents to advertising that people are to be reminded of, longest due first.
    Due(Selection),
    /// Remind people of what `due` lists, by message, each once.
    Remind(Selection),
}

/// Which consents are meant.
#[derive(clap::Args)]
pub(crate) struct Selection {
    /// Those that will be due within so long, too: people have to be reminded before two years are
    /// over, not after.
    #[arg(long, value_parser = humantime::parse_duration, default_value = "30d")]
    within: Duration,
    /// No more than so many.
    #[arg(long, default_value_t = 1_000)]
    limit: u32,
}

/// Runs `mapae consent …`.
pub(crate) async fn consent(config: &Config, command: ConsentCommand) -> Result<(), Failure> {
    let store = wire::open_current_store(config).await?;
    let public_origin = wire::public_origin(config, None)?;
    let wire::System { store, application, relay, .. } =
        wire::build(config, store, &public_origin).await?;
    let (ConsentCommand::Due(selection) | ConsentCommand::Remind(selection)) = &command;
    let before = application.now().plus(selection.within);
    let mut reminded = 0_u32;
    let due = application.due_reminders(before, selection.limit).await?;
    let mut ended = Ok(());
    for reminder in due {
        match command {
            ConsentCommand::Due(_) => {
                let document = &reminder.document;
                print(&format!(
                    "{}\t{}\t{}\t{}\t{}",
                    reminder.user,
                    document.name(),
                    document.version(),
                    day(reminder.decided_at),
                    day(reminder.due),
                ));
            }
            // One that somebody else reminds of at the same time is theirs.
            ConsentCommand::Remind(_) => match application.remind(&reminder).await {
                Ok(done) => reminded += u32::from(done),
                Err(error) => {
                    ended = Err(error);
                    break;
                }
            },
        }
    }
    if let ConsentCommand::Remind(_) = command {
        print(&format!("reminded\t{reminded}"));
    }
    if let Some(relay) = relay {
        // Workers are told of what was queued, and nothing more.
        Relay { listens: false, ..relay }.run(std::future::ready(())).await;
    }
    store.close().await?;
    Ok(ended?)
}

/// A day, by UTC.
fn day(at: mapae_domain::Timestamp) -> String {
    let since = Duration::from_secs(u64::try_from(at.as_seconds()).unwrap_or_default());
    let text = humantime::format_rfc3339_seconds(std::time::UNIX_EPOCH + since).to_string();
    text.chars().take(10).collect()
}
