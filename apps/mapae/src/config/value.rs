//! What single values have to be, and where secret ones come from.

use mapae_http::Network;
use serde::Serializer;
use zeroize::Zeroizing;

use super::{ConfigError, Mode};

/// Whether a variable, less `MAPAE_`, is one by which Kubernetes tells a container of a service whose name
/// begins with ours: `MAPAE_SERVICE_HOST`, `MAPAE_PORT`, `MAPAE_AUTH_PORT_80_TCP_ADDR`. No setting looks
/// like that.
pub(super) fn is_of_a_service_beside(key: &str) -> bool {
    let key = format!("_{}", key.to_ascii_lowercase());
    let is_port = key.rsplit_once("_port").is_some_and(|(_, rest)| {
        let number = rest.strip_prefix('_').and_then(|rest| rest.chars().next());
        rest.is_empty() || number.is_some_and(|first| first.is_ascii_digit())
    });
    let is_service = key.ends_with("_service_host") || key.contains("_service_port");
    !key.contains("__") && (is_port || is_service)
}

/// Shows a server's URL without what is secret in it: whatever stands before the host, and parameters
/// where one of them is a password.
pub(super) fn without_password<S: Serializer>(url: &str, serializer: S) -> Result<S::Ok, S::Error> {
    let shown = match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://(set)@{host}"),
        _ => url.to_owned(),
    };
    match shown.split_once('?') {
        Some((address, parameters)) if parameters.to_lowercase().contains("pass") => {
            serializer.collect_str(&format_args!("{address}?(set)"))
        }
        _ => serializer.serialize_str(&shown),
    }
}

/// Reads networks.
pub(super) fn networks(key: &str, listed: &[String]) -> Result<Vec<Network>, ConfigError> {
    let parse = |text: &String| {
        Network::parse(text).map_err(|why| ConfigError::Invalid(format!("{key} {why}")))
    };
    listed.iter().map(parse).collect()
}

/// The variables that name a file, less `_FILE`, with what the file holds.
pub(super) fn secret_files() -> Result<Vec<(String, Zeroizing<String>)>, ConfigError> {
    let mut found = Vec::new();
    for (variable, path) in std::env::vars() {
        let named = variable.strip_prefix("MAPAE_").and_then(|rest| rest.strip_suffix("_FILE"));
        let Some(key) = named else { continue };
        let content = std::fs::read_to_string(&path)
            .map_err(|cause| ConfigError::SecretFile { variable: variable.clone(), cause })?;
        let content = Zeroizing::new(content);
        found.push((key.to_owned(), Zeroizing::new(content.trim_end().to_owned())));
    }
    Ok(found)
}

/// Sees that an origin is one (RFC 6454 §4): scheme, host and port, and nothing behind them.
pub(super) fn check_origin(key: &str, origin: &str, mode: Mode) -> Result<(), ConfigError> {
    let invalid = |text: &str| Err(ConfigError::Invalid(format!("{key} {text}")));
    let Ok(uri) = origin.parse::<poem::http::Uri>() else {
        return invalid("is no origin such as https://auth.example.com");
    };
    // A pattern would be no origin: each is meant as it stands.
    let is_pattern = uri.host().is_some_and(|host| host.contains('*'));
    let has_credentials = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
    let bare = uri.path() == "/" && uri.query().is_none() && !origin.ends_with('/');
    let scheme = uri.scheme_str().unwrap_or_default();
    if !matches!(scheme, "http" | "https")
        || uri.host().is_none()
        || has_credentials
        || is_pattern
        || !bare
    {
        return invalid(
            "is no origin such as https://auth.example.com: a scheme, a host, perhaps a port, and nothing behind them",
        );
    }
    if mode == Mode::Production && scheme != "https" {
        return invalid("must begin with https:// where mode = \"production\"");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_url_nothing_is_shown_that_is_secret() {
        for (url, shown) in [
            ("sqlite://data/mapae.db", "sqlite://data/mapae.db"),
            ("postgres://u:planted@db:5432/mapae", "postgres://(set)@db:5432/mapae"),
            (
                "postgres://u:pl@nted@db/mapae?sslmode=require",
                "postgres://(set)@db/mapae?sslmode=require",
            ),
            ("postgres://db/mapae?user=u&password=planted", "postgres://db/mapae?(set)"),
            ("postgres://db/mapae?PASSWORD=planted", "postgres://db/mapae?(set)"),
            ("postgres://u:planted?@db/mapae", "postgres://(set)@db/mapae"),
        ] {
            let json = without_password(url, serde_json::value::Serializer).expect("a text");
            assert_eq!(json, shown);
        }
    }

    #[test]
    fn what_kubernetes_tells_of_services_is_no_setting_and_no_setting_looks_like_it() {
        for told in [
            "SERVICE_HOST",
            "SERVICE_PORT",
            "SERVICE_PORT_HTTP",
            "PORT",
            "PORT_8080_TCP",
            "PORT_8080_TCP_ADDR",
            "AUTH_SERVICE_HOST",
            "PORTAL_PORT_80_TCP_ADDR",
            "AUTH_PORT_80_TCP_PROTO",
        ] {
            assert!(is_of_a_service_beside(told), "{told}");
        }
        for setting in ["MODE", "SECRET", "MAIL__SMTP__PORT", "TRACES__SERVICE_NAME", "PORTS"] {
            assert!(!is_of_a_service_beside(setting), "{setting}");
        }
    }
}
