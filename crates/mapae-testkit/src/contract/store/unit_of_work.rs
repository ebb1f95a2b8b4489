//! Units of work and read views.

use std::sync::Arc;
use std::time::Duration;

use mapae_application::ports::Store;
use tokio::time::timeout;

use super::{PATIENCE, a_stored_registration, a_stored_user, stored};
use crate::build;

/// A store that works says so.
pub async fn a_store_that_works_answers_a_ping(store: Arc<dyn Store>) {
    store.ping().await.unwrap();
}

/// What was committed is seen by a read view, by a later unit of work, and by the unit itself
/// before that.
pub async fn what_was_committed_is_visible(store: Arc<dyn Store>) {
    let registration = build::a_registration(build::unique_email());
    let mut work = store.begin().await.unwrap();
    work.insert_registration(&registration).await.unwrap();
    let own = work.registration(registration.id()).await.unwrap();
    assert_eq!(own.as_ref(), Some(&registration), "a unit of work sees its own writes");
    work.commit().await.unwrap();
    let mut view = store.read().await.unwrap();
    assert_eq!(view.registration(registration.id()).await.unwrap().as_ref(), Some(&registration));
    drop(view);
    let mut later = store.begin().await.unwrap();
    assert_eq!(later.registration(registration.id()).await.unwrap().as_ref(), Some(&registration));
}

/// A unit of work that is dropped undoes whatever it wrote, in every repository.
pub async fn a_dropped_unit_of_work_undoes_everything(store: Arc<dyn Store>) {
    let kept = a_stored_registration(&store).await;
    let contact = build::unique_contact(mapae_domain::Channel::Email);
    let registration = build::a_registration(build::unique_email());
    let verification = build::a_verification(contact.clone(), Some(registration.id()));
    let user = build::a_user([contact.clone()]);
    let session = build::a_session(user.id());
    let message = build::a_message(Some(verification.id()), build::START);
    let username = build::unique_username();
    let counted = build::unique_hash();

    let mut work = store.begin().await.unwrap();
    let changed = kept.clone().prove(&contact, build::START);
    work.update_registration(&changed).await.unwrap();
    let until = build::after(60);
    assert!(
        work.reserve_username(&username, registration.id(), until, build::START).await.unwrap()
    );
    work.insert_registration(&registration).await.unwrap();
    work.insert_verification(&verification).await.unwrap();
    work.insert_user(&user).await.unwrap();
    work.insert_session(&session).await.unwrap();
    work.insert_message(&message).await.unwrap();
    work.count_contact_send(&counted, 1, until, build::START).await.unwrap();
    drop(work);

    let mut view = store.read().await.unwrap();
    assert_eq!(view.registration(kept.id()).await.unwrap(), Some(kept));
    assert!(view.registration(registration.id()).await.unwrap().is_none());
    assert!(view.verification(verification.id()).await.unwrap().is_none());
    assert!(view.user(user.id()).await.unwrap().is_none());
    assert!(view.user_by_contact(&contact).await.unwrap().is_none());
    assert!(view.session_and_user(session.id()).await.unwrap().is_none());
    assert!(view.delivery_of_verification(verification.id()).await.unwrap().is_none());
    assert_eq!(view.next_message_due(mapae_domain::Channel::Email).await.unwrap(), None);
    drop(view);

    // What was counted and reserved is free again, too.
    let rival = build::a_registration(build::unique_email());
    let mut work = store.begin().await.unwrap();
    assert!(work.reserve_username(&username, rival.id(), until, build::START).await.unwrap());
    let allowance = work.count_contact_send(&counted, 1, until, build::START).await.unwrap();
    assert_eq!(allowance, mapae_application::ports::store::SendAllowance::Allowed);
}

/// What is not committed yet is invisible to a read view.
pub async fn what_is_not_committed_is_invisible(store: Arc<dyn Store>) {
    let registration = build::a_registration(build::unique_email());
    let mut work = store.begin().await.unwrap();
    work.insert_registration(&registration).await.unwrap();
    let mut view = timeout(PATIENCE, store.read()).await.expect("a view waits").unwrap();
    assert!(view.registration(registration.id()).await.unwrap().is_none());
    drop(view);
    work.commit().await.unwrap();
    let mut view = store.read().await.unwrap();
    assert!(view.registration(registration.id()).await.unwrap().is_some());
}

/// A read view is given, and answers, while a unit of work that has written is open.
pub async fn a_read_view_does_not_wait_for_an_open_unit_of_work(store: Arc<dyn Store>) {
    let user = a_stored_user(&store, [build::unique_email().into()]).await;
    let session = build::a_session(user.id());
    let mut work = store.begin().await.unwrap();
    work.insert_session(&session).await.unwrap();
    for _ in 0..8 {
        let read = async {
            let mut view = store.read().await.unwrap();
            view.user(user.id()).await.unwrap()
        };
        let read = timeout(Duration::from_secs(2), read).await;
        assert_eq!(read.expect("a read view waited for a writer"), Some(user.clone()));
    }
    work.commit().await.unwrap();
}

/// A read view that has begun to read goes on seeing what it saw.
pub async fn a_read_view_is_consistent(store: Arc<dyn Store>) {
    let first = a_stored_registration(&store).await;
    let mut view = store.read().await.unwrap();
    assert!(view.registration(first.id()).await.unwrap().is_some());
    let second = build::a_registration(build::unique_email());
    let changed = first.clone().prove(&second_contact(&first), build::START);
    stored!(store, work => {
        work.insert_registration(&second).await.unwrap();
        work.update_registration(&changed).await.unwrap();
    });
    assert!(view.registration(second.id()).await.unwrap().is_none());
    assert_eq!(view.registration(first.id()).await.unwrap(), Some(first));
}

fn second_contact(registration: &mapae_domain::Registration) -> mapae_domain::Contact {
    registration.record().email.clone().expect("an address").contact.into()
}

/// An open read view keeps nobody from writing.
pub async fn an_open_read_view_keeps_nobody_from_writing(store: Arc<dyn Store>) {
    let first = a_stored_registration(&store).await;
    let mut view = store.read().await.unwrap();
    assert!(view.registration(first.id()).await.unwrap().is_some());
    let write = async { a_stored_registration(&store).await };
    timeout(PATIENCE, write).await.expect("a writer waited for a read view");
}

/// Whoever gives up waiting for a unit of work, or drops one that is open, blocks nobody.
pub async fn a_wait_that_is_given_up_blocks_nobody(store: Arc<dyn Store>) {
    let mut work = store.begin().await.unwrap();
    work.insert_registration(&build::a_registration(build::unique_email())).await.unwrap();
    for _ in 0..20 {
        // A store that lets several begin at once gives one, which is dropped unused.
        drop(timeout(Duration::from_millis(5), store.begin()).await);
    }
    drop(work);
    let write = async { a_stored_registration(&store).await };
    timeout(PATIENCE, write).await.expect("the store is blocked");
}

/// Many units of work that overlap all come to their end.
pub async fn many_units_of_work_at_once_all_succeed(store: Arc<dyn Store>) {
    let ids = super::race(32, |_| {
        let store = Arc::clone(&store);
        async move {
            let registration = build::a_registration(build::unique_email());
            super::settled!(store, work => { work.insert_registration(&registration).await? });
            registration.id()
        }
    })
    .await;
    let mut view = store.read().await.unwrap();
    for id in ids {
        assert!(view.registration(id).await.unwrap().is_some());
    }
}
