use std::sync::Arc;

use async_trait::async_trait;
use encoding_rs::EUC_KR;
use mapae_application::ports::{OutgoingSms, SendError, SendReceipt, SmsSender};
use mapae_domain::outbox::DeliveryReport;
use mapae_domain::{DeliveryReason, PhoneNumber};
use serde_json::{Value, json};

use crate::client::{SensClient, SensError, is_id};
use crate::result::{item, not_yet, of_sms};

/// Most bytes of EUC-KR in an SMS.
const SMS_BYTES: usize = 90;
/// Most bytes of EUC-KR in an LMS.
const LMS_BYTES: usize = 2_000;
/// Most bytes of EUC-KR in an LMS's subject.
const SUBJECT_BYTES: usize = 40;
/// Korea's country code: the only country that LMS and AlimTalk go to.
pub(crate) const KOREA: u16 = 82;

/// What short messages are sent with.
#[derive(Debug, Clone)]
pub struct SmsSettings {
    /// The service's id: `ncp:sms:kr:…`.
    pub service_id: String,
    /// The sender's number, as it is registered with SENS.
    pub from: String,
}

/// Sends SMS, and LMS where a text needs it.
pub struct SensSender {
    client: Arc<SensClient>,
    path: String,
    from: String,
}

/// A text of the type that holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Sms,
    Lms,
}

impl Kind {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Sms => "SMS",
            Self::Lms => "LMS",
        }
    }

    /// The type that holds `text` whole. SENS would cut it without a word.
    pub(crate) fn of(text: &str, country: u16) -> Result<Self, SendError> {
        let refused = |why: &str| {
            let reason = DeliveryReason::ContentRefused;
            Err(SendError::Refused { reason, why: why.to_owned() })
        };
        let (encoded, _, unmappable) = EUC_KR.encode(text);
        if unmappable {
            return refused("the text holds a sign that EUC-KR lacks");
        }
        let bytes = encoded.len();
        if bytes == 0 {
            refused("the text is empty")
        } else if bytes <= SMS_BYTES {
            Ok(Self::Sms)
        } else if country != KOREA {
            refused("the text is too long for an SMS, and LMS stay in Korea")
        } else if bytes <= LMS_BYTES {
            Ok(Self::Lms)
        } else {
            refused("the text is too long for an LMS")
        }
    }
}

/// A number as SENS wants it: the country's code, and digits as they are dialled within Korea.
pub(crate) fn dialled(number: &PhoneNumber) -> Result<(u16, String), SendError> {
    let (country, national) = number.parts().ok_or_else(|| SendError::Refused {
        reason: DeliveryReason::RecipientUnknown,
        why: "the number is none".to_owned(),
    })?;
    Ok((country, if country == KOREA { format!("0{national}") } else { national }))
}

/// A sender's number in digits.
///
/// # Errors
/// [`SensError`] where it holds anything else but the signs that people write between digits.
pub(crate) fn sender_number(from: &str) -> Result<String, SensError> {
    let digits: String = from.chars().filter(|c| !matches!(c, '-' | ' ')).collect();
    let right = (8..=16).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    if right {
        Ok(digits)
    } else {
        Err(SensError::setting("sms.from", "must be the registered sender number, in digits"))
    }
}

/// The first line of a text, as an LMS's subject: whole signs, as many as there is room for.
fn subject(text: &str) -> String {
    let mut subject = String::new();
    let mut bytes = 0;
    for c in text.lines().next().unwrap_or_default().chars() {
        bytes += if c.is_ascii() { 1 } else { 2 };
        if bytes > SUBJECT_BYTES {
            break;
        }
        subject.push(c);
    }
    subject.trim_end().to_owned()
}

