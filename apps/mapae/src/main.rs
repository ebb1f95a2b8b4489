//! The one binary of Mapae: wires the crates together, and holds no rule of its own.

mod config;
mod logging;
mod secret;
mod serve;
mod wire;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::Config;

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
    Serve,
    /// Bring the database to this release's schema.
    Migrate,
    /// Print the OpenAPI document.
    Openapi,
}

/// What ends the process, for whoever started it.
type Failure = Box<dyn std::error::Error>;

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
    logging::start(&config.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match cli.command {
        Command::Serve => runtime.block_on(serve::serve(config)),
        Command::Migrate => runtime.block_on(serve::migrate(&config)),
        Command::Openapi => Ok(()),
    }
}

#[expect(clippy::print_stdout, reason = "what the command was asked for")]
fn print_openapi() -> Result<(), Failure> {
    println!("{}", serde_json::to_string_pretty(&mapae_http::openapi_document())?);
    Ok(())
}

/// An error and what caused it, on one line.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
