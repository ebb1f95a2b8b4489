//! What is kept for a time only.

use std::sync::Arc;

use mapae_application::idempotency::{IdempotencyClaim, IdempotencyOutcome};
use mapae_application::ports::store::{Expiring, OutboxFilter, SendAllowance};
use mapae_application::ports::{Store, UnitOfWork};
use mapae_domain::outbox::OutboxRecord;
use mapae_domain::registration::RegistrationRecord;
use mapae_domain::session::{SessionClient, SessionRecord};
use mapae_domain::user::ContactUndo;
use mapae_domain::verification::VerificationRecord;
use mapae_domain::{
    AuditEntry, AuditId, AuditKind, DeliveryStatus, OutboxMessage, Registration, SecretHash,
    Session, Timestamp, UserId, Username, Verification,
};

use super::{a_stored_user, stored};
use crate::build;

/// One of what is kept for a time only, by what it is found.
enum Kept {
    Registration(Registration),
    Verification(Verification),
    ContactSends(SecretHash),
    Username(Username),
    Session(Session),
    ContactUndo(Timestamp),
    IdempotencyKey(IdempotencyClaim),
    Message(OutboxMessage),
    AuditEntry(AuditId),
}

/// Stores one that is over at `over`.
async fn keep(work: &mut dyn UnitOfWork, what: Expiring, user: UserId, over: Timestamp) -> Kept {
    let email = build::unique_email;
    match what {
        Expiring::Registrations => {
            let base = build::a_registration(email());
            let record = RegistrationRecord { expires_at: over, ..base.record().clone() };
            let one = Registration::from_record(record);
            work.insert_registration(&one).await.unwrap();
            Kept::Registration(one)
        }
        Expiring::Verifications => {
            let base = build::a_verification(email().into(), None);
            let record = VerificationRecord { expires_at: over, ..base.record().clone() };
            let one = Verification::from_record(record);
            work.insert_verification(&one).await.unwrap();
            Kept::Verification(one)
        }
        Expiring::ContactSends => {
            let contact = build::unique_hash();
            work.count_contact_send(&contact, 1, over, build::START).await.unwrap();
            Kept::ContactSends(contact)
        }
        Expiring::Usernames => {
            let name = build::unique_username();
            assert!(work.claim_username(&name, user, build::START).await.unwrap());
            work.release_username(&name, user, over).await.unwrap();
            Kept::Username(name)
        }
        Expiring::Sessions => {
            let base = build::a_session(user);
            let record = SessionRecord { idle_expires_at: over, ..base.record().clone() };
            let one = Session::from_record(record);
            work.insert_session(&one).await.unwrap();
            Kept::Session(one)
        }
        Expiring::ContactUndos => {
            let held = build::a_user_contact(email().into());
            let one = ContactUndo::new(build::unique_hash(), user, held, build::START);
            work.insert_contact_undo(&ContactUndo { expires_at: over, ..one }).await.unwrap();
            Kept::ContactUndo(over)
        }
        Expiring::IdempotencyKeys => {
            let claim = IdempotencyClaim {
                key: build::unique_hash(),
                content: build::unique_hash(),
                resource: build::user_id().as_uuid(),
                expires_at: over,
            };
            work.claim_idempotency_key(&claim, build::START).await.unwrap();
            Kept::IdempotencyKey(claim)
        }
        Expiring::Messages => {
            let base = build::a_message(None, build::START);
            let record = OutboxRecord {
                status: DeliveryStatus::Sent,
                updated_at: over,
                ..base.record().clone()
            };
            let one = OutboxMessage::from_record(record);
            work.insert_message(&one).await.unwrap();
            Kept::Message(one)
        }
        Expiring::AuditEntries => {
            let entry = AuditEntry {
                id: AuditId::draw(over, &mut build::random),
                at: over,
                kind: AuditKind::PasswordChanged,
                user,
                session: None,
                client: SessionClient::default(),
            };
            work.insert_audit_entry(&entry).await.unwrap();
            Kept::AuditEntry(entry.id)
        }
    }
}

