//! Tokens in cookies, for web pages: where they are kept, and what keeps other sites from using
//! them.
//!
//! A browser sends a cookie along whoever made it ask. So a request that shows its token in a cookie
//! and changes something must come from a page of ours (ASVS 5.0 3.5.1): that is seen by
//! `Sec-Fetch-Site` and `Origin`, which no page can forge, and, where a browser sends neither, by a
//! token that only a page that reads our answers can know. A request with an `Authorization` header
//! needs none of it: no browser adds that by itself.

use std::sync::Arc;
use std::time::Duration;

use mapae_application::Application;
use mapae_domain::SessionId;
use poem::http::{HeaderValue, StatusCode, header};
use poem::{FromRequest, Request, RequestBody, Response};
use zeroize::Zeroizing;

use crate::problem::Problem;

/// The header in which a page shows the token that it was given with its cookies.
pub(crate) const CSRF_HEADER: &str = "X-CSRF-Token";

/// The longest token that is read from a cookie, in bytes: what a browser keeps.
const MAX_COOKIE: usize = 4_096;

/// What cookies are called and by which pages they may be used.
#[derive(Debug, Clone)]
pub(crate) struct CookiePolicy {
    /// Whether people reach the service by HTTPS: then a browser holds cookies to their prefixes
    /// (RFC 6265bis §4.1.3).
    secure: bool,
    /// The service's own origin, and those of the pages that may use its cookies.
    origins: Arc<[String]>,
}

impl CookiePolicy {
    pub(crate) fn new(origin: &str, allowed: &[String]) -> Self {
        let origins = std::iter::once(origin).chain(allowed.iter().map(String::as_str));
        Self {
            secure: origin.starts_with("https://"),
            origins: origins.map(as_browsers_write_it).collect(),
        }
    }

    /// The cookie of the access token: for this host alone, on every path.
    const fn access(&self) -> &'static str {
        if self.secure { "__Host-mapae_access" } else { "mapae_access" }
    }

    /// The cookie of the refresh token, which goes to [`REFRESH_PATH`] alone.
    const fn refresh(&self) -> &'static str {
        if self.secure { "__Secure-mapae_refresh" } else { "mapae_refresh" }
    }

    fn cookie(&self, name: &str, value: &str, path: &str, lives: Duration) -> HeaderValue {
        let (seconds, secure) = (lives.as_secs(), if self.secure { "; Secure" } else { "" });
        let cookie = format!(
            "{name}={value}; Path={path}; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}"
        );
        // A token is base64url with dots; nothing else here comes from anywhere.
        let mut cookie =
            HeaderValue::from_str(&cookie).unwrap_or_else(|_| HeaderValue::from_static(""));
        cookie.set_sensitive(true);
        cookie
    }

    fn knows(&self, origin: &str) -> bool {
        self.origins.iter().any(|known| known == origin)
    }

    fn of(request: &Request) -> Result<&Self, Problem> {
        request.data::<Self>().ok_or_else(Problem::internal)
    }
}

/// An origin in the form in which browsers send it (RFC 6454 §6.2): in small letters, without the
/// scheme's own port.
pub(crate) fn as_browsers_write_it(origin: &str) -> String {
    let origin = origin.to_ascii_lowercase();
    let own_port = if origin.starts_with("https://") { ":443" } else { ":80" };
    origin.strip_suffix(own_port).map_or(origin.clone(), str::to_owned)
}

/// Where the refresh token is sent to, and nowhere else.
const REFRESH_PATH: &str = "/v1/tokens";

/// How an answer hands tokens over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    /// In its body.
    Body,
    /// As cookies.
    Cookie,
}

impl Transport {
    /// The transport that a request asks for; in the body where it does not say.
    ///
    /// # Errors
    /// `validation_failed` for any other name.
    pub(crate) fn parse(name: Option<&str>) -> Result<Self, Problem> {
        match name {
            None | Some("body") => Ok(Self::Body),
            Some("cookie") => Ok(Self::Cookie),
            Some(_) => Err(Problem::unknown_value("transport")),
        }
    }
}

/// The cookies of a request, and from where its browser says that it comes.
pub(crate) struct Cookies {
    policy: CookiePolicy,
    access: Option<Zeroizing<String>>,
    refresh: Option<Zeroizing<String>>,
    origin: Option<String>,
    site: Option<String>,
    csrf_token: Option<String>,
}

impl<'a> FromRequest<'a> for Cookies {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> poem::Result<Self> {
        Ok(Self::read(request)?)
    }
}

impl Cookies {
    pub(crate) fn read(request: &Request) -> Result<Self, Problem> {
        let policy = CookiePolicy::of(request)?.clone();
        let text = |name: &str| {
            let value = request.headers().get(name)?;
            // What cannot be read is there all the same.
            Some(value.to_str().unwrap_or("?").to_owned())
        };
        Ok(Self {
            access: cookie(request, policy.access()),
            refresh: cookie(request, policy.refresh()),
            origin: text("origin"),
            site: text("sec-fetch-site"),
            csrf_token: text(CSRF_HEADER),
            policy,
        })
    }

