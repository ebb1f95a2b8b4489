use mapae_domain::session::SessionClient;
use std::time::Duration;

use mapae_application::error::Unavailable;
use mapae_application::session::{AuthenticateError, LogIn, LogInError, RefreshError, TokenPair};
use mapae_domain::{AuthMethod, Timestamp};
use zeroize::Zeroizing;

use crate::{PASSWORD, World, email};

async fn log_in(world: &World, login: &str, password: &str) -> Result<TokenPair, LogInError> {
    let password = Zeroizing::new(password.to_owned());
    world
        .application
        .log_in(LogIn { login: login.to_owned(), password, client: SessionClient::default() })
        .await
}

async fn refresh(world: &World, token: &str) -> Result<TokenPair, RefreshError> {
    world.application.refresh(token, &SessionClient::default()).await
}

fn is_refused(result: &Result<TokenPair, RefreshError>) -> bool {
    matches!(result, Err(RefreshError::InvalidGrant))
}

#[tokio::test]
async fn an_unknown_name_costs_the_same_work_as_a_wrong_password() {
    let world = World::new();
    world.user("minji@example.com").await;
    for login in ["minji@example.com", "nobody@example.com", "nobody", "010-9999-8888", "💥", ""]
    {
        let before = world.hasher.computed();
        let refused = log_in(&world, login, "some other password").await;
        assert!(matches!(refused, Err(LogInError::InvalidCredentials)), "{login}");
        assert_eq!(world.hasher.computed() - before, 1, "{login}");
    }
}

#[tokio::test]
async fn an_outdated_hash_is_made_anew_at_the_next_log_in() {
    let world = World::new();
    world.user("minji@example.com").await;
    world.hasher.raise_parameters();
    for hashes in [1, 0] {
        let before = world.hasher.hashes();
        assert!(log_in(&world, "minji@example.com", PASSWORD).await.is_ok());
        assert_eq!(world.hasher.hashes() - before, hashes);
    }
}

#[tokio::test]
async fn an_overloaded_hasher_says_when_to_come_back() {
    let world = World::new();
    world.hasher.set_overloaded(Some(Duration::from_secs(3)));
    let refused = log_in(&world, "minji@example.com", PASSWORD).await;
    let Err(LogInError::Unavailable(Unavailable::Overloaded { retry_after })) = refused else {
        panic!("not overloaded");
    };
    assert_eq!(retry_after, Duration::from_secs(3));
}

#[tokio::test]
async fn a_lost_answer_can_be_asked_for_within_the_window_and_not_after_it() {
    let world = World::new();
    world.user("minji@example.com").await;
    let first = log_in(&world, "minji@example.com", PASSWORD).await.expect("a session");
    let second = refresh(&world, &first.refresh_token).await.expect("a rotation");
    world.wait(59);
    let repeat = refresh(&world, &first.refresh_token).await.expect("the same successor");
    assert_eq!(*repeat.refresh_token, *second.refresh_token);
    // The repeat did not move the window.
    world.wait(1);
    assert!(is_refused(&refresh(&world, &first.refresh_token).await));
    assert!(is_refused(&refresh(&world, &second.refresh_token).await), "the session has ended");
    let ended = world.application.authenticate(&second.access_token).await;
    assert!(matches!(ended, Err(AuthenticateError::SessionEnded)));
}

#[tokio::test]
async fn a_session_lives_a_week_idle_and_ninety_days_at_the_most() {
    let (day, week) = (86_400, 7 * 86_400);
    let world = World::new();
    world.user("minji@example.com").await;
    let idle = log_in(&world, "minji@example.com", PASSWORD).await.expect("a session");
    world.wait(week);
    assert!(is_refused(&refresh(&world, &idle.refresh_token).await));

    let mut pair = log_in(&world, "minji@example.com", PASSWORD).await.expect("a session");
    for _ in 0..14 {
        world.wait(6 * day);
        pair = refresh(&world, &pair.refresh_token).await.expect("a rotation");
    }
    // 84 days have gone; what is left is less than a week.
    assert_eq!(pair.refresh_expires_in, Duration::from_secs(6 * day));
    world.wait(6 * day - 1);
    let last = refresh(&world, &pair.refresh_token).await.expect("the last rotation");
    assert_eq!(last.expires_in, Duration::from_secs(1), "no token outlives its session");
    world.wait(1);
    assert!(is_refused(&refresh(&world, &last.refresh_token).await));
}

#[tokio::test]
async fn an_access_token_is_good_for_ten_minutes_whichever_way_the_clock_goes() {
    let world = World::new();
    world.user("minji@example.com").await;
    let issued = world.application.now();
    let pair = log_in(&world, "minji@example.com", PASSWORD).await.expect("a session");
    let at = |seconds: i64| Timestamp::from_micros(issued.as_micros() + seconds * 1_000_000);
    for (seconds, good) in [(0, true), (599, true), (600, false), (7_200, false), (-7_200, true)] {
        world.clock.set(at(seconds));
        let verified = world.application.verify_access_token(&pair.access_token);
        assert_eq!(verified.is_ok(), good, "{seconds} s");
    }
}

#[tokio::test]
async fn how_somebody_logged_in_is_said_in_the_token() {
    let world = World::new();
    let registration = world.user("minji@example.com").await;
    let first = world
        .application
        .take_registration_tokens(registration.id, &registration.token, &SessionClient::default())
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    let methods = |pair: &TokenPair| {
        world.application.verify_access_token(&pair.access_token).expect("a good token").methods
    };
    assert_eq!(methods(&first), [AuthMethod::OneTimeCode]);
    let by_password = log_in(&world, "minji@example.com", PASSWORD).await.expect("a session");
    assert_eq!(methods(&by_password), [AuthMethod::Password]);
    let begun = world.begin("login", &email("minji@example.com")).await;
    let code = world.code_to(&email("minji@example.com")).await;
    let receipt = world.check(begun.id, &code).await.expect("the right code").receipt;
    let by_code = world
        .application
        .log_in_with_receipt(&receipt.expect("a receipt"), &SessionClient::default())
        .await;
    assert_eq!(methods(&by_code.unwrap_or_else(|e| panic!("{e}"))), [AuthMethod::OneTimeCode]);
}

#[tokio::test]
async fn a_refresh_whose_commit_was_lost_can_be_asked_for_again() {
    let world = World::new();
    world.user("minji@example.com").await;
    let first = log_in(&world, "minji@example.com", PASSWORD).await.expect("a session");
    world.store.fail_next_commit();
    let failed = refresh(&world, &first.refresh_token).await;
    assert!(matches!(failed, Err(RefreshError::Unavailable(_))));
    let second =
        refresh(&world, &first.refresh_token).await.expect("the token is as good as before");
    // Stored, but its answer was lost on the way: the same successor again.
    world.store.lose_next_commit_answer();
    let lost = refresh(&world, &second.refresh_token).await;
    assert!(matches!(lost, Err(RefreshError::Unavailable(_))));
    refresh(&world, &second.refresh_token).await.expect("asked for again");
}
