use crate::verification::Purpose;

/// What is known of a message's way to its reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryStatus {
    /// Waits to be sent.
    Queued,
    /// A provider took it.
    Sent,
    /// It reached the reader's mailbox or telephone.
    Delivered,
    /// It came back.
    Bounced,
    /// It could not be sent, or did not arrive.
    Failed,
    /// It was not sent before its code expired.
    Expired,
}

impl DeliveryStatus {
    /// Every status.
    pub const ALL: [Self; 6] =
        [Self::Queued, Self::Sent, Self::Delivered, Self::Bounced, Self::Failed, Self::Expired];

    /// The name in the HTTP contract and in stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Bounced => "bounced",
            Self::Failed => "failed",
            Self::Expired => "expired",
        }
    }

    /// The status of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }
}

/// Why a message did not arrive, as far as its reader can do something about it. What a provider
/// says in its own words goes to the log, and no further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryReason {
    /// There is no such mailbox or number, or it takes nothing at all.
    RecipientUnknown,
    /// The telephone is off, out of reach, or its network is busy.
    RecipientUnreachable,
    /// The mailbox or the telephone's memory is full.
    RecipientFull,
    /// The reader, or whoever keeps their mailbox or number, does not want such messages.
    RecipientRefuses,
    /// An earlier message to this address came back for good: nothing more is sent to it.
    AddressBounced,
    /// An earlier message to this address was reported as unwanted: nothing more is sent to it.
    AddressComplained,
    /// What it says is not let through.
    ContentRefused,
    /// Nobody would take it, as often as it was tried.
    ProviderUnavailable,
    /// It was handed over, but the answer was lost: it may have arrived.
    Unconfirmed,
    /// Nobody said why.
    Unknown,
}

impl DeliveryReason {
    /// Every reason.
    pub const ALL: [Self; 10] = [
        Self::RecipientUnknown,
        Self::RecipientUnreachable,
        Self::RecipientFull,
        Self::RecipientRefuses,
        Self::AddressBounced,
        Self::AddressComplained,
        Self::ContentRefused,
        Self::ProviderUnavailable,
        Self::Unconfirmed,
        Self::Unknown,
    ];

    /// The name in the HTTP contract and in stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RecipientUnknown => "recipient_unknown",
            Self::RecipientUnreachable => "recipient_unreachable",
            Self::RecipientFull => "recipient_full",
            Self::RecipientRefuses => "recipient_refuses",
            Self::AddressBounced => "address_bounced",
            Self::AddressComplained => "address_complained",
            Self::ContentRefused => "content_refused",
            Self::ProviderUnavailable => "provider_unavailable",
            Self::Unconfirmed => "unconfirmed",
            Self::Unknown => "unknown",
        }
    }

    /// The reason of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == name)
    }
}

/// A status, and why where it is no good one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivery {
    /// How far the message is.
    pub status: DeliveryStatus,
    /// Why it is no further.
    pub reason: Option<DeliveryReason>,
}

impl Delivery {
    /// A message that waits.
    pub const QUEUED: Self = Self { status: DeliveryStatus::Queued, reason: None };

    /// What whoever began a verification for `purpose` is told.
    ///
    /// Where a contact without an account gets nothing at all (to log in, to reset a password),
    /// nobody can say of that nothing whether it arrived. So of no message of that kind is said
    /// more than that it left.
    #[must_use]
    pub const fn shown_for(self, purpose: &Purpose) -> Self {
        match (purpose, self.status) {
            (
                Purpose::Login | Purpose::PasswordReset,
                DeliveryStatus::Sent
                | DeliveryStatus::Delivered
                | DeliveryStatus::Bounced
                | DeliveryStatus::Failed,
            ) => Self { status: DeliveryStatus::Sent, reason: None },
            _ => self,
        }
    }
}

/// What a provider reported of a message that it had taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryReport {
    /// It reached the reader's mailbox or telephone.
    Delivered,
    /// It came back for good.
    Bounced(DeliveryReason),
    /// It did not arrive.
    Failed(DeliveryReason),
}

impl DeliveryReport {
    /// What becomes of a message of that status, if anything: reports come in any order and more
    /// than once, and a mailbox can send back what it has taken.
    pub(super) const fn applied_to(self, status: DeliveryStatus) -> Option<Delivery> {
        use DeliveryStatus::{Bounced, Delivered, Failed, Queued, Sent};
        match (self, status) {
            (Self::Delivered, Queued | Sent) => Some(Delivery { status: Delivered, reason: None }),
            (Self::Bounced(reason), Queued | Sent | Delivered) => {
                Some(Delivery { status: Bounced, reason: Some(reason) })
            }
            (Self::Failed(reason), Queued | Sent) => {
                Some(Delivery { status: Failed, reason: Some(reason) })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_one_value_each() {
        for status in DeliveryStatus::ALL {
            assert_eq!(DeliveryStatus::from_name(status.as_str()), Some(status));
        }
        for reason in DeliveryReason::ALL {
            assert_eq!(DeliveryReason::from_name(reason.as_str()), Some(reason));
        }
        assert_eq!(DeliveryStatus::from_name("gone"), None);
        assert_eq!(DeliveryReason::from_name("gone"), None);
    }

    #[test]
    fn of_a_message_that_strangers_do_not_get_nothing_is_said_but_that_it_left() {
        let reason = Some(DeliveryReason::RecipientUnknown);
        for purpose in [Purpose::Login, Purpose::PasswordReset] {
            for status in DeliveryStatus::ALL {
                let shown = Delivery { status, reason }.shown_for(&purpose);
                match status {
                    DeliveryStatus::Queued | DeliveryStatus::Expired => {
                        assert_eq!(shown.status, status);
                    }
                    _ => {
                        let sent = Delivery { status: DeliveryStatus::Sent, reason: None };
                        assert_eq!(shown, sent, "{status:?}");
                    }
                }
            }
        }
        let bounced = Delivery { status: DeliveryStatus::Bounced, reason };
        assert_eq!(bounced.shown_for(&Purpose::Registration), bounced);
    }

    #[test]
    fn reports_take_a_message_forward_and_never_back() {
        use DeliveryStatus::{Bounced, Delivered, Expired, Failed, Queued, Sent};
        let unknown = DeliveryReason::RecipientUnknown;
        let becomes = |report: DeliveryReport, status| {
            report.applied_to(status).map(|delivery| delivery.status)
        };
        for (status, delivered, bounced, failed) in [
            (Queued, Some(Delivered), Some(Bounced), Some(Failed)),
            (Sent, Some(Delivered), Some(Bounced), Some(Failed)),
            (Delivered, None, Some(Bounced), None),
            (Bounced, None, None, None),
            (Failed, None, None, None),
            (Expired, None, None, None),
        ] {
            assert_eq!(becomes(DeliveryReport::Delivered, status), delivered, "{status:?}");
            assert_eq!(becomes(DeliveryReport::Bounced(unknown), status), bounced, "{status:?}");
            assert_eq!(becomes(DeliveryReport::Failed(unknown), status), failed, "{status:?}");
        }
    }
}
