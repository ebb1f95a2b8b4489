//! What signing and checking cost beside the bare signature: `cargo bench -p mapae-token-jwt`.
#![expect(clippy::expect_used, reason = "a benchmark: what fails here ends it")]

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use criterion::{Criterion, criterion_group, criterion_main};
use mapae_application::ports::{AccessTokens as _, SigningKeyMaker as _};
use mapae_domain::{AccessClaims, AuthMethod, Role, SessionId, Timestamp, TokenId, UserId};
use mapae_testkit::build;
use mapae_token_jwt::{Algorithm, JwtSettings, JwtTokens, KeyMaker, SigningKey};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

fn claims() -> AccessClaims {
    let random = &mut build::random;
    AccessClaims {
        user: UserId::draw(NOW, random),
        session: SessionId::draw(NOW, random),
        id: TokenId::draw(NOW, random),
        issued_at: NOW,
        expires_at: NOW.plus(Duration::from_secs(600)),
        authenticated_at: NOW,
        methods: vec![AuthMethod::Password],
        roles: vec![Role::parse("admin").expect("a role")],
        email_verified: true,
        phone_verified: false,
    }
}

fn tokens(criterion: &mut Criterion) {
    for algorithm in Algorithm::ALL {
        let (kid, private) = KeyMaker::new(algorithm).make().expect("a key");
        let key = SigningKey::from_private(&kid, algorithm.as_str(), &private).expect("a key");
        let public = key.public().clone();
        let settings = JwtSettings {
            issuer: "https://auth.example.com".to_owned(),
            audience: "mapae".to_owned(),
        };
        let tokens = JwtTokens::new(settings, vec![key]).expect("a signer");
        let claims = claims();
        let token = tokens.issue(&claims).expect("a token");
        let (signed, signature) = token.rsplit_once('.').expect("a token");
        let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64url");

        let mut group = criterion.benchmark_group(algorithm.as_str());
        group.bench_function("check the bare signature", |bencher| {
            bencher.iter(|| assert!(public.verifies(signed.as_bytes(), &signature)));
        });
        group.bench_function("check a token", |bencher| {
            bencher.iter(|| tokens.verify(&token, NOW).expect("a good token"));
        });
        group.bench_function("issue a token", |bencher| {
            bencher.iter(|| tokens.issue(&claims).expect("a token"));
        });
        group.finish();
    }
}

criterion_group!(benches, tokens);
criterion_main!(benches);
