use std::ops::Deref;
use std::sync::Arc;

use mapae_token_claims::AccessTokenClaims;

use crate::GuardError;

/// How a person can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// By an e-mail address.
    Email,
    /// By a phone number.
    Phone,
}

/// Whoever showed a good access token: its claims. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified(pub(crate) Arc<AccessTokenClaims>);

impl Deref for Verified {
    type Target = AccessTokenClaims;

    fn deref(&self) -> &AccessTokenClaims {
        &self.0
    }
}

impl Verified {
    /// Whether the user had that role when the token was issued.
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|has| has == role)
    }

    /// Sees that the user had that role when the token was issued.
    ///
    /// # Errors
    /// [`GuardError::LacksRole`].
    pub fn require_role(&self, role: &str) -> Result<(), GuardError> {
        if self.has_role(role) { Ok(()) } else { Err(GuardError::LacksRole) }
    }

    /// Sees that the user held a proved contact of that channel when the token was issued.
    ///
    /// # Errors
    /// [`GuardError::NotVerified`].
    pub fn require_verified(&self, channel: Channel) -> Result<(), GuardError> {
        let verified = match channel {
            Channel::Email => self.email_verified,
            Channel::Phone => self.phone_number_verified,
        };
        if verified { Ok(()) } else { Err(GuardError::NotVerified) }
    }
}
