//! The paths of djangorestframework-simplejwt, and of the older package before it, for clients that
//! were written for a service of Django: off unless configured.
//!
//! Bodies, answers and errors are those that such clients know, and so are not problems of RFC 9457;
//! none of this is in the OpenAPI document. As everywhere, nothing that was sent is repeated.

use std::sync::Arc;

use mapae_application::Application;
use mapae_application::error::Unavailable;
use mapae_application::session::{LogIn, LogInError, SimpleJwtRefused};
use poem::http::{HeaderValue, Method, StatusCode, header};
use poem::{Endpoint, EndpointExt as _, FromRequest as _, Request, Response, Route};
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use crate::client::Client;
use crate::payload::read;
use crate::problem::Problem;

/// What the bridge is set to.
#[derive(Debug, Clone)]
pub struct SimpleJwtSettings {
    /// What the login's field is called: `username`, or the `USERNAME_FIELD` that the service had.
    pub username_field: String,
}

/// The paths.
pub(crate) const PATHS: [&str; 7] = [
    "/api/token/",
    "/api/token/refresh/",
    "/api/token/verify/",
    "/api/token/blacklist/",
    "/api-token-auth/",
    "/api-token-refresh/",
    "/api-token-verify/",
];

/// Adds the paths to the routes.
pub(crate) fn routes(routes: Route, settings: &SimpleJwtSettings) -> Route {
    let field: Arc<str> = settings.username_field.as_str().into();
    let log_in = move |older| {
        let field = Arc::clone(&field);
        only_post(move |request| log_in(request, Arc::clone(&field), older))
    };
    let [token, renew, check, end, older_token, older_renew, older_check] = PATHS;
    routes
        .at(token, log_in(false))
        .at(renew, only_post(refresh))
        .at(check, only_post(verify))
        .at(end, only_post(blacklist))
        .at(older_token, log_in(true))
        .at(older_renew, only_post(older_refresh))
        .at(older_check, only_post(older_verify))
}

