use std::sync::Arc;

use async_trait::async_trait;
use mapae_application::outbox::MessageContent;
use mapae_application::ports::{OutgoingSms, SendError, SendReceipt, SmsSender};
use mapae_domain::outbox::DeliveryReport;
use serde_json::{Value, json};

use crate::client::{SensClient, SensError, is_id};
use crate::result::{item, not_yet, of_alimtalk};
use crate::sms::{KOREA, Kind, dialled, sender_number};

/// Most characters of an AlimTalk.
const LONGEST: usize = 1_000;
/// What stands in the template for what changes.
const PLACEHOLDERS: [&str; 3] = ["#{code}", "#{minutes}", "#{service}"];

/// What AlimTalk is sent with.
#[derive(Debug, Clone)]
pub struct AlimTalkSettings {
    /// The service's id: `ncp:kkobizmsg:kr:…`.
    pub service_id: String,
    /// The channel: `@name`.
    pub channel: String,
    /// The code of the template.
    pub template_code: String,
    /// The template's text as Kakao approved it, with `#{code}`, `#{minutes}` and `#{service}`.
    pub template: String,
    /// What messages call the service.
    pub service_name: String,
    /// The sender's number of the SMS that goes in place of an AlimTalk that does not arrive.
    pub from: String,
}

/// Sends codes to Kakao accounts, and has SENS send an SMS where there is none.
pub struct AlimTalkSender {
    client: Arc<SensClient>,
    path: String,
    settings: AlimTalkSettings,
}

impl AlimTalkSender {
    /// A sender.
    ///
    /// # Errors
    /// [`SensError`] names the setting that is wrong.
    pub fn new(client: Arc<SensClient>, settings: AlimTalkSettings) -> Result<Self, SensError> {
        let wrong = |key, why| Err(SensError::setting(key, why));
        if !is_id(&settings.service_id) {
            return wrong("sms.alimtalk.service_id", "is missing, or no service's id");
        }
        if !settings.channel.starts_with('@') || settings.channel.len() < 2 {
            return wrong("sms.alimtalk.channel", "must be a channel's name such as @mapae");
        }
        if !is_id(&settings.template_code) {
            return wrong("sms.alimtalk.template_code", "is missing, or no template's code");
        }
        if !settings.template.contains("#{code}") {
            return wrong("sms.alimtalk.template", "must hold #{code}");
        }
        let mut rest = settings.template.clone();
        for placeholder in PLACEHOLDERS {
            rest = rest.replace(placeholder, "");
        }
        if rest.contains("#{") {
            let why = "holds a placeholder other than #{code}, #{minutes} and #{service}";
            return wrong("sms.alimtalk.template", why);
        }
        let from = sender_number(&settings.from)?;
        let path = format!("/alimtalk/v2/services/{}/messages", settings.service_id);
        Ok(Self { client, path, settings: AlimTalkSettings { from, ..settings } })
    }

    pub(crate) fn client(&self) -> &SensClient {
        &self.client
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// The approved text with this message's values.
    fn text(&self, content: &MessageContent) -> Result<String, SendError> {
        let MessageContent::Verification { code, minutes, .. } = content else {
            return Err(SendError::Unsuited("there is an AlimTalk template for codes alone"));
        };
        let [code_at, minutes_at, service_at] = PLACEHOLDERS;
        let text = self
            .settings
            .template
            .replace(service_at, &self.settings.service_name)
            .replace(minutes_at, &minutes.to_string())
            .replace(code_at, code);
        if text.chars().count() > LONGEST {
            return Err(SendError::Unsuited("the text is too long for an AlimTalk"));
        }
        Ok(text)
    }

    fn body(&self, sms: &OutgoingSms) -> Result<Value, SendError> {
        let (country, to) = dialled(&sms.to)?;
        if country != KOREA {
            return Err(SendError::Unsuited("AlimTalk stays in Korea"));
        }
        Ok(json!({
            "plusFriendId": self.settings.channel,
            "templateCode": self.settings.template_code,
            "messages": [{
                "countryCode": country.to_string(),
                "to": to,
                "content": self.text(&sms.content)?,
                "useSmsFailover": true,
                "failoverConfig": {
                    "type": Kind::of(&sms.text, country)?.as_str(),
                    "from": self.settings.from,
                    "subject": self.settings.service_name,
                    "content": sms.text,
                },
            }],
        }))
    }
}

#[async_trait]
impl SmsSender for AlimTalkSender {
    async fn send(&self, sms: &OutgoingSms) -> Result<SendReceipt, SendError> {
        let answer = self.client.post(&self.path, &self.body(sms)?).await?.taken()?;
        let message = item(&answer);
        // A request that was taken can hold a message that was not.
        let code = message.and_then(|message| message["requestStatusCode"].as_str());
        if let Some(code) = code.filter(|code| *code != "A000") {
            let code: String = code.chars().take(8).collect();
            return Err(SendError::Deferred(format!("request status {code}")));
        }
        let name = message.and_then(|message| message["messageId"].as_str());
        let name = name.filter(|name| is_id(name)).map(str::to_owned);
        Ok(SendReceipt { ask: name.is_some(), provider_id: name })
    }

    async fn outcome(&self, message_id: &str) -> Result<Option<DeliveryReport>, SendError> {
        if !is_id(message_id) {
            return Ok(None);
        }
        match self.client.get(&format!("{}/{message_id}", self.path), None).await?.taken() {
            Ok(detail) => Ok(item(&detail).and_then(of_alimtalk)),
            Err(error) => not_yet(error),
        }
    }
}
