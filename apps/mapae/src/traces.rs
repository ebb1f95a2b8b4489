//! Traces, by OTLP over HTTP, where a collector is configured.
//!
//! What leaves the process is allowed by name: spans that were made to be exported ([`TARGET`]), and
//! of those the attributes of [`ATTRIBUTES`]. Nobody waits for a collector: spans are queued, and
//! dropped where the queue is full.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mapae_application::ports::{SecretRng, TraceCaller, TraceLinks};
use mapae_application::trace::{TARGET, TraceParent};
use mapae_system::SystemRng;
use opentelemetry::trace::{
    Link, SpanContext, SpanId, SpanKind, Status, TraceContextExt as _, TraceFlags, TraceId,
    TraceState, TracerProvider as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::{Protocol, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SamplingResult, SdkTracerProvider,
    ShouldSample, SpanData, SpanEvents, SpanExporter, SpanLinks,
};
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;
use tracing::Span;
use tracing_opentelemetry::{OpenTelemetryLayer, OpenTelemetrySpanExt as _};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::Layer as _;

use crate::Failure;
use crate::config::{ConfigError, ConfigSecret, Mode};
use crate::logging::BoxedLayer;

/// The attributes of spans that leave the process.
const ATTRIBUTES: [&str; 7] = [
    "channel",
    "db.system.name",
    "http.request.method",
    "http.response.status_code",
    "http.route",
    "outcome",
    "sender",
];

/// How many spans wait for the collector at the most; further ones are dropped.
const QUEUE: usize = 8_192;
/// How many spans are sent at once.
const BATCH: usize = 512;
/// How long a span waits for others to be sent with.
const DELAY: Duration = Duration::from_secs(1);
/// How long a batch may take, its repetitions included; it is lost then.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How long a process that stops waits for the last batches.
const LAST_BATCHES: Duration = Duration::from_secs(3);

/// `[traces]`.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TracesConfig {
    /// Where the collector takes OTLP over HTTP: `http://localhost:4318`. There are no traces where
    /// it is empty.
    pub(crate) endpoint: String,
    /// What the collector asks for in `Authorization`; nothing where it is empty.
    pub(crate) authorization: ConfigSecret,
    /// What the service is called in traces.
    pub(crate) service_name: String,
    /// The part of the traces that begin here that is exported: 1.0 is all of them.
    pub(crate) sample_ratio: f64,
    /// The networks of those whose `traceparent` says whether a trace is exported, whatever the ratio: of
    /// services and gateways that make it themselves.
    pub(crate) trusted_callers: Vec<String>,
}

impl Default for TracesConfig {
    fn default() -> Self {
        Self {
            endpoint: String::new(),
            authorization: ConfigSecret::default(),
            service_name: "mapae".to_owned(),
            sample_ratio: 1.0,
            trusted_callers: Vec::new(),
        }
    }
}

impl TracesConfig {
    /// The URL that spans are posted to; none where there are no traces.
    ///
    /// # Errors
    /// A setting is wrong.
    fn url(&self) -> Result<Option<reqwest::Url>, ConfigError> {
        if self.endpoint.is_empty() {
            return Ok(None);
        }
        let wrong = "traces.endpoint is no URL such as http://localhost:4318";
        let mut url = reqwest::Url::parse(&self.endpoint).map_err(|_| invalid(wrong))?;
        // What is secret has a setting of its own, which nothing shows.
        let may_bear_a_secret = !url.username().is_empty()
            || url.password().is_some()
            || url.query().is_some()
            || url.fragment().is_some();
        if !matches!(url.scheme(), "http" | "https") {
            return Err(invalid(wrong));
        }
        if may_bear_a_secret {
            return Err(invalid(
                "traces.endpoint must have no user, password, query or fragment: what is secret belongs into traces.authorization",
            ));
        }
        if url.path() == "/" {
            url.set_path("/v1/traces");
        }
        Ok(Some(url))
    }

