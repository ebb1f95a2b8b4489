//! Verifications: the proof that a person holds a contact.
//!
//! One verification is one attempt at that proof, for one [`Purpose`]. What is sent is a [`Code`]
//! and, by e-mail, a [`LinkKey`]; what is kept of both is a keyed hash.
//!
//! ```text
//!               right code or key
//!   pending ───────────────────────▶ verified
//!      │ last attempt was wrong
//!      ├───────────────────────────▶ exhausted
//!      │ time is up: not stored, but read off the clock
//!      ├───────────────────────────▶ expired
//!      │ right, but the contact is taken by now
//!      └───────────────────────────▶ cancelled
//! ```
//!
//! [`Code`]: crate::Code
//! [`LinkKey`]: crate::LinkKey

mod policy;
mod purpose;
#[cfg(test)]
mod tests;

use crate::contact::{Channel, Contact};
use crate::id::{RegistrationId, UserId, VerificationId};
use crate::locale::Locale;
use crate::secret::SecretHash;
use crate::time::Timestamp;
use crate::user::User;
use std::time::Duration;

pub use policy::{PolicyOutOfBounds, VerificationPolicy};
pub use purpose::{CustomPurpose, Purpose};

/// What is kept of what one message carried.
#[derive(Debug, Clone, Copy)]
pub struct Challenge {
    /// The code's hash, bound to the verification.
    pub code: SecretHash,
    /// The link key's hash, where the message has a link.
    pub link: Option<SecretHash>,
}

/// The challenge before the last resend, which stays good for a while.
#[derive(Debug, Clone, Copy)]
pub struct PreviousChallenge {
    /// The challenge.
    pub challenge: Challenge,
    /// Until when it is good.
    pub expires_at: Timestamp,
}

/// Whether a verification can succeed at all. From outside all look alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It can.
    Genuine,
    /// It could, until somebody else proved to hold the contact and made an account with it.
    Superseded,
    /// It never could: its code was sent to nobody, because nobody may learn from the answer
    /// whether the contact has an account.
    Decoy,
}

impl Standing {
    /// The name in stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Genuine => "genuine",
            Self::Superseded => "superseded",
            Self::Decoy => "decoy",
        }
    }

    /// The standing of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Genuine, Self::Superseded, Self::Decoy].into_iter().find(|s| s.as_str() == name)
    }
}

/// How far a verification has come, as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VerificationState {
    /// Waits for its code or key.
    Pending,
    /// The contact was proved.
    Verified {
        /// When.
        at: Timestamp,
    },
    /// Every attempt was used.
    Exhausted,
    /// Whoever proved the contact was told that it is taken.
    Cancelled,
}

/// How far a verification has come, for whoever asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VerificationStatus {
    /// Waits for its code or key.
    Pending,
    /// The contact was proved.
    Verified,
    /// Its time was up before that.
    Expired,
    /// Its attempts were used up before that.
    Exhausted,
    /// It was given up.
    Cancelled,
}

