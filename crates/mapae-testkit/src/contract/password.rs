//! What [`PasswordHasher`] promises, as far as its answers can show it.

use std::sync::Arc;

use mapae_application::ports::{PasswordCheck, PasswordHasher};
use mapae_domain::PasswordHash;

use crate::build::password;

const FRESH: PasswordCheck = PasswordCheck::Match { outdated: false };

async fn check(
    hasher: &Arc<dyn PasswordHasher>,
    typed: &str,
    hash: Option<PasswordHash>,
) -> PasswordCheck {
    hasher.check(password(typed), hash).await.unwrap()
}

/// The right password matches a hash that was made just now, and the hash is not outdated.
pub async fn the_right_password_matches(hasher: Arc<dyn PasswordHasher>) {
    let hash = hasher.hash(password("correct horse battery")).await.unwrap();
    assert_eq!(check(&hasher, "correct horse battery", Some(hash)).await, FRESH);
}

/// Another password does not match, however close it is.
pub async fn another_password_does_not_match(hasher: Arc<dyn PasswordHasher>) {
    let hash = hasher.hash(password("correct horse battery")).await.unwrap();
    for wrong in [
        "correct horse batter",
        "correct horse battery ",
        "Correct horse battery",
        "correct horse battery\0",
        "x",
    ] {
        let answer = check(&hasher, wrong, Some(hash.clone())).await;
        assert_eq!(answer, PasswordCheck::Mismatch, "{wrong:?}");
    }
}

/// Without a hash nothing matches.
pub async fn without_a_hash_nothing_matches(hasher: Arc<dyn PasswordHasher>) {
    for typed in ["correct horse battery", "x", "비밀번호는길게해요"] {
        assert_eq!(check(&hasher, typed, None).await, PasswordCheck::Mismatch, "{typed}");
    }
}

/// A hash that cannot be read matches nothing, and is no failure.
pub async fn a_hash_that_cannot_be_read_matches_nothing(hasher: Arc<dyn PasswordHasher>) {
    let good = hasher.hash(password("correct horse battery")).await.unwrap();
    let good = good.as_str();
    let cut = &good[..good.len() - 1];
    let without_hash = good.rsplit_once('$').map_or("", |(before, _)| before);
    let huge = "$argon2id$v=19$m=4294967295,t=4294967295,p=1$c29tZXNhbHQ$aGFzaA";
    for unreadable in [
        "",
        "$",
        "!",
        "correct horse battery",
        "$argon2id$",
        "$argon2id$v=19$m=19456,t=2,p=1$$",
        "$unknown$v=1$c2FsdA$aGFzaA",
        huge,
        "비밀번호",
        cut,
        without_hash,
    ] {
        let hash = PasswordHash::from_stored(unreadable);
        let answer = check(&hasher, "correct horse battery", Some(hash)).await;
        assert_eq!(answer, PasswordCheck::Mismatch, "{unreadable:?}");
    }
}

/// Two hashes of one password differ, and both match it.
pub async fn two_hashes_of_one_password_differ(hasher: Arc<dyn PasswordHasher>) {
    let first = hasher.hash(password("correct horse battery")).await.unwrap();
    let second = hasher.hash(password("correct horse battery")).await.unwrap();
    assert_ne!(first.as_str(), second.as_str());
    for hash in [first, second] {
        assert_eq!(check(&hasher, "correct horse battery", Some(hash)).await, FRESH);
    }
}

/// A password may be of any script, and of every length that there can be.
pub async fn any_script_and_length_is_a_password(hasher: Arc<dyn PasswordHasher>) {
    let (narrow, wide, widest) = ("x".repeat(256), "가".repeat(256), "🔑".repeat(256));
    for typed in ["비밀번호는길게해요", "🔑🗝️🔐🚪🏠🧿📿🪬", "a\0b\0c\0d\0", &narrow, &wide, &widest]
    {
        let hash = hasher.hash(password(typed)).await.unwrap();
        assert_eq!(check(&hasher, typed, Some(hash.clone())).await, FRESH, "{typed:?}");
        // Its very last character counts.
        let mut shorter = typed.to_owned();
        shorter.pop();
        let answer = check(&hasher, &shorter, Some(hash)).await;
        assert_eq!(answer, PasswordCheck::Mismatch, "{typed:?} less its end");
    }
}

/// A hash does not show the password, and is one line of ASCII to store.
pub async fn a_hash_does_not_show_the_password(hasher: Arc<dyn PasswordHasher>) {
    let hash = hasher.hash(password("correct-horse-battery")).await.unwrap();
    for part in ["correct", "horse", "battery"] {
        assert!(!hash.as_str().contains(part));
    }
    assert!(hash.as_str().bytes().all(|b| b.is_ascii_graphic()), "not printable ASCII");
    assert!(hash.as_str().len() <= 255, "{} characters", hash.as_str().len());
}

/// A few hashes and checks at once all come to their end.
pub async fn a_few_at_once_are_all_answered(hasher: Arc<dyn PasswordHasher>) {
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..4 {
        let hasher = Arc::clone(&hasher);
        tasks.spawn(async move {
            let typed = format!("correct horse battery {number}");
            let hash = hasher.hash(password(&typed)).await.unwrap();
            assert_eq!(check(&hasher, &typed, Some(hash)).await, FRESH);
        });
    }
    tasks.join_all().await;
}
