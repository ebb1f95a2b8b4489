//! `/v1/tokens` and the keys that check them.

use std::sync::Arc;

use mapae_application::Application;
use mapae_application::session::{
    AuthenticateError, LogIn, LogInError, ReceiptLogInError, RefreshError, RevokeError, RevokeScope,
};
use mapae_domain::{AccessClaims, Timestamp};
use poem::http::StatusCode;
use poem::web::Data;
use poem::{IntoResponse, Response};
use poem_openapi::registry::{MetaResponses, Registry};
use poem_openapi::types::Example;
use poem_openapi::{ApiResponse, Object, OpenApi};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::Tag;
use crate::caller::{MaybeShown, Shown};
use crate::client::Client;
use crate::consent::RequiredConsent;
use crate::cookie::{Cookies, Transport};
use crate::payload::{ApiJson, MaybeJson, NoContent, Reply, Secret};
use crate::problem::{Failure, Problem, problems};

/// A log-in with a password.
#[derive(Object, Deserialize)]
#[oai(rename = "LogIn", example)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogInBody {
    /// A username, an e-mail address or a phone number.
    login: String,
    /// The password.
    password: Secret,
    /// Where the tokens go: into the `body`, which is also meant where it is absent, or into a
    /// `cookie` each.
    transport: Option<String>,
}

