//! The configuration: defaults, then `mapae.toml`, then `MAPAE_…` variables.
//!
//! `MAPAE_DATABASE__URL` is `url` in `[database]`. Any variable may be given as the name of a file
//! that holds its value, with `_FILE` behind its own name. A key that is none is an error that
//! names it.

mod consents;
mod database;
mod sending;
mod value;

pub(crate) use consents::ConsentConfig;
pub(crate) use sending::{MailConfig, MailSender, OutboxConfig, SmsConfig, SmsSender, TlsMode};

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use figment::Figment;
use figment::providers::{Env, Format as _, Serialized, Toml};
use mapae_application::Settings;
use mapae_application::outbox::WorkerSettings;
use mapae_application::retention::RetentionSettings;
use mapae_application::session::ServiceClient;
use mapae_domain::signing_key::SigningKeyPolicy;
use mapae_domain::user::PasswordPolicy;
use mapae_domain::{Region, RegistrationPolicy, SessionPolicy, VerificationPolicy};
use mapae_http::Network;
use mapae_token_jwt::Algorithm;
use mapae_wake_redis::RedisServer;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

pub(crate) use self::database::{DatabaseConfig, Synchronous};
use self::value::{check_origin, is_of_a_service_beside, networks, secret_files, without_password};
use crate::logging::LogConfig;
use crate::traces::TracesConfig;

/// The configuration file that is read where none is named.
const DEFAULT_FILE: &str = "mapae.toml";
/// Variables that are not settings: read elsewhere, or for tests.
const NOT_SETTINGS: [&str; 3] = ["config", "test_", "e2e_"];

/// Settings that are text, whatever a variable's value looks like.
const TEXTS: [&str; 29] = [
    "secret",
    "public_origin",
    "messages.service_name",
    "mail.from",
    "mail.ses.region",
    "mail.ses.access_key_id",
    "mail.ses.secret_access_key",
    "mail.ses.configuration_set",
    "mail.smtp.host",
    "mail.smtp.username",
    "mail.smtp.password",
    "sms.from",
    "sms.sens.base_url",
    "sms.sens.service_id",
    "sms.sens.access_key",
    "sms.sens.secret_key",
    "sms.alimtalk.service_id",
    "sms.alimtalk.channel",
    "sms.alimtalk.template_code",
    "sms.alimtalk.template",
    "tokens.audience",
    "work.listen",
    "metrics.token",
    "redis.url",
    "traces.endpoint",
    "traces.authorization",
    "traces.service_name",
    "simplejwt.signing_key",
    "simplejwt.username_field",
];

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// A key is none, or a value is of the wrong form.
    #[error("configuration: {0}")]
    Read(Box<figment::Error>),
    /// The named file is not there.
    #[error("configuration: the file {} cannot be read", .0.display())]
    Missing(PathBuf),
    /// A variable names a file that cannot be read.
    #[error("configuration: {variable} names a file that cannot be read")]
    SecretFile {
        /// The variable.
        variable: String,
        /// Why it cannot.
        #[source]
        cause: std::io::Error,
    },
    /// A value is outside its bounds, or does not fit the mode.
    #[error("configuration: {0}")]
    Invalid(String),
}

/// How careful the installation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mode {
    /// Everything works at once: messages are caught in the inbox, the secret is made.
    Development,
    /// Nothing is guessed: whatever matters must be configured.
    Production,
}

/// A length of time as people write it: `30m`, `7d`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Length(pub(crate) Duration);

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        humantime::parse_duration(&text).map(Self).map_err(|_| {
            serde::de::Error::custom("is no length of time such as 90s, 30m, 24h or 7d")
        })
    }
}

impl Serialize for Length {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&humantime::format_duration(self.0))
    }
}

/// A secret of the configuration.
#[derive(Clone, Default)]
pub(crate) struct ConfigSecret(Zeroizing<String>);

impl ConfigSecret {
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// A copy, which is wiped as this one is.
    pub(crate) fn copy(&self) -> Zeroizing<String> {
        self.0.clone()
    }
}

impl std::fmt::Debug for ConfigSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ConfigSecret(…)")
    }
}

