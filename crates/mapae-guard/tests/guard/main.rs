//! Who is let through, and what is asked of Mapae for it.
#![expect(clippy::expect_used, reason = "test code: what fails here fails a test")]

mod frameworks;
mod support;

use std::sync::Arc;
use std::time::Duration;

use mapae_guard::{Channel, Guard, GuardError, Introspection};
use mapae_testkit::fake::HttpReply;
use support::{AUDIENCE, Issuer, TestClock, eventually};

#[tokio::test]
async fn a_good_token_is_let_through_and_the_keys_are_asked_for_once() {
    let issuer = Issuer::start().await;
    let guard = issuer.guard();
    for _ in 0..3 {
        for token in [issuer.token(), issuer.token()] {
            let user = guard.check(&token).await.expect("a good token");
            assert_eq!(user.iss, issuer.origin());
            assert_eq!(user.aud, AUDIENCE);
            assert!(user.has_role("admin") && !user.has_role("owner"));
            assert!(user.email_verified && !user.phone_number_verified);
        }
    }
    assert_eq!(issuer.asked_for_keys(), 1);
}

#[tokio::test]
async fn nobody_elses_token_is_let_through() {
    let (issuer, other) = (Issuer::start().await, Issuer::start().await);
    let guard = issuer.guard();
    let good = issuer.token();
    assert!(guard.check(&good).await.is_ok());
    let of_other_audience = issuer.token_for("other");
    let of_other_issuer = other.token_of(&issuer.origin());
    let altered = support::altered(&good);
    let receipt = issuer.receipt();
    let refused = [
        ("of another audience", of_other_audience),
        ("of another issuer", other.token()),
        ("signed by another's key", of_other_issuer),
        ("altered", altered),
        ("a receipt", receipt),
        ("nothing", String::new()),
        ("dots", "..".to_owned()),
        ("long", "a".repeat(100_000)),
    ];
    for (what, token) in &refused {
        assert_eq!(guard.check(token).await, Err(GuardError::Invalid), "{what}");
    }
    // Nor is any after the good one was remembered.
    for (what, token) in &refused {
        assert_eq!(guard.check(token).await, Err(GuardError::Invalid), "{what}, again");
    }
}

#[tokio::test]
async fn whatever_the_clock_does_no_expired_token_is_good_beyond_the_leeway() {
    let issuer = Issuer::start().await;
    let guard = issuer.guard();
    let (token, exp) = (issuer.token(), issuer.clock.unix() + 600);
    let tight = issuer.builder().leeway(Duration::ZERO).build().expect("a guard");
    let hour = 3_600;
    // Forward and back, by minutes and hours, with the token remembered and not.
    for at in [exp - 600, exp - 1, exp, exp + 29, exp + 30, exp + hour, exp - 1, exp - 2 * hour] {
        issuer.clock.set_unix(at);
        let fresh = issuer.guard();
        for guard in [&guard, &fresh] {
            assert_eq!(guard.check(&token).await.is_ok(), at < exp + 30, "{}", at - exp);
        }
        assert_eq!(tight.check(&token).await.is_ok(), at < exp, "{}", at - exp);
    }
    let minute = Duration::from_secs(60);
    assert!(issuer.builder().leeway(minute).build().is_ok());
    assert!(issuer.builder().leeway(minute + Duration::from_secs(1)).build().is_err());
}

