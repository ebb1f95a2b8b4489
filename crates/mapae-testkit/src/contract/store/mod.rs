//! What [`Store`] promises.
//!
//! Each promise takes a store of its own, empty, behind an [`Arc`]; the macro
//! [`store_contract!`](crate::store_contract) makes one test of each. Parents are stored before
//! what refers to them, so that a store may hold its rows to that.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use mapae_application::ports::{Store, StoreError};
use mapae_domain::{Contact, Registration, User};
use tokio::task::JoinSet;

use crate::build;

pub mod audit;
pub mod deliverability;
pub mod idempotency;
pub mod inbox;
pub mod outbox;
pub mod registration;
pub mod retention;
pub mod session;
pub mod signing_key;
pub mod unit_of_work;
pub mod user;
pub mod verification;

/// How long a promise waits before it says that something hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs a block over a new unit of work and commits it.
macro_rules! stored {
    ($store:expr, $work:ident => $body:block) => {{
        let mut $work = $store.begin().await.unwrap();
        let value = $body;
        $work.commit().await.unwrap();
        value
    }};
}
use stored;

/// As a use case does: begins anew where another came first.
macro_rules! settled {
    ($store:expr, $work:ident => $body:block) => {{
        let mut stale = 0;
        loop {
            let attempt = async {
                let mut $work = $store.begin().await?;
                let value = $body;
                $work.commit().await?;
                Ok::<_, mapae_application::ports::StoreError>(value)
            };
            match attempt.await {
                Err(mapae_application::ports::StoreError::Stale) if stale < 100 => stale += 1,
                settled => break settled.unwrap(),
            }
        }
    }};
}
use settled;

/// Lets the other tasks of a race come between what a unit of work reads and what it writes. A
/// store that keeps its promises lets them try.
async fn give_way() {
    for _ in 0..4 {
        tokio::task::yield_now().await;
    }
}

/// Runs `count` of what `task` makes, all from one start, and gives what they came to.
async fn race<T, F>(count: usize, task: impl Fn(usize) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let start = Arc::new(tokio::sync::Barrier::new(count));
    let mut tasks = JoinSet::new();
    for number in 0..count {
        let (start, task) = (Arc::clone(&start), task(number));
        tasks.spawn(async move {
            start.wait().await;
            task.await
        });
    }
    tokio::time::timeout(PATIENCE * 3, tasks.join_all())
        .await
        .expect("the tasks do not come to an end")
}

#[track_caller]
fn assert_stale<T>(result: Result<T, StoreError>, what: &str) {
    match result {
        Err(StoreError::Stale) => {}
        Err(other) => panic!("{what}: expected Stale, got {other:?}"),
        Ok(_) => panic!("{what}: expected Stale, got Ok"),
    }
}

/// Stores a bare registration for `contact`, which must be an address.
async fn a_stored_registration(store: &Arc<dyn Store>) -> Registration {
    let registration = build::a_registration(build::unique_email());
    stored!(store, work => { work.insert_registration(&registration).await.unwrap() });
    registration
}

/// Stores a user who holds `contacts`.
async fn a_stored_user(
    store: &Arc<dyn Store>,
    contacts: impl IntoIterator<Item = Contact>,
) -> User {
    let user = build::a_user(contacts);
    stored!(store, work => { work.insert_user(&user).await.unwrap() });
    user
}
