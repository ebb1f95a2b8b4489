//! What became of a message, for whoever waits for it.

use mapae_domain::{DeliveryReason, Locale};
use poem_openapi::Object;

/// What is known of a message's way to its reader.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
pub(crate) struct Delivery {
    /// `queued`, `sent`, `delivered`, `bounced`, `failed` or `expired`; more may come. Of messages
    /// to log in or to reset a password no more is said than `sent`.
    status: String,
    /// Why it is no further, for programs: `recipient_unknown`, `recipient_unreachable`,
    /// `recipient_full`, `recipient_refuses`, `address_bounced`, `address_complained`,
    /// `content_refused`, `provider_unavailable`, `unconfirmed` or `unknown`; more may come.
    reason: Option<String>,
    /// Why it is no further, for people, in the language of the message.
    detail: Option<String>,
}

impl Delivery {
    /// The delivery, explained in `locale`.
    pub(crate) fn new(delivery: mapae_domain::Delivery, locale: Locale) -> Self {
        Self {
            status: delivery.status.as_str().to_owned(),
            reason: delivery.reason.map(|reason| reason.as_str().to_owned()),
            detail: delivery.reason.map(|reason| in_words(reason, locale).to_owned()),
        }
    }
}

/// What somebody who waits for a message can understand, and do.
const fn in_words(reason: DeliveryReason, locale: Locale) -> &'static str {
    use DeliveryReason as Reason;
    match (locale, reason) {
        (Locale::En, Reason::RecipientUnknown) => {
            "There is no such mailbox or number. Please check it for typing errors."
        }
        (Locale::Ko, Reason::RecipientUnknown) => {
            "존재하지 않는 주소 또는 번호입니다. 잘못 입력하지 않았는지 확인해 주세요."
        }
        (Locale::En, Reason::RecipientUnreachable) => {
            "The telephone could not be reached. Please switch it on and ask for another message."
        }
        (Locale::Ko, Reason::RecipientUnreachable) => {
            "휴대전화에 연결할 수 없었습니다. 전원과 통신 상태를 확인한 뒤 다시 요청해 주세요."
        }
        (Locale::En, Reason::RecipientFull) => {
            "The mailbox or telephone is full. Please make room and ask for another message."
        }
        (Locale::Ko, Reason::RecipientFull) => {
            "받은 편지함이나 메시지함이 가득 찼습니다. 공간을 비운 뒤 다시 요청해 주세요."
        }
        (Locale::En, Reason::RecipientRefuses) => {
            "The message was turned away. Please check your block list or your spam settings."
        }
        (Locale::Ko, Reason::RecipientRefuses) => {
            "메시지가 수신 거부되었습니다. 차단 목록이나 스팸 설정을 확인해 주세요."
        }
        (Locale::En, Reason::AddressBounced) => {
            "Earlier messages to this address came back. Please use another address, or ask us."
        }
        (Locale::Ko, Reason::AddressBounced) => {
            "이 주소로 보낸 이전 메일이 반송되었습니다. 다른 주소를 쓰거나 문의해 주세요."
        }
        (Locale::En, Reason::AddressComplained) => {
            "An earlier message to this address was reported as unwanted. Please use another \
             address, or ask us."
        }
        (Locale::Ko, Reason::AddressComplained) => {
            "이 주소로 보낸 이전 메일이 스팸으로 신고되었습니다. 다른 주소를 쓰거나 문의해 주세요."
        }
        (Locale::En, Reason::ContentRefused) => "The message was not let through. Please ask us.",
        (Locale::Ko, Reason::ContentRefused) => {
            "메시지가 발송 과정에서 차단되었습니다. 문의해 주세요."
        }
        (Locale::En, Reason::ProviderUnavailable) => {
            "The message could not be sent. Please try again later."
        }
        (Locale::Ko, Reason::ProviderUnavailable) => {
            "메시지를 보내지 못했습니다. 잠시 뒤 다시 시도해 주세요."
        }
        (Locale::En, Reason::Unconfirmed) => {
            "It is not known whether the message arrived. If it does not, ask for another."
        }
        (Locale::Ko, Reason::Unconfirmed) => {
            "메시지가 도착했는지 확인되지 않았습니다. 오지 않으면 다시 요청해 주세요."
        }
        (Locale::En, Reason::Unknown) => "The message did not arrive. Please try again, or ask us.",
        (Locale::Ko, Reason::Unknown) => {
            "메시지가 도착하지 않았습니다. 다시 시도하거나 문의해 주세요."
        }
    }
}