    /// Sees that the settings can be used.
    ///
    /// # Errors
    /// One is wrong.
    pub(crate) fn check(&self, mode: Mode) -> Result<(), ConfigError> {
        if !(0.0..=1.0).contains(&self.sample_ratio) {
            return Err(invalid("traces.sample_ratio must be between 0.0 and 1.0"));
        }
        if !self.authorization.expose().bytes().all(|b| b == b' ' || b.is_ascii_graphic()) {
            return Err(invalid("traces.authorization is no value of a header"));
        }
        let Some(url) = self.url()? else { return Ok(()) };
        let is_local = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
        let is_open = url.scheme() == "http" && !is_local;
        if mode == Mode::Production && is_open && !self.authorization.expose().is_empty() {
            return Err(invalid(
                "traces.endpoint must begin with https:// where traces.authorization is set (http:// is for this machine alone)",
            ));
        }
        Ok(())
    }
}

fn invalid(text: &str) -> ConfigError {
    ConfigError::Invalid(text.to_owned())
}

/// The traces of this process.
pub(crate) struct Traces {
    provider: SdkTracerProvider,
    sample_ratio: f64,
}

impl Traces {
    /// Begins to export on `runtime`, where a collector is configured. The layer is to be installed.
    ///
    /// # Errors
    /// A setting is wrong, or there is no client.
    pub(crate) fn start(
        config: &TracesConfig,
        runtime: &Handle,
    ) -> Result<Option<(Self, BoxedLayer)>, Failure> {
        let Some(url) = config.url()? else { return Ok(None) };
        let batches = BatchConfigBuilder::default()
            .with_max_queue_size(QUEUE)
            .with_max_export_batch_size(BATCH)
            .with_scheduled_delay(DELAY)
            .build();
        let exporter = Exporter {
            inner: Arc::new(otlp(url, config)?),
            runtime: runtime.clone(),
            is_failing: AtomicBool::new(false),
        };
        let exporter = BatchSpanProcessor::builder(exporter).with_batch_config(batches).build();
        let about = [
            KeyValue::new("service.name", config.service_name.clone()),
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        ];
        let provider = SdkTracerProvider::builder()
            .with_sampler(Sampler::ParentBased(Box::new(Beginning(config.sample_ratio))))
            // Nothing of the machine or its variables.
            .with_resource(Resource::builder_empty().with_attributes(about).build())
            .with_span_processor(exporter)
            .build();
        let layer = OpenTelemetryLayer::new(provider.tracer("mapae"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_level(false)
            .with_tracked_inactivity(false)
            .with_filter(filter_fn(|span| span.is_span() && span.target() == TARGET));
        let traces = Self { provider, sample_ratio: config.sample_ratio };
        Ok(Some((traces, Box::new(layer))))
    }

    /// What ties spans together across processes.
    pub(crate) fn links(&self) -> Arc<dyn TraceLinks> {
        Arc::new(Links { sample_ratio: self.sample_ratio, rng: SystemRng::new() })
    }

    /// Sends what waits, for a little while.
    pub(crate) fn stop(self) {
        if self.provider.shutdown_with_timeout(LAST_BATCHES).is_err() {
            tracing::warn!("the last traces were not delivered");
        }
    }
}

/// What speaks OTLP.
fn otlp(
    url: reqwest::Url,
    config: &TracesConfig,
) -> Result<opentelemetry_otlp::SpanExporter, Failure> {
    // One provider of cryptography a process; whoever was first has chosen it.
    drop(rustls::crypto::ring::default_provider().install_default());
    let mut headers = reqwest::header::HeaderMap::new();
    let authorization = config.authorization.expose();
    if !authorization.is_empty() {
        let mut value = reqwest::header::HeaderValue::from_str(authorization)?;
        value.set_sensitive(true);
        headers.insert(reqwest::header::AUTHORIZATION, value);
    }
    let client = reqwest::Client::builder()
        .timeout(TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .default_headers(headers)
        .build()?;
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(url.as_str())
        .with_timeout(TIMEOUT)
        .with_http_client(client)
        .build()?;
    Ok(exporter)
}

/// Decides where no span came before. A trace begins with a request, or with a message whose request
/// was not traced; what the process does by itself, each second, is nobody's trace.
#[derive(Debug, Clone)]
struct Beginning(f64);

impl ShouldSample for Beginning {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace_id: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let sampler = match kind {
            SpanKind::Server | SpanKind::Consumer => Sampler::TraceIdRatioBased(self.0),
            _ => Sampler::AlwaysOff,
        };
        sampler.should_sample(parent, trace_id, name, kind, attributes, links)
    }
}

/// Lets through what is allowed, and says once when the collector does not take it.
#[derive(Debug)]
struct Exporter {
    inner: Arc<opentelemetry_otlp::SpanExporter>,
    runtime: Handle,
    is_failing: AtomicBool,
}

impl SpanExporter for Exporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let batch = batch.into_iter().map(allowed).collect();
        let inner = Arc::clone(&self.inner);
        // Whoever calls is a thread without a runtime, which the client needs.
        let sent = async move { tokio::time::timeout(TIMEOUT, inner.export(batch)).await };
        let sent = match self.runtime.spawn(sent).await {
            Ok(Ok(sent)) => sent,
            Ok(Err(_)) => Err(OTelSdkError::Timeout(TIMEOUT)),
            Err(_) => Err(OTelSdkError::InternalFailure("the process is stopping".to_owned())),
        };
        self.note(&sent);
        sent
    }

