use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mapae_testkit::machine::settings_of_the_machine;
use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::Message;
use crate::binary::server_binary;
use crate::database::{Database, ScratchDatabase};

/// How long anything may take before a test gives up on it: far more than it should.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a server has logged; its end is shown where a test fails.
struct Log(Arc<Mutex<String>>);

impl Drop for Log {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Ok(log) = self.0.lock()
        {
            let lines: Vec<&str> = log.lines().collect();
            let end = lines[lines.len().saturating_sub(40)..].join("\n");
            #[expect(clippy::print_stderr, reason = "what a failed test is looked into by")]
            {
                eprintln!("a server of this test has logged:\n{end}");
            }
        }
    }
}

/// How a server is started.
#[derive(Clone, Default)]
pub struct ServerOptions {
    /// Further `MAPAE_…` variables.
    pub settings: Vec<(String, String)>,
    /// Further arguments of `serve`.
    pub arguments: Vec<&'static str>,
    /// Another binary than the one under test.
    pub binary: Option<PathBuf>,
}

impl ServerOptions {
    /// With one more setting, by its variable without `MAPAE_`.
    #[must_use]
    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.settings.push((format!("MAPAE_{key}"), value.to_owned()));
        self
    }

    /// With several more settings.
    #[must_use]
    pub fn with_all(self, settings: &[(&str, &str)]) -> Self {
        settings.iter().fold(self, |options, (key, value)| options.with(key, value))
    }

    /// By a binary of another release.
    #[must_use]
    pub fn of_release(mut self, binary: PathBuf) -> Self {
        self.binary = Some(binary);
        self
    }

    /// Without a worker in its own process.
    #[must_use]
    pub fn without_worker(mut self) -> Self {
        self.arguments.push("--no-worker");
        self
    }

    /// Starts the server on a new file, whatever the database of this run.
    pub async fn start_on_a_file(self) -> Server {
        let folder = Arc::new(TempDir::new().expect("a temporary folder"));
        Server::start_in(folder, None, self).await
    }

    /// Starts the server on a new database.
    pub async fn start(self) -> Server {
        let folder = Arc::new(TempDir::new().expect("a temporary folder"));
        let database = Database::of_this_run().scratch().await.map(Arc::new);
        let options = match &database {
            Some(database) => self.with("DATABASE__URL", &database.url()),
            None => self,
        };
        Server::start_in(folder, database, options).await
    }
}

/// A running server, killed when it is dropped.
pub struct Server {
    child: Child,
    origin: String,
    folder: Arc<TempDir>,
    database: Option<Arc<ScratchDatabase>>,
    options: ServerOptions,
    log: Log,
    client: reqwest::Client,
}

/// What the server answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: String,
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|error| panic!("no JSON ({error}): {} {}", self.status, self.body))
    }

    /// A member of the body that is a string.
    pub fn text(&self, member: &str) -> String {
        let json = self.json();
        let value = json[member].as_str();
        value.unwrap_or_else(|| panic!("no {member} in {} {json}", self.status)).to_owned()
    }

    /// The answer, which must have this status.
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        self
    }

    /// The answer, which must be a problem of this status and code.
    pub fn expect_problem(self, status: u16, code: &str) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        let content_type = self.headers.get("content-type").and_then(|value| value.to_str().ok());
        assert_eq!(content_type, Some("application/problem+json"), "{}", self.body);
        let problem = self.json();
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["status"], status, "{problem}");
        assert_eq!(problem["type"], format!("urn:mapae:problem:{code}"), "{problem}");
        for member in ["title", "detail"] {
            assert!(problem[member].is_string(), "no {member} in {problem}");
        }
        self
    }
}

impl Server {
    /// Starts a server on a new database.
    pub async fn start() -> Self {
        ServerOptions::default().start().await
    }

    async fn start_in(
        folder: Arc<TempDir>,
        database: Option<Arc<ScratchDatabase>>,
        options: ServerOptions,
    ) -> Self {
        let mut command = process(folder.path(), &options);
        let mut child = command.arg("serve").args(&options.arguments).spawn().expect("a process");
        let log = Arc::new(Mutex::new(String::new()));
        let mut lines = BufReader::new(child.stderr.take().expect("standard error")).lines();
        let (found, origin) = tokio::sync::oneshot::channel();
        let kept = Arc::clone(&log);
        tokio::spawn(async move {
            let mut found = Some(found);
            while let Ok(Some(line)) = lines.next_line().await {
                let mut kept = kept.lock().expect("the log");
                kept.push_str(&line);
                kept.push('\n');
                if let Some((_, rest)) = line.split_once("listening on http://")
                    && let Some(found) = found.take()
                {
                    let address: String =
                        rest.chars().take_while(|c| !c.is_whitespace() && *c != '"').collect();
                    // The test may have given up.
                    drop(found.send(format!("http://{address}")));
                }
            }
        });
        let origin = match tokio::time::timeout(PATIENCE, origin).await {
            Ok(Ok(origin)) => origin,
            _ => panic!("the server did not start:\n{}", log.lock().expect("the log")),
        };
        // Other crates of the workspace want TLS of their clients, and so all of them need a provider.
        drop(rustls::crypto::ring::default_provider().install_default());
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(PATIENCE)
            .no_proxy()
            .build()
            .expect("a client");
        Self { child, origin, folder, database, options, log: Log(log), client }
    }

