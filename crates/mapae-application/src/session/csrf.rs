//! What a web page shows when it uses the cookies of its session, where its browser does not say from
//! where it asks.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mapae_domain::{SecretHash, SessionId};
use zeroize::Zeroizing;

use super::refresh_token::PresentedRefreshToken;
use crate::Application;
use crate::ports::HashContext;

impl Application {
    /// The token that belongs to the cookies of a session: a keyed hash of its id, so that nothing
    /// is stored and no other session's token is good.
    pub fn csrf_token(&self, session: SessionId) -> Zeroizing<String> {
        let hash = self.ports.secrets.hash(HashContext::CsrfToken, &[session.as_bytes()]);
        Zeroizing::new(URL_SAFE_NO_PAD.encode(hash.as_bytes()))
    }

    /// Whether a token belongs to the cookies of that session, in a time that does not depend on how
    /// much of it is right.
    pub fn is_csrf_token(&self, session: SessionId, shown: &str) -> bool {
        let hash = self.ports.secrets.hash(HashContext::CsrfToken, &[session.as_bytes()]);
        let shown = URL_SAFE_NO_PAD.decode(shown).ok();
        let shown = shown.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        shown.is_some_and(|shown| hash.matches(&SecretHash::from_bytes(shown)))
    }

    /// The session that a refresh token says it is of, which is not looked into.
    pub fn session_of_refresh_token(&self, token: &str) -> Option<SessionId> {
        PresentedRefreshToken::parse(token).map(|presented| presented.session)
    }
}
