//! Servers of this command's own, from Debian's packages: they are killed, frozen and filled up, which
//! nobody does to one that others use.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use mapae_store_seaorm::scratch;
use mapae_testkit::machine::free_port;
use tokio::process::{Child, Command};

use crate::Failure;
use crate::kind::Kind;

/// The user whose process the server is, where this command is run by root.
fn user_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Mariadb => "mysql",
        _ => "postgres",
    }
}

/// A server with its data in a folder, killed when it is dropped.
pub(crate) struct DatabaseServer {
    kind: Kind,
    data: PathBuf,
    port: u16,
    /// Further arguments of the server.
    arguments: Vec<String>,
    process: Child,
}

impl DatabaseServer {
    /// Makes a server's data in a folder, which has to be empty, and starts it.
    pub(crate) async fn start(kind: Kind, folder: &Path) -> Result<Self, Failure> {
        let data = folder.join("data");
        fs::create_dir_all(&data)?;
        give_to(user_of(kind), &data).await?;
        let shown = data.display().to_string();
        let made = match kind {
            Kind::Mariadb => {
                let data = format!("--datadir={shown}");
                let root = "--auth-root-authentication-method=normal";
                run(kind, "mariadb-install-db", &["--no-defaults", &data, root]).await
            }
            _ => {
                let initdb = postgres_program("initdb")?;
                let trust = ["--username", "postgres", "--auth", "trust", "--no-sync"];
                run(kind, &initdb, &[&["--pgdata", &shown], &trust[..]].concat()).await
            }
        };
        made?;
        Self::start_on(kind, data, Vec::new()).await
    }

    /// Starts a server on data that is there.
    pub(crate) async fn start_on(
        kind: Kind,
        data: PathBuf,
        arguments: Vec<String>,
    ) -> Result<Self, Failure> {
        let port = free_port();
        let process = spawn(kind, &data, port, &arguments)?;
        let server = Self { kind, data, port, arguments, process };
        server.until_it_answers().await?;
        Ok(server)
    }

