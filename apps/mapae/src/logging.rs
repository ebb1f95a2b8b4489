//! Where the log goes: standard error, for people or as JSON.

use serde::{Deserialize, Serialize};
use tracing::Level;
use tracing_subscriber::filter::{EnvFilter, FilterExt as _, filter_fn};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

/// `[log]`.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LogConfig {
    /// `error`, `warn`, `info`, `debug` or `trace`, or a list of them by module:
    /// `info,mapae_application=debug`.
    pub(crate) level: String,
    /// How lines look.
    pub(crate) format: LogFormat,
}

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LogFormat {
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: LogFormat::Human }
    }
}

/// Whether a line comes from Mapae's own code.
fn is_ours(target: &str) -> bool {
    target.split("::").next().is_some_and(|krate| krate == "mapae" || krate.starts_with("mapae_"))
}

/// Starts logging. Mapae's own code says nothing that is secret at any level; of all other code only
/// what is worth an `info` or more is shown.
///
/// # Errors
/// The level is none.
pub(crate) fn start(config: &LogConfig) -> Result<(), crate::Failure> {
    let filter = EnvFilter::try_new(&config.level)
        .map_err(|_| "log.level is neither a level nor a list of modules with levels")?;
    // What others say in detail can hold anything: whole requests, with addresses and codes.
    let discreet = filter_fn(|line| is_ours(line.target()) || *line.level() <= Level::INFO);
    let filter = filter.and(discreet);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let log = tracing_subscriber::registry();
    match config.format {
        LogFormat::Human => {
            let for_people = std::io::IsTerminal::is_terminal(&std::io::stderr());
            log.with(lines.with_ansi(for_people).with_filter(filter)).init();
        }
        LogFormat::Json => log.with(lines.json().flatten_event(true).with_filter(filter)).init(),
    }
    // A panic is a fault of ours: its place is worth a line, its message may hold anything.
    std::panic::set_hook(Box::new(|panic| {
        let at = panic.location().map(ToString::to_string);
        tracing::error!(at, "panicked");
    }));
    Ok(())
}
