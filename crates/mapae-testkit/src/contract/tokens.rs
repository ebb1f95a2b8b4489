//! What [`AccessTokens`] promises.
//!
//! Each promise takes the adapters of two installations, of which neither knows the other's keys.

use std::sync::Arc;
use std::time::Duration;

use mapae_application::ports::{AccessTokens, TokenError};
use mapae_domain::{AccessClaims, AuthMethod, Contact, Purpose, Receipt, Role, Timestamp};

use crate::build;

/// The adapters of two installations.
pub type Two = (Arc<dyn AccessTokens>, Arc<dyn AccessTokens>);

/// When the tokens here are issued: a whole second, as tokens know no less.
const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const LIFETIME: Duration = Duration::from_secs(600);

fn claims() -> AccessClaims {
    AccessClaims {
        user: build::user_id(),
        session: build::session_id(),
        id: build::token_id(),
        issued_at: NOW,
        expires_at: NOW.plus(LIFETIME),
        authenticated_at: NOW.minus(Duration::from_secs(3_600)),
        methods: vec![AuthMethod::Password],
        roles: Vec::new(),
        email_verified: true,
        phone_verified: false,
    }
}

fn receipt(contact: impl Into<Contact>, purpose: Purpose) -> Receipt {
    Receipt {
        verification: build::verification_id(),
        contact: contact.into(),
        purpose,
        verified_at: NOW,
        expires_at: NOW.plus(LIFETIME),
    }
}

fn a_receipt() -> Receipt {
    receipt(build::email("minji@example.com"), Purpose::Registration)
}

/// The claims come back as they were, with every method, role and flag.
pub fn claims_come_back_as_they_were((tokens, _): Two) {
    let role = |name| Role::parse(name).expect("a role");
    let role_lists = [vec![], vec![role("admin")], vec![role("a:b"), role("admin"), role("x-y_z")]];
    let mut method_lists = vec![AuthMethod::ALL.to_vec()];
    method_lists.extend(AuthMethod::ALL.map(|method| vec![method]));
    for methods in &method_lists {
        for roles in &role_lists {
            for (email_verified, phone_verified) in
                [(false, false), (false, true), (true, false), (true, true)]
            {
                let claims = AccessClaims {
                    methods: methods.clone(),
                    roles: roles.clone(),
                    email_verified,
                    phone_verified,
                    ..claims()
                };
                let token = tokens.issue(&claims).unwrap();
                assert_eq!(tokens.verify(&token, NOW), Ok(claims));
            }
        }
    }
}

/// A token goes into a header as it is, and fits there.
pub fn a_token_fits_into_a_header((tokens, _): Two) {
    let roles = (0..20).map(|n| Role::parse(&format!("role:{n}")).expect("a role")).collect();
    let token = tokens.issue(&AccessClaims { roles, ..claims() }).unwrap();
    let receipt = tokens.issue_receipt(&a_receipt()).unwrap();
    for token in [token, receipt] {
        // `b64token` of RFC 6750 §2.1.
        assert!(token.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b)));
        assert!(token.len() < 4_096, "{} bytes", token.len());
    }
}

/// A token has expired at the very second that it names, and not before.
pub fn a_token_expires_at_its_very_second((tokens, _): Two) {
    let claims = claims();
    let token = tokens.issue(&claims).unwrap();
    let end = claims.expires_at;
    let just_before = Timestamp::from_micros(end.as_micros() - 1);
    assert_eq!(tokens.verify(&token, just_before), Ok(claims));
    assert_eq!(tokens.verify(&token, end), Err(TokenError::Expired));
    let much_later = end.plus(Duration::from_secs(1_000_000_000));
    assert_eq!(tokens.verify(&token, much_later), Err(TokenError::Expired));

    let receipt = a_receipt();
    let token = tokens.issue_receipt(&receipt).unwrap();
    assert_eq!(tokens.verify_receipt(&token, just_before), Ok(receipt));
    assert_eq!(tokens.verify_receipt(&token, end), Err(TokenError::Expired));
}