impl<'de> Deserialize<'de> for ConfigSecret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|secret| Self(Zeroizing::new(secret)))
    }
}

impl Serialize for ConfigSecret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(if self.0.is_empty() { "" } else { "(set)" })
    }
}

/// The whole configuration.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) mode: Mode,
    #[serde(default)]
    pub(crate) public_origin: Option<String>,
    #[serde(default)]
    pub(crate) secret: Option<ConfigSecret>,
    #[serde(default)]
    pub(crate) server: ServerConfig,
    #[serde(default)]
    pub(crate) database: DatabaseConfig,
    #[serde(default)]
    pub(crate) registration: RegistrationConfig,
    #[serde(default)]
    pub(crate) consents: Vec<ConsentConfig>,
    #[serde(default)]
    pub(crate) verification: VerificationConfig,
    #[serde(default)]
    pub(crate) mail: MailConfig,
    #[serde(default)]
    pub(crate) sms: SmsConfig,
    #[serde(default)]
    pub(crate) outbox: OutboxConfig,
    #[serde(default)]
    pub(crate) messages: MessagesConfig,
    #[serde(default)]
    pub(crate) tokens: TokensConfig,
    #[serde(default)]
    pub(crate) withdrawal: WithdrawalConfig,
    #[serde(default)]
    pub(crate) retention: RetentionConfig,
    #[serde(default)]
    pub(crate) simplejwt: SimpleJwtConfig,
    #[serde(default)]
    pub(crate) clients: BTreeMap<String, ClientConfig>,
    #[serde(default)]
    pub(crate) password: PasswordConfig,
    #[serde(default)]
    pub(crate) redis: RedisConfig,
    #[serde(default)]
    pub(crate) work: WorkConfig,
    #[serde(default)]
    pub(crate) metrics: MetricsConfig,
    #[serde(default)]
    pub(crate) traces: TracesConfig,
    #[serde(default)]
    pub(crate) log: LogConfig,
}

/// `[server]`.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ServerConfig {
    /// The address and port to listen on.
    pub(crate) listen: String,
    /// The networks of the proxies in front, whose word on where a request comes from is taken.
    pub(crate) trusted_proxies: Vec<String>,
    /// The origins of web pages that may call the service from elsewhere, with its cookies.
    pub(crate) allowed_origins: Vec<String>,
    /// How long requests under way may take to finish once the process is told to stop.
    pub(crate) shutdown_grace: Length,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".to_owned(),
            trusted_proxies: Vec::new(),
            allowed_origins: Vec::new(),
            shutdown_grace: Length(Duration::from_secs(20)),
        }
    }
}

/// What a registration has to prove.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Requirement {
    Email,
    Phone,
}

/// `[registration]`.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RegistrationConfig {
    pub(crate) require: Vec<Requirement>,
    pub(crate) default_region: String,
    pub(crate) reveal_taken: bool,
    pub(crate) lifetime: Length,
    /// How old people must say they are; nobody is asked where absent.
    pub(crate) minimum_age: Option<u8>,
}

impl Default for RegistrationConfig {
    fn default() -> Self {
        let policy = RegistrationPolicy::default();
        Self {
            require: vec![Requirement::Email],
            default_region: "KR".to_owned(),
            reveal_taken: policy.reveal_taken,
            lifetime: Length(policy.lifetime),
            minimum_age: None,
        }
    }
}

/// `[verification]`.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct VerificationConfig {
    pub(crate) code_length: u8,
    pub(crate) email_lifetime: Length,
    pub(crate) sms_lifetime: Length,
    pub(crate) attempts: u8,
    pub(crate) resend_after: Length,
    pub(crate) sends: u8,
    pub(crate) contact_sends: u32,
    pub(crate) receipt_lifetime: Length,
}

impl Default for VerificationConfig {
    fn default() -> Self {
        let policy = VerificationPolicy::default();
        Self {
            code_length: policy.code_length,
            email_lifetime: Length(policy.email_lifetime),
            sms_lifetime: Length(policy.sms_lifetime),
            attempts: policy.attempts,
            resend_after: Length(policy.resend_after),
            sends: policy.sends,
            contact_sends: policy.contact_sends,
            receipt_lifetime: Length(policy.receipt_lifetime),
        }
    }
}

