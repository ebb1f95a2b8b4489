//! What is known of addresses.

use std::sync::Arc;

use mapae_application::ports::Store;
use mapae_domain::{Deliverability, SecretHash};

use super::stored;
use crate::build;

async fn known(store: &Arc<dyn Store>, address: &SecretHash) -> Deliverability {
    store.read().await.unwrap().deliverability(address).await.unwrap()
}

/// Of an address that was never marked nothing bad is known.
pub async fn an_unknown_address_is_deliverable(store: Arc<dyn Store>) {
    assert_eq!(known(&store, &build::unique_hash()).await, Deliverability::Deliverable);
}

/// The latest mark of an address counts, and no other address has it.
pub async fn the_latest_mark_of_an_address_counts(store: Arc<dyn Store>) {
    let (address, other) = (build::unique_hash(), build::unique_hash());
    let marks = [
        Deliverability::Bounced,
        Deliverability::Complained,
        Deliverability::Deliverable,
        Deliverability::Bounced,
    ];
    for mark in marks {
        stored!(store, work => {
            work.mark_address(&address, mark, build::START).await.unwrap();
        });
        assert_eq!(known(&store, &address).await, mark);
        assert_eq!(known(&store, &other).await, Deliverability::Deliverable);
    }
    stored!(store, work => {
        work.mark_address(&other, Deliverability::Deliverable, build::START).await.unwrap();
    });
    assert_eq!(known(&store, &other).await, Deliverability::Deliverable);
}

/// A mark that was not committed is none.
pub async fn a_mark_that_was_not_committed_is_none(store: Arc<dyn Store>) {
    let address = build::unique_hash();
    let mut work = store.begin().await.unwrap();
    work.mark_address(&address, Deliverability::Bounced, build::START).await.unwrap();
    assert_eq!(work.deliverability(&address).await.unwrap(), Deliverability::Bounced);
    drop(work);
    assert_eq!(known(&store, &address).await, Deliverability::Deliverable);
}
