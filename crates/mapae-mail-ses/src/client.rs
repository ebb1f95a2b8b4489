use std::time::Duration;

use aws_config::{BehaviorVersion, Region};
use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::config::retry::RetryConfig;
use aws_sdk_sesv2::config::timeout::TimeoutConfig;
use aws_sdk_sesv2::config::{Credentials, SharedHttpClient};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use zeroize::Zeroizing;

/// How SES is reached, and what mail says of its sender.
#[derive(Clone)]
pub struct SesSettings {
    /// The region: `ap-northeast-2`.
    pub region: String,
    /// Another address than the region's own.
    pub endpoint_url: Option<String>,
    /// The access key and its secret; where absent, what the environment of the process gives
    /// (variables, profile, web identity, container, instance).
    pub keys: Option<(String, Zeroizing<String>)>,
    /// The configuration set, whose events say what became of a mail.
    pub configuration_set: Option<String>,
    /// Messages a second at the most; what the account allows where absent.
    pub max_rate: Option<f64>,
    /// Who the mail is from: `Mapae <no-reply@example.com>`.
    pub from: String,
    /// How long an answer may take.
    pub timeout: Duration,
}

impl std::fmt::Debug for SesSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SesSettings").field("region", &self.region).finish_non_exhaustive()
    }
}

/// Why there is no sender. Names the setting, never its value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key} {why}")]
pub struct SesError {
    /// The setting.
    pub key: &'static str,
    /// What is wrong.
    pub why: &'static str,
}

/// A client that tries once: what to do after a failure is the outbox's to decide.
pub(crate) async fn client(settings: &SesSettings) -> Result<Client, SesError> {
    let wrong = |key, why| Err(SesError { key, why });
    let in_region = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if settings.region.is_empty() || !settings.region.bytes().all(in_region) {
        return wrong("mail.ses.region", "must be a region such as ap-northeast-2");
    }
    if let Some(url) = &settings.endpoint_url {
        let url = reqwest::Url::parse(url).ok();
        let local = |url: &reqwest::Url| {
            matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"))
        };
        match url {
            Some(url) if url.scheme() == "https" || (url.scheme() == "http" && local(&url)) => {}
            _ => {
                let why = "must begin with https:// (http:// is for this machine alone)";
                return wrong("mail.ses.endpoint_url", why);
            }
        }
    }
    let http = http_client();
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(settings.timeout.min(Duration::from_secs(5)))
        .operation_timeout(settings.timeout)
        .build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(settings.region.clone()))
        .http_client(http)
        .timeout_config(timeouts)
        .retry_config(RetryConfig::disabled());
    if let Some((id, secret)) = &settings.keys {
        if id.is_empty() || secret.is_empty() {
            return wrong("mail.ses.access_key_id", "and secret_access_key belong together");
        }
        let secret = secret.as_str().to_owned();
        loader = loader.credentials_provider(Credentials::new(id, secret, None, None, "mapae"));
    }
    if let Some(url) = &settings.endpoint_url {
        loader = loader.endpoint_url(url);
    }
    Ok(Client::new(&loader.load().await))
}

fn http_client() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https()
}
