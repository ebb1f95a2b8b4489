use std::time::Duration;

use super::Purpose;
use crate::contact::Channel;
use crate::secret::CODE_LENGTHS;

/// Longest life of a code that logs somebody in (ASVS 5.0 6.5.5).
const LOGIN_LIFETIME: Duration = Duration::from_secs(10 * 60);

/// Longest life of a code by SMS that recovers an account (SP 800-63B-4 §4.2.1.2).
const RECOVERY_BY_SMS: Duration = Duration::from_secs(10 * 60);

/// The numbers of verifications.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerificationPolicy {
    /// Digits of a code.
    pub code_length: u8,
    /// How long a code or link by e-mail is good.
    pub email_lifetime: Duration,
    /// How long a code by SMS is good.
    pub sms_lifetime: Duration,
    /// How many codes are compared before a verification is exhausted.
    pub attempts: u8,
    /// How long a resend has to wait.
    pub resend_after: Duration,
    /// How often one verification is sent, the first time included.
    pub sends: u8,
    /// How many messages one contact gets within [`VerificationPolicy::CONTACT_WINDOW`].
    pub contact_sends: u32,
    /// How long a receipt is good.
    pub receipt_lifetime: Duration,
}

impl Default for VerificationPolicy {
    fn default() -> Self {
        Self {
            code_length: 6,
            email_lifetime: Duration::from_secs(30 * 60),
            sms_lifetime: Duration::from_secs(5 * 60),
            attempts: 5,
            resend_after: Duration::from_secs(60),
            sends: 5,
            contact_sends: 10,
            receipt_lifetime: Duration::from_secs(10 * 60),
        }
    }
}

/// A number of the policy is outside its bounds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("verification.{setting} must be between {least} and {greatest}")]
pub struct PolicyOutOfBounds {
    /// The setting's name.
    pub setting: &'static str,
    /// The least value.
    pub least: &'static str,
    /// The greatest value.
    pub greatest: &'static str,
}

impl VerificationPolicy {
    /// The window within which the messages to one contact are counted.
    pub const CONTACT_WINDOW: Duration = Duration::from_secs(24 * 60 * 60);
    /// How long the previous code stays good after a resend, within the same attempts: messages
    /// overtake each other, and people type the code of the one that they opened.
    pub const PREVIOUS_CODE_GRACE: Duration = Duration::from_secs(5 * 60);

    /// Checks each number against its bounds.
    ///
    /// # Errors
    /// [`PolicyOutOfBounds`] naming the first setting that is outside.
    pub fn check(self) -> Result<Self, PolicyOutOfBounds> {
        let bounded = |within: bool, setting, least, greatest| {
            if within { Ok(()) } else { Err(PolicyOutOfBounds { setting, least, greatest }) }
        };
        let lifetime = Duration::from_secs(60)..=Duration::from_secs(24 * 60 * 60);
        bounded(CODE_LENGTHS.contains(&self.code_length), "code_length", "4", "10")?;
        bounded(lifetime.contains(&self.email_lifetime), "email_lifetime", "1m", "24h")?;
        bounded(lifetime.contains(&self.sms_lifetime), "sms_lifetime", "1m", "24h")?;
        bounded((1..=10).contains(&self.attempts), "attempts", "1", "10")?;
        bounded(self.resend_after <= Duration::from_secs(3_600), "resend_after", "0s", "1h")?;
        bounded((1..=20).contains(&self.sends), "sends", "1", "20")?;
        bounded((1..=1_000).contains(&self.contact_sends), "contact_sends", "1", "1000")?;
        bounded(lifetime.contains(&self.receipt_lifetime), "receipt_lifetime", "1m", "24h")?;
        Ok(self)
    }

    /// How long a code sent by `channel` for `purpose` is good.
    pub fn lifetime(&self, channel: Channel, purpose: &Purpose) -> Duration {
        let lifetime = match channel {
            Channel::Email => self.email_lifetime,
            Channel::Sms => self.sms_lifetime,
        };
        match purpose {
            Purpose::Login => lifetime.min(LOGIN_LIFETIME),
            Purpose::PasswordReset if channel == Channel::Sms => lifetime.min(RECOVERY_BY_SMS),
            _ => lifetime,
        }
    }
}
