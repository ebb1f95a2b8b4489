//! What a million users and three million sessions cost.
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the machine's own clock")]

mod client;
mod measure;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mapae_application::ports::{PasswordHasher as _, Store};
use mapae_domain::Password;
use mapae_password_argon2::{Argon2Hasher, Argon2Settings};
use mapae_store_seaorm::scratch::{self, Asked, Overheard, Plan, ScratchDatabase};
use mapae_store_seaorm::{SeaOrmStore, StoreSettings, Synchronous};
use mapae_system::{ServerSecret, SystemRng};
use mapae_testkit::build::START;
use mapae_testkit::keep_every_store_promise;
use tempfile::TempDir;

use self::measure::Side;
use crate::bench::start;
use crate::kind::Kind;
use crate::{Failure, root};

/// What a million is compared with.
const FEW: u32 = 10_000;

/// The server that a kind of database needs.
fn server_of(kind: Kind) -> Result<Option<String>, Failure> {
    let variable = match kind {
        Kind::Sqlite => return Ok(None),
        Kind::Postgres => "MAPAE_TEST_POSTGRES_URL",
        Kind::Mariadb => "MAPAE_TEST_MARIADB_URL",
    };
    let named = std::env::var(variable);
    named.map(Some).map_err(|_| format!("{variable} names no server").into())
}

struct Options {
    users: u32,
    rounds: u32,
    binary: PathBuf,
    kinds: Vec<Kind>,
}

impl Options {
    fn parse(words: &[&str]) -> Result<Self, Failure> {
        let binary = root().join("target/dist/mapae");
        let mut options = Self { users: 1_000_000, rounds: 10, binary, kinds: Vec::new() };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} what?"));
            match *word {
                "--users" => options.users = value()?.parse()?,
                "--rounds" => options.rounds = value()?.parse()?,
                "--binary" => options.binary = PathBuf::from(value()?),
                name => {
                    options
                        .kinds
                        .push(Kind::named(name).ok_or_else(|| format!("{name}: what is that?"))?);
                }
            }
        }
        if options.kinds.is_empty() {
            options.kinds = Kind::ALL.into_iter().filter(|kind| server_of(*kind).is_ok()).collect();
        }
        if !options.binary.is_file() {
            let shown = options.binary.display();
            return Err(format!("{shown} is not there: cargo build --profile dist").into());
        }
        Ok(options)
    }
}

/// A database of the benchmark's own, which goes when this is dropped.
struct Own {
    url: String,
    folder: TempDir,
    _scratch: Option<ScratchDatabase>,
}

impl Own {
    async fn create(kind: Kind) -> Result<Self, Failure> {
        let folder = tempfile::tempdir()?;
        let scratch = match server_of(kind)? {
            Some(admin) => Some(ScratchDatabase::create(&admin).await?),
            None => None,
        };
        let url = match &scratch {
            Some(scratch) => scratch.url(),
            None => format!("sqlite://{}", folder.path().join("mapae.db").display()),
        };
        let own = Self { url, folder, _scratch: scratch };
        let store = own.store().await?;
        store.migrate().await?;
        store.close().await?;
        Ok(own)
    }

    async fn store(&self) -> Result<SeaOrmStore, Failure> {
        let settings = StoreSettings {
            url: self.url.clone(),
            synchronous: Synchronous::Normal,
            readers: 4,
            connections: 10,
            transaction_pooling: false,
            timeout: Duration::from_secs(30),
        };
        Ok(SeaOrmStore::connect(&settings).await?)
    }
}

/// Fills, asks for plans and measures, one database after the other.
pub(crate) fn size(words: &[&str]) -> Result<(), Failure> {
    let options = Options::parse(words)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let password_hash = runtime.block_on(password_hash())?;
    let mut findings = Vec::new();
    for kind in &options.kinds {
        let name = kind.name();
        let few = runtime.block_on(filled(*kind, FEW, &password_hash))?;
        let many = runtime.block_on(filled(*kind, options.users, &password_hash))?;
        let plans = runtime.block_on(plans(*kind, &many))?;
        for plan in &plans {
            println!("{name}: {}\n    {}", plan.words(), plan.steps.join("\n    "));
        }
        let found = plans.into_iter().filter(|plan| plan.scans);
        findings
            .extend(found.map(|plan| format!("{name}: read from end to end: {}", plan.words())));
        println!("{name}: {FEW} users | {} users", options.users);
        let secret = ServerSecret::generate(&SystemRng::new());
        let mut few = serve(&options.binary, &few, FEW, &secret)?;
        let mut many = serve(&options.binary, &many, options.users, &secret)?;
        let slower = measure::compare(&mut few, &mut many, options.rounds)?;
        findings.extend(slower.into_iter().map(|slower| format!("{name}: {slower}")));
        few.server.stop()?;
        many.server.stop()?;
    }
    if findings.is_empty() {
        return Ok(());
    }
    Err(findings.join("\n").into())
}

async fn password_hash() -> Result<String, Failure> {
    let hasher = Argon2Hasher::start(Argon2Settings::default(), Arc::new(SystemRng::new()))?;
    let hash = hasher.hash(Password::present(measure::PASSWORD)?).await?;
    Ok(hash.as_str().to_owned())
}

async fn filled(kind: Kind, users: u32, password_hash: &str) -> Result<Own, Failure> {
    let begun = Instant::now();
    let own = Own::create(kind).await?;
    scratch::fill(&own.url, users, now()?, password_hash).await?;
    let (name, took) = (kind.name(), begun.elapsed().as_secs());
    println!("{name}: {users} users and {} sessions, made in {took} s", users * 3);
    Ok(own)
}

/// The microseconds since 1970.
fn now() -> Result<i64, Failure> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    Ok(i64::try_from(now.as_micros())?)
}

/// How the database would go about everything that a store does.
async fn plans(kind: Kind, many: &Own) -> Result<Vec<Plan>, Failure> {
    let (heard, own) = (Overheard::default(), Own::create(kind).await?);
    let store = own.store().await?.overheard_by(&heard);
    let empty = async || {
        // What a promise has left behind is nobody's concern; where it cannot go, the next fails.
        drop(scratch::empty(&own.url).await);
        Arc::new(store.clone()) as Arc<dyn Store>
    };
    keep_every_store_promise! { empty };
    store.close().await?;
    let asked = Asked { younger: now()? - START.as_micros(), few_rows: false };
    Ok(heard.plans(&many.url, asked).await?)
}

fn serve(binary: &Path, own: &Own, users: u32, secret: &ServerSecret) -> Result<Side, Failure> {
    let secret_text = secret.to_base64();
    let settings = [("MAPAE_DATABASE__URL", own.url.as_str()), ("MAPAE_SECRET", &secret_text)];
    let server = start(binary, own.folder.path(), &settings)?;
    Ok(Side::new(server, users, secret))
}
