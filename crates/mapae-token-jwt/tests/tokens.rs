//! What is accepted, and above all what is not.
#![expect(clippy::expect_used, reason = "test code: what fails here fails a test")]

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use mapae_application::ports::{
    AccessTokens as _, SigningKeyMaker as _, SimpleJwtClaims, SimpleJwtTokens as _, SimpleJwtUse,
    TokenError,
};
use mapae_domain::{
    AccessClaims, AuthMethod, Purpose, Receipt, Role, SessionId, Timestamp, TokenId, UserId,
    VerificationId,
};
use mapae_testkit::build;
use mapae_token_jwt::{Algorithm, JwtSettings, JwtSimpleTokens, JwtTokens, KeyMaker, SigningKey};
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use serde_json::{Value, json};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

fn settings() -> JwtSettings {
    JwtSettings { issuer: "https://auth.example.com".to_owned(), audience: "mapae".to_owned() }
}

/// A key's parts, to make tokens with that no signer would.
struct Forge {
    kid: String,
    private: Vec<u8>,
}

impl Forge {
    fn new() -> Self {
        let (kid, private) = KeyMaker::new(Algorithm::Es256).make().expect("a key");
        Self { kid, private: private.to_vec() }
    }

    fn tokens(&self) -> JwtTokens {
        let key = SigningKey::from_private(&self.kid, "ES256", &self.private).expect("a key");
        JwtTokens::new(settings(), vec![key]).expect("a signer")
    }

    /// Signs any header and claims, rightly.
    fn sign(&self, header: &str, claims: &str) -> String {
        #[expect(clippy::disallowed_methods, reason = "ring takes no other source")]
        let random = ring::rand::SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, &self.private, &random).expect("a key");
        let signed =
            format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature = pair.sign(&random, signed.as_bytes()).expect("a signature");
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }

    fn header(&self) -> Value {
        json!({"alg": "ES256", "typ": "at+jwt", "kid": self.kid})
    }
}

fn claims() -> AccessClaims {
    let random = &mut build::random;
    AccessClaims {
        user: UserId::draw(NOW, random),
        session: SessionId::draw(NOW, random),
        id: TokenId::draw(NOW, random),
        issued_at: NOW,
        expires_at: Timestamp::from_seconds(NOW.as_seconds() + 600),
        authenticated_at: NOW,
        methods: vec![AuthMethod::Password],
        roles: vec![Role::parse("admin").expect("a role")],
        email_verified: true,
        phone_verified: false,
    }
}

fn receipt() -> Receipt {
    Receipt {
        verification: VerificationId::draw(NOW, &mut build::random),
        contact: build::email("minji@example.com").into(),
        purpose: Purpose::Login,
        verified_at: NOW,
        expires_at: Timestamp::from_seconds(NOW.as_seconds() + 600),
    }
}

/// The claims of a good token, to be changed.
fn good_claims(forge: &Forge) -> Value {
    let token = forge.tokens().issue(&claims()).expect("a token");
    let part = token.split('.').nth(1).expect("claims");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64url")).expect("JSON")
}

#[test]
fn what_was_signed_comes_back_until_it_expires() {
    for algorithm in Algorithm::ALL {
        let (kid, private) = KeyMaker::new(algorithm).make().expect("a key");
        let key = SigningKey::from_private(&kid, algorithm.as_str(), &private).expect("a key");
        let tokens = JwtTokens::new(settings(), vec![key]).expect("a signer");
        let (claims, receipt) = (claims(), receipt());
        let access = tokens.issue(&claims).expect("a token");
        let signed = tokens.issue_receipt(&receipt).expect("a receipt");
        let last = Timestamp::from_micros(claims.expires_at.as_micros() - 1);
        assert_eq!(tokens.verify(&access, last), Ok(claims.clone()));
        assert_eq!(tokens.verify(&access, claims.expires_at), Err(TokenError::Expired));
        assert_eq!(tokens.verify_receipt(&signed, last), Ok(receipt.clone()));
        assert_eq!(tokens.verify_receipt(&signed, receipt.expires_at), Err(TokenError::Expired));
        // One does not pass for the other.
        assert_eq!(tokens.verify(&signed, NOW), Err(TokenError::Invalid));
        assert_eq!(tokens.verify_receipt(&access, NOW), Err(TokenError::Invalid));
    }
}

