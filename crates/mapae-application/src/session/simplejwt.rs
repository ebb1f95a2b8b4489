//! For clients that were written for djangorestframework-simplejwt, or for the older package before
//! it: their tokens, over Mapae's sessions.
//!
//! A refresh token of theirs bears one of Mapae's; by default it stays the same for as long as the
//! session lasts, as SimpleJWT's does by default, for such clients do not keep another one.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mapae_domain::session::SessionClient;
use mapae_domain::{SessionId, Timestamp, TokenId};
use zeroize::Zeroizing;

use super::{AuthenticateError, LogIn, LogInError, RefreshError, RevokeScope, TokenPair};
use crate::Application;
use crate::error::{Unavailable, rests_on_the_world};
use crate::ports::{SimpleJwtClaims, SimpleJwtTokens, SimpleJwtUse, TokenError, TokenSigningError};

/// What a log-in or a refresh gives such clients.
pub struct SimpleJwtPair {
    /// The access token.
    pub access: String,
    /// The refresh token, where there is a new one.
    pub refresh: Option<String>,
}

/// Why such a token was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum SimpleJwtRefused {
    /// It is none, or these are not served here.
    #[error("the token is not valid")]
    Invalid,
    /// It was good, and is not any more.
    #[error("the token has expired")]
    Expired,
    /// It is of the other use.
    #[error("the token is of another use")]
    WrongUse,
    /// Its session has ended.
    #[error("the session has ended")]
    Ended,
    /// Something that Mapae rests on failed.
    #[error("not available")]
    Unavailable(#[source] Unavailable),
}

rests_on_the_world!(SimpleJwtRefused);

impl From<AuthenticateError> for SimpleJwtRefused {
    fn from(error: AuthenticateError) -> Self {
        match error {
            AuthenticateError::Token(TokenError::Invalid) => Self::Invalid,
            AuthenticateError::Token(TokenError::Expired) => Self::Expired,
            AuthenticateError::SessionEnded => Self::Ended,
            AuthenticateError::Unavailable(error) => Self::Unavailable(error),
        }
    }
}

impl From<RefreshError> for SimpleJwtRefused {
    fn from(error: RefreshError) -> Self {
        match error {
            RefreshError::InvalidGrant => Self::Ended,
            RefreshError::Unavailable(error) => Self::Unavailable(error),
        }
    }
}

impl Application {
    /// Logs in, for a client of SimpleJWT.
    ///
    /// # Errors
    /// [`LogInError`].
    pub async fn simplejwt_log_in(&self, command: LogIn) -> Result<SimpleJwtPair, LogInError> {
        let tokens = self.ports.simplejwt.clone().ok_or(LogInError::InvalidCredentials)?;
        let now = self.now();
        let pair = self.log_in(command).await?;
        let access = self.simplejwt_token(&*tokens, &pair, SimpleJwtUse::Access, now)?;
        Ok(SimpleJwtPair {
            access,
            refresh: Some(self.simplejwt_token(
                &*tokens,
                &pair,
                self.simplejwt_refresh_use(&pair),
                now,
            )?),
        })
    }

    /// Exchanges a refresh token for an access token, and for another refresh token where the
    /// settings say so.
    ///
    /// # Errors
    /// [`SimpleJwtRefused`].
    pub async fn simplejwt_refresh(
        &self,
        token: &str,
        client: &SessionClient,
    ) -> Result<SimpleJwtPair, SimpleJwtRefused> {
        let tokens = self.ports.simplejwt.clone().ok_or(SimpleJwtRefused::Invalid)?;
        let now = self.now();
        let (_, own) = self.simplejwt_refresh_claims(token, now).await?;
        if self.settings.simplejwt_rotates {
            let pair = self.refresh(&own, client).await?;
            let access = self.simplejwt_token(&*tokens, &pair, SimpleJwtUse::Access, now)?;
            let refresh = Some(self.simplejwt_token(
                &*tokens,
                &pair,
                self.simplejwt_refresh_use(&pair),
                now,
            )?);
            return Ok(SimpleJwtPair { access, refresh });
        }
        let pair = self.use_without_rotation(&own, client).await?;
        Ok(SimpleJwtPair {
            access: self.simplejwt_token(&*tokens, &pair, SimpleJwtUse::Access, now)?,
            refresh: None,
        })
    }

    /// Says whether a token of either use is good, and its session open.
    ///
    /// # Errors
    /// [`SimpleJwtRefused`].
    pub async fn simplejwt_verify(&self, token: &str) -> Result<(), SimpleJwtRefused> {
        let now = self.now();
        let claims = self.simplejwt_claims(token, now)?;
        self.find_open(claims.session, claims.user, now).await?;
        match &claims.usage {
            SimpleJwtUse::Access | SimpleJwtUse::Renewable { .. } => Ok(()),
            // One that was replaced is not good, though its session is open.
            SimpleJwtUse::Refresh { token } => {
                let own = self.open_simplejwt_refresh(&claims, token)?;
                if self.is_current_refresh_token(&own, now).await? {
                    Ok(())
                } else {
                    Err(SimpleJwtRefused::Ended)
                }
            }
        }
    }

    /// Ends the session of a refresh token.
    ///
    /// # Errors
    /// [`SimpleJwtRefused`].
    pub async fn simplejwt_blacklist(&self, token: &str) -> Result<(), SimpleJwtRefused> {
        let now = self.now();
        let (_, own) = self.simplejwt_refresh_claims(token, now).await?;
        let is_current = self.is_current_refresh_token(&own, now).await?;
        match self.revoke_refresh_token(&own, RevokeScope::This).await {
            Ok(true) if is_current => Ok(()),
            // One that was replaced was on the list already; its session has ended all the same.
            Ok(true) => Err(SimpleJwtRefused::Ended),
            Ok(false) => Err(SimpleJwtRefused::Invalid),
            Err(super::RevokeError::Unavailable(error)) => {
                Err(SimpleJwtRefused::Unavailable(error))
            }
        }
    }

