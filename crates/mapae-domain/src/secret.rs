//! Secrets that people are sent, and the hashes that are kept of them.
//!
//! A secret has no `Debug`, `Display` or equality that would show or leak it, and is wiped when it
//! is dropped. What is stored is a [`SecretHash`] under the server's key: a bare hash of six digits
//! would be no secret at all.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::invalid::InvalidValue;

/// Where random bytes come from: fills the whole slice.
pub type RandomSource<'a> = dyn FnMut(&mut [u8]) + 'a;

/// HMAC-SHA-256 of a secret under a key of the server, with what the secret is bound to.
#[derive(Clone, Copy)]
pub struct SecretHash([u8; 32]);

impl SecretHash {
    /// The hash that is stored as `bytes`.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether both are hashes of one secret, in a time that does not depend on the answer.
    pub fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(…)")
    }
}

/// Least and greatest number of digits of a code. ASVS 5.0 6.5.4 asks for 20 bits, six digits.
pub const CODE_LENGTHS: std::ops::RangeInclusive<u8> = 4..=10;

/// A one-time code: decimal digits that a person reads in one place and types in another.
#[derive(Clone)]
pub struct Code(Zeroizing<String>);

impl Code {
    /// Draws a code of `length` digits, each code equally likely (ASVS 5.0 6.5.3).
    ///
    /// Draws that would favour the low codes are thrown away rather than reduced. A `length`
    /// outside [`CODE_LENGTHS`] is brought to the nearer end.
    pub fn draw(length: u8, random: &mut RandomSource<'_>) -> Self {
        let length = length.clamp(*CODE_LENGTHS.start(), *CODE_LENGTHS.end());
        let codes = 10_u64.pow(u32::from(length));
        let unbiased = u64::MAX - u64::MAX % codes;
        loop {
            let mut bytes = Zeroizing::new([0; 8]);
            random(bytes.as_mut_slice());
            let drawn = u64::from_be_bytes(*bytes);
            if drawn < unbiased {
                let width = usize::from(length);
                return Self(Zeroizing::new(format!("{:0width$}", drawn % codes)));
            }
        }
    }

    /// Reads a code as people type it: spaces, hyphens and the full-width digits that a Korean or
    /// Japanese keyboard writes are all fine.
    ///
    /// # Errors
    /// [`InvalidValue::Malformed`] unless `length` digits remain. Such a code could not match, so
    /// whoever refuses it need not count it as an attempt.
    pub fn parse(typed: &str, length: u8) -> Result<Self, InvalidValue> {
        // Longest sensible input: ten digits, each full-width and with a separator.
        if typed.len() > 256 {
            return Err(InvalidValue::Malformed);
        }
        let mut digits = Zeroizing::new(String::with_capacity(16));
        for c in typed.chars() {
            match c {
                '0'..='9' => digits.push(c),
                '\u{ff10}'..='\u{ff19}' => {
                    let digit = u32::from(c) - 0xff10;
                    digits.extend(char::from_digit(digit, 10));
                }
                '-' | '\u{2010}'..='\u{2015}' | '\u{200b}' | '\u{feff}' => {}
                c if c.is_whitespace() => {}
                _ => return Err(InvalidValue::Malformed),
            }
            if digits.len() > usize::from(length) {
                return Err(InvalidValue::Malformed);
            }
        }
        if digits.len() == usize::from(length) {
            Ok(Self(digits))
        } else {
            Err(InvalidValue::Malformed)
        }
    }

    /// The digits, for hashing and for the message to its reader; for nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(…)")
    }
}

/// The secret in a link: 256 bits (ASVS 5.0 11.5.1 asks for 128).
#[derive(Clone)]
pub struct LinkKey(Zeroizing<[u8; 32]>);

impl LinkKey {
    /// Draws a key.
    pub fn draw(random: &mut RandomSource<'_>) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        random(bytes.as_mut_slice());
        Self(bytes)
    }

    /// The key of these bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes, for hashing and for the link; for nothing else.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for LinkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_as_people_type_it() {
        for typed in
            ["123456", " 123 456 ", "123-456", "１２３４５６", "1２3４5６", "12\u{200b}3456\n"]
        {
            let code = Code::parse(typed, 6);
            assert_eq!(code.as_ref().map(Code::expose), Ok("123456"), "{typed:?}");
        }
    }

    #[test]
    fn what_cannot_be_a_code_is_refused() {
        for typed in
            ["", "12345", "1234567", "12345a", "１２３４５x", "一二三四五六", "+12345", "١٢٣٤٥٦"]
        {
            assert_eq!(Code::parse(typed, 6).err(), Some(InvalidValue::Malformed), "{typed:?}");
        }
        assert!(Code::parse(&" ".repeat(4_000), 6).is_err());
    }

    #[test]
    fn a_draw_that_would_favour_low_codes_is_thrown_away() {
        let mut draws = [u64::MAX, u64::MAX - 1, 42].into_iter();
        let mut source = |bytes: &mut [u8]| {
            bytes.copy_from_slice(&draws.next().map_or([0; 8], u64::to_be_bytes));
        };
        assert_eq!(Code::draw(6, &mut source).expose(), "000042");
    }

    #[test]
    fn every_digit_is_drawn_about_equally_often() {
        // A fixed sequence (splitmix64), so that the test cannot fail by chance.
        let mut state = 7_u64;
        let mut source = |bytes: &mut [u8]| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            bytes.copy_from_slice(&(z ^ (z >> 31)).to_be_bytes());
        };
        let mut seen = [0_u32; 10];
        for _ in 0..10_000 {
            for digit in Code::draw(6, &mut source).expose().bytes() {
                seen[usize::from(digit - b'0')] += 1;
            }
        }
        // 60,000 digits: 6,000 each, with a standard deviation of 73.
        for (digit, count) in seen.into_iter().enumerate() {
            assert!((5_600..6_400).contains(&count), "{digit} was drawn {count} times");
        }
    }

    #[test]
    fn no_secret_shows_itself() {
        let code = Code::parse("918273", 6).expect("six digits");
        let key = LinkKey::from_bytes([0xab; 32]);
        let hash = SecretHash::from_bytes([0xcd; 32]);
        let shown = format!("{code:?} {key:?} {hash:?}");
        assert!(!shown.contains("918273") && !shown.contains("171") && !shown.contains("205"));
    }
}
