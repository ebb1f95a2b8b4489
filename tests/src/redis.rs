//! A Redis of a test's own, which may be killed.

use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use mapae_testkit::machine::free_port;

use crate::{has_program, left_out, until};

/// Makes an authority, and a certificate that it has signed.
const CERTIFICATES: &str = "
openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=authority
openssl req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=localhost
printf subjectAltName=DNS:localhost > names
openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out server.pem
";

/// A running `redis-server`, killed when this is dropped.
pub struct RedisProcess {
    port: u16,
    child: Child,
}

impl RedisProcess {
    /// Starts one, where the program is there.
    ///
    /// # Panics
    /// Where it does not start, or is not there and must be.
    pub async fn start() -> Option<Self> {
        Self::start_on(free_port()).await
    }

    /// Starts one on that port, where the program is there.
    ///
    /// # Panics
    /// As [`RedisProcess::start`].
    pub async fn start_on(port: u16) -> Option<Self> {
        Self::start_with(port, &[]).await
    }

    /// Starts one that speaks TLS as well, on the port that is given beside it, by a certificate for
    /// `localhost` that the authority `ca.pem` in that folder has signed.
    ///
    /// # Panics
    /// As [`RedisProcess::start`].
    pub async fn start_encrypted(folder: &Path) -> Option<(Self, u16)> {
        if !has_program("openssl").await {
            return None;
        }
        let made =
            Command::new("sh").args(["-ec", CERTIFICATES]).current_dir(folder).output().await;
        let made = made.expect("a shell");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let (port, file) = (free_port(), |name: &str| folder.join(name).display().to_string());
        let (authority, certificate, key) =
            (file("ca.pem"), file("server.pem"), file("server.key"));
        let arguments = [
            ["--tls-port", &port.to_string()],
            ["--tls-ca-cert-file", &authority],
            ["--tls-cert-file", &certificate],
            ["--tls-key-file", &key],
            ["--tls-auth-clients", "no"],
        ];
        Some((Self::start_with(free_port(), arguments.as_flattened()).await?, port))
    }

    async fn start_with(port: u16, arguments: &[&str]) -> Option<Self> {
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""]);
        command.args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
        let child = match command.spawn() {
            Ok(child) => child,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                left_out("there is no redis-server here");
                return None;
            }
            Err(error) => panic!("redis-server cannot be started: {error}"),
        };
        let redis = Self { port, child };
        until("Redis answers", async || redis.ask("PING").await.starts_with("+PONG")).await;
        Some(redis)
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Ends it at once, as the loss of power would.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("it can be killed");
    }

    /// Lets it hang, or go on: connections are taken, and nobody is answered.
    pub async fn set_hanging(&self, hangs: bool) {
        let signal = if hangs { "-STOP" } else { "-CONT" };
        let id = self.child.id().expect("a running process").to_string();
        let told = Command::new("kill").args([signal, &id]).status().await.expect("kill");
        assert!(told.success());
    }

    /// Waits until somebody of an installation has subscribed.
    pub async fn listened(&self) {
        until("somebody listens", async || {
            self.ask("PUBSUB CHANNELS mapae:*").await.starts_with("*1")
        })
        .await;
    }

    /// Asks it something, and gives the first of its answer; nothing where there is none.
    pub async fn ask(&self, command: &str) -> String {
        let asked = async {
            let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
            stream.write_all(format!("{command}\r\n").as_bytes()).await?;
            let mut answer = vec![0; 256];
            let length = stream.read(&mut answer).await?;
            answer.truncate(length);
            Ok::<_, std::io::Error>(String::from_utf8_lossy(&answer).into_owned())
        };
        asked.await.unwrap_or_default()
    }
}
