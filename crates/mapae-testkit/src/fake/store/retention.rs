use std::collections::HashMap;
use std::hash::Hash;

use async_trait::async_trait;
use mapae_application::ports::StoreError;
use mapae_application::ports::store::{Expiring, RetentionWrites};
use mapae_domain::{DeliveryStatus, Timestamp};

use super::{Transaction, UsernameHolder};

/// Removes up to `limit` of what was over at `before`, oldest first.
fn remove_oldest<K: Clone + Eq + Hash + Ord, V>(
    kept: &mut HashMap<K, V>,
    over_at: impl Fn(&V) -> Option<Timestamp>,
    before: Timestamp,
    limit: usize,
) -> usize {
    let over = kept.iter().filter_map(|(key, value)| Some((over_at(value)?, key.clone())));
    let mut over: Vec<_> = over.filter(|(at, _)| at.is_expired(before)).collect();
    over.sort_unstable();
    over.truncate(limit);
    for (_, key) in &over {
        kept.remove(key);
    }
    over.len()
}

#[async_trait]
impl RetentionWrites for Transaction {
    async fn delete_expired(
        &mut self,
        what: Expiring,
        before: Timestamp,
        limit: u32,
    ) -> Result<u64, StoreError> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let state = self.write();
        let removed = match what {
            Expiring::Registrations => {
                let over_at = |one: &mapae_domain::Registration| Some(one.record().expires_at);
                remove_oldest(&mut state.registrations, over_at, before, limit)
            }
            Expiring::Verifications => {
                let over_at = |one: &mapae_domain::Verification| Some(one.record().expires_at);
                remove_oldest(&mut state.verifications, over_at, before, limit)
            }
            Expiring::ContactSends => {
                remove_oldest(&mut state.contact_sends, |window| Some(window.end), before, limit)
            }
            Expiring::Usernames => {
                let over_at = |holder: &UsernameHolder| match holder {
                    UsernameHolder::User(_) => None,
                    UsernameHolder::Registration { expires_at: at, .. }
                    | UsernameHolder::Former { until: at, .. } => Some(*at),
                };
                remove_oldest(&mut state.usernames, over_at, before, limit)
            }
            Expiring::Sessions => {
                let over_at = |one: &mapae_domain::Session| Some(one.record().idle_expires_at);
                remove_oldest(&mut state.sessions, over_at, before, limit)
            }
            Expiring::IdempotencyKeys => {
                remove_oldest(&mut state.idempotency, |claim| Some(claim.expires_at), before, limit)
            }
            Expiring::Messages => {
                let over_at = |message: &mapae_domain::OutboxMessage| {
                    let record = message.record();
                    let is_done =
                        record.status != DeliveryStatus::Queued && record.ask_at.is_none();
                    is_done.then_some(record.updated_at)
                };
                remove_oldest(&mut state.outbox, over_at, before, limit)
            }
            Expiring::ContactUndos => {
                let undos = &mut state.contact_undos;
                undos.sort_by_key(|undo| undo.expires_at);
                let over = undos.iter().take_while(|undo| undo.expires_at.is_expired(before));
                let over = over.count().min(limit);
                undos.drain(..over).count()
            }
            Expiring::AuditEntries => {
                let entries = &mut state.audit;
                entries.sort_by_key(|entry| entry.at);
                let over = entries.iter().take_while(|entry| entry.at.is_expired(before));
                let over = over.count().min(limit);
                entries.drain(..over).count()
            }
        };
        Ok(u64::try_from(removed).unwrap_or(u64::MAX))
    }
}
