use std::borrow::Cow;
use std::time::Duration;

/// A guard cannot be built so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidGuard {
    /// The issuer, or where its keys are, is no `https://…` or `http://…`, or ends with a slash.
    #[error(
        "the issuer and the address of its keys must be https://… (or http://…) without a slash at their end"
    )]
    Address,
    /// The leeway is more than a minute: Mapae keeps the keys that it has replaced no longer.
    #[error("the leeway must be a minute at the most")]
    Leeway,
    /// A certificate is none.
    #[error("the certificates are no PEM")]
    Certificates,
}

/// Why a request is not let through. Never the token's own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GuardError {
    /// It shows no bearer token.
    #[error("a bearer token is needed")]
    Missing,
    /// Its token is not good, or not any more.
    #[error("the token is not good, or not any more")]
    Invalid,
    /// Its token is good, and its user lacks the role that is asked for.
    #[error("the user does not have the role")]
    LacksRole,
    /// Its token is good, and its user has not proved the contact that is asked for.
    #[error("the user has not proved to hold the contact")]
    NotVerified,
    /// Whether it is good cannot be said: Mapae does not answer.
    #[error("the issuer of the token does not answer")]
    Unavailable,
}

impl GuardError {
    /// The HTTP status.
    pub const fn status(self) -> u16 {
        match self {
            Self::Missing | Self::Invalid => 401,
            Self::LacksRole | Self::NotVerified => 403,
            Self::Unavailable => 503,
        }
    }

    /// The kind of problem, for programs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Missing | Self::Invalid => "unauthenticated",
            Self::LacksRole => "role_required",
            Self::NotVerified => "verified_contact_required",
            Self::Unavailable => "unavailable",
        }
    }

    /// `WWW-Authenticate` (RFC 6750 §3): whoever shows no token is told no error.
    pub const fn challenge(self) -> Option<&'static str> {
        match self {
            Self::Missing => Some("Bearer"),
            Self::Invalid => Some("Bearer error=\"invalid_token\""),
            Self::LacksRole | Self::NotVerified => Some("Bearer error=\"insufficient_scope\""),
            Self::Unavailable => None,
        }
    }

    /// After how long it is worth asking again (`Retry-After`), where it is.
    pub const fn retry_after(self) -> Option<Duration> {
        match self {
            Self::Unavailable => Some(Duration::from_secs(1)),
            _ => None,
        }
    }

    /// The answer's body: `application/problem+json` (RFC 9457).
    pub fn problem(self) -> String {
        let (status, code) = (self.status(), self.code());
        let title = match status {
            401 => "Unauthorized",
            403 => "Forbidden",
            _ => "Service Unavailable",
        };
        let detail: Cow<'_, str> = self.to_string().into();
        // None of it needs escaping: all of it is ours.
        format!(
            "{{\"type\":\"urn:mapae:problem:{code}\",\"title\":\"{title}\",\"status\":{status},\
             \"code\":\"{code}\",\"detail\":\"{detail}\"}}"
        )
    }
}
