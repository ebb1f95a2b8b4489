//! Users, their contacts, names and decisions.

use std::sync::Arc;

use mapae_application::ports::Store;
use mapae_domain::consent::{ConsentChannel, DecidedBy};
use mapae_domain::registration::{RegistrationRecord, RegistrationState};
use mapae_domain::session::SessionClient;
use mapae_domain::user::{ContactUndo, UserRecord, UserStatus};
use mapae_domain::verification::{ConcernedUser, VerificationRecord, VerificationState};
use mapae_domain::{
    AuditEntry, AuditId, AuditKind, Channel, Consent, Contact, Locale, Nickname, PasswordHash,
    PersonName, Purpose, Registration, RegistrationId, Role, User, UserContact, UserId, Username,
    Verification,
};

use super::{a_stored_user, assert_stale, give_way, race, settled, stored};
use crate::build;

async fn read(store: &Arc<dyn Store>, id: UserId) -> User {
    let mut view = store.read().await.unwrap();
    view.user(id).await.unwrap().expect("the user")
}

/// An id, a name or a contact that nobody has finds nobody.
pub async fn an_unknown_user_is_none(store: Arc<dyn Store>) {
    let email = build::unique_email();
    a_stored_user(&store, [email.into()]).await;
    let mut view = store.read().await.unwrap();
    let id = build::user_id();
    assert!(view.user(id).await.unwrap().is_none());
    assert!(view.user_by_username(&build::unique_username()).await.unwrap().is_none());
    for channel in Channel::ALL {
        let contact = build::unique_contact(channel);
        assert!(view.user_by_contact(&contact).await.unwrap().is_none());
    }
    assert!(view.consents_of_user(id).await.unwrap().is_empty());
}

fn a_full_user() -> User {
    let base = build::a_user([]);
    let held = |contact, seconds| UserContact {
        verified_at: build::after(seconds),
        ..build::a_user_contact(contact)
    };
    User::from_record(UserRecord {
        username: Some(build::unique_username()),
        nickname: Some(Nickname::parse("🦊 여우").expect("a nickname")),
        name: Some(PersonName::parse("Nguyễn Văn \"A\" O'Neil").expect("a name")),
        locale: Locale::Ko,
        roles: ["admin", "support:read", "a-b_c"].map(|r| Role::parse(r).expect("a role")).into(),
        status: UserStatus::Disabled,
        password_hash: Some(PasswordHash::from_stored(
            "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA",
        )),
        auth_generation: u32::MAX,
        contacts: vec![
            held(build::unique_email().into(), 1),
            held(build::unique_phone().into(), 2),
        ],
        primary: Some(Channel::Sms),
        erase_at: Some(build::after(2)),
        updated_at: build::after(3),
        version: 7,
        ..base.record().clone()
    })
}

/// Stores a user together with the username, as the end of a registration does.
async fn register(store: &Arc<dyn Store>, user: &User) {
    let registration = build::a_registration(build::unique_email());
    stored!(store, work => {
        if let Some(name) = &user.record().username {
            let until = build::after(60);
            let reserved =
                work.reserve_username(name, registration.id(), until, build::START).await.unwrap();
            assert!(reserved);
        }
        work.insert_registration(&registration).await.unwrap();
        work.insert_user(user).await.unwrap();
        if let Some(name) = &user.record().username {
            work.assign_username(name, registration.id(), user.id()).await.unwrap();
        }
    });
}

/// A user with every field that there can be comes back as it was, by whatever it is found.
pub async fn a_full_user_comes_back_as_it_was(store: Arc<dyn Store>) {
    let user = a_full_user();
    register(&store, &user).await;
    register(&store, &a_full_user()).await;
    let record = user.record();
    let mut view = store.read().await.unwrap();
    assert_eq!(view.user(user.id()).await.unwrap().as_ref(), Some(&user));
    let name = record.username.clone().expect("a username");
    assert_eq!(view.user_by_username(&name).await.unwrap().as_ref(), Some(&user));
    for held in &record.contacts {
        let found = view.user_by_contact(&held.contact).await.unwrap();
        assert_eq!(found.as_ref(), Some(&user));
    }
    drop(view);
    let mut work = store.begin().await.unwrap();
    assert_eq!(work.user(user.id()).await.unwrap().as_ref(), Some(&user));
}

