//! Experiment 10: the wall clock jumps by ten minutes and two hours, forward and back, and nothing
//! that has expired is good again beyond the leeway, which for Mapae itself is none.

use mapae_application::ports::Clock as _;
use mapae_application::session::{LogIn, TokenPair};
use mapae_domain::Timestamp;
use mapae_domain::session::SessionClient;
use zeroize::Zeroizing;

use crate::{PASSWORD, World, email};

const MINJI: &str = "minji@example.com";
const JUMPS: [i64; 6] = [600, -600, 7_200, -7_200, 0, 7_200];

fn later(than: Timestamp, seconds: i64) -> Timestamp {
    Timestamp::from_micros(than.as_micros() + seconds * 1_000_000)
}

async fn log_in(world: &World) -> TokenPair {
    let (login, password) = (MINJI.to_owned(), Zeroizing::new(PASSWORD.to_owned()));
    let command = LogIn { login, password, client: SessionClient::default() };
    world.application.log_in(command).await.unwrap_or_else(|error| panic!("{error}"))
}

/// What was shown to be over stays over: a token's end is an instant, whichever way the clock goes.
#[tokio::test]
async fn access_tokens_end_at_their_instant_whichever_way_the_clock_jumps() {
    let world = World::new();
    world.user(MINJI).await;
    let issued = world.clock.now();
    let pair = log_in(&world).await;
    for from in [0, 300, 599, 600] {
        for jump in JUMPS {
            world.clock.set(later(issued, from + jump));
            let good = world.application.verify_access_token(&pair.access_token).is_ok();
            assert_eq!(good, from + jump < 600, "{from} s and a jump of {jump} s");
            // A session has no end that the same instant would not have.
            let authenticated = world.application.authenticate(&pair.access_token).await;
            assert_eq!(authenticated.is_ok(), good);
        }
    }
}

#[tokio::test]
async fn refresh_tokens_rotate_on_after_a_jump_and_a_window_never_opens_again() {
    for jump in [-7_200, -600, 600, 7_200] {
        let world = World::new();
        world.user(MINJI).await;
        let first = log_in(&world).await;
        let client = SessionClient::default();
        let refresh =
            async |pair: &TokenPair| world.application.refresh(&pair.refresh_token, &client).await;
        let second = refresh(&first).await.expect("a rotation");
        world.clock.set(later(world.clock.now(), jump));
        // Nobody is logged out by a clock.
        let third = refresh(&second).await.unwrap_or_else(|error| panic!("{jump}: {error}"));
        // Two generations back is no lost answer, whatever time it is.
        assert!(refresh(&first).await.is_err(), "{jump}");
        assert!(refresh(&third).await.is_err(), "{jump}: the session has ended");
    }
}

#[tokio::test]
async fn a_repeat_that_was_too_late_has_ended_the_session_for_good() {
    let world = World::new();
    world.user(MINJI).await;
    let begun = world.clock.now();
    let first = log_in(&world).await;
    let client = SessionClient::default();
    world.application.refresh(&first.refresh_token, &client).await.expect("a rotation");
    world.clock.set(later(begun, 60));
    assert!(world.application.refresh(&first.refresh_token, &client).await.is_err());
    for jump in JUMPS {
        world.clock.set(later(begun, jump));
        assert!(world.application.refresh(&first.refresh_token, &client).await.is_err(), "{jump}");
        assert!(world.application.authenticate(&first.access_token).await.is_err(), "{jump}");
    }
}

#[tokio::test]
async fn codes_and_receipts_end_at_their_instant_and_are_used_once() {
    let world = World::new();
    world.user(MINJI).await;
    // A log-in code lives ten minutes.
    let contact = email(MINJI);
    let begun = world.begin("login", &contact).await;
    let code = world.code_to(&contact).await;
    let start = world.clock.now();
    for jump in [600, 7_200] {
        world.clock.set(later(start, jump));
        assert!(world.check(begun.id, &code).await.is_err(), "{jump}");
    }
    world.clock.set(later(start, -600));
    let receipt = world.check(begun.id, &code).await.expect("in time").receipt;
    let receipt = receipt.expect("a receipt");
    let client = SessionClient::default();
    for jump in [0, 7_200] {
        world.clock.set(later(start, jump));
        let late = world.application.log_in_with_receipt(&receipt, &client).await;
        assert!(late.is_err(), "{jump}");
    }
    world.clock.set(later(start, -599));
    let opened = world.application.log_in_with_receipt(&receipt, &client).await;
    assert!(opened.is_ok(), "in time");
    for jump in JUMPS {
        world.clock.set(later(start, -600 + jump));
        let again = world.application.log_in_with_receipt(&receipt, &client).await;
        assert!(again.is_err(), "a receipt is used once, at {jump}");
    }
}
