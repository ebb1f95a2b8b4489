//! The processes of Mapae: three that serve and two that send, or on a file one that does both.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mapae_testkit::fake::FakeSens;
use mapae_testkit::machine::{free_port, settings_of_the_machine};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::experiments::Outcome;
use crate::Failure;
use crate::kind::Kind;

/// How long a process may take to be ready: far more than the five seconds that it should.
const PATIENCE: Duration = Duration::from_secs(60);

/// The secret of this command's installations.
const SECRET: &str = "bWFwYWUgaXMgdG8gYmUga2lsbGVkIGluIGV2ZXJ5IHdheQ==";

/// The processes of an installation.
pub(crate) struct Fleet {
    binary: PathBuf,
    folder: TempDir,
    settings: Vec<(String, String)>,
    serving: Vec<Process>,
    working: Vec<Process>,
    pub(crate) client: reqwest::Client,
}

struct Process {
    child: Child,
    arguments: Vec<&'static str>,
    port: Option<u16>,
}

impl Fleet {
    /// Starts the processes on a database, with further settings by their variables without
    /// `MAPAE_`. Short messages go to `sens`.
    pub(crate) async fn start(
        binary: PathBuf,
        kind: Kind,
        url: &str,
        sens: &FakeSens,
        settings: &[(&str, &str)],
    ) -> Result<Self, Failure> {
        let sens = sens.origin();
        let own = [
            ("PUBLIC_ORIGIN", "http://localhost:18080"),
            ("SECRET", SECRET),
            ("DATABASE__URL", url),
            ("REGISTRATION__REQUIRE", "[\"phone\"]"),
            ("SMS__SENDERS", "[\"sens\"]"),
            ("SMS__FROM", FakeSens::FROM),
            ("SMS__SENS__BASE_URL", &sens),
            ("SMS__SENS__SERVICE_ID", FakeSens::SERVICE),
            ("SMS__SENS__ACCESS_KEY", FakeSens::ACCESS_KEY),
            ("SMS__SENS__SECRET_KEY", FakeSens::SECRET_KEY),
            // Who is killed with a message gives it back that soon.
            ("OUTBOX__LEASE", "7s"),
            ("OUTBOX__SEND_TIMEOUT", "4s"),
            ("OUTBOX__POLL", "50ms"),
            // A client whose answer was lost asks again within any outage of these experiments.
            ("TOKENS__REUSE_WINDOW", "5m"),
            ("LOG__LEVEL", "warn"),
        ];
        let settings = own.iter().chain(settings);
        let settings =
            settings.map(|(key, value)| (format!("MAPAE_{key}"), (*value).to_owned())).collect();
        // Other crates of the workspace want TLS of their clients, and so all of them need a provider.
        drop(rustls::crypto::ring::default_provider().install_default());
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(20))
            .pool_max_idle_per_host(0)
            .build()?;
        let (serving, working) = (Vec::new(), Vec::new());
        let folder = tempfile::tempdir()?;
        let mut fleet = Self { binary, folder, settings, serving, working, client };
        let (serve, servers, workers) = match kind {
            Kind::Sqlite => (vec!["serve"], 1, 0),
            _ => (vec!["serve", "--no-worker"], 3, 2),
        };
        for _ in 0..servers {
            let process = fleet.spawn(serve.clone(), Some(free_port()))?;
            fleet.serving.push(process);
        }
        for nth in 0..servers {
            fleet.until_ready(nth).await?;
        }
        for _ in 0..workers {
            let process = fleet.spawn(vec!["work"], None)?;
            fleet.working.push(process);
        }
        Ok(fleet)
    }

    /// Where the processes listen that serve.
    pub(crate) fn origins(&self) -> Arc<[String]> {
        let ports = self.serving.iter().filter_map(|process| process.port);
        ports.map(|port| format!("http://127.0.0.1:{port}")).collect()
    }

    /// Kills one that serves and starts it again; gives after how long it is ready.
    pub(crate) async fn kill_serving(&mut self, nth: usize) -> Result<Duration, Failure> {
        let nth = nth % self.serving.len();
        self.serving[nth].child.kill().await?;
        let begun = Instant::now();
        let Process { arguments, port, .. } = &self.serving[nth];
        self.serving[nth] = self.spawn(arguments.clone(), *port)?;
        self.until_ready(nth).await?;
        Ok(begun.elapsed())
    }

    /// Kills one that sends and starts it again: the one that serves, where that sends as well.
    pub(crate) async fn kill_working(&mut self, nth: usize) -> Result<(), Failure> {
        if self.working.is_empty() {
            return self.kill_serving(nth).await.map(drop);
        }
        let nth = nth % self.working.len();
        self.working[nth].child.kill().await?;
        self.working[nth] = self.spawn(vec!["work"], None)?;
        Ok(())
    }

    /// How many processes have ended by themselves.
    pub(crate) fn ended(&mut self) -> usize {
        let all = self.serving.iter_mut().chain(&mut self.working);
        all.filter_map(|process| process.child.try_wait().transpose()).count()
    }

    /// How much memory each of them takes, in MiB.
    pub(crate) fn resident_mib(&self) -> Result<Vec<f64>, Failure> {
        let all = self.serving.iter().chain(&self.working).filter_map(|process| process.child.id());
        all.map(|id| Ok(crate::bench::resident_kib(id)? / 1_024.0)).collect()
    }

    fn spawn(&self, arguments: Vec<&'static str>, port: Option<u16>) -> Result<Process, Failure> {
        let mut command = Command::new(&self.binary);
        for name in settings_of_the_machine() {
            command.env_remove(name);
        }
        let log = fs::OpenOptions::new().append(true).create(true).open(self.log())?;
        let child = command
            .current_dir(self.folder.path())
            .args(&arguments)
            .env("MAPAE_SERVER__LISTEN", format!("127.0.0.1:{}", port.unwrap_or_default()))
            .envs(self.settings.iter().map(|(key, value)| (key, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()?;
        Ok(Process { child, arguments, port })
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// Whether a process has logged that.
    pub(crate) fn has_logged(&self, text: &str) -> bool {
        fs::read_to_string(self.log()).is_ok_and(|log| log.contains(text))
    }

    /// The last lines that the processes have logged.
    pub(crate) fn last_words(&self) -> String {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    /// Says what the processes have logged, where something is not as it should be.
    pub(crate) fn explain(&self, outcome: &Outcome) {
        if !outcome.wrong.is_empty() {
            eprintln!("the last words of the processes:\n{}", self.last_words());
        }
    }

    async fn until_ready(&self, nth: usize) -> Result<(), Failure> {
        let url = format!("{}/readyz", self.origins()[nth]);
        let begun = Instant::now();
        loop {
            if self.client.get(&url).send().await.is_ok_and(|answer| answer.status() == 200) {
                return Ok(());
            }
            if begun.elapsed() > PATIENCE {
                return Err(format!("a process is not ready:\n{}", self.last_words()).into());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