    /// The access token in its cookie.
    pub(crate) fn access(&self) -> Option<&str> {
        self.access.as_ref().map(|token| token.as_str())
    }

    /// The refresh token in its cookie.
    pub(crate) fn refresh(&self) -> Option<&str> {
        self.refresh.as_ref().map(|token| token.as_str())
    }

    /// Whether a browser says that a page of ours asks; `None` where it does not say.
    fn is_of_ours(&self) -> Option<bool> {
        let origin = self.origin.as_deref().map(|origin| self.policy.knows(origin));
        match (self.site.as_deref(), origin) {
            // `none`: a person did, by the address bar or a bookmark.
            (Some("same-origin" | "none"), _) => Some(true),
            (Some(_), origin) => Some(origin.unwrap_or(false)),
            (None, origin) => origin,
        }
    }

    /// Sees that a page of ours asks to change something by a session's cookies.
    ///
    /// # Errors
    /// `csrf_refused`.
    pub(crate) fn check_change(
        &self,
        application: &Application,
        session: SessionId,
    ) -> Result<(), Problem> {
        let shown = self.csrf_token.as_deref();
        let knows = || shown.is_some_and(|shown| application.is_csrf_token(session, shown));
        if self.is_of_ours().unwrap_or_else(knows) { Ok(()) } else { Err(refused()) }
    }

    /// Sees that no other site asks for cookies: else it could log somebody in as somebody else.
    ///
    /// # Errors
    /// `csrf_refused`.
    pub(crate) fn check_log_in(&self) -> Result<(), Problem> {
        if self.is_of_ours().unwrap_or(true) { Ok(()) } else { Err(refused()) }
    }

    /// Puts tokens into an answer's cookies.
    pub(crate) fn set(
        &self,
        response: &mut Response,
        access: (&str, Duration),
        refresh: (&str, Duration),
    ) {
        let policy = &self.policy;
        for cookie in [
            policy.cookie(policy.access(), access.0, "/", access.1),
            policy.cookie(policy.refresh(), refresh.0, REFRESH_PATH, refresh.1),
        ] {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }

    /// Has the browser forget both tokens.
    pub(crate) fn clear(&self, response: &mut Response) {
        self.set(response, ("", Duration::ZERO), ("", Duration::ZERO));
    }
}

fn refused() -> Problem {
    let detail = "A request with cookies must come from a page of this service, or show the \
                  csrf_token of its log-in in X-CSRF-Token.";
    Problem::new(StatusCode::FORBIDDEN, "csrf_refused", detail)
}

/// The cookie of that name (RFC 6265 §5.4). Where there are two, another host of the site has set one
/// (RFC 6265 §8.6), and neither is believed.
fn cookie(request: &Request, name: &str) -> Option<Zeroizing<String>> {
    let lines = request.headers().get_all(header::COOKIE).iter();
    let pairs = lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(';'));
    let mut found = pairs.filter_map(|pair| {
        let (known, value) = pair.trim().split_once('=')?;
        (known == name && !value.is_empty() && value.len() <= MAX_COOKIE).then_some(value)
    });
    let value = found.next()?;
    found.next().is_none().then(|| Zeroizing::new(value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(cookies: &[&str]) -> Request {
        let mut request = Request::builder();
        for line in cookies {
            request = request.header(header::COOKIE, *line);
        }
        request.finish()
    }

    #[test]
    fn a_cookie_is_found_among_others_and_two_of_one_name_are_none() {
        let find = |cookies: &[&str]| cookie(&request(cookies), "a").map(|value| value.to_string());
        for (cookies, found) in [
            (&["a=1"] as &[&str], Some("1")),
            (&["b=2; a=1; c=3"], Some("1")),
            (&["b=2", " a=1 "], Some("1")),
            (&["a=x=y"], Some("x=y")),
            (&["a=1; a=2"], None),
            (&["a=1", "a=1"], None),
            (&["A=1; aa=2; a"], None),
            (&["a="], None),
            (&[], None),
        ] {
            assert_eq!(find(cookies).as_deref(), found, "{cookies:?}");
        }
        assert_eq!(find(&[&format!("a={}", "x".repeat(MAX_COOKIE + 1))]), None);
    }

    #[test]
    fn an_origin_is_compared_as_browsers_write_it() {
        let policy = CookiePolicy::new(
            "https://Auth.Example.com:443",
            &["http://localhost:80".to_owned(), "https://app.example.com:8443".to_owned()],
        );
        for known in
            ["https://auth.example.com", "http://localhost", "https://app.example.com:8443"]
        {
            assert!(policy.knows(known), "{known}");
        }
        for unknown in ["https://app.example.com", "http://auth.example.com", "null", ""] {
            assert!(!policy.knows(unknown), "{unknown}");
        }
    }
}
