//! Verifications, and how many messages a contact gets.

use std::sync::Arc;

use mapae_application::ports::Store;
use mapae_application::ports::store::SendAllowance;
use mapae_domain::verification::{
    ConcernedUser, PreviousChallenge, Proof, Standing, VerificationRecord, VerificationState,
};
use mapae_domain::{
    Channel, Contact, Locale, Purpose, SecretHash, Verification, VerificationId, VerificationPolicy,
};

use super::{a_stored_registration, a_stored_user, assert_stale, give_way, race, settled, stored};
use crate::build;

/// Compares two verifications, which have no equality of their own, field by field.
#[track_caller]
fn assert_same(left: &Verification, right: &Verification) {
    let hash = |hash: &SecretHash| *hash.as_bytes();
    let fields = |record: &VerificationRecord| {
        let challenge =
            |c: &mapae_domain::verification::Challenge| (hash(&c.code), c.link.as_ref().map(hash));
        (
            (record.id, record.contact.clone(), record.purpose.clone()),
            (record.registration, record.user, record.locale, record.standing, record.state),
            (record.code_length, challenge(&record.challenge)),
            record.previous.as_ref().map(|p| (challenge(&p.challenge), p.expires_at)),
            (record.attempts_used, record.attempts_allowed),
            (record.sends_used, record.sends_allowed),
            (record.created_at, record.expires_at, record.resend_at),
            (record.receipt_used_at, record.version),
        )
    };
    assert_eq!(fields(left.record()), fields(right.record()));
}

async fn read(store: &Arc<dyn Store>, id: VerificationId) -> Verification {
    let mut view = store.read().await.unwrap();
    view.verification(id).await.unwrap().expect("the verification")
}

async fn a_stored_verification(store: &Arc<dyn Store>) -> Verification {
    let verification = build::a_verification(build::unique_email().into(), None);
    stored!(store, work => { work.insert_verification(&verification).await.unwrap() });
    verification
}

/// An id or a link that nothing has finds nothing.
pub async fn an_unknown_verification_is_none(store: Arc<dyn Store>) {
    a_stored_verification(&store).await;
    let id = build::verification_id();
    let mut view = store.read().await.unwrap();
    assert!(view.verification(id).await.unwrap().is_none());
    let of_none = view.verifications_of_registration(build::registration_id()).await.unwrap();
    assert!(of_none.is_empty());
    drop(view);
    let mut work = store.begin().await.unwrap();
    assert!(work.verification(id).await.unwrap().is_none());
    assert!(work.lock_verification(id).await.unwrap().is_none());
    assert!(work.lock_verification_by_link(&build::unique_hash()).await.unwrap().is_none());
}

/// A verification with every field that there can be comes back as it was.
pub async fn a_full_verification_comes_back_as_it_was(store: Arc<dyn Store>) {
    let registration = a_stored_registration(&store).await;
    let contact = build::unique_contact(Channel::Email);
    let user = a_stored_user(&store, [contact.clone()]).await;
    let base = build::a_verification(contact, Some(registration.id()));
    let previous =
        PreviousChallenge { challenge: build::a_challenge(true), expires_at: build::after(11) };
    let full = VerificationRecord {
        purpose: Purpose::parse("order.42:confirm_pick-up").expect("a purpose"),
        user: Some(ConcernedUser { id: user.id(), auth_generation: u32::MAX }),
        locale: Locale::Ko,
        standing: Standing::Superseded,
        state: VerificationState::Verified { at: build::after(12) },
        code_length: 10,
        previous: Some(previous),
        attempts_used: 3,
        attempts_allowed: 10,
        sends_used: 19,
        sends_allowed: 20,
        receipt_used_at: Some(build::after(13)),
        version: u32::MAX,
        ..base.record().clone()
    };
    comes_back(&store, &Verification::from_record(full)).await;
}

/// A verification with nothing that it can do without comes back as it was.
pub async fn a_bare_verification_comes_back_as_it_was(store: Arc<dyn Store>) {
    comes_back(&store, &build::a_verification(build::unique_phone().into(), None)).await;
    // A link now and none before, and the other way round.
    for (now, before) in [(true, false), (false, true)] {
        let base = build::a_verification(build::unique_email().into(), None);
        let previous = PreviousChallenge {
            challenge: build::a_challenge(before),
            expires_at: build::after(1),
        };
        let record = VerificationRecord {
            challenge: build::a_challenge(now),
            previous: Some(previous),
            ..base.record().clone()
        };
        comes_back(&store, &Verification::from_record(record)).await;
    }
}