impl VerificationStatus {
    /// The name in the HTTP contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Verified => "verified",
            Self::Expired => "expired",
            Self::Exhausted => "exhausted",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A user as a verification concerns them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConcernedUser {
    /// Who.
    pub id: UserId,
    /// The user's authentication generation when the verification was begun: what was begun before
    /// a password change, a disablement or a withdrawal opens nothing after it.
    pub auth_generation: u32,
}

impl ConcernedUser {
    /// The user as they are now.
    pub fn of(user: &User) -> Self {
        Self { id: user.id(), auth_generation: user.record().auth_generation }
    }
}

/// A verification as it is stored.
#[derive(Debug, Clone)]
pub struct VerificationRecord {
    /// The id, which only the asker is told.
    pub id: VerificationId,
    /// What is to be proved.
    pub contact: Contact,
    /// What the proof is for.
    pub purpose: Purpose,
    /// The registration that waits for it.
    pub registration: Option<RegistrationId>,
    /// The user that it concerns, where it concerns one already.
    pub user: Option<ConcernedUser>,
    /// The language of its messages.
    pub locale: Locale,
    /// Whether it can succeed.
    pub standing: Standing,
    /// How far it has come.
    pub state: VerificationState,
    /// Digits of its codes.
    pub code_length: u8,
    /// What the last message carried.
    pub challenge: Challenge,
    /// What the message before carried.
    pub previous: Option<PreviousChallenge>,
    /// Codes compared so far.
    pub attempts_used: u8,
    /// Codes that are compared at the most.
    pub attempts_allowed: u8,
    /// Messages so far.
    pub sends_used: u8,
    /// Messages at the most.
    pub sends_allowed: u8,
    /// When it was begun.
    pub created_at: Timestamp,
    /// When the last message's code expires.
    pub expires_at: Timestamp,
    /// From when it may be sent again.
    pub resend_at: Timestamp,
    /// When its receipt was redeemed.
    pub receipt_used_at: Option<Timestamp>,
    /// Counts the changes, for stores to compare and swap.
    pub version: u32,
}

/// What a new verification is about.
#[derive(Debug, Clone)]
pub struct NewVerification {
    /// The id.
    pub id: VerificationId,
    /// What is to be proved.
    pub contact: Contact,
    /// What for.
    pub purpose: Purpose,
    /// The registration that waits for it.
    pub registration: Option<RegistrationId>,
    /// The user that it concerns.
    pub user: Option<ConcernedUser>,
    /// The language of its messages.
    pub locale: Locale,
    /// Whether it can succeed.
    pub standing: Standing,
    /// What its first message carries.
    pub challenge: Challenge,
    /// How long it lives, where that may not be read off the contact: else the policy's lifetime.
    pub lifetime: Option<Duration>,
}

/// What was offered as proof, hashed as the challenge was.
#[derive(Debug, Clone, Copy)]
pub enum Proof {
    /// A code. Costs an attempt.
    Code(SecretHash),
    /// A link key. Costs none: 256 bits are not guessed.
    Link(SecretHash),
}

/// Why a proof was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofRefused {
    /// It is not what was sent. The attempt counts.
    #[error("the code does not match")]
    Mismatch {
        /// How many are left.
        attempts_left: u8,
    },
    /// The contact was proved before: a code is accepted once.
    #[error("the verification succeeded before")]
    AlreadyVerified,
    /// Time is up.
    #[error("the verification has expired")]
    Expired,
    /// Every attempt was used.
    #[error("every attempt was used")]
    Exhausted,
    /// It was given up.
    #[error("the verification was cancelled")]
    Cancelled,
    /// It is what was sent, but somebody else holds the contact by now.
    #[error("the contact is held by an account")]
    ContactTaken,
}

/// Why a verification is not sent again. Nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ResendRefused {
    /// The last message is too recent.
    #[error("the last message is too recent")]
    TooEarly {
        /// From when it may be sent.
        resend_at: Timestamp,
    },
    /// It was sent as often as it may be.
    #[error("every send was used")]
    SendsExhausted,
    /// Every attempt was used.
    #[error("every attempt was used")]
    AttemptsExhausted,
    /// The contact was proved already.
    #[error("the verification succeeded before")]
    AlreadyVerified,
    /// Time is up.
    #[error("the verification has expired")]
    Expired,
    /// It was given up.
    #[error("the verification was cancelled")]
    Cancelled,
}

/// What a verified verification is worth: "this contact was proved at this time for this purpose".
///
/// A receipt is single use. Its id is the verification's, so that it is redeemed by one change of
/// one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The verification that it speaks of.
    pub verification: VerificationId,
    /// What was proved.
    pub contact: Contact,
    /// What for.
    pub purpose: Purpose,
    /// When.
    pub verified_at: Timestamp,
    /// Until when the receipt is good.
    pub expires_at: Timestamp,
}

/// One attempt to prove that a person holds a contact.
#[derive(Debug, Clone)]
pub struct Verification(VerificationRecord);