#[test]
fn a_token_of_an_older_key_is_good_and_one_of_an_unknown_key_is_not() {
    let (old, new, foreign) = (Forge::new(), Forge::new(), Forge::new());
    let key = |forge: &Forge| {
        SigningKey::from_private(&forge.kid, "ES256", &forge.private).expect("a key")
    };
    let tokens = JwtTokens::new(settings(), vec![key(&old), key(&new)]).expect("a signer");
    let of_old = old.tokens().issue(&claims()).expect("a token");
    assert!(tokens.verify(&of_old, NOW).is_ok());
    let of_new = tokens.issue(&claims()).expect("a token");
    assert!(new.tokens().verify(&of_new, NOW).is_ok(), "the last key signs");
    let of_foreign = foreign.tokens().issue(&claims()).expect("a token");
    assert_eq!(tokens.verify(&of_foreign, NOW), Err(TokenError::Invalid));
}

#[test]
fn the_key_set_holds_public_members_alone() {
    let forge = Forge::new();
    let set: Value = serde_json::from_str(&forge.tokens().jwks()).expect("JSON");
    let keys = set["keys"].as_array().expect("keys");
    assert_eq!(keys.len(), 1);
    let members: Vec<_> = keys[0].as_object().expect("a key").keys().collect();
    assert_eq!(members, ["alg", "crv", "kid", "kty", "use", "x", "y"]);
    assert!(JwtTokens::new(settings(), Vec::new()).is_err());
}

#[test]
fn no_header_but_our_own_is_accepted() {
    let forge = Forge::new();
    let (tokens, claims) = (forge.tokens(), good_claims(&forge).to_string());
    assert!(tokens.verify(&forge.sign(&forge.header().to_string(), &claims), NOW).is_ok());
    let with = |name: &str, value: Value| {
        let mut header = forge.header();
        header[name] = value;
        header.to_string()
    };
    let without = |name: &str| {
        let mut header = forge.header();
        header.as_object_mut().expect("an object").remove(name);
        header.to_string()
    };
    let mut hostile: Vec<String> =
        ["none", "None", "NONE", "nOnE", "HS256", "ES384", "EdDSA", "es256", "RS256", "ES256K", ""]
            .into_iter()
            .map(|alg| with("alg", json!(alg)))
            .collect();
    for typ in ["JWT", "receipt+jwt", "AT+JWT", "application/at+jwt", "", "at+jwt "] {
        hostile.push(with("typ", json!(typ)));
    }
    for kid in ["", "../../etc/passwd", "' OR 1=1 --", "\u{0}", "0"] {
        hostile.push(with("kid", json!(kid)));
    }
    for (name, value) in [
        ("alg", json!(["ES256"])),
        ("alg", json!(null)),
        ("typ", json!(1)),
        ("kid", json!([])),
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("crit", json!(null)),
    ] {
        hostile.push(with(name, value));
    }
    hostile.extend(["alg", "typ", "kid"].map(without));
    hostile.push(format!(
        "{{\"alg\":\"ES256\",\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"{}\"}}",
        forge.kid
    ));
    hostile.extend(["", "null", "[]", "\"\"", "{}", "{"].map(str::to_owned));
    for header in hostile {
        let token = forge.sign(&header, &claims);
        assert_eq!(tokens.verify(&token, NOW), Err(TokenError::Invalid), "{header}");
    }
    // A key in the header is not even read: a good token stays good, another's stays bad.
    let stranger = Forge::new();
    for name in ["jwk", "jku", "x5u", "x5c", "x5t"] {
        let mut header = forge.header();
        header[name] = json!("https://evil.example.com/keys");
        assert!(tokens.verify(&forge.sign(&header.to_string(), &claims), NOW).is_ok());
        let forged = stranger.sign(&header.to_string(), &claims);
        assert_eq!(tokens.verify(&forged, NOW), Err(TokenError::Invalid), "{name}");
    }
}

