use mapae_application::idempotency::IdempotencyKey;
use mapae_application::session::ReceiptLogInError;
use mapae_application::verification::{
    CheckVerification, ProveError, ResendError, ResendVerification, VerificationView,
};
use mapae_domain::session::SessionClient;
use mapae_domain::verification::{ProofRefused, ResendRefused, VerificationStatus};
use mapae_domain::{Contact, DeliveryStatus, VerificationId};
use zeroize::Zeroizing;

use crate::{World, by_email, email, phone, wrong};

async fn resend(
    world: &World,
    id: VerificationId,
    key: Option<&str>,
) -> Result<VerificationView, ResendError> {
    let secrets = world.application.secret_hasher();
    let idempotency = key.map(|key| IdempotencyKey::new(secrets, "resend", key, b""));
    world.application.resend_verification(ResendVerification { id, idempotency }).await
}

#[tokio::test]
async fn a_repeat_of_a_resend_sends_nothing_again_and_a_refused_one_may_be_tried_again() {
    let world = World::new();
    let contact = email("minji@example.com");
    let begun = world.begin("own", &contact).await;
    assert!(resend(&world, begun.id, Some("key")).await.is_err(), "too early");
    world.wait(60);
    let first = resend(&world, begun.id, Some("key")).await.expect("sent again");
    let again = resend(&world, begun.id, Some("key")).await.expect("the same");
    assert_eq!(first.resend_at, again.resend_at);
    world.deliver().await;
    assert_eq!(world.emails.sent().len(), 2);
}

#[tokio::test]
async fn a_code_is_good_until_its_life_ends_and_not_at_its_end() {
    let table: [(Contact, &str, u64); 4] = [
        (email("minji@example.com"), "registration", 30 * 60),
        (email("minji@example.com"), "own", 30 * 60),
        (phone("010-1234-5678"), "registration", 5 * 60),
        (phone("010-1234-5678"), "own", 5 * 60),
    ];
    for (contact, purpose, lifetime) in table {
        for (at, good) in [(lifetime - 1, true), (lifetime, false)] {
            let world = World::new();
            let begun = world.begin(purpose, &contact).await;
            let code = world.code_to(&contact).await;
            world.wait(at);
            let checked = world.check(begun.id, &code).await;
            if good {
                assert_eq!(checked.expect("a good code").status, VerificationStatus::Verified);
            } else {
                let expired = matches!(checked, Err(ProveError::Refused(ProofRefused::Expired)));
                assert!(expired, "{checked:?}");
                let seen = world.application.verification(begun.id).await.expect("it is there");
                assert_eq!(seen.status, VerificationStatus::Expired);
            }
        }
    }
}

#[tokio::test]
async fn a_wrong_code_stays_counted_whatever_happens_after_it() {
    let world = World::new();
    let contact = email("minji@example.com");
    let begun = world.begin("own", &contact).await;
    let code = world.code_to(&contact).await;
    for attempts_left in [4, 3, 2, 1, 0] {
        let checked = world.check(begun.id, &wrong(&code)).await;
        let Err(ProveError::Refused(ProofRefused::Mismatch { attempts_left: left })) = checked
        else {
            panic!("{checked:?}");
        };
        assert_eq!(left, attempts_left);
        let seen = world.application.verification(begun.id).await.expect("it is there");
        assert_eq!(seen.attempts_left, attempts_left);
    }
    let right = world.check(begun.id, &code).await;
    assert!(matches!(right, Err(ProveError::Refused(ProofRefused::Exhausted))));
    let resent = resend(&world, begun.id, None).await;
    assert!(matches!(resent, Err(ResendError::Refused(ResendRefused::AttemptsExhausted))));
}

#[tokio::test]
async fn a_resend_waits_a_minute_and_is_one_message_more() {
    let world = World::new();
    let contact = email("minji@example.com");
    let begun = world.begin("own", &contact).await;
    let first = world.code_to(&contact).await;
    world.wait(59);
    let early = resend(&world, begun.id, None).await;
    let Err(ResendError::Refused(ResendRefused::TooEarly { resend_at })) = early else {
        panic!("{early:?}");
    };
    assert_eq!(resend_at, begun.resend_at);
    world.wait(1);
    resend(&world, begun.id, None).await.expect("it may be sent again");
    let second = world.code_to(&contact).await;
    assert_eq!(world.emails.sent().len(), 2);
    assert_ne!(first, second);
    // The first stays good for five minutes, and no longer.
    world.wait(299);
    world.check(begun.id, &first).await.expect("the previous code within its grace");
}

