//! JSON in and out.
//!
//! Our own rather than the framework's: a body is read with a limit, unknown fields are refused and
//! named, a wrong type names its field, and nothing of what was sent is ever repeated.

use std::borrow::Cow;
use std::time::Duration;

use poem::http::{HeaderValue, StatusCode, header};
use poem::web::headers::HeaderMapExt as _;
use poem::{IntoResponse, Request, RequestBody, Response};
use poem_openapi::payload::{ParsePayload, Payload};
use poem_openapi::registry::{
    MetaMediaType, MetaRequest, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry,
};
use poem_openapi::types::{ToJSON, Type};
use poem_openapi::{ApiExtractor, ApiExtractorType, ApiResponse, ExtractParamOptions};
use serde::de::DeserializeOwned;
use tokio::io::AsyncReadExt as _;
use zeroize::Zeroizing;

use crate::problem::{FieldProblem, Problem};

/// The greatest size of a request's body, in bytes.
pub const MAX_BODY: usize = 64 * 1024;

/// How long a body may take to come: far longer than 64 KiB take on a bad line, and not for ever.
const COMES_WITHIN: Duration = Duration::from_secs(15);
/// How much of a body that is too large is read and thrown away, in bytes.
const MAX_DISCARDED: u64 = 4 * 1024 * 1024;
/// For how long.
const DISCARD_FOR: Duration = Duration::from_secs(2);

/// A JSON body of a request.
pub(crate) struct ApiJson<T> {
    /// What it says.
    pub(crate) value: T,
    /// The body with its members sorted and no space: the same for all spellings of one request.
    pub(crate) canonical: Zeroizing<Vec<u8>>,
}

impl<T: Type> Payload for ApiJson<T> {
    const CONTENT_TYPE: &'static str = "application/json";

    fn check_content_type(content_type: &str) -> bool {
        // Any parameters are ignored: JSON is UTF-8 whatever they say (RFC 8259 §8.1).
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case(Self::CONTENT_TYPE)
    }

    fn schema_ref() -> MetaSchemaRef {
        T::schema_ref()
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

impl<T: Type + DeserializeOwned> ParsePayload for ApiJson<T> {
    const IS_REQUIRED: bool = true;

    async fn from_request(_: &Request, body: &mut RequestBody) -> poem::Result<Self> {
        let bytes = read(body.take()?).await?;
        let value = parse(&bytes)?;
        let canonical = serde_json::from_slice::<serde_json::Value>(&bytes)
            .and_then(|value| serde_json::to_vec(&value))
            .unwrap_or_default();
        Ok(Self { value, canonical: Zeroizing::new(canonical) })
    }
}

impl<'a, T: Type + DeserializeOwned> ApiExtractor<'a> for ApiJson<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        <Self as Payload>::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        Some(MetaRequest {
            description: None,
            content: vec![MetaMediaType {
                content_type: Self::CONTENT_TYPE,
                schema: Self::schema_ref(),
            }],
            required: true,
        })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        if request.content_type().is_some_and(Self::check_content_type) {
            <Self as ParsePayload>::from_request(request, body).await
        } else {
            let detail = "The request's body must be JSON: `Content-Type: application/json`.";
            let code = "unsupported_media_type";
            Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, code, detail).into())
        }
    }
}

/// A JSON body that a request need not have: without one, everything in it is absent.
pub(crate) struct MaybeJson<T>(pub(crate) T);

impl<'a, T: Type + DeserializeOwned + Default> ApiExtractor<'a> for MaybeJson<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        <ApiJson<T> as ApiExtractor>::request_meta()
            .map(|meta| MetaRequest { required: false, ..meta })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        options: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        let has_body = request.content_type().is_some()
            || request.headers().contains_key(header::TRANSFER_ENCODING)
            || request.headers().get(header::CONTENT_LENGTH).is_some_and(|length| length != "0");
        if !has_body {
            return Ok(Self(T::default()));
        }
        let json = <ApiJson<T> as ApiExtractor>::from_request(request, body, options).await?;
        Ok(Self(json.value))
    }
}

