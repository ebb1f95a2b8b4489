//! Signing keys.

use std::sync::Arc;

use mapae_application::ports::{SigningKeyRecord, Store};

use mapae_domain::signing_key::KeyLife;

use super::{give_way, race, settled, stored};
use crate::build;

/// Keys come back as they were, oldest first. Their names differ by letter case.
pub async fn signing_keys_come_back_oldest_first(store: Arc<dyn Store>) {
    let key = |kid: &str, algorithm: &str, seconds| SigningKeyRecord {
        kid: kid.to_owned(),
        algorithm: algorithm.to_owned(),
        sealed: (0..=u8::MAX).cycle().take(2_000).collect(),
        life: KeyLife {
            created_at: build::after(seconds),
            signs_from: build::after(seconds + 600),
            retired_at: None,
        },
    };
    assert!(store.read().await.unwrap().signing_keys().await.unwrap().is_empty());
    let keys = [
        key("NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs", "ES256", 0),
        key("nZBlSxH8UdcCD-6mnWxf4w_7NOwxfzaFhKXzSrgc9xS", "EdDSA", 1),
        key("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k", "ES256", 2),
    ];
    for position in [1, 2, 0] {
        stored!(store, work => { work.insert_signing_key(&keys[position]).await.unwrap() });
    }
    assert_eq!(store.read().await.unwrap().signing_keys().await.unwrap(), keys);
    assert_eq!(store.begin().await.unwrap().signing_keys().await.unwrap(), keys);
    // Retired once, by its very name.
    let kid = keys[0].kid.clone();
    let retire = async |kid: &str, seconds| {
        stored!(store, work => {
            work.retire_signing_key(kid, build::after(seconds)).await.unwrap()
        })
    };
    assert!(!retire(&kid.to_lowercase(), 5).await);
    assert!(retire(&kid, 6).await);
    assert!(!retire(&kid, 7).await);
    let [first, second, third] = keys;
    let life = KeyLife { retired_at: Some(build::after(6)), ..first.life };
    let keys = [SigningKeyRecord { life, ..first }, second, third];
    assert_eq!(store.read().await.unwrap().signing_keys().await.unwrap(), keys);
}

/// Of many that make the first key at once, one does: each asks by what holds the others.
pub async fn the_first_key_is_made_once_among_many_at_once(store: Arc<dyn Store>) {
    let made = race(20, |nth| {
        let store = Arc::clone(&store);
        async move {
            settled!(store, work => {
                let keys = work.lock_signing_keys().await?;
                give_way().await;
                if keys.is_empty() {
                    let key = SigningKeyRecord {
                        kid: format!("key {nth}"),
                        algorithm: "ES256".to_owned(),
                        sealed: vec![1],
                        life: KeyLife {
                            created_at: build::START,
                            signs_from: build::START,
                            retired_at: None,
                        },
                    };
                    work.insert_signing_key(&key).await?;
                }
                keys.len()
            })
        }
    })
    .await;
    assert_eq!(made.iter().filter(|keys| **keys == 0).count(), 1, "{made:?}");
    assert_eq!(store.read().await.unwrap().signing_keys().await.unwrap().len(), 1);
}
