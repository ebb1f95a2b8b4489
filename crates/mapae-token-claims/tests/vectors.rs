//! Tokens that others wrote down, good and hostile: RFC 7515, 7520, 8037 and 8725, and what broke
//! other libraries.
#![expect(clippy::expect_used, reason = "test code: what fails here fails a test")]

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use mapae_token_claims::{
    ACCESS_TOKEN, AccessTokenClaims, Algorithm, KeySet, MAX_LENGTH, PublicKey, Refused, verify,
};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING,
    ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
};
use serde_json::{Value, json};

fn decoded(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).expect("base64url")
}

fn random() -> SystemRandom {
    #[expect(clippy::disallowed_methods, reason = "ring takes no other source")]
    SystemRandom::new()
}

/// A key whose private half the test has, to sign what no signer would.
struct Forge {
    es256: EcdsaKeyPair,
    ed25519: Ed25519KeyPair,
}

const ES256_KID: &str = "of-es256";
const ED25519_KID: &str = "of-ed25519";

impl Forge {
    fn new() -> Self {
        let kind = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(kind, &random()).expect("a key");
        let es256 = EcdsaKeyPair::from_pkcs8(kind, pkcs8.as_ref(), &random()).expect("a key");
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&random()).expect("a key");
        let ed25519 = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).expect("a key");
        Self { es256, ed25519 }
    }

    fn keys(&self) -> KeySet {
        KeySet::new(vec![
            PublicKey::es256(ES256_KID, self.es256.public_key().as_ref()).expect("a key"),
            PublicKey::ed25519(ED25519_KID, self.ed25519.public_key().as_ref()).expect("a key"),
        ])
    }

    fn sign(&self, header: &str, claims: &str) -> String {
        self.sign_parts(&URL_SAFE_NO_PAD.encode(header), &URL_SAFE_NO_PAD.encode(claims))
    }

    fn sign_parts(&self, header: &str, claims: &str) -> String {
        let signed = format!("{header}.{claims}");
        let signature = self.es256.sign(&random(), signed.as_bytes()).expect("a signature");
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }
}

fn header() -> Value {
    json!({"alg": "ES256", "typ": "at+jwt", "kid": ES256_KID})
}

fn claims() -> Value {
    json!({
        "iss": "https://auth.example.com", "aud": "mapae", "sub": "a", "sid": "b", "jti": "c",
        "iat": 1_800_000_000, "exp": 1_800_000_600, "auth_time": 1_800_000_000, "amr": ["pwd"],
        "roles": [], "email_verified": true, "phone_number_verified": false,
    })
}

fn outcome(keys: &KeySet, token: &str) -> Result<AccessTokenClaims, Refused> {
    verify(keys, ACCESS_TOKEN, token)
}

#[track_caller]
fn assert_refused(keys: &KeySet, token: &str, what: &str) {
    assert!(outcome(keys, token).is_err(), "{what} was accepted");
}

#[test]
fn signatures_that_the_standards_print_are_verified_and_altered_ones_are_not() {
    // RFC 7515 appendix A.3: ES256.
    let point = [
        &[4][..],
        &decoded("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"),
        &decoded("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"),
    ]
    .concat();
    let es256 = PublicKey::es256("a", &point).expect("a key");
    let message = b"eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let signature = decoded(
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
    );
    // RFC 8037 appendix A.4: Ed25519.
    let ed25519 = PublicKey::ed25519("b", &decoded("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"))
        .expect("a key");
    let of_8037 = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    let signature_of_8037 = decoded(
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
    );
    for (key, message, signature) in [
        (&es256, message.as_slice(), &signature),
        (&ed25519, of_8037.as_slice(), &signature_of_8037),
    ] {
        assert!(key.verifies(message, signature));
        for at in 0..signature.len() {
            let mut altered = signature.clone();
            altered[at] ^= 1;
            assert!(!key.verifies(message, &altered), "byte {at}");
        }
        assert!(!key.verifies(&message[1..], signature));
        assert!(!key.verifies(message, &signature[1..]));
        assert!(!key.verifies(message, &[signature.as_slice(), &[0]].concat()));
        assert!(!key.verifies(message, &[]));
        // The signature of nothing that Java took for one of everything (CVE-2022-21449).
        assert!(!key.verifies(message, &[0; 64]));
    }
    assert!(!es256.verifies(of_8037, &signature_of_8037));
    assert!(!ed25519.verifies(message, &signature));
}