#[tokio::test]
async fn an_unknown_key_is_asked_for_once_a_minute_at_the_most() {
    let issuer = Issuer::start().await;
    let guard = issuer.guard();
    assert!(guard.check(&issuer.token()).await.is_ok());
    let stranger = Issuer::start().await;
    for _ in 0..50 {
        let made_up = stranger.token_of(&issuer.origin());
        assert_eq!(guard.check(&made_up).await, Err(GuardError::Invalid));
        stranger.rotate_at_once();
    }
    assert_eq!(issuer.asked_for_keys(), 2, "at the first token, and at the first unknown name");
    // A key that is really new is found by the next question.
    issuer.rotate_at_once();
    let token = issuer.token();
    issuer.clock.advance(Duration::from_secs(59));
    assert_eq!(guard.check(&token).await, Err(GuardError::Invalid));
    issuer.clock.advance(Duration::from_secs(1));
    assert!(guard.check(&token).await.is_ok());
    assert_eq!(issuer.asked_for_keys(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_that_many_requests_see_at_once_refuses_none_of_them() {
    let issuer = Arc::new(Issuer::start().await);
    let guard = issuer.guard();
    guard.warm_up().await.expect("keys");
    for _ in 0..5 {
        issuer.rotate_at_once();
        let checks: Vec<_> = (0..200)
            .map(|_| {
                let (guard, token) = (guard.clone(), issuer.token());
                tokio::spawn(async move { guard.check(&token).await })
            })
            .collect();
        for check in checks {
            assert!(check.await.expect("a check").is_ok());
        }
        issuer.clock.advance(Duration::from_secs(60));
    }
    assert_eq!(issuer.asked_for_keys(), 6, "once, and once a new key");
}

#[tokio::test]
async fn keys_that_are_due_are_fetched_behind_the_requests_back() {
    let issuer = Issuer::start().await;
    issuer.keys_may_be_kept_for(100);
    let guard = issuer.guard();
    let token = issuer.token();
    assert!(guard.check(&token).await.is_ok());
    issuer.clock.advance(Duration::from_secs(99));
    assert!(guard.check(&token).await.is_ok());
    assert_eq!(issuer.asked_for_keys(), 1);
    issuer.clock.advance(Duration::from_secs(1));
    assert!(guard.check(&token).await.is_ok());
    eventually(|| issuer.asked_for_keys() == 2).await;
    // They had not changed, and were not sent again; they are good for another while.
    assert_eq!(issuer.unchanged_answers(), 1);
    issuer.clock.advance(Duration::from_secs(99));
    assert!(guard.check(&token).await.is_ok());
    assert_eq!(issuer.asked_for_keys(), 2);
}

#[tokio::test]
async fn a_retired_key_opens_nothing_once_the_keys_were_fetched_again() {
    let issuer = Issuer::start().await;
    issuer.keys_may_be_kept_for(100);
    let guard = issuer.guard();
    let token = issuer.token();
    assert!(guard.check(&token).await.is_ok());
    issuer.rotate_at_once();
    issuer.clock.advance(Duration::from_secs(101));
    // Whoever comes first still goes by the old ones.
    assert!(guard.check(&token).await.is_ok());
    eventually(|| issuer.asked_for_keys() == 2).await;
    let mut refused = false;
    for _ in 0..500 {
        refused = guard.check(&token).await == Err(GuardError::Invalid);
        if refused {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(refused, "it was remembered under keys that are gone");
    assert!(guard.check(&issuer.token()).await.is_ok());
}

#[tokio::test]
async fn while_mapae_does_not_answer_known_keys_are_used_for_a_while_and_then_nobody_is_let_in() {
    let issuer = Issuer::start().await;
    issuer.keys_may_be_kept_for(100);
    let guard = issuer.guard();
    let (known, unseen) = (issuer.token(), issuer.token());
    assert!(guard.check(&known).await.is_ok());
    for reply in [
        HttpReply::Cut,
        HttpReply::json(500, "{}"),
        HttpReply::json(200, "no JSON"),
        HttpReply::json(200, "{\"keys\":[]}"),
        HttpReply::json(200, "{\"keys\":[{\"kty\":\"oct\",\"kid\":\"a\",\"alg\":\"HS256\"}]}"),
        HttpReply::json(302, "{}").with("location", format!("{}/elsewhere", issuer.origin())),
        HttpReply::json(200, " ".repeat(300_000)),
    ] {
        issuer.answer_keys_with(reply);
        issuer.clock.advance(Duration::from_secs(120));
        let asked = issuer.asked_for_keys();
        assert!(guard.check(&known).await.is_ok());
        assert!(guard.check(&unseen).await.is_ok());
        eventually(|| issuer.asked_for_keys() > asked).await;
        // A name that is not known might be a new key's: that cannot be said now.
        issuer.clock.advance(Duration::from_secs(2));
        let stranger = Issuer::start().await;
        let made_up = stranger.token_of(&issuer.origin());
        assert_eq!(guard.check(&made_up).await, Err(GuardError::Unavailable));
    }
    issuer.clock.advance(Duration::from_secs(3_600));
    assert_eq!(guard.check(&known).await, Err(GuardError::Unavailable));
    assert_eq!(guard.check(&unseen).await, Err(GuardError::Unavailable));
    // It comes back, and is asked again after a moment.
    issuer.answer_keys();
    assert_eq!(guard.check(&known).await, Err(GuardError::Unavailable));
    issuer.clock.advance(Duration::from_secs(1));
    assert!(guard.check(&known).await.is_ok());
    // The questions that were not answered have cost nobody the answer to the next.
    issuer.rotate_at_once();
    assert!(guard.check(&issuer.token()).await.is_ok());
}

#[tokio::test]
async fn a_service_that_nobody_called_for_a_while_asks_before_it_lets_anybody_in() {
    let issuer = Issuer::start().await;
    issuer.keys_may_be_kept_for(100);
    let guard = issuer.guard();
    let stolen_key = issuer.token();
    assert!(guard.check(&stolen_key).await.is_ok());
    issuer.rotate_at_once();
    issuer.clock.advance(Duration::from_secs(100 + 30));
    assert_eq!(guard.check(&stolen_key).await, Err(GuardError::Invalid), "not even the first");
    assert!(guard.check(&issuer.token()).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_given_up_takes_nobodys_answer_with_it() {
    let issuer = Issuer::start().await;
    let slowly = HttpReply::json(200, issuer.jwks()).after(Duration::from_secs(2));
    issuer.answer_keys_with(slowly);
    let guard = issuer.guard();
    let token = issuer.token();
    for _ in 0..3 {
        let impatient = tokio::time::timeout(Duration::from_millis(50), guard.check(&token));
        assert!(impatient.await.is_err(), "it was given up");
    }
    assert!(guard.check(&token).await.is_ok());
    assert_eq!(issuer.asked_for_keys(), 1, "whoever was given up asked for everybody");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_keys_many_requests_make_one_question_and_all_are_told_to_come_back() {
    let issuer = Issuer::start().await;
    issuer.answer_keys_with(HttpReply::json(503, "{}").after(Duration::from_millis(100)));
    let guard = issuer.guard();
    let checks: Vec<_> = (0..50)
        .map(|_| {
            let (guard, token) = (guard.clone(), issuer.token());
            tokio::spawn(async move { guard.check(&token).await })
        })
        .collect();
    for check in checks {
        assert_eq!(check.await.expect("a check"), Err(GuardError::Unavailable));
    }
    assert_eq!(issuer.asked_for_keys(), 1);
    assert_eq!(GuardError::Unavailable.status(), 503);
}

#[tokio::test]
async fn with_introspection_whoever_logged_out_is_refused_at_once() {
    let issuer = Issuer::start().await;
    let asking = |introspection: Introspection| {
        issuer.builder().introspection(introspection).build().expect("a guard")
    };
    let guard = asking(Introspection::new("shop", "a secret: of the+shop"));
    let token = issuer.token();
    for _ in 0..3 {
        assert!(guard.check(&token).await.is_ok());
    }
    assert_eq!(issuer.introspections(), 3);
    assert_eq!(issuer.introspected_as(), "shop:a%20secret%3A%20of%20the%2Bshop");
    issuer.log_out();
    let asked = issuer.introspections();
    for _ in 0..5 {
        assert_eq!(guard.check(&token).await, Err(GuardError::Invalid));
    }
    assert_eq!(issuer.introspections(), asked + 1, "what is over is over");
    // What is no token of Mapae's is not even asked about.
    let asked = issuer.introspections();
    assert_eq!(guard.check("nonsense").await, Err(GuardError::Invalid));
    assert_eq!(issuer.introspections(), asked);
}

#[tokio::test]
async fn an_introspection_is_remembered_as_long_as_was_said_and_fails_closed() {
    let issuer = Issuer::start().await;
    let seconds = Duration::from_secs;
    let introspection = Introspection::new("shop", "secret").remembered_for(seconds(5));
    let guard = issuer.builder().introspection(introspection).build().expect("a guard");
    let token = issuer.token();
    assert!(guard.check(&token).await.is_ok());
    issuer.log_out();
    issuer.clock.advance(Duration::from_millis(4_999));
    assert!(guard.check(&token).await.is_ok());
    issuer.clock.advance(Duration::from_millis(1));
    assert_eq!(guard.check(&token).await, Err(GuardError::Invalid));
    let token = issuer.token();
    for reply in [HttpReply::Cut, HttpReply::json(401, "{}"), HttpReply::json(200, "{}")] {
        issuer.answer_introspection_with(reply);
        assert_eq!(guard.check(&token).await, Err(GuardError::Unavailable));
    }
}

#[tokio::test]
async fn a_role_and_a_proved_contact_can_be_asked_for() {
    let issuer = Issuer::start().await;
    let guard = issuer.guard();
    let authorization = format!("Bearer {}", issuer.token());
    let check = async |gate: mapae_guard::Gate| gate.check(Some(&authorization)).await.err();
    assert_eq!(check(guard.require_role("admin")).await, None);
    assert_eq!(check(guard.require_role("owner")).await, Some(GuardError::LacksRole));
    assert_eq!(check(guard.require_verified(Channel::Email)).await, None);
    let phone = guard.require_verified(Channel::Phone);
    assert_eq!(check(phone).await, Some(GuardError::NotVerified));
    let both = guard.require_role("admin").require_verified(Channel::Phone);
    assert_eq!(check(both).await, Some(GuardError::NotVerified));
    let gate: mapae_guard::Gate = guard.into();
    for header in [None, Some(""), Some("Bearer"), Some("Bearer "), Some("Basic YTpi")] {
        assert_eq!(gate.check(header).await, Err(GuardError::Missing), "{header:?}");
    }
    let shouted = authorization.replace("Bearer", "BEARER");
    assert!(gate.check(Some(&shouted)).await.is_ok());
}

#[tokio::test]
async fn a_guard_that_could_not_work_is_not_built() {
    for issuer in
        ["", "auth.example.com", "file:///etc/passwd", "ftp://example.com", "https://example.com/"]
    {
        assert!(Guard::new(issuer).is_err(), "{issuer}");
    }
    let builder = || Guard::builder("https://auth.example.com");
    assert!(builder().certificate_authorities(b"nonsense").build().is_err());
    assert!(builder().reached_at("mapae:8080").build().is_err());
    assert!(builder().reached_at("http://mapae:8080/").build().is_ok());
    let clock = Arc::new(TestClock::new());
    let guard = builder().clock(clock).build().expect("a guard");
    assert!(!format!("{guard:?}").contains("secret"));
}