/// A user with nothing that it can do without comes back as it was.
pub async fn a_bare_user_comes_back_as_it_was(store: Arc<dyn Store>) {
    let user = a_stored_user(&store, []).await;
    assert_eq!(read(&store, user.id()).await, user);
}

/// Every field of a user but the contacts is stored by an update, set or cleared.
pub async fn an_updated_user_comes_back_changed(store: Arc<dyn Store>) {
    let before = a_full_user();
    register(&store, &before).await;
    let cleared = UserRecord {
        nickname: None,
        name: None,
        locale: Locale::En,
        roles: Vec::new(),
        status: UserStatus::Active,
        password_hash: None,
        auth_generation: 1,
        primary: None,
        updated_at: build::after(50),
        version: 8,
        ..before.record().clone()
    };
    let cleared = User::from_record(cleared);
    stored!(store, work => { work.update_user(&cleared).await.unwrap() });
    assert_eq!(read(&store, before.id()).await, cleared);
    let again = User::from_record(UserRecord { version: 9, ..before.record().clone() });
    stored!(store, work => { work.update_user(&again).await.unwrap() });
    assert_eq!(read(&store, before.id()).await, again);
}

/// An update leaves the contacts as they are; a contact that was added is stored by itself.
pub async fn a_contact_is_added_by_itself(store: Arc<dyn Store>) {
    let before = a_stored_user(&store, [build::unique_email().into()]).await;
    let added = UserContact {
        verified_at: build::after(5),
        ..build::a_user_contact(build::unique_phone().into())
    };
    let after = before.clone().add_contact(added.clone(), build::after(5)).expect("a free channel");
    stored!(store, work => { work.update_user(&after).await.unwrap() });
    assert_eq!(read(&store, before.id()).await.record().contacts, before.record().contacts);
    stored!(store, work => { work.insert_user_contact(before.id(), &added).await.unwrap() });
    assert_eq!(read(&store, before.id()).await, after);
    let mut view = store.read().await.unwrap();
    assert_eq!(view.user_by_contact(&added.contact).await.unwrap(), Some(after));
}

/// An update whose version is not the next one is stale, and stores nothing.
pub async fn a_stale_update_of_a_user_is_refused(store: Arc<dyn Store>) {
    let before = a_stored_user(&store, [build::unique_email().into()]).await;
    let hash = |text: &str| PasswordHash::from_stored(text);
    let first = before.clone().rehash_password(hash("first"), build::after(1));
    stored!(store, work => { work.update_user(&first).await.unwrap() });
    let second = before.rehash_password(hash("second"), build::after(2));
    let skipping = UserRecord { version: 3, ..first.record().clone() };
    for stale in [second, first.clone(), User::from_record(skipping)] {
        let mut work = store.begin().await.unwrap();
        let refused = work.update_user(&stale).await;
        assert_stale(refused, &format!("version {} after 1", stale.record().version));
        drop(work);
        assert_eq!(read(&store, first.id()).await, first);
    }
}

/// A contact that a user holds makes no second user, nor becomes a second user's.
pub async fn a_contact_is_held_by_one_user(store: Arc<dyn Store>) {
    for channel in Channel::ALL {
        let contact = build::unique_contact(channel);
        let holder = a_stored_user(&store, [contact.clone()]).await;
        let rival = build::a_user([contact.clone()]);
        let mut work = store.begin().await.unwrap();
        assert_stale(work.insert_user(&rival).await, "a second user of a contact");
        drop(work);
        let other = a_stored_user(&store, []).await;
        let mut work = store.begin().await.unwrap();
        let held = build::a_user_contact(contact.clone());
        assert_stale(work.insert_user_contact(other.id(), &held).await, "a contact of two users");
        drop(work);
        let mut view = store.read().await.unwrap();
        assert!(view.user(rival.id()).await.unwrap().is_none());
        assert_eq!(view.user(other.id()).await.unwrap(), Some(other));
        assert_eq!(view.user_by_contact(&contact).await.unwrap(), Some(holder));
    }
}

