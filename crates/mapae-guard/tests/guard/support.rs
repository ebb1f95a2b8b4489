//! A Mapae that signs and answers as a test tells it, and a clock that stands still.

use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mapae_application::ports::{AccessTokens as _, SigningKeyMaker as _};
use mapae_domain::{
    AccessClaims, AuthMethod, Purpose, Receipt, Role, SessionId, Timestamp, TokenId, UserId,
    VerificationId,
};
use mapae_guard::{Clock, Guard, GuardBuilder};
use mapae_testkit::build;
use mapae_testkit::fake::{HttpReply, HttpRequest, HttpStub};
use mapae_token_jwt::{Algorithm, JwtSettings, JwtTokens, KeyMaker, SigningKey};

pub(crate) const AUDIENCE: &str = "mapae";

/// A clock that a test sets.
pub(crate) struct TestClock {
    unix: AtomicI64,
    elapsed: AtomicU64,
}

impl TestClock {
    pub(crate) fn new() -> Self {
        Self { unix: AtomicI64::new(1_800_000_000), elapsed: AtomicU64::new(0) }
    }

    pub(crate) fn unix(&self) -> i64 {
        self.unix.load(Ordering::SeqCst)
    }

    /// Sets the wall clock, and nothing else.
    pub(crate) fn set_unix(&self, seconds: i64) {
        self.unix.store(seconds, Ordering::SeqCst);
    }

    /// Lets time pass for the keys; the wall clock stands, so that tokens stay good.
    pub(crate) fn advance(&self, length: Duration) {
        let millis = u64::try_from(length.as_millis()).expect("a short while");
        self.elapsed.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn unix_seconds(&self) -> i64 {
        self.unix()
    }

    fn elapsed(&self) -> Duration {
        Duration::from_millis(self.elapsed.load(Ordering::SeqCst))
    }
}

struct State {
    signer: Mutex<(String, Vec<u8>)>,
    max_age: AtomicUsize,
    unchanged: AtomicUsize,
    keys_answer: Mutex<Option<HttpReply>>,
    introspection_answer: Mutex<HttpReply>,
}

impl State {
    fn tokens(&self, issuer: &str, audience: &str) -> JwtTokens {
        let (kid, private) = self.signer.lock().expect("a key").clone();
        let key = SigningKey::from_private(&kid, "ES256", &private).expect("a key");
        let (issuer, audience) = (issuer.to_owned(), audience.to_owned());
        JwtTokens::new(JwtSettings { issuer, audience }, vec![key]).expect("a signer")
    }

    fn answer(&self, request: &HttpRequest) -> HttpReply {
        match request.target.as_str() {
            "/.well-known/jwks.json" => {
                if let Some(reply) = &*self.keys_answer.lock().expect("an answer") {
                    return reply.clone();
                }
                let etag = format!("\"{}\"", self.signer.lock().expect("a key").0);
                let age = self.max_age.load(Ordering::SeqCst);
                let reply = if request.header("if-none-match") == etag {
                    self.unchanged.fetch_add(1, Ordering::SeqCst);
                    HttpReply::json(304, "")
                } else {
                    HttpReply::json(200, self.tokens("", "").jwks())
                };
                reply.with("etag", etag).with("cache-control", format!("public, max-age={age}"))
            }
            "/oauth2/introspect" => self.introspection_answer.lock().expect("an answer").clone(),
            _ => HttpReply::json(404, "{}"),
        }
    }
}

/// Mapae, as far as a guard sees it.
pub(crate) struct Issuer {
    stub: HttpStub,
    state: Arc<State>,
    pub(crate) clock: Arc<TestClock>,
}

fn new_key() -> (String, Vec<u8>) {
    let (kid, private) = KeyMaker::new(Algorithm::Es256).make().expect("a key");
    (kid, private.to_vec())
}

impl Issuer {
    pub(crate) async fn start() -> Self {
        let state = Arc::new(State {
            signer: Mutex::new(new_key()),
            max_age: AtomicUsize::new(3_600),
            unchanged: AtomicUsize::new(0),
            keys_answer: Mutex::new(None),
            introspection_answer: Mutex::new(HttpReply::json(200, "{\"active\":true}")),
        });
        let answering = Arc::clone(&state);
        let stub = HttpStub::start(move |request| answering.answer(request)).await;
        Self { stub, state, clock: Arc::new(TestClock::new()) }
    }

