//! What the framework itself answers, brought into the one shape.

use poem::error::{CorsError, MethodNotAllowedError, NotFoundError, ParsePathError, ReadBodyError};
use poem::http::StatusCode;
use poem::{Error, IntoResponse, Response};
use poem_openapi::error::{ContentTypeError, ParseParamError, ParseRequestPayloadError};

use crate::problem::{FieldProblem, Problem};

/// Answers an error that no operation has answered. The framework's own words go nowhere: they
/// repeat what was sent.
pub(crate) fn answer(error: Error) -> Response {
    if error.is_from_response() {
        return error.into_response();
    }
    problem(&error).into_response()
}

fn problem(error: &Error) -> Problem {
    if error.is::<NotFoundError>() || error.is::<ParsePathError>() {
        return Problem::not_found("not_found", "There is nothing here.");
    }
    if error.is::<MethodNotAllowedError>() {
        let detail = "This resource does not take that method.";
        return Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail);
    }
    if error.is::<ContentTypeError>() {
        let detail = "The request's body must be JSON: `Content-Type: application/json`.";
        let code = "unsupported_media_type";
        return Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, code, detail);
    }
    if let Some(parameter) = error.downcast_ref::<ParseParamError>() {
        return Problem::invalid_fields(vec![FieldProblem {
            field: parameter.name.to_string(),
            code: "malformed".to_owned(),
            message: "does not have the right form".to_owned(),
        }]);
    }
    if error.is::<ParseRequestPayloadError>() || error.is::<ReadBodyError>() {
        let detail = "The request's body cannot be read.";
        return Problem::new(StatusCode::BAD_REQUEST, "malformed_json", detail);
    }
    if error.is::<CorsError>() {
        let detail = "Requests from this origin are not allowed.";
        return Problem::new(StatusCode::FORBIDDEN, "origin_not_allowed", detail);
    }
    match error.status() {
        status if status.is_client_error() => {
            Problem::new(status, "bad_request", "The request cannot be answered.")
        }
        _ => {
            tracing::error!(status = error.status().as_u16(), "unexpected framework error");
            Problem::internal()
        }
    }
}
