use std::sync::Arc;
use std::time::{Duration, SystemTime};

use mapae_application::ports::{Clock, SendError};
use mapae_domain::DeliveryReason;
use reqwest::header::DATE;
use reqwest::{Client, Method, Response, StatusCode, Url};
use ring::hmac;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::signature::sign;

/// How long SENS is left alone once its limit for the day is used up.
const LIMIT_USED_UP: Duration = Duration::from_secs(600);
/// Most bytes of an answer that are read.
const LONGEST_ANSWER: usize = 1 << 20;

/// How SENS is reached.
#[derive(Clone)]
pub struct SensSettings {
    /// `https://sens.apigw.ntruss.com`, or the government's or the finance sector's host.
    pub base_url: String,
    /// The access key.
    pub access_key: String,
    /// The secret key.
    pub secret_key: Zeroizing<String>,
    /// How long an answer may take.
    pub timeout: Duration,
}

impl std::fmt::Debug for SensSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SensSettings").field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

/// Why there is no sender. Names the setting, never its value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SensError {
    /// A setting is not what it must be.
    #[error("{key} {why}")]
    Setting {
        /// The setting.
        key: &'static str,
        /// What is wrong.
        why: &'static str,
    },
}

impl SensError {
    pub(crate) const fn setting(key: &'static str, why: &'static str) -> Self {
        Self::Setting { key, why }
    }
}

/// Signs requests, sends them, and reads what the gateway answers.
pub struct SensClient {
    http: Client,
    base: Url,
    access_key: String,
    key: hmac::Key,
    clock: Arc<dyn Clock>,
}

/// An answer: its status, its body where that is JSON, and how far its clock is from ours.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Value,
    /// Seconds by which the provider's clock is ahead of ours.
    pub(crate) ahead: Option<i64>,
}

impl SensClient {
    /// A client.
    ///
    /// # Errors
    /// [`SensError`] names the setting that is wrong.
    pub fn new(settings: &SensSettings, clock: Arc<dyn Clock>) -> Result<Self, SensError> {
        let base = Url::parse(&settings.base_url)
            .map_err(|_| SensError::setting("sms.sens.base_url", "is no URL"))?;
        let is_local = matches!(base.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
        if base.scheme() != "https" && !(base.scheme() == "http" && is_local) {
            let why = "must begin with https:// (http:// is for this machine alone)";
            return Err(SensError::setting("sms.sens.base_url", why));
        }
        if base.path() != "/" || base.query().is_some() {
            return Err(SensError::setting("sms.sens.base_url", "must have no path"));
        }
        for (key, value) in [
            ("sms.sens.access_key", settings.access_key.as_str()),
            ("sms.sens.secret_key", settings.secret_key.as_str()),
        ] {
            if value.is_empty() || !value.bytes().all(|b| b.is_ascii_graphic()) {
                return Err(SensError::setting(key, "is missing, or no key"));
            }
        }
        // One provider of cryptography a process; whoever was first has chosen it.
        drop(rustls::crypto::ring::default_provider().install_default());
        let http = Client::builder()
            .connect_timeout(settings.timeout.min(Duration::from_secs(5)))
            .timeout(settings.timeout)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|_| SensError::setting("sms.sens", "makes no HTTP client"))?;
        Ok(Self {
            http,
            base,
            access_key: settings.access_key.clone(),
            key: hmac::Key::new(hmac::HMAC_SHA256, settings.secret_key.as_bytes()),
            clock,
        })
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Answer, SendError> {
        self.request(Method::POST, path, None, Some(body)).await
    }

    pub(crate) async fn get(
        &self,
        path: &str,
        query: Option<(&str, &str)>,
    ) -> Result<Answer, SendError> {
        self.request(Method::GET, path, query, None).await
    }

    async fn request(
        &self,
        method: Method,
        path: &str,
        query: Option<(&str, &str)>,
        body: Option<&Value>,
    ) -> Result<Answer, SendError> {
        let mut url = self.base.clone();
        url.set_path(path);
        if let Some((name, value)) = query {
            url.set_query(Some(&format!("{name}={}", percent_encoded(value))));
        }
        // The very bytes that go out are signed, and when they go out: the gateway refuses a
        // signature that is five minutes old.
        let target = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        let millis = self.clock.now().as_millis();
        let signature = sign(&self.key, method.as_str(), &target, millis, &self.access_key);
        let mut request = self
            .http
            .request(method, url)
            .header("x-ncp-apigw-timestamp", millis.to_string())
            .header("x-ncp-iam-access-key", &self.access_key)
            .header("x-ncp-apigw-signature-v2", signature);
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json; charset=utf-8")
                .body(body.to_string());
        }
        let response = request.send().await.map_err(|error| unsent(&error))?;
        self.read(response).await
    }

