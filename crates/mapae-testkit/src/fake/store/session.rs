use async_trait::async_trait;
use mapae_application::ports::StoreError;
use mapae_application::ports::store::{SessionReads, SessionWrites};
use mapae_domain::{Session, SessionId, User};

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

    async fn end_session(&mut self, session: &Session) -> Result<(), StoreError> {
        let Some((at, why)) = session.record().ended else { return Ok(()) };
        if let Some(stored) = self.write().sessions.get_mut(&session.id()) {
            *stored = stored.clone().end(why, at);
        }
        Ok(())
    }
}
