//! Figures, printed and never asserted: machines are shared and noisy.
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the machine's own clock")]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use mapae_application::ports::PasswordHasher as _;
use mapae_domain::Password;
use mapae_password_argon2::{Argon2Hasher, Argon2Settings};
use mapae_system::SystemRng;
use mapae_testkit::machine::settings_of_the_machine;

use crate::Failure;

/// How often the binary is started.
const RUNS: usize = 10;

/// Starts the binary on a database that exists, until it answers; then lets it rest.
pub(crate) fn startup(binary: &Path) -> Result<(), Failure> {
    if !binary.is_file() {
        let shown = binary.display();
        return Err(format!("{shown} is not there: cargo build --profile dist").into());
    }
    let folder = tempfile::tempdir()?;
    start(binary, folder.path(), &[])?.stop()?;
    let (mut ready, mut resting) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let server = start(binary, folder.path(), &[])?;
        ready.push(server.after.as_secs_f64() * 1_000.0);
        sleep(Duration::from_secs(1));
        resting.push(resident_kib(server.child.id())? / 1_024.0);
        server.stop()?;
    }
    println!("{RUNS} starts on an existing database: minimum, median, maximum");
    print("ready after", "ms", &mut ready);
    print("resident at rest", "MiB", &mut resting);
    let size = fs::metadata(binary)?.len() / 1_024;
    println!("binary: {size} KiB");
    Ok(())
}

pub(crate) fn print(what: &str, unit: &str, figures: &mut [f64]) {
    figures.sort_by(f64::total_cmp);
    if let (Some(least), Some(greatest)) = (figures.first(), figures.last()) {
        let median = figures[figures.len() / 2];
        println!("{what}: {least:.1}  {median:.1}  {greatest:.1} {unit}");
    }
}

/// A server that runs, until this is dropped.
pub(crate) struct Server {
    child: Child,
    /// Host and port.
    pub(crate) address: String,
    /// After how long `/readyz` answered.
    after: Duration,
}

impl Server {
    /// Asks it to stop, and waits until it has.
    pub(crate) fn stop(mut self) -> Result<(), Failure> {
        Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that has stopped already cannot be killed, and that is all there is to say.
        if self.child.kill().is_ok() {
            drop(self.child.wait());
        }
    }
}

/// Starts the binary in a folder, by variables of its own.
pub(crate) fn start(
    binary: &Path,
    folder: &Path,
    settings: &[(&str, &str)],
) -> Result<Server, Failure> {
    let begun = Instant::now();
    let mut command = Command::new(binary.canonicalize()?);
    for name in settings_of_the_machine() {
        command.env_remove(name);
    }
    let mut child = command
        .current_dir(folder)
        .arg("serve")
        .env("MAPAE_SERVER__LISTEN", "127.0.0.1:0")
        .envs(settings.iter().copied())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let log = child.stderr.take().ok_or("no standard error")?;
    let mut server = Server { child, address: String::new(), after: Duration::ZERO };
    let mut lines = BufReader::new(log).lines();
    server.address = loop {
        let line = lines.next().ok_or("the server ended")??;
        if let Some((_, rest)) = line.split_once("listening on http://") {
            break rest.split_whitespace().next().unwrap_or_default().to_owned();
        }
    };
    // What it goes on to say must be read, or it waits for a reader.
    std::thread::spawn(move || lines.for_each(drop));
    while !answers(&server.address) {
        if begun.elapsed() > Duration::from_secs(60) {
            return Err("the server did not become ready".into());
        }
        sleep(Duration::from_millis(1));
    }
    server.after = begun.elapsed();
    Ok(server)
}

fn answers(address: &str) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(address)?;
        stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}

pub(crate) fn resident_kib(process: u32) -> Result<f64, Failure> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.split_whitespace().nth(1).ok_or("no figure")?.parse()?)
}

/// Hashes passwords with the default parameters for three seconds, as many at once as there are
/// threads.
pub(crate) fn passwords() -> Result<(), Failure> {
    let settings = Argon2Settings::default();
    let hasher = Arc::new(Argon2Hasher::start(settings, Arc::new(SystemRng::new()))?);
    let password = Password::present("correct horse battery staple")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().build()?;
    let begun = Instant::now();
    let end = begun + Duration::from_secs(3);
    let askers: Vec<_> = (0..settings.threads * 2)
        .map(|_| {
            let (hasher, password) = (Arc::clone(&hasher), password.clone());
            runtime.spawn(async move {
                let mut hashes = 0_u32;
                while Instant::now() < end {
                    if hasher.hash(password.clone()).await.is_ok() {
                        hashes += 1;
                    }
                }
                hashes
            })
        })
        .collect();
    let mut hashes = 0;
    for asker in askers {
        hashes += runtime.block_on(asker)?;
    }
    let rate = f64::from(hashes) / begun.elapsed().as_secs_f64();
    let threads = settings.threads;
    println!("{rate:.1} hashes a second on {threads} threads: {:.1} each", rate / threads as f64);
    Ok(())
}
