//! What SES reports by Amazon SNS: envelopes whose signature is checked before anything they say is
//! believed.

mod certificate;
mod envelope;
mod event;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use mapae_application::ports::{Clock, DeliveryEvent, DeliveryEvents, EventRefused};
use reqwest::Client;

use self::certificate::Certificates;
use self::envelope::{Envelope, Kind, is_of_sns};

/// How old a report may be: SNS tries again for that long at the most, and says when it was made.
const OLDEST: Duration = Duration::from_secs(3_600);
/// How far SNS's clock may be ahead of ours.
const AHEAD: Duration = Duration::from_secs(300);
/// Most bytes of a certificate.
const LONGEST: usize = 64 * 1_024;

/// What fetches from SNS. A trait, so that tests have certificates of their own.
#[async_trait]
pub trait Source: Send + Sync {
    /// The body of what is at `url`, which was found to be SNS's own.
    ///
    /// # Errors
    /// Why it could not be had, for operators.
    async fn get(&self, url: &str) -> Result<Vec<u8>, String>;
}

/// Fetches over HTTPS, and follows nowhere.
pub struct HttpsSource(Client);

/// A client that follows no redirect and gives up.
pub(crate) fn https_client(timeout: Duration) -> reqwest::Result<Client> {
    // One provider of cryptography a process; whoever was first has chosen it.
    drop(rustls::crypto::ring::default_provider().install_default());
    Client::builder().timeout(timeout).redirect(reqwest::redirect::Policy::none()).build()
}

impl HttpsSource {
    /// A source.
    ///
    /// # Errors
    /// Why there is none: TLS cannot be set up.
    pub fn new(timeout: Duration) -> Result<Self, String> {
        https_client(timeout).map(Self).map_err(|_| "no HTTP client can be made".to_owned())
    }
}

#[async_trait]
impl Source for HttpsSource {
    async fn get(&self, url: &str) -> Result<Vec<u8>, String> {
        let failed = |_| "SNS cannot be reached".to_owned();
        let mut answer = self.0.get(url).send().await.map_err(failed)?;
        if answer.status() != reqwest::StatusCode::OK {
            return Err(format!("SNS answered {}", answer.status().as_u16()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            body.extend_from_slice(&chunk);
            if body.len() > LONGEST {
                return Err("SNS answered without an end".to_owned());
            }
        }
        Ok(body)
    }
}

/// Reads the envelopes of the topics that it was told of.
pub struct SnsEvents {
    topics: Vec<String>,
    source: Arc<dyn Source>,
    certificates: Certificates,
    clock: Arc<dyn Clock>,
}

impl SnsEvents {
    /// A reader of envelopes from these topics, by their ARN.
    pub fn new(topics: Vec<String>, source: Arc<dyn Source>, clock: Arc<dyn Clock>) -> Self {
        let certificates = Certificates::new(Arc::clone(&source), Arc::clone(&clock));
        Self { topics, source, certificates, clock }
    }

    /// Sees that an envelope is SNS's own, from one of the topics, and recent.
    async fn check(&self, envelope: &Envelope) -> Result<Kind, EventRefused> {
        if !self.topics.contains(&envelope.topic_arn) {
            return Err(EventRefused::NotGenuine("it comes from another topic"));
        }
        let sent = envelope.sent_at()?;
        let now = self.clock.now();
        if sent.plus(OLDEST).is_expired(now) || now.plus(AHEAD) < sent {
            return Err(EventRefused::NotGenuine("it is too old, or of a time to come"));
        }
        let kind = envelope.kind()?;
        let key = self.certificates.key(&envelope.signing_cert_url).await?;
        key.verify(envelope, kind)?;
        Ok(kind)
    }
}

#[async_trait]
impl DeliveryEvents for SnsEvents {
    async fn read(&self, report: &[u8]) -> Result<Option<DeliveryEvent>, EventRefused> {
        let envelope = Envelope::parse(report)?;
        match self.check(&envelope).await? {
            Kind::Notification => event::read(&envelope.message_id, &envelope.message),
            Kind::Subscription => {
                let url = envelope.subscribe_url.as_deref().unwrap_or_default();
                if !is_of_sns(url) {
                    return Err(EventRefused::NotGenuine("it is confirmed somewhere else"));
                }
                self.source.get(url).await.map_err(EventRefused::Unavailable)?;
                tracing::info!("a subscription to a topic of SES was confirmed");
                Ok(None)
            }
            Kind::EndOfSubscription => {
                tracing::warn!(
                    "a subscription to a topic of SES has ended: no outcomes come any more"
                );
                Ok(None)
            }
        }
    }
}