/// A verification of every purpose, standing and state comes back as it was.
pub async fn a_verification_of_every_kind_comes_back_as_it_was(store: Arc<dyn Store>) {
    let purposes = [
        Purpose::Registration,
        Purpose::Login,
        Purpose::PasswordReset,
        Purpose::ContactChange,
        Purpose::parse("newsletter").expect("a purpose"),
    ];
    let standings = [Standing::Genuine, Standing::Superseded, Standing::Decoy];
    let states = [
        VerificationState::Pending,
        VerificationState::Verified { at: build::after(1) },
        VerificationState::Exhausted,
        VerificationState::Cancelled,
    ];
    for purpose in &purposes {
        for standing in standings {
            for state in states {
                let base = build::a_verification(build::unique_email().into(), None);
                let purpose = purpose.clone();
                let record =
                    VerificationRecord { purpose, standing, state, ..base.record().clone() };
                comes_back(&store, &Verification::from_record(record)).await;
            }
        }
    }
}

async fn comes_back(store: &Arc<dyn Store>, verification: &Verification) {
    stored!(store, work => { work.insert_verification(verification).await.unwrap() });
    assert_same(&read(store, verification.id()).await, verification);
    let mut work = store.begin().await.unwrap();
    let locked = work.lock_verification(verification.id()).await.unwrap();
    assert_same(&locked.expect("the verification"), verification);
}

/// Every field that changes is stored by an update.
pub async fn an_updated_verification_comes_back_changed(store: Arc<dyn Store>) {
    let before = a_stored_verification(&store).await;
    let policy = VerificationPolicy::default();
    let resent = before
        .resend(build::a_challenge(true), &policy, build::after(120))
        .expect("it may be sent again");
    stored!(store, work => { work.update_verification(&resent).await.unwrap() });
    assert_same(&read(&store, resent.id()).await, &resent);
    let (wrong, _) = resent.prove(Proof::Code(build::unique_hash()), build::after(130));
    stored!(store, work => { work.update_verification(&wrong).await.unwrap() });
    assert_same(&read(&store, wrong.id()).await, &wrong);
    let proof = Proof::Code(wrong.record().challenge.code);
    let (verified, outcome) = wrong.prove(proof, build::after(140));
    assert_eq!(outcome, Ok(()));
    stored!(store, work => { work.update_verification(&verified).await.unwrap() });
    assert_same(&read(&store, verified.id()).await, &verified);
    let (redeemed, _) = verified.redeem(&policy, build::after(150)).expect("its receipt is good");
    stored!(store, work => { work.update_verification(&redeemed).await.unwrap() });
    assert_same(&read(&store, redeemed.id()).await, &redeemed);
}

/// An update whose version is not the next one is stale, and stores nothing.
pub async fn a_stale_update_of_a_verification_is_refused(store: Arc<dyn Store>) {
    let before = a_stored_verification(&store).await;
    let wrong = Proof::Code(build::unique_hash());
    let (first, _) = before.clone().prove(wrong, build::after(1));
    stored!(store, work => { work.update_verification(&first).await.unwrap() });
    let (second, _) = before.prove(Proof::Link(build::unique_hash()), build::after(2));
    let skipping = VerificationRecord { version: 3, ..first.record().clone() };
    for stale in [second, first.clone(), Verification::from_record(skipping)] {
        let mut work = store.begin().await.unwrap();
        let refused = work.update_verification(&stale).await;
        assert_stale(refused, &format!("version {} after 1", stale.record().version));
        drop(work);
        assert_same(&read(&store, first.id()).await, &first);
    }
}

/// A registration's verifications are found, oldest first, and no others.
pub async fn the_verifications_of_a_registration_are_found_oldest_first(store: Arc<dyn Store>) {
    let registration = a_stored_registration(&store).await;
    let other = a_stored_registration(&store).await;
    let mut ids = Vec::new();
    // Stored in another order than they were begun in.
    for seconds in [2, 0, 1] {
        let base = build::a_verification(build::unique_email().into(), Some(registration.id()));
        let record = VerificationRecord {
            created_at: build::after(seconds),
            id: VerificationId::draw(build::after(seconds), &mut build::random),
            ..base.record().clone()
        };
        ids.push((seconds, record.id));
        let verification = Verification::from_record(record);
        stored!(store, work => { work.insert_verification(&verification).await.unwrap() });
    }
    let of_other = build::a_verification(build::unique_email().into(), Some(other.id()));
    stored!(store, work => { work.insert_verification(&of_other).await.unwrap() });
    a_stored_verification(&store).await;
    ids.sort_unstable();
    let mut view = store.read().await.unwrap();
    let found = view.verifications_of_registration(registration.id()).await.unwrap();
    let found: Vec<_> = found.iter().map(Verification::id).collect();
    assert_eq!(found, ids.into_iter().map(|(_, id)| id).collect::<Vec<_>>());
}

