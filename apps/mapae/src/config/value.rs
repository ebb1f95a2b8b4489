//! What single values have to be, and where secret ones come from.

use mapae_http::Network;
use zeroize::Zeroizing;

use super::{ConfigError, Mode};

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