#[test]
fn a_claim_that_is_missing_or_of_another_type_or_kind_is_refused() {
    let forge = Forge::new();
    let (tokens, good) = (forge.tokens(), good_claims(&forge));
    let verify =
        |claims: &str| tokens.verify(&forge.sign(&forge.header().to_string(), claims), NOW);
    for name in good.as_object().expect("claims").keys() {
        let mut without = good.clone();
        without.as_object_mut().expect("claims").remove(name);
        assert_eq!(verify(&without.to_string()), Err(TokenError::Invalid), "without {name}");
        for value in [
            json!(null),
            json!({}),
            json!([1]),
            json!(1.5),
            json!("x"),
            json!(-1),
            json!(true),
            json!([]),
        ] {
            let mut other = good.clone();
            other[name] = value.clone();
            // The few that are of the right type, or mean that it has expired.
            let right_type = other[name] == good[name]
                || matches!((name.as_str(), &value), ("amr" | "roles", Value::Array(list)) if list.is_empty())
                || (matches!(name.as_str(), "iat" | "auth_time") && value == json!(-1))
                || (name.ends_with("verified") && value.is_boolean());
            let refused = verify(&other.to_string()).is_err();
            assert!(refused || right_type, "{name} = {value}");
        }
        let doubled = good.to_string().replacen('{', &format!("{{\"{name}\":{},", good[name]), 1);
        assert_eq!(verify(&doubled), Err(TokenError::Invalid), "{name} twice");
    }
    for (name, value) in [
        ("iss", json!("https://auth.example.com/")),
        ("iss", json!("https://AUTH.example.com")),
        ("aud", json!(["mapae"])),
        ("aud", json!("other")),
        ("exp", json!("1900000000")),
        ("exp", json!(1.9e9)),
        ("exp", json!(9_999_999_999_999_999_999_u64)),
        ("sub", json!("not-a-uuid")),
        ("roles", json!(["ADMIN"])),
        ("amr", json!(["magic"])),
    ] {
        let mut other = good.clone();
        other[name] = value.clone();
        assert_eq!(verify(&other.to_string()), Err(TokenError::Invalid), "{name} = {value}");
    }
}

#[test]
fn no_other_form_than_the_compact_one_is_accepted_and_nothing_panics() {
    let forge = Forge::new();
    let tokens = forge.tokens();
    let good = tokens.issue(&claims()).expect("a token");
    let parts: Vec<&str> = good.split('.').collect();
    let (header, body, signature) = (parts[0], parts[1], parts[2]);
    let padded = |part: &str| URL_SAFE.encode(URL_SAFE_NO_PAD.decode(part).expect("base64url"));
    let standard = |part: &str| STANDARD.encode(URL_SAFE_NO_PAD.decode(part).expect("base64url"));
    let hostile = [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        "...".to_owned(),
        format!("{header}.{body}"),
        format!("{header}.{body}."),
        format!(".{body}.{signature}"),
        format!("{header}..{signature}"),
        format!("{good}."),
        format!(".{good}"),
        format!("{good}.{signature}.{signature}"),
        format!(" {good}"),
        format!("{good}\n"),
        format!("{good}\u{0}"),
        format!("{header}.{body}.{signature}="),
        format!("{}.{body}.{signature}", padded(header)),
        format!("{header}.{}.{}", standard(body), standard(signature)),
        good.to_uppercase(),
        good.replace('.', ".\n"),
        json!({"payload": body, "signatures": [{"protected": header, "signature": signature}]})
            .to_string(),
        json!({"payload": body, "protected": header, "signature": signature}).to_string(),
        format!("{good}{}", "A".repeat(10_000)),
        "A".repeat(1_000_000),
        "é".repeat(100),
        format!("Bearer {good}"),
    ];
    for token in hostile {
        let shown: String = token.chars().take(80).collect();
        assert_eq!(tokens.verify(&token, NOW), Err(TokenError::Invalid), "{shown}");
        assert!(tokens.verify_receipt(&token, NOW).is_err(), "{shown}");
    }
    for at in 0..good.len() {
        let mut altered = good.clone().into_bytes();
        altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
        let altered = String::from_utf8(altered).expect("ASCII");
        assert_eq!(tokens.verify(&altered, NOW), Err(TokenError::Invalid), "byte {at}");
        let truncated = &good[..at];
        assert_eq!(tokens.verify(truncated, NOW), Err(TokenError::Invalid), "{at} bytes");
    }
    assert!(tokens.verify(&good, NOW).is_ok());
}