/// Parts of a second are dropped, so that no token is good for longer than it was meant to be.
pub fn parts_of_a_second_are_dropped((tokens, _): Two) {
    let part = Duration::from_micros(999_999);
    let whole = claims();
    let claims = AccessClaims {
        issued_at: whole.issued_at.plus(part),
        expires_at: whole.expires_at.plus(part),
        ..whole.clone()
    };
    let token = tokens.issue(&claims).unwrap();
    assert_eq!(tokens.verify(&token, NOW.plus(part)), Ok(whole.clone()));
    assert_eq!(tokens.verify(&token, whole.expires_at), Err(TokenError::Expired));
}

/// A receipt comes back as it was, for either kind of contact and each purpose.
pub fn receipts_come_back_as_they_were((tokens, _): Two) {
    let contacts: [Contact; 3] = [
        build::email("min.ji+tag@example.com").into(),
        build::email("o'brien@bücher.example").into(),
        build::phone("010-1234-5678").into(),
    ];
    for name in
        ["registration", "login", "password_reset", "contact_change", "order.42:confirm_pick-up"]
    {
        for contact in &contacts {
            let purpose = Purpose::parse(name).expect("a purpose");
            let receipt = receipt(contact.clone(), purpose);
            let token = tokens.issue_receipt(&receipt).unwrap();
            assert_eq!(tokens.verify_receipt(&token, NOW), Ok(receipt));
        }
    }
}

/// An access token does not pass for a receipt, nor a receipt for an access token.
pub fn an_access_token_and_a_receipt_are_two_things((tokens, _): Two) {
    let access = tokens.issue(&claims()).unwrap();
    let receipt = tokens.issue_receipt(&a_receipt()).unwrap();
    assert_eq!(tokens.verify_receipt(&access, NOW), Err(TokenError::Invalid));
    assert_eq!(tokens.verify(&receipt, NOW), Err(TokenError::Invalid));
}

fn assert_refused(tokens: &dyn AccessTokens, token: &str, what: &str) {
    assert_eq!(tokens.verify(token, NOW), Err(TokenError::Invalid), "{what}");
    assert_eq!(tokens.verify_receipt(token, NOW), Err(TokenError::Invalid), "{what}");
}

/// A token that was altered is refused, whichever of its characters it was.
pub fn an_altered_token_is_refused((tokens, _): Two) {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for token in [tokens.issue(&claims()).unwrap(), tokens.issue_receipt(&a_receipt()).unwrap()] {
        for (position, was) in token.bytes().enumerate() {
            // The highest of a character's six bits counts in the last of a segment too.
            let value = ALPHABET.iter().position(|b| *b == was);
            let becomes = value.map_or('A', |value| char::from(ALPHABET[value ^ 32]));
            let mut altered = token.clone();
            altered.replace_range(position..=position, becomes.encode_utf8(&mut [0; 4]));
            assert_refused(&*tokens, &altered, &format!("character {position} altered"));
        }
        let segments: Vec<&str> = token.split('.').collect();
        for left_out in 0..segments.len() {
            let mut fewer = segments.clone();
            fewer.remove(left_out);
            assert_refused(&*tokens, &fewer.join("."), &format!("segment {left_out} left out"));
            let mut emptied = segments.clone();
            emptied[left_out] = "";
            assert_refused(&*tokens, &emptied.join("."), &format!("segment {left_out} emptied"));
        }
        for length in 0..token.len() {
            assert_refused(&*tokens, &token[..length], &format!("its first {length} characters"));
        }
        for longer in ["A", ".", ".A", "=", " ", "\n", "\0"] {
            assert_refused(&*tokens, &format!("{token}{longer}"), &format!("{longer:?} appended"));
            assert_refused(
                &*tokens,
                &format!("{longer}{token}"),
                &format!("{longer:?} put before"),
            );
        }
    }
}

