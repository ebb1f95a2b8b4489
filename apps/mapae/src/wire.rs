//! Hands each use case the adapters that the configuration names.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use mapae_application::inbox::Inbox;
use mapae_application::outbox::{Bell, MarketingDecision, MessageContent, Relay, Worker};
use mapae_application::ports::{
    Clock, Diagnose, HashContext, MessageRenderer as _, MessageSealer, RenderError,
    SecretHasher as _, SecretRng, SimpleJwtTokens, Store, TraceLinks, Untraced, WakeUps,
};
use mapae_application::retention::Retention;
use mapae_application::signing_key::{SigningKey as OpenedKey, SigningKeys};
use mapae_application::{Application, Ports};
use mapae_domain::consent::{AskedDocument, ConsentKind};
use mapae_domain::signing_key::SigningKeyPolicy;
use mapae_domain::{Locale, Timestamp};
use mapae_http::{HttpSettings, Issuer, SimpleJwtSettings};
use mapae_messages::{MessageSettings, Messages};
use mapae_password_argon2::{Argon2Hasher, Argon2Settings};
use mapae_store_seaorm::{Schema, SeaOrmStore, StoreSettings};
use mapae_system::{Keyring, SystemClock, SystemRng};
use mapae_token_jwt::{JwtSettings, JwtSimpleTokens, JwtTokens, KeyMaker, SigningKey};
use mapae_wake_redis::RedisWakeUps;

use crate::Failure;
use crate::config::{Config, Mode, Synchronous};
use crate::secret::server_secret;
use crate::senders::Senders;

/// Everything that runs.
pub(crate) struct System {
    pub(crate) store: SeaOrmStore,
    pub(crate) application: Arc<Application>,
    pub(crate) worker: Worker,
    /// The way to other processes' workers, where there is one.
    pub(crate) relay: Option<Relay>,
    pub(crate) keeper: KeyKeeper,
    pub(crate) retention: Retention,
    pub(crate) http: HttpSettings,
}

/// Keeps the signing keys of this process as they are in the database, and has the next made and the
/// old retired in time.
pub(crate) struct KeyKeeper {
    store: Arc<dyn Store>,
    sealer: Arc<dyn MessageSealer>,
    clock: Arc<dyn Clock>,
    maker: KeyMaker,
    policy: SigningKeyPolicy,
    tokens: Arc<JwtTokens>,
}

impl KeyKeeper {
    /// How often the keys are read: far more often than a new key is published ahead.
    const READ_EVERY: Duration = Duration::from_secs(15);

    /// Keeps the keys until `stop` is ready.
    pub(crate) async fn run(self, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => return,
                () = tokio::time::sleep(Self::READ_EVERY) => {}
            }
            if let Err(error) = self.keep().await {
                // Those that are known stay good.
                tracing::error!(error = &*error, "signing keys not read");
            }
        }
    }

    async fn keep(&self) -> Result<(), Failure> {
        let (store, sealer, maker, policy) =
            (&*self.store, &*self.sealer, &self.maker, &self.policy);
        let keys = SigningKeys { store, sealer, maker, policy }.keep(self.clock.now()).await?;
        Ok(self.tokens.replace(scheduled(&keys)?)?)
    }
}

/// The keys as the signer takes them.
fn scheduled(keys: &[OpenedKey]) -> Result<Vec<(SigningKey, Timestamp)>, Failure> {
    let mut scheduled = Vec::new();
    for key in keys {
        let opened = SigningKey::from_private(&key.kid, &key.algorithm, &key.private)?;
        scheduled.push((opened, key.life.signs_from));
    }
    Ok(scheduled)
}

/// What sends, without what it is for.
pub(crate) struct Sending {
    pub(crate) senders: Senders,
    pub(crate) messages: Messages,
    pub(crate) inbox: Arc<Inbox>,
}

/// Opens the database.
pub(crate) async fn open_store(config: &Config) -> Result<SeaOrmStore, Failure> {
    let database = &config.database;
    Ok(SeaOrmStore::connect(&StoreSettings {
        url: database.url.clone(),
        synchronous: match database.synchronous {
            Synchronous::Full => mapae_store_seaorm::Synchronous::Full,
            Synchronous::Normal => mapae_store_seaorm::Synchronous::Normal,
        },
        readers: database.readers,
        connections: database.connections,
        transaction_pooling: database.transaction_pooling,
        timeout: database.timeout.0,
    })
    .await?)
}

