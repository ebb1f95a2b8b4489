use mapae_domain::session::SessionRecord;
use mapae_domain::user::ContactUndo;
use mapae_domain::{AuditEntry, Consent, Registration, Timestamp, User, Username, Verification};

use crate::Application;
use crate::error::{Unavailable, rests_on_the_world};
use crate::session::Authenticated;

/// Everything that is kept of a person.
#[derive(Debug)]
pub struct Export {
    /// The account, with its contacts and its name.
    pub user: User,
    /// The usernames that it let go of lately, with until when nobody else can have them.
    pub former_usernames: Vec<(Username, Timestamp)>,
    /// Every decision about a document.
    pub consents: Vec<Consent>,
    /// Every session, open or not.
    pub sessions: Vec<SessionRecord>,
    /// What happened to the account.
    pub events: Vec<AuditEntry>,
    /// What the account was signed up by.
    pub registrations: Vec<Registration>,
    /// The proofs that were asked for.
    pub verifications: Vec<Verification>,
    /// The contacts that it held before and may have back.
    pub previous_contacts: Vec<ContactUndo>,
}

/// Why nothing is exported or listed.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// Something that Mapae rests on failed.
    #[error("not available")]
    Unavailable(#[source] Unavailable),
}

rests_on_the_world!(ExportError);

/// How many events of an account are exported at the most, and how many are listed.
const MOST_EXPORTED: u32 = 10_000;
const MOST_LISTED: u32 = 100;

impl Application {
    /// Everything that is kept of the caller.
    ///
    /// # Errors
    /// [`ExportError`].
    pub async fn export(&self, caller: &Authenticated) -> Result<Export, ExportError> {
        let id = caller.user.id();
        let mut view = self.ports.store.read().await?;
        let user = view.user(id).await?.unwrap_or_else(|| caller.user.clone());
        let sessions = view.sessions_of_user(id).await?;
        Ok(Export {
            user,
            former_usernames: view.former_usernames_of_user(id).await?,
            consents: view.consents_of_user(id).await?,
            sessions: sessions.iter().map(|session| session.record().clone()).collect(),
            events: view.audit_of_user(id, MOST_EXPORTED).await?,
            registrations: view.registrations_of_user(id).await?,
            verifications: view.verifications_of_user(id).await?,
            previous_contacts: view.contact_undos_of_user(id).await?,
        })
    }

    /// What happened to the caller's account, latest first.
    ///
    /// # Errors
    /// [`ExportError`].
    pub async fn events(&self, caller: &Authenticated) -> Result<Vec<AuditEntry>, ExportError> {
        let mut view = self.ports.store.read().await?;
        Ok(view.audit_of_user(caller.user.id(), MOST_LISTED).await?)
    }
}
