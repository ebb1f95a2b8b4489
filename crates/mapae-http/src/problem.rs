//! The one shape of every error (RFC 9457), and how each operation documents its own.

use std::borrow::Cow;
use std::marker::PhantomData;
use std::time::Duration;

use mapae_application::error::{FieldError, Unavailable};
use mapae_application::ports::StoreError;
use mapae_domain::Timestamp;
use poem::http::{HeaderValue, StatusCode, header};
use poem::{IntoResponse, Response};
use poem_openapi::payload::Payload;
use poem_openapi::registry::{MetaMediaType, MetaResponse, MetaResponses, MetaSchemaRef, Registry};
use poem_openapi::types::{Example, ToJSON, Type};
use poem_openapi::{ApiResponse, Object};

use crate::payload::header_value;
use crate::time::rfc3339;

/// The media type of RFC 9457 §3.
const PROBLEM_JSON: &str = "application/problem+json";

/// How long to wait before asking again when something that Mapae rests on failed.
const RETRY_WHEN_UNAVAILABLE: Duration = Duration::from_secs(1);

/// What is wrong with one field of a request.
#[derive(Debug, Clone, PartialEq, Eq, Object)]
pub(crate) struct FieldProblem {
    /// The field, as a path into the request's body: `email`, `consents[0].document`.
    pub field: String,
    /// What is wrong, for programs: `required`, `malformed`, `too_short`, `unknown_field`, ….
    pub code: String,
    /// What is wrong, for people. Never repeats the value.
    pub message: String,
}

/// What went wrong: RFC 9457, with members of Mapae's own.
#[derive(Debug, Clone, PartialEq, Eq, Object)]
#[oai(skip_serializing_if_is_none, example)]
pub(crate) struct Problem {
    /// The kind of problem, as a URI: `urn:mapae:problem:` and the code.
    #[oai(rename = "type")]
    pub kind: String,
    /// The status' own words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// The kind of problem, for programs: stable, one of those that the operation documents.
    pub code: String,
    /// What went wrong, for people. Never repeats what was sent.
    pub detail: String,
    /// What is wrong with which field, where fields are.
    pub errors: Option<Vec<FieldProblem>>,
    /// How many codes will still be compared, where a code did not match.
    pub attempts_left: Option<u8>,
    /// From when on another message may be asked for (RFC 3339, UTC), where this one came too
    /// early.
    #[oai(validator(pattern = "^[0-9TZ:.-]+$"))]
    pub resend_at: Option<String>,
    /// After how many seconds it is worth asking again. Also sent as the header `Retry-After`.
    pub retry_after: Option<u64>,
    /// The code of OAuth 2 (RFC 6749 §5.2), where the operation is one of its.
    pub error: Option<String>,
    /// What a 401 asks for.
    #[oai(skip)]
    pub challenge: Option<Cow<'static, str>>,
}

impl Example for Problem {
    fn example() -> Self {
        let fields = vec![FieldProblem {
            field: "email".to_owned(),
            code: "malformed".to_owned(),
            message: "does not have the right form".to_owned(),
        }];
        Self {
            errors: Some(fields),
            ..Self::new(StatusCode::BAD_REQUEST, "validation_failed", "Some fields are not valid.")
        }
    }
}

impl Problem {
    /// A problem of that status, code and text.
    pub(crate) fn new(status: StatusCode, code: &str, detail: &str) -> Self {
        Self {
            kind: format!("urn:mapae:problem:{code}"),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            code: code.to_owned(),
            detail: detail.to_owned(),
            errors: None,
            attempts_left: None,
            resend_at: None,
            retry_after: None,
            error: None,
            challenge: None,
        }
    }

    /// Says the code of OAuth 2 as well.
    #[must_use]
    pub(crate) fn oauth(mut self, error: &str) -> Self {
        self.error = Some(error.to_owned());
        self
    }

    /// Says what a 401 asks for, where it is not just any bearer token.
    #[must_use]
    pub(crate) fn challenge(mut self, challenge: impl Into<Cow<'static, str>>) -> Self {
        self.challenge = Some(challenge.into());
        self
    }

