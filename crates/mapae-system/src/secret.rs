use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use mapae_application::ports::SecretRng;
use zeroize::Zeroizing;

/// Least length of a secret in bytes: 256 bits.
const MIN_LENGTH: usize = 32;
/// Least number of different bytes in a secret. 32 random bytes have fewer than 12 once in 10²⁵
/// times; most patterns that somebody typed have.
const MIN_DISTINCT: usize = 12;

/// The secret that every key of an installation is derived from.
#[derive(Clone)]
pub struct ServerSecret(Zeroizing<Vec<u8>>);

/// Why a text is no secret. Says nothing of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WeakSecret {
    /// It is neither base64 nor hexadecimal.
    NotEncoded,
    /// It has fewer than 32 bytes.
    TooShort,
    /// It is a pattern, not random.
    NotRandom,
}

impl fmt::Display for WeakSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotEncoded => "is neither base64 nor hexadecimal",
            Self::TooShort => "has fewer than 32 bytes",
            Self::NotRandom => "is not random",
        })
    }
}

impl std::error::Error for WeakSecret {}

impl ServerSecret {
    /// Reads a secret of at least 32 random bytes in hexadecimal, base64 or base64url.
    ///
    /// # Errors
    /// [`WeakSecret`] where it is no such text, too short, or plainly not random (ASVS 5.0 6.3.2).
    pub fn parse(text: &str) -> Result<Self, WeakSecret> {
        let text = text.trim();
        let bytes = decode_hex(text)
            .or_else(|| {
                [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD]
                    .iter()
                    .find_map(|engine| engine.decode(text).ok())
                    .map(Zeroizing::new)
            })
            .ok_or(WeakSecret::NotEncoded)?;
        if bytes.len() < MIN_LENGTH {
            return Err(WeakSecret::TooShort);
        }
        let distinct = (0..=u8::MAX).filter(|byte| bytes.contains(byte)).count();
        if distinct < MIN_DISTINCT {
            return Err(WeakSecret::NotRandom);
        }
        Ok(Self(bytes))
    }

    /// Draws a secret.
    pub fn generate(rng: &dyn SecretRng) -> Self {
        let mut bytes = Zeroizing::new(vec![0; MIN_LENGTH]);
        rng.fill(&mut bytes);
        Self(bytes)
    }

    /// The secret as a text that [`ServerSecret::parse`] reads.
    pub fn to_base64(&self) -> Zeroizing<String> {
        Zeroizing::new(STANDARD.encode(&*self.0))
    }

    pub(crate) fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for ServerSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerSecret(…)")
    }
}

/// Reads hexadecimal. A text of 64 signs from `0` to `f` would be base64, too, but is meant so.
fn decode_hex(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    if !text.len().is_multiple_of(2) || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let digit = |b: u8| char::from(b).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.as_bytes().chunks_exact(2);
    let bytes: Option<Vec<u8>> =
        pairs.map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect();
    bytes.map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_in_each_encoding() {
        let bytes: Vec<u8> = (0..32).map(|n| n * 7 + 3).collect();
        let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
        for text in [
            STANDARD.encode(&bytes),
            STANDARD_NO_PAD.encode(&bytes),
            URL_SAFE.encode(&bytes),
            URL_SAFE_NO_PAD.encode(&bytes),
            hex.to_uppercase(),
            format!(" {hex}\n"),
        ] {
            let secret = ServerSecret::parse(&text).expect("a secret");
            assert_eq!(secret.expose(), bytes, "{text}");
        }
    }

    #[test]
    fn a_default_a_short_and_a_typed_secret_are_refused() {
        let table = [
            ("", WeakSecret::TooShort),
            ("changeme", WeakSecret::TooShort),
            ("not base64 at all!", WeakSecret::NotEncoded),
            ("c2hvcnQ=", WeakSecret::TooShort),
            (&"00".repeat(32), WeakSecret::NotRandom),
            (&"0123456789abcdef".repeat(4), WeakSecret::NotRandom),
            (&STANDARD.encode([7; 64]), WeakSecret::NotRandom),
        ];
        for (text, why) in table {
            assert_eq!(ServerSecret::parse(text).err(), Some(why), "{text}");
        }
        assert!(!format!("{:?}", ServerSecret(Zeroizing::new(vec![171; 32]))).contains("171"));
    }
}