/// Reads a body up to the limit.
pub(crate) async fn read(body: poem::Body) -> Result<Zeroizing<Vec<u8>>, Problem> {
    let mut body = body.into_async_read();
    let mut bytes = Zeroizing::new(Vec::new());
    let limit = u64::try_from(MAX_BODY).unwrap_or(u64::MAX);
    let mut within_limit = (&mut body).take(limit + 1);
    let came = tokio::time::timeout(COMES_WITHIN, within_limit.read_to_end(&mut bytes)).await;
    if !matches!(came, Ok(Ok(_))) {
        let detail = "The request's body broke off.";
        return Err(Problem::new(StatusCode::BAD_REQUEST, "body_incomplete", detail));
    }
    if bytes.len() <= MAX_BODY {
        return Ok(bytes);
    }
    // Whoever sends is sending still, and many clients look for an answer only afterwards: read on
    // for a while rather than break the connection off. What comes of it does not matter.
    let (mut rest, mut nowhere) = (body.take(MAX_DISCARDED), tokio::io::sink());
    let discard = tokio::io::copy(&mut rest, &mut nowhere);
    drop(tokio::time::timeout(DISCARD_FOR, discard).await);
    let detail = "The request's body is larger than 64 KiB.";
    Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail))
}

/// Reads a body; what is wrong names its field and repeats nothing else.
fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let OnlyObject(value) =
        serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
            let path = error.path().to_string();
            field_problem(&path, error.inner())
        })?;
    deserializer.end().map_err(|_| malformed())?;
    Ok(value)
}

/// Reads an object and nothing else: serde would take a list for a structure, member by member.
pub(crate) struct OnlyObject<T>(pub(crate) T);

impl<'de, T: serde::Deserialize<'de>> serde::Deserialize<'de> for OnlyObject<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object<T>(std::marker::PhantomData<T>);

        impl<'de, T: serde::Deserialize<'de>> serde::de::Visitor<'de> for Object<T> {
            type Value = OnlyObject<T>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                members: A,
            ) -> Result<Self::Value, A::Error> {
                T::deserialize(serde::de::value::MapAccessDeserializer::new(members))
                    .map(OnlyObject)
            }
        }

        deserializer.deserialize_map(Object(std::marker::PhantomData))
    }
}

fn malformed() -> Problem {
    let detail = "The request's body is not JSON.";
    Problem::new(StatusCode::BAD_REQUEST, "malformed_json", detail)
}

fn field_problem(path: &str, error: &serde_json::Error) -> Problem {
    if !error.is_data() {
        return malformed();
    }
    let text = error.to_string();
    // The derived deserializers name a field between the first pair of backticks.
    let named = || text.split('`').nth(1).map_or(Cow::Borrowed("?"), shown_name);
    let parent = match path {
        "." | "?" => String::new(),
        // A segment may be a name that somebody made up.
        path => path.split('.').map(shown_segment).collect::<Vec<_>>().join("."),
    };
    let parent = parent.as_str();
    let join = |name: &str| match parent.rsplit(['.']).next() {
        Some("") | None => name.to_owned(),
        // The path may end with the very field that the message names.
        Some(last) if last == name => parent.to_owned(),
        Some(_) => format!("{parent}.{name}"),
    };
    let (field, code, message) = if text.starts_with("unknown field") {
        (join(&named()), "unknown_field", "is not a field of this request")
    } else if text.starts_with("missing field") {
        (join(&named()), "required", "is required")
    } else if text.starts_with("duplicate field") {
        (join(&named()), "duplicate", "is given more than once")
    } else {
        let field = if parent.is_empty() { "body" } else { parent };
        (field.to_owned(), "invalid_type", "is of the wrong type")
    };
    let (code, message) = (code.to_owned(), message.to_owned());
    Problem::invalid_fields(vec![FieldProblem { field, code, message }])
}

/// A segment of a path, with its index where it has one: `consents[0]`.
fn shown_segment(segment: &str) -> Cow<'_, str> {
    match segment.split_once('[') {
        Some((name, index)) if index.trim_end_matches(']').bytes().all(|b| b.is_ascii_digit()) => {
            Cow::Owned(format!("{}[{index}", shown_name(name)))
        }
        _ => shown_name(segment),
    }
}

