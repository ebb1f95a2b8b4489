use std::time::Duration;

use fred::error::ErrorKind;
use fred::prelude::{Builder, Client, ClientLike as _, Config, Error};
use fred::types::{ConnectHandle, RespVersion};

/// How long a connection may take to be made, and a command to be answered: both together are less than
/// whoever wakes others waits for.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where Redis is. The URL may bear a password, and is shown nowhere.
#[derive(Clone)]
pub struct RedisServer(Config);

/// Why a URL leads to no Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RedisUrlError {
    /// It is none.
    #[error("is no URL such as redis://host:6379 or rediss://user:password@host:6380/0")]
    Form,
    /// The machine's list of authorities, which certificates are checked by, cannot be read.
    #[error("cannot be used: this machine's list of certificate authorities cannot be read")]
    Authorities,
}

impl RedisServer {
    /// Reads a URL: `redis://` or `rediss://`, the latter with TLS. Connects to nothing.
    ///
    /// # Errors
    /// [`RedisUrlError`], which repeats nothing of the URL.
    pub fn parse(url: &str) -> Result<Self, RedisUrlError> {
        if !url.starts_with("redis://") && !url.starts_with("rediss://") {
            return Err(RedisUrlError::Form);
        }
        let mut config = Config::from_url_centralized(url).map_err(|error| match error.kind() {
            ErrorKind::Tls => RedisUrlError::Authorities,
            _ => RedisUrlError::Form,
        })?;
        // In the older version a connection that has subscribed can do little else.
        config.version = RespVersion::RESP3;
        Ok(Self(config))
    }

    /// Connects once. Who is disconnected connects anew by themselves.
    pub(crate) async fn connect(&self) -> Result<Connection, Error> {
        let client = Builder::from_config(self.0.clone())
            .with_connection_config(|connection| {
                connection.connection_timeout = PATIENCE;
                connection.internal_command_timeout = PATIENCE;
                connection.max_command_attempts = 1;
            })
            .with_performance_config(|performance| {
                performance.default_command_timeout = PATIENCE;
            })
            .build()?;
        // Brought to its end though nobody waits any longer, so that what comes of it is closed.
        let connecting = tokio::spawn(async move {
            let driven = client.init().await?;
            Ok(Connection { client, driven })
        });
        let late = |_| Error::new(ErrorKind::Timeout, "no connection in time");
        match tokio::time::timeout(PATIENCE, connecting).await.map_err(late)? {
            Ok(connected) => connected,
            Err(_) => Err(Error::new(ErrorKind::Canceled, "the process ends")),
        }
    }
}

/// A connection, closed when it is dropped.
pub(crate) struct Connection {
    pub(crate) client: Client,
    /// What reads and writes, until the connection is lost.
    pub(crate) driven: ConnectHandle,
}

impl Connection {
    pub(crate) fn is_up(&self) -> bool {
        !self.driven.is_finished()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driven.abort();
    }
}
