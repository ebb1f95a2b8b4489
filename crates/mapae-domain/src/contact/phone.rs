use std::fmt;
use std::str::FromStr;

use phonenumber::country;

use crate::invalid::InvalidValue;

/// Greatest number of characters that a typed number may have, separators included.
const MAX_TYPED_LENGTH: usize = 40;

/// A country or territory whose numbering plan applies: an ISO 3166-1 alpha-2 code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Region(country::Id);

impl Region {
    /// The Republic of Korea.
    pub const KR: Self = Self(country::Id::KR);

    /// The region of that code.
    ///
    /// # Errors
    /// [`InvalidValue::UnknownValue`] where no numbering plan is known for it.
    pub fn parse(code: &str) -> Result<Self, InvalidValue> {
        country::Id::from_str(code).map(Self).map_err(|_| InvalidValue::UnknownValue)
    }

    /// The code, upper case.
    pub fn as_str(&self) -> &str {
        self.0.as_ref()
    }
}

/// A mobile phone number in E.164: `+821012345678`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PhoneNumber(String);

impl PhoneNumber {
    /// Reads a number as a person typed it; one without a country code is of `region`.
    ///
    /// `010-1234-5678`, `+82 10 1234 5678` and `+82 010 1234 5678` are one number in Korea.
    ///
    /// # Errors
    /// [`InvalidValue::Required`] where it is empty, `ForbiddenCharacter` for letters and other
    /// signs, `Malformed` where the numbering plan has no such number, `NotMobile` where it is of
    /// a line that receives no SMS.
    pub fn parse(typed: &str, region: Region) -> Result<Self, InvalidValue> {
        let typed = typed.trim();
        if typed.is_empty() {
            return Err(InvalidValue::Required);
        }
        if typed.chars().count() > MAX_TYPED_LENGTH {
            return Err(InvalidValue::TooLong { max: MAX_TYPED_LENGTH });
        }
        let mut digits = String::with_capacity(MAX_TYPED_LENGTH);
        for (position, c) in typed.chars().enumerate() {
            match c {
                '0'..='9' => digits.push(c),
                '\u{ff10}'..='\u{ff19}' => {
                    digits.extend(char::from_digit(u32::from(c) - 0xff10, 10))
                }
                '+' | '\u{ff0b}' if position == 0 => digits.push('+'),
                ' ' | '\u{a0}' | '\u{3000}' | '-' | '\u{2010}'..='\u{2015}' | '.' | '(' | ')' => {}
                _ => return Err(InvalidValue::ForbiddenCharacter),
            }
        }
        let mut number =
            phonenumber::parse(Some(region.0), &digits).map_err(|_| InvalidValue::Malformed)?;
        if !number.is_valid() {
            // `+82 010 …`: the national prefix does not belong behind a country code, but people
            // write it. Read again as the number is dialled within its own country.
            let own = number.country().id().ok_or(InvalidValue::Malformed)?;
            let prefix = number.country().code().to_string();
            let national = digits
                .strip_prefix('+')
                .and_then(|rest| rest.strip_prefix(prefix.as_str()))
                .ok_or(InvalidValue::Malformed)?;
            number =
                phonenumber::parse(Some(own), national).map_err(|_| InvalidValue::Malformed)?;
            if !number.is_valid() {
                return Err(InvalidValue::Malformed);
            }
        }
        match number.number_type(&phonenumber::metadata::DATABASE) {
            phonenumber::Type::Mobile | phonenumber::Type::FixedLineOrMobile => {
                Ok(Self(number.format().mode(phonenumber::Mode::E164).to_string()))
            }
            _ => Err(InvalidValue::NotMobile),
        }
    }

    /// The contact whose canonical form was stored, which is trusted.
    pub fn from_stored(canonical: &str) -> Self {
        Self(canonical.to_owned())
    }

    /// The number in E.164, with its `+`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The region that the number belongs to, where its numbering plan tells.
    pub fn region(&self) -> Option<Region> {
        phonenumber::parse(None, &self.0).ok()?.country().id().map(Region)
    }

