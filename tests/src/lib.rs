//! Starts the real binary on a database of its own, and speaks to it over HTTP.
//!
//! A test says what it asks and what it expects; how the process is found, started, read and ended
//! stands here.
#![expect(clippy::expect_used, clippy::panic, reason = "test code: what fails here fails a test")]

mod binary;
mod database;
mod redis;
mod server;

use mapae_testkit::fake::six_digits_in;
use serde_json::Value;
use tokio::process::Command;

pub use binary::{example_binary, server_binary, workspace};
pub use database::Database;
pub use mapae_testkit::machine::left_out;
pub use redis::RedisProcess;
pub use server::{Answer, Server, ServerOptions, Stopped, WorkerProcess};

/// The message of the inbox that a test waits for.
#[derive(Debug, Clone)]
pub struct Message {
    /// The whole of it, as the inbox shows it.
    pub json: Value,
}

impl Message {
    /// The code in it.
    pub fn code(&self) -> String {
        self.text_of("code")
    }

    /// The link in it.
    pub fn link(&self) -> String {
        self.text_of("link")
    }

    /// The key of the link in it.
    pub fn key(&self) -> String {
        let link = self.link();
        link.split_once("key=").expect("a link with a key").1.to_owned()
    }

    /// The subject, or nothing for a short message.
    pub fn subject(&self) -> &str {
        self.json["subject"].as_str().unwrap_or_default()
    }

    /// The text.
    pub fn text(&self) -> &str {
        self.json["text"].as_str().expect("every message has a text")
    }

    fn text_of(&self, member: &str) -> String {
        let text = self.json[member].as_str();
        text.unwrap_or_else(|| panic!("the message has no {member}: {}", self.json)).to_owned()
    }
}

/// The code in a text.
pub fn code_in(text: &str) -> String {
    six_digits_in(text).unwrap_or_else(|| panic!("no code in {text}")).to_owned()
}

/// Whether a line shows a secret. A code is looked for as a word: six digits stand in some id or instant of
/// a long log by chance.
pub fn shows(line: &str, secret: &str) -> bool {
    let is_code = secret.len() == 6 && secret.bytes().all(|digit| digit.is_ascii_digit());
    let mut words = line.split(|sign: char| !sign.is_ascii_alphanumeric());
    if is_code { words.any(|word| word == secret) } else { line.contains(secret) }
}

/// Whether a program is there; where it is not, what needs it is [`left_out`].
///
/// # Panics
/// As [`left_out`].
pub async fn has_program(program: &str) -> bool {
    let looked = Command::new("sh").args(["-c", &format!("command -v {program}")]).output().await;
    let found = looked.is_ok_and(|output| output.status.success());
    if !found {
        left_out(&format!("there is no {program} here"));
    }
    found
}

/// Waits until `seen` says so; says what did not come where it never does.
pub async fn until(what: &str, mut seen: impl AsyncFnMut() -> bool) {
    // Far more than it should take: a guard against waiting for ever, and no measure of time.
    for _ in 0..6_000 {
        if seen().await {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("it never came to pass: {what}");
}

/// A code that is certainly not `code`: of the same length, with another last digit.
pub fn wrong(code: &str, nth: usize) -> String {
    let number: usize = code.parse().expect("a code of digits");
    let other = (number + 1 + nth) % 10_usize.pow(u32::try_from(code.len()).expect("a short code"));
    format!("{other:0width$}", width = code.len())
}
