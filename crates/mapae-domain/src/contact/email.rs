use std::fmt;

use unicode_normalization::UnicodeNormalization as _;
use unicode_security::MixedScript as _;

use crate::invalid::InvalidValue;

/// Greatest length of an address in bytes (RFC 5321 §4.5.3.1.3, less the angle brackets).
const MAX_LENGTH: usize = 254;
/// Greatest length of what stands before the `@` (RFC 5321 §4.5.3.1.1).
const MAX_LOCAL_LENGTH: usize = 64;

/// An e-mail address in its one canonical form: the local part in ASCII lower case, the host as
/// IDNA A-labels.
///
/// Dots and `+tags` are kept: only the mailbox's own host knows what they mean.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EmailAddress(String);

impl EmailAddress {
    /// Reads an address as a person typed it.
    ///
    /// The local part is a dot-atom (RFC 5322 §3.2.3) of ASCII; quoted local parts, address
    /// literals and hosts of one label are refused, as are addresses that need SMTPUTF8. So no
    /// two spellings of which one merely looks like the other (a Kelvin sign for `k`, a dotless
    /// `ı` for `i`) can become one address or two accounts.
    ///
    /// # Errors
    /// [`InvalidValue::Required`] where nothing is left of it, `TooLong` over 254 bytes,
    /// `ForbiddenCharacter` for controls and inner spaces, `Confusable` for look-alikes, and
    /// `Malformed` for whatever else is no address.
    pub fn parse(typed: &str) -> Result<Self, InvalidValue> {
        let typed = typed.trim_matches([' ', '\t', '\r', '\n']);
        if typed.is_empty() {
            return Err(InvalidValue::Required);
        }
        if typed.len() > 4 * MAX_LENGTH {
            return Err(InvalidValue::TooLong { max: MAX_LENGTH });
        }
        if typed.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(InvalidValue::ForbiddenCharacter);
        }
        let (local, host) = typed.rsplit_once('@').ok_or(InvalidValue::Malformed)?;
        let local = parse_local(local)?;
        let host = parse_host(host)?;
        if local.len() + 1 + host.len() > MAX_LENGTH {
            return Err(InvalidValue::TooLong { max: MAX_LENGTH });
        }
        Ok(Self(format!("{local}@{host}")))
    }

    /// The contact whose canonical form was stored, which is trusted.
    pub fn from_stored(canonical: &str) -> Self {
        Self(canonical.to_owned())
    }

    /// The canonical form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first character of the local part and the host: `m•••@example.com`.
    pub fn masked(&self) -> String {
        let (local, host) = self.0.rsplit_once('@').unwrap_or((&self.0, ""));
        let first = local.chars().next().unwrap_or('•');
        format!("{first}•••@{host}")
    }
}

impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EmailAddress(…)")
    }
}

fn parse_local(local: &str) -> Result<String, InvalidValue> {
    if local.len() > MAX_LOCAL_LENGTH && local.is_ascii() {
        return Err(InvalidValue::TooLong { max: MAX_LOCAL_LENGTH });
    }
    if !local.is_ascii() {
        return Err(InvalidValue::Confusable);
    }
    let is_atom = |atom: &str| {
        !atom.is_empty()
            && atom
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b))
    };
    if local.split('.').all(is_atom) {
        Ok(local.to_ascii_lowercase())
    } else {
        Err(InvalidValue::Malformed)
    }
}

