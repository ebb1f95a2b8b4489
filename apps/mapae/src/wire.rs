//! Hands each use case the adapters that the configuration names.

use std::sync::Arc;

use mapae_application::inbox::Inbox;
use mapae_application::outbox::{Bell, Route, Worker, WorkerSettings};
use mapae_application::ports::{Clock, EmailSender, MessageSealer, SecretRng, SmsSender, Store};
use mapae_application::signing_key::load_signing_keys;
use mapae_application::{Application, Ports};
use mapae_http::HttpSettings;
use mapae_messages::{MessageSettings, Messages};
use mapae_password_argon2::{Argon2Hasher, Argon2Settings};
use mapae_store_seaorm::{SeaOrmStore, StoreSettings};
use mapae_system::{Keyring, SystemClock, SystemRng};
use mapae_token_jwt::{JwtSettings, JwtTokens, KeyMaker, SigningKey};

use crate::Failure;
use crate::config::{Config, Sender, Synchronous};
use crate::secret::server_secret;

/// Everything that runs.
pub(crate) struct System {
    pub(crate) store: SeaOrmStore,
    pub(crate) application: Arc<Application>,
    pub(crate) worker: Worker,
    pub(crate) http: HttpSettings,
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
        busy_timeout: database.timeout.0,
        acquire_timeout: database.timeout.0,
    })
    .await?)
}

/// Builds the system on a database of this release's schema.
pub(crate) async fn build(
    config: &Config,
    store: SeaOrmStore,
    public_origin: &str,
) -> Result<System, Failure> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let rng: Arc<dyn SecretRng> = Arc::new(SystemRng::new());
    let secret = server_secret(config, &*rng)?;
    let keyring = Arc::new(Keyring::new(&secret, Arc::clone(&rng)));
    let sealer: Arc<dyn MessageSealer> = keyring.clone();
    let shared: Arc<dyn Store> = Arc::new(store.clone());

    let maker = KeyMaker::new(config.algorithm()?);
    let keys = load_signing_keys(&*shared, &*sealer, &maker, clock.now()).await?;
    let keys = keys
        .iter()
        .map(|key| SigningKey::from_private(&key.kid, &key.algorithm, &key.private))
        .collect::<Result<Vec<_>, _>>()?;
    let issuer = config.tokens.issuer.clone().unwrap_or_else(|| public_origin.to_owned());
    let audience = config.tokens.audience.clone();
    let tokens = JwtTokens::new(JwtSettings { issuer, audience }, keys)?;

    let messages = Messages::load(&MessageSettings {
        service_name: config.messages.service_name.clone(),
        public_origin: public_origin.to_owned(),
        code_length: config.verification.code_length,
        templates: config.messages.templates.clone(),
    })?;
    let inbox = Arc::new(Inbox::new(Arc::clone(&shared), Arc::clone(&clock)));
    // A further sender is an adapter, and one line here.
    let email: Arc<dyn EmailSender> = match config.mail.senders.first() {
        Some(Sender::Inbox) | None => inbox.clone(),
    };
    let sms: Arc<dyn SmsSender> = match config.sms.senders.first() {
        Some(Sender::Inbox) | None => inbox.clone(),
    };

    let bell = Bell::default();
    let ports = Ports {
        store: Arc::clone(&shared),
        clock: Arc::clone(&clock),
        rng: Arc::clone(&rng),
        passwords: Arc::new(Argon2Hasher::start(Argon2Settings::default(), Arc::clone(&rng))?),
        tokens: Arc::new(tokens),
        secrets: keyring.clone(),
        sealer: Arc::clone(&sealer),
        delivery_events: None,
    };
    let application = Arc::new(Application::new(ports, config.settings()?, bell.clone()));
    let worker = Worker {
        store: shared,
        clock,
        rng: Arc::clone(&rng),
        sealer,
        renderer: Arc::new(messages),
        secrets: keyring,
        email: Route::new(vec![("inbox", email)]),
        sms: Route::new(vec![("inbox", sms)]),
        bell,
        settings: WorkerSettings::default(),
    };
    Ok(System { store, application, worker, http: HttpSettings { rng, inbox: Some(inbox) } })
}