    fn set_resource(&mut self, resource: &Resource) {
        // Nothing is under way yet.
        if let Some(inner) = Arc::get_mut(&mut self.inner) {
            inner.set_resource(resource);
        }
    }
}

impl Exporter {
    fn note(&self, sent: &OTelSdkResult) {
        let was_failing = self.is_failing.swap(sent.is_err(), Ordering::Relaxed);
        match sent {
            Err(error) if !was_failing => {
                tracing::warn!(%error, "traces are not delivered, and are lost meanwhile");
            }
            Ok(()) if was_failing => tracing::info!("traces are delivered again"),
            _ => {}
        }
    }
}

/// A span with what may leave the process, and nothing else.
fn allowed(mut span: SpanData) -> SpanData {
    span.attributes.retain(|attribute| ATTRIBUTES.contains(&attribute.key.as_str()));
    span.events = SpanEvents::default();
    span.links = SpanLinks::default();
    if let Status::Error { description } = &mut span.status {
        *description = "".into();
    }
    span
}

/// Ties spans together by `traceparent`.
struct Links {
    sample_ratio: f64,
    rng: SystemRng,
}

impl Links {
    /// Whether a stranger's trace is among those that are exported. Drawn, not made of the trace's id,
    /// which the stranger has chosen.
    fn draw(&self) -> bool {
        let mut bytes = [0; 4];
        self.rng.fill(&mut bytes);
        f64::from(u32::from_be_bytes(bytes)) < self.sample_ratio * (f64::from(u32::MAX) + 1.0)
    }
}

impl TraceLinks for Links {
    fn current(&self) -> Option<TraceParent> {
        let context = Context::current();
        let span = context.span();
        let span = span.span_context();
        TraceParent::new(span.trace_id().to_bytes(), span.span_id().to_bytes(), span.is_sampled())
    }

    fn follow(&self, span: &Span, parent: &TraceParent, caller: TraceCaller) {
        let is_exported = match caller {
            TraceCaller::Trusted => parent.is_sampled(),
            TraceCaller::Stranger => self.draw(),
        };
        let parent = SpanContext::new(
            TraceId::from_bytes(parent.trace_id()),
            SpanId::from_bytes(parent.span_id()),
            TraceFlags::default().with_sampled(is_exported),
            true,
            // What vendors add to it is passed on to nobody.
            TraceState::NONE,
        );
        let parent = Context::new().with_remote_span_context(parent);
        if span.set_parent(parent).is_err() {
            tracing::debug!("a span is not exported, and follows none");
        }
    }
}