/// Who holds a user is alone with what is kept of them: of many that each go by what came before, none
/// overlooks another. Nothing of the user's own row changes, so that no version stands in for it.
pub async fn who_holds_a_user_is_alone_with_them(store: Arc<dyn Store>) {
    let id = a_stored_user(&store, []).await.id();
    race(10, |_| {
        let store = Arc::clone(&store);
        async move {
            settled!(store, work => {
                work.lock_user(id).await?.expect("the user");
                let before = work.consents_of_user(id).await?.len();
                give_way().await;
                let next = build::consent("terms", &before.to_string(), true, build::START);
                work.insert_consents(id, &[next]).await?;
            });
        }
    })
    .await;
    let mut view = store.read().await.unwrap();
    let history = view.consents_of_user(id).await.unwrap();
    let versions: Vec<_> = history.iter().map(|one| one.document.version().to_owned()).collect();
    assert_eq!(versions, (0..10).map(|nth| nth.to_string()).collect::<Vec<_>>());
    drop(view);
    let mut work = store.begin().await.unwrap();
    assert!(work.lock_user(build::user_id()).await.unwrap().is_none());
}

/// A contact is another where it differs in letter case, in an accent, or in a space at its end.
pub async fn contacts_are_compared_exactly(store: Arc<dyn Store>) {
    let (channel, address) = (Channel::Email, build::unique_email());
    let holder = a_stored_user(&store, [address.clone().into()]).await;
    let mut view = store.read().await.unwrap();
    let exact = Contact::from_stored(channel, address.as_str());
    assert_eq!(view.user_by_contact(&exact).await.unwrap(), Some(holder));
    let accented = address.as_str().replacen('e', "é", 1);
    for other in [address.as_str().to_uppercase(), format!("{} ", address.as_str()), accented] {
        assert_ne!(other, address.as_str());
        let other = Contact::from_stored(channel, &other);
        assert_eq!(view.user_by_contact(&other).await.unwrap(), None, "{other:?}");
    }
}

/// Of many who become users with one contact at once, one does.
pub async fn a_contact_makes_one_user_among_many_at_once(store: Arc<dyn Store>) {
    let contact: Contact = build::unique_email().into();
    let made = race(20, |_| {
        let (store, contact) = (Arc::clone(&store), contact.clone());
        async move {
            let user = build::a_user([contact.clone()]);
            settled!(store, work => {
                let free = work.user_by_contact(&contact).await?.is_none();
                give_way().await;
                if free {
                    work.insert_user(&user).await?;
                }
                free
            })
        }
    })
    .await;
    assert_eq!(made.into_iter().filter(|made| *made).count(), 1);
}

async fn reserve(
    store: &Arc<dyn Store>,
    name: &Username,
    registration: RegistrationId,
    until: u64,
    now: u64,
) -> bool {
    stored!(store, work => {
        work.reserve_username(name, registration, build::after(until), build::after(now))
            .await
            .unwrap()
    })
}

/// Inserts a registration and gives its id.
async fn a_candidate(store: &Arc<dyn Store>) -> RegistrationId {
    super::a_stored_registration(store).await.id()
}

/// A username is reserved for one registration, which may ask again, until the reservation expires.
pub async fn a_username_is_reserved_once_until_it_expires(store: Arc<dyn Store>) {
    let name = build::unique_username();
    let (first, second) = (a_candidate(&store).await, a_candidate(&store).await);
    assert!(reserve(&store, &name, first, 100, 0).await);
    assert!(!reserve(&store, &name, second, 150, 50).await);
    assert!(reserve(&store, &name, first, 120, 60).await, "the same registration asks again");
    assert!(!reserve(&store, &name, second, 300, 119).await, "reserved anew until 120");
    assert!(reserve(&store, &name, second, 300, 120).await, "expired at the instant of its expiry");
    assert!(!reserve(&store, &name, first, 300, 121).await, "taken over");
    assert!(reserve(&store, &build::unique_username(), first, 300, 121).await, "another name");
}

