//! `/v1/tokens` and the keys that check them.

use std::sync::Arc;

use mapae_application::Application;
use mapae_application::session::{
    AuthenticateError, LogIn, LogInError, ReceiptLogInError, RefreshError, RevokeError, RevokeScope,
};
use mapae_domain::{AccessClaims, Timestamp};
use poem::http::StatusCode;
use poem::web::Data;
use poem_openapi::types::Example;
use poem_openapi::{Object, OpenApi};
use serde::Deserialize;

use crate::Tag;
use crate::caller::OptionalBearer;
use crate::client::Client;
use crate::payload::{ApiJson, NoContent, Reply, Secret};
use crate::problem::{Failure, FieldProblem, Problem, problems};

/// A log-in with a password.
#[derive(Object, Deserialize)]
#[oai(rename = "LogIn", example)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogInBody {
    /// A username, an e-mail address or a phone number.
    login: String,
    /// The password.
    password: Secret,
}

impl Example for LogInBody {
    fn example() -> Self {
        Self {
            login: "minji@example.com".to_owned(),
            password: "correct horse battery staple".into(),
        }
    }
}

/// A log-in with a receipt.
#[derive(Object, Deserialize)]
#[oai(rename = "LogInWithReceipt", example)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReceiptBody {
    /// The receipt of a verification of purpose `login`.
    receipt: Secret,
}

impl Example for ReceiptBody {
    fn example() -> Self {
        Self { receipt: "eyJhbGciOiJFUzI1NiIsInR5cCI6InJlY2VpcHQrand0In0.…".into() }
    }
}

/// A refresh.
#[derive(Object, Deserialize)]
#[oai(rename = "RefreshTokens", example)]
#[serde(deny_unknown_fields)]
pub(crate) struct RefreshBody {
    /// The refresh token of the last log-in or refresh.
    refresh_token: Secret,
}

impl Example for RefreshBody {
    fn example() -> Self {
        Self { refresh_token: "AZqcnm9gfD6KUS9tDBt-RAAAAAD…".into() }
    }
}

/// A token to check.
#[derive(Object, Deserialize)]
#[oai(rename = "VerifyToken", example)]
#[serde(deny_unknown_fields)]
pub(crate) struct VerifyBody {
    /// An access token.
    token: Secret,
}

impl Example for VerifyBody {
    fn example() -> Self {
        Self { token: "eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCJ9.…".into() }
    }
}

/// A log-out.
#[derive(Object, Deserialize)]
#[oai(rename = "RevokeTokens", example)]
#[serde(deny_unknown_fields)]
pub(crate) struct RevokeBody {
    /// A refresh token of the session that ends. Where absent, the bearer's own session ends.
    refresh_token: Option<Secret>,
    /// Which sessions end: `this` one, which is also meant where it is absent, the account's `others`,
    /// or `all`.
    scope: Option<String>,
}

impl Example for RevokeBody {
    fn example() -> Self {
        Self {
            refresh_token: Some("AZqcnm9gfD6KUS9tDBt-RAAAAAD…".into()),
            scope: Some("this".to_owned()),
        }
    }
}

/// An access token with the refresh token that replaces it.
#[derive(Object)]
#[oai(example)]
pub(crate) struct TokenPair {
    /// The access token: a JWT (RFC 9068) that any service checks by `/.well-known/jwks.json`.
    access_token: Secret,
    /// `Bearer`.
    token_type: String,
    /// How many seconds the access token is good.
    expires_in: u64,
    /// The refresh token: opaque, and replaced at each use.
    refresh_token: Secret,
    /// How many seconds the refresh token is good.
    refresh_expires_in: u64,
    /// The session that both belong to.
    session_id: String,
}

impl Example for TokenPair {
    fn example() -> Self {
        Self {
            access_token: "eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCJ9.…".into(),
            token_type: "Bearer".to_owned(),
            expires_in: 600,
            refresh_token: "AZqcnm9gfD6KUS9tDBt-RAAAAAD…".into(),
            refresh_expires_in: 604_800,
            session_id: "019a9c9e-6f60-7c3e-8a51-2f6d0c1b7e44".to_owned(),
        }
    }
}

impl From<mapae_application::session::TokenPair> for TokenPair {
    fn from(pair: mapae_application::session::TokenPair) -> Self {
        Self {
            access_token: zeroize::Zeroizing::new(pair.access_token).into(),
            token_type: "Bearer".to_owned(),
            expires_in: pair.expires_in.as_secs(),
            refresh_token: pair.refresh_token.into(),
            refresh_expires_in: pair.refresh_expires_in.as_secs(),
            session_id: pair.session.to_string(),
        }
    }
}

