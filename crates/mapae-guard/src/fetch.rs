//! Asking Mapae: few requests, of few kinds, on a thread where they may wait.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ureq::Agent;
use ureq::http::header;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use crate::{Introspection, InvalidGuard};

/// How long a request may take in all.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The greatest answer that is read, in bytes: that of hundreds of keys.
const MAX_ANSWER: u64 = 256 * 1024;

/// A request failed. Why goes to nobody: it may repeat what was sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FetchError;

/// The keys, as they were answered.
pub(crate) enum FetchedKeys {
    /// They are those that are known.
    Unchanged {
        /// For how long they may be kept.
        max_age: Option<Duration>,
    },
    /// They are these.
    Changed {
        /// The JWK Set.
        json: Vec<u8>,
        /// What names this state of them.
        etag: Option<String>,
        /// For how long they may be kept.
        max_age: Option<Duration>,
    },
}

/// Asks over HTTP.
#[derive(Clone)]
pub(crate) struct Fetcher(Agent);

impl Fetcher {
    /// With the public certificate authorities, or those of `pem` alone.
    pub(crate) fn new(pem: Option<&[u8]>) -> Result<Self, InvalidGuard> {
        let roots = match pem {
            None => RootCerts::WebPki,
            Some(pem) => {
                let mut roots: Vec<Certificate<'static>> = Vec::new();
                for item in parse_pem(pem) {
                    if let PemItem::Certificate(certificate) =
                        item.map_err(|_| InvalidGuard::Certificates)?
                    {
                        roots.push(certificate);
                    }
                }
                if roots.is_empty() {
                    return Err(InvalidGuard::Certificates);
                }
                RootCerts::from(roots)
            }
        };
        let config = Agent::config_builder()
            .timeout_global(Some(TIMEOUT))
            .http_status_as_error(false)
            // Whoever could answer with a redirect could name another's keys.
            .max_redirects(0)
            // Nor does it go through whatever proxy the environment names: it bears a secret.
            .proxy(None)
            .tls_config(TlsConfig::builder().root_certs(roots).build())
            .build();
        Ok(Self(config.into()))
    }

    /// Fetches a JWK Set, unless it is still the one of `etag`.
    pub(crate) async fn keys(
        &self,
        url: &str,
        etag: Option<String>,
    ) -> Result<FetchedKeys, FetchError> {
        let (agent, url) = (self.0.clone(), url.to_owned());
        blocking(move || {
            let mut request = agent.get(&url).header(header::ACCEPT, "application/json");
            if let Some(etag) = etag {
                request = request.header(header::IF_NONE_MATCH, etag);
            }
            let mut response = request.call().map_err(|_| FetchError)?;
            let text = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
            let max_age = text(header::CACHE_CONTROL).and_then(max_age);
            let etag = text(header::ETAG).map(str::to_owned);
            match response.status().as_u16() {
                304 => Ok(FetchedKeys::Unchanged { max_age }),
                200 => {
                    let body = response.body_mut().with_config().limit(MAX_ANSWER);
                    let json = body.read_to_vec().map_err(|_| FetchError)?;
                    Ok(FetchedKeys::Changed { json, etag, max_age })
                }
                _ => Err(FetchError),
            }
        })
        .await
    }

    /// Asks what a token is worth (RFC 7662 §2.1).
    pub(crate) async fn is_active(
        &self,
        introspection: &Introspection,
        url: &str,
        token: &str,
    ) -> Result<bool, FetchError> {
        #[derive(serde::Deserialize)]
        struct Answer {
            active: bool,
        }
        let authorization = basic(introspection);
        let (agent, url, token) = (self.0.clone(), url.to_owned(), token.to_owned());
        blocking(move || {
            let form = [("token", token.as_str()), ("token_type_hint", "access_token")];
            let request = agent.post(&url).header(header::AUTHORIZATION, authorization);
            let mut response = request.send_form(form).map_err(|_| FetchError)?;
            if response.status().as_u16() != 200 {
                return Err(FetchError);
            }
            let body = response.body_mut().with_config().limit(MAX_ANSWER);
            let json = body.read_to_vec().map_err(|_| FetchError)?;
            let answer: Answer = serde_json::from_slice(&json).map_err(|_| FetchError)?;
            Ok(answer.active)
        })
        .await
    }
}

async fn blocking<T: Send + 'static>(
    ask: impl FnOnce() -> Result<T, FetchError> + Send + 'static,
) -> Result<T, FetchError> {
    tokio::task::spawn_blocking(ask).await.unwrap_or(Err(FetchError))
}

/// `Authorization: Basic`, with name and secret encoded as a form's members (RFC 6749 §2.3.1).
fn basic(introspection: &Introspection) -> String {
    let encoded = |text: &str| {
        text.bytes().fold(String::new(), |mut out, byte| {
            if byte.is_ascii_alphanumeric() {
                out.push(char::from(byte));
            } else {
                out.push_str(&format!("%{byte:02X}"));
            }
            out
        })
    };
    let credentials =
        format!("{}:{}", encoded(&introspection.client), encoded(&introspection.secret));
    format!("Basic {}", STANDARD.encode(credentials))
}

/// `max-age` (RFC 9111 §5.2.2.1).
fn max_age(cache_control: &str) -> Option<Duration> {
    let mut directives = cache_control.split(',').map(str::trim);
    let value = directives.find_map(|directive| directive.strip_prefix("max-age="))?;
    value.trim_matches('"').parse().map(Duration::from_secs).ok()
}
