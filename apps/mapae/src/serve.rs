//! `mapae serve`, `mapae work` and `mapae migrate`.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use mapae_application::outbox::Relay;
use mapae_application::ports::TraceLinks;
use poem::Server;
use poem::listener::{Acceptor as _, Listener as _, TcpAcceptor, TcpListener};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::Failure;
use crate::config::{Config, Mode};
use crate::wire::{self, System};

/// How many requests one connection of HTTP/2 may have under way: without a bound one client takes all there
/// is.
const STREAMS: u32 = 200;
/// After how long a connection is closed on which nothing comes or goes: longer than proxies keep theirs, of
/// which some do for ten minutes. A request that meets a connection in its closing would be lost there.
const IDLE: Duration = Duration::from_secs(620);

/// Brings the database to this release's schema.
pub(crate) async fn migrate(config: &Config) -> Result<(), Failure> {
    let store = wire::open_store(config).await?;
    let applied = store.migrate().await?;
    wire::tell_schema(&store.check_schema().await?, applied);
    store.close().await?;
    Ok(())
}

/// Sends what the outbox holds until the process is told to stop.
pub(crate) async fn work(config: &Config, traces: Arc<dyn TraceLinks>) -> Result<(), Failure> {
    let mut stop = pin!(stop_signal()?);
    let status = match config.work.listen.as_str() {
        "" => None,
        listen => Some(accept("work.listen", listen).await?),
    };
    let Some(store) = unless_stopped(&mut stop, wire::open_ready_store(config)).await? else {
        return Ok(());
    };
    let public_origin = wire::public_origin(config, None)?;
    let System { store, application, worker, relay, retention, http, .. } =
        wire::build_traced(config, store, &public_origin, traces).await?;
    tracing::info!("sending what the outbox holds");
    let (ending, ended) = watch::channel(false);
    let relay = relay.map(|relay| tokio::spawn(relay.run(until(ended.clone()))));
    let status = status.map(|(acceptor, address)| {
        tracing::info!("its health and figures are on http://{address}");
        let service = mapae_http::status_service(application, http);
        // Whoever is asking still then has asked for next to nothing.
        let grace = Some(Duration::from_secs(1));
        tokio::spawn(server(acceptor).run_with_graceful_shutdown(
            service,
            until(ended.clone()),
            grace,
        ))
    });
    let retention = tokio::spawn(retention.run(until(ended)));
    worker.run(stop).await;
    tracing::info!("stopping");
    ending.send_replace(true);
    retention.await?;
    if let Some(relay) = relay {
        relay.await?;
    }
    if let Some(status) = status {
        status.await??;
    }
    store.close().await?;
    Ok(())
}

/// Waits for what a start needs, but for no longer than until the process is told to stop.
async fn unless_stopped<T>(
    stop: &mut (impl Future<Output = ()> + Unpin),
    needed: impl Future<Output = Result<T, Failure>>,
) -> Result<Option<T>, Failure> {
    tokio::select! {
        () = stop => {
            tracing::info!("stopping before it has started");
            Ok(None)
        }
        had = needed => had.map(Some),
    }
}

/// A server that keeps no connection on which nothing happens. One that began a request, and does not go on
/// with it, stays: a proxy in front has to bound those.
fn server(acceptor: TcpAcceptor) -> Server<Infallible, TcpAcceptor> {
    Server::new_with_acceptor(acceptor).http2_max_concurrent_streams(STREAMS).idle_timeout(IDLE)
}

/// Listens at the address that a setting names.
async fn accept(setting: &str, listen: &str) -> Result<(TcpAcceptor, SocketAddr), Failure> {
    let bound = TcpListener::bind(listen.to_owned()).into_acceptor().await;
    let acceptor = bound.map_err(|error| format!("{setting}: {error}"))?;
    let address = acceptor
        .local_addr()
        .first()
        .and_then(|address| address.as_socket_addr().copied())
        .ok_or("the listener has no address")?;
    Ok((acceptor, address))
}

/// Serves until the process is told to stop, then finishes what is under way. Sends what the outbox
/// holds as well, unless other processes are there for that.
pub(crate) async fn serve(
    config: Config,
    with_worker: bool,
    traces: Arc<dyn TraceLinks>,
) -> Result<(), Failure> {
    let mut stop = pin!(stop_signal()?);
    let (acceptor, address) = accept("server.listen", &config.server.listen).await?;
    let public_origin = wire::public_origin(&config, Some(address.port()))?;

    let Some(store) = unless_stopped(&mut stop, wire::open_ready_store(&config)).await? else {
        return Ok(());
    };
    let System { store, application, worker, relay, keeper, retention, http } =
        wire::build_traced(&config, store, &public_origin, traces).await?;
    let (worker_stop, stopped) = watch::channel(false);
    let keeper = tokio::spawn(keeper.run(until(stopped.clone())));
    // Who sends nothing needs nobody to wake them, and wakes others all the same.
    let relay = relay.map(|relay| Relay { listens: with_worker, ..relay });
    let relay = relay.map(|relay| tokio::spawn(relay.run(until(stopped.clone()))));
    let worker = with_worker.then(|| {
        let retention = tokio::spawn(retention.run(until(stopped.clone())));
        (tokio::spawn(worker.run(until(stopped))), retention)
    });

    if config.mode == Mode::Development {
        tracing::warn!(
            inbox = %format!("{public_origin}/dev/inbox"),
            "development: anyone who can connect reads the inbox"
        );
    }
    tracing::info!(docs = %format!("{public_origin}/docs"), "listening on http://{address}");
    server(acceptor)
        .run_with_graceful_shutdown(
            mapae_http::service(application, http),
            stop,
            Some(config.server.shutdown_grace.0),
        )
        .await?;

    tracing::info!("stopping");
    worker_stop.send_replace(true);
    keeper.await?;
    if let Some((worker, retention)) = worker {
        worker.await?;
        retention.await?;
    }
    if let Some(relay) = relay {
        relay.await?;
    }
    store.close().await?;
    Ok(())
}

/// Ready once the flag is up.
async fn until(mut flag: watch::Receiver<bool>) {
    // The sender outlives the worker; were it gone, to stop would be right as well.
    if flag.wait_for(|up| *up).await.is_err() {
        tracing::warn!("whoever stops the worker is gone");
    }
}

/// Ready when the process is told to stop: by a service manager, or by a person.
fn stop_signal() -> Result<impl Future<Output = ()>, Failure> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
