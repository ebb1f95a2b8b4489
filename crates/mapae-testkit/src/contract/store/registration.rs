//! Registrations.

use std::sync::Arc;

use mapae_application::ports::Store;
use mapae_domain::consent::{ConsentChannel, DecidedBy};
use mapae_domain::registration::{Claimed, RegistrationRecord, RegistrationState};
use mapae_domain::{
    Consent, Locale, Nickname, PasswordHash, PersonName, Registration, RegistrationId,
};

use super::{a_stored_registration, a_stored_user, assert_stale, give_way, race, settled, stored};
use crate::build;

/// An id that nothing has finds nothing.
pub async fn an_unknown_registration_is_none(store: Arc<dyn Store>) {
    a_stored_registration(&store).await;
    let id = build::registration_id();
    assert!(store.read().await.unwrap().registration(id).await.unwrap().is_none());
    let mut work = store.begin().await.unwrap();
    assert!(work.registration(id).await.unwrap().is_none());
    assert!(work.lock_registration(id).await.unwrap().is_none());
}

/// A registration with every field that there can be comes back as it was.
pub async fn a_full_registration_comes_back_as_it_was(store: Arc<dyn Store>) {
    let user = a_stored_user(&store, []).await;
    let marketing = Consent {
        by: DecidedBy {
            channel: Some(ConsentChannel::SignUp),
            address: Some("2001:db8::7".parse().expect("an address")),
        },
        reconfirm_at: Some(build::after(9)),
        ..build::consent("marketing", "v1.2_3-rc", true, build::after(1))
    };
    let terms = build::consent("Terms", "2026-11-01", true, build::START);
    let terms = Consent { required: true, ..terms };
    let registration = Registration::from_record(RegistrationRecord {
        id: build::registration_id(),
        username: Some(build::unique_username()),
        email: Some(Claimed { contact: build::unique_email(), proved_at: Some(build::after(2)) }),
        phone: Some(Claimed { contact: build::unique_phone(), proved_at: Some(build::after(3)) }),
        nickname: Some(Nickname::parse("👩‍💻 민지").expect("a nickname")),
        name: Some(PersonName::parse("O'Neil \"Zoë\" 김; -- \\").expect("a name")),
        locale: Locale::Ko,
        password_hash: Some(PasswordHash::from_stored(
            "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA",
        )),
        consents: vec![terms, marketing],
        state: RegistrationState::Completed { user: user.id(), at: build::after(4) },
        tokens_issued_at: Some(build::after(5)),
        created_at: build::START,
        expires_at: build::after(86_400),
        version: u32::MAX,
    });
    comes_back(&store, &registration).await;
}

/// A registration with nothing that it can do without comes back as it was.
pub async fn a_bare_registration_comes_back_as_it_was(store: Arc<dyn Store>) {
    let registration = build::a_registration(build::unique_email());
    let bare = RegistrationRecord { email: None, ..registration.record().clone() };
    comes_back(&store, &Registration::from_record(bare)).await;
    let only_claimed = build::a_registration(build::unique_email());
    comes_back(&store, &only_claimed).await;
}

async fn comes_back(store: &Arc<dyn Store>, registration: &Registration) {
    stored!(store, work => { work.insert_registration(registration).await.unwrap() });
    let id = registration.id();
    let mut view = store.read().await.unwrap();
    assert_eq!(view.registration(id).await.unwrap().as_ref(), Some(registration));
    drop(view);
    let mut work = store.begin().await.unwrap();
    assert_eq!(work.lock_registration(id).await.unwrap().as_ref(), Some(registration));
}

/// Every field that changes is stored by an update.
pub async fn an_updated_registration_comes_back_changed(store: Arc<dyn Store>) {
    let before = a_stored_registration(&store).await;
    let contact = before.record().email.clone().expect("an address").contact.into();
    let proved = before.prove(&contact, build::after(7));
    stored!(store, work => { work.update_registration(&proved).await.unwrap() });
    assert_eq!(read(&store, proved.id()).await, proved);

    let user = a_stored_user(&store, []).await;
    let completed = Registration::from_record(RegistrationRecord {
        password_hash: None,
        state: RegistrationState::Completed { user: user.id(), at: build::after(8) },
        tokens_issued_at: Some(build::after(9)),
        version: proved.record().version + 1,
        ..proved.record().clone()
    });
    stored!(store, work => { work.update_registration(&completed).await.unwrap() });
    assert_eq!(read(&store, completed.id()).await, completed);
}

async fn read(store: &Arc<dyn Store>, id: RegistrationId) -> Registration {
    let mut view = store.read().await.unwrap();
    view.registration(id).await.unwrap().expect("the registration")
}

/// An update whose version is not the next one is stale, and stores nothing.
pub async fn a_stale_update_of_a_registration_is_refused(store: Arc<dyn Store>) {
    let before = a_stored_registration(&store).await;
    let contact = before.record().email.clone().expect("an address").contact.into();
    let first = before.clone().prove(&contact, build::after(1));
    stored!(store, work => { work.update_registration(&first).await.unwrap() });
    let second = before.prove(&contact, build::after(2));
    let skipping = RegistrationRecord { version: 3, ..first.record().clone() };
    for stale in [second, first.clone(), Registration::from_record(skipping)] {
        let mut work = store.begin().await.unwrap();
        let refused = work.update_registration(&stale).await;
        assert_stale(refused, &format!("version {} after 1", stale.record().version));
        drop(work);
        assert_eq!(read(&store, first.id()).await, first);
    }
    let unknown = build::a_registration(build::unique_email()).prove(&contact, build::START);
    let mut work = store.begin().await.unwrap();
    assert_stale(work.update_registration(&unknown).await, "a registration that is not there");
}

/// Of units of work that lock a registration and change it, none undoes another.
pub async fn no_change_of_a_locked_registration_is_lost(store: Arc<dyn Store>) {
    let registration = a_stored_registration(&store).await;
    let id = registration.id();
    let contact = registration.record().email.clone().expect("an address").contact.into();
    race(20, |_| {
        let (store, contact) = (Arc::clone(&store), mapae_domain::Contact::clone(&contact));
        async move {
            settled!(store, work => {
                let locked = work.lock_registration(id).await?.expect("the registration");
                give_way().await;
                work.update_registration(&locked.prove(&contact, build::START)).await?;
            });
        }
    })
    .await;
    assert_eq!(read(&store, id).await.record().version, 20);
}
