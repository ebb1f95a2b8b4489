//! `[[consents]]`: the documents that people are asked to agree to.

use std::collections::BTreeMap;

use mapae_domain::consent::{AskedDocument, ConsentKind, ConsentText};
use mapae_domain::{ConsentDocument, ConsentPolicy, Locale};
use serde::{Deserialize, Serialize};

use super::ConfigError;

/// One document.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConsentConfig {
    /// The name that programs know it by.
    pub(crate) document: String,
    /// The version in force.
    pub(crate) version: String,
    /// Nobody signs up without it.
    #[serde(default)]
    pub(crate) required: bool,
    /// It is for advertising: confirmed by message, and reconfirmed.
    #[serde(default)]
    pub(crate) marketing: bool,
    /// What it is called, by language.
    pub(crate) title: BTreeMap<String, String>,
    /// Where it can be read, by language.
    #[serde(default)]
    pub(crate) url: BTreeMap<String, String>,
    /// What it says, by language.
    #[serde(default)]
    pub(crate) text: BTreeMap<String, String>,
}

/// Greatest length of a title and of a text, in characters.
const LONGEST_TITLE: usize = 100;
const LONGEST_TEXT: usize = 4_000;

impl ConsentConfig {
    fn asked(&self) -> Result<AskedDocument, ConfigError> {
        let name = &self.document;
        let invalid = |why: &str| ConfigError::Invalid(format!("consents: {why}"));
        let of_document = |why: &str| invalid(&format!("the document {name} {why}"));
        let document = ConsentDocument::parse(&self.document, &self.version).map_err(|_| {
            invalid("document and version must have 1 to 64 letters, digits, `.`, `_`, `-`")
        })?;
        if name == AskedDocument::AGE {
            return Err(of_document("is asked by registration.minimum_age"));
        }
        let given = [("title", &self.title), ("url", &self.url), ("text", &self.text)];
        for (key, by_language) in given {
            for (language, value) in by_language {
                if Locale::ALL.iter().all(|locale| locale.as_str() != language) {
                    return Err(of_document(&format!(
                        "has a {key} in a language other than ko or en"
                    )));
                }
                let longest = if key == "title" { LONGEST_TITLE } else { LONGEST_TEXT };
                if value.trim().is_empty() || value.chars().count() > longest {
                    let why =
                        format!("has a {key} that is empty or longer than {longest} characters");
                    return Err(of_document(&why));
                }
                let is_link = value.starts_with("https://") || value.starts_with("http://");
                if key == "url" && (!is_link || value.contains(char::is_whitespace)) {
                    return Err(of_document(
                        "has a url that begins neither with https:// nor with http://",
                    ));
                }
                if key == "title" && value.contains(char::is_control) {
                    return Err(of_document("has a title of more than one line"));
                }
                if key != "title" && !self.title.contains_key(language) {
                    return Err(of_document(&format!("has a {key}, but no title, in {language}")));
                }
            }
        }
        let text = |locale: Locale| {
            let language = locale.as_str();
            let title = self.title.get(language)?.clone();
            let (url, text) = (self.url.get(language), self.text.get(language));
            Some((locale, ConsentText { title, url: url.cloned(), text: text.cloned() }))
        };
        Ok(AskedDocument {
            document,
            kind: if self.marketing { ConsentKind::Marketing } else { ConsentKind::Agreement },
            required: self.required,
            texts: Locale::ALL.into_iter().filter_map(text).collect(),
        })
    }
}

/// The documents that people are asked about, and their age where `minimum_age` is given.
pub(crate) fn policy(
    consents: &[ConsentConfig],
    minimum_age: Option<u8>,
) -> Result<ConsentPolicy, ConfigError> {
    if minimum_age.is_some_and(|years| !(1..=99).contains(&years)) {
        return Err(ConfigError::Invalid(
            "registration.minimum_age must be between 1 and 99 years".to_owned(),
        ));
    }
    let mut documents = consents.iter().map(ConsentConfig::asked).collect::<Result<Vec<_>, _>>()?;
    documents.extend(minimum_age.map(AskedDocument::age));
    ConsentPolicy::new(documents).map_err(|why| ConfigError::Invalid(format!("consents: {why}")))
}
