use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::error::BuildError;
use aws_sdk_sesv2::types::{
    Body, ConfigurationOverrides, Content, Destination, EmailContent, FeatureStatus, Message,
    MessageHeader, MessageTag, TrackingConfigurationOverrides,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mapae_application::ports::{Clock, EmailSender, OutgoingEmail, SendError, SendReceipt};
use mapae_domain::{DeliveryReason, EmailAddress};

use crate::client::{SesError, SesSettings, client};
use crate::error::what_it_means;
use crate::pace::Pace;

/// The tag by which events name the message.
pub(crate) const TAG: &str = "mapae_message";
/// How long a message waits for the account's answer.
const ACCOUNT_TIMEOUT: Duration = Duration::from_secs(3);
/// How often the account is asked what it may send.
const ASK_ACCOUNT: Duration = Duration::from_secs(3_600);

/// Sends mail by Amazon SES.
pub struct SesSender {
    pub(crate) client: Client,
    pub(crate) settings: SesSettings,
    pub(crate) clock: Arc<dyn Clock>,
    from: String,
    pace: Pace,
    /// When the account was asked last, in seconds.
    asked: AtomicI64,
}

impl SesSender {
    /// A sender.
    ///
    /// # Errors
    /// [`SesError`] names the setting that is wrong.
    pub async fn new(settings: SesSettings, clock: Arc<dyn Clock>) -> Result<Self, SesError> {
        let from = from_header(&settings.from)?;
        if settings.max_rate.is_some_and(|rate| !rate.is_finite() || rate <= 0.0) {
            return Err(SesError { key: "mail.ses.max_rate", why: "must be more than 0" });
        }
        let client = client(&settings).await?;
        let pace = Pace::new(settings.max_rate, Arc::clone(&clock));
        Ok(Self { client, settings, clock, from, pace, asked: AtomicI64::new(i64::MIN) })
    }

    /// The address that mail is from.
    pub(crate) fn sender_address(&self) -> &str {
        self.settings
            .from
            .rsplit_once('<')
            .map_or(self.settings.from.as_str(), |(_, rest)| rest.trim_end_matches('>'))
    }

    /// Learns once an hour how many messages the account may send in a second.
    async fn learn_rate(&self) {
        if self.settings.max_rate.is_some() {
            return;
        }
        let now = self.clock.now().as_seconds();
        let asked = self.asked.load(Ordering::Relaxed);
        let due = now.saturating_sub(asked) >= i64::try_from(ASK_ACCOUNT.as_secs()).unwrap_or(0);
        let mine = self.asked.compare_exchange(asked, now, Ordering::Relaxed, Ordering::Relaxed);
        if !due || mine.is_err() {
            return;
        }
        let asked = tokio::time::timeout(ACCOUNT_TIMEOUT, self.client.get_account().send()).await;
        let Ok(account) = asked else {
            tracing::warn!("SES does not tell the account's rate in time");
            return;
        };
        match account {
            Ok(account) => {
                if let Some(quota) = account.send_quota() {
                    tracing::info!(per_second = quota.max_send_rate(), "SES account asked");
                    self.pace.set(quota.max_send_rate());
                }
            }
            Err(error) => {
                // Without it SES says itself when it is too much.
                let error = what_it_means(&error, "");
                tracing::warn!(%error, "SES does not tell the account's rate");
            }
        }
    }

    fn content(email: &OutgoingEmail) -> Result<EmailContent, BuildError> {
        let text = |text: &str| Content::builder().data(text).charset("UTF-8").build();
        let body = Body::builder()
            .text(text(&email.content.text)?)
            .html(text(&email.content.html)?)
            .build();
        // No person wrote the message, so none is to be answered by machine (RFC 3834 §5).
        let header =
            MessageHeader::builder().name("Auto-Submitted").value("auto-generated").build()?;
        let message = Message::builder()
            .subject(text(&email.content.subject)?)
            .body(body)
            .headers(header)
            .build();
        Ok(EmailContent::builder().simple(message).build())
    }
}

#[async_trait]
impl EmailSender for SesSender {
    async fn send(&self, email: &OutgoingEmail) -> Result<SendReceipt, SendError> {
        let refused = |_: BuildError| SendError::Refused {
            reason: DeliveryReason::ContentRefused,
            why: "the mail cannot be written".to_owned(),
        };
        let content = Self::content(email).map_err(refused)?;
        let tag = MessageTag::builder().name(TAG).value(email.id.to_string()).build();
        self.learn_rate().await;
        self.pace.turn().await?;
        // Tracking would put SES's own links in the place of ours.
        let tracking = TrackingConfigurationOverrides::builder()
            .open_tracking_enabled(FeatureStatus::Disabled)
            .click_tracking_enabled(FeatureStatus::Disabled)
            .build();
        let overrides = ConfigurationOverrides::builder().tracking(tracking).build();
        let sent = self
            .client
            .send_email()
            .from_email_address(&self.from)
            .destination(Destination::builder().to_addresses(email.to.as_str()).build())
            .content(content)
            .email_tags(tag.map_err(refused)?)
            .set_configuration_set_name(self.settings.configuration_set.clone())
            .configuration_overrides(overrides)
            .send()
            .await
            .map_err(|error| what_it_means(&error, email.to.as_str()))?;
        Ok(SendReceipt { provider_id: sent.message_id().map(str::to_owned), ask: false })
    }
}

/// The sender as a header holds it: a name of other letters than ASCII's in encoded words of whole
/// signs (RFC 2047 §2, §5).
fn from_header(from: &str) -> Result<String, SesError> {
    let wrong =
        SesError { key: "mail.from", why: "must be an address, or a name and an address in <…>" };
    let (name, address) = match from.trim().rsplit_once('<') {
        Some((name, address)) => {
            (name.trim().trim_matches('"'), address.strip_suffix('>').ok_or(wrong.clone())?)
        }
        None => ("", from.trim()),
    };
    let address = EmailAddress::parse(address).map_err(|_| wrong.clone())?;
    if name.chars().any(char::is_control) {
        return Err(wrong);
    }
    if name.is_empty() {
        return Ok(address.as_str().to_owned());
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || c == ' ';
    if name.chars().all(plain) {
        return Ok(format!("{name} <{}>", address.as_str()));
    }
    let mut words = Vec::new();
    let mut word = String::new();
    for c in name.chars() {
        if word.len() + c.len_utf8() > 45 {
            words.push(std::mem::take(&mut word));
        }
        word.push(c);
    }
    words.push(word);
    let words = words.iter().map(|word| format!("=?UTF-8?B?{}?=", STANDARD.encode(word)));
    Ok(format!("{} <{}>", words.collect::<Vec<_>>().join(" "), address.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_senders_name_is_one_in_any_script() {
        for (from, expected) in [
            ("no-reply@mapae.example", "no-reply@mapae.example"),
            ("<no-reply@mapae.example>", "no-reply@mapae.example"),
            ("Mapae <no-reply@mapae.example>", "Mapae <no-reply@mapae.example>"),
            ("\"Mapae\" <no-reply@mapae.example>", "Mapae <no-reply@mapae.example>"),
            ("마패 <no-reply@mapae.example>", "=?UTF-8?B?66eI7Yyo?= <no-reply@mapae.example>"),
        ] {
            assert_eq!(from_header(from).as_deref(), Ok(expected));
        }
        let long = from_header(&format!("{} <a@b.example>", "마".repeat(40))).expect("a header");
        let words: Vec<&str> = long.split(' ').collect();
        assert!(words.len() > 2 && words.iter().all(|word| word.len() <= 75), "{long}");
        for from in ["", "Mapae", "a\r\nb <a@b.example>", "Mapae <a@b.example", "<>"] {
            assert!(from_header(from).is_err(), "{from:?}");
        }
    }
}