/// A username that is a user's is nobody else's, ever.
pub async fn an_assigned_username_is_assigned_for_good(store: Arc<dyn Store>) {
    let name = build::unique_username();
    let (winner, rival) = (a_candidate(&store).await, a_candidate(&store).await);
    assert!(reserve(&store, &name, winner, 100, 0).await);
    let base = build::a_user([]);
    let record = UserRecord { username: Some(name.clone()), ..base.record().clone() };
    let user = User::from_record(record);
    stored!(store, work => {
        work.insert_user(&user).await.unwrap();
        work.assign_username(&name, winner, user.id()).await.unwrap();
    });
    for now in [50, 100, 1_000_000_000] {
        assert!(!reserve(&store, &name, rival, now + 100, now).await, "{now} s later");
        assert!(!reserve(&store, &name, winner, now + 100, now).await, "{now} s later");
    }
    let mut view = store.read().await.unwrap();
    assert_eq!(view.user_by_username(&name).await.unwrap(), Some(user));
}

/// A registration cannot assign a username that it does not have, or not any more.
pub async fn a_username_that_was_lost_is_not_assigned(store: Arc<dyn Store>) {
    let name = build::unique_username();
    let (first, second) = (a_candidate(&store).await, a_candidate(&store).await);
    assert!(reserve(&store, &name, first, 100, 0).await);
    assert!(reserve(&store, &name, second, 300, 100).await);
    let never = build::unique_username();
    for name in [&name, &never] {
        let base = build::a_user([]);
        let record = UserRecord { username: Some(name.clone()), ..base.record().clone() };
        let user = User::from_record(record);
        let mut work = store.begin().await.unwrap();
        let refused = async {
            work.insert_user(&user).await?;
            work.assign_username(name, first, user.id()).await
        };
        assert_stale(refused.await, "a username that the registration does not have");
        drop(work);
        let mut view = store.read().await.unwrap();
        assert!(view.user_by_username(name).await.unwrap().is_none());
    }
}

/// Of many registrations that reserve one username at once, one has it.
pub async fn a_username_is_reserved_once_among_many_at_once(store: Arc<dyn Store>) {
    let name = build::unique_username();
    let reserved = race(20, |_| {
        let (store, name) = (Arc::clone(&store), name.clone());
        async move {
            let registration = build::a_registration(build::unique_email());
            settled!(store, work => {
                let until = build::after(60);
                let reserved = work
                    .reserve_username(&name, registration.id(), until, build::START)
                    .await?;
                give_way().await;
                if reserved {
                    work.insert_registration(&registration).await?;
                }
                reserved
            })
        }
    })
    .await;
    assert_eq!(reserved.into_iter().filter(|reserved| *reserved).count(), 1);
}

/// A username is claimed by one user, from nobody or from a registration that let it expire.
pub async fn a_username_is_claimed_by_one_user(store: Arc<dyn Store>) {
    let name = build::unique_username();
    let first = a_stored_user(&store, []).await.id();
    let second = a_stored_user(&store, []).await.id();
    let claim = async |name: &Username, user, now| stored!(store, work => { work.claim_username(name, user, build::after(now)).await.unwrap() });
    let candidate = a_candidate(&store).await;
    assert!(reserve(&store, &name, candidate, 100, 0).await);
    assert!(!claim(&name, first, 99).await, "a registration has it until 100");
    assert!(claim(&name, first, 100).await, "expired at the instant of its expiry");
    assert!(claim(&name, first, 101).await, "it is the user's own");
    assert!(!claim(&name, second, 102).await, "another user has it");
    assert!(!reserve(&store, &name, candidate, 900, 800).await, "a user has it");
    assert!(claim(&build::unique_username(), first, 103).await, "a user may have claimed two");
    let release = async |user| {
        stored!(store, work => {
            work.release_username(&name, user, build::after(200)).await.unwrap();
        });
    };
    release(second).await;
    assert!(!claim(&name, second, 104).await, "nobody lets go of another's");
    release(first).await;
    let mut view = store.read().await.unwrap();
    assert!(view.user_by_username(&name).await.unwrap().is_none(), "it finds nobody");
    drop(view);
    assert!(!claim(&name, second, 199).await, "it was the first's until 200");
    assert!(!reserve(&store, &name, candidate, 900, 199).await, "it was the first's until 200");
    assert!(claim(&name, first, 199).await, "it comes back");
    release(first).await;
    assert!(claim(&name, second, 200).await, "its time is over");
    release(second).await;
    assert!(reserve(&store, &name, candidate, 900, 200).await, "its time is over");
}

