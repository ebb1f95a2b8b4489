//! `[mail]`, `[sms]` and `[outbox]`: who sends, and how.

use std::path::PathBuf;
use std::time::Duration;

use mapae_application::outbox::WorkerSettings;
use mapae_domain::RetryPolicy;
use serde::{Deserialize, Serialize};

use super::{ConfigError, ConfigSecret, Length, Mode};

/// Who takes mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MailSender {
    /// The inbox of development.
    Inbox,
    /// Amazon SES.
    Ses,
    /// An SMTP server.
    Smtp,
}

/// Who takes short messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SmsSender {
    /// The inbox of development.
    Inbox,
    /// Naver Cloud SENS.
    Sens,
    /// AlimTalk by Naver Cloud SENS.
    Alimtalk,
}

/// `[mail]`.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct MailConfig {
    /// The senders, in the order of preference.
    pub(crate) senders: Vec<MailSender>,
    /// Who mail is from.
    pub(crate) from: Option<String>,
    pub(crate) ses: SesConfig,
    pub(crate) smtp: SmtpConfig,
}

impl Default for MailConfig {
    fn default() -> Self {
        Self {
            senders: vec![MailSender::Inbox],
            from: None,
            ses: SesConfig::default(),
            smtp: SmtpConfig::default(),
        }
    }
}

/// `[mail.ses]`.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct SesConfig {
    pub(crate) region: String,
    pub(crate) endpoint_url: Option<String>,
    pub(crate) access_key_id: Option<String>,
    pub(crate) secret_access_key: Option<ConfigSecret>,
    pub(crate) configuration_set: Option<String>,
    /// Messages a second at the most.
    pub(crate) max_rate: Option<f64>,
    /// The topics whose reports are taken.
    pub(crate) topic_arns: Vec<String>,
    pub(crate) timeout: Length,
}

impl Default for SesConfig {
    fn default() -> Self {
        Self {
            region: "ap-northeast-2".to_owned(),
            endpoint_url: None,
            access_key_id: None,
            secret_access_key: None,
            configuration_set: None,
            max_rate: None,
            topic_arns: Vec::new(),
            timeout: Length(Duration::from_secs(10)),
        }
    }
}

/// How a connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TlsMode {
    Implicit,
    StartTls,
    None,
}

/// `[mail.smtp]`.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct SmtpConfig {
    pub(crate) host: String,
    /// The port; that of `tls` where absent.
    pub(crate) port: Option<u16>,
    pub(crate) tls: TlsMode,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<ConfigSecret>,
    /// Certificates of authorities that are trusted beside the public ones.
    pub(crate) ca_certificates: Option<PathBuf>,
    pub(crate) timeout: Length,
}

impl Default for SmtpConfig {
    fn default() -> Self {
        Self {
            host: String::new(),
            port: None,
            tls: TlsMode::StartTls,
            username: None,
            password: None,
            ca_certificates: None,
            timeout: Length(Duration::from_secs(10)),
        }
    }
}

/// `[sms]`.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct SmsConfig {
    /// The senders, in the order of preference; with none there are no short messages.
    pub(crate) senders: Vec<SmsSender>,
    /// The registered sender number.
    pub(crate) from: Option<String>,
    /// The regions whose numbers get short messages.
    pub(crate) countries: Vec<String>,
    /// How many short messages go out within 24 hours.
    pub(crate) daily_limit: Option<u32>,
    pub(crate) sens: SensConfig,
    pub(crate) alimtalk: AlimTalkConfig,
}

impl Default for SmsConfig {
    fn default() -> Self {
        Self {
            senders: vec![SmsSender::Inbox],
            from: None,
            countries: vec!["KR".to_owned()],
            daily_limit: None,
            sens: SensConfig::default(),
            alimtalk: AlimTalkConfig::default(),
        }
    }
}

/// `[sms.sens]`.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct SensConfig {
    pub(crate) base_url: String,
    pub(crate) service_id: String,
    pub(crate) access_key: String,
    pub(crate) secret_key: ConfigSecret,
    pub(crate) timeout: Length,
}

impl Default for SensConfig {
    fn default() -> Self {
        Self {
            base_url: "https://sens.apigw.ntruss.com".to_owned(),
            service_id: String::new(),
            access_key: String::new(),
            secret_key: ConfigSecret::default(),
            timeout: Length(Duration::from_secs(10)),
        }
    }
}

/// `[sms.alimtalk]`.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct AlimTalkConfig {
    pub(crate) service_id: String,
    pub(crate) channel: String,
    pub(crate) template_code: String,
    pub(crate) template: String,
}

