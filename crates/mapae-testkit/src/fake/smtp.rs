//! An SMTP server, as a test wants it to behave. It knows no TLS: what speaks it reads that.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::lock;

/// What the server does at a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SmtpReply {
    /// Says that.
    Say(&'static str),
    /// Closes the connection without a word.
    Cut,
    /// Says nothing for a while, and then closes the connection.
    Hang(Duration),
}

/// A mail that the server took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmtpMail {
    /// Who it is from: what MAIL said.
    pub from: String,
    /// Who gets it: what RCPT said.
    pub to: String,
    /// The message, as it came.
    pub raw: String,
}

#[derive(Default)]
struct State {
    /// What is said instead of yes, by the command; `.` is the message's end, `greeting` the first
    /// line.
    replies: HashMap<&'static str, SmtpReply>,
    features: Vec<&'static str>,
    lines: Vec<String>,
    mails: Vec<SmtpMail>,
    connections: usize,
}

/// An SMTP server on this machine's loopback. It stops when it is dropped.
pub struct SmtpStub {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    accepting: JoinHandle<()>,
}

impl SmtpStub {
    /// A server that takes every mail, and offers these extensions.
    ///
    /// # Panics
    /// Where there is no port to listen on.
    pub async fn start(features: &[&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let state = State { features: features.to_vec(), ..State::default() };
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        let accepting = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&shared);
                lock(&shared).connections += 1;
                // A client that goes away in the middle is a client's way to end.
                connections.spawn(async move { drop(converse(stream, &shared).await) });
            }
        });
        Self { address, state, accepting }
    }

    /// The port that it listens on, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// From now on it does that at a command: `greeting`, `EHLO`, `MAIL`, `RCPT`, `DATA`, or `.` for
    /// the message's end.
    pub fn reply(&self, command: &'static str, reply: SmtpReply) {
        lock(&self.state).replies.insert(command, reply);
    }

    /// From now on it says yes to everything.
    pub fn behave(&self) {
        lock(&self.state).replies.clear();
    }

    /// Every line that clients have sent, messages left out.
    pub fn lines(&self) -> Vec<String> {
        lock(&self.state).lines.clone()
    }

    /// The mails that it took, in that order.
    pub fn mails(&self) -> Vec<SmtpMail> {
        lock(&self.state).mails.clone()
    }

    /// How many connections there were.
    pub fn connections(&self) -> usize {
        lock(&self.state).connections
    }
}

impl Drop for SmtpStub {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn converse(stream: TcpStream, state: &Mutex<State>) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    if !say(&mut stream, state, "greeting", "220 ready".to_owned()).await? {
        return Ok(());
    }
    let (mut from, mut to) = (String::new(), String::new());
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let line = line.trim_end().to_owned();
        lock(state).lines.push(line.clone());
        let command = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        let (command, yes) = match command.as_str() {
            "EHLO" => ("EHLO", features(state)),
            "MAIL" => {
                from.clone_from(&line);
                ("MAIL", "250 ok".to_owned())
            }
            "RCPT" => {
                to.clone_from(&line);
                ("RCPT", "250 ok".to_owned())
            }
            "DATA" => ("DATA", "354 go on".to_owned()),
            "AUTH" => ("AUTH", "235 ok".to_owned()),
            "QUIT" => ("QUIT", "221 bye".to_owned()),
            _ => ("OTHER", "250 ok".to_owned()),
        };
        if !say(&mut stream, state, command, yes).await? || command == "QUIT" {
            return Ok(());
        }
        if command == "DATA" && !lock(state).replies.contains_key("DATA") {
            let raw = message(&mut stream).await?;
            let refused = matches!(lock(state).replies.get("."), Some(SmtpReply::Say(_)));
            if !refused {
                let mail = SmtpMail { from: from.clone(), to: to.clone(), raw };
                lock(state).mails.push(mail);
            }
            if !say(&mut stream, state, ".", "250 taken".to_owned()).await? {
                return Ok(());
            }
        }
    }
}

fn features(state: &Mutex<State>) -> String {
    let features = &lock(state).features;
    let mut lines = vec!["stub".to_owned()];
    lines.extend(features.iter().map(|feature| (*feature).to_owned()));
    let last = lines.len() - 1;
    let lines = lines
        .iter()
        .enumerate()
        .map(|(nth, line)| format!("250{}{line}", if nth == last { " " } else { "-" }));
    lines.collect::<Vec<_>>().join("\r\n")
}

/// Says what there is to say to a command; `false` where the conversation is over.
async fn say(
    stream: &mut BufReader<TcpStream>,
    state: &Mutex<State>,
    command: &str,
    yes: String,
) -> io::Result<bool> {
    let reply = lock(state).replies.get(command).cloned();
    let line = match reply {
        None => yes,
        Some(SmtpReply::Say(line)) => line.to_owned(),
        Some(SmtpReply::Cut) => return Ok(false),
        Some(SmtpReply::Hang(wait)) => {
            tokio::time::sleep(wait).await;
            return Ok(false);
        }
    };
    stream.write_all(format!("{line}\r\n").as_bytes()).await?;
    Ok(true)
}

async fn message(stream: &mut BufReader<TcpStream>) -> io::Result<String> {
    let mut raw = Vec::new();
    loop {
        let start = raw.len();
        if stream.read_until(b'\n', &mut raw).await? == 0 || &raw[start..] == b".\r\n" {
            raw.truncate(start);
            return Ok(String::from_utf8_lossy(&raw).into_owned());
        }
    }
}
