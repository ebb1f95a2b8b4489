//! [`WakeUps`] by PostgreSQL's `LISTEN` and `NOTIFY`.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use mapae_application::ports::wake_up::{SILENCE, channels_of};
use mapae_application::ports::{WakeUpError, WakeUps};
use mapae_domain::Channel;
use sea_orm::{DbBackend, DbErr, RuntimeErr};
use sqlx::postgres::{PgConnectOptions, PgListener, PgPool, PgPoolOptions};

use crate::SeaOrmStore;
use crate::transaction::{Patience, bounded};

/// What is listened to. A notification stays in its database, so every installation has its own.
const LISTENED: &str = "mapae_outbox";
/// The notifications, by the channel's name. None of them is in a transaction with anything else:
/// those that notify commit one after the other, and would all wait for each other's disk.
const fn notify(channel: Channel) -> &'static str {
    match channel {
        Channel::Email => "NOTIFY mapae_outbox, 'email'",
        Channel::Sms => "NOTIFY mapae_outbox, 'sms'",
    }
}

/// How long a connection may take to be made, or to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Wakes by a connection of the store's pool, and listens by one of its own.
struct PostgresWakeUps {
    pool: PgPool,
    patience: Patience,
    listened: Arc<PgConnectOptions>,
}

impl SeaOrmStore {
    /// The way to wake other processes by the database, where it has one: PostgreSQL does, unless
    /// nobody keeps a connection to listen on.
    pub fn wake_ups(&self) -> Option<Arc<dyn WakeUps>> {
        if self.backend() != DbBackend::Postgres || self.is_pooled {
            return None;
        }
        let pool = self.writer.get_postgres_connection_pool().clone();
        let listened = pool.connect_options();
        Some(Arc::new(PostgresWakeUps { pool, patience: self.patience.clone(), listened }))
    }
}

fn failed(error: sqlx::Error) -> WakeUpError {
    WakeUpError(error.into())
}

impl PostgresWakeUps {
    async fn try_listen(&self, woken: &(dyn Fn(Channel) + Send + Sync)) -> Result<(), sqlx::Error> {
        let one = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(PATIENCE)
            .max_lifetime(None)
            .idle_timeout(None)
            .connect_lazy_with((*self.listened).clone());
        let mut listener = PgListener::connect_with(&one).await?;
        // A connection that is lost is told of, and not replaced in silence.
        listener.eager_reconnect(false);
        let listening = tokio::time::timeout(PATIENCE, listener.listen(LISTENED)).await;
        listening.map_err(|_| sqlx::Error::PoolTimedOut)??;
        Channel::ALL.into_iter().for_each(woken);
        loop {
            let Ok(heard) = tokio::time::timeout(SILENCE, listener.try_recv()).await else {
                let answer = sqlx::raw_sql("SELECT 1").execute(&mut listener);
                tokio::time::timeout(PATIENCE, answer)
                    .await
                    .map_err(|_| sqlx::Error::PoolTimedOut)??;
                continue;
            };
            let Some(heard) = heard? else { return Ok(()) };
            channels_of(heard.payload()).for_each(woken);
        }
    }
}

#[async_trait]
impl WakeUps for PostgresWakeUps {
    async fn wake(&self, channel: Channel) -> Result<(), WakeUpError> {
        let pool = self.pool.clone();
        let told = async move {
            let told = sqlx::raw_sql(notify(channel)).execute(&pool).await;
            told.map(drop).map_err(|error| DbErr::Conn(RuntimeErr::SqlxError(error.into())))
        };
        bounded(&self.patience, told).await.map_err(|error| WakeUpError(error.into()))
    }

    async fn listen(&self, woken: &(dyn Fn(Channel) + Send + Sync)) -> WakeUpError {
        match self.try_listen(woken).await {
            Ok(()) => WakeUpError("the connection was closed".into()),
            Err(error) => failed(error),
        }
    }
}