/// `[outbox]`.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct OutboxConfig {
    /// How many messages of a channel are under way at once.
    pub(crate) concurrency: usize,
    /// How often a message is tried.
    pub(crate) tries: u8,
    /// How long the first retry waits; each further one waits twice as long.
    pub(crate) retry_after: Length,
    /// How long a sender may take.
    pub(crate) send_timeout: Length,
    /// After how long the messages of a worker that is gone are taken over.
    pub(crate) lease: Length,
    /// How often a worker looks for messages of other processes.
    pub(crate) poll: Length,
}

impl Default for OutboxConfig {
    fn default() -> Self {
        let settings = WorkerSettings::default();
        Self {
            concurrency: settings.concurrency,
            tries: settings.retry.tries,
            retry_after: Length(settings.retry.first_wait),
            send_timeout: Length(settings.send_timeout),
            lease: Length(settings.lease),
            poll: Length(settings.poll),
        }
    }
}

impl OutboxConfig {
    /// The numbers of a worker.
    pub(crate) fn worker(&self, senders: usize) -> Result<WorkerSettings, ConfigError> {
        let invalid = |text: &str| Err(ConfigError::Invalid(text.to_owned()));
        if !(1..=1_000).contains(&self.concurrency) {
            return invalid("outbox.concurrency must be between 1 and 1000");
        }
        if !(1..=50).contains(&self.tries) {
            return invalid("outbox.tries must be between 1 and 50");
        }
        let (send, lease, poll) = (self.send_timeout.0, self.lease.0, self.poll.0);
        if send < Duration::from_millis(100) || send > Duration::from_secs(120) {
            return invalid("outbox.send_timeout must be between 100ms and 2m");
        }
        // One that is taken over while it is sent would be sent twice.
        let all =
            u32::try_from(senders.max(1)).map_or(Duration::MAX, |all| send.saturating_mul(all));
        if lease <= all || lease > Duration::from_secs(3_600) {
            return invalid(
                "outbox.lease must be longer than outbox.send_timeout for each sender of a channel together, and at most 1h",
            );
        }
        if poll < Duration::from_millis(10) || poll > Duration::from_secs(60) {
            return invalid("outbox.poll must be between 10ms and 1m");
        }
        let retry = self.retry_after.0;
        if retry < Duration::from_millis(10) || retry > Duration::from_secs(600) {
            return invalid("outbox.retry_after must be between 10ms and 10m");
        }
        Ok(WorkerSettings {
            concurrency: self.concurrency,
            send_timeout: send,
            lease,
            poll,
            retry: RetryPolicy { tries: self.tries, first_wait: retry },
            ..WorkerSettings::default()
        })
    }
}

impl MailConfig {
    pub(super) fn check(&self, mode: Mode) -> Result<(), ConfigError> {
        let invalid = |text: &str| Err(ConfigError::Invalid(text.to_owned()));
        if self.senders.is_empty() {
            return invalid("mail.senders must name a sender");
        }
        if twice(&self.senders) {
            return invalid("mail.senders names a sender twice");
        }
        if mode == Mode::Production && self.senders.contains(&MailSender::Inbox) {
            return invalid(
                "mail.senders names the inbox, which mode = \"production\" refuses: whoever reads it reads everyone's codes",
            );
        }
        if self.senders.iter().any(|sender| *sender != MailSender::Inbox) && self.from.is_none() {
            return invalid(
                "mail.from is missing: who mail is from, such as Mapae <no-reply@example.com>",
            );
        }
        Ok(())
    }
}

impl SmsConfig {
    pub(super) fn check(&self, mode: Mode) -> Result<(), ConfigError> {
        let invalid = |text: &str| Err(ConfigError::Invalid(text.to_owned()));
        if twice(&self.senders) {
            return invalid("sms.senders names a sender twice");
        }
        if mode == Mode::Production && self.senders.contains(&SmsSender::Inbox) {
            return invalid(
                "sms.senders names the inbox, which mode = \"production\" refuses: whoever reads it reads everyone's codes; [] is for a service without short messages",
            );
        }
        if self.senders.iter().any(|sender| *sender != SmsSender::Inbox) && self.from.is_none() {
            return invalid("sms.from is missing: the registered sender number");
        }
        Ok(())
    }
}

fn twice<T: PartialEq>(list: &[T]) -> bool {
    list.iter().enumerate().any(|(at, one)| list[..at].contains(one))
}