/// What an access token says.
#[derive(Object)]
#[oai(example)]
pub(crate) struct Claims {
    /// The user.
    sub: String,
    /// The session.
    sid: String,
    /// The token itself.
    jti: String,
    /// When it was issued, in seconds since the epoch.
    iat: i64,
    /// When it expires, in seconds since the epoch.
    exp: i64,
    /// When the person last showed who they are, in seconds since the epoch.
    auth_time: i64,
    /// How: `pwd`, `otp`, `sms` (RFC 8176).
    amr: Vec<String>,
    /// What the user may do.
    roles: Vec<String>,
    /// The user holds an e-mail address that was proved.
    email_verified: bool,
    /// The user holds a phone number that was proved.
    phone_number_verified: bool,
}

impl Example for Claims {
    fn example() -> Self {
        let issued = Timestamp::from_seconds(1_795_000_000);
        Self {
            sub: "019a9c9e-7a10-7b3e-9c51-0f6d0c1b7e01".to_owned(),
            sid: "019a9c9e-6f60-7c3e-8a51-2f6d0c1b7e44".to_owned(),
            jti: "019a9c9e-6f61-7d10-8b22-3a7e1d2c8f55".to_owned(),
            iat: issued.as_seconds(),
            exp: issued.as_seconds() + 600,
            auth_time: issued.as_seconds(),
            amr: vec!["pwd".to_owned()],
            roles: Vec::new(),
            email_verified: true,
            phone_number_verified: false,
        }
    }
}

impl From<AccessClaims> for Claims {
    fn from(claims: AccessClaims) -> Self {
        Self {
            sub: claims.user.to_string(),
            sid: claims.session.to_string(),
            jti: claims.id.to_string(),
            iat: claims.issued_at.as_seconds(),
            exp: claims.expires_at.as_seconds(),
            auth_time: claims.authenticated_at.as_seconds(),
            amr: claims.methods.iter().map(|method| method.as_str().to_owned()).collect(),
            roles: claims.roles.iter().map(|role| role.as_str().to_owned()).collect(),
            email_verified: claims.email_verified,
            phone_number_verified: claims.phone_verified,
        }
    }
}

/// A good access token.
#[derive(Object)]
#[oai(example)]
pub(crate) struct VerifiedToken {
    /// What it says.
    claims: Claims,
}

impl Example for VerifiedToken {
    fn example() -> Self {
        Self { claims: Claims::example() }
    }
}

problems! {
    /// Of logging in with a password.
    LogInProblems {
        400: "`validation_failed` or `malformed_json`.",
        401: "`invalid_credentials`: no such account, another password, or the account may not log in; nobody is told which.",
        413: "`body_too_large`: over 64 KiB.",
        415: "`unsupported_media_type`: not JSON.",
    }
    /// Of logging in with a receipt.
    ReceiptProblems {
        400: "`validation_failed` or `malformed_json`.",
        401: "`receipt_refused`: it is not good, or not any more, or of another purpose.",
        413: "`body_too_large`: over 64 KiB.",
        415: "`unsupported_media_type`: not JSON.",
    }
    /// Of refreshing.
    RefreshProblems {
        400: "`validation_failed` or `malformed_json`.",
        401: "`invalid_grant`: the token is not good, or not any more. Nothing else ends a session.",
        413: "`body_too_large`: over 64 KiB.",
        415: "`unsupported_media_type`: not JSON.",
    }
    /// Of checking a token.
    VerifyProblems {
        400: "`validation_failed` or `malformed_json`.",
        401: "`invalid_token`.",
        413: "`body_too_large`: over 64 KiB.",
        415: "`unsupported_media_type`: not JSON.",
    }
    /// Of logging out.
    RevokeProblems {
        400: "`validation_failed` or `malformed_json`.",
        401: "`unauthenticated`: neither a refresh token nor a good access token.",
        413: "`body_too_large`: over 64 KiB.",
        415: "`unsupported_media_type`: not JSON.",
    }
}

/// Operations on tokens.
pub(crate) struct TokenApi;

#[OpenApi(prefix_path = "/v1/tokens", tag = "Tag::Tokens")]
impl TokenApi {
    /// Log in with a password
    ///
    /// Opens a session for whoever gives the right password to a username, an e-mail address or a
    /// phone number.
    #[oai(path = "/", method = "post", operation_id = "logIn")]
    async fn log_in(
        &self,
        application: Data<&Arc<Application>>,
        Client(client): Client,
        body: ApiJson<LogInBody>,
    ) -> Result<Reply<200, TokenPair>, Failure<LogInProblems>> {
        let LogInBody { login, password } = body.value;
        let command = LogIn { login, password: password.into_inner(), client };
        match application.log_in(command).await {
            Ok(pair) => Ok(Reply(pair.into())),
            Err(LogInError::Invalid(errors)) => Err(Problem::invalid(&errors).into()),
            Err(LogInError::InvalidCredentials) => {
                let detail = "The login name or the password is not right.";
                Err(unauthorized("invalid_credentials", detail).into())
            }
            Err(LogInError::Unavailable(error)) => Err(Problem::unavailable(&error).into()),
        }
    }

