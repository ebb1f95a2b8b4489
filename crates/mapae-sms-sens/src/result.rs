//! What the result codes of SENS mean for whoever waits for the message.

use mapae_application::ports::SendError;
use mapae_domain::DeliveryReason;
use mapae_domain::outbox::DeliveryReport;
use serde_json::Value;

/// What a result code says; an unknown one says that it failed, and not why.
pub(crate) fn reason(code: &str) -> DeliveryReason {
    match code {
        "1001" | "1019" | "2000" | "2001" | "2002" | "2003" | "2005" | "2006" | "2007" | "3005"
        | "3011" => DeliveryReason::RecipientUnreachable,
        "2004" => DeliveryReason::RecipientFull,
        "1002" | "3001" | "3003" | "3004" | "3006" | "3008" | "E901" => {
            DeliveryReason::RecipientUnknown
        }
        "1004" | "1020" | "3009" | "3012" | "3022" => DeliveryReason::ContentRefused,
        "1003" | "1005" | "1011" | "1018" | "3017" | "3018" | "3019" | "3023" | "E916" => {
            tracing::error!(
                code,
                "SENS does not take the sender's number or the account's setting"
            );
            DeliveryReason::ProviderUnavailable
        }
        "E917" => DeliveryReason::RecipientRefuses,
        _ => DeliveryReason::Unknown,
    }
}

/// The same of an AlimTalk.
fn alimtalk_reason(code: &str) -> DeliveryReason {
    match code {
        // No Kakao account, or one that takes nothing from this channel.
        "3019" => DeliveryReason::RecipientUnknown,
        "3020" => DeliveryReason::RecipientRefuses,
        _ => DeliveryReason::Unknown,
    }
}

/// The member as text, whether it is text or a number.
fn text(of: &Value, member: &str) -> Option<String> {
    match of.get(member)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The first of a list of messages; the whole where it is no list.
pub(crate) fn item(body: &Value) -> Option<&Value> {
    match body.get("messages") {
        Some(Value::Array(items)) => items.first(),
        Some(_) => None,
        None if body.get("messageId").is_some() => Some(body),
        None => None,
    }
}

/// What became of a short message; nothing before it is final.
pub(crate) fn of_sms(item: &Value) -> Option<DeliveryReport> {
    if text(item, "status").as_deref() != Some("COMPLETED") {
        return None;
    }
    Some(match text(item, "statusCode")?.as_str() {
        "0" => DeliveryReport::Delivered,
        code => DeliveryReport::Failed(reason(code)),
    })
}

/// What became of an AlimTalk, or of the short message that went in its place.
pub(crate) fn of_alimtalk(item: &Value) -> Option<DeliveryReport> {
    let code = text(item, "messageStatusCode")?;
    if code == "0000" {
        return Some(DeliveryReport::Delivered);
    }
    let is_final = text(item, "messageStatusName").as_deref() == Some("fail")
        || text(item, "status").as_deref() == Some("COMPLETED");
    if !is_final {
        return None;
    }
    let falls_over = item.get("useSmsFailover").and_then(Value::as_bool).unwrap_or(false);
    match item.get("failover").filter(|failover| failover.is_object()) {
        Some(failover) => of_failover(failover),
        // SENS sends no short message in place of one that it turned down itself.
        None if falls_over && !code.starts_with('B') => None,
        None => Some(DeliveryReport::Failed(alimtalk_reason(&code))),
    }
}

fn of_failover(failover: &Value) -> Option<DeliveryReport> {
    let code = text(failover, "messageStatusCode").or_else(|| text(failover, "statusCode"))?;
    let name = text(failover, "messageStatusName").or_else(|| text(failover, "statusName"));
    let is_final = text(failover, "status").as_deref() == Some("COMPLETED")
        || matches!(name.as_deref(), Some("success" | "fail"));
    match code.as_str() {
        _ if !is_final => None,
        "0" | "0000" => Some(DeliveryReport::Delivered),
        code => Some(DeliveryReport::Failed(reason(code))),
    }
}

/// An answer to a question: one that cannot be read, or is not there, is none yet.
pub(crate) fn not_yet(error: SendError) -> Result<Option<DeliveryReport>, SendError> {
    match error {
        // An empty 404 comes for a while after a message was taken.
        SendError::Broken(why) if why.starts_with("status 404") => Ok(None),
        error => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_a_completed_message_with_code_0_was_delivered() {
        for (item, expected) in [
            (json!({"status": "COMPLETED", "statusCode": "0"}), Some(DeliveryReport::Delivered)),
            (json!({"status": "COMPLETED", "statusCode": 0}), Some(DeliveryReport::Delivered)),
            (json!({"status": "READY"}), None),
            (json!({"status": "PROCESSING", "statusCode": "0"}), None),
            (json!({"status": "COMPLETED"}), None),
            (json!({"statusCode": "0", "statusName": "success"}), None),
            (json!({}), None),
        ] {
            assert_eq!(of_sms(&item), expected, "{item}");
        }
    }

    #[test]
    fn every_code_has_its_group() {
        use DeliveryReason as Reason;
        let groups: [(&str, Reason); 7] = [
            (
                "2000 2001 2002 2003 2005 2006 2007 3005 3011 1001 1019",
                Reason::RecipientUnreachable,
            ),
            ("2004", Reason::RecipientFull),
            ("3001 3003 1002 3004 3006 3008 E901", Reason::RecipientUnknown),
            ("3017 3018 3019 3023 1003 1011 1018 1005 E916", Reason::ProviderUnavailable),
            ("3009 3012 1004 3022 1020", Reason::ContentRefused),
            ("E917", Reason::RecipientRefuses),
            ("3000 3002 3007 3010 3013 3014 3015 3016 E915 E919 E999 9999 Z", Reason::Unknown),
        ];
        for (codes, expected) in groups {
            for code in codes.split(' ') {
                let item = json!({"status": "COMPLETED", "statusCode": code});
                assert_eq!(of_sms(&item), Some(DeliveryReport::Failed(expected)), "{code}");
            }
        }
    }

    #[test]
    fn an_alimtalk_is_what_became_of_it_or_of_the_message_in_its_place() {
        let failed = |reason| Some(DeliveryReport::Failed(reason));
        for (item, expected) in [
            (json!({"messageStatusCode": "0000"}), Some(DeliveryReport::Delivered)),
            (json!({"messageStatusName": "processing"}), None),
            (
                json!({"messageStatusCode": "3020", "messageStatusName": "fail"}),
                failed(DeliveryReason::RecipientRefuses),
            ),
            (
                json!({"messageStatusCode": "3019", "messageStatusName": "fail", "useSmsFailover": true}),
                None,
            ),
            (
                json!({"messageStatusCode": "B001", "messageStatusName": "fail", "useSmsFailover": true}),
                failed(DeliveryReason::Unknown),
            ),
            (
                json!({"messageStatusCode": "3019", "messageStatusName": "fail", "useSmsFailover": true,
                       "failover": {"status": "PROCESSING", "statusCode": "0"}}),
                None,
            ),
            (
                json!({"messageStatusCode": "3019", "messageStatusName": "fail", "useSmsFailover": true,
                       "failover": {"status": "COMPLETED", "statusCode": "0"}}),
                Some(DeliveryReport::Delivered),
            ),
            (
                json!({"messageStatusCode": "3019", "messageStatusName": "fail", "useSmsFailover": true,
                       "failover": {"messageStatusName": "fail", "messageStatusCode": "3001"}}),
                failed(DeliveryReason::RecipientUnknown),
            ),
        ] {
            assert_eq!(of_alimtalk(&item), expected, "{item}");
        }
    }
}
