//! The one binary of Mapae: wires the crates together, and holds no rule of its own.

mod config;
mod consent;
mod doctor;
mod key;
mod logging;
mod message;
mod metrics;
mod portable;
mod secret;
mod senders;
mod serve;
mod traces;
mod user;
mod wire;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};
use mapae_application::ports::Untraced;
use tokio::runtime::Runtime;

use crate::config::Config;
use crate::consent::ConsentCommand;
use crate::key::KeyCommand;
use crate::message::{AddressCommand, MessageCommand};
use crate::traces::Traces;
use crate::user::UserCommand;

/// Sign-up, proof of e-mail addresses and phone numbers, log-in and tokens.
#[derive(Parser)]
#[command(name = "mapae", version, about)]
struct Cli {
    /// The configuration file; `mapae.toml` where there is one.
    #[arg(long, short, env = "MAPAE_CONFIG", global = true)]
    config: Option<PathBuf>,

    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve HTTP, and send what the outbox holds.
    Serve {
        /// Leave the sending to `mapae work`.
        #[arg(long)]
        no_worker: bool,
    },
    /// Send what the outbox holds, and nothing else. Any number of these share one database.
    Work,
    /// Bring the database to this release's schema.
    Migrate,
    /// Look at the installation as it is configured: a line each, and exit status 1 where something
    /// does not work. Sends nothing.
    Doctor,
    /// Print the configuration as it is in force, without its secrets.
    Config,
    /// Send a test message, or list what became of messages.
    #[command(subcommand)]
    Message(MessageCommand),
    /// List the keys that sign tokens, make the next, or retire one.
    #[command(subcommand)]
    Key(KeyCommand),
    /// Shut users out, or let them in again.
    #[command(subcommand)]
    User(UserCommand),
    /// List consents to advertising that are to be reconfirmed, or remind people of them.
    #[command(subcommand)]
    Consent(ConsentCommand),
    /// Look at e-mail addresses whose messages did not arrive, and clear them.
    #[command(subcommand)]
    Address(AddressCommand),
    /// Write everything that the database holds as lines of JSON, as it is at one instant: to move to
    /// another database. What is written is as secret as the database itself.
    Export {
        /// A file that is not there yet, or `-` for standard output.
        #[arg(long, short, default_value = "-")]
        output: PathBuf,
    },
    /// Bring what `export` has written into an empty database, all of it or nothing. Nobody serves on
    /// that database meanwhile.
    Import {
        /// The file.
        file: PathBuf,
        /// Do all of it, and undo it in the end: whether it would succeed.
        #[arg(long)]
        dry_run: bool,
    },
    /// Print the OpenAPI document.
    Openapi,
}

/// What ends the process, for whoever started it.
type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "the last words of a command-line program")]
            {
                eprintln!("mapae: {}", with_causes(&*error));
            }
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<(), Failure> {
    if let Command::Openapi = cli.command {
        return print_openapi();
    }
    let config = Config::load(cli.config.as_deref())?;
    if let Command::Config = cli.command {
        print(&config.shown()?);
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    if let Command::Serve { .. } | Command::Work = cli.command {
        return run_traced(config, &cli.command, &runtime);
    }
    logging::start(&config.log, None)?;
    match cli.command {
        Command::Migrate => runtime.block_on(serve::migrate(&config)),
        Command::Doctor => runtime.block_on(doctor::doctor(&config)),
        Command::Message(command) => runtime.block_on(message::message(&config, command)),
        Command::Key(command) => runtime.block_on(key::key(&config, command)),
        Command::User(command) => runtime.block_on(user::user(&config, command)),
        Command::Consent(command) => runtime.block_on(consent::consent(&config, command)),
        Command::Address(command) => runtime.block_on(message::mark(&config, command)),
        Command::Export { output } => runtime.block_on(portable::export(&config, &output)),
        Command::Import { file, dry_run } => {
            runtime.block_on(portable::import(&config, &file, dry_run))
        }
        Command::Config | Command::Openapi | Command::Serve { .. } | Command::Work => Ok(()),
    }
}

/// Runs until the process is told to stop, with traces where they are configured.
fn run_traced(config: Config, command: &Command, runtime: &Runtime) -> Result<(), Failure> {
    let (traces, layer) = Traces::start(&config.traces, runtime.handle())?.unzip();
    logging::start(&config.log, layer)?;
    let links = traces.as_ref().map_or_else(|| Arc::new(Untraced) as _, Traces::links);
    let ended = match command {
        Command::Serve { no_worker } => runtime.block_on(serve::serve(config, !no_worker, links)),
        _ => runtime.block_on(serve::work(&config, links)),
    };
    if let Some(traces) = traces {
        traces.stop();
    }
    ended
}

fn print_openapi() -> Result<(), Failure> {
    print(&serde_json::to_string_pretty(&mapae_http::openapi_document())?);
    Ok(())
}

/// Writes a line of what a command was asked for.
#[expect(clippy::print_stdout, reason = "what the command was asked for")]
fn print(line: &str) {
    println!("{line}");
}

/// An error and what caused it, on one line. Some say their cause themselves.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.ends_with(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    text
}
