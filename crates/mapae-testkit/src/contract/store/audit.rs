//! What happened to accounts.

use std::sync::Arc;

use mapae_application::ports::Store;
use mapae_domain::session::SessionClient;
use mapae_domain::{AuditEntry, AuditId, AuditKind, UserId};

use super::stored;
use crate::build;

fn an_entry(user: UserId, kind: AuditKind, seconds: u64) -> AuditEntry {
    let at = build::after(seconds);
    let id = AuditId::draw(at, &mut build::random);
    AuditEntry { id, at, kind, user, session: None, client: SessionClient::default() }
}

/// Entries come back as they were, latest first, of their user alone, and no more than asked for.
/// The user need not be there any more.
pub async fn audit_entries_come_back_latest_first(store: Arc<dyn Store>) {
    let (user, other) = (build::user_id(), build::user_id());
    let bare = AuditKind::ALL.into_iter().zip(1..).map(|(kind, nth)| an_entry(user, kind, nth));
    let mut entries: Vec<AuditEntry> = bare.collect();
    entries.push(AuditEntry {
        session: Some(build::session_id()),
        client: SessionClient {
            device: Some("민지의 전화".to_owned()),
            address: Some("2001:db8::7".parse().expect("an address")),
        },
        ..an_entry(user, AuditKind::RefreshTokenReplayed, 90)
    });
    let of_other = an_entry(other, AuditKind::PasswordChanged, 50);
    for entry in entries.iter().rev().chain([&of_other]) {
        stored!(store, work => { work.insert_audit_entry(entry).await.unwrap() });
    }
    entries.reverse();
    let mut view = store.read().await.unwrap();
    assert_eq!(view.audit_of_user(user, 100).await.unwrap(), entries);
    assert_eq!(view.audit_of_user(user, 2).await.unwrap(), entries[..2]);
    assert_eq!(view.audit_of_user(other, 100).await.unwrap(), [of_other]);
    assert!(view.audit_of_user(build::user_id(), 100).await.unwrap().is_empty());
}
