use std::fmt;

use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroizing;

use crate::invalid::InvalidValue;

/// Passwords that are guessed first: lower case, sorted, one a line. `data/README.md` says whose.
static COMMON: &str = include_str!("../../data/common-passwords.txt");

/// What a password must be. There are no composition rules (NIST SP 800-63B-4 §3.1.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordPolicy {
    /// Least number of characters.
    pub min_length: usize,
}

impl PasswordPolicy {
    /// Greatest number of characters: bounds the work of hashing, not the choice of people.
    pub const MAX_LENGTH: usize = 256;
    /// Between which numbers the least length can be set.
    pub const MIN_LENGTHS: std::ops::RangeInclusive<usize> = 8..=64;
}

impl Default for PasswordPolicy {
    fn default() -> Self {
        Self { min_length: 8 }
    }
}

/// A password, normalised to NFKC (NIST SP 800-63B-4 §3.1.1.2), so that it is the same one
/// whatever keyboard typed it.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

impl Password {
    /// Reads a password that somebody chooses.
    ///
    /// # Errors
    /// [`InvalidValue::Required`], `TooShort` or `TooLong` in characters after normalising, or
    /// `TooCommon`.
    pub fn choose(typed: &str, policy: PasswordPolicy) -> Result<Self, InvalidValue> {
        let password = Self::present(typed)?;
        let length = password.0.chars().count();
        if length < policy.min_length {
            return Err(InvalidValue::TooShort { min: policy.min_length });
        }
        if password.is_common() {
            return Err(InvalidValue::TooCommon);
        }
        Ok(password)
    }

    /// Reads a password that somebody shows to log in: whatever was allowed when it was chosen.
    ///
    /// # Errors
    /// [`InvalidValue::Required`], or `TooLong` where no password was ever that long.
    pub fn present(typed: &str) -> Result<Self, InvalidValue> {
        if typed.is_empty() {
            return Err(InvalidValue::Required);
        }
        let max = PasswordPolicy::MAX_LENGTH;
        // NFKC shortens, too: a decomposed syllable of Hangul has up to three characters of three
        // bytes. What is longer than that cannot come to `max` characters.
        if typed.len() > max * 16 {
            return Err(InvalidValue::TooLong { max });
        }
        let mut normal = Zeroizing::new(String::with_capacity(typed.len() * 3));
        normal.extend(typed.nfkc());
        if normal.chars().count() > max {
            return Err(InvalidValue::TooLong { max });
        }
        Ok(Self(normal))
    }

    fn is_common(&self) -> bool {
        let folded = Zeroizing::new(self.0.to_lowercase());
        is_listed(COMMON, &folded)
    }

    /// The normalised password, for the hasher and for nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// Whether `word` is a line of `list`, whose lines are sorted by byte.
fn is_listed(list: &str, word: &str) -> bool {
    let (mut low, mut high) = (0, list.len());
    while low < high {
        // Widen the middle to the line that it falls into.
        let middle = low + (high - low) / 2;
        let bytes = list.as_bytes();
        let start = bytes[..middle].iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        let end =
            bytes[middle..].iter().position(|b| *b == b'\n').map_or(list.len(), |at| middle + at);
        match bytes[start..end].cmp(word.as_bytes()) {
            std::cmp::Ordering::Equal => return true,
            std::cmp::Ordering::Less => low = end + 1,
            std::cmp::Ordering::Greater => high = start,
        }
    }
    false
}

/// A password's hash with its parameters and salt, as a PHC string or an older format that can
/// still be checked.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// The hash that was made or stored.
    pub fn from_stored(hash: impl Into<String>) -> Self {
        Self(hash.into())
    }

    /// The hash to store or to check against.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(typed: &str) -> Result<(), InvalidValue> {
        Password::choose(typed, PasswordPolicy::default()).map(drop)
    }

    #[test]
    fn any_script_and_any_length_up_to_256_is_fine() {
        for typed in
            ["correct horse battery", "비밀번호는길게해요", "        x       ", "🔑🗝️🔐🚪🏠🧿📿🪬"]
        {
            assert_eq!(choose(typed), Ok(()), "{typed}");
        }
        assert_eq!(choose(&"가".repeat(256)), Ok(()));
        assert_eq!(choose(&"가".repeat(257)), Err(InvalidValue::TooLong { max: 256 }));
        assert_eq!(choose(&"x".repeat(4_000)), Err(InvalidValue::TooLong { max: 256 }));
        assert_eq!(choose(&"x".repeat(100_000)), Err(InvalidValue::TooLong { max: 256 }));
    }

    #[test]
    fn length_is_counted_in_characters() {
        assert_eq!(choose("비밀번호는길"), Err(InvalidValue::TooShort { min: 8 }));
        assert_eq!(choose(""), Err(InvalidValue::Required));
    }

    #[test]
    fn one_password_is_the_same_from_every_keyboard() {
        let composed = Password::present("비밀번호1234").expect("a password");
        let decomposed: String = "비밀번호1234".nfd().collect();
        let decomposed = Password::present(&decomposed).expect("a password");
        let full_width = Password::present("비밀번호１２３４").expect("a password");
        assert_eq!(composed.expose(), decomposed.expose());
        assert_eq!(composed.expose(), full_width.expose());
    }

    #[test]
    fn a_common_password_is_refused_in_any_letter_case() {
        for typed in
            ["password", "PassWord", "qwertyuiop", "12345678", "1234567890", "１２３４５６７８"]
        {
            assert_eq!(choose(typed), Err(InvalidValue::TooCommon), "{typed}");
        }
    }

    #[test]
    fn every_line_of_the_list_is_found_and_it_is_long_enough() {
        let lines: Vec<&str> = COMMON.lines().collect();
        assert!(lines.len() >= 10_000, "{} lines", lines.len());
        assert!(lines.is_sorted(), "a binary search needs the list sorted");
        for line in lines {
            assert!(is_listed(COMMON, line), "{line} is not found");
        }
        for absent in ["", "\n", "correct horse battery", "zzzzzzzzzzzz", "!"] {
            assert!(!is_listed(COMMON, absent), "{absent:?} is found");
        }
    }
}