    pub(crate) fn origin(&self) -> String {
        self.stub.origin()
    }

    pub(crate) fn builder(&self) -> GuardBuilder {
        Guard::builder(&self.origin()).clock(self.clock.clone())
    }

    pub(crate) fn guard(&self) -> Guard {
        self.builder().build().expect("a guard")
    }

    /// A good token: of an administrator with an e-mail address, good for ten minutes.
    pub(crate) fn token(&self) -> String {
        self.token_of(&self.origin())
    }

    pub(crate) fn token_of(&self, issuer: &str) -> String {
        self.state.tokens(issuer, AUDIENCE).issue(&self.claims()).expect("a token")
    }

    pub(crate) fn token_for(&self, audience: &str) -> String {
        self.state.tokens(&self.origin(), audience).issue(&self.claims()).expect("a token")
    }

    pub(crate) fn receipt(&self) -> String {
        let now = Timestamp::from_seconds(self.clock.unix());
        let receipt = Receipt {
            verification: VerificationId::draw(now, &mut build::random),
            contact: build::email("minji@example.com").into(),
            purpose: Purpose::Login,
            verified_at: now,
            expires_at: now.plus(Duration::from_secs(600)),
        };
        let tokens = self.state.tokens(&self.origin(), AUDIENCE);
        tokens.issue_receipt(&receipt).expect("a receipt")
    }

    fn claims(&self) -> AccessClaims {
        let (now, random) = (Timestamp::from_seconds(self.clock.unix()), &mut build::random);
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

    /// The keys as they are published.
    pub(crate) fn jwks(&self) -> String {
        self.state.tokens("", "").jwks()
    }

    /// Signs by another key from now on, and publishes no other.
    pub(crate) fn rotate_at_once(&self) {
        *self.state.signer.lock().expect("a key") = new_key();
    }

    pub(crate) fn keys_may_be_kept_for(&self, seconds: usize) {
        self.state.max_age.store(seconds, Ordering::SeqCst);
    }

    pub(crate) fn answer_keys_with(&self, reply: HttpReply) {
        *self.state.keys_answer.lock().expect("an answer") = Some(reply);
    }

    pub(crate) fn answer_keys(&self) {
        *self.state.keys_answer.lock().expect("an answer") = None;
    }

    pub(crate) fn answer_introspection_with(&self, reply: HttpReply) {
        *self.state.introspection_answer.lock().expect("an answer") = reply;
    }

    /// Says of every token that it is not active any more.
    pub(crate) fn log_out(&self) {
        self.answer_introspection_with(HttpReply::json(200, "{\"active\":false}"));
    }

    fn asked(&self, target: &str) -> Vec<HttpRequest> {
        let mut requests = self.stub.requests();
        requests.retain(|request| request.target == target);
        requests
    }

    pub(crate) fn asked_for_keys(&self) -> usize {
        assert!(self.asked("/elsewhere").is_empty(), "a redirect was followed");
        self.asked("/.well-known/jwks.json").len()
    }

    pub(crate) fn unchanged_answers(&self) -> usize {
        self.state.unchanged.load(Ordering::SeqCst)
    }

    pub(crate) fn introspections(&self) -> usize {
        self.asked("/oauth2/introspect").len()
    }

    /// The credentials of the last introspection.
    pub(crate) fn introspected_as(&self) -> String {
        let last = self.asked("/oauth2/introspect").pop().expect("an introspection");
        let credentials = last.header("authorization").strip_prefix("Basic ").expect("Basic");
        let bytes = STANDARD.decode(credentials).expect("base64");
        String::from_utf8(bytes).expect("text")
    }
}

/// A token with another role in it, and the signature that it had.
pub(crate) fn altered(token: &str) -> String {
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let parts: Vec<&str> = token.split('.').collect();
    let claims = URL_SAFE_NO_PAD.decode(parts[1]).expect("base64url");
    let claims = String::from_utf8(claims).expect("JSON").replace("admin", "owner");
    format!("{}.{}.{}", parts[0], URL_SAFE_NO_PAD.encode(claims), parts[2])
}

/// Waits until it is so.
pub(crate) async fn eventually(so: impl Fn() -> bool) {
    for _ in 0..1_000 {
        if so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(so(), "it never came to pass");
}