/// A verification is found by its current link and by the one before, and by none earlier.
pub async fn a_verification_is_found_by_its_last_two_links(store: Arc<dyn Store>) {
    let first = a_stored_verification(&store).await;
    a_stored_verification(&store).await;
    let link = |v: &Verification| v.record().challenge.link.expect("a mail has a link");
    assert_finds(&store, &link(&first), Some(&first)).await;
    let policy = VerificationPolicy::default();
    let resend = |v: Verification, seconds| {
        v.resend(build::a_challenge(true), &policy, build::after(seconds)).expect("a resend")
    };
    let second = resend(first.clone(), 100);
    stored!(store, work => { work.update_verification(&second).await.unwrap() });
    assert_finds(&store, &link(&first), Some(&second)).await;
    assert_finds(&store, &link(&second), Some(&second)).await;
    let third = resend(second.clone(), 200);
    stored!(store, work => { work.update_verification(&third).await.unwrap() });
    assert_finds(&store, &link(&first), None).await;
    assert_finds(&store, &link(&second), Some(&third)).await;
    assert_finds(&store, &link(&third), Some(&third)).await;
}

async fn assert_finds(store: &Arc<dyn Store>, link: &SecretHash, expected: Option<&Verification>) {
    let mut work = store.begin().await.unwrap();
    let found = work.lock_verification_by_link(link).await.unwrap();
    match (found, expected) {
        (Some(found), Some(expected)) => assert_same(&found, expected),
        (found, expected) => assert_eq!(found.is_some(), expected.is_some(), "found by its link"),
    }
}

/// Of many guesses at once each counts as an attempt, and no more are compared than are allowed.
pub async fn no_attempt_is_lost_among_many_at_once(store: Arc<dyn Store>) {
    let base = build::a_verification(build::unique_email().into(), None);
    let record = VerificationRecord { attempts_allowed: 255, ..base.record().clone() };
    let verification = Verification::from_record(record);
    stored!(store, work => { work.insert_verification(&verification).await.unwrap() });
    let id = verification.id();
    race(20, |_| {
        let store = Arc::clone(&store);
        async move {
            settled!(store, work => {
                let locked = work.lock_verification(id).await?.expect("the verification");
                give_way().await;
                let (next, _) = locked.prove(Proof::Code(build::unique_hash()), build::START);
                work.update_verification(&next).await?;
            });
        }
    })
    .await;
    let after = read(&store, id).await;
    assert_eq!((after.record().attempts_used, after.record().version), (20, 20));
}

/// Of many who give the right code or link at once, one is accepted.
pub async fn a_right_code_is_accepted_once_among_many_at_once(store: Arc<dyn Store>) {
    let verification = a_stored_verification(&store).await;
    let (id, challenge) = (verification.id(), verification.record().challenge);
    let link = challenge.link.expect("a mail has a link");
    let outcomes = race(20, |number| {
        let store = Arc::clone(&store);
        async move {
            settled!(store, work => {
                let (locked, proof) = if number % 2 == 0 {
                    (work.lock_verification(id).await?, Proof::Code(challenge.code))
                } else {
                    (work.lock_verification_by_link(&link).await?, Proof::Link(link))
                };
                let locked = locked.expect("the verification");
                give_way().await;
                let before = locked.record().version;
                let (next, outcome) = locked.prove(proof, build::START);
                if next.record().version != before {
                    work.update_verification(&next).await?;
                }
                outcome.is_ok()
            })
        }
    })
    .await;
    assert_eq!(outcomes.into_iter().filter(|accepted| *accepted).count(), 1);
}

