//! Sessions.

use std::sync::Arc;

use mapae_application::ports::Store;
use mapae_domain::session::{SessionClient, SessionEnd, SessionRecord};
use mapae_domain::{AuthMethod, RefreshDecision, Session, SessionId, SessionPolicy, User};

use super::{a_stored_user, give_way, race, settled, stored};
use crate::build;

async fn a_stored_session(store: &Arc<dyn Store>) -> (Session, User) {
    let user = a_stored_user(store, [build::unique_email().into()]).await;
    let session = build::a_session(user.id());
    stored!(store, work => { work.insert_session(&session).await.unwrap() });
    (session, user)
}

async fn read(store: &Arc<dyn Store>, id: SessionId) -> Session {
    let mut view = store.read().await.unwrap();
    view.session_and_user(id).await.unwrap().expect("the session").0
}

fn rotated(session: &Session, seconds: u64) -> Session {
    let record = session.record();
    let (generation, policy) = (record.generation, SessionPolicy::default());
    match session.clone().refresh(
        generation,
        record.auth_generation,
        &policy,
        build::after(seconds),
    ) {
        RefreshDecision::Rotate(next) => next,
        other => panic!("expected a rotation, got {other:?}"),
    }
}

/// An id that nothing has finds nothing.
pub async fn an_unknown_session_is_none(store: Arc<dyn Store>) {
    a_stored_session(&store).await;
    let id = build::session_id();
    assert!(store.read().await.unwrap().session_and_user(id).await.unwrap().is_none());
    assert!(store.begin().await.unwrap().session_and_user(id).await.unwrap().is_none());
}

/// A session comes back as it was, with its user and no other.
pub async fn a_session_comes_back_with_its_user(store: Arc<dyn Store>) {
    let contacts = [build::unique_email().into(), build::unique_phone().into()];
    let user = a_stored_user(&store, contacts).await;
    a_stored_session(&store).await;
    let bare = build::a_session(user.id());
    let ends = [SessionEnd::Revoked, SessionEnd::Replayed, SessionEnd::AuthenticationChanged];
    let full = ends.map(|why| {
        Session::from_record(SessionRecord {
            id: build::session_id(),
            generation: u32::MAX,
            auth_generation: u32::MAX,
            authenticated_at: build::after(1),
            methods: AuthMethod::ALL.to_vec(),
            rotated_at: build::after(2),
            idle_expires_at: build::after(3),
            expires_at: build::after(4),
            ended: Some((build::after(5), why)),
            ..bare.record().clone()
        })
    });
    let no_methods = Session::from_record(SessionRecord {
        id: build::session_id(),
        methods: Vec::new(),
        ..bare.record().clone()
    });
    for session in full.iter().chain([&bare, &no_methods]) {
        stored!(store, work => { work.insert_session(session).await.unwrap() });
        let expected = Some((session.clone(), user.clone()));
        let mut view = store.read().await.unwrap();
        assert_eq!(view.session_and_user(session.id()).await.unwrap(), expected);
        drop(view);
        let mut work = store.begin().await.unwrap();
        assert_eq!(work.session_and_user(session.id()).await.unwrap(), expected);
    }
}

/// A rotation from the stored generation is stored whole; one from another is refused.
pub async fn a_rotation_starts_from_the_stored_generation(store: Arc<dyn Store>) {
    let (first, _) = a_stored_session(&store).await;
    let second = rotated(&first, 10);
    let third = rotated(&second, 20);
    let premature = stored!(store, work => { work.rotate_session(&third, 1).await.unwrap() });
    assert!(!premature);
    assert_eq!(read(&store, first.id()).await, first);
    assert!(stored!(store, work => { work.rotate_session(&second, 0).await.unwrap() }));
    assert_eq!(read(&store, first.id()).await, second);
    assert!(!stored!(store, work => { work.rotate_session(&second, 0).await.unwrap() }));
    assert!(stored!(store, work => { work.rotate_session(&third, 1).await.unwrap() }));
    assert_eq!(read(&store, first.id()).await, third);
    let unknown = rotated(&build::a_session(third.record().user), 1);
    assert!(!stored!(store, work => { work.rotate_session(&unknown, 0).await.unwrap() }));
}