#[test]
fn the_standards_examples_are_no_access_tokens() {
    // RFC 7515 A.1 (HS256), A.2 (RS256), A.5 (none), A.6 (JSON), RFC 7516 A.1 (JWE, its beginning),
    // RFC 7519 §6.1 and A.1, RFC 7520 §4.1 (its header).
    let keys = Forge::new().keys();
    for token in [
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
        "eyJhbGciOiJub25lIn0.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.",
        "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
        "{\"payload\":\"eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ\",\"signatures\":[{\"protected\":\"eyJhbGciOiJFUzI1NiJ9\",\"header\":{\"kid\":\"of-es256\"},\"signature\":\"DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q\"}]}",
        "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.OKOawDo13gRp2ojaHV7LFpZcgV7T6DVZKTyKOMTYUmKoTCVJRgckCL9kiMT03JGe.48V1_ALb6US04U3b.5eym8TW_c8SuK0ltJ3rpYIzOeDQz7TALvtu6UG9oMo4vpzs9tX_EFShS8iB7j6ji.XFBoMYUZodetZdvTiFvSkQ",
        "eyJhbGciOiJSUzI1NiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9.SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNz.AA",
    ] {
        assert_refused(&keys, token, token);
    }
}

#[test]
fn whatever_a_header_says_no_key_is_used_but_the_one_it_names_and_by_its_own_algorithm() {
    let forge = Forge::new();
    let (keys, claims) = (forge.keys(), claims().to_string());
    assert!(outcome(&keys, &forge.sign(&header().to_string(), &claims)).is_ok());
    let with = |member: &str, value: Value| {
        let mut header = header();
        header[member] = value;
        header.to_string()
    };
    // Algorithm confusion (RFC 8725 §2.1), in any case and of any type.
    let algorithms = [
        "none",
        "None",
        "nOnE",
        "NONE",
        "HS256",
        "HS384",
        "HS512",
        "RS256",
        "PS256",
        "ES384",
        "ES512",
        "ES256K",
        "EdDSA",
        "es256",
        "ES256 ",
        "",
        "\u{0}ES256",
    ];
    for alg in algorithms {
        assert_refused(&keys, &forge.sign(&with("alg", json!(alg)), &claims), alg);
    }
    for value in [json!(null), json!(true), json!(256), json!(["ES256"]), json!({"a": "ES256"})] {
        for member in ["alg", "typ", "kid"] {
            let header = with(member, value.clone());
            assert_refused(&keys, &forge.sign(&header, &claims), &header);
        }
    }
    // The other key of the set, by either's algorithm.
    for (kid, alg) in [(ED25519_KID, "ES256"), (ED25519_KID, "EdDSA"), (ES256_KID, "EdDSA")] {
        let header = json!({"alg": alg, "typ": "at+jwt", "kid": kid}).to_string();
        assert_refused(&keys, &forge.sign(&header, &claims), &header);
    }
    // A name is looked up and nothing else: no path, no statement, no address.
    for kid in [
        "../../../../dev/null",
        "/etc/passwd",
        "file:///dev/null",
        "x' UNION SELECT 'secret",
        "",
        "https://evil.example.com/keys",
        "of-es256\u{0}",
        " of-es256",
        "OF-ES256",
        "of-es256/..",
    ] {
        let token = forge.sign(&with("kid", json!(kid)), &claims);
        assert_eq!(outcome(&keys, &token), Err(Refused::UnknownKey), "{kid}");
    }
    // What asks to be understood, and is not (RFC 7515 §4.1.11, RFC 7797, RFC 7516 §4.1.3).
    for (member, value) in [
        ("crit", json!(["exp"])),
        ("crit", json!(["b64"])),
        ("crit", json!([])),
        ("crit", json!(null)),
        ("b64", json!(false)),
        ("b64", json!(true)),
        ("zip", json!("DEF")),
    ] {
        let header = with(member, value);
        assert_refused(&keys, &forge.sign(&header, &claims), &header);
    }
    // Kinds (RFC 8725 §3.11), a nested token among them.
    for typ in ["JWT", "jwt", "AT+JWT", "application/at+jwt", "receipt+jwt", "dpop+jwt", "JOSE"] {
        let header = with("typ", json!(typ));
        assert_refused(&keys, &forge.sign(&header, &claims), &header);
    }
    let inner = forge.sign(&header().to_string(), &claims);
    assert_refused(&keys, &forge.sign(&with("cty", json!("JWT")), &inner), "a nested token");
    // Members that stand twice, on either side, whichever a reader would take.
    for doubled in ["\"alg\":\"ES256\"", "\"alg\":\"none\"", "\"typ\":\"JWT\"", "\"kid\":\"x\""] {
        let good = header().to_string();
        let inside = good.trim_matches(['{', '}']);
        for header in [format!("{{{doubled},{inside}}}"), format!("{{{inside},{doubled}}}")] {
            assert_refused(&keys, &forge.sign(&header, &claims), &header);
        }
    }
    // Keys and addresses of keys: not read, so they neither help nor harm (RFC 8725 §3.10).
    let stranger = Forge::new();
    let jwk = json!({"kty": "EC", "crv": "P-256", "kid": ES256_KID,
        "x": URL_SAFE_NO_PAD.encode(&stranger.es256.public_key().as_ref()[1..33]),
        "y": URL_SAFE_NO_PAD.encode(&stranger.es256.public_key().as_ref()[33..])});
    for (member, value) in [
        ("jwk", jwk),
        ("jku", json!("https://evil.example.com/keys")),
        ("x5u", json!("https://evil.example.com/chain")),
        ("x5c", json!(["MIIB"])),
        ("x5t", json!("AA")),
        ("x5t#S256", json!("AA")),
    ] {
        let header = with(member, value);
        assert!(outcome(&keys, &forge.sign(&header, &claims)).is_ok(), "{member}");
        assert_refused(&keys, &stranger.sign(&header, &claims), member);
    }
}