impl Verification {
    /// Begins a verification; its first message counts as sent.
    pub fn begin(new: NewVerification, policy: &VerificationPolicy, now: Timestamp) -> Self {
        let of_policy = || policy.lifetime(new.contact.channel(), &new.purpose);
        let lifetime = new.lifetime.unwrap_or_else(of_policy);
        Self(VerificationRecord {
            id: new.id,
            contact: new.contact,
            purpose: new.purpose,
            registration: new.registration,
            user: new.user,
            locale: new.locale,
            standing: new.standing,
            state: VerificationState::Pending,
            code_length: policy.code_length,
            challenge: new.challenge,
            previous: None,
            attempts_used: 0,
            attempts_allowed: policy.attempts,
            sends_used: 1,
            sends_allowed: policy.sends,
            created_at: now,
            expires_at: now.plus(lifetime),
            resend_at: now.plus(policy.resend_after),
            receipt_used_at: None,
            version: 0,
        })
    }

    /// The verification that was stored.
    pub const fn from_record(record: VerificationRecord) -> Self {
        Self(record)
    }

    /// What to store.
    pub const fn record(&self) -> &VerificationRecord {
        &self.0
    }

    /// The id.
    pub const fn id(&self) -> VerificationId {
        self.0.id
    }

    /// How far it has come at `now`.
    pub fn status(&self, now: Timestamp) -> VerificationStatus {
        match self.0.state {
            VerificationState::Verified { .. } => VerificationStatus::Verified,
            VerificationState::Exhausted => VerificationStatus::Exhausted,
            VerificationState::Cancelled => VerificationStatus::Cancelled,
            VerificationState::Pending if self.0.expires_at.is_expired(now) => {
                VerificationStatus::Expired
            }
            VerificationState::Pending => VerificationStatus::Pending,
        }
    }

    /// How many codes it would still compare.
    pub const fn attempts_left(&self) -> u8 {
        self.0.attempts_allowed.saturating_sub(self.0.attempts_used)
    }

    /// Takes a proof.
    ///
    /// Gives back the verification in any case, for a code that was compared is an attempt that
    /// must be stored, whatever came of it (NIST SP 800-63B-4 §3.2.2).
    pub fn prove(self, proof: Proof, now: Timestamp) -> (Self, Result<(), ProofRefused>) {
        let refused = match self.status(now) {
            VerificationStatus::Pending => None,
            VerificationStatus::Verified => Some(ProofRefused::AlreadyVerified),
            VerificationStatus::Expired => Some(ProofRefused::Expired),
            VerificationStatus::Exhausted => Some(ProofRefused::Exhausted),
            VerificationStatus::Cancelled => Some(ProofRefused::Cancelled),
        };
        if let Some(refused) = refused {
            return (self, Err(refused));
        }
        let mut record = self.0;
        record.version += 1;
        if let Proof::Code(_) = proof {
            // Counted before it is compared.
            record.attempts_used += 1;
        }
        let matches = record.matches(proof, now);
        let outcome = match record.standing {
            Standing::Genuine if matches => {
                record.state = VerificationState::Verified { at: now };
                Ok(())
            }
            Standing::Superseded if matches => {
                record.state = VerificationState::Cancelled;
                Err(ProofRefused::ContactTaken)
            }
            _ => {
                if record.attempts_used >= record.attempts_allowed {
                    record.state = VerificationState::Exhausted;
                }
                let attempts_left = record.attempts_allowed.saturating_sub(record.attempts_used);
                Err(ProofRefused::Mismatch { attempts_left })
            }
        };
        (Self(record), outcome)
    }

    /// Whether it may be sent again at `now`.
    ///
    /// # Errors
    /// [`ResendRefused`] says why not.
    pub fn may_resend(&self, now: Timestamp) -> Result<(), ResendRefused> {
        match self.status(now) {
            VerificationStatus::Pending => {}
            VerificationStatus::Verified => return Err(ResendRefused::AlreadyVerified),
            VerificationStatus::Expired => return Err(ResendRefused::Expired),
            VerificationStatus::Exhausted => return Err(ResendRefused::AttemptsExhausted),
            VerificationStatus::Cancelled => return Err(ResendRefused::Cancelled),
        }
        if self.0.sends_used >= self.0.sends_allowed {
            return Err(ResendRefused::SendsExhausted);
        }
        if !self.0.resend_at.is_expired(now) {
            return Err(ResendRefused::TooEarly { resend_at: self.0.resend_at });
        }
        Ok(())
    }