    /// Fields that hold what they cannot.
    pub(crate) fn invalid(errors: &[FieldError]) -> Self {
        let errors = errors.iter().map(|error| FieldProblem {
            field: error.field.to_string(),
            code: error.reason.code().to_owned(),
            message: error.reason.to_string(),
        });
        Self::invalid_fields(errors.collect())
    }

    /// Fields that hold what they cannot, in the words of whoever found it.
    pub(crate) fn invalid_fields(errors: Vec<FieldProblem>) -> Self {
        let detail = "Some fields are not valid.";
        Self {
            errors: Some(errors),
            ..Self::new(StatusCode::BAD_REQUEST, "validation_failed", detail)
        }
    }

    /// A field that must be there and is not.
    pub(crate) fn required(field: &str) -> Self {
        let (field, code) = (field.to_owned(), "required".to_owned());
        let message = "is required".to_owned();
        Self::invalid_fields(vec![FieldProblem { field, code, message }])
    }

    /// A field that holds none of the values that it may.
    pub(crate) fn unknown_value(field: &str) -> Self {
        let (field, code) = (field.to_owned(), "unknown_value".to_owned());
        let message = "is not one of the allowed values".to_owned();
        Self::invalid_fields(vec![FieldProblem { field, code, message }])
    }

    /// There is no such thing, or not for this caller.
    pub(crate) fn not_found(code: &str, detail: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, detail)
    }

    /// A contact has had its messages for now.
    pub(crate) fn contact_sends_exhausted(now: Timestamp, retry_at: Timestamp) -> Self {
        let detail = "This contact has had as many messages as it may for now.";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "contact_send_limit", detail)
            .retry_after(now.until(retry_at))
    }

    /// Something of an account was changed too often lately.
    pub(crate) fn too_many_changes(now: Timestamp, retry_at: Timestamp) -> Self {
        let detail = "This was changed as often as it may be for now.";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_changes", detail)
            .retry_after(now.until(retry_at))
    }

    /// An idempotency key that came with another request before.
    pub(crate) fn idempotency_key_reused() -> Self {
        let detail = "The Idempotency-Key was used for a different request before.";
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused", detail)
    }

    /// Something that Mapae rests on failed. The cause goes to the log, not to the caller.
    pub(crate) fn unavailable(error: &Unavailable) -> Self {
        let retry_after = match error {
            Unavailable::Overloaded { retry_after } => {
                tracing::warn!("request refused: too many passwords wait to be hashed");
                let detail = "There is more to do than can be done now. Please try again.";
                return Self::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", detail)
                    .retry_after(*retry_after);
            }
            Unavailable::Store(StoreError::Corrupt(_)) | Unavailable::Signing(_) => None,
            Unavailable::Store(_) | Unavailable::Hasher => Some(RETRY_WHEN_UNAVAILABLE),
        };
        tracing::error!(error = error as &dyn std::error::Error, "request failed");
        match retry_after {
            Some(after) => {
                let detail = "The service cannot answer now. Please try again.";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail).retry_after(after)
            }
            None => Self::internal(),
        }
    }

    /// A fault of Mapae's own.
    pub(crate) fn internal() -> Self {
        let detail = "Something went wrong on our side.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", detail)
    }

    /// Says after how long it is worth asking again: whole seconds, rounded up, at least one.
    #[must_use]
    pub(crate) fn retry_after(mut self, after: Duration) -> Self {
        let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
        self.retry_after = Some(seconds.max(1));
        self
    }

    /// Says from when on another message may be asked for.
    #[must_use]
    pub(crate) fn resend_at(mut self, now: Timestamp, at: Timestamp) -> Self {
        self.resend_at = Some(rfc3339(at));
        self.retry_after(now.until(at))
    }

    /// Says how many codes will still be compared.
    #[must_use]
    pub(crate) fn attempts_left(mut self, left: u8) -> Self {
        self.attempts_left = Some(left);
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = Response::builder()
            .status(status)
            .content_type(PROBLEM_JSON)
            .header(header::CACHE_CONTROL, "no-store")
            .body(self.to_json_string());
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            let challenge = self.challenge.as_deref().unwrap_or("Bearer realm=\"mapae\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, header_value(challenge));
        }
        response
    }
}