/// Of many users who claim one username at once, one has it.
pub async fn a_username_is_claimed_once_among_many_at_once(store: Arc<dyn Store>) {
    let name = build::unique_username();
    let claimed = race(20, |_| {
        let (store, name) = (Arc::clone(&store), name.clone());
        async move {
            let user = build::a_user([]);
            settled!(store, work => {
                let claimed = work.claim_username(&name, user.id(), build::START).await?;
                give_way().await;
                if claimed {
                    work.insert_user(&user).await?;
                }
                claimed
            })
        }
    })
    .await;
    assert_eq!(claimed.into_iter().filter(|claimed| *claimed).count(), 1);
}

/// A decision that somebody is to be reminded of in `reconfirm` seconds.
fn a_marketing_consent(name: &str, decided: u64, reconfirm: u64) -> Consent {
    let by = DecidedBy {
        channel: Some(ConsentChannel::Account),
        address: Some("2001:db8:1234:5678:9abc:def0:1234:5678".parse().expect("an address")),
    };
    Consent {
        by,
        reconfirm_at: Some(build::after(reconfirm)),
        reminded_at: Some(build::after(decided + 1)),
        ..build::consent(name, "1", true, build::after(decided))
    }
}

/// Decisions are kept as a history, oldest first, and those of one user apart from another's.
pub async fn decisions_are_kept_oldest_first(store: Arc<dyn Store>) {
    let user = a_stored_user(&store, []).await;
    let other = a_stored_user(&store, []).await;
    let by = |channel, address: &str| DecidedBy {
        channel: Some(channel),
        address: Some(address.parse().expect("an address")),
    };
    let terms = Consent {
        required: true,
        by: by(ConsentChannel::SignUp, "192.0.2.7"),
        ..build::consent("terms", "2026-11-01", true, build::START)
    };
    let agreed = Consent { reconfirm_at: None, ..a_marketing_consent("marketing", 1, 0) };
    let withdrawn = Consent {
        by: by(ConsentChannel::Account, "2001:db8::1"),
        ..build::consent("marketing", "1", false, build::after(2))
    };
    let history = [terms.clone(), agreed, withdrawn];
    stored!(store, work => {
        work.insert_consents(user.id(), &history[..2]).await.unwrap();
        work.insert_consents(other.id(), &[terms]).await.unwrap();
        work.insert_consents(user.id(), &[]).await.unwrap();
    });
    stored!(store, work => { work.insert_consents(user.id(), &history[2..]).await.unwrap() });
    let mut view = store.read().await.unwrap();
    assert_eq!(view.consents_of_user(user.id()).await.unwrap(), history);
    assert_eq!(view.consents_of_user(other.id()).await.unwrap().len(), 1);
}

/// Decisions to be reminded of are found when they are due, longest due first, no more than asked
/// for, and of users who may log in and hold a contact.
pub async fn decisions_to_reconfirm_are_found_when_due(store: Arc<dyn Store>) {
    let user = a_stored_user(&store, [build::unique_email().into(), build::unique_phone().into()]);
    let user = user.await;
    let silent = a_stored_user(&store, []).await;
    let base = build::a_user([build::unique_email().into()]);
    let gone = UserRecord { status: UserStatus::Withdrawn, ..base.record().clone() };
    let gone = User::from_record(gone);
    let later = a_marketing_consent("later", 1, 3);
    let sooner = a_marketing_consent("sooner", 2, 2);
    stored!(store, work => {
        work.insert_user(&gone).await.unwrap();
        let unmoved = build::consent("terms", "1", true, build::START);
        work.insert_consents(user.id(), &[later.clone(), sooner.clone(), unmoved]).await.unwrap();
        work.insert_consents(gone.id(), &[a_marketing_consent("gone", 1, 1)]).await.unwrap();
        work.insert_consents(silent.id(), &[a_marketing_consent("silent", 1, 1)]).await.unwrap();
    });
    let due = async |before: u64, limit| {
        let mut view = store.read().await.unwrap();
        view.consents_to_reconfirm(build::after(before), limit).await.unwrap()
    };
    let (sooner, later) = ((user.id(), sooner), (user.id(), later));
    assert_eq!(due(2, 100).await, []);
    assert_eq!(due(3, 100).await, std::slice::from_ref(&sooner));
    assert_eq!(due(4, 1).await, std::slice::from_ref(&sooner));
    assert_eq!(due(4, 100).await, [sooner, later]);
}

