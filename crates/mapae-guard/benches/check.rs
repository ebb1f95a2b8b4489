//! What a check costs beside the bare check of the signature: `cargo bench -p mapae-guard`.
//!
//! For each algorithm three figures stand side by side: the library's own check of the signature, a
//! token that is seen for the first time, and one that is remembered.
#![expect(clippy::expect_used, reason = "a benchmark: what fails here ends it")]

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use criterion::{Criterion, criterion_group, criterion_main};
use mapae_application::ports::{AccessTokens as _, SigningKeyMaker as _};
use mapae_domain::{AccessClaims, AuthMethod, Role, SessionId, Timestamp, TokenId, UserId};
use mapae_guard::Guard;
use mapae_testkit::build;
use mapae_testkit::fake::{HttpReply, HttpStub};
use mapae_token_claims::PublicKey;
use mapae_token_jwt::{Algorithm, JwtSettings, JwtTokens, KeyMaker, SigningKey};

fn claims() -> AccessClaims {
    let (now, random) = (Timestamp::from_seconds(4_000_000_000), &mut build::random);
    AccessClaims {
        user: UserId::draw(now, random),
        session: SessionId::draw(now, random),
        id: TokenId::draw(now, random),
        issued_at: now,
        expires_at: now.plus(Duration::from_secs(600)),
        authenticated_at: now,
        methods: vec![AuthMethod::Password],
        roles: vec![Role::parse("admin").expect("a role")],
        email_verified: true,
        phone_verified: false,
    }
}

/// How long `times` checks take.
async fn checks(guard: &Guard, token: &str, times: u64) -> Duration {
    #[expect(clippy::disallowed_methods, reason = "a benchmark measures")]
    let begun = Instant::now();
    for _ in 0..times {
        std::hint::black_box(guard.check(std::hint::black_box(token)).await).expect("a good token");
    }
    begun.elapsed()
}

fn check(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    for algorithm in Algorithm::ALL {
        let (kid, private) = KeyMaker::new(algorithm).make().expect("a key");
        let key = SigningKey::from_private(&kid, algorithm.as_str(), &private).expect("a key");
        let public: PublicKey = key.public().clone();
        let settings =
            |issuer: &str| JwtSettings { issuer: issuer.to_owned(), audience: "mapae".to_owned() };
        let issuer = "https://auth.example.com";
        let tokens = JwtTokens::new(settings(issuer), vec![key]).expect("a signer");
        let jwks = tokens.jwks();
        let stub = runtime.block_on(HttpStub::start(move |_| HttpReply::json(200, jwks.clone())));
        let token = tokens.issue(&claims()).expect("a token");
        let guard = |remembered| {
            let guard = Guard::builder(issuer).reached_at(&stub.origin());
            let guard = guard.remembered_tokens(remembered).build().expect("a guard");
            runtime.block_on(guard.warm_up()).expect("keys");
            guard
        };
        let (forgetful, remembering) = (guard(0), guard(10_000));
        let (signed, signature) = token.rsplit_once('.').expect("a token");
        let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64url");

        let mut group = criterion.benchmark_group(algorithm.as_str());
        group.bench_function("the bare signature", |bencher| {
            bencher.iter(|| assert!(public.verifies(signed.as_bytes(), &signature)));
        });
        group.bench_function("a new token", |bencher| {
            bencher.iter_custom(|times| runtime.block_on(checks(&forgetful, &token, times)));
        });
        group.bench_function("a remembered token", |bencher| {
            bencher.iter_custom(|times| runtime.block_on(checks(&remembering, &token, times)));
        });
        group.finish();
    }
}

criterion_group!(benches, check);
criterion_main!(benches);