impl From<Problem> for poem::Error {
    fn from(problem: Problem) -> Self {
        Self::from_response(problem.into_response())
    }
}

/// The problems that an operation documents: status and codes.
pub(crate) trait Documents: Send + Sync + 'static {
    /// Each status with its codes.
    const PROBLEMS: &'static [(u16, &'static str)];
}

/// Declares the problems of an operation, by status, beyond those that every operation has.
macro_rules! problems {
    ($($(#[$doc:meta])* $name:ident { $($status:literal: $codes:literal,)* })*) => {$(
        $(#[$doc])*
        pub(crate) struct $name;

        impl $crate::problem::Documents for $name {
            const PROBLEMS: &'static [(u16, &'static str)] = &[$(($status, $codes)),*];
        }
    )*};
}
pub(crate) use problems;

/// What every operation can answer.
const COMMON: &[(u16, &str)] = &[
    (500, "`internal_error`: a fault of the service's own."),
    (503, "`unavailable` or `overloaded`: worth asking again after `Retry-After`."),
];

/// A problem as the answer of an operation that documents `D`.
pub(crate) struct Failure<D>(Problem, PhantomData<D>);

impl<D> From<Problem> for Failure<D> {
    fn from(problem: Problem) -> Self {
        Self(problem, PhantomData)
    }
}

impl<D: Documents> From<Failure<D>> for poem::Error {
    fn from(failure: Failure<D>) -> Self {
        // A status that the document does not know would be a broken promise to every client.
        debug_assert!(
            D::PROBLEMS.iter().chain(COMMON).any(|(status, _)| *status == failure.0.status),
            "status {} ({}) is not documented",
            failure.0.status,
            failure.0.code
        );
        failure.0.into()
    }
}

/// Writes the media type of problems into the document.
struct ProblemJson;

impl Payload for ProblemJson {
    const CONTENT_TYPE: &'static str = PROBLEM_JSON;

    fn check_content_type(content_type: &str) -> bool {
        content_type == PROBLEM_JSON
    }

    fn schema_ref() -> MetaSchemaRef {
        Problem::schema_ref()
    }
}

impl<D: Documents> ApiResponse for Failure<D> {
    fn meta() -> MetaResponses {
        let response = |(status, description): &(u16, &'static str)| MetaResponse {
            description,
            status: Some(*status),
            status_range: None,
            content: vec![MetaMediaType {
                content_type: ProblemJson::CONTENT_TYPE,
                schema: ProblemJson::schema_ref(),
            }],
            headers: Vec::new(),
        };
        MetaResponses { responses: D::PROBLEMS.iter().chain(COMMON).map(response).collect() }
    }

    fn register(registry: &mut Registry) {
        Problem::register(registry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_much_to_hash_is_a_503_that_says_when_to_come_back() {
        let retry_after = Duration::from_millis(1_200);
        let problem = Problem::unavailable(&Unavailable::Overloaded { retry_after });
        assert_eq!((problem.status, problem.code.as_str()), (503, "overloaded"));
        let response = problem.into_response();
        assert_eq!(response.headers()[header::RETRY_AFTER], "2", "rounded up");
        assert_eq!(response.headers()[header::CONTENT_TYPE], PROBLEM_JSON);
    }

    #[test]
    fn the_cause_of_a_failure_stays_with_us() {
        let cause = "password=planted at /var/lib/secret".into();
        for error in [
            Unavailable::Store(StoreError::Unavailable(cause)),
            Unavailable::Store(StoreError::Corrupt("planted")),
            Unavailable::Store(StoreError::Stale),
            Unavailable::Hasher,
        ] {
            let problem = Problem::unavailable(&error);
            assert!(matches!(problem.status, 500 | 503));
            assert!(!problem.to_json_string().contains("planted"));
        }
    }
}
