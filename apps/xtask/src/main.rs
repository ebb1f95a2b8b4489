//! The project's own chores. `cargo xtask` lists them.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line program")]

mod bench;
mod bench_outbox;
mod bench_size;
mod deps;
mod faults;
mod golden;
mod kind;
mod openapi;

use std::path::Path;
use std::process::ExitCode;

/// What ends a chore.
type Failure = Box<dyn std::error::Error>;

const USAGE: &str = "\
cargo xtask openapi [--check]   write docs/openapi/mapae.json, or see that it is up to date
cargo xtask deps [--check]      write docs/edges.txt, or see that it is up to date
cargo xtask bench startup [BINARY]
                                start-up time and resting memory of a binary; of target/dist/mapae
                                where none is named (cargo build --profile dist)
cargo xtask bench passwords     hashes a second on every core: what bounds log-ins
                                (cargo run --profile dist --package xtask -- bench passwords)
cargo xtask bench outbox        messages a second on SQLite, and how soon one leaves
                                (cargo run --profile dist --package xtask -- bench outbox)
cargo xtask bench size [--users N] [--rounds N] [--binary PATH] [sqlite] [postgres] [mariadb]
                                log-ins and refreshes among a million users beside the same among
                                ten thousand, and by which index every statement finds its rows; on
                                SQLite and on each server that MAPAE_TEST_POSTGRES_URL and
                                MAPAE_TEST_MARIADB_URL name, or on those that are named here
                                (of target/dist/mapae: cargo build --profile dist)
cargo xtask faults [--short] [sqlite|postgres|mariadb …] [1|2|3|4|5|6|11|12-14|failover|standby …]
                                kills, freezes and fills up what Mapae rests on, and holds what
                                clients were told against the database (needs cargo build, and
                                Debian's postgresql, mariadb-server and redis-server)";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["openapi"] => openapi::write(),
        ["openapi", "--check"] => openapi::check(),
        ["deps"] => deps::write(),
        ["deps", "--check"] => deps::check(),
        ["bench", "startup"] => bench::startup(&root().join("target/dist/mapae")),
        ["bench", "startup", binary] => bench::startup(Path::new(binary)),
        ["bench", "passwords"] => bench::passwords(),
        ["bench", "outbox"] => bench_outbox::outbox(),
        ["faults", arguments @ ..] => faults::faults(arguments),
        ["bench", "size", options @ ..] => bench_size::size(options),
        _ => Err(USAGE.into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// The root of the workspace.
fn root() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().and_then(Path::parent).unwrap_or(own)
}