mod contract {
    use std::sync::Arc;

    mapae_testkit::tokens_contract! {
        (Arc::new(super::Forge::new().tokens()), Arc::new(super::Forge::new().tokens()))
    }
}

#[test]
fn the_key_that_signs_changes_when_its_time_has_come_and_both_are_published() {
    let (old, new) = (Forge::new(), Forge::new());
    let since_ever = Timestamp::from_seconds(0);
    let scheduled = || {
        let key = |forge: &Forge| {
            SigningKey::from_private(&forge.kid, "ES256", &forge.private).expect("a key")
        };
        let later = NOW.plus(std::time::Duration::from_secs(60));
        (vec![(key(&old), since_ever), (key(&new), later)], vec![(key(&new), later)])
    };
    let (both, alone) = scheduled();
    let tokens = JwtTokens::scheduled(settings(), both).expect("a signer");
    for forge in [&old, &new] {
        assert!(tokens.jwks().contains(&forge.kid));
    }
    let kid_of = |token: &str| {
        let header = token.split('.').next().expect("a header");
        let header = URL_SAFE_NO_PAD.decode(header).expect("base64url");
        serde_json::from_slice::<Value>(&header).expect("JSON")["kid"].clone()
    };
    let issued = |seconds| {
        let issued_at = NOW.plus(std::time::Duration::from_secs(seconds));
        let expires_at = issued_at.plus(std::time::Duration::from_secs(600));
        tokens.issue(&AccessClaims { issued_at, expires_at, ..claims() }).expect("a token")
    };
    let (before, after) = (issued(59), issued(60));
    assert_eq!(kid_of(&before), old.kid.as_str());
    assert_eq!(kid_of(&after), new.kid.as_str());
    let at = NOW.plus(std::time::Duration::from_secs(60));
    assert!(tokens.verify(&before, at).is_ok() && tokens.verify(&after, at).is_ok());
    // Once the old one is retired, nothing that it has signed is good, and it is not published.
    tokens.replace(alone).expect("a key");
    assert_eq!(tokens.verify(&before, at), Err(TokenError::Invalid));
    assert!(tokens.verify(&after, at).is_ok());
    assert!(!tokens.jwks().contains(&old.kid));
    assert!(tokens.replace(Vec::new()).is_err(), "there is always a key");
    assert!(tokens.verify(&after, at).is_ok());
}

/// The bridge over an installation's own keys, or over a shared one.
fn bridge(shared: Option<&[u8]>) -> (Arc<JwtSimpleTokens>, Arc<JwtTokens>) {
    let tokens = Arc::new(Forge::new().tokens());
    (Arc::new(JwtSimpleTokens::new(Arc::clone(&tokens), shared)), tokens)
}

mod simplejwt_by_own_keys {
    use mapae_testkit::contract::simplejwt::Signers;

    fn signers() -> Signers {
        let (simple, access) = super::bridge(None);
        (simple, access)
    }

    mapae_testkit::simplejwt_contract! { (signers(), signers()) }
}

mod simplejwt_by_a_shared_key {
    use mapae_testkit::contract::simplejwt::Signers;

    fn signers(key: u8) -> Signers {
        let (simple, access) = super::bridge(Some(&[key; 32]));
        (simple, access)
    }

    mapae_testkit::simplejwt_contract! { (signers(1), signers(2)) }
}

fn an_access_token_for_services() -> SimpleJwtClaims {
    SimpleJwtClaims {
        user: build::user_id(),
        session: build::session_id(),
        id: build::token_id(),
        issued_at: NOW,
        expires_at: NOW.plus(std::time::Duration::from_secs(600)),
        usage: SimpleJwtUse::Access,
    }
}