/// The parts of two tokens do not make a third.
pub fn parts_of_two_tokens_make_no_third((tokens, _): Two) {
    let tokens_of = |role| {
        let roles = vec![Role::parse(role).expect("a role")];
        tokens.issue(&AccessClaims { roles, ..claims() }).unwrap()
    };
    let (user, admin) = (tokens_of("reader"), tokens_of("admin"));
    let user: Vec<&str> = user.split('.').collect();
    let admin: Vec<&str> = admin.split('.').collect();
    assert_eq!(user.len(), admin.len());
    for position in 0..user.len() {
        let mut mixed = user.clone();
        mixed[position] = admin[position];
        if mixed != user && mixed != admin {
            assert_refused(&*tokens, &mixed.join("."), &format!("segment {position} of another"));
        }
    }
}

/// What never was a token is refused, and nothing panics.
pub fn what_never_was_a_token_is_refused((tokens, _): Two) {
    let (huge, dots) = ("A".repeat(1_000_000), ".".repeat(100_000));
    let (nested, wide) = (format!("{}.e30.e30", "W1tb".repeat(10_000)), "가".repeat(10_000));
    for garbage in [
        "",
        " ",
        ".",
        "..",
        "...",
        "a.b.c",
        "e30.e30.e30",
        "e30.e30.",
        "eyJhbGciOiJub25lIn0.e30.",
        "Bearer eyJhbGciOiJub25lIn0.e30.",
        "\0\0.\0.\0",
        "비밀.번호.토큰",
        "%2e%2e%2e",
        "null",
        &huge,
        &dots,
        &nested,
        &wide,
    ] {
        let shown: String = garbage.chars().take(40).collect();
        assert_refused(&*tokens, garbage, &shown);
    }
}

/// The tokens of one installation are nothing to another.
pub fn tokens_of_another_installation_are_refused((tokens, others): Two) {
    for (mine, theirs) in [(&tokens, &others), (&others, &tokens)] {
        let access = mine.issue(&claims()).unwrap();
        let receipt = mine.issue_receipt(&a_receipt()).unwrap();
        assert_refused(&**theirs, &access, "an access token of another installation");
        assert_refused(&**theirs, &receipt, "a receipt of another installation");
        assert!(mine.verify(&access, NOW).is_ok() && mine.verify_receipt(&receipt, NOW).is_ok());
    }
}

/// A token that is not valid is that first: only one of ours is told to have expired.
pub fn only_a_genuine_token_is_told_to_have_expired((tokens, others): Two) {
    let later = NOW.plus(LIFETIME * 2);
    let theirs = others.issue(&claims()).unwrap();
    assert_eq!(tokens.verify(&theirs, later), Err(TokenError::Invalid));
    let theirs = others.issue_receipt(&a_receipt()).unwrap();
    assert_eq!(tokens.verify_receipt(&theirs, later), Err(TokenError::Invalid));
    let receipt = tokens.issue_receipt(&a_receipt()).unwrap();
    assert_eq!(tokens.verify(&receipt, later), Err(TokenError::Invalid), "another kind");
}

/// The published keys are a JWK Set, and public.
pub fn the_published_keys_are_public((tokens, _): Two) {
    let set: serde_json::Value = serde_json::from_str(&tokens.jwks()).expect("JSON");
    let keys = set["keys"].as_array().expect("an array of keys (RFC 7517 §5)");
    let mut kids = std::collections::HashSet::new();
    for key in keys {
        let members = key.as_object().expect("a key is an object");
        assert!(members["kty"].is_string(), "kty is required (RFC 7517 §4.1)");
        let kid = members["kid"].as_str().expect("kid, by which the key is found");
        assert!(kids.insert(kid), "two keys of one kid");
        // What RFC 7518 §6 keeps private: the rest of an RSA key, and the whole of a symmetric one.
        for private in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
            assert!(!members.contains_key(private), "{private} is private");
        }
    }
}