    /// Logs in, for a client of the older package: its one token is shown and renewed alike.
    ///
    /// # Errors
    /// [`LogInError`].
    pub async fn older_jwt_log_in(&self, command: LogIn) -> Result<String, LogInError> {
        let tokens = self.ports.simplejwt.clone().ok_or(LogInError::InvalidCredentials)?;
        let now = self.now();
        let pair = self.log_in(command).await?;
        Ok(self.simplejwt_token(&*tokens, &pair, renewable(&pair), now)?)
    }

    /// Renews a token of the older package that has not expired, as long as its session lasts.
    ///
    /// # Errors
    /// [`SimpleJwtRefused`].
    pub async fn older_jwt_renew(&self, token: &str) -> Result<String, SimpleJwtRefused> {
        let tokens = self.ports.simplejwt.clone().ok_or(SimpleJwtRefused::Invalid)?;
        let now = self.now();
        let claims = self.simplejwt_claims(token, now)?;
        if !matches!(claims.usage, SimpleJwtUse::Renewable { .. }) {
            return Err(SimpleJwtRefused::WrongUse);
        }
        let (session, user) = self.find_open(claims.session, claims.user, now).await?;
        let pair = self.sign_pair(&session, &user, now)?;
        Ok(self.simplejwt_token(&*tokens, &pair, renewable(&pair), now)?)
    }

    /// Says whether a token of the older package is good, and its session open.
    ///
    /// # Errors
    /// [`SimpleJwtRefused`].
    pub async fn older_jwt_verify(&self, token: &str) -> Result<(), SimpleJwtRefused> {
        let now = self.now();
        let claims = self.simplejwt_claims(token, now)?;
        if matches!(claims.usage, SimpleJwtUse::Refresh { .. }) {
            return Err(SimpleJwtRefused::WrongUse);
        }
        self.find_open(claims.session, claims.user, now).await?;
        Ok(())
    }

    /// Whether tokens of SimpleJWT's form are served.
    pub fn serves_simplejwt(&self) -> bool {
        self.ports.simplejwt.is_some()
    }

    fn simplejwt_claims(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<SimpleJwtClaims, SimpleJwtRefused> {
        let tokens = self.ports.simplejwt.as_ref().ok_or(SimpleJwtRefused::Invalid)?;
        tokens.verify(token, now).map_err(|refused| match refused {
            TokenError::Invalid => SimpleJwtRefused::Invalid,
            TokenError::Expired => SimpleJwtRefused::Expired,
        })
    }

    /// The claims of a refresh token of an open session, with the one of Mapae's that it bears.
    ///
    /// Whoever has the shared key can put anything together: what is said must fit.
    async fn simplejwt_refresh_claims(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<(SimpleJwtClaims, Zeroizing<String>), SimpleJwtRefused> {
        let claims = self.simplejwt_claims(token, now)?;
        let SimpleJwtUse::Refresh { token } = &claims.usage else {
            return Err(SimpleJwtRefused::WrongUse);
        };
        let own = self.open_simplejwt_refresh(&claims, token)?;
        self.find_open(claims.session, claims.user, now).await?;
        Ok((claims, own))
    }

    /// Mapae's own refresh token, as it was sealed into one of SimpleJWT's form. Nobody else reads
    /// it: who has the one has not the other.
    fn open_simplejwt_refresh(
        &self,
        claims: &SimpleJwtClaims,
        sealed: &str,
    ) -> Result<Zeroizing<String>, SimpleJwtRefused> {
        let sealed = URL_SAFE_NO_PAD.decode(sealed).map_err(|_| SimpleJwtRefused::Invalid)?;
        let opened = self.ports.sealer.open(&seal_context(claims.session), &sealed);
        let opened = opened.map_err(|_| SimpleJwtRefused::Invalid)?;
        let text = std::str::from_utf8(&opened).map_err(|_| SimpleJwtRefused::Invalid)?;
        Ok(Zeroizing::new(text.to_owned()))
    }

    fn simplejwt_refresh_use(&self, pair: &TokenPair) -> SimpleJwtUse {
        let context = seal_context(pair.session);
        let sealed = self.ports.sealer.seal(&context, pair.refresh_token.as_bytes());
        SimpleJwtUse::Refresh { token: URL_SAFE_NO_PAD.encode(sealed) }
    }

    fn simplejwt_token(
        &self,
        tokens: &dyn SimpleJwtTokens,
        pair: &TokenPair,
        usage: SimpleJwtUse,
        now: Timestamp,
    ) -> Result<String, TokenSigningError> {
        let lifetime = match usage {
            SimpleJwtUse::Refresh { .. } => pair.refresh_expires_in,
            SimpleJwtUse::Access | SimpleJwtUse::Renewable { .. } => pair.expires_in,
        };
        tokens.issue(&SimpleJwtClaims {
            user: pair.user,
            session: pair.session,
            id: TokenId::draw(now, &mut self.random()),
            issued_at: now,
            expires_at: now.plus(lifetime),
            usage,
        })
    }
}

/// The older package's token of a session.
fn renewable(pair: &TokenPair) -> SimpleJwtUse {
    SimpleJwtUse::Renewable {
        username: pair.username.as_ref().map(|name| name.as_str().to_owned()),
        opened_at: pair.opened_at,
    }
}

fn seal_context(session: SessionId) -> Vec<u8> {
    [b"simplejwt:".as_slice(), session.as_bytes()].concat()
}