/// Superseding takes the pending, genuine verifications of rival registrations for that contact,
/// raises their versions, and touches nothing else.
pub async fn only_rivals_for_the_contact_are_superseded(store: Arc<dyn Store>) {
    let winner = a_stored_registration(&store).await.id();
    let rival = a_stored_registration(&store).await.id();
    let other_rival = a_stored_registration(&store).await.id();
    let contact: Contact = build::unique_email().into();
    let make = |registration, standing, state| {
        let base = build::a_verification(contact.clone(), registration);
        let record = VerificationRecord { standing, state, version: 4, ..base.record().clone() };
        Verification::from_record(record)
    };
    let (genuine, pending) = (Standing::Genuine, VerificationState::Pending);
    let superseded =
        [make(Some(rival), genuine, pending), make(Some(other_rival), genuine, pending)];
    let verified = VerificationState::Verified { at: build::START };
    let elsewhere = build::a_verification(build::unique_email().into(), Some(rival));
    let by_phone = build::a_verification(build::unique_phone().into(), Some(rival));
    let untouched = [
        make(Some(winner), genuine, pending),
        make(None, genuine, pending),
        make(Some(rival), Standing::Decoy, pending),
        make(Some(rival), Standing::Superseded, pending),
        make(Some(rival), genuine, verified),
        make(Some(rival), genuine, VerificationState::Exhausted),
        make(Some(rival), genuine, VerificationState::Cancelled),
        elsewhere,
        by_phone,
    ];
    stored!(store, work => {
        for verification in superseded.iter().chain(&untouched) {
            work.insert_verification(verification).await.unwrap();
        }
    });
    stored!(store, work => {
        work.supersede_verifications(&contact, Some(winner)).await.unwrap();
    });
    for before in &superseded {
        let expected = VerificationRecord {
            standing: Standing::Superseded,
            version: 5,
            ..before.record().clone()
        };
        assert_same(&read(&store, before.id()).await, &Verification::from_record(expected));
    }
    for before in &untouched {
        assert_same(&read(&store, before.id()).await, before);
    }
    // With nobody to spare, the winner's goes too, and what stands on its own still does not.
    stored!(store, work => { work.supersede_verifications(&contact, None).await.unwrap() });
    let standing = async |id| read(&store, id).await.record().standing;
    assert_eq!(standing(untouched[0].id()).await, Standing::Superseded);
    assert_eq!(standing(untouched[1].id()).await, Standing::Genuine);
}

/// Exactly as many messages as the limit says are allowed, however many ask at once.
pub async fn a_contact_gets_exactly_its_limit_of_messages(store: Arc<dyn Store>) {
    let contact = build::unique_hash();
    let window_end = build::after(3_600);
    let answers = race(30, |_| {
        let store = Arc::clone(&store);
        async move {
            settled!(store, work => {
                let answer =
                    work.count_contact_send(&contact, 10, window_end, build::START).await?;
                give_way().await;
                answer
            })
        }
    })
    .await;
    let allowed = answers.iter().filter(|answer| **answer == SendAllowance::Allowed).count();
    assert_eq!(allowed, 10);
    let refused = SendAllowance::Refused { retry_at: window_end };
    assert_eq!(answers.iter().filter(|answer| **answer == refused).count(), 20);
}

/// A window ends when its first message said it would, and the next message begins another.
pub async fn a_window_of_messages_ends_when_its_first_said(store: Arc<dyn Store>) {
    let contact = build::unique_hash();
    let first_end = build::after(100);
    let second_end = build::after(200);
    let just_before = mapae_domain::Timestamp::from_micros(first_end.as_micros() - 1);
    let refused = |retry_at| SendAllowance::Refused { retry_at };
    // when, the end it would give a window of its own, the answer
    let calls = [
        (build::START, first_end, SendAllowance::Allowed),
        (build::after(1), build::after(101), SendAllowance::Allowed),
        (build::after(2), build::after(102), refused(first_end)),
        (just_before, build::after(199), refused(first_end)),
        (first_end, second_end, SendAllowance::Allowed),
        (first_end, build::after(300), SendAllowance::Allowed),
        (build::after(150), build::after(300), refused(second_end)),
    ];
    for (now, window_end, expected) in calls {
        let answer = stored!(store, work => {
            work.count_contact_send(&contact, 2, window_end, now).await.unwrap()
        });
        assert_eq!(answer, expected, "at {now:?}");
    }
}

/// The messages to one contact use up nothing of another's.
pub async fn contacts_are_counted_apart(store: Arc<dyn Store>) {
    let end = build::after(60);
    let (first, second) = (build::unique_hash(), build::unique_hash());
    stored!(store, work => {
        for contact in [first, second] {
            let answer = work.count_contact_send(&contact, 1, end, build::START).await.unwrap();
            assert_eq!(answer, SendAllowance::Allowed);
        }
        let answer = work.count_contact_send(&first, 1, end, build::START).await.unwrap();
        assert_eq!(answer, SendAllowance::Refused { retry_at: end });
    });
}