async fn is_there(store: &Arc<dyn Store>, user: UserId, kept: &Kept) -> bool {
    let mut view = store.read().await.unwrap();
    match kept {
        Kept::Registration(one) => view.registration(one.id()).await.unwrap().is_some(),
        Kept::Verification(one) => view.verification(one.id()).await.unwrap().is_some(),
        Kept::Session(one) => view.session_and_user(one.id()).await.unwrap().is_some(),
        Kept::Message(one) => view.message(one.id()).await.unwrap().is_some(),
        Kept::Username(name) => {
            let former = view.former_usernames_of_user(user).await.unwrap();
            former.iter().any(|(one, _)| one == name)
        }
        Kept::ContactUndo(over) => {
            let undos = view.contact_undos_of_user(user).await.unwrap();
            undos.iter().any(|undo| undo.expires_at == *over)
        }
        Kept::AuditEntry(id) => {
            let entries = view.audit_of_user(user, 100).await.unwrap();
            entries.iter().any(|entry| entry.id == *id)
        }
        Kept::IdempotencyKey(claim) => {
            let found = view.find_idempotency_key(claim, build::START).await.unwrap();
            found != IdempotencyOutcome::Fresh
        }
        Kept::ContactSends(contact) => {
            drop(view);
            // One that is there has had its one message.
            let mut work = store.begin().await.unwrap();
            let (end, now) = (build::after(1_000), build::START);
            let allowance = work.count_contact_send(contact, 1, end, now).await.unwrap();
            allowance != SendAllowance::Allowed
        }
    }
}

/// What is over is deleted, oldest first, and no more at once than was asked for.
pub async fn what_is_over_is_deleted_in_batches_oldest_first(store: Arc<dyn Store>) {
    for what in Expiring::ALL {
        let user = a_stored_user(&store, []).await.id();
        let [mut thirty, mut ten, mut twenty, mut forty] = [const { None }; 4];
        let made = [(30, &mut thirty), (10, &mut ten), (20, &mut twenty), (40, &mut forty)];
        for (seconds, one) in made {
            *one = Some(stored!(store, work => {
                keep(&mut *work, what, user, build::after(seconds)).await
            }));
        }
        let there = async || {
            let mut there = Vec::new();
            for one in [&ten, &twenty, &thirty, &forty].into_iter().flatten() {
                there.push(is_there(&store, user, one).await);
            }
            there
        };
        let delete = async |seconds, limit| {
            stored!(store, work => {
                work.delete_expired(what, build::after(seconds), limit).await.unwrap()
            })
        };
        assert_eq!(delete(9, 10).await, 0, "{what:?}");
        assert_eq!(there().await, [true; 4], "{what:?}");
        assert_eq!(delete(30, 2).await, 2, "{what:?}");
        assert_eq!(there().await, [false, false, true, true], "{what:?}");
        assert_eq!(delete(30, 10).await, 1, "{what:?}: its very time is over");
        assert_eq!(there().await, [false, false, false, true], "{what:?}");
        assert_eq!(delete(30, 10).await, 0, "{what:?}");
        assert_eq!(delete(40, 10).await, 1, "{what:?}");
    }
}

/// What has no time, or is not done, stays; and nothing of one kind goes with another.
pub async fn what_is_not_over_stays_whatever_else_is_deleted(store: Arc<dyn Store>) {
    let user = a_stored_user(&store, []).await.id();
    let name = build::unique_username();
    let queued = build::a_message(None, build::START);
    let asked = OutboxMessage::from_record(OutboxRecord {
        status: DeliveryStatus::Sent,
        ask_at: Some(build::after(1)),
        updated_at: build::START,
        ..build::a_message(None, build::START).record().clone()
    });
    stored!(store, work => {
        assert!(work.claim_username(&name, user, build::START).await.unwrap());
        work.insert_message(&queued).await.unwrap();
        work.insert_message(&asked).await.unwrap();
    });
    let mut kept = Vec::new();
    for what in Expiring::ALL {
        let one = stored!(store, work => {
            keep(&mut *work, what, user, build::after(50)).await
        });
        kept.push(one);
    }
    for what in Expiring::ALL {
        let deleted = stored!(store, work => {
            work.delete_expired(what, build::after(49), 100).await.unwrap()
        });
        assert_eq!(deleted, 0, "{what:?}");
    }
    for one in &kept {
        assert!(is_there(&store, user, one).await);
    }
    // By itself, it takes nothing else with it.
    for (nth, what) in Expiring::ALL.into_iter().enumerate() {
        let deleted = stored!(store, work => {
            work.delete_expired(what, build::after(50), 100).await.unwrap()
        });
        assert_eq!(deleted, 1, "{what:?}");
        for (other, one) in kept.iter().enumerate() {
            assert_eq!(is_there(&store, user, one).await, other > nth, "{what:?}");
        }
    }
    let mut work = store.begin().await.unwrap();
    let other = build::user_id();
    assert!(!work.claim_username(&name, other, build::after(1_000)).await.unwrap());
    drop(work);
    let mut view = store.read().await.unwrap();
    let every = OutboxFilter {
        statuses: vec![DeliveryStatus::Queued, DeliveryStatus::Sent],
        before: None,
        limit: 10,
    };
    assert_eq!(view.messages(&every).await.unwrap().len(), 2, "queued, and to be asked about");
}
