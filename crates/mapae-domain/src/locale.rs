//! The languages that Mapae writes to people in.

use crate::invalid::InvalidValue;

/// A language of messages and pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Locale {
    /// Korean.
    Ko,
    /// English, where nothing else is asked for.
    #[default]
    En,
}

impl Locale {
    /// Every locale, in the order in which they are offered.
    pub const ALL: [Self; 2] = [Self::Ko, Self::En];

    /// The primary language subtag (BCP 47).
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ko => "ko",
            Self::En => "en",
        }
    }

    /// Reads a language tag by its primary subtag: `ko`, `ko-KR` and `KO_kr` are all Korean.
    ///
    /// # Errors
    /// [`InvalidValue::UnknownValue`] for a language that Mapae does not write.
    pub fn parse(tag: &str) -> Result<Self, InvalidValue> {
        let primary = tag.trim().split(['-', '_']).next().unwrap_or_default();
        Self::ALL
            .into_iter()
            .find(|locale| primary.eq_ignore_ascii_case(locale.as_str()))
            .ok_or(InvalidValue::UnknownValue)
    }

    /// The locale that an `Accept-Language` header (RFC 9110 §12.5.4) prefers among ours.
    ///
    /// Languages that are not ours are passed over; `None` where none is left.
    pub fn preferred(accept_language: &str) -> Option<Self> {
        let mut best: Option<(Self, f32)> = None;
        for part in accept_language.split(',') {
            let mut fields = part.split(';');
            let Some(Ok(locale)) = fields.next().map(Self::parse) else { continue };
            let weight = fields
                .find_map(|field| field.trim().strip_prefix("q="))
                .map_or(1.0, |q| q.trim().parse::<f32>().unwrap_or(0.0));
            if weight > 0.0 && best.is_none_or(|(_, best)| weight > best) {
                best = Some((locale, weight));
            }
        }
        best.map(|(locale, _)| locale)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_language_prefers_the_greatest_weight_among_ours() {
        let table = [
            ("ko", Some(Locale::Ko)),
            ("ko-KR,ko;q=0.9,en-US;q=0.8", Some(Locale::Ko)),
            ("en-GB, ko;q=0.9", Some(Locale::En)),
            ("fr, ko;q=0.4, en;q=0.5", Some(Locale::En)),
            ("ko;q=0, en;q=0.1", Some(Locale::En)),
            ("fr, de", None),
            ("", None),
            ("ko;q=nonsense", None),
        ];
        for (header, expected) in table {
            assert_eq!(Locale::preferred(header), expected, "{header}");
        }
    }
}