/// Opens the database for a command, which changes no schema beside those that serve: it must be one that
/// this release serves on. One that has none yet is made, where processes make it.
pub(crate) async fn open_current_store(config: &Config) -> Result<SeaOrmStore, Failure> {
    let store = open_store(config).await?;
    let is_new = store.schema().await? == Schema::Behind(SeaOrmStore::steps());
    if is_new && config.database.migrate {
        store.migrate().await?;
    }
    store.check_schema().await?;
    Ok(store)
}

/// Opens the database, with a schema that this release serves on.
pub(crate) async fn open_ready_store(config: &Config) -> Result<SeaOrmStore, Failure> {
    let store = open_store(config).await?;
    let applied = if config.database.migrate { store.migrate().await? } else { 0 };
    let schema = store.check_schema().await?;
    if applied > 0 || schema != Schema::Current {
        tell_schema(&schema, applied);
    }
    Ok(store)
}

/// Says how the database's schema stands. An older release than others run is no mistake in an upgrade, and
/// one after it.
pub(crate) fn tell_schema(schema: &Schema, applied: usize) {
    if let Schema::Ahead { first, steps } = schema {
        tracing::warn!(first, steps, "a newer release has added to the database's schema");
    } else {
        tracing::info!(applied, "database is at this release's schema");
    }
}

/// The words of messages.
pub(crate) fn messages(config: &Config, public_origin: &str) -> Result<Messages, Failure> {
    let messages = Messages::load(&MessageSettings {
        service_name: config.messages.service_name.clone(),
        public_origin: public_origin.to_owned(),
        code_length: config.verification.code_length,
        templates: config.messages.templates.clone(),
    })?;
    if !config.sms.senders.is_empty() {
        try_titles(config, &messages)?;
    }
    Ok(messages)
}

/// Sees that the titles of documents for marketing can stand in a short message, all at once.
fn try_titles(config: &Config, messages: &Messages) -> Result<(), Failure> {
    let policy = config.settings()?.consents;
    for locale in Locale::ALL {
        let marketing = policy.documents().iter().filter(|one| one.kind == ConsentKind::Marketing);
        let decision = |asked: &AskedDocument| {
            let title = asked.text(locale)?.title.clone();
            Some(MarketingDecision { title, accepted: true, at: 0 })
        };
        let decisions: Vec<_> = marketing.filter_map(decision).collect();
        if decisions.is_empty() {
            continue;
        }
        let content = MessageContent::Marketing { decisions, reminder: true };
        if let Err(RenderError(why)) = messages.sms(&content, locale) {
            let locale = locale.as_str();
            return Err(format!(
                "configuration: consents: a short message with the {locale} titles of what is for marketing {why}"
            )
            .into());
        }
    }
    Ok(())
}

/// Builds what sends.
pub(crate) async fn sending(
    config: &Config,
    store: Arc<dyn Store>,
    public_origin: &str,
) -> Result<Sending, Failure> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let inbox = Arc::new(Inbox::new(store, Arc::clone(&clock)));
    let senders = Senders::new(config, Some(&inbox), &clock).await?;
    Ok(Sending { senders, messages: messages(config, public_origin)?, inbox })
}

/// The origin that links begin with: the configured one; in development, where none is, this
/// machine's.
pub(crate) fn public_origin(config: &Config, port: Option<u16>) -> Result<String, Failure> {
    let listening = || config.server.listen.rsplit_once(':')?.1.parse().ok();
    match (&config.public_origin, port.or_else(listening)) {
        (Some(origin), _) => Ok(origin.clone()),
        (None, Some(port)) => Ok(format!("http://localhost:{port}")),
        (None, None) => Err("configuration: public_origin is missing".into()),
    }
}

/// The way to wake other processes: by Redis where there is one, else by the database where it has
/// one. Without either, workers look by themselves.
fn wake_ups(
    config: &Config,
    store: &SeaOrmStore,
    keyring: &Keyring,
) -> Result<Option<Arc<dyn WakeUps>>, Failure> {
    let Some(server) = config.redis()? else { return Ok(store.wake_ups()) };
    // Whoever has the secret is of the installation, and its name gives nothing of it away.
    let name = keyring.hash(HashContext::Installation, &[]);
    let name: String = name.as_bytes()[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Some(Arc::new(RedisWakeUps::new(server, &name))))
}

/// Builds the system, for a command that is done at once.
pub(crate) async fn build(
    config: &Config,
    store: SeaOrmStore,
    public_origin: &str,
) -> Result<System, Failure> {
    build_traced(config, store, public_origin, Arc::new(Untraced)).await
}