/// `[messages]`.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct MessagesConfig {
    /// What messages call the service.
    pub(crate) service_name: String,
    /// A folder whose templates replace Mapae's own.
    pub(crate) templates: Option<PathBuf>,
}

impl Default for MessagesConfig {
    fn default() -> Self {
        Self { service_name: "Mapae".to_owned(), templates: None }
    }
}

/// `[tokens]`.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TokensConfig {
    pub(crate) algorithm: String,
    pub(crate) issuer: Option<String>,
    pub(crate) audience: String,
    pub(crate) access_lifetime: Length,
    pub(crate) refresh_lifetime: Length,
    pub(crate) session_lifetime: Length,
    pub(crate) reuse_window: Length,
    /// How long ago a log-in may be, to change a contact or a password.
    pub(crate) reauthenticate_after: Length,
    /// How old a signing key is when the next is made; never by itself where absent.
    pub(crate) rotate_keys_every: Option<Length>,
    /// How long a new key is published before it signs.
    pub(crate) publish_keys_ahead: Length,
}

impl Default for TokensConfig {
    fn default() -> Self {
        let policy = SessionPolicy::default();
        Self {
            algorithm: "ES256".to_owned(),
            issuer: None,
            audience: "mapae".to_owned(),
            access_lifetime: Length(policy.access_lifetime),
            refresh_lifetime: Length(policy.refresh_lifetime),
            session_lifetime: Length(policy.session_lifetime),
            reuse_window: Length(policy.reuse_window),
            reauthenticate_after: Length(policy.reauthenticate_after),
            rotate_keys_every: None,
            publish_keys_ahead: Length(SigningKeyPolicy::default().publish_ahead),
        }
    }
}

/// `[withdrawal]`.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct WithdrawalConfig {
    /// How long what is kept of somebody who has left is kept still.
    pub(crate) grace: Length,
}

impl Default for WithdrawalConfig {
    fn default() -> Self {
        Self { grace: Length(Duration::ZERO) }
    }
}

/// `[retention]`: how long what is over is kept.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RetentionConfig {
    pub(crate) registrations: Length,
    pub(crate) verifications: Length,
    pub(crate) sessions: Length,
    pub(crate) contact_undos: Length,
    pub(crate) messages: Length,
    pub(crate) audit_entries: Length,
}

impl Default for RetentionConfig {
    fn default() -> Self {
        let settings = RetentionSettings::default();
        Self {
            registrations: Length(settings.registrations),
            verifications: Length(settings.verifications),
            sessions: Length(settings.sessions),
            contact_undos: Length(settings.contact_undos),
            messages: Length(settings.messages),
            audit_entries: Length(settings.audit_entries),
        }
    }
}

/// `[simplejwt]`: the paths of djangorestframework-simplejwt, for clients that know no others.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct SimpleJwtConfig {
    pub(crate) enabled: bool,
    /// The key that services of Django share; the installation's own keys sign where it is empty.
    pub(crate) signing_key: ConfigSecret,
    /// What the login's field is called.
    pub(crate) username_field: String,
    /// Whether a refresh gives another refresh token.
    pub(crate) rotate_refresh_tokens: bool,
}

impl Default for SimpleJwtConfig {
    fn default() -> Self {
        Self {
            enabled: false,
            signing_key: ConfigSecret::default(),
            username_field: "username".to_owned(),
            rotate_refresh_tokens: false,
        }
    }
}

/// `[redis]`.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RedisConfig {
    /// `redis://user:password@host/0`, or `rediss://` with TLS; no Redis where it is empty.
    #[serde(serialize_with = "without_password")]
    pub(crate) url: String,
}

/// `[work]`.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct WorkConfig {
    /// Where `mapae work` says of itself how it is; nowhere where it is empty.
    pub(crate) listen: String,
}

/// `[metrics]`.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct MetricsConfig {
    /// The bearer token that `/metrics` asks for. Without one there are figures in development only.
    pub(crate) token: ConfigSecret,
}

/// `[clients.NAME]`: a service that may ask about tokens.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClientConfig {
    pub(crate) secret: ConfigSecret,
}

