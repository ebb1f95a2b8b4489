//! What operators are told in figures.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use mapae_application::Application;
use mapae_http::MetricsSettings;
use mapae_store_seaorm::SeaOrmStore;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::Failure;
use crate::config::{Config, Mode};

/// The bounds of the buckets of what takes time, in seconds: from a token's check to a time-out.
const SECONDS: [f64; 13] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// How often what was timed is counted.
const UPKEEP: Duration = Duration::from_secs(5);

/// The recorder of this process: there is one.
static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();

fn recorder() -> Result<PrometheusHandle, Failure> {
    if let Some(handle) = RECORDER.get() {
        return Ok(handle.clone());
    }
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .install_recorder()?;
    describe();
    let handle = RECORDER.get_or_init(|| handle).clone();
    // What was timed is kept one by one until it is counted, which nobody who reads the figures may do.
    let counted = handle.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(UPKEEP).await;
            counted.run_upkeep();
        }
    });
    Ok(handle)
}

/// Says what each figure is.
fn describe() {
    use metrics::{describe_counter, describe_gauge, describe_histogram};
    describe_counter!("mapae_http_requests_total", "Requests, by operation and status");
    describe_histogram!("mapae_http_request_duration_seconds", "How long requests took");
    describe_counter!("mapae_log_ins_total", "Log-ins, by method and outcome");
    describe_counter!(
        "mapae_verifications_total",
        "Codes and links that were sent, and what became of them"
    );
    describe_counter!("mapae_limits_total", "What limits allowed and refused");
    describe_counter!(
        "mapae_sends_total",
        "What senders made of messages that they were asked to take"
    );
    describe_counter!("mapae_messages_total", "Where each try left its message");
    describe_gauge!("mapae_outbox_messages", "Messages that wait to be sent");
    describe_gauge!("mapae_outbox_oldest_seconds", "For how long the oldest of them has waited");
    describe_gauge!(
        "mapae_outbox_overdue_seconds",
        "For how long the one that is longest due should have been tried"
    );
    describe_gauge!("mapae_password_hashes_waiting", "Passwords that wait to be hashed");
    describe_gauge!("mapae_database_connections", "Connections to the database, by state");
    describe_gauge!("mapae_database_connections_max", "How many there may be");
}

/// Who reads the figures, and how. Nobody, in production, unless a token is configured.
pub(crate) fn settings(
    config: &Config,
    store: &SeaOrmStore,
    application: &Arc<Application>,
) -> Result<Option<MetricsSettings>, Failure> {
    let token = config.metrics.token.copy();
    if token.is_empty() && config.mode == Mode::Production {
        return Ok(None);
    }
    let handle = recorder()?;
    metrics::gauge!("mapae_password_hashes_waiting").set(0.0);
    let (store, application) = (store.clone(), Arc::clone(application));
    let render = move || {
        let (handle, store) = (handle.clone(), store.clone());
        let application = Arc::clone(&application);
        let rendered = async move {
            store.record_connections();
            // The figures of the database are missing where it does not answer, and the others tell.
            if let Err(error) = application.record_outbox_depth().await {
                tracing::warn!(error = &error as &dyn std::error::Error, "outbox not counted");
            }
            handle.run_upkeep();
            handle.render()
        };
        Box::pin(rendered) as _
    };
    let token = (!token.is_empty()).then(|| Arc::new(token));
    Ok(Some(MetricsSettings { render: Arc::new(render), token }))
}
