//! Why a value that somebody sent is none.

/// The reason for which a value was refused.
///
/// One vocabulary for every field: [`InvalidValue::code`] is part of the HTTP contract, and the
/// message says what would be accepted. Neither ever repeats the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidValue {
    /// It is missing or empty, and needed.
    #[error("is required")]
    Required,
    /// It has fewer characters than allowed.
    #[error("must have at least {min} characters")]
    TooShort {
        /// The least number of characters.
        min: usize,
    },
    /// It has more characters than allowed.
    #[error("must have at most {max} characters")]
    TooLong {
        /// The greatest number of characters.
        max: usize,
    },
    /// It lists more than allowed.
    #[error("must list at most {max}")]
    TooMany {
        /// The greatest number of entries.
        max: usize,
    },
    /// It does not have the form of such a value.
    #[error("does not have the right form")]
    Malformed,
    /// It holds a control, invisible or otherwise forbidden character.
    #[error("contains a character that is not allowed")]
    ForbiddenCharacter,
    /// It holds characters that look like others and would pass for a different value.
    #[error("contains characters that can be mistaken for others")]
    Confusable,
    /// It is among the passwords that are guessed first.
    #[error("is too common, or known from a breach")]
    TooCommon,
    /// The number is no mobile number, so it can receive no SMS.
    #[error("is not a mobile number")]
    NotMobile,
    /// Nothing is sent to numbers of that country.
    #[error("is of a country that is not served")]
    CountryNotAllowed,
    /// It is none of the values that the field can have.
    #[error("is not one of the allowed values")]
    UnknownValue,
    /// It stands there twice, where once is meant.
    #[error("is given more than once")]
    Duplicate,
    /// It was right once, and another is by now.
    #[error("is of a version that is not in force")]
    Outdated,
    /// It contradicts another field of the same request.
    #[error("does not agree with the other fields")]
    Conflicting,
}

impl InvalidValue {
    /// The stable name of the reason, for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Required => "required",
            Self::TooShort { .. } => "too_short",
            Self::TooLong { .. } => "too_long",
            Self::TooMany { .. } => "too_many",
            Self::Malformed => "malformed",
            Self::ForbiddenCharacter => "forbidden_character",
            Self::Confusable => "confusable",
            Self::TooCommon => "too_common",
            Self::NotMobile => "not_mobile",
            Self::CountryNotAllowed => "country_not_allowed",
            Self::UnknownValue => "unknown_value",
            Self::Duplicate => "duplicate",
            Self::Outdated => "outdated",
            Self::Conflicting => "conflicting",
        }
    }
}