    /// Sends it again with a new challenge, whose life begins now. The attempts stay as they are,
    /// and the challenge before stays good for [`VerificationPolicy::PREVIOUS_CODE_GRACE`].
    ///
    /// # Errors
    /// As [`Verification::may_resend`].
    pub fn resend(
        self,
        challenge: Challenge,
        policy: &VerificationPolicy,
        now: Timestamp,
    ) -> Result<Self, ResendRefused> {
        self.may_resend(now)?;
        let mut record = self.0;
        record.previous = Some(PreviousChallenge {
            challenge: record.challenge,
            expires_at: record.expires_at.min(now.plus(VerificationPolicy::PREVIOUS_CODE_GRACE)),
        });
        record.challenge = challenge;
        record.sends_used += 1;
        record.expires_at = now.plus(policy.lifetime(record.contact.channel(), &record.purpose));
        record.resend_at = now.plus(policy.resend_after);
        record.version += 1;
        Ok(Self(record))
    }

    /// Gives it up where the proof that was just taken came too late, because an account holds the
    /// contact. Part of the same change as [`Verification::prove`]: the version stays.
    #[must_use]
    pub fn cancel(self) -> Self {
        let mut record = self.0;
        record.state = VerificationState::Cancelled;
        Self(record)
    }

    /// What it is worth, once it is verified.
    pub fn receipt(&self, policy: &VerificationPolicy) -> Option<Receipt> {
        let VerificationState::Verified { at } = self.0.state else { return None };
        Some(Receipt {
            verification: self.0.id,
            contact: self.0.contact.clone(),
            purpose: self.0.purpose.clone(),
            verified_at: at,
            expires_at: at.plus(policy.receipt_lifetime),
        })
    }

    /// Uses its proof up on the spot, where no receipt is given for it. Part of the same change as
    /// [`Verification::prove`]: the version stays.
    #[must_use]
    pub fn spend(self, now: Timestamp) -> Self {
        let mut record = self.0;
        record.receipt_used_at = Some(now);
        Self(record)
    }

    /// Redeems its receipt.
    ///
    /// # Errors
    /// [`ReceiptRefused`] unless it is verified and its receipt is neither used nor expired.
    pub fn redeem(
        self,
        policy: &VerificationPolicy,
        now: Timestamp,
    ) -> Result<(Self, Receipt), ReceiptRefused> {
        let receipt = self.receipt(policy).ok_or(ReceiptRefused)?;
        if receipt.expires_at.is_expired(now) || self.0.receipt_used_at.is_some() {
            return Err(ReceiptRefused);
        }
        let mut record = self.0;
        record.receipt_used_at = Some(now);
        record.version += 1;
        Ok((Self(record), receipt))
    }
}

impl VerificationRecord {
    /// Whether the proof is what was sent last, or before that within its grace. Compares with
    /// both in any case, so that the time tells nothing.
    fn matches(&self, proof: Proof, now: Timestamp) -> bool {
        let current = self.challenge.matches(proof);
        let previous = self.previous.is_some_and(|previous| {
            let good = !previous.expires_at.is_expired(now);
            previous.challenge.matches(proof) && good
        });
        current | previous
    }
}

impl Challenge {
    fn matches(&self, proof: Proof) -> bool {
        match proof {
            Proof::Code(hash) => self.code.matches(&hash),
            Proof::Link(hash) => self.link.is_some_and(|link| link.matches(&hash)),
        }
    }
}

/// The receipt was used before, has expired, or never was one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the receipt is not good, or not any more")]
pub struct ReceiptRefused;

/// The channels that a message about `channel` can carry a link on.
pub const fn carries_link(channel: Channel, purpose: &Purpose) -> bool {
    // A link confirms; it opens nothing (so a scanner or a stranger that follows one gets nothing).
    // To log in, the code has to go back to where it was asked for.
    matches!(channel, Channel::Email) && !matches!(purpose, Purpose::Login)
}
