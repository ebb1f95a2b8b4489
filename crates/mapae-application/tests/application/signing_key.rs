use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use mapae_application::ports::{SigningKeyMaker, TokenSigningError};
use mapae_application::signing_key::{SigningKeyError, SigningKeys};
use mapae_domain::Timestamp;
use mapae_domain::signing_key::{KeyState, SigningKeyPolicy};
use mapae_testkit::build;
use mapae_testkit::fake::{FakeSealer, MemoryStore};
use zeroize::Zeroizing;

/// Makes keys that are numbered, of an algorithm of its own.
struct Numbered(&'static str, AtomicU32);

impl SigningKeyMaker for Numbered {
    fn algorithm(&self) -> &'static str {
        self.0
    }

    fn make(&self) -> Result<(String, Zeroizing<Vec<u8>>), TokenSigningError> {
        let number = self.1.fetch_add(1, Ordering::SeqCst);
        Ok((format!("{}-{number}", self.0), Zeroizing::new(vec![7; 32])))
    }
}

struct World {
    store: MemoryStore,
    sealer: FakeSealer,
    maker: Numbered,
    policy: SigningKeyPolicy,
}

const DAY: u64 = 86_400;

impl World {
    fn new() -> Self {
        let rotate_every = Some(Duration::from_secs(30 * DAY));
        Self {
            store: MemoryStore::new(),
            sealer: FakeSealer::new([3; 32]),
            maker: Numbered("ES256", AtomicU32::new(1)),
            policy: SigningKeyPolicy { rotate_every, ..SigningKeyPolicy::default() },
        }
    }

    fn keys(&self) -> SigningKeys<'_> {
        let Self { store, sealer, maker, policy } = self;
        SigningKeys { store, sealer, maker, policy }
    }

    async fn kept(&self, now: Timestamp) -> Vec<String> {
        let kept = self.keys().keep(now).await.expect("keys");
        kept.into_iter().map(|key| key.kid).collect()
    }

    async fn states(&self, now: Timestamp) -> Vec<(String, KeyState)> {
        let listed = self.keys().list(now).await.expect("keys");
        listed.into_iter().map(|key| (key.kid, key.state)).collect()
    }
}

fn named(states: &[(&str, KeyState)]) -> Vec<(String, KeyState)> {
    states.iter().map(|(kid, state)| ((*kid).to_owned(), *state)).collect()
}

#[tokio::test]
async fn on_a_schedule_keys_follow_one_another_and_none_is_missing() {
    let world = World::new();
    assert_eq!(world.kept(build::START).await, ["ES256-1"]);
    assert_eq!(world.kept(build::after(30 * DAY - 1)).await, ["ES256-1"]);
    // The next is made, and does not sign yet.
    let due = 30 * DAY;
    assert_eq!(world.kept(build::after(due)).await, ["ES256-1", "ES256-2"]);
    let expected = named(&[("ES256-1", KeyState::Signing), ("ES256-2", KeyState::Next)]);
    assert_eq!(world.states(build::after(due + 599)).await, expected);
    let expected = named(&[("ES256-1", KeyState::Old), ("ES256-2", KeyState::Signing)]);
    assert_eq!(world.states(build::after(due + 600)).await, expected);
    // What the first has signed is good until its last token and the leeway are over.
    let over = due + 600 + 600 + 60;
    assert_eq!(world.kept(build::after(over - 1)).await, ["ES256-1", "ES256-2"]);
    assert_eq!(world.kept(build::after(over)).await, ["ES256-2"]);
    let expected = named(&[("ES256-1", KeyState::Retired), ("ES256-2", KeyState::Signing)]);
    assert_eq!(world.states(build::after(over)).await, expected);
    // And so on.
    assert_eq!(world.kept(build::after(60 * DAY)).await, ["ES256-2", "ES256-3"]);
}

#[tokio::test]
async fn an_operator_makes_the_next_and_retires_no_key_that_is_needed() {
    let world = World::new();
    world.kept(build::START).await;
    let next = world.keys().rotate(build::after(10)).await.expect("a key");
    assert_eq!((next.kid.as_str(), next.state), ("ES256-2", KeyState::Next));
    let retire = async |kid: &str, at_once, seconds| {
        world.keys().retire(kid, at_once, build::after(seconds)).await
    };
    let refused = [
        retire("ES256-1", false, 20).await,
        retire("ES256-1", false, 700).await,
        retire("unknown", true, 700).await,
    ];
    assert!(matches!(refused[0], Err(SigningKeyError::NotRetired(_))), "it signs");
    assert!(matches!(refused[1], Err(SigningKeyError::NotRetired(_))), "its tokens are good");
    assert!(matches!(refused[2], Err(SigningKeyError::Unknown)));
    retire("ES256-1", false, 10 + 600 + 660).await.expect("it is over");
    assert_eq!(world.kept(build::after(2_000)).await, ["ES256-2"]);
}

#[tokio::test]
async fn a_key_that_somebody_else_may_have_goes_at_once_and_another_signs() {
    let world = World::new();
    world.kept(build::START).await;
    world.keys().rotate(build::after(10)).await.expect("the next");
    world.keys().retire("ES256-1", true, build::after(20)).await.expect("it goes");
    let states = world.states(build::after(20)).await;
    assert_eq!(states.iter().filter(|(_, state)| *state == KeyState::Signing).count(), 1);
    assert_eq!(states[0], ("ES256-1".to_owned(), KeyState::Retired));
    let kept = world.kept(build::after(20)).await;
    assert!(!kept.contains(&"ES256-1".to_owned()) && kept.len() == 2, "{kept:?}");
    let again = world.keys().retire("ES256-1", true, build::after(30)).await;
    assert!(matches!(again, Err(SigningKeyError::NotRetired(_))));
}

#[tokio::test]
async fn another_algorithm_gets_a_key_and_the_old_ones_stay_readable() {
    let mut world = World::new();
    world.kept(build::START).await;
    world.maker = Numbered("EdDSA", AtomicU32::new(1));
    // The last signs: that of today's algorithm.
    assert_eq!(world.kept(build::after(5)).await, ["ES256-1", "EdDSA-1"]);
    let expected = named(&[("ES256-1", KeyState::Old), ("EdDSA-1", KeyState::Signing)]);
    assert_eq!(world.states(build::after(5)).await, expected);
}
