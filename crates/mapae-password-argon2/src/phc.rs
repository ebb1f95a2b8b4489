//! Hashes as PHC strings: `$argon2id$v=19$m=19456,t=2,p=1$salt$hash`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::params::Params;

/// Length of a salt in bytes (RFC 9106 §3.1 recommends 16).
pub(crate) const SALT: usize = 16;
/// Length of a hash in bytes.
pub(crate) const HASH: usize = 32;

/// A stored hash.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) params: Params,
    pub(crate) salt: Vec<u8>,
    pub(crate) hash: [u8; HASH],
}

impl Stored {
    pub(crate) fn write(&self) -> String {
        let Params { memory_kib, iterations, lanes } = self.params;
        let (salt, hash) = (STANDARD_NO_PAD.encode(&self.salt), STANDARD_NO_PAD.encode(self.hash));
        format!("$argon2id$v=19$m={memory_kib},t={iterations},p={lanes}${salt}${hash}")
    }

    /// Reads a hash of argon2id, version 1.3, whose parameters are within bounds.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("$argon2id$v=19$")?;
        let mut parts = rest.split('$');
        let (params, salt, hash) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let mut fields = params.split(',');
        let mut field =
            |name: &str| fields.next()?.strip_prefix(name)?.strip_prefix('=')?.parse::<u32>().ok();
        let params =
            Params { memory_kib: field("m")?, iterations: field("t")?, lanes: field("p")? };
        let salt = STANDARD_NO_PAD.decode(salt).ok()?;
        let hash = STANDARD_NO_PAD.decode(hash).ok()?.try_into().ok()?;
        let good = fields.next().is_none() && params.are_sane() && (8..=64).contains(&salt.len());
        good.then_some(Self { params, salt, hash })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$rNXyyJpyIpN5UnRGdOE7yHJcKHd0LJ7lqCwJmQ4xqjM";

    #[test]
    fn what_was_written_is_read() {
        let stored = Stored::read(GOOD).expect("a hash");
        assert_eq!(stored.write(), GOOD);
        assert_eq!(stored.params, Params { memory_kib: 19_456, iterations: 2, lanes: 1 });
    }

    #[test]
    fn what_is_no_such_hash_or_would_eat_the_machine_is_not_read() {
        let hostile = [
            String::new(),
            GOOD.replace("argon2id", "argon2i"),
            GOOD.replace("v=19", "v=16"),
            GOOD.replace("m=19456", "m=4294967295"),
            GOOD.replace("m=19456", "m=2097152"),
            GOOD.replace("t=2", "t=4000000000"),
            GOOD.replace("p=1", "p=255"),
            GOOD.replace("p=1", "p=0"),
            GOOD.replace("m=19456", "m=7"),
            GOOD.replace(",p=1", ""),
            GOOD.replace("p=1", "p=1,x=1"),
            format!("{GOOD}$"),
            GOOD[..GOOD.len() - 1].to_owned(),
            "$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW".to_owned(),
        ];
        for text in hostile {
            assert!(Stored::read(&text).is_none(), "{text}");
        }
    }
}