/// The shortest secret of a service, in characters: 32 of base64 hold 192 bits.
const SHORTEST_SECRET: usize = 32;

/// `[password]`.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PasswordConfig {
    pub(crate) min_length: usize,
}

impl Default for PasswordConfig {
    fn default() -> Self {
        Self { min_length: PasswordPolicy::default().min_length }
    }
}

impl Config {
    /// Reads the configuration.
    ///
    /// # Errors
    /// [`ConfigError`] names the key.
    pub(crate) fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        let mut figment = Figment::new().merge(Serialized::default("mode", "development"));
        match file {
            Some(file) if !file.is_file() => return Err(ConfigError::Missing(file.to_owned())),
            Some(file) => figment = figment.merge(Toml::file_exact(file)),
            None if Path::new(DEFAULT_FILE).is_file() => {
                figment = figment.merge(Toml::file_exact(DEFAULT_FILE));
            }
            None => {}
        }
        let plain = Env::prefixed("MAPAE_").filter(|key| {
            let key = key.as_str().to_ascii_lowercase();
            let is_setting = !key.ends_with("_file") && !is_of_a_service_beside(&key);
            is_setting && !NOT_SETTINGS.iter().any(|other| key.starts_with(other))
        });
        figment = figment.merge(plain.split("__"));
        // A number may begin with 0, and a password may look like one.
        for key in TEXTS {
            let variable = format!("MAPAE_{}", key.to_ascii_uppercase().replace('.', "__"));
            if let Ok(value) = std::env::var(variable) {
                figment = figment.merge(Serialized::default(key, value));
            }
        }
        for (variable, value) in secret_files()? {
            let key = variable.to_ascii_lowercase().replace("__", ".");
            figment = figment.merge(Serialized::default(&key, value.as_str()));
        }
        let config: Self = figment.extract().map_err(|error| ConfigError::Read(Box::new(error)))?;
        config.check()
    }

    fn check(self) -> Result<Self, ConfigError> {
        let invalid = |text: &str| Err(ConfigError::Invalid(text.to_owned()));
        if let Some(origin) = &self.public_origin {
            check_origin("public_origin", origin, self.mode)?;
        }
        if self.mode == Mode::Production {
            if self.public_origin.is_none() {
                return invalid(
                    "public_origin is missing, which mode = \"production\" needs: links in messages begin with it",
                );
            }
            if self.secret.is_none() {
                return invalid(
                    "secret is missing, which mode = \"production\" needs: set MAPAE_SECRET or MAPAE_SECRET_FILE to 32 random bytes in base64 (openssl rand -base64 32)",
                );
            }
        }
        self.mail.check(self.mode)?;
        self.sms.check(self.mode)?;
        self.worker()?;
        self.database.check()?;
        self.trusted_proxies()?;
        self.trusted_trace_callers()?;
        for origin in &self.server.allowed_origins {
            check_origin("server.allowed_origins", origin, self.mode)?;
        }
        self.check_simplejwt()?;
        self.traces.check(self.mode)?;
        self.signing_keys()?;
        self.retention()?;
        self.redis()?;
        self.settings()?;
        self.algorithm()?;
        Ok(self)
    }

    fn check_simplejwt(&self) -> Result<(), ConfigError> {
        let invalid = |text: &str| Err(ConfigError::Invalid(text.to_owned()));
        let SimpleJwtConfig { enabled, signing_key, username_field, .. } = &self.simplejwt;
        if !enabled {
            return Ok(());
        }
        let key = signing_key.expose();
        if !key.is_empty() {
            // RFC 7518 §3.2: no shorter than the hash.
            if key.len() < 32 {
                return invalid("simplejwt.signing_key must have 32 bytes at least");
            }
            let distinct: HashSet<u8> = key.bytes().collect();
            if key.starts_with("django-insecure-") || distinct.len() < 8 {
                return invalid("simplejwt.signing_key is no secret: openssl rand -base64 48");
            }
            if self.secret.as_ref().is_some_and(|secret| secret.expose() == key) {
                return invalid("simplejwt.signing_key must be another than secret");
            }
        }
        let issuer = self.tokens.issuer.as_ref().or(self.public_origin.as_ref());
        if issuer == Some(&self.tokens.audience) {
            return invalid(
                "tokens.audience must be another than the issuer: refresh tokens of SimpleJWT's form are for the issuer alone",
            );
        }
        if username_field.is_empty() || username_field == "password" {
            return invalid("simplejwt.username_field must name a field of its own");
        }
        Ok(())
    }

    /// The rules of the use cases.
    pub(crate) fn settings(&self) -> Result<Settings, ConfigError> {
        let invalid = |error: &dyn std::fmt::Display| ConfigError::Invalid(error.to_string());
        let region = |code: &str, key: &str| {
            Region::parse(code)
                .map_err(|_| ConfigError::Invalid(format!("{key} is no ISO 3166-1 alpha-2 code")))
        };
        let lengths = PasswordPolicy::MIN_LENGTHS;
        if !lengths.contains(&self.password.min_length) {
            let (least, greatest) = (lengths.start(), lengths.end());
            return Err(ConfigError::Invalid(format!(
                "password.min_length must be between {least} and {greatest}"
            )));
        }
        let (minute, month) = (Duration::from_secs(60), Duration::from_secs(30 * 86_400));
        if !(minute..=month).contains(&self.registration.lifetime.0) {
            return Err(invalid(&"registration.lifetime must be between 1m and 30d"));
        }
        if self.withdrawal.grace.0 > month {
            return Err(invalid(&"withdrawal.grace must be 30d at the most"));
        }
        let token = self.metrics.token.expose();
        if !token.is_empty() && token.len() < SHORTEST_SECRET {
            return Err(invalid(
                &"metrics.token must have 32 characters at least: openssl rand -base64 32",
            ));
        }
        if self.clients.values().any(|client| client.secret.expose().len() < SHORTEST_SECRET) {
            let why =
                "clients.NAME.secret must have 32 characters at least: openssl rand -base64 32";
            return Err(invalid(&why));
        }
        let (registration, verification, tokens) =
            (&self.registration, &self.verification, &self.tokens);
        Ok(Settings {
            registration: RegistrationPolicy {
                require_email: registration.require.contains(&Requirement::Email),
                require_phone: registration.require.contains(&Requirement::Phone),
                lifetime: registration.lifetime.0,
                reveal_taken: registration.reveal_taken,
            },
            verification: VerificationPolicy {
                code_length: verification.code_length,
                email_lifetime: verification.email_lifetime.0,
                sms_lifetime: verification.sms_lifetime.0,
                attempts: verification.attempts,
                resend_after: verification.resend_after.0,
                sends: verification.sends,
                contact_sends: verification.contact_sends,
                receipt_lifetime: verification.receipt_lifetime.0,
            }
            .check()
            .map_err(|error| invalid(&error))?,
            session: SessionPolicy {
                access_lifetime: tokens.access_lifetime.0,
                refresh_lifetime: tokens.refresh_lifetime.0,
                session_lifetime: tokens.session_lifetime.0,
                reuse_window: tokens.reuse_window.0,
                reauthenticate_after: tokens.reauthenticate_after.0,
            }
            .check()
            .map_err(|error| invalid(&error))?,
            password: PasswordPolicy { min_length: self.password.min_length },
            default_region: region(&registration.default_region, "registration.default_region")?,
            consents: consents::policy(&self.consents, registration.minimum_age)?,
            withdrawal_grace: self.withdrawal.grace.0,
            simplejwt_rotates: self.simplejwt.rotate_refresh_tokens,
            clients: self
                .clients
                .iter()
                .map(|(id, client)| ServiceClient { id: id.clone(), secret: client.secret.copy() })
                .collect(),
            // Without a sender there is no region whose numbers get messages.
            sms_regions: self
                .sms
                .countries
                .iter()
                .filter(|_| !self.sms.senders.is_empty())
                .map(|code| region(code, "sms.countries"))
                .collect::<Result<_, _>>()?,
        })
    }

    /// The numbers of the worker.
    pub(crate) fn worker(&self) -> Result<WorkerSettings, ConfigError> {
        let senders = self.mail.senders.len().max(self.sms.senders.len());
        let worker = self.outbox.worker(senders)?;
        Ok(WorkerSettings { sms_daily_limit: self.sms.daily_limit, ..worker })
    }

    /// Redis, where there is one.
    pub(crate) fn redis(&self) -> Result<Option<RedisServer>, ConfigError> {
        if self.redis.url.is_empty() {
            return Ok(None);
        }
        let server = RedisServer::parse(&self.redis.url);
        server.map(Some).map_err(|why| ConfigError::Invalid(format!("redis.url {why}")))
    }

    /// How long what is over is kept.
    pub(crate) fn retention(&self) -> Result<RetentionSettings, ConfigError> {
        let config = &self.retention;
        let (hour, ten_years) = (Duration::from_secs(3_600), Duration::from_secs(3_650 * 86_400));
        let ages = [
            // A receipt, and what a sign-up is still asked about.
            ("registrations", config.registrations, hour),
            ("verifications", config.verifications, self.verification.receipt_lifetime.0.max(hour)),
            ("sessions", config.sessions, self.tokens.access_lifetime.0.max(hour)),
            ("contact_undos", config.contact_undos, Duration::ZERO),
            // Providers report late.
            ("messages", config.messages, Duration::from_secs(86_400)),
            ("audit_entries", config.audit_entries, Duration::from_secs(86_400)),
        ];
        for (key, age, least) in ages {
            if !(least..=ten_years).contains(&age.0) {
                let least = humantime::format_duration(least);
                return Err(ConfigError::Invalid(format!(
                    "retention.{key} must be between {least} and 3650d"
                )));
            }
        }
        Ok(RetentionSettings {
            registrations: config.registrations.0,
            verifications: config.verifications.0,
            sessions: config.sessions.0,
            contact_undos: config.contact_undos.0,
            messages: config.messages.0,
            audit_entries: config.audit_entries.0,
            ..RetentionSettings::default()
        })
    }

    /// The configuration as it is, without its secrets.
    pub(crate) fn shown(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self)
    }

    /// The networks of the proxies in front.
    pub(crate) fn trusted_proxies(&self) -> Result<Vec<Network>, ConfigError> {
        networks("server.trusted_proxies", &self.server.trusted_proxies)
    }

    /// The networks of those who decide which of their traces are exported.
    pub(crate) fn trusted_trace_callers(&self) -> Result<Vec<Network>, ConfigError> {
        networks("traces.trusted_callers", &self.traces.trusted_callers)
    }

    /// When signing keys are replaced.
    pub(crate) fn signing_keys(&self) -> Result<SigningKeyPolicy, ConfigError> {
        let invalid = |text: &str| Err(ConfigError::Invalid(text.to_owned()));
        let (every, ahead) = (self.tokens.rotate_keys_every, self.tokens.publish_keys_ahead.0);
        let (minute, day) = (Duration::from_secs(60), Duration::from_secs(86_400));
        if !(minute..=day).contains(&ahead) {
            return invalid("tokens.publish_keys_ahead must be between 1m and 24h");
        }
        if every.is_some_and(|every| every.0 < day || every.0 < ahead * 2) {
            return invalid(
                "tokens.rotate_keys_every must be at least 1d, and twice publish_keys_ahead",
            );
        }
        let simplejwt = &self.simplejwt;
        let longest = [
            self.tokens.access_lifetime.0,
            self.verification.receipt_lifetime.0,
            // Where they sign SimpleJWT's refresh tokens, too, keys stay as long as those do.
            match simplejwt.enabled && simplejwt.signing_key.expose().is_empty() {
                true => self.tokens.refresh_lifetime.0,
                false => Duration::ZERO,
            },
        ];
        Ok(SigningKeyPolicy {
            publish_ahead: ahead,
            token_lifetime: longest.into_iter().max().unwrap_or_default(),
            rotate_every: every.map(|every| every.0),
        })
    }

    /// What signs tokens.
    pub(crate) fn algorithm(&self) -> Result<Algorithm, ConfigError> {
        Algorithm::parse(&self.tokens.algorithm).ok_or_else(|| {
            ConfigError::Invalid(
                "tokens.algorithm must be \"ES256\", \"EdDSA\" or \"RS256\"".to_owned(),
            )
        })
    }
}