#[test]
fn a_signature_of_another_curve_or_form_is_none() {
    let forge = Forge::new();
    let (keys, claims) = (forge.keys(), claims().to_string());
    let good = forge.sign(&header().to_string(), &claims);
    let (signed, _) = good.rsplit_once('.').expect("a token");
    // The same private key, but the signature as ASN.1.
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random());
    let asn1 = EcdsaKeyPair::from_pkcs8(
        &ECDSA_P256_SHA256_ASN1_SIGNING,
        pkcs8.expect("a key").as_ref(),
        &random(),
    )
    .expect("a key");
    let of_asn1 =
        KeySet::new(vec![PublicKey::es256(ES256_KID, asn1.public_key().as_ref()).expect("a key")]);
    let signature = asn1.sign(&random(), signed.as_bytes()).expect("a signature");
    let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()));
    assert_refused(&of_asn1, &token, "a signature in ASN.1");
    // A key on P-384 is not taken for one on P-256, nor is its signature.
    let kind = &ECDSA_P384_SHA384_FIXED_SIGNING;
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(kind, &random()).expect("a key");
    let p384 = EcdsaKeyPair::from_pkcs8(kind, pkcs8.as_ref(), &random()).expect("a key");
    assert!(PublicKey::es256("a", p384.public_key().as_ref()).is_none());
    let signature = p384.sign(&random(), signed.as_bytes()).expect("a signature");
    let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()));
    assert_refused(&keys, &token, "a signature of P-384");
    // A point that is on no curve opens nothing.
    let nowhere = PublicKey::es256(ES256_KID, &[&[4][..], &[1; 64]].concat()).expect("65 bytes");
    assert_refused(&KeySet::new(vec![nowhere]), &good, "a point off the curve");
    for zeros in [0, 1, 63, 64, 65, 128] {
        let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(vec![0; zeros]));
        assert_refused(&keys, &token, "zeros");
    }
}