    /// With further arguments from its next start on.
    pub(crate) fn with(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        self
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// The URL of the database that there is by itself.
    pub(crate) fn admin_url(&self) -> String {
        self.url_of(match self.kind {
            Kind::Mariadb => "mysql",
            _ => "postgres",
        })
    }

    /// The URL of a database.
    pub(crate) fn url_of(&self, database: &str) -> String {
        url_at(self.kind, self.address(), database)
    }

    /// Kills every process of it at once, as the loss of power would.
    pub(crate) async fn kill(&mut self) -> Result<(), Failure> {
        self.signal("-KILL")?;
        self.process.wait().await?;
        Ok(())
    }

    /// Starts it again, on its data and its port, and waits until it answers.
    pub(crate) async fn restart(&mut self) -> Result<(), Failure> {
        self.process = spawn(self.kind, &self.data, self.port, &self.arguments)?;
        self.until_it_answers().await
    }

    /// Makes the primary of what was a standby, and waits until it takes what is written.
    pub(crate) async fn promote(&self) -> Result<(), Failure> {
        let promote = "SELECT COUNT(*) FROM (SELECT pg_promote(true, 25) AS done) AS it WHERE done";
        match scratch::number(&self.admin_url(), promote).await? {
            1 => Ok(()),
            _ => Err("the standby was not promoted".into()),
        }
    }

    /// Whether its process has ended.
    pub(crate) fn is_gone(&mut self) -> bool {
        !matches!(self.process.try_wait(), Ok(None))
    }

    /// Holds all of its processes still: connections stay, and nobody answers.
    pub(crate) fn freeze(&self) -> Result<(), Failure> {
        self.signal("-STOP")
    }

    /// Lets them go on.
    pub(crate) fn thaw(&self) -> Result<(), Failure> {
        self.signal("-CONT")
    }

    fn signal(&self, signal: &str) -> Result<(), Failure> {
        let Some(id) = self.process.id() else { return Ok(()) };
        // Those that come to be meanwhile are found the next time.
        for _ in 0..3 {
            for id in with_descendants(id)? {
                // One that has ended meanwhile needs no signal.
                let mut kill = std::process::Command::new("kill");
                kill.args([signal, &id.to_string()]).stdout(Stdio::null()).stderr(Stdio::null());
                kill.status()?;
            }
        }
        Ok(())
    }

    async fn until_it_answers(&self) -> Result<(), Failure> {
        let begun = Instant::now();
        while scratch::execute(&self.admin_url(), "SELECT 1").await.is_err() {
            if begun.elapsed() > Duration::from_secs(60) {
                let log = fs::read_to_string(self.data.with_extension("log")).unwrap_or_default();
                let name = self.kind.name();
                return Err(format!("{name} does not answer:\n{log}").into());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}

impl Drop for DatabaseServer {
    fn drop(&mut self) {
        if let Err(error) = self.signal("-KILL") {
            eprintln!("a server of {} is left over: {error}", self.kind.name());
        }
    }
}

/// The URL of a database on a server, or on what leads to it.
pub(crate) fn url_at(kind: Kind, address: SocketAddr, database: &str) -> String {
    match kind {
        Kind::Mariadb => format!("mysql://root@{address}/{database}"),
        _ => format!("postgres://postgres@{address}/{database}"),
    }
}

fn spawn(kind: Kind, data: &Path, port: u16, arguments: &[String]) -> Result<Child, Failure> {
    let shown = data.display().to_string();
    let (program, own) = match kind {
        Kind::Mariadb => (
            "/usr/sbin/mariadbd".to_owned(),
            vec![
                "--no-defaults".to_owned(),
                format!("--datadir={shown}"),
                format!("--socket={shown}/socket"),
                "--bind-address=127.0.0.1".to_owned(),
                format!("--port={port}"),
                "--max-connections=300".to_owned(),
            ],
        ),
        _ => {
            let port = port.to_string();
            let own = ["-D", &shown, "-k", &shown, "-h", "127.0.0.1", "-p", &port];
            let own = own.into_iter().chain(["-c", "max_connections=300"]).map(str::to_owned);
            (postgres_program("postgres")?, own.collect())
        }
    };
    let log = fs::OpenOptions::new().append(true).create(true).open(data.with_extension("log"))?;
    let mut command = as_user(user_of(kind), &program);
    command.args(own).args(arguments).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    Ok(command.kill_on_drop(true).spawn().map_err(|error| missing(kind, &error))?)
}

/// Runs a program of the server's to its end, and gives what it says.
pub(crate) async fn run(kind: Kind, program: &str, arguments: &[&str]) -> Result<String, Failure> {
    let output =
        as_user(user_of(kind), program).args(arguments).stdin(Stdio::null()).output().await;
    let output = output.map_err(|error| missing(kind, &error))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr)).into())
}

fn missing(kind: Kind, error: &std::io::Error) -> String {
    let package = match kind {
        Kind::Mariadb => "mariadb-server",
        _ => "postgresql",
    };
    format!("{} cannot be started ({error}): install the package {package}", kind.name())
}

/// A program of PostgreSQL; Debian keeps the newest beside others.
pub(crate) fn postgres_program(name: &str) -> Result<String, Failure> {
    let versions =
        fs::read_dir("/usr/lib/postgresql").map_err(|error| missing(Kind::Postgres, &error))?;
    let mut found: Vec<_> = versions
        .filter_map(Result::ok)
        .map(|version| version.path().join("bin").join(name))
        .filter(|program| program.is_file())
        .collect();
    found.sort();
    let program =
        found.pop().ok_or_else(|| format!("no {name}: install the package postgresql"))?;
    Ok(program.display().to_string())
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// A command that is run by that user, where root runs this one: no server lets root start it.
fn as_user(user: &str, program: &str) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    let (uid, gid) = (format!("--reuid={user}"), format!("--regid={user}"));
    command.args([&uid, &gid, "--init-groups", program]);
    command
}

pub(crate) async fn give_to(user: &str, folder: &Path) -> Result<(), Failure> {
    if is_root() && !Command::new("chown").arg(user).arg(folder).status().await?.success() {
        return Err(format!("there is no user {user}").into());
    }
    Ok(())
}

/// A process and those that it has begun, and they.
fn with_descendants(id: u32) -> Result<Vec<u32>, Failure> {
    let mut parents = Vec::new();
    for entry in fs::read_dir("/proc")?.filter_map(Result::ok) {
        let name = entry.file_name();
        let Some(process) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        // It may have ended since.
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        // The name, in brackets, may hold blanks; the state and the parent come after it.
        let parent =
            stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1)?.parse().ok());
        parents.extend(parent.map(|parent: u32| (process, parent)));
    }
    let mut found = vec![id];
    let mut looked = 0;
    while let Some(parent) = found.get(looked).copied() {
        found.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(process, _)| *process));
        looked += 1;
    }
    Ok(found)
}