/// An endpoint that takes `POST` alone.
fn only_post<F, Fut>(answer: F) -> impl Endpoint<Output = Response> + 'static
where
    F: Fn(Asked) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<Value, Refusal>> + Send,
{
    poem::endpoint::make(move |request: Request| {
        let answer = answer.clone();
        async move {
            let answered = match request.method() {
                &Method::POST => match Asked::read(request).await {
                    Ok(asked) => answer(asked).await,
                    Err(refusal) => Err(refusal),
                },
                _ => Err(Refusal::detail(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed.")),
            };
            Ok::<_, poem::Error>(
                answered.map_or_else(Refusal::into_response, |body| reply(StatusCode::OK, &body)),
            )
        }
    })
    .boxed()
}

fn reply(status: StatusCode, body: &Value) -> Response {
    Response::builder()
        .status(status)
        .content_type("application/json")
        .header(header::CACHE_CONTROL, "no-store")
        .body(body.to_string())
}

/// Why nothing else is answered: a status, and a body in the words of Django REST framework.
struct Refusal(StatusCode, Value);

impl Refusal {
    fn detail(status: StatusCode, detail: &str) -> Self {
        Self(status, json!({ "detail": detail }))
    }

    /// The token is not good, in SimpleJWT's words.
    fn token(detail: &str) -> Self {
        Self(StatusCode::UNAUTHORIZED, json!({"detail": detail, "code": "token_not_valid"}))
    }

    /// Something is wrong with all of it.
    fn all(message: &str) -> Self {
        Self(StatusCode::BAD_REQUEST, json!({"non_field_errors": [message]}))
    }

    fn unavailable(error: &Unavailable) -> Self {
        // Logged as everywhere, and told when to come back.
        let status = Problem::unavailable(error).status;
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self::detail(status, "Service temporarily unavailable, try again later.")
    }

    fn into_response(self) -> Response {
        let Self(status, body) = self;
        let mut response = reply(status, &body);
        let headers = response.headers_mut();
        if status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Bearer realm=\"mapae\"");
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        if status == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// A request that was read.
struct Asked {
    application: Arc<Application>,
    client: Client,
    body: Map<String, Value>,
}

impl Asked {
    async fn read(request: Request) -> Result<Self, Refusal> {
        let internal =
            || Refusal::detail(StatusCode::INTERNAL_SERVER_ERROR, "A server error occurred.");
        let (request, mut body) = request.split();
        let application = request.data::<Arc<Application>>().cloned().ok_or_else(internal)?;
        let client = Client::from_request(&request, &mut body).await.map_err(|_| internal())?;
        let bytes = match body.take() {
            Ok(body) => read(body).await.map_err(|problem| {
                let status = StatusCode::from_u16(problem.status);
                Refusal::detail(status.unwrap_or(StatusCode::BAD_REQUEST), "Malformed request.")
            })?,
            Err(_) => Zeroizing::new(Vec::new()),
        };
        let essence = request.content_type().unwrap_or_default().split(';').next();
        let essence = essence.unwrap_or_default().trim().to_ascii_lowercase();
        let body = match essence.as_str() {
            "application/json" if bytes.is_empty() => Map::new(),
            "application/json" => object(&bytes)?,
            "application/x-www-form-urlencoded" => form_urlencoded::parse(&bytes)
                .map(|(name, value)| (name.into_owned(), Value::String(value.into_owned())))
                .collect(),
            "" if bytes.is_empty() => Map::new(),
            _ => {
                let detail = "Unsupported media type in request.";
                return Err(Refusal::detail(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
            }
        };
        Ok(Self { application, client, body })
    }

    /// The fields of those names, or what is wrong with each.
    fn fields<const N: usize>(&self, names: [&str; N]) -> Result<[Zeroizing<String>; N], Refusal> {
        let mut errors = Map::new();
        let fields = names.map(|name| match field(self.body.get(name)) {
            Ok(value) => value,
            Err(message) => {
                errors.insert(name.to_owned(), json!([message]));
                Zeroizing::default()
            }
        });
        if errors.is_empty() {
            Ok(fields)
        } else {
            Err(Refusal(StatusCode::BAD_REQUEST, Value::Object(errors)))
        }
    }
}

/// A JSON object, and what Django REST framework says of anything else.
fn object(bytes: &[u8]) -> Result<Map<String, Value>, Refusal> {
    let kind = match serde_json::from_slice(bytes) {
        Ok(Value::Object(body)) => return Ok(body),
        Ok(Value::Null) => return Err(Refusal::all("No data provided")),
        Ok(Value::Array(_)) => "list",
        Ok(Value::String(_)) => "str",
        Ok(Value::Bool(_)) => "bool",
        Ok(Value::Number(number)) if number.is_f64() => "float",
        Ok(Value::Number(_)) => "int",
        Err(_) => return Err(Refusal::detail(StatusCode::BAD_REQUEST, "JSON parse error")),
    };
    Err(Refusal::all(&format!("Invalid data. Expected a dictionary, but got {kind}.")))
}

/// A field of text, read as Django REST framework reads one: trimmed, and numbers as they are
/// written.
fn field(value: Option<&Value>) -> Result<Zeroizing<String>, &'static str> {
    let text = match value {
        None => return Err("This field is required."),
        Some(Value::Null) => return Err("This field may not be null."),
        Some(Value::String(text)) => Zeroizing::new(text.clone()),
        Some(Value::Number(number)) => Zeroizing::new(number.to_string()),
        Some(Value::Bool(_) | Value::Array(_) | Value::Object(_)) => {
            return Err("Not a valid string.");
        }
    };
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Err("This field may not be blank.");
    }
    if trimmed.contains('\0') {
        return Err("Null characters are not allowed.");
    }
    Ok(Zeroizing::new(trimmed.to_owned()))
}

async fn log_in(asked: Asked, field: Arc<str>, older: bool) -> Result<Value, Refusal> {
    let [login, password] = asked.fields([&field, "password"])?;
    let Client(client) = asked.client;
    let command = LogIn { login: login.to_string(), password, client };
    let refused = |error| match error {
        LogInError::Unavailable(error) => Refusal::unavailable(&error),
        // A password that is too long to be one is as wrong as any other.
        LogInError::Invalid(_) | LogInError::InvalidCredentials if older => {
            Refusal::all("Unable to log in with provided credentials.")
        }
        LogInError::Invalid(_) | LogInError::InvalidCredentials => Refusal::detail(
            StatusCode::UNAUTHORIZED,
            "No active account found with the given credentials",
        ),
    };
    if older {
        let token = asked.application.older_jwt_log_in(command).await.map_err(refused)?;
        return Ok(json!({ "token": token }));
    }
    let pair = asked.application.simplejwt_log_in(command).await.map_err(refused)?;
    Ok(json!({"refresh": pair.refresh, "access": pair.access}))
}

fn refused(error: SimpleJwtRefused) -> Refusal {
    match error {
        SimpleJwtRefused::Invalid => Refusal::token("Token is invalid"),
        SimpleJwtRefused::Expired => Refusal::token("Token is expired"),
        SimpleJwtRefused::WrongUse => Refusal::token("Token has wrong type"),
        SimpleJwtRefused::Ended => Refusal::token("Token is blacklisted"),
        SimpleJwtRefused::Unavailable(error) => Refusal::unavailable(&error),
    }
}

async fn refresh(asked: Asked) -> Result<Value, Refusal> {
    let [token] = asked.fields(["refresh"])?;
    let Client(client) = asked.client;
    let pair = asked.application.simplejwt_refresh(&token, &client).await.map_err(refused)?;
    Ok(match pair.refresh {
        Some(refresh) => json!({"access": pair.access, "refresh": refresh}),
        None => json!({"access": pair.access}),
    })
}

async fn verify(asked: Asked) -> Result<Value, Refusal> {
    let [token] = asked.fields(["token"])?;
    match asked.application.simplejwt_verify(&token).await {
        Ok(()) => Ok(json!({})),
        Err(SimpleJwtRefused::Ended) => Err(Refusal::all("Token is blacklisted")),
        Err(error) => Err(refused(error)),
    }
}

async fn blacklist(asked: Asked) -> Result<Value, Refusal> {
    let [token] = asked.fields(["refresh"])?;
    asked.application.simplejwt_blacklist(&token).await.map_err(refused)?;
    Ok(json!({}))
}

fn refused_older(error: SimpleJwtRefused) -> Refusal {
    match error {
        SimpleJwtRefused::Invalid | SimpleJwtRefused::WrongUse => {
            Refusal::all("Error decoding signature.")
        }
        SimpleJwtRefused::Expired => Refusal::all("Signature has expired."),
        SimpleJwtRefused::Ended => Refusal::all("Refresh has expired."),
        SimpleJwtRefused::Unavailable(error) => Refusal::unavailable(&error),
    }
}

async fn older_refresh(asked: Asked) -> Result<Value, Refusal> {
    let [token] = asked.fields(["token"])?;
    let token = asked.application.older_jwt_renew(&token).await.map_err(refused_older)?;
    Ok(json!({ "token": token }))
}

async fn older_verify(asked: Asked) -> Result<Value, Refusal> {
    let [token] = asked.fields(["token"])?;
    asked.application.older_jwt_verify(&token).await.map_err(refused_older)?;
    Ok(json!({ "token": token.as_str() }))
}