#[tokio::test]
async fn the_messages_of_a_day_end_for_a_contact_and_come_back_with_the_next() {
    let world = World::new();
    let contact = email("minji@example.com");
    for _ in 0..10 {
        world.begin("own", &contact).await;
    }
    let limited = world.application.begin_verification(crate::begin("own", &contact)).await;
    assert!(limited.is_err(), "an eleventh");
    world.wait(86_400);
    world.begin("own", &contact).await;
    world.deliver().await;
    assert_eq!(world.emails.sent().len(), 1, "what had expired by then was dropped");
}

#[tokio::test]
async fn a_repeat_of_the_check_that_succeeded_gets_the_same_receipt() {
    let world = World::new();
    let contact = email("minji@example.com");
    let begun = world.begin("own", &contact).await;
    let code = world.code_to(&contact).await;
    let check = |key: &str, code: &str| {
        let secrets = world.application.secret_hasher();
        let idempotency = Some(IdempotencyKey::new(secrets, "check", key, code.as_bytes()));
        let code = Zeroizing::new(code.to_owned());
        world.application.check_verification(CheckVerification { id: begun.id, code, idempotency })
    };
    // A wrong code under the same key is another guess each time.
    for attempts_left in [4, 3] {
        let checked = check("one", &wrong(&code)).await;
        let Err(ProveError::Refused(ProofRefused::Mismatch { attempts_left: left })) = checked
        else {
            panic!("{checked:?}");
        };
        assert_eq!(left, attempts_left);
    }
    let first = check("two", &code).await.expect("the right code").receipt;
    let again = check("two", &code).await.expect("the repeat").receipt;
    assert!(first.is_some() && first == again);
    let other = check("three", &code).await;
    assert!(matches!(other, Err(ProveError::Refused(ProofRefused::AlreadyVerified))));
}

#[tokio::test]
async fn a_receipt_to_log_in_is_good_for_ten_minutes() {
    for (after, good) in [(599, true), (600, false)] {
        let world = World::new();
        world.user("minji@example.com").await;
        let contact = email("minji@example.com");
        let begun = world.begin("login", &contact).await;
        let code = world.code_to(&contact).await;
        let receipt = world.check(begun.id, &code).await.expect("the right code").receipt;
        world.wait(after);
        let pair = world
            .application
            .log_in_with_receipt(&receipt.expect("a receipt"), &SessionClient::default())
            .await;
        match good {
            true => assert!(pair.is_ok(), "{after} s"),
            false => assert!(matches!(pair, Err(ReceiptLogInError::ReceiptRefused)), "{after} s"),
        }
    }
}

#[tokio::test]
async fn a_code_to_log_in_that_nobody_gets_is_delivered_like_any_other() {
    let world = World::new();
    world.user("minji@example.com").await;
    let sent = world.emails.sent().len();
    for address in ["minji@example.com", "nobody@example.com"] {
        let begun = world.begin("login", &email(address)).await;
        assert_eq!(begun.delivery.status, DeliveryStatus::Queued);
        world.deliver().await;
        let seen = world.application.verification(begun.id).await.expect("it is there");
        assert_eq!(seen.delivery.status, DeliveryStatus::Sent, "{address}");
    }
    assert_eq!(world.emails.sent().len(), sent + 1);
}

#[tokio::test]
async fn a_verification_for_a_taken_contact_expires_like_any_other() {
    let world = World::new();
    world.user("owner@example.com").await;
    let known = world.register(by_email("owner@example.com")).await.expect("a sign-up");
    let unknown = world.register(by_email("nobody@example.com")).await.expect("a sign-up");
    let guess = async |registration: &mapae_application::registration::RegistrationView| match world
        .check(registration.verifications[0].id, "000000")
        .await
    {
        Ok(_) => panic!("a guess was right"),
        Err(error) => format!("{error:?}"),
    };
    let lifetime = 30 * 60;
    world.wait(lifetime - 1);
    let refused = guess(&known).await;
    assert!(refused.contains("Mismatch"), "{refused}");
    assert_eq!(refused, guess(&unknown).await);
    world.wait(1);
    let refused = guess(&known).await;
    assert!(refused.contains("Expired"), "{refused}");
    assert_eq!(refused, guess(&unknown).await);
}