#[test]
fn simplejwt_finds_its_own_claims_and_nothing_but_its_own_algorithm_is_accepted() {
    let secret = [7; 32];
    for shared in [None, Some(secret.as_slice())] {
        let (simple, _) = bridge(shared);
        let claims = an_access_token_for_services();
        let token = simple.issue(&claims).expect("a token");
        let part = |at: usize| -> Value {
            let part = token.split('.').nth(at).expect("a part");
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64url")).expect("JSON")
        };
        let (header, written) = (part(0), part(1));
        assert_eq!(header["typ"], "JWT");
        assert_eq!(header["alg"], if shared.is_some() { "HS256" } else { "ES256" });
        assert_eq!(header.get("kid").is_some(), shared.is_none());
        assert_eq!(written["token_type"], "access");
        assert_eq!(written["user_id"], claims.user.to_string());
        assert_eq!(written["jti"].as_str().map(str::len), Some(32));
        assert_eq!(written["exp"], NOW.as_seconds() + 600);
        assert_eq!(written.get("aud").is_some(), shared.is_none());
        // No service takes a refresh token for one to be let in by.
        let refresh = SimpleJwtUse::Refresh { token: "x".to_owned() };
        let refresh = simple.issue(&SimpleJwtClaims { usage: refresh, ..claims }).expect("a token");
        let body = refresh.split('.').nth(1).expect("claims");
        let body = URL_SAFE_NO_PAD.decode(body).expect("base64url");
        let body: Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!((&body["aud"], body.get("sub")), (&json!("https://auth.example.com"), None));
    }
}

#[test]
fn a_key_of_one_algorithm_is_never_used_for_another() {
    // The public key's text as an HMAC key, and the shared key where a public one is expected.
    let forge = Forge::new();
    let tokens = Arc::new(forge.tokens());
    let own = JwtSimpleTokens::new(Arc::clone(&tokens), None);
    let shared = [7; 32];
    let with_shared = JwtSimpleTokens::new(Arc::clone(&tokens), Some(&shared));
    let of_own = own.issue(&an_access_token_for_services()).expect("a token");
    let of_shared = with_shared.issue(&an_access_token_for_services()).expect("a token");
    assert_eq!(own.verify(&of_shared, NOW), Err(TokenError::Invalid));
    assert_eq!(with_shared.verify(&of_own, NOW), Err(TokenError::Invalid));
    let mut keys = vec![tokens.jwks().into_bytes()];
    let jwks: Value = serde_json::from_str(&tokens.jwks()).expect("JSON");
    keys.push(jwks["keys"][0].to_string().into_bytes());
    for member in ["x", "y", "kid"] {
        let text = jwks["keys"][0][member].as_str().expect("a member");
        keys.push(text.as_bytes().to_vec());
        keys.push(URL_SAFE_NO_PAD.decode(text).expect("base64url"));
    }
    keys.push(Vec::new());
    let claims = of_shared.split('.').nth(1).expect("claims");
    for key in keys {
        for header in [
            json!({"alg": "HS256", "typ": "JWT", "kid": forge.kid}),
            json!({"alg": "HS256", "typ": "JWT"}),
            json!({"alg": "HS256", "typ": "at+jwt", "kid": forge.kid}),
            json!({"alg": "ES256", "typ": "JWT", "kid": forge.kid}),
        ] {
            let signed = format!("{}.{claims}", URL_SAFE_NO_PAD.encode(header.to_string()));
            let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &key);
            let signature = URL_SAFE_NO_PAD.encode(ring::hmac::sign(&key, signed.as_bytes()));
            let token = format!("{signed}.{signature}");
            assert_eq!(own.verify(&token, NOW), Err(TokenError::Invalid), "{header}");
            assert_eq!(with_shared.verify(&token, NOW), Err(TokenError::Invalid), "{header}");
            assert_eq!(tokens.verify(&token, NOW), Err(TokenError::Invalid), "{header}");
        }
    }
    for alg in ["none", "None", "HS384", "hs256", "ES256"] {
        let header = json!({"alg": alg, "typ": "JWT"}).to_string();
        let signed = format!("{}.{claims}", URL_SAFE_NO_PAD.encode(header));
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &shared);
        let signature = URL_SAFE_NO_PAD.encode(ring::hmac::sign(&key, signed.as_bytes()));
        for token in [format!("{signed}.{signature}"), format!("{signed}.")] {
            assert_eq!(with_shared.verify(&token, NOW), Err(TokenError::Invalid), "{alg}");
        }
    }
}