/// Builds the system on a database of this release's schema.
pub(crate) async fn build_traced(
    config: &Config,
    store: SeaOrmStore,
    public_origin: &str,
    traces: Arc<dyn TraceLinks>,
) -> Result<System, Failure> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let rng: Arc<dyn SecretRng> = Arc::new(SystemRng::new());
    let secret = server_secret(config, &*rng)?;
    let keyring = Arc::new(Keyring::new(&secret, Arc::clone(&rng)));
    let sealer: Arc<dyn MessageSealer> = keyring.clone();
    let shared: Arc<dyn Store> = Arc::new(store.clone());

    let maker = KeyMaker::new(config.algorithm()?);
    let policy = config.signing_keys()?;
    let keys = SigningKeys { store: &*shared, sealer: &*sealer, maker: &maker, policy: &policy };
    let keys = scheduled(&keys.keep(clock.now()).await?)?;
    let issuer = config.tokens.issuer.clone().unwrap_or_else(|| public_origin.to_owned());
    let audience = config.tokens.audience.clone();
    let settings = JwtSettings { issuer: issuer.clone(), audience: audience.clone() };
    let tokens = Arc::new(JwtTokens::scheduled(settings, keys)?);
    let keeper = KeyKeeper {
        store: Arc::clone(&shared),
        sealer: Arc::clone(&sealer),
        clock: Arc::clone(&clock),
        maker,
        policy,
        tokens: Arc::clone(&tokens),
    };
    let issuer = Issuer { issuer, audience, origin: public_origin.to_owned() };
    let simplejwt = config.simplejwt.enabled.then(|| {
        let shared = config.simplejwt.signing_key.expose().as_bytes();
        let shared = (!shared.is_empty()).then_some(shared);
        Arc::new(JwtSimpleTokens::new(Arc::clone(&tokens), shared)) as Arc<dyn SimpleJwtTokens>
    });

    let Sending { mut senders, messages, inbox } =
        sending(config, Arc::clone(&shared), public_origin).await?;
    let bell = Bell::default();
    let relay = wake_ups(config, &store, &keyring)?.map(|wake_ups| Relay {
        bell: bell.clone(),
        wake_ups,
        rng: Arc::clone(&rng),
        listens: true,
    });
    let ports = Ports {
        store: Arc::clone(&shared),
        clock: Arc::clone(&clock),
        rng: Arc::clone(&rng),
        passwords: Arc::new(Argon2Hasher::start(Argon2Settings::default(), Arc::clone(&rng))?),
        tokens,
        simplejwt,
        secrets: keyring.clone(),
        sealer: Arc::clone(&sealer),
        delivery_events: senders.events.take(),
        traces: Arc::clone(&traces),
    };
    let application = Arc::new(Application::new(ports, config.settings()?, bell.clone()));
    let metrics = crate::metrics::settings(config, &store, &application)?;
    let (email, sms) = senders.routes();
    let retention = Retention {
        store: Arc::clone(&shared),
        clock: Arc::clone(&clock),
        settings: config.retention()?,
    };
    let worker = Worker {
        store: shared,
        clock,
        rng: Arc::clone(&rng),
        sealer,
        secrets: keyring,
        renderer: Arc::new(messages),
        email,
        sms,
        bell,
        traces,
        settings: config.worker()?,
    };
    // Whoever reads the inbox reads everyone's codes.
    let trusted_proxies = config.trusted_proxies()?;
    let trusted_trace_callers = config.trusted_trace_callers()?;
    let inbox = (config.mode == Mode::Development).then_some(inbox);
    Ok(System {
        store,
        application,
        worker,
        relay,
        keeper,
        retention,
        http: HttpSettings {
            rng,
            metrics,
            issuer,
            trusted_proxies,
            trusted_trace_callers,
            allowed_origins: config.server.allowed_origins.clone(),
            // A new key is known to everybody before it signs, whenever they asked last.
            keys_max_age: (config.tokens.publish_keys_ahead.0 / 2).min(Duration::from_secs(300)),
            simplejwt: config.simplejwt.enabled.then(|| SimpleJwtSettings {
                username_field: config.simplejwt.username_field.clone(),
            }),
            inbox,
        },
    })
}

/// What can look at itself.
pub(crate) async fn diagnosed(config: &Config) -> Result<Vec<Arc<dyn Diagnose>>, Failure> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    Ok(Senders::new(config, None, &clock).await?.diagnosed)
}