impl SensSender {
    /// A sender.
    ///
    /// # Errors
    /// [`SensError`] names the setting that is wrong.
    pub fn new(client: Arc<SensClient>, settings: &SmsSettings) -> Result<Self, SensError> {
        if !is_id(&settings.service_id) {
            return Err(SensError::setting(
                "sms.sens.service_id",
                "is missing, or no service's id",
            ));
        }
        let path = format!("/sms/v2/services/{}/messages", settings.service_id);
        Ok(Self { client, path, from: sender_number(&settings.from)? })
    }

    pub(crate) fn client(&self) -> &SensClient {
        &self.client
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    fn body(&self, sms: &OutgoingSms) -> Result<Value, SendError> {
        let (country, to) = dialled(&sms.to)?;
        let kind = Kind::of(&sms.text, country)?;
        let mut body = json!({
            "type": kind.as_str(),
            "contentType": "COMM",
            "countryCode": country.to_string(),
            "from": self.from,
            "content": sms.text,
            "messages": [{"to": to}],
        });
        if kind == Kind::Lms {
            body["subject"] = json!(subject(&sms.text));
        }
        Ok(body)
    }
}

#[async_trait]
impl SmsSender for SensSender {
    async fn send(&self, sms: &OutgoingSms) -> Result<SendReceipt, SendError> {
        let answer = self.client.post(&self.path, &self.body(sms)?).await?.taken()?;
        // It was taken, whatever else the answer says; without its name it cannot be asked about.
        let name = answer["requestId"].as_str().filter(|name| is_id(name)).map(str::to_owned);
        Ok(SendReceipt { ask: name.is_some(), provider_id: name })
    }

    async fn outcome(&self, request_id: &str) -> Result<Option<DeliveryReport>, SendError> {
        let list = self.client.get(&self.path, Some(("requestId", request_id))).await?;
        let list = match list.taken() {
            Ok(list) => list,
            Err(error) => return not_yet(error),
        };
        let Some(listed) = item(&list) else { return Ok(None) };
        if let Some(report) = of_sms(listed) {
            return Ok(Some(report));
        }
        // The list may name messages without saying how they are.
        let Some(id) = listed["messageId"].as_str().filter(|id| is_id(id)) else { return Ok(None) };
        match self.client.get(&format!("{}/{id}", self.path), None).await?.taken() {
            Ok(detail) => Ok(item(&detail).and_then(of_sms)),
            Err(error) => not_yet(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_lms_begins_at_91_bytes_of_euc_kr() {
        let of_bytes =
            |bytes: usize| format!("{}{}", "가".repeat(bytes / 2), "a".repeat(bytes % 2));
        for (bytes, kind) in
            [(1, Kind::Sms), (89, Kind::Sms), (90, Kind::Sms), (91, Kind::Lms), (2_000, Kind::Lms)]
        {
            assert_eq!(Kind::of(&of_bytes(bytes), KOREA), Ok(kind), "{bytes}");
        }
        // 45 signs are 135 bytes of UTF-8, and still one SMS.
        assert_eq!(Kind::of(&"각".repeat(45), KOREA), Ok(Kind::Sms));
        for (text, country) in [
            (of_bytes(2_001), KOREA),
            (of_bytes(91), 1),
            ("인증 🔑".to_owned(), KOREA),
            (String::new(), KOREA),
        ] {
            assert!(matches!(Kind::of(&text, country), Err(SendError::Refused { .. })), "{text}");
        }
    }

    #[test]
    fn a_subject_is_cut_between_signs() {
        assert_eq!(subject("[마패] 안내\n인증번호"), "[마패] 안내");
        assert_eq!(subject(&"가".repeat(30)), "가".repeat(20));
        assert_eq!(subject(&format!("a{}", "가".repeat(30))), format!("a{}", "가".repeat(19)));
    }

    #[test]
    fn a_senders_number_is_digits() {
        assert_eq!(sender_number("02-1234-5678"), Ok("0212345678".to_owned()));
        for from in ["", "+82212345678", "mapae", "02"] {
            assert!(sender_number(from).is_err(), "{from}");
        }
    }
}