fn parse_host(host: &str) -> Result<String, InvalidValue> {
    if !host.is_ascii() {
        // A sign that IDNA would quietly turn into an ASCII one (Kelvin sign, long s, full-width
        // letters) makes a twin of somebody else's host; a label of several scripts passes for one.
        let becomes_ascii = |c: char| {
            !c.is_ascii()
                && std::iter::once(c)
                    .nfkc()
                    .flat_map(char::to_lowercase)
                    .any(|mapped| mapped.is_ascii())
        };
        if host.chars().any(|c| c == '\u{131}' || becomes_ascii(c))
            || host.split('.').any(|label| !label.is_single_script())
        {
            return Err(InvalidValue::Confusable);
        }
    }
    let host = idna::domain_to_ascii_cow(host.as_bytes(), idna::AsciiDenyList::STD3)
        .map_err(|_| InvalidValue::Malformed)?;
    let is_label = |label: &str| {
        (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
    };
    // A top-level domain of digits alone would be an IPv4 address (RFC 3696 §2).
    let top_level_is_name =
        host.rsplit('.').next().is_some_and(|top| !top.bytes().all(|b| b.is_ascii_digit()));
    if host.contains('.') && host.split('.').all(is_label) && top_level_is_name {
        Ok(host.into_owned())
    } else {
        Err(InvalidValue::Malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_mailbox_has_one_form() {
        let table = [
            ("minji@example.com", "minji@example.com"),
            ("  MinJi@Example.COM\n", "minji@example.com"),
            ("min.ji+tag@example.com", "min.ji+tag@example.com"),
            ("o'brien@example.co.kr", "o'brien@example.co.kr"),
            ("a@bücher.example", "a@xn--bcher-kva.example"),
            ("a@BÜCHER.example", "a@xn--bcher-kva.example"),
            ("a@한국.kr", "a@xn--3e0b707e.kr"),
            ("a@xn--3e0b707e.kr", "a@xn--3e0b707e.kr"),
        ];
        for (typed, canonical) in table {
            let parsed = EmailAddress::parse(typed);
            assert_eq!(parsed.as_ref().map(EmailAddress::as_str), Ok(canonical), "{typed}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_a_reason() {
        use InvalidValue::{Confusable, ForbiddenCharacter, Malformed, Required, TooLong};
        let long_local = format!("{}@example.com", "a".repeat(65));
        let long = format!("a@{}example.com", "abcdefg.".repeat(40));
        let table = [
            ("", Required),
            ("   ", Required),
            ("minji", Malformed),
            ("@example.com", Malformed),
            ("minji@", Malformed),
            ("minji@localhost", Malformed),
            ("minji@127.0.0.1", Malformed),
            ("minji@[127.0.0.1]", Malformed),
            ("minji@@example.com", Malformed),
            ("min..ji@example.com", Malformed),
            (".minji@example.com", Malformed),
            ("minji.@example.com", Malformed),
            ("\"min ji\"@example.com", ForbiddenCharacter),
            ("\"minji\"@example.com", Malformed),
            ("minji@exa mple.com", ForbiddenCharacter),
            ("minji@example.com\u{0}", ForbiddenCharacter),
            ("minji\u{7}@example.com", ForbiddenCharacter),
            ("minji@example.com\r\nBcc: x@y.z", ForbiddenCharacter),
            ("minji@-example.com", Malformed),
            ("minji@example..com", Malformed),
            ("minji@example.com.", Malformed),
            ("minji,x@example.com", Malformed),
            ("<minji@example.com>", Malformed),
            (&long_local, TooLong { max: 64 }),
            (&long, TooLong { max: 254 }),
        ];
        for (typed, reason) in table {
            assert_eq!(EmailAddress::parse(typed).err(), Some(reason), "{typed:?}");
        }
        // Twins of `kim@kakao.com` and `minji@example.com`.
        for twin in [
            "\u{212a}im@kakao.com",
            "kim@\u{212a}akao.com",
            "m\u{131}nji@example.com",
            "minji@examp\u{131}e.com",
            "ｍinji@example.com",
            "minji@ｅxample.com",
            "minji@ex\u{430}mple.com",
            "minji@example\u{3002}com",
        ] {
            assert_eq!(EmailAddress::parse(twin).err(), Some(Confusable), "{twin:?}");
        }
    }

    #[test]
    fn a_mask_shows_one_character_and_the_host() {
        let email = EmailAddress::parse("minji@example.com").expect("an address");
        assert_eq!(email.masked(), "m•••@example.com");
        assert!(!format!("{email:?}").contains("minji"));
    }

    proptest! {
        #[test]
        fn parsing_is_idempotent_and_never_panics(typed in "\\PC{0,40}@\\PC{0,40}") {
            if let Ok(email) = EmailAddress::parse(&typed) {
                prop_assert!(email.as_str().is_ascii());
                prop_assert_eq!(EmailAddress::parse(email.as_str()), Ok(email));
            }
        }

        #[test]
        fn letter_case_makes_no_second_address(local in "[a-zA-Z0-9]{1,10}", host in "[a-zA-Z]{1,10}") {
            let typed = format!("{local}@{host}.com");
            prop_assert_eq!(
                EmailAddress::parse(&typed),
                EmailAddress::parse(&typed.to_ascii_uppercase())
            );
        }
    }
}
