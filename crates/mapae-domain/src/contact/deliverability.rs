use crate::outbox::DeliveryReason;

/// Whether messages to an address arrive, as far as earlier ones have shown.
///
/// A provider that sees its users write to dead addresses, or to people who complain, stops sending
/// for them altogether; so nothing more is sent to such an address until an operator clears it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deliverability {
    /// Nothing speaks against it.
    Deliverable,
    /// A message came back for good.
    Bounced,
    /// A message was reported as unwanted.
    Complained,
}

impl Deliverability {
    /// Every value.
    pub const ALL: [Self; 3] = [Self::Deliverable, Self::Bounced, Self::Complained];

    /// The name for operators and in stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deliverable => "deliverable",
            Self::Bounced => "bounced",
            Self::Complained => "complained",
        }
    }

    /// The value of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|value| value.as_str() == name)
    }

    /// Why nothing may be sent to the address, if so.
    pub const fn refusal(self) -> Option<DeliveryReason> {
        match self {
            Self::Deliverable => None,
            Self::Bounced => Some(DeliveryReason::AddressBounced),
            Self::Complained => Some(DeliveryReason::AddressComplained),
        }
    }
}