/// Of many that rotate a session at once, one does.
pub async fn a_session_is_rotated_once_among_many_at_once(store: Arc<dyn Store>) {
    let (session, _) = a_stored_session(&store).await;
    let rotations = race(20, |number| {
        let store = Arc::clone(&store);
        let next = rotated(&session, u64::try_from(number).expect("a small number"));
        async move {
            let done = settled!(store, work => {
                let done = work.rotate_session(&next, 0).await?;
                give_way().await;
                done
            });
            (done, next)
        }
    })
    .await;
    let mut winners = rotations.into_iter().filter(|(done, _)| *done).map(|(_, next)| next);
    let winner = winners.next().expect("somebody wins");
    assert_eq!(winners.count(), 0, "more than one rotation of a generation");
    assert_eq!(read(&store, session.id()).await, winner);
}

/// A session that has ended is never rotated, and what ended it first is what stays.
pub async fn an_ended_session_stays_ended(store: Arc<dyn Store>) {
    let (session, _) = a_stored_session(&store).await;
    let ended = session.clone().end(SessionEnd::Revoked, build::after(5));
    stored!(store, work => { work.end_session(&ended).await.unwrap() });
    assert_eq!(read(&store, session.id()).await, ended);
    let next = rotated(&session, 6);
    assert!(!stored!(store, work => { work.rotate_session(&next, 0).await.unwrap() }));
    let again = session.end(SessionEnd::Replayed, build::after(7));
    stored!(store, work => { work.end_session(&again).await.unwrap() });
    assert_eq!(read(&store, ended.id()).await, ended);
}

/// Ending a session stores its end alone: a rotation that came between is not undone.
pub async fn ending_a_session_undoes_no_rotation(store: Arc<dyn Store>) {
    let (session, _) = a_stored_session(&store).await;
    let next = rotated(&session, 10);
    assert!(stored!(store, work => { work.rotate_session(&next, 0).await.unwrap() }));
    let ended = session.end(SessionEnd::Revoked, build::after(11));
    stored!(store, work => { work.end_session(&ended).await.unwrap() });
    let expected = next.end(SessionEnd::Revoked, build::after(11));
    assert_eq!(read(&store, expected.id()).await, expected);
}

/// Of rotations and an end at once, none comes after the end.
pub async fn no_rotation_comes_after_the_end(store: Arc<dyn Store>) {
    let (session, _) = a_stored_session(&store).await;
    race(20, |number| {
        let store = Arc::clone(&store);
        let id = session.id();
        async move {
            settled!(store, work => {
                let (stored, _) = work.session_and_user(id).await?.expect("the session");
                give_way().await;
                if number == 10 {
                    let ended = stored.end(SessionEnd::Revoked, build::after(1));
                    work.end_session(&ended).await?;
                } else {
                    let generation = stored.record().generation;
                    let open = stored.record().ended.is_none();
                    let next = SessionRecord {
                        generation: generation + 1,
                        ended: None,
                        ..stored.record().clone()
                    };
                    let next = Session::from_record(next);
                    let done = work.rotate_session(&next, generation).await?;
                    assert!(open || !done, "an ended session was rotated");
                }
            });
        }
    })
    .await;
    assert!(read(&store, session.id()).await.record().ended.is_some());
}

/// From where a session was opened comes back, whatever kind of address it is.
pub async fn a_session_remembers_from_where_it_was_opened(store: Arc<dyn Store>) {
    let user = a_stored_user(&store, [build::unique_email().into()]).await;
    for address in ["203.0.113.7", "2001:db8::1", "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255"] {
        let device = Some("민지의 휴대전화 (Chrome)".to_owned());
        let client = SessionClient { device, address: Some(address.parse().unwrap()) };
        let record = SessionRecord { client, ..build::a_session(user.id()).record().clone() };
        let session = Session::from_record(record);
        stored!(store, work => { work.insert_session(&session).await.unwrap() });
        assert!(read(&store, session.id()).await.record().client == session.record().client);
    }
}

