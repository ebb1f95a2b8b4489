use std::time::Duration;

use async_trait::async_trait;
use fred::prelude::{ClientLike as _, Error, EventInterface as _, PubsubInterface as _};
use mapae_application::ports::wake_up::{SILENCE, channels_of};
use mapae_application::ports::{WakeUpError, WakeUps};
use mapae_domain::Channel;
use tokio::sync::Mutex;
use tokio::sync::broadcast::error::RecvError;

use crate::server::{Connection, RedisServer};

/// Wakes by one connection, and listens by another.
pub struct RedisWakeUps {
    server: RedisServer,
    /// What is published and subscribed to: the installation's own.
    topic: String,
    waking: Mutex<Option<Connection>>,
    silence: Duration,
}

impl RedisWakeUps {
    /// Wake-ups of one installation. Installations that share a Redis are kept apart by their names;
    /// one's processes have the same.
    pub fn new(server: RedisServer, installation: &str) -> Self {
        let topic = format!("mapae:{installation}:outbox");
        Self { server, topic, waking: Mutex::new(None), silence: SILENCE }
    }

    /// Tries a silent connection after this time. For tests.
    #[doc(hidden)]
    #[must_use]
    pub fn with_silence(self, silence: Duration) -> Self {
        Self { silence, ..self }
    }

    async fn try_wake(&self, channel: Channel) -> Result<(), Error> {
        let mut waking = self.waking.lock().await;
        let connection = match waking.take() {
            Some(connection) if connection.is_up() => connection,
            _ => self.server.connect().await?,
        };
        let topic = self.topic.clone();
        connection.client.publish::<(), _, _>(topic, channel.as_str()).await?;
        // Kept only where it was good: what failed, or was given up, is closed.
        *waking = Some(connection);
        Ok(())
    }

    async fn try_listen(&self, woken: &(dyn Fn(Channel) + Send + Sync)) -> Result<(), Error> {
        let mut connection = self.server.connect().await?;
        let mut said = connection.client.message_rx();
        connection.client.subscribe(self.topic.clone()).await?;
        Channel::ALL.into_iter().for_each(woken);
        loop {
            let heard = tokio::select! {
                ended = &mut connection.driven => return ended.unwrap_or(Ok(())),
                heard = tokio::time::timeout(self.silence, said.recv()) => heard,
            };
            match heard {
                Ok(Ok(message)) => {
                    let word = message.value.as_str();
                    channels_of(word.as_deref().unwrap_or_default()).for_each(woken);
                }
                // More was said than could be heard.
                Ok(Err(RecvError::Lagged(_))) => Channel::ALL.into_iter().for_each(woken),
                Ok(Err(RecvError::Closed)) => return Ok(()),
                Err(_) => connection.client.ping::<()>(None).await?,
            }
        }
    }
}

fn failed(error: Error) -> WakeUpError {
    WakeUpError(error.into())
}

#[async_trait]
impl WakeUps for RedisWakeUps {
    async fn wake(&self, channel: Channel) -> Result<(), WakeUpError> {
        self.try_wake(channel).await.map_err(failed)
    }

    async fn listen(&self, woken: &(dyn Fn(Channel) + Send + Sync)) -> WakeUpError {
        match self.try_listen(woken).await {
            Ok(()) => WakeUpError("the connection was closed".into()),
            Err(error) => failed(error),
        }
    }
}
