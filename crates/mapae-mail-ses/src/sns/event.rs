use mapae_application::ports::{DeliveryEvent, EventRefused};
use mapae_domain::outbox::DeliveryReport;
use mapae_domain::{Deliverability, DeliveryReason, EmailAddress, MessageId};
use serde_json::Value;

use crate::sender::TAG;

/// What SES says of a message, in the words of its events or of its older notifications; nothing
/// where it says nothing that is of use.
pub(super) fn read(id: &str, message: &str) -> Result<Option<DeliveryEvent>, EventRefused> {
    // SNS and SES say by plain text that a subscription works.
    let Ok(event) = serde_json::from_str::<Value>(message) else { return Ok(None) };
    let kind = event["eventType"].as_str().or(event["notificationType"].as_str());
    let (report, marks) = match kind {
        Some("Delivery") => (Some(DeliveryReport::Delivered), Vec::new()),
        Some("Bounce") => bounce(&event["bounce"]),
        Some("Complaint") => {
            let recipients = &event["complaint"]["complainedRecipients"];
            (None, marks(recipients, Deliverability::Complained))
        }
        Some("Reject" | "Rendering Failure") => {
            (Some(DeliveryReport::Failed(DeliveryReason::ContentRefused)), Vec::new())
        }
        Some(_) => return Ok(None),
        None => return Err(EventRefused::Malformed("no event of SES")),
    };
    let mail = &event["mail"];
    let tag: Option<uuid::Uuid> = mail["tags"][TAG][0].as_str().and_then(|id| id.parse().ok());
    Ok(Some(DeliveryEvent {
        id: id.to_owned(),
        message: tag.map(MessageId::from_uuid),
        provider_id: mail["messageId"].as_str().map(str::to_owned),
        report,
        marks,
    }))
}

/// Only what came back for good says something of the address.
fn bounce(bounce: &Value) -> (Option<DeliveryReport>, Vec<(EmailAddress, Deliverability)>) {
    let sub_type = bounce["bounceSubType"].as_str().unwrap_or_default();
    let is_permanent = bounce["bounceType"].as_str() == Some("Permanent");
    let reason = match (is_permanent, sub_type) {
        (true, "Suppressed" | "OnAccountSuppressionList") => DeliveryReason::AddressBounced,
        (true, _) => DeliveryReason::RecipientUnknown,
        (false, "MailboxFull") => DeliveryReason::RecipientFull,
        (false, "ContentRejected" | "MessageTooLarge" | "AttachmentRejected") => {
            DeliveryReason::ContentRefused
        }
        (false, _) => DeliveryReason::Unknown,
    };
    let marks = if is_permanent {
        marks(&bounce["bouncedRecipients"], Deliverability::Bounced)
    } else {
        Vec::new()
    };
    (Some(DeliveryReport::Bounced(reason)), marks)
}

fn marks(recipients: &Value, mark: Deliverability) -> Vec<(EmailAddress, Deliverability)> {
    let all = recipients.as_array().map(Vec::as_slice).unwrap_or_default();
    let addresses = all.iter().filter_map(|recipient| recipient["emailAddress"].as_str());
    // SES repeats the address as it was given, or as a mailbox in <…>.
    let bare = |address: &str| match address.rsplit_once('<') {
        Some((_, rest)) => EmailAddress::parse(rest.trim_end_matches('>')),
        None => EmailAddress::parse(address),
    };
    addresses.filter_map(|address| bare(address).ok()).map(|address| (address, mark)).collect()
}