/// A user's open sessions are listed, latest refreshed first, and nobody else's.
pub async fn open_sessions_are_listed_latest_first(store: Arc<dyn Store>) {
    let (first, user) = a_stored_session(&store).await;
    a_stored_session(&store).await;
    let (second, ended) = (build::a_session(user.id()), build::a_session(user.id()));
    let idle = Session::from_record(SessionRecord {
        id: build::session_id(),
        idle_expires_at: build::after(100),
        ..first.record().clone()
    });
    for session in [&second, &ended, &idle] {
        stored!(store, work => { work.insert_session(session).await.unwrap() });
    }
    let ended = ended.end(SessionEnd::Revoked, build::after(1));
    stored!(store, work => { work.end_session(&ended).await.unwrap() });
    let later = rotated(&first, 50);
    stored!(store, work => { assert!(work.rotate_session(&later, 0).await.unwrap()) });
    let mut view = store.read().await.unwrap();
    let mut open = async |now| {
        let open = view.open_sessions_of_user(user.id(), now).await.unwrap();
        open.iter().map(Session::id).collect::<Vec<_>>()
    };
    let before = open(build::after(99)).await;
    assert_eq!(before.len(), 3);
    assert_eq!(before[0], first.id());
    assert!(before.contains(&idle.id()) && before.contains(&second.id()));
    assert_eq!(open(build::after(100)).await, [first.id(), second.id()]);
    assert!(open(first.record().expires_at).await.is_empty());
}

/// Every session of a user ends but the excepted one, and nobody else's.
pub async fn a_users_sessions_end_but_the_excepted_one(store: Arc<dyn Store>) {
    let (first, user) = a_stored_session(&store).await;
    let (foreign, _) = a_stored_session(&store).await;
    let (second, third) = (build::a_session(user.id()), build::a_session(user.id()));
    for session in [&second, &third] {
        stored!(store, work => { work.insert_session(session).await.unwrap() });
    }
    let replayed = third.clone().end(SessionEnd::Replayed, build::after(1));
    stored!(store, work => { work.end_session(&replayed).await.unwrap() });
    let (except, now) = (Some(first.id()), build::after(9));
    stored!(store, work => {
        work.end_sessions_of_user(user.id(), except, SessionEnd::Revoked, now).await.unwrap();
    });
    assert_eq!(read(&store, first.id()).await.record().ended, None);
    assert_eq!(read(&store, foreign.id()).await.record().ended, None);
    let ended = read(&store, second.id()).await.record().ended;
    assert_eq!(ended, Some((build::after(9), SessionEnd::Revoked)));
    let before = read(&store, third.id()).await.record().ended;
    assert_eq!(before, Some((build::after(1), SessionEnd::Replayed)), "as it had ended before");
    stored!(store, work => {
        let why = SessionEnd::AuthenticationChanged;
        work.end_sessions_of_user(user.id(), None, why, now).await.unwrap();
    });
    assert!(read(&store, first.id()).await.record().ended.is_some());
    assert_eq!(read(&store, foreign.id()).await.record().ended, None);
}

/// When, how and for which generation a user showed who they are is stored, and nothing else; of a
/// session that has ended, nothing.
pub async fn an_open_session_is_reauthenticated_and_an_ended_one_is_not(store: Arc<dyn Store>) {
    let (session, _) = a_stored_session(&store).await;
    let (other, _) = a_stored_session(&store).await;
    let next = rotated(&session, 5);
    stored!(store, work => { assert!(work.rotate_session(&next, 0).await.unwrap()) });
    let methods = vec![AuthMethod::Password, AuthMethod::OneTimeCode];
    let again = session.clone().reauthenticate(methods.clone(), 7, build::after(9));
    stored!(store, work => { assert!(work.reauthenticate_session(&again).await.unwrap()) });
    assert_eq!(read(&store, session.id()).await, next.reauthenticate(methods, 7, build::after(9)));
    assert_eq!(read(&store, other.id()).await, other);
    let ended = other.clone().end(SessionEnd::Revoked, build::after(1));
    stored!(store, work => { work.end_session(&ended).await.unwrap() });
    let again = other.reauthenticate(Vec::new(), 7, build::after(9));
    stored!(store, work => { assert!(!work.reauthenticate_session(&again).await.unwrap()) });
    assert_eq!(read(&store, ended.id()).await, ended);
}
