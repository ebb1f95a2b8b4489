use std::time::Duration;

/// Asks Mapae about every token (RFC 7662), so that whoever logged out, was disabled or left is
/// refused at once, and not only when the token expires.
#[derive(Clone)]
pub struct Introspection {
    pub(crate) client: String,
    pub(crate) secret: String,
    pub(crate) remembered_for: Duration,
}

impl Introspection {
    /// As the client of that name and secret: `[clients.NAME]` in Mapae's configuration.
    pub fn new(client: &str, secret: &str) -> Self {
        let (client, secret) = (client.to_owned(), secret.to_owned());
        Self { client, secret, remembered_for: Duration::ZERO }
    }

    /// Remembers the answer about a token for so long, a minute at the most. By default it is not
    /// remembered at all.
    #[must_use]
    pub fn remembered_for(mut self, length: Duration) -> Self {
        self.remembered_for = length.min(Duration::from_secs(60));
        self
    }
}

impl std::fmt::Debug for Introspection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Introspection").field("client", &self.client).finish_non_exhaustive()
    }
}