/// A reminder is recorded once, and nobody is reminded of a decision that another has followed.
pub async fn a_reminder_is_recorded_once(store: Arc<dyn Store>) {
    let user = a_stored_user(&store, []).await;
    let news = a_marketing_consent("news", 1, 10);
    let other = a_marketing_consent("other", 1, 10);
    let both = [news.clone(), other.clone()];
    stored!(store, work => { work.insert_consents(user.id(), &both).await.unwrap() });
    let due = build::after(10);
    let reminded = Consent {
        reconfirm_at: Some(build::after(500)),
        reminded_at: Some(build::after(20)),
        ..news.clone()
    };
    for expected in [true, false] {
        let recorded = stored!(store, work => {
            work.record_reminder(user.id(), &reminded, due).await.unwrap()
        });
        assert_eq!(recorded, expected);
    }
    let kept = async || {
        let mut view = store.read().await.unwrap();
        view.consents_of_user(user.id()).await.unwrap()
    };
    assert_eq!(kept().await, [reminded.clone(), other.clone()]);
    let refused = build::consent("news", "1", false, build::after(30));
    stored!(store, work => {
        work.insert_consents(user.id(), std::slice::from_ref(&refused)).await.unwrap();
    });
    let settled = Consent { reconfirm_at: None, ..reminded };
    assert_eq!(kept().await, [settled, other, refused]);
}

/// Users who have left are found when their time has come, longest first, and no more than asked for.
pub async fn users_whose_time_has_come_are_found_longest_first(store: Arc<dyn Store>) {
    let mut ids = Vec::new();
    for seconds in [30, 10, 20] {
        let user = a_stored_user(&store, [build::unique_email().into()]).await;
        let left = User::from_record(UserRecord {
            status: UserStatus::Withdrawn,
            erase_at: Some(build::after(seconds)),
            version: user.record().version + 1,
            ..user.record().clone()
        });
        stored!(store, work => { work.update_user(&left).await.unwrap() });
        ids.push(user.id());
    }
    a_stored_user(&store, [build::unique_email().into()]).await;
    let due = async |seconds, limit| {
        let mut view = store.read().await.unwrap();
        view.users_to_erase(build::after(seconds), limit).await.unwrap()
    };
    assert!(due(9, 10).await.is_empty());
    assert_eq!(due(20, 10).await, [ids[1], ids[2]]);
    assert_eq!(due(99, 2).await, [ids[1], ids[2]]);
    assert_eq!(due(99, 10).await, [ids[1], ids[2], ids[0]]);
}

