//! The way to a server that is in the way of its users.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// What becomes of connections.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Way {
    /// Where new ones lead: `host:port`.
    to: Arc<str>,
    /// How often those that there were have been closed.
    cut: u32,
    /// How often those that there were have fallen silent.
    silenced: u32,
    /// Whether all of them hold still.
    is_still: bool,
}

/// The way to a server, on this machine's loopback, as a balancer or an address that moves is one: it
/// can be cut, can fall silent, and can lead elsewhere. It ends when it is dropped.
#[derive(Debug)]
pub struct TcpProxy {
    address: SocketAddr,
    way: watch::Sender<Way>,
    accepting: JoinHandle<()>,
}

impl TcpProxy {
    /// A way to that server: `host:port`.
    ///
    /// # Panics
    /// Where there is no port to listen on.
    #[expect(clippy::expect_used, reason = "a test without a port cannot go on")]
    pub async fn start(to: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (way, ways) =
            watch::channel(Way { to: to.into(), cut: 0, silenced: 0, is_still: false });
        let accepting = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                connections.spawn(lead(client, ways.clone()));
            }
        });
        Self { address, way, accepting }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes every connection that there is. New ones are taken as before.
    pub fn cut(&self) {
        self.way.send_modify(|way| way.cut += 1);
    }

    /// Lets nothing through any more on the connections that there are, and leaves them open. New
    /// ones are taken as before.
    pub fn fall_silent(&self) {
        self.way.send_modify(|way| way.silenced += 1);
    }

    /// Holds everything still, new connections too, and closes none.
    pub fn hold_still(&self) {
        self.way.send_modify(|way| way.is_still = true);
    }

    /// Lets everything through again, also what was held meanwhile.
    pub fn go_on(&self) {
        self.way.send_modify(|way| way.is_still = false);
    }

    /// Leads to another server from now on, and closes the connections to the one before.
    pub fn lead_to(&self, to: &str) {
        self.way.send_modify(|way| {
            way.to = to.into();
            way.cut += 1;
        });
    }
}

impl Drop for TcpProxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// One connection, until either side ends it or it is cut.
async fn lead(client: TcpStream, mut ways: watch::Receiver<Way>) {
    let Ok(Way { to, cut, silenced, .. }) =
        ways.wait_for(|way| !way.is_still).await.map(|way| way.clone())
    else {
        return;
    };
    let Ok(server) = TcpStream::connect(&*to).await else { return };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let gets_through = |mut ways: watch::Receiver<Way>| async move {
        ways.wait_for(|way| !way.is_still && way.silenced == silenced).await.is_ok()
    };
    let asks = pour(from_client, to_server, || gets_through(ways.clone()));
    let answers = pour(from_server, to_client, || gets_through(ways.clone()));
    let mut is_cut = ways.clone();
    tokio::select! {
        () = asks => {}
        () = answers => {}
        _ = is_cut.wait_for(|way| way.cut != cut) => {}
    }
}

/// What comes from one side goes to the other, as soon as it gets through.
async fn pour<F: Future<Output = bool>>(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    gets_through: impl Fn() -> F,
) {
    let mut bytes = vec![0; 16 * 1_024];
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        if !gets_through().await || to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}
