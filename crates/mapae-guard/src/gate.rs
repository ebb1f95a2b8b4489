use crate::{Channel, Guard, GuardError, Verified};

/// A [`Guard`] with what it asks for besides a good token: a middleware of poem, a layer of tower.
#[derive(Debug, Clone)]
pub struct Gate {
    guard: Guard,
    roles: Vec<String>,
    channels: Vec<Channel>,
}

impl From<Guard> for Gate {
    fn from(guard: Guard) -> Self {
        Self::new(guard)
    }
}

impl Gate {
    pub(crate) const fn new(guard: Guard) -> Self {
        Self { guard, roles: Vec::new(), channels: Vec::new() }
    }

    /// Asks for that role, too.
    #[must_use]
    pub fn require_role(mut self, role: &str) -> Self {
        self.roles.push(role.to_owned());
        self
    }

    /// Asks for a proved contact of that channel, too.
    #[must_use]
    pub fn require_verified(mut self, channel: Channel) -> Self {
        self.channels.push(channel);
        self
    }

    /// Checks what a request shows: its header `Authorization`.
    ///
    /// # Errors
    /// [`GuardError`].
    pub async fn check(&self, authorization: Option<&str>) -> Result<Verified, GuardError> {
        let token = authorization.and_then(bearer).ok_or(GuardError::Missing)?;
        let verified = self.guard.check(token).await?;
        for role in &self.roles {
            verified.require_role(role)?;
        }
        for channel in &self.channels {
            verified.require_verified(*channel)?;
        }
        Ok(verified)
    }
}

/// The bearer token in a header `Authorization` (RFC 6750 §2.1).
pub fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}
