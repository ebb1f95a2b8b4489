//! argon2id: the port's contract, a known answer, and what happens under load.
#![expect(clippy::expect_used, reason = "test code: what fails here fails a test")]

use std::sync::Arc;

use mapae_application::ports::{PasswordCheck, PasswordHashError, PasswordHasher as _};
use mapae_domain::{Password, PasswordHash};
use mapae_password_argon2::{Argon2Hasher, Argon2Settings};
use mapae_testkit::fake::SequenceRng;

/// Computed by another implementation, for the password below and the default parameters.
const KNOWN: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$iFjnri7nHUSxye2+wRzFBTa2qKKOLk8i2jc0rkrIuew";

fn start(settings: Argon2Settings) -> Argon2Hasher {
    Argon2Hasher::start(settings, Arc::new(SequenceRng::new(5))).expect("a hasher")
}

fn password(text: &str) -> Password {
    Password::present(text).expect("a password")
}

mod contract {
    mapae_testkit::password_contract! {
        std::sync::Arc::new(super::start(mapae_password_argon2::Argon2Settings::for_tests()))
    }
}

#[tokio::test]
async fn the_hash_of_another_implementation_is_checked() {
    let hasher = start(Argon2Settings { threads: 1, ..Argon2Settings::default() });
    let known = Some(PasswordHash::from_stored(KNOWN));
    let right = hasher.check(password("비밀번호 battery"), known.clone()).await;
    assert_eq!(right, Ok(PasswordCheck::Match { outdated: false }));
    let wrong = hasher.check(password("비밀번호 batterz"), known).await;
    assert_eq!(wrong, Ok(PasswordCheck::Mismatch));
}

#[tokio::test]
async fn a_hash_of_other_parameters_is_good_and_outdated() {
    let old = start(Argon2Settings::for_tests());
    let hash = old.hash(password("correct horse")).await.expect("a hash");
    let new = start(Argon2Settings { iterations: 2, ..Argon2Settings::for_tests() });
    let checked = new.check(password("correct horse"), Some(hash)).await;
    assert_eq!(checked, Ok(PasswordCheck::Match { outdated: true }));
}

#[tokio::test]
async fn a_full_queue_answers_at_once_and_works_again_when_it_has_emptied() {
    let settings =
        Argon2Settings { memory_kib: 65_536, threads: 1, queue: 2, ..Argon2Settings::default() };
    let hasher = Arc::new(start(settings));
    let asked: Vec<_> = (0..20)
        .map(|_| {
            let hasher = Arc::clone(&hasher);
            tokio::spawn(async move { hasher.hash(password("correct horse")).await })
        })
        .collect();
    let (mut done, mut refused) = (0, 0);
    for answer in asked {
        match answer.await.expect("an answer") {
            Ok(_) => done += 1,
            Err(PasswordHashError::Overloaded { retry_after }) => {
                assert!(!retry_after.is_zero());
                refused += 1;
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert!(done >= 2 && refused >= 1, "{done} done, {refused} refused");
    hasher.hash(password("correct horse")).await.expect("there is room again");
}

#[tokio::test]
async fn whoever_gives_up_takes_no_work_from_others() {
    let hasher = Arc::new(start(Argon2Settings {
        memory_kib: 65_536,
        threads: 1,
        queue: 64,
        ..Argon2Settings::default()
    }));
    for _ in 0..40 {
        let hasher = Arc::clone(&hasher);
        let asked = tokio::spawn(async move { hasher.hash(password("correct horse")).await });
        tokio::task::yield_now().await;
        asked.abort();
    }
    // Those forty were given up; this one does not wait for them all to be computed.
    hasher.hash(password("correct horse")).await.expect("a hash");
}

#[test]
fn settings_that_argon2id_cannot_work_with_are_refused() {
    let good = Argon2Settings::for_tests();
    for settings in [
        Argon2Settings { memory_kib: 7, ..good },
        Argon2Settings { iterations: 0, ..good },
        Argon2Settings { lanes: 0, ..good },
        Argon2Settings { threads: 0, ..good },
        Argon2Settings { queue: 0, ..good },
    ] {
        let rng = Arc::new(SequenceRng::new(5));
        assert!(Argon2Hasher::start(settings, rng).is_err(), "{settings:?}");
    }
}