    /// Runs the binary to its end, in a new folder, and gives its exit status with what it wrote.
    pub async fn run(arguments: &[&str], settings: &[(&str, &str)]) -> (bool, String, String) {
        let folder = TempDir::new().expect("a temporary folder");
        let mut options = ServerOptions::default();
        for (key, value) in settings {
            options = options.with(key, value);
        }
        run_to_end(command(folder.path(), &options), arguments).await
    }

    /// Where the server listens: `http://127.0.0.1:…`.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The folder with the database.
    pub fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// The URL of the database.
    pub fn database_url(&self) -> String {
        match &self.database {
            Some(database) => database.url(),
            None => format!("sqlite://{}", self.folder.path().join("data/mapae.db").display()),
        }
    }

    /// What the server has logged so far.
    pub fn log(&self) -> String {
        self.log.0.lock().expect("the log").clone()
    }

    /// Starts another process on the same database, with the same settings and secret.
    pub async fn start_replica(&self) -> Self {
        let (folder, database) = (Arc::clone(&self.folder), self.database.clone());
        Self::start_in(folder, database, self.options.clone()).await
    }

    /// Starts a process of the release under test beside one of another.
    pub async fn start_this_release(&self) -> Self {
        let (folder, database) = (Arc::clone(&self.folder), self.database.clone());
        let options = ServerOptions { binary: None, ..self.options.clone() };
        Self::start_in(folder, database, options).await
    }

    /// Kills it, and starts another on the same database with one setting changed.
    pub async fn restart_with(mut self, key: &str, value: &str) -> Self {
        self.child.kill().await.expect("to be killed");
        let options = self.options.clone().with(key, value);
        Self::start_in(Arc::clone(&self.folder), self.database.clone(), options).await
    }

    /// Ends the process at once, as the loss of power would, and starts it again on its database.
    pub async fn kill_and_restart(mut self) -> Self {
        self.child.kill().await.expect("the process can be killed");
        Self::start_in(Arc::clone(&self.folder), self.database.clone(), self.options.clone()).await
    }

    /// Tells the process to stop, and gives whether it ended well.
    pub async fn terminate(mut self) -> bool {
        self.end().await
    }

    async fn end(&mut self) -> bool {
        self.signal("-TERM").await;
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("an end");
        ended.expect("a status").success()
    }

    /// Tells the process to stop, and gives what it leaves.
    pub async fn stop(mut self) -> Stopped {
        assert!(self.end().await, "{}", self.log());
        Stopped { folder: self.folder, database: self.database, options: self.options }
    }

    /// Sends the process a signal, by its option of `kill`.
    pub async fn signal(&self, signal: &str) {
        signal_to(&self.child, signal).await;
    }

    /// Starts `mapae work` on this server's database.
    pub fn start_worker(&self) -> WorkerProcess {
        let mut command = process(self.folder.path(), &self.options);
        WorkerProcess(command.arg("work").stderr(Stdio::null()).spawn().expect("a process"))
    }

    /// Runs another command of the binary, with this server's settings and in its folder.
    pub async fn run_beside(&self, arguments: &[&str]) -> (bool, String, String) {
        run_to_end(command(self.folder.path(), &self.options), arguments).await
    }

    /// A connection of its own.
    pub async fn connect(&self) -> TcpStream {
        let address = self.origin.trim_start_matches("http://");
        TcpStream::connect(address).await.expect("a connection")
    }

    /// Sends bytes over a connection of their own, and gives what comes back.
    pub async fn send_raw(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect().await;
        let (mut answers, mut asks) = stream.split();
        let mut answer = Vec::new();
        // The server may answer, and close, before it has read everything.
        let (_, read) = tokio::join!(asks.write_all(bytes), answers.read_to_end(&mut answer));
        assert!(read.is_ok() || !answer.is_empty(), "no answer");
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Sends a request with these headers and this body.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Vec<u8>>,
    ) -> Answer {
        let mut request = self.client.request(method, format!("{}{path}", self.origin));
        for (name, value) in headers {
            let value = HeaderValue::from_str(value).expect("a header's value");
            request = request.header(*name, value);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        let response = request.send().await.expect("an answer");
        let (status, headers) = (response.status(), response.headers().clone());
        Answer { status, headers, body: response.text().await.expect("a body") }
    }

    /// `GET`.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], None).await
    }

    /// `GET` with a bearer token.
    pub async fn get_as(&self, path: &str, token: &str) -> Answer {
        let bearer = format!("Bearer {token}");
        self.send(Method::GET, path, &[("authorization", &bearer)], None).await
    }

