//! Making RSA keys, which `ring` signs with but does not make.
//!
//! The primes come from a library for primes; what is put together here is FIPS 186-5 appendix A.1,
//! and `ring` checks the result once more when it takes the key.

use std::convert::Infallible;

use crypto_bigint::rand_core::{TryCryptoRng, TryRng};
use crypto_bigint::{NonZero, U1536, U3072};
use crypto_primes::fips::{FipsOptions, is_prime};
use crypto_primes::hazmat::{SetBits, SmallFactorsSieveFactory};
use crypto_primes::{Flavor, sieve_and_find};
use mapae_application::ports::TokenSigningError;
use pkcs1::UintRef;
use pkcs1::der::Encode as _;
use ring::rand::{SecureRandom as _, SystemRandom};
use zeroize::Zeroizing;

/// The public exponent (FIPS 186-5 §5.4.e): that of every RSA key there is.
const EXPONENT: u32 = 65_537;
/// Bits of each of the two primes; of a key, twice as many.
const PRIME_BITS: u32 = 1_536;

/// Rounds of a test for primes of 1536 bits (FIPS 186-5 table B.1: 4, for an error of 2^-128).
const MILLER_RABIN_ROUNDS: usize = 4;

/// Makes a key of 3072 bits, as PKCS #1 (RFC 8017 appendix A.1.2).
pub(crate) fn make(random: &SystemRandom) -> Result<Zeroizing<Vec<u8>>, TokenSigningError> {
    let mut chance = Chance { random, has_failed: false };
    loop {
        let first = prime(&mut chance)?;
        let second = prime(&mut chance)?;
        if chance.has_failed {
            return Err(TokenSigningError);
        }
        // `ring` wants the greater one first.
        let (p, q) = if *first > *second { (first, second) } else { (second, first) };
        if let Some(key) = assemble(&p, &q) {
            return key;
        }
    }
}

/// A prime of the right size, whose predecessor has no factor in common with the exponent.
fn prime(chance: &mut Chance<'_>) -> Result<Zeroizing<U1536>, TokenSigningError> {
    // Two leading ones, so that the product of two has all its bits (FIPS 186-5 §A.1.3).
    let sieve = SmallFactorsSieveFactory::new(Flavor::Any, PRIME_BITS, SetBits::TwoMsb)
        .map_err(|_| TokenSigningError)?;
    // As many rounds of Miller and Rabin by random bases as table B.1 asks for of this length, and a
    // Lucas test (FIPS 186-5 §B.3).
    let tests = FipsOptions::with_mr_iterations(MILLER_RABIN_ROUNDS).with_lucas_test();
    let fits = |chance: &mut Chance<'_>, candidate: &U1536| {
        *candidate % NonZero::<U1536>::new_unwrap(EXPONENT.into()) != U1536::ONE
            && is_prime(chance, Flavor::Any, candidate, tests)
    };
    let found = sieve_and_find(chance, sieve, fits).map_err(|_| TokenSigningError)?;
    found.map(Zeroizing::new).ok_or(TokenSigningError)
}

/// The key of two primes, the greater one first; none where they do not make a good one.
fn assemble(p: &U1536, q: &U1536) -> Option<Result<Zeroizing<Vec<u8>>, TokenSigningError>> {
    // Too close together, they could be found from their product (FIPS 186-5 §A.1.3 5.4).
    if p.wrapping_sub(q).bits() <= PRIME_BITS - 100 {
        return None;
    }
    let (before_p, before_q) =
        (Zeroizing::new(p.wrapping_sub(&U1536::ONE)), Zeroizing::new(q.wrapping_sub(&U1536::ONE)));
    let n: U3072 = p.concatenating_mul(q);
    let product: Zeroizing<U3072> = Zeroizing::new(before_p.concatenating_mul(&*before_q));
    let common: U3072 = before_p.gcd(&before_q).resize();
    let least_common = product.wrapping_div(&NonZero::new(common).into_option()?);
    let least_common = NonZero::new(least_common).into_option()?;
    let exponent = U3072::from(EXPONENT);
    let d = Zeroizing::new(exponent.invert_mod(&least_common).into_option()?);
    if d.bits() <= PRIME_BITS {
        return None;
    }
    let exponent = U1536::from(EXPONENT);
    let inverse = |of: &U1536, modulus: &U1536| {
        let modulus = NonZero::new(*modulus).into_option()?;
        of.invert_mod(&modulus).into_option().map(Zeroizing::new)
    };
    let exponent1 = inverse(&exponent, &before_p)?;
    let exponent2 = inverse(&exponent, &before_q)?;
    let coefficient = inverse(q, p)?;
    Some(encode([&n, &d], [p, q, &exponent1, &exponent2, &coefficient]))
}

/// `RSAPrivateKey` of `n` and `d`, and of the primes and what is derived from them.
fn encode(long: [&U3072; 2], short: [&U1536; 5]) -> Result<Zeroizing<Vec<u8>>, TokenSigningError> {
    let long = long.map(|number| Zeroizing::new(number.to_be_bytes().as_ref().to_vec()));
    let short = short.map(|number| Zeroizing::new(number.to_be_bytes().as_ref().to_vec()));
    let exponent = EXPONENT.to_be_bytes();
    let key = pkcs1::RsaPrivateKey {
        modulus: number(&long[0])?,
        public_exponent: number(&exponent)?,
        private_exponent: number(&long[1])?,
        prime1: number(&short[0])?,
        prime2: number(&short[1])?,
        exponent1: number(&short[2])?,
        exponent2: number(&short[3])?,
        coefficient: number(&short[4])?,
        other_prime_infos: None,
    };
    key.to_der().map(Zeroizing::new).map_err(|_| TokenSigningError)
}

fn number(bytes: &[u8]) -> Result<UintRef<'_>, TokenSigningError> {
    UintRef::new(bytes).map_err(|_| TokenSigningError)
}

/// `ring`'s randomness for a library that knows no failure: it is noted, and what was made of it
/// thrown away.
struct Chance<'r> {
    random: &'r SystemRandom,
    has_failed: bool,
}

impl TryRng for Chance<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_ne_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_ne_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.has_failed |= self.random.fill(bytes).is_err();
        Ok(())
    }
}

impl TryCryptoRng for Chance<'_> {}