    async fn read(&self, mut response: Response) -> Result<Answer, SendError> {
        let status = response.status();
        let headers = response.headers();
        let ahead = headers.get(DATE).and_then(|date| date.to_str().ok()).and_then(|date| {
            let there = httpdate::parse_http_date(date).ok()?;
            let there = there.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
            Some(i64::try_from(there).ok()? - self.clock.now().as_seconds())
        });
        if !status.is_success() {
            let trace = headers.get("x-ncp-trace-id").and_then(|id| id.to_str().ok());
            tracing::debug!(status = status.as_u16(), trace, "SENS refused a request");
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| unsent(&error))? {
            body.extend_from_slice(&chunk);
            if body.len() > LONGEST_ANSWER {
                return Err(SendError::Unanswered("an answer without an end".to_owned()));
            }
        }
        Ok(Answer { status, body: serde_json::from_slice(&body).unwrap_or_default(), ahead })
    }
}

/// What the failure of a request means. The text of the library's error can hold the URL, and is
/// left out.
fn unsent(error: &reqwest::Error) -> SendError {
    if error.is_connect() {
        SendError::Temporary("no connection".to_owned())
    } else if error.is_timeout() {
        SendError::Unanswered("no answer in time".to_owned())
    } else {
        SendError::Unanswered("the connection broke before the answer".to_owned())
    }
}

impl Answer {
    /// The gateway's or the service's code of what went wrong: text or a number, in either of two
    /// places.
    pub(crate) fn error_code(&self) -> Option<String> {
        let error = self.body.get("error").unwrap_or(&self.body);
        match error.get("errorCode").or_else(|| error.get("status"))? {
            Value::String(code) => Some(code.chars().take(16).collect()),
            Value::Number(code) => Some(code.to_string()),
            _ => None,
        }
    }

    /// The body of an answer that took what was asked.
    ///
    /// # Errors
    /// What the status means for a message.
    pub(crate) fn taken(self) -> Result<Value, SendError> {
        let status = self.status.as_u16();
        if self.status.is_success() {
            return Ok(self.body);
        }
        let code = self.error_code().map_or(String::new(), |code| format!(", code {code}"));
        let why = format!("status {status}{code}");
        Err(match status {
            400 | 413 | 422 => SendError::Refused { reason: DeliveryReason::ContentRefused, why },
            401 | 403 => {
                SendError::Broken(format!("{why}: keys, their rights, or this machine's clock"))
            }
            404 => SendError::Broken(format!("{why}: the service id or the host")),
            429 => SendError::Throttled {
                retry_after: LIMIT_USED_UP,
                why: format!("{why}: the limit for the day is used up"),
            },
            300..=399 => SendError::Broken(format!("{why}: the host")),
            _ => SendError::Temporary(why),
        })
    }
}

/// A value as a query holds it (RFC 3986 §2.3): whatever is not unreserved is encoded, a space as
/// `%20`.
fn percent_encoded(value: &str) -> String {
    let mut encoded = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// A part of a path that SENS has given out: a service's id, a message's.
pub(crate) fn is_id(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._:".contains(&b);
    !text.is_empty() && text.len() <= 128 && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_shapes_of_an_error_are_read_with_codes_of_either_type() {
        for body in [
            r#"{"error": {"errorCode": "210", "message": "x", "details": "y"}}"#,
            r#"{"error": {"errorCode": 210}}"#,
            r#"{"errorCode": "210", "errorMessage": "x"}"#,
            r#"{"errorCode": 210}"#,
            r#"{"status": 210, "errorMessage": "x", "errors": []}"#,
        ] {
            let body = serde_json::from_str(body).expect("JSON");
            let answer = Answer { status: StatusCode::BAD_REQUEST, body, ahead: None };
            assert_eq!(answer.error_code().as_deref(), Some("210"));
        }
        let answer = Answer { status: StatusCode::OK, body: Value::Null, ahead: None };
        assert_eq!(answer.error_code(), None);
    }

    #[test]
    fn a_query_has_no_plus_for_a_space() {
        assert_eq!(percent_encoded("2025-11-25 09:39"), "2025-11-25%2009%3A39");
    }
}
