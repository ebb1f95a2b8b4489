use std::fmt;

use unicode_normalization::UnicodeNormalization as _;

use crate::invalid::InvalidValue;

/// A public name to log in with: unique whatever its letter case.
///
/// ASCII letters, digits, `.`, `_` and `-`, beginning with a letter, so that a username is never an
/// e-mail address nor a phone number and one field of a log-in form takes all three.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Username(String);

impl Username {
    /// Least and greatest number of characters.
    pub const LENGTHS: std::ops::RangeInclusive<usize> = 3..=32;

    /// Reads a username; its canonical form is lower case.
    ///
    /// # Errors
    /// [`InvalidValue::Required`], `TooShort`, `TooLong`, `Confusable` for letters beyond ASCII
    /// (each of which passes for another somewhere), or `Malformed`.
    pub fn parse(typed: &str) -> Result<Self, InvalidValue> {
        let typed = typed.trim();
        let length = typed.chars().count();
        if length == 0 {
            return Err(InvalidValue::Required);
        }
        if length > *Self::LENGTHS.end() {
            return Err(InvalidValue::TooLong { max: *Self::LENGTHS.end() });
        }
        if !typed.is_ascii() {
            return Err(InvalidValue::Confusable);
        }
        if !typed.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)) {
            return Err(InvalidValue::ForbiddenCharacter);
        }
        if length < *Self::LENGTHS.start() {
            return Err(InvalidValue::TooShort { min: *Self::LENGTHS.start() });
        }
        if typed.starts_with(|c: char| c.is_ascii_alphabetic()) {
            Ok(Self(typed.to_ascii_lowercase()))
        } else {
            Err(InvalidValue::Malformed)
        }
    }

    /// The username that was stored.
    pub fn from_stored(canonical: &str) -> Self {
        Self(canonical.to_owned())
    }

    /// The canonical form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Reads a name that is shown to people: any script, normalised to NFC, outer space trimmed, no
/// control, no invisible character and none that turns the direction of the text around it.
fn parse_shown(typed: &str, max: usize) -> Result<String, InvalidValue> {
    let typed = typed.trim();
    if typed.is_empty() {
        return Err(InvalidValue::Required);
    }
    // Four bytes a character at the most; what is longer is not worth normalising.
    if typed.len() > 16 * max {
        return Err(InvalidValue::TooLong { max });
    }
    let name: String = typed.nfc().collect();
    if name.chars().any(is_forbidden_in_names) {
        return Err(InvalidValue::ForbiddenCharacter);
    }
    if name.chars().count() > max {
        return Err(InvalidValue::TooLong { max });
    }
    Ok(name)
}

/// Controls, line and paragraph separators, zero-width and bidirectional signs, fillers, private
/// use and noncharacters. The zero-width joiner stays: emoji and some scripts need it.
fn is_forbidden_in_names(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}'
            | '\u{200b}' | '\u{200c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{ffff}' | '\u{e000}'..='\u{f8ff}' | '\u{e0000}'..='\u{10ffff}')
}

macro_rules! shown_names {
    ($($(#[$doc:meta])* $name:ident up to $max:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash)]
        pub struct $name(String);

        impl $name {
            /// Greatest number of characters.
            pub const MAX_LENGTH: usize = $max;

            /// Reads a name that is shown to people, in any script, normalised to NFC.
            ///
            /// # Errors
            /// [`InvalidValue::Required`], `TooLong`, or `ForbiddenCharacter` for controls and
            /// characters that nobody sees.
            pub fn parse(typed: &str) -> Result<Self, InvalidValue> {
                parse_shown(typed, Self::MAX_LENGTH).map(Self)
            }

            /// The name that was stored.
            pub fn from_stored(name: &str) -> Self {
                Self(name.to_owned())
            }

            /// The name.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        }
    )*};
}

shown_names! {
    /// What a user wants to be called; not unique.
    Nickname up to 40;
    /// A person's name, as one line, in whatever order their language puts it.
    PersonName up to 100;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_username_is_one_whatever_its_letter_case() {
        assert_eq!(Username::parse(" MinJi.Kim "), Username::parse("minji.kim"));
    }

    #[test]
    fn a_username_is_never_an_address_or_a_number() {
        use InvalidValue::{
            Confusable, ForbiddenCharacter, Malformed, Required, TooLong, TooShort,
        };
        let table = [
            ("", Required),
            ("ab", TooShort { min: 3 }),
            ("minji@example.com", ForbiddenCharacter),
            ("01012345678", Malformed),
            ("+821012345678", ForbiddenCharacter),
            ("_minji", Malformed),
            ("min ji", ForbiddenCharacter),
            ("m\u{131}nji", Confusable),
            ("\u{212a}im", Confusable),
            ("민지", Confusable),
            (&"a".repeat(33), TooLong { max: 32 }),
        ];
        for (typed, reason) in table {
            assert_eq!(Username::parse(typed), Err(reason), "{typed:?}");
        }
    }

    #[test]
    fn a_shown_name_takes_every_script_and_no_trickery() {
        for typed in ["민지", "김 민지", "Zoë", "Nguyễn Văn A", "👩‍💻 dev", "O'Neil"]
        {
            assert_eq!(Nickname::parse(typed).as_ref().map(Nickname::as_str), Ok(typed));
        }
        for typed in ["a\u{202e}b", "a\u{200b}b", "a\nb", "a\u{0}", "\u{3164}"] {
            assert_eq!(Nickname::parse(typed), Err(InvalidValue::ForbiddenCharacter), "{typed:?}");
        }
        assert_eq!(Nickname::parse(" \t"), Err(InvalidValue::Required));
        assert_eq!(Nickname::parse(&"가".repeat(41)), Err(InvalidValue::TooLong { max: 40 }));
        assert!(PersonName::parse(&"가".repeat(100)).is_ok());
        // Jamo that a Mac types become the syllables that everyone else types.
        assert_eq!(Nickname::parse("\u{1106}\u{1175}\u{11ab}"), Nickname::parse("민"));
    }
}
