//! `mapae export` and `mapae import`: everything, out of one database and into another.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mapae_application::ports::{Clock as _, SecretRng};
use mapae_store_seaorm::{SeaOrmStore, Tally};
use mapae_system::{Keyring, SystemClock, SystemRng};

use crate::config::Config;
use crate::secret::server_secret;
use crate::{Failure, print, wire};

/// The output that is standard output.
const STANDARD_OUTPUT: &str = "-";

/// Runs `mapae export`. The schema is left as it is.
pub(crate) async fn export(config: &Config, output: &Path) -> Result<(), Failure> {
    let store = wire::open_store(config).await?;
    let tally = if output == Path::new(STANDARD_OUTPUT) {
        let mut output = BufWriter::new(io::stdout().lock());
        write(config, &store, &mut output).await?
    } else {
        let file = new_file(output)?;
        let written = write_file(config, &store, file).await;
        if written.is_err() {
            // Half an export is none. That it cannot be removed is not why there is none.
            drop(std::fs::remove_file(output));
        }
        written?
    };
    store.close().await?;
    let rows: u64 = tally.iter().map(|(_, rows)| rows).sum();
    tell(&format!(
        "mapae: {rows} rows exported. They are as secret as the database: whoever has them has \
         every account's data and password hashes"
    ));
    Ok(())
}

/// A file for its owner alone, that was not there before.
fn new_file(path: &Path) -> Result<File, Failure> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            format!("{} is there already and is not overwritten", path.display()).into()
        }
        _ => format!("{} cannot be made: {error}", path.display()).into(),
    })
}

async fn write_file(config: &Config, store: &SeaOrmStore, file: File) -> Result<Tally, Failure> {
    let mut output = BufWriter::new(file);
    let tally = write(config, store, &mut output).await?;
    output.get_ref().sync_all()?;
    Ok(tally)
}

async fn write(
    config: &Config,
    store: &SeaOrmStore,
    output: &mut dyn Write,
) -> Result<Tally, Failure> {
    let since = Duration::from_secs(u64::try_from(SystemClock.now().as_seconds())?);
    let now = humantime::format_rfc3339_seconds(std::time::UNIX_EPOCH + since).to_string();
    Ok(store.export(&keyring(config)?, &now, output).await?)
}

/// Runs `mapae import`.
pub(crate) async fn import(config: &Config, file: &Path, dry_run: bool) -> Result<(), Failure> {
    let input = File::open(file)
        .map_err(|error| format!("{} cannot be opened: {error}", file.display()))?;
    let keyring = keyring(config)?;
    let store = wire::open_ready_store(config).await?;
    let tally = store.import(&keyring, &mut BufReader::new(input), dry_run).await?;
    store.close().await?;
    for (table, rows) in tally {
        print(&format!("{table}\t{rows}"));
    }
    if dry_run {
        tell("mapae: all of it can be imported; nothing was");
    }
    Ok(())
}

fn keyring(config: &Config) -> Result<Keyring, Failure> {
    let rng: Arc<dyn SecretRng> = Arc::new(SystemRng::new());
    Ok(Keyring::new(&server_secret(config, &*rng)?, rng))
}

/// Says something to whoever ran the command; what it was asked for is on standard output.
#[expect(
    clippy::print_stderr,
    reason = "said to whoever ran the command, whatever the log's level"
)]
fn tell(line: &str) {
    eprintln!("{line}");
}