#[test]
fn a_claim_of_another_type_or_that_stands_twice_is_refused() {
    let forge = Forge::new();
    let (keys, header, good) = (forge.keys(), header().to_string(), claims());
    let strange = [json!(null), json!({}), json!([{}]), json!(1.5), json!("1")];
    for name in good.as_object().expect("claims").keys() {
        for value in &strange {
            let mut claims = good.clone();
            claims[name] = value.clone();
            let is_string = good[name].is_string() && value.is_string();
            let outcome = outcome(&keys, &forge.sign(&header, &claims.to_string()));
            assert!(outcome.is_err() || is_string, "{name} = {value}");
        }
        let mut without = good.clone();
        without.as_object_mut().expect("claims").remove(name);
        assert_refused(&keys, &forge.sign(&header, &without.to_string()), name);
        let inside = good.to_string();
        let inside = inside.trim_start_matches('{').trim_end_matches('}');
        let doubled = format!("{{\"{name}\":{},{inside}}}", good[name]);
        assert_refused(&keys, &forge.sign(&header, &doubled), name);
    }
    for body in ["", "null", "[]", "\"\"", "1", "{", "{}{}", "{\"exp\":", "\u{feff}{}", " {}"] {
        assert_refused(&keys, &forge.sign(&header, body), body);
        assert_refused(&keys, &forge.sign(body, &good.to_string()), body);
    }
    let list =
        json!(["https://auth.example.com", "mapae", "a", "b", "c", 1, 2, 3, [], [], true, true]);
    assert_refused(&keys, &forge.sign(&header, &list.to_string()), "a list for a structure");
    let deep = format!("{}{}", "[".repeat(3_000), "]".repeat(3_000));
    assert_refused(&keys, &forge.sign(&header, &format!("{{\"x\":{deep}}}")), "a deep one");
    // What is not known is ignored: a later release may add it.
    let mut more = good;
    more["scope"] = json!({"anything": ["at", "all"]});
    assert!(outcome(&keys, &forge.sign(&header, &more.to_string())).is_ok());
}

