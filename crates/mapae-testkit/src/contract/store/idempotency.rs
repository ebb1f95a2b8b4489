//! Requests that were answered.

use std::sync::Arc;

use mapae_application::idempotency::{IdempotencyClaim, IdempotencyOutcome};
use mapae_application::ports::Store;
use mapae_domain::Timestamp;
use uuid::Uuid;

use super::{give_way, race, settled, stored};
use crate::build;

fn claim() -> IdempotencyClaim {
    IdempotencyClaim {
        key: build::unique_hash(),
        content: build::unique_hash(),
        resource: resource(),
        expires_at: build::after(100),
    }
}

fn resource() -> Uuid {
    build::verification_id().as_uuid()
}

async fn make(
    store: &Arc<dyn Store>,
    claim: &IdempotencyClaim,
    now: Timestamp,
) -> IdempotencyOutcome {
    stored!(store, work => { work.claim_idempotency_key(claim, now).await.unwrap() })
}

async fn find(
    store: &Arc<dyn Store>,
    claim: &IdempotencyClaim,
    now: Timestamp,
) -> IdempotencyOutcome {
    store.read().await.unwrap().find_idempotency_key(claim, now).await.unwrap()
}

/// The first claim of a key is fresh, a repeat gets what the first made, and a request of another
/// content is told apart.
pub async fn a_claim_is_fresh_then_repeated_or_mismatched(store: Arc<dyn Store>) {
    let first = claim();
    let now = build::START;
    assert_eq!(find(&store, &first, now).await, IdempotencyOutcome::Fresh);
    assert_eq!(
        find(&store, &first, now).await,
        IdempotencyOutcome::Fresh,
        "finding claims nothing"
    );
    assert_eq!(make(&store, &first, now).await, IdempotencyOutcome::Fresh);
    let repeat = IdempotencyClaim { resource: resource(), ..first.clone() };
    let expected = IdempotencyOutcome::Repeat(first.resource);
    assert_eq!(find(&store, &repeat, now).await, expected);
    assert_eq!(make(&store, &repeat, now).await, expected);
    let other = IdempotencyClaim { content: build::unique_hash(), ..repeat.clone() };
    assert_eq!(find(&store, &other, now).await, IdempotencyOutcome::Mismatch);
    assert_eq!(make(&store, &other, now).await, IdempotencyOutcome::Mismatch);
    assert_eq!(find(&store, &repeat, now).await, expected, "a mismatch changes nothing");
    assert_eq!(make(&store, &claim(), now).await, IdempotencyOutcome::Fresh, "another key");
}

/// A claim that has expired is as none: the next one is fresh, whatever its content.
pub async fn an_expired_claim_is_as_none(store: Arc<dyn Store>) {
    let first = claim();
    assert_eq!(make(&store, &first, build::START).await, IdempotencyOutcome::Fresh);
    let expected = IdempotencyOutcome::Repeat(first.resource);
    // A repeat does not lengthen the first claim's life.
    let later = IdempotencyClaim { expires_at: build::after(500), ..first.clone() };
    assert_eq!(make(&store, &later, build::after(50)).await, expected);
    let just_before = Timestamp::from_micros(first.expires_at.as_micros() - 1);
    assert_eq!(find(&store, &first, just_before).await, expected);
    let now = first.expires_at;
    assert_eq!(find(&store, &first, now).await, IdempotencyOutcome::Fresh);
    let next = IdempotencyClaim {
        content: build::unique_hash(),
        resource: resource(),
        expires_at: build::after(300),
        ..first.clone()
    };
    assert_eq!(make(&store, &next, now).await, IdempotencyOutcome::Fresh);
    let expected = IdempotencyOutcome::Repeat(next.resource);
    assert_eq!(find(&store, &next, build::after(299)).await, expected);
    let mismatch = find(&store, &first, build::after(299)).await;
    assert_eq!(mismatch, IdempotencyOutcome::Mismatch, "the new claim's content is what counts");
}

/// A claim of a unit of work that was dropped is none.
pub async fn a_claim_that_was_not_committed_is_none(store: Arc<dyn Store>) {
    let claim = claim();
    let mut work = store.begin().await.unwrap();
    let outcome = work.claim_idempotency_key(&claim, build::START).await.unwrap();
    assert_eq!(outcome, IdempotencyOutcome::Fresh);
    let own = work.find_idempotency_key(&claim, build::START).await.unwrap();
    assert_eq!(own, IdempotencyOutcome::Repeat(claim.resource));
    drop(work);
    assert_eq!(make(&store, &claim, build::START).await, IdempotencyOutcome::Fresh);
}

/// Of many claims of one key at once one is fresh, and the others get what it made.
pub async fn a_key_is_claimed_once_among_many_at_once(store: Arc<dyn Store>) {
    let base = claim();
    let outcomes = race(20, |_| {
        let store = Arc::clone(&store);
        let claim = IdempotencyClaim { resource: resource(), ..base.clone() };
        async move {
            let outcome = settled!(store, work => {
                let outcome = work.claim_idempotency_key(&claim, build::START).await?;
                give_way().await;
                outcome
            });
            (outcome, claim.resource)
        }
    })
    .await;
    let fresh: Vec<Uuid> = outcomes
        .iter()
        .filter(|(outcome, _)| *outcome == IdempotencyOutcome::Fresh)
        .map(|(_, resource)| *resource)
        .collect();
    assert_eq!(fresh.len(), 1, "fresh claims");
    for (outcome, _) in outcomes {
        let repeat = IdempotencyOutcome::Repeat(fresh[0]);
        assert!(outcome == IdempotencyOutcome::Fresh || outcome == repeat, "{outcome:?}");
    }
}
