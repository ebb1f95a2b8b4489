use mapae_application::ports::EventRefused;
use mapae_domain::Timestamp;
use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// What SNS puts around a message. A member that comes twice is an error of its own.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Envelope {
    #[serde(rename = "Type")]
    type_name: String,
    pub(super) message_id: String,
    pub(super) topic_arn: String,
    subject: Option<String>,
    pub(super) message: String,
    timestamp: String,
    signature_version: String,
    signature: String,
    #[serde(rename = "SigningCertURL")]
    pub(super) signing_cert_url: String,
    token: Option<String>,
    #[serde(rename = "SubscribeURL")]
    pub(super) subscribe_url: Option<String>,
}

/// What an envelope is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Notification,
    Subscription,
    EndOfSubscription,
}

/// The hash that a signature is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hash {
    Sha1,
    Sha256,
}

impl Envelope {
    pub(super) fn parse(report: &[u8]) -> Result<Self, EventRefused> {
        serde_json::from_slice(report).map_err(|_| EventRefused::Malformed("no envelope of SNS"))
    }

    pub(super) fn kind(&self) -> Result<Kind, EventRefused> {
        match self.type_name.as_str() {
            "Notification" => Ok(Kind::Notification),
            "SubscriptionConfirmation" => Ok(Kind::Subscription),
            "UnsubscribeConfirmation" => Ok(Kind::EndOfSubscription),
            _ => Err(EventRefused::Malformed("an envelope of an unknown type")),
        }
    }

    pub(super) fn sent_at(&self) -> Result<Timestamp, EventRefused> {
        let at = OffsetDateTime::parse(&self.timestamp, &Rfc3339)
            .map_err(|_| EventRefused::Malformed("no time"))?;
        Ok(Timestamp::from_seconds(at.unix_timestamp()))
    }

    pub(super) fn hash(&self) -> Result<Hash, EventRefused> {
        match self.signature_version.as_str() {
            "1" => Ok(Hash::Sha1),
            "2" => Ok(Hash::Sha256),
            _ => Err(EventRefused::Malformed("a signature of an unknown version")),
        }
    }

    pub(super) fn signature(&self) -> &str {
        &self.signature
    }

    /// What is signed: names and values, a line each, in the order of the names.
    pub(super) fn signed(&self, kind: Kind) -> Result<String, EventRefused> {
        let missing = EventRefused::Malformed("a member is missing");
        let mut lines = vec![("Message", &*self.message), ("MessageId", &self.message_id)];
        match kind {
            Kind::Notification => {
                if let Some(subject) = &self.subject {
                    lines.push(("Subject", subject));
                }
                lines.push(("Timestamp", &self.timestamp));
            }
            Kind::Subscription | Kind::EndOfSubscription => {
                let url = self.subscribe_url.as_deref().ok_or(missing.clone())?;
                let token = self.token.as_deref().ok_or(missing)?;
                lines.extend([
                    ("SubscribeURL", url),
                    ("Timestamp", &self.timestamp),
                    ("Token", token),
                ]);
            }
        }
        lines.extend([("TopicArn", &*self.topic_arn), ("Type", &self.type_name)]);
        Ok(lines.iter().map(|(name, value)| format!("{name}\n{value}\n")).collect())
    }
}

/// Whether a URL leads to SNS and nowhere else: HTTPS, its own host name, no port, no password.
pub(super) fn is_of_sns(url: &str) -> bool {
    let Ok(url) = reqwest::Url::parse(url) else { return false };
    let Some(host) = url.host_str() else { return false };
    let host = host.strip_suffix(".cn").unwrap_or(host);
    let region = host.strip_prefix("sns.").and_then(|rest| rest.strip_suffix(".amazonaws.com"));
    let is_region = region.is_some_and(is_region);
    let bare = url.port().is_none() && url.username().is_empty() && url.password().is_none();
    url.scheme() == "https" && is_region && bare
}

/// Whether it has the form of a region: `ap-northeast-2`, `us-gov-west-1`. Other services have names that
/// end alike: `sns.s3-us-west-2.amazonaws.com` is somebody's bucket.
fn is_region(name: &str) -> bool {
    let parts: Vec<&str> = name.split('-').collect();
    let [area, places @ .., number] = parts.as_slice() else { return false };
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase());
    area.len() == 2
        && is_word(area)
        && !places.is_empty()
        && places.iter().all(|place| is_word(place))
        && number.len() == 1
        && number.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sns_itself_is_sns() {
        for url in [
            "https://sns.ap-northeast-2.amazonaws.com/SimpleNotificationService-x.pem",
            "https://sns.cn-north-1.amazonaws.com.cn/x.pem",
            "https://sns.us-gov-west-1.amazonaws.com/x.pem",
            "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&Token=x",
        ] {
            assert!(is_of_sns(url), "{url}");
        }
        for url in [
            "http://sns.us-east-1.amazonaws.com/x.pem",
            "https://sns.us-east-1.amazonaws.com.evil.example/x.pem",
            "https://evil.example/sns.us-east-1.amazonaws.com/x.pem",
            "https://sns.us-east-1.amazonaws.com@evil.example/x.pem",
            "https://evil@sns.us-east-1.amazonaws.com/x.pem",
            "https://sns.us-east-1.amazonaws.com:8443/x.pem",
            "https://evilsns.us-east-1.amazonaws.com/x.pem",
            "https://sns.us.evil.amazonaws.com/x.pem",
            "https://sns..amazonaws.com/x.pem",
            "https://s3.us-east-1.amazonaws.com/x.pem",
            // Buckets that somebody has called so.
            "https://sns.s3-us-west-2.amazonaws.com/x.pem",
            "https://sns.s3-accelerate.amazonaws.com/x.pem",
            "https://sns.s3.amazonaws.com/x.pem",
            "https://127.0.0.1/x.pem",
            "file:///etc/passwd",
            "",
        ] {
            assert!(!is_of_sns(url), "{url}");
        }
    }
}
