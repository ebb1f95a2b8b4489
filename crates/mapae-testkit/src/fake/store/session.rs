use async_trait::async_trait;
use mapae_application::ports::StoreError;
use mapae_application::ports::store::{SessionReads, SessionWrites};
use mapae_domain::session::SessionEnd;
use mapae_domain::{Session, SessionId, Timestamp, User, UserId};

use super::{STORED_TWICE, Transaction};

#[async_trait]
impl SessionReads for Transaction {
    async fn session_and_user(
        &mut self,
        id: SessionId,
    ) -> Result<Option<(Session, User)>, StoreError> {
        let session = self.state.sessions.get(&id);
        let with_user = session.and_then(|session| {
            let user = self.state.users.get(&session.record().user)?;
            Some((session.clone(), user.clone()))
        });
        Ok(with_user)
    }

    async fn sessions_of_user(&mut self, user: UserId) -> Result<Vec<Session>, StoreError> {
        let of_user = self.state.sessions.values().filter(|one| one.record().user == user);
        let mut found: Vec<_> = of_user.cloned().collect();
        found.sort_by_key(|one| std::cmp::Reverse((one.record().created_at, one.id())));
        Ok(found)
    }

    async fn open_sessions_of_user(
        &mut self,
        user: UserId,
        now: Timestamp,
    ) -> Result<Vec<Session>, StoreError> {
        let open = |session: &&Session| {
            let record = session.record();
            record.user == user && session.is_open(record.auth_generation, now)
        };
        let mut found: Vec<_> = self.state.sessions.values().filter(open).cloned().collect();
        found.sort_by_key(|session| std::cmp::Reverse((session.record().rotated_at, session.id())));
        found.truncate(100);
        Ok(found)
    }
}

#[async_trait]
impl SessionWrites for Transaction {
    async fn insert_session(&mut self, session: &Session) -> Result<(), StoreError> {
        match self.write().sessions.insert(session.id(), session.clone()) {
            None => Ok(()),
            Some(_) => Err(STORED_TWICE),
        }
    }

    async fn rotate_session(&mut self, session: &Session, from: u32) -> Result<bool, StoreError> {
        let may_rotate = self.state.sessions.get(&session.id()).is_some_and(|stored| {
            stored.record().ended.is_none() && stored.record().generation == from
        });
        if may_rotate {
            self.write().sessions.insert(session.id(), session.clone());
        }
        Ok(may_rotate)
    }

    async fn reauthenticate_session(&mut self, session: &Session) -> Result<bool, StoreError> {
        let Some(stored) = self.write().sessions.get_mut(&session.id()) else { return Ok(false) };
        if stored.record().ended.is_some() {
            return Ok(false);
        }
        let record = session.record();
        let (methods, generation) = (record.methods.clone(), record.auth_generation);
        *stored = stored.clone().reauthenticate(methods, generation, record.authenticated_at);
        Ok(true)
    }

    async fn end_session(&mut self, session: &Session) -> Result<(), StoreError> {
        let Some((at, why)) = session.record().ended else { return Ok(()) };
        if let Some(stored) = self.write().sessions.get_mut(&session.id()) {
            *stored = stored.clone().end(why, at);
        }
        Ok(())
    }

    async fn end_sessions_of_user(
        &mut self,
        user: UserId,
        except: Option<SessionId>,
        why: SessionEnd,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        for session in self.write().sessions.values_mut() {
            if session.record().user == user && Some(session.id()) != except {
                *session = session.clone().end(why, now);
            }
        }
        Ok(())
    }
}
