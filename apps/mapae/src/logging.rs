//! Where the log goes: standard error, for people or as JSON.

use mapae_application::trace::TARGET;
use serde::{Deserialize, Serialize};
use tracing::Level;
use tracing_subscriber::Registry;
use tracing_subscriber::filter::{EnvFilter, FilterExt as _, filter_fn};
use tracing_subscriber::layer::{Layer, SubscriberExt as _};
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

/// Takes lines or spans.
pub(crate) type BoxedLayer = Box<dyn Layer<Registry> + Send + Sync>;

/// Starts logging. Mapae's own code says nothing that is secret at any level; of all other code only
/// what is worth an `info` or more is shown. Spans that are exported go to `traces` alone.
///
/// # Errors
/// The level is none.
pub(crate) fn start(config: &LogConfig, traces: Option<BoxedLayer>) -> Result<(), crate::Failure> {
    tracing_subscriber::registry().with(layers(config, traces)?).init();
    // A panic is a fault of ours: its place is worth a line, its message may hold anything.
    std::panic::set_hook(Box::new(|panic| {
        let at = panic.location().map(ToString::to_string);
        tracing::error!(at, "panicked");
    }));
    Ok(())
}

/// Who listens. Each has a filter of its own: beside one that has none, every line and span of all
/// code would be made, and looked at, whoever wants it.
fn layers(
    config: &LogConfig,
    traces: Option<BoxedLayer>,
) -> Result<Vec<BoxedLayer>, crate::Failure> {
    let filter = EnvFilter::try_new(&config.level)
        .map_err(|_| "log.level is neither a level nor a list of modules with levels")?;
    // What others say in detail can hold anything: whole requests, with addresses and codes. The server
    // names whoever was connected, for each connection that it closes.
    let discreet = filter_fn(|line| {
        let worth = if line.target().starts_with("poem") { Level::WARN } else { Level::INFO };
        line.target() != TARGET && (is_ours(line.target()) || *line.level() <= worth)
    });
    let filter = filter.and(discreet);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let log: BoxedLayer = match config.format {
        LogFormat::Human => {
            let for_people = std::io::IsTerminal::is_terminal(&std::io::stderr());
            lines.with_ansi(for_people).with_filter(filter).boxed()
        }
        LogFormat::Json => lines.json().flatten_event(true).with_filter(filter).boxed(),
    };
    Ok(traces.into_iter().chain([log]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_collector_no_span_is_made_that_would_be_exported() {
        let config = LogConfig { level: "trace".to_owned(), format: LogFormat::Json };
        let log = tracing_subscriber::registry().with(layers(&config, None).expect("a level"));
        tracing::subscriber::with_default(log, || {
            assert!(tracing::info_span!(target: TARGET, "exported").is_disabled());
            assert!(tracing::debug_span!(target: "another::crate", "its own").is_disabled());
            assert!(!tracing::debug_span!("ours").is_disabled());
        });
    }

    #[test]
    fn who_was_connected_is_in_no_log() {
        let config = LogConfig { level: "trace".to_owned(), format: LogFormat::Json };
        let log = tracing_subscriber::registry().with(layers(&config, None).expect("a level"));
        tracing::subscriber::with_default(log, || {
            assert!(!tracing::enabled!(target: "poem::server", Level::INFO));
            assert!(tracing::enabled!(target: "poem::server", Level::WARN));
            assert!(tracing::enabled!(target: "another::crate", Level::INFO));
        });
    }
}