impl Example for LogInBody {
    fn example() -> Self {
        Self {
            login: "minji@example.com".to_owned(),
            password: "correct horse battery staple".into(),
            transport: None,
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
    /// Where the tokens go: into the `body`, which is also meant where it is absent, or into a
    /// `cookie` each.
    transport: Option<String>,
}

impl Example for ReceiptBody {
    fn example() -> Self {
        Self {
            receipt: "eyJhbGciOiJFUzI1NiIsInR5cCI6InJlY2VpcHQrand0In0.…".into(),
            transport: None,
        }
    }
}

/// A refresh.
#[derive(Default, Object, Deserialize)]
#[oai(rename = "RefreshTokens", example)]
#[serde(deny_unknown_fields)]
pub(crate) struct RefreshBody {
    /// The refresh token of the last log-in or refresh. Where absent, the one in the cookie, and the
    /// next pair goes into cookies, too.
    refresh_token: Option<Secret>,
}

impl Example for RefreshBody {
    fn example() -> Self {
        Self { refresh_token: Some("AZqcnm9gfD6KUS9tDBt-RAAAAAD…".into()) }
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
#[derive(Default, Object, Deserialize)]
#[oai(rename = "RevokeTokens", example)]
#[serde(deny_unknown_fields)]
pub(crate) struct RevokeBody {
    /// A refresh token of the session that ends. Where absent, the session of the bearer or of the
    /// cookies ends.
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
#[oai(skip_serializing_if_is_none, example)]
pub(crate) struct TokenPair {
    /// The access token: a JWT (RFC 9068) that any service checks by `/.well-known/jwks.json`.
    /// Absent where the tokens are in cookies, out of every script's reach.
    access_token: Option<Secret>,
    /// `Bearer`.
    token_type: String,
    /// How many seconds the access token is good.
    expires_in: u64,
    /// The refresh token: opaque, and replaced at each use. Absent where the tokens are in cookies.
    refresh_token: Option<Secret>,
    /// How many seconds the refresh token is good.
    refresh_expires_in: u64,
    /// The session that both belong to.
    session_id: String,
    /// What a page shows in `X-CSRF-Token` when it changes something and its browser sends neither
    /// `Origin` nor `Sec-Fetch-Site`; where the tokens are in cookies.
    csrf_token: Option<Secret>,
    /// What the person is to be asked now, and `PUT /v1/me/consents` takes: documents that are required
    /// and not agreed to, and those of which another version was decided about. After a log-in, and
    /// absent where there is none.
    consents_required: Option<Vec<RequiredConsent>>,
}

impl Example for TokenPair {
    fn example() -> Self {
        Self {
            access_token: Some("eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCJ9.…".into()),
            token_type: "Bearer".to_owned(),
            expires_in: 600,
            refresh_token: Some("AZqcnm9gfD6KUS9tDBt-RAAAAAD…".into()),
            refresh_expires_in: 604_800,
            session_id: "019a9c9e-6f60-7c3e-8a51-2f6d0c1b7e44".to_owned(),
            csrf_token: None,
            consents_required: None,
        }
    }
}

/// A pair as an answer: in its body, or in cookies.
pub(crate) struct TokenReply {
    pair: mapae_application::session::TokenPair,
    in_cookies: Option<(Cookies, Zeroizing<String>)>,
}

impl TokenReply {
    /// The answer that a log-in has asked for.
    pub(crate) fn new(
        application: &Application,
        pair: mapae_application::session::TokenPair,
        transport: Transport,
        cookies: Cookies,
    ) -> Self {
        let in_cookies = (transport == Transport::Cookie)
            .then(|| (cookies, application.csrf_token(pair.session)));
        Self { pair, in_cookies }
    }
}

impl IntoResponse for TokenReply {
    fn into_response(self) -> Response {
        let Self { pair, in_cookies } = self;
        let demands: Vec<_> = pair.consents_required.iter().map(RequiredConsent::from).collect();
        let mut view = TokenPair {
            access_token: None,
            token_type: "Bearer".to_owned(),
            expires_in: pair.expires_in.as_secs(),
            refresh_token: None,
            refresh_expires_in: pair.refresh_expires_in.as_secs(),
            session_id: pair.session.to_string(),
            csrf_token: None,
            consents_required: (!demands.is_empty()).then_some(demands),
        };
        let access = Zeroizing::new(pair.access_token);
        let Some((cookies, csrf_token)) = in_cookies else {
            view.access_token = Some(access.into());
            view.refresh_token = Some(pair.refresh_token.into());
            return Reply::<200, _>(view).into_response();
        };
        view.csrf_token = Some(csrf_token.into());
        let mut response = Reply::<200, _>(view).into_response();
        let access = (access.as_str(), pair.expires_in);
        cookies.set(&mut response, access, (&pair.refresh_token, pair.refresh_expires_in));
        response
    }
}

impl ApiResponse for TokenReply {
    fn meta() -> MetaResponses {
        Reply::<200, TokenPair>::meta()
    }

    fn register(registry: &mut Registry) {
        Reply::<200, TokenPair>::register(registry);
    }
}

/// A log-out as an answer.
pub(crate) struct RevokeReply {
    /// The cookies that are worth nothing any more.
    cleared: Option<Cookies>,
}

impl RevokeReply {
    /// Has a browser forget the cookies that it has sent.
    pub(crate) fn clearing(cookies: Cookies) -> Self {
        let sent = cookies.access().is_some() || cookies.refresh().is_some();
        Self { cleared: sent.then_some(cookies) }
    }
}

impl IntoResponse for RevokeReply {
    fn into_response(self) -> Response {
        let mut response = NoContent.into_response();
        if let Some(cookies) = self.cleared {
            cookies.clear(&mut response);
        }
        response
    }
}

impl ApiResponse for RevokeReply {
    fn meta() -> MetaResponses {
        NoContent::meta()
    }

    fn register(registry: &mut Registry) {
        NoContent::register(registry);
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
        403: "`csrf_refused`: a page of another site asks for cookies.",
        413: "`body_too_large`: over 64 KiB.",
        415: "`unsupported_media_type`: not JSON.",
    }
    /// Of logging in with a receipt.
    ReceiptProblems {
        400: "`validation_failed` or `malformed_json`.",
        401: "`receipt_refused`: it is not good, or not any more, or of another purpose.",
        403: "`csrf_refused`: a page of another site asks for cookies.",
        413: "`body_too_large`: over 64 KiB.",
        415: "`unsupported_media_type`: not JSON.",
    }
    /// Of refreshing.
    RefreshProblems {
        400: "`validation_failed` or `malformed_json`.",
        401: "`invalid_grant`: the token is not good, or not any more. Nothing else ends a session.",
        403: "`csrf_refused`: the token is in a cookie, and the request comes from elsewhere.",
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
        403: "`csrf_refused`: the token is in a cookie, and the request comes from elsewhere.",
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
    /// phone number. With `transport: cookie`, which is for web pages, the tokens come as cookies
    /// that no script can read, and the answer bears a `csrf_token` instead.
    #[oai(path = "/", method = "post", operation_id = "logIn")]
    async fn log_in(
        &self,
        application: Data<&Arc<Application>>,
        Client(client): Client,
        cookies: Cookies,
        body: ApiJson<LogInBody>,
    ) -> Result<TokenReply, Failure<LogInProblems>> {
        let LogInBody { login, password, transport } = body.value;
        let transport = asked_transport(transport.as_deref(), &cookies)?;
        let command = LogIn { login, password: password.into_inner(), client };
        match application.log_in(command).await {
            Ok(pair) => Ok(TokenReply::new(&application, pair, transport, cookies)),
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
        cookies: Cookies,
        body: ApiJson<ReceiptBody>,
    ) -> Result<TokenReply, Failure<ReceiptProblems>> {
        let transport = asked_transport(body.value.transport.as_deref(), &cookies)?;
        match application.log_in_with_receipt(body.value.receipt.expose(), &client).await {
            Ok(pair) => Ok(TokenReply::new(&application, pair, transport, cookies)),
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
    ///
    /// Without a `refresh_token` in the body the one in the cookie is used, and replaced there.
    #[oai(path = "/refresh", method = "post", operation_id = "refreshTokens")]
    async fn refresh(
        &self,
        application: Data<&Arc<Application>>,
        Client(client): Client,
        cookies: Cookies,
        body: MaybeJson<RefreshBody>,
    ) -> Result<TokenReply, Failure<RefreshProblems>> {
        let (token, transport) = match (&body.0.refresh_token, cookies.refresh()) {
            (Some(token), _) => (token.expose(), Transport::Body),
            (None, Some(token)) => (token, Transport::Cookie),
            (None, None) => return Err(Problem::required("refresh_token").into()),
        };
        if transport == Transport::Cookie {
            check_refresh_cookie(&application, &cookies, token)?;
        }
        match application.refresh(token, &client).await {
            Ok(pair) => Ok(TokenReply::new(&application, pair, transport, cookies)),
            // A cookie stays as it is: another tab may have replaced it meanwhile.
            Err(RefreshError::InvalidGrant) => Err(invalid_grant().into()),
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
        MaybeShown(shown): MaybeShown,
        cookies: Cookies,
        body: MaybeJson<RevokeBody>,
    ) -> Result<RevokeReply, Failure<RevokeProblems>> {
        let RevokeBody { refresh_token, scope } = body.0;
        let scope = match scope.as_deref() {
            None => RevokeScope::This,
            Some(name) => {
                RevokeScope::from_name(name).ok_or_else(|| Problem::unknown_value("scope"))?
            }
        };
        if let Some(token) = refresh_token {
            let ended = application.revoke_refresh_token(token.expose(), scope).await;
            return revoked(ended.map(drop), None);
        }
        let by_header = matches!(shown, Some(Shown::Header(_)));
        let in_cookie = cookies.refresh().filter(|_| !by_header);
        if let Some((token, session)) =
            in_cookie.and_then(|token| Some((token, application.session_of_refresh_token(token)?)))
        {
            cookies.check_change(&application, session)?;
            let ended = application.revoke_refresh_token(token, scope).await;
            // One that is none says nothing of the other cookie.
            if !matches!(ended, Ok(false)) {
                let clear = scope != RevokeScope::Others;
                return revoked(ended.map(drop), clear.then_some(cookies));
            }
        }
        let shown = shown.ok_or_else(nothing_to_revoke)?;
        let caller = match application.authenticate(shown.token()).await {
            Ok(caller) => caller,
            Err(AuthenticateError::Token(_) | AuthenticateError::SessionEnded) => {
                return Err(nothing_to_revoke().into());
            }
            Err(AuthenticateError::Unavailable(error)) => {
                return Err(Problem::unavailable(&error).into());
            }
        };
        if !by_header {
            cookies.check_change(&application, caller.session.id())?;
        }
        let ended = application.end_sessions(caller.session.id(), scope).await;
        let clear = !by_header && scope != RevokeScope::Others;
        revoked(ended, clear.then_some(cookies))
    }
}

/// The transport that a log-in asks for; cookies are for pages of ours alone.
pub(crate) fn asked_transport(name: Option<&str>, cookies: &Cookies) -> Result<Transport, Problem> {
    let transport = Transport::parse(name)?;
    if transport == Transport::Cookie {
        cookies.check_log_in()?;
    }
    Ok(transport)
}

/// Sees that a page of ours uses the refresh token in its cookie.
fn check_refresh_cookie(
    application: &Application,
    cookies: &Cookies,
    token: &str,
) -> Result<(), Problem> {
    let session = application.session_of_refresh_token(token).ok_or_else(invalid_grant)?;
    cookies.check_change(application, session)
}

fn revoked(
    ended: Result<(), RevokeError>,
    cleared: Option<Cookies>,
) -> Result<RevokeReply, Failure<RevokeProblems>> {
    match ended {
        Ok(()) => Ok(RevokeReply { cleared }),
        Err(RevokeError::Unavailable(error)) => Err(Problem::unavailable(&error).into()),
    }
}

fn invalid_grant() -> Problem {
    let detail = "The refresh token is not good, or not any more. Please log in.";
    unauthorized("invalid_grant", detail)
}

fn unauthorized(code: &str, detail: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, code, detail)
}

fn nothing_to_revoke() -> Problem {
    let detail = "Either a refresh token or a good access token is needed.";
    unauthorized("unauthenticated", detail)
}