    /// `POST` of JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_with(path, &[], body).await
    }

    /// `POST` of JSON with further headers.
    pub async fn post_with(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        let headers = [&[("content-type", "application/json")], headers].concat();
        self.send(Method::POST, path, &headers, Some(body.to_string().into_bytes())).await
    }

    /// `PATCH` of JSON with a bearer token.
    pub async fn patch_as(&self, path: &str, token: &str, body: &Value) -> Answer {
        let bearer = format!("Bearer {token}");
        let headers = [("content-type", "application/json"), ("authorization", bearer.as_str())];
        self.send(Method::PATCH, path, &headers, Some(body.to_string().into_bytes())).await
    }

    /// Waits until the inbox holds `count` messages to a contact; newest first.
    pub async fn messages(&self, to: &str, count: usize) -> Vec<Message> {
        let to = to.replace('+', "%2B");
        let deadline = tokio::time::sleep(PATIENCE);
        tokio::pin!(deadline);
        loop {
            let answer = self.get(&format!("/dev/inbox/messages?to={to}")).await.expect(200);
            let messages = answer.json()["messages"].as_array().cloned().unwrap_or_default();
            if messages.len() >= count {
                return messages.into_iter().map(|json| Message { json }).collect();
            }
            tokio::select! {
                () = &mut deadline => panic!("{} of {count} messages to {to}", messages.len()),
                () = tokio::time::sleep(Duration::from_millis(20)) => {}
            }
        }
    }

    /// Waits for the first message to a contact.
    pub async fn message(&self, to: &str) -> Message {
        self.messages(to, 1).await.swap_remove(0)
    }
}

/// An installation whose server has stopped: its folder, its database and its settings.
#[derive(Clone)]
pub struct Stopped {
    folder: Arc<TempDir>,
    database: Option<Arc<ScratchDatabase>>,
    options: ServerOptions,
}

impl Stopped {
    /// Its folder.
    pub fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// With one setting changed.
    #[must_use]
    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.options = self.options.with(key, value);
        self
    }

    /// The same installation on an empty database of this run's kind, with nothing in it yet.
    pub async fn on_an_empty_database(mut self) -> Self {
        static NUMBERS: AtomicU32 = AtomicU32::new(0);
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
        self.database = Database::of_this_run().scratch().await.map(Arc::new);
        let url = match &self.database {
            Some(database) => database.url(),
            None => {
                let file = self.folder.path().join(format!("moved{number}/mapae.db"));
                format!("sqlite://{}", file.display())
            }
        };
        self.with("DATABASE__URL", &url)
    }

    /// With a worker in the server's own process.
    #[must_use]
    pub fn with_worker(mut self) -> Self {
        self.options.arguments.retain(|argument| *argument != "--no-worker");
        self
    }

    /// Runs a command of the binary to its end, with its settings and in its folder.
    pub async fn run(&self, arguments: &[&str]) -> (bool, String, String) {
        run_to_end(command(self.folder.path(), &self.options), arguments).await
    }

    /// Starts the server again.
    pub async fn start(self) -> Server {
        Server::start_in(self.folder, self.database, self.options).await
    }
}

/// A process that only sends, killed when it is dropped.
pub struct WorkerProcess(Child);

impl WorkerProcess {
    /// Ends the process at once, as the loss of power would.
    pub async fn kill(mut self) {
        self.0.kill().await.expect("the process can be killed");
    }

    /// Tells the process to stop, and gives whether it ended well.
    pub async fn terminate(mut self) -> bool {
        signal_to(&self.0, "-TERM").await;
        let ended = tokio::time::timeout(PATIENCE, self.0.wait()).await.expect("an end");
        ended.expect("a status").success()
    }
}

async fn signal_to(process: &Child, signal: &str) {
    let id = process.id().expect("a running process").to_string();
    let told = Command::new("kill").args([signal, &id]).status().await.expect("kill");
    assert!(told.success());
}

async fn run_to_end(mut command: Command, arguments: &[&str]) -> (bool, String, String) {
    let output = command.args(arguments).stdout(Stdio::piped()).output();
    let output = tokio::time::timeout(PATIENCE, output).await.expect("an end");
    let output = output.expect("a process");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

/// One that goes on until it is stopped. What is tested is what it answers, and not whether many tests at
/// once on one disk let it answer within the default's seconds: it may wait for its database. A server has a
/// hundred connections for all of them together, though.
fn process(folder: &Path, options: &ServerOptions) -> Command {
    let own = [("DATABASE__TIMEOUT", "30s"), ("DATABASE__CONNECTIONS", "4")];
    let settings = ServerOptions::default()
        .with_all(&own)
        .settings
        .into_iter()
        .chain(options.settings.clone())
        .collect();
    command(folder, &ServerOptions { settings, ..options.clone() })
}

fn command(folder: &Path, options: &ServerOptions) -> Command {
    let mut command = Command::new(options.binary.as_deref().unwrap_or_else(|| server_binary()));
    // Nothing of the machine's own settings may reach the process.
    for name in settings_of_the_machine() {
        command.env_remove(name);
    }
    command
        .current_dir(folder)
        .env("MAPAE_SERVER__LISTEN", "127.0.0.1:0")
        .envs(options.settings.iter().map(|(key, value)| (key.as_str(), value.as_str())))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}