/// Of a user who is erased nothing is found any more, by whatever it could be found; of others
/// everything is.
pub async fn an_erased_user_leaves_nothing_but_bare_audit_entries(store: Arc<dyn Store>) {
    let mut users = Vec::new();
    for _ in 0..2 {
        let user = a_full_user();
        register(&store, &user).await;
        let contact = user.record().contacts[0].contact.clone();
        let rival = build::a_registration(match &contact {
            Contact::Email(email) => email.clone(),
            Contact::Phone(_) => build::unique_email(),
        });
        let session = build::a_session(user.id());
        let verification = build::a_verification(contact.clone(), None);
        let of_rival = build::a_verification(contact.clone(), Some(rival.id()));
        let message = build::a_message(Some(verification.id()), build::START);
        let entry = AuditEntry {
            id: AuditId::draw(build::START, &mut build::random),
            at: build::START,
            kind: AuditKind::PasswordChanged,
            user: user.id(),
            session: Some(session.id()),
            client: SessionClient::new(Some("a device"), "203.0.113.7".parse().ok()),
        };
        let consent = a_marketing_consent("news", 1, 2);
        stored!(store, work => {
            work.insert_registration(&rival).await.unwrap();
            work.insert_session(&session).await.unwrap();
            work.insert_verification(&verification).await.unwrap();
            work.insert_verification(&of_rival).await.unwrap();
            work.insert_message(&message).await.unwrap();
            work.insert_audit_entry(&entry).await.unwrap();
            work.insert_consents(user.id(), &[consent]).await.unwrap();
        });
        users.push((user, rival, session, verification, of_rival, message));
    }
    let (erased, ..) = &users[0];
    stored!(store, work => { work.erase_user(erased.id()).await.unwrap() });
    store.purge().await.unwrap();
    for (nth, (user, rival, session, verification, of_rival, message)) in users.iter().enumerate() {
        let is_there = nth == 1;
        let mut view = store.read().await.unwrap();
        assert_eq!(view.user(user.id()).await.unwrap().is_some(), is_there);
        for held in &user.record().contacts {
            assert_eq!(view.user_by_contact(&held.contact).await.unwrap().is_some(), is_there);
        }
        let name = user.record().username.as_ref().expect("a username");
        assert_eq!(view.user_by_username(name).await.unwrap().is_some(), is_there);
        assert_eq!(view.registration(rival.id()).await.unwrap().is_some(), is_there);
        assert_eq!(view.session_and_user(session.id()).await.unwrap().is_some(), is_there);
        assert_eq!(view.sessions_of_user(user.id()).await.unwrap().is_empty(), !is_there);
        for id in [verification.id(), of_rival.id()] {
            assert_eq!(view.verification(id).await.unwrap().is_some(), is_there);
        }
        assert_eq!(view.message(message.id()).await.unwrap().is_some(), is_there);
        assert_eq!(view.consents_of_user(user.id()).await.unwrap().is_empty(), !is_there);
        let entry = view.audit_of_user(user.id(), 1).await.unwrap().swap_remove(0);
        assert_eq!(entry.client != SessionClient::default(), is_there);
    }
    // Whoever comes next can have the contact and the name.
    let next = User::from_record(UserRecord {
        contacts: vec![build::a_user_contact(erased.record().contacts[0].contact.clone())],
        username: erased.record().username.clone(),
        ..build::a_user([]).record().clone()
    });
    register(&store, &next).await;
    assert_eq!(read(&store, next.id()).await, next);
}

/// Everything that is kept of a user is found by the user.
pub async fn what_is_kept_of_a_user_is_found_by_the_user(store: Arc<dyn Store>) {
    let user = a_stored_user(&store, [build::unique_email().into()]).await;
    let contact = user.record().contacts[0].contact.clone();
    let concerned = Verification::from_record(VerificationRecord {
        user: Some(ConcernedUser::of(&user)),
        ..build::a_verification(contact.clone(), None).record().clone()
    });
    let other = build::a_verification(contact, None);
    let sessions = [build::a_session(user.id()), build::a_session(user.id())];
    let became = Registration::from_record(RegistrationRecord {
        state: RegistrationState::Completed { user: user.id(), at: build::START },
        ..build::a_registration(build::unique_email()).record().clone()
    });
    stored!(store, work => {
        work.insert_verification(&concerned).await.unwrap();
        work.insert_verification(&other).await.unwrap();
        work.insert_registration(&became).await.unwrap();
        for session in &sessions {
            work.insert_session(session).await.unwrap();
        }
    });
    a_stored_user(&store, [build::unique_email().into()]).await;
    let mut view = store.read().await.unwrap();
    let found = view.verifications_of_user(user.id()).await.unwrap();
    assert_eq!(found.iter().map(Verification::id).collect::<Vec<_>>(), [concerned.id()]);
    assert_eq!(view.registrations_of_user(user.id()).await.unwrap(), [became]);
    let mut found = view.sessions_of_user(user.id()).await.unwrap();
    found.sort_by_key(mapae_domain::Session::id);
    let mut kept = sessions.to_vec();
    kept.sort_by_key(mapae_domain::Session::id);
    assert_eq!(found, kept);
}