    /// The country code, and the national significant number: the digits that are dialled from
    /// abroad behind it.
    pub fn parts(&self) -> Option<(u16, String)> {
        let number = phonenumber::parse(None, &self.0).ok()?;
        let code = number.country().code();
        let national = self.0.strip_prefix('+')?.strip_prefix(&code.to_string())?;
        Some((code, national.to_owned()))
    }

    /// The country code and the last four digits: `+82 ••• 5678`.
    pub fn masked(&self) -> String {
        let last = self.0.get(self.0.len().saturating_sub(4)..).unwrap_or_default();
        match phonenumber::parse(None, &self.0) {
            Ok(number) => format!("+{} ••• {last}", number.country().code()),
            Err(_) => format!("••• {last}"),
        }
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PhoneNumber(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_number_has_a_country_code_and_a_national_number() {
        let number = |typed| PhoneNumber::parse(typed, Region::KR).expect("a number");
        assert_eq!(number("010-1234-5678").parts(), Some((82, "1012345678".to_owned())));
        assert_eq!(number("+1 201-555-0123").parts(), Some((1, "2015550123".to_owned())));
    }

    #[test]
    fn one_telephone_has_one_form() {
        for typed in [
            "010-1234-5678",
            "01012345678",
            "010 1234 5678",
            "(010) 1234.5678",
            "+82 10 1234 5678",
            "+82 010 1234 5678",
            "+82-010-1234-5678",
            "+821012345678",
            "０１０１２３４５６７８",
            "  010‑1234‑5678 ",
        ] {
            let parsed = PhoneNumber::parse(typed, Region::KR);
            assert_eq!(parsed.as_ref().map(PhoneNumber::as_str), Ok("+821012345678"), "{typed}");
        }
    }

    #[test]
    fn a_number_with_a_country_code_needs_no_region() {
        let table = [
            ("+1 202-555-0143", "+12025550143"),
            ("+44 7400 123456", "+447400123456"),
            ("+81 90-1234-5678", "+819012345678"),
        ];
        for (typed, e164) in table {
            let parsed = PhoneNumber::parse(typed, Region::KR);
            assert_eq!(parsed.as_ref().map(PhoneNumber::as_str), Ok(e164), "{typed}");
        }
        let local = Region::parse("JP").and_then(|jp| PhoneNumber::parse("090-1234-5678", jp));
        assert_eq!(local.as_ref().map(PhoneNumber::as_str), Ok("+819012345678"));
    }

    #[test]
    fn what_is_no_mobile_number_is_refused_with_a_reason() {
        use InvalidValue::{ForbiddenCharacter, Malformed, NotMobile, Required, TooLong};
        let table = [
            ("", Required),
            ("010", Malformed),
            ("010-1234", Malformed),
            ("010-1234-56789", Malformed),
            ("+82", Malformed),
            ("+999 1234 5678", Malformed),
            ("02-312-3456", NotMobile),
            ("1-800-FLOWERS", ForbiddenCharacter),
            ("010-1234-5678 ext 1", ForbiddenCharacter),
            ("010\u{0}12345678", ForbiddenCharacter),
            ("0101234+5678", ForbiddenCharacter),
            ("٠١٠١٢٣٤٥٦٧٨", ForbiddenCharacter),
            (&"0".repeat(41), TooLong { max: 40 }),
        ];
        for (typed, reason) in table {
            assert_eq!(PhoneNumber::parse(typed, Region::KR).err(), Some(reason), "{typed:?}");
        }
    }

    #[test]
    fn a_mask_shows_the_country_and_four_digits() {
        let phone = PhoneNumber::parse("010-1234-5678", Region::KR).expect("a number");
        assert_eq!(phone.masked(), "+82 ••• 5678");
        assert_eq!(phone.region(), Some(Region::KR));
        assert!(!format!("{phone:?}").contains("5678"));
    }

    proptest! {
        #[test]
        fn parsing_is_idempotent_and_never_panics(typed in "\\+?[0-9 ()-]{0,24}") {
            if let Ok(phone) = PhoneNumber::parse(&typed, Region::KR) {
                prop_assert_eq!(PhoneNumber::parse(phone.as_str(), Region::KR), Ok(phone));
            }
        }
    }
}
