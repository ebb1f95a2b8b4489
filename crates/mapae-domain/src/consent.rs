//! What a person agreed to, or refused.

use crate::contact::Channel;
use crate::invalid::InvalidValue;
use crate::time::Timestamp;

/// Greatest length of a document's name and of its version, in bytes.
const MAX_LENGTH: usize = 64;

/// One version of a text that people are asked to agree to, such as `terms` of `2026-11-01`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ConsentDocument {
    name: String,
    version: String,
}

impl ConsentDocument {
    /// The document `name` in its version `version`: both of ASCII letters, digits, `.`, `_`, `-`.
    ///
    /// # Errors
    /// [`InvalidValue::Required`], `TooLong` over 64 bytes, or `Malformed`.
    pub fn parse(name: &str, version: &str) -> Result<Self, InvalidValue> {
        for part in [name, version] {
            if part.is_empty() {
                return Err(InvalidValue::Required);
            }
            if part.len() > MAX_LENGTH {
                return Err(InvalidValue::TooLong { max: MAX_LENGTH });
            }
            if !part.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)) {
                return Err(InvalidValue::Malformed);
            }
        }
        Ok(Self { name: name.to_owned(), version: version.to_owned() })
    }

    /// The document's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The version that was shown.
    pub fn version(&self) -> &str {
        &self.version
    }
}

/// One decision of a person about one document. Decisions are added, never changed: the latest one
/// of a document counts, and the history is what shows that it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// What was asked.
    pub document: ConsentDocument,
    /// Whether the person agreed.
    pub accepted: bool,
    /// When the person decided.
    pub decided_at: Timestamp,
    /// The channel that the decision speaks of, for consents to messages; `None` for others.
    pub channel: Option<Channel>,
}
