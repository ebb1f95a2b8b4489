use mapae_domain::{Registration, Timestamp, UserId};

use crate::Application;
use crate::ports::{StoreError, UnitOfWork};

/// What came of the attempt to make a registration a user.
pub(crate) enum Completion {
    /// It is one now.
    Done(UserId),
    /// It waits for a proof.
    Waiting,
    /// A contact that it has proved is held by an account.
    ContactTaken,
}

impl Application {
    /// Makes a registration a user where it has its proofs, in the unit of work of the last one,
    /// and makes the codes of its rivals worthless.
    pub(crate) async fn complete_registration(
        &self,
        work: &mut dyn UnitOfWork,
        registration: &Registration,
        now: Timestamp,
    ) -> Result<Completion, StoreError> {
        let policy = &self.settings.registration;
        let completed = registration.clone().complete(policy, now, &mut self.random());
        let Some((completed, user)) = completed else { return Ok(Completion::Waiting) };
        for held in &user.record().contacts {
            if work.user_by_contact(&held.contact).await?.is_some() {
                return Ok(Completion::ContactTaken);
            }
        }
        work.insert_user(&user).await?;
        if let Some(username) = &user.record().username {
            work.assign_username(username, completed.id(), user.id()).await?;
        }
        let consents = &completed.record().consents;
        work.insert_consents(user.id(), consents).await?;
        self.confirm_marketing(work, &user, &[], consents, now).await?;
        for held in &user.record().contacts {
            work.supersede_verifications(&held.contact, Some(completed.id())).await?;
        }
        work.update_registration(&completed).await?;
        tracing::info!(user = %user.id(), registration = %completed.id(), "registration completed");
        Ok(Completion::Done(user.id()))
    }
}