#[test]
fn no_form_but_the_one_canonical_compact_one_is_read_and_nothing_panics() {
    let forge = Forge::new();
    let keys = forge.keys();
    let good = forge.sign(&header().to_string(), &claims().to_string());
    assert!(outcome(&keys, &good).is_ok());
    let parts: Vec<&str> = good.split('.').collect();
    let (head, body, signature) = (parts[0], parts[1], parts[2]);
    let padded = |part: &str| URL_SAFE.encode(decoded(part));
    let standard = |part: &str| STANDARD.encode(decoded(part));
    // A signature's last sign has bits that nothing uses: only one writing of it is good.
    let last = signature.chars().last().expect("a sign");
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let next = alphabet.chars().nth(alphabet.find(last).expect("base64url") + 1).unwrap_or('_');
    let sloppy = format!("{}{next}", &signature[..signature.len() - 1]);
    for hostile in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        "....".to_owned(),
        format!("{head}.{body}"),
        format!("{head}.{body}."),
        format!(".{body}.{signature}"),
        format!("{head}..{signature}"),
        format!("{good}.{signature}"),
        format!(".{good}"),
        format!("{good}."),
        format!("{head}.{body}.{signature}.{signature}.{signature}"),
        format!(" {good}"),
        format!("{good} "),
        format!("{good}\n"),
        format!("{good}\u{0}"),
        format!("{head}.{body}.{sloppy}"),
        format!("{head}.{body}.{}", padded(signature)),
        format!("{}.{body}.{signature}", padded(head)),
        format!("{head}.{}.{}", standard(body), standard(signature)),
        forge.sign_parts(&padded(head), body),
        forge.sign_parts(&format!("{head}\n"), body),
        forge.sign_parts(head, &format!("{body}==")),
        good.replace('.', ".\n"),
        json!({"payload": body, "protected": head, "signature": signature}).to_string(),
        json!({"payload": body, "signatures": [{"protected": head, "signature": signature}]})
            .to_string(),
        "é".repeat(50),
        "\u{202e}".to_owned() + &good,
        format!("{good}{}", "A".repeat(MAX_LENGTH)),
        "A".repeat(MAX_LENGTH + 1),
        ".".repeat(MAX_LENGTH),
    ] {
        let shown: String = hostile.chars().take(90).collect();
        assert_refused(&keys, &hostile, &shown);
    }
    for at in 0..good.len() {
        assert_refused(&keys, &good[..at], "a truncated one");
    }
    // Signed rightly, and too long all the same.
    let mut long = claims();
    long["x"] = json!("a".repeat(MAX_LENGTH));
    assert_refused(&keys, &forge.sign(&header().to_string(), &long.to_string()), "a long one");
}

#[test]
fn a_key_set_is_read_strictly_and_what_is_not_understood_is_left_out() {
    let forge = Forge::new();
    let point = forge.es256.public_key().as_ref();
    let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..]));
    let good = json!({"kty": "EC", "crv": "P-256", "kid": "a", "alg": "ES256", "use": "sig",
        "x": x, "y": y});
    let read = |keys: Value| KeySet::from_json(json!({ "keys": keys }).to_string().as_bytes());
    assert_eq!(read(json!([good])).expect("a set").keys().len(), 1);
    let with = |member: &str, value: Value| {
        let mut jwk = good.clone();
        jwk[member] = value;
        jwk
    };
    let modulus = |bytes: usize| URL_SAFE_NO_PAD.encode(vec![0xc5; bytes]);
    for jwk in [
        with("use", json!("enc")),
        with("alg", json!("ES384")),
        with("alg", json!("none")),
        with("alg", json!("HS256")),
        with("crv", json!("P-384")),
        with("crv", json!("secp256k1")),
        with("kty", json!("oct")),
        with("kty", json!("RSA")),
        with("x", json!("AA")),
        with("x", json!(null)),
        with("y", json!(format!("{y}="))),
        with("kid", json!(null)),
        json!({"kty": "oct", "kid": "a", "alg": "HS256", "k": "c2VjcmV0"}),
        json!(null),
        json!("a"),
        // RSA of less than 3072 bits.
        json!({"kty": "RSA", "kid": "a", "alg": "RS256", "e": "AQAB", "n": modulus(256)}),
        json!({"kty": "RSA", "kid": "a", "alg": "RS256", "e": "", "n": modulus(384)}),
    ] {
        assert!(read(json!([jwk])).expect("a set").keys().is_empty(), "{jwk}");
    }
    let rsa = json!({"kty": "RSA", "kid": "a", "alg": "RS256", "e": "AQAB", "n": modulus(384)});
    let set = read(json!([rsa, with("kid", json!("b"))])).expect("a set");
    assert_eq!(set.key("a").map(PublicKey::algorithm), Some(Algorithm::Rs256));
    assert_eq!(set.key("b").map(PublicKey::algorithm), Some(Algorithm::Es256));
    // Two keys of one name, which a token's `kid` would not tell apart.
    assert!(read(json!([good, with("x", json!(y))])).is_err());
    for text in ["", "[]", "{}", "{\"keys\":{}}", "{\"keys\":null}", "<html>"] {
        assert!(KeySet::from_json(text.as_bytes()).is_err(), "{text}");
    }
}