/// A contact that was taken comes back by its key once, and takes with it the keys of every later
/// change of that user and channel; earlier ones, and everybody else's, stay.
pub async fn a_contact_that_was_taken_comes_back_once(store: Arc<dyn Store>) {
    let (user, other) = (build::user_id(), build::user_id());
    let taken = |user, contact: Contact, seconds| {
        let held = build::a_user_contact(contact);
        ContactUndo::new(build::unique_hash(), user, held, build::after(seconds))
    };
    let first = taken(user, build::unique_email().into(), 1);
    let second = taken(user, build::unique_email().into(), 2);
    let third = taken(user, build::unique_email().into(), 3);
    let number = taken(user, build::unique_phone().into(), 3);
    let of_other = taken(other, build::unique_email().into(), 3);
    for undo in [&first, &second, &third, &number, &of_other] {
        stored!(store, work => { work.insert_contact_undo(undo).await.unwrap() });
    }
    // All of it but the key, which nothing but the store compares.
    let plain =
        |undo: &ContactUndo| (undo.user, undo.contact.clone(), undo.changed_at, undo.expires_at);
    let claim = async |undo: &ContactUndo| {
        let claimed = stored!(store, work => {
            work.claim_contact_undo(&undo.key).await.unwrap()
        });
        claimed.as_ref().map(plain)
    };
    // What is not committed was not claimed.
    let mut work = store.begin().await.unwrap();
    assert!(work.claim_contact_undo(&first.key).await.unwrap().is_some());
    drop(work);
    assert_eq!(claim(&second).await, Some(plain(&second)));
    for gone in [&second, &third] {
        assert_eq!(claim(gone).await, None);
    }
    let left = store.read().await.unwrap().contact_undos_of_user(user).await.unwrap();
    let left: Vec<_> = left.iter().map(plain).collect();
    assert_eq!(left, [plain(&number), plain(&first)]);
    for undo in [&first, &number, &of_other] {
        assert_eq!(claim(undo).await, Some(plain(undo)));
    }
    assert_eq!(claim(&taken(user, build::unique_email().into(), 9)).await, None);
}

/// What a user has begun to change of a channel is given up, but for the one that is excepted.
pub async fn only_a_users_pending_changes_of_a_channel_are_given_up(store: Arc<dyn Store>) {
    let user = a_stored_user(&store, [build::unique_email().into()]).await;
    let other = a_stored_user(&store, [build::unique_email().into()]).await;
    let begun = |of: &User, contact: Contact, purpose: Purpose| {
        Verification::from_record(VerificationRecord {
            user: Some(ConcernedUser::of(of)),
            purpose,
            ..build::a_verification(contact, None).record().clone()
        })
    };
    let change = Purpose::ContactChange;
    let given_up = begun(&user, build::unique_email().into(), change.clone());
    let verified = Verification::from_record(VerificationRecord {
        state: VerificationState::Verified { at: build::START },
        ..begun(&user, build::unique_email().into(), change.clone()).record().clone()
    });
    let kept = [
        begun(&user, build::unique_email().into(), change.clone()),
        begun(&user, build::unique_phone().into(), change.clone()),
        begun(&user, build::unique_email().into(), Purpose::Login),
        begun(&other, build::unique_email().into(), change),
        verified,
    ];
    for one in kept.iter().chain([&given_up]) {
        stored!(store, work => { work.insert_verification(one).await.unwrap() });
    }
    stored!(store, work => {
        let except = kept[0].id();
        work.cancel_contact_changes(user.id(), Channel::Email, except).await.unwrap();
    });
    let mut view = store.read().await.unwrap();
    for one in &kept {
        let found = view.verification(one.id()).await.unwrap().expect("it");
        assert_eq!(found.record().state, one.record().state);
        assert_eq!(found.record().version, one.record().version);
    }
    let found = view.verification(given_up.id()).await.unwrap().expect("it");
    assert_eq!(found.record().state, VerificationState::Cancelled);
    assert_eq!(found.record().version, given_up.record().version + 1);
}

/// A contact that is deleted is nobody's, and the user's others stay.
pub async fn a_deleted_contact_is_free(store: Arc<dyn Store>) {
    let (email, phone) = (build::unique_email(), build::unique_phone());
    let user = a_stored_user(&store, [email.clone().into(), phone.clone().into()]).await;
    let id = user.record().contacts[0].id;
    let stranger = build::user_id();
    stored!(store, work => { work.delete_user_contact(stranger, id).await.unwrap() });
    assert_eq!(read(&store, user.id()).await.record().contacts.len(), 2);
    stored!(store, work => { work.delete_user_contact(user.id(), id).await.unwrap() });
    let left = read(&store, user.id()).await;
    assert_eq!(left.record().contacts, user.record().contacts[1..]);
    let mut view = store.read().await.unwrap();
    assert!(view.user_by_contact(&email.into()).await.unwrap().is_none());
    assert!(view.user_by_contact(&phone.into()).await.unwrap().is_some());
}