    /// Log in with a receipt
    ///
    /// Opens a session for whoever has proved the account's contact by a verification of purpose
    /// `login`.
    #[oai(path = "/receipt", method = "post", operation_id = "logInWithReceipt")]
    async fn log_in_with_receipt(
        &self,
        application: Data<&Arc<Application>>,
        Client(client): Client,
        body: ApiJson<ReceiptBody>,
    ) -> Result<Reply<200, TokenPair>, Failure<ReceiptProblems>> {
        match application.log_in_with_receipt(body.value.receipt.expose(), &client).await {
            Ok(pair) => Ok(Reply(pair.into())),
            Err(ReceiptLogInError::ReceiptRefused) => {
                let detail = "The receipt is not good, or not any more.";
                Err(unauthorized("receipt_refused", detail).into())
            }
            Err(ReceiptLogInError::Unavailable(error)) => Err(Problem::unavailable(&error).into()),
        }
    }

    /// Refresh
    ///
    /// Exchanges a refresh token for the next pair. A repeat within the reuse window, because the
    /// answer was lost or two of them ran at once, gets the same refresh token again; a later one
    /// ends the session.
    #[oai(path = "/refresh", method = "post", operation_id = "refreshTokens")]
    async fn refresh(
        &self,
        application: Data<&Arc<Application>>,
        body: ApiJson<RefreshBody>,
    ) -> Result<Reply<200, TokenPair>, Failure<RefreshProblems>> {
        match application.refresh(body.value.refresh_token.expose()).await {
            Ok(pair) => Ok(Reply(pair.into())),
            Err(RefreshError::InvalidGrant) => {
                let detail = "The refresh token is not good, or not any more. Please log in.";
                Err(unauthorized("invalid_grant", detail).into())
            }
            Err(RefreshError::Unavailable(error)) => Err(Problem::unavailable(&error).into()),
        }
    }

    /// Check an access token
    ///
    /// As any service can do by itself with `/.well-known/jwks.json`: signature, kind, issuer,
    /// audience and expiry.
    #[oai(path = "/verify", method = "post", operation_id = "verifyToken")]
    async fn verify(
        &self,
        application: Data<&Arc<Application>>,
        body: ApiJson<VerifyBody>,
    ) -> Result<Reply<200, VerifiedToken>, Failure<VerifyProblems>> {
        match application.verify_access_token(body.value.token.expose()) {
            Ok(claims) => Ok(Reply(VerifiedToken { claims: claims.into() })),
            Err(_) => {
                let detail = "The token is not good, or not any more.";
                Err(unauthorized("invalid_token", detail).into())
            }
        }
    }

    /// Log out
    ///
    /// Ends a session, or the account's other ones: no refresh and no operation of this service goes
    /// with them any more. A refresh token that is none is no error.
    #[oai(path = "/revoke", method = "post", operation_id = "revokeTokens")]
    async fn revoke(
        &self,
        application: Data<&Arc<Application>>,
        OptionalBearer(bearer): OptionalBearer,
        body: ApiJson<RevokeBody>,
    ) -> Result<NoContent, Failure<RevokeProblems>> {
        let RevokeBody { refresh_token, scope } = body.value;
        let scope = match scope.as_deref() {
            None => Some(RevokeScope::This),
            Some(name) => RevokeScope::from_name(name),
        };
        let Some(scope) = scope else {
            let (field, code) = ("scope".to_owned(), "unknown_value".to_owned());
            let message = "is not one of the allowed values".to_owned();
            return Err(Problem::invalid_fields(vec![FieldProblem { field, code, message }]).into());
        };
        let ended = match (refresh_token, bearer) {
            (Some(token), _) => application.revoke_refresh_token(token.expose(), scope).await,
            (None, Some(bearer)) => match application.authenticate(&bearer).await {
                Ok(caller) => application.end_sessions(caller.claims.session, scope).await,
                Err(AuthenticateError::Token(_) | AuthenticateError::SessionEnded) => {
                    return Err(nothing_to_revoke().into());
                }
                Err(AuthenticateError::Unavailable(error)) => {
                    return Err(Problem::unavailable(&error).into());
                }
            },
            (None, None) => return Err(nothing_to_revoke().into()),
        };
        match ended {
            Ok(()) => Ok(NoContent),
            Err(RevokeError::Unavailable(error)) => Err(Problem::unavailable(&error).into()),
        }
    }
}

fn unauthorized(code: &str, detail: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, code, detail)
}

fn nothing_to_revoke() -> Problem {
    let detail = "Either a refresh token or a good access token is needed.";
    unauthorized("unauthenticated", detail)
}
