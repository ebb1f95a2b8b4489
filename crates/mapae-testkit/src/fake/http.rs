//! A provider's HTTP interface, as a test wants it to behave.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::lock;

/// What a provider was asked.
#[derive(Debug, Clone)]
pub struct HttpRequest {
    /// `POST`.
    pub method: String,
    /// The path and, behind `?`, the query: byte for byte as they came.
    pub target: String,
    /// The headers, by their names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Vec<u8>,
}

impl HttpRequest {
    /// The header of that name in lower case; empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// The body as JSON; null where it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// What a provider does with a request.
#[derive(Debug, Clone)]
pub enum HttpReply {
    /// Answers.
    Answer {
        /// The status.
        status: u16,
        /// The body's type.
        content_type: &'static str,
        /// The body.
        body: String,
    },
    /// Answers after a while.
    After(Duration, Box<HttpReply>),
    /// Answers with one more header.
    With(&'static str, String, Box<HttpReply>),
    /// Takes the request and closes the connection without an answer.
    Cut,
}

impl HttpReply {
    /// An answer of JSON.
    pub fn json(status: u16, body: impl Into<String>) -> Self {
        Self::Answer { status, content_type: "application/json", body: body.into() }
    }

    /// The same, with one more header.
    #[must_use]
    pub fn with(self, name: &'static str, value: impl Into<String>) -> Self {
        Self::With(name, value.into(), Box::new(self))
    }

    /// The same, after a while.
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        Self::After(wait, Box::new(self))
    }
}

type Handler = dyn Fn(&HttpRequest) -> HttpReply + Send + Sync;

/// An HTTP/1.1 server on this machine's loopback that answers as it is told. It stops when it is
/// dropped.
pub struct HttpStub {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<HttpRequest>>>,
    accepting: JoinHandle<()>,
}

impl HttpStub {
    /// A server that answers each request as `handler` says.
    ///
    /// # Panics
    /// Where there is no port to listen on.
    pub async fn start(
        handler: impl Fn(&HttpRequest) -> HttpReply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (kept, handler): (_, Arc<Handler>) = (Arc::clone(&requests), Arc::new(handler));
        let accepting = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (kept, handler) = (Arc::clone(&kept), Arc::clone(&handler));
                connections.spawn(async move {
                    // A client that goes away in the middle is a client's way to end.
                    drop(serve(stream, &kept, &*handler).await);
                });
            }
        });
        Self { address, requests, accepting }
    }

    /// Where it listens: `http://127.0.0.1:…`.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every request so far.
    pub fn requests(&self) -> Vec<HttpRequest> {
        lock(&self.requests).clone()
    }

    /// How many requests of that method there were so far.
    pub fn calls_of(&self, method: &str) -> usize {
        lock(&self.requests).iter().filter(|request| request.method == method).count()
    }

    /// How many requests there were so far.
    pub fn calls(&self) -> usize {
        lock(&self.requests).len()
    }
}

impl Drop for HttpStub {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(
    stream: TcpStream,
    kept: &Mutex<Vec<HttpRequest>>,
    handler: &Handler,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream).await? {
        let reply = handler(&request);
        lock(kept).push(request);
        let (mut reply, mut headers) = (&reply, String::new());
        let (status, content_type, body) = loop {
            match reply {
                HttpReply::After(wait, then) => {
                    tokio::time::sleep(*wait).await;
                    reply = then;
                }
                HttpReply::With(name, value, then) => {
                    headers.push_str(&format!("{name}: {value}\r\n"));
                    reply = then;
                }
                HttpReply::Answer { status, content_type, body } => {
                    break (status, content_type, body);
                }
                HttpReply::Cut => return Ok(()),
            }
        };
        let head = format!(
            "HTTP/1.1 {status} Status\r\ncontent-type: {content_type}\r\n{headers}content-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(&[head.as_bytes(), body.as_bytes()].concat()).await?;
    }
    Ok(())
}

/// The next request of a connection; nothing at its end.
async fn read(stream: &mut BufReader<TcpStream>) -> io::Result<Option<HttpRequest>> {
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    let method = words.next().unwrap_or_default().to_owned();
    let target = words.next().unwrap_or_default().to_owned();
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(Some(HttpRequest { method, target, headers, body }))
}