/// A field's name as it may be repeated to whoever sent it: short, and of harmless signs.
fn shown_name(name: &str) -> Cow<'_, str> {
    let harmless = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if name.len() <= 64 && !name.is_empty() && name.chars().all(harmless) {
        Cow::Borrowed(name)
    } else {
        Cow::Borrowed("?")
    }
}

/// A JSON answer of that status.
pub(crate) struct Reply<const STATUS: u16, T>(pub T);

impl<const STATUS: u16, T: ToJSON> IntoResponse for Reply<STATUS, T> {
    fn into_response(self) -> Response {
        Response::builder()
            .status(StatusCode::from_u16(STATUS).unwrap_or(StatusCode::OK))
            .content_type("application/json")
            // Answers hold tokens, receipts and personal data.
            .header(header::CACHE_CONTROL, "no-store")
            .body(self.0.to_json_string())
    }
}

impl<const STATUS: u16, T: ToJSON> ApiResponse for Reply<STATUS, T> {
    fn meta() -> MetaResponses {
        MetaResponses {
            responses: vec![MetaResponse {
                description: match STATUS {
                    202 => "Accepted: what is to be sent will be sent.",
                    _ => "Done.",
                },
                status: Some(STATUS),
                status_range: None,
                content: vec![MetaMediaType {
                    content_type: "application/json",
                    schema: T::schema_ref(),
                }],
                headers: Vec::new(),
            }],
        }
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

/// An answer without content.
pub(crate) struct NoContent;

impl IntoResponse for NoContent {
    fn into_response(self) -> Response {
        Response::builder()
            .status(StatusCode::NO_CONTENT)
            .header(header::CACHE_CONTROL, "no-store")
            .finish()
    }
}

impl ApiResponse for NoContent {
    fn meta() -> MetaResponses {
        MetaResponses {
            responses: vec![MetaResponse {
                description: "Done; there is nothing to say.",
                status: Some(204),
                status_range: None,
                content: Vec::new(),
                headers: Vec::new(),
            }],
        }
    }

    fn register(_: &mut Registry) {}
}

/// A string that is a secret: wiped when dropped, and without a `Debug` that shows it.
pub(crate) struct Secret(Zeroizing<String>);

impl Secret {
    /// The secret.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// Hands the secret on.
    pub(crate) fn into_inner(self) -> Zeroizing<String> {
        self.0
    }
}

impl From<Zeroizing<String>> for Secret {
    fn from(secret: Zeroizing<String>) -> Self {
        Self(secret)
    }
}

impl From<&str> for Secret {
    fn from(secret: &str) -> Self {
        Self(Zeroizing::new(secret.to_owned()))
    }
}

impl<'de> serde::Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|secret| Self(Zeroizing::new(secret)))
    }
}

impl Type for Secret {
    const IS_REQUIRED: bool = true;
    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> Cow<'static, str> {
        "string_password".into()
    }

    fn schema_ref() -> MetaSchemaRef {
        MetaSchemaRef::Inline(Box::new(MetaSchema::new_with_format("string", "password")))
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
        Box::new(std::iter::once(self))
    }
}

impl ToJSON for Secret {
    fn to_json(&self) -> Option<serde_json::Value> {
        Some(serde_json::Value::String(self.expose().to_owned()))
    }
}

impl poem_openapi::types::ParseFromJSON for Secret {
    fn parse_from_json(value: Option<serde_json::Value>) -> poem_openapi::types::ParseResult<Self> {
        match value {
            Some(serde_json::Value::String(secret)) => Ok(Self(Zeroizing::new(secret))),
            _ => Err(poem_openapi::types::ParseError::expected_input()),
        }
    }
}

/// The bearer token of a request (RFC 6750 §2.1).
pub(crate) fn bearer(request: &Request) -> Option<Zeroizing<String>> {
    request
        .headers()
        .typed_get::<poem::web::headers::Authorization<poem::web::headers::authorization::Bearer>>()
        .map(|header| Zeroizing::new(header.token().to_owned()))
}

/// A header value of text that is known to be fit for one.
pub(crate) fn header_value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}
