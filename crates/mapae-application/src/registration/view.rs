use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mapae_domain::{Registration, RegistrationId, SecretHash, Timestamp, UserId};
use zeroize::Zeroizing;

use crate::Application;
use crate::error::{Unavailable, rests_on_the_world};
use crate::ports::{HashContext, ReadView, StoreError};
use crate::verification::VerificationView;

/// A registration, for whoever began it.
pub struct RegistrationView {
    /// The id.
    pub id: RegistrationId,
    /// What shows that the asker began it.
    pub token: Zeroizing<String>,
    /// The user that it became, if it did.
    pub user: Option<UserId>,
    /// What it waits for, or did.
    pub verifications: Vec<VerificationView>,
}

/// Why a registration is not shown.
#[derive(Debug, thiserror::Error)]
pub enum GetRegistrationError {
    /// There is none of that id, or the token is another's.
    #[error("no such registration")]
    NotFound,
    /// Its time is up.
    #[error("the registration has expired")]
    Expired,
    /// Something that Mapae rests on failed.
    #[error("not available")]
    Unavailable(#[source] Unavailable),
}

rests_on_the_world!(GetRegistrationError);

impl Application {
    /// How far a registration has come.
    ///
    /// # Errors
    /// [`GetRegistrationError`].
    pub async fn registration(
        &self,
        id: RegistrationId,
        token: &str,
    ) -> Result<RegistrationView, GetRegistrationError> {
        let now = self.now();
        if !self.is_registration_token(id, token) {
            return Err(GetRegistrationError::NotFound);
        }
        let mut view = self.ports.store.read().await?;
        let registration = view.registration(id).await?.ok_or(GetRegistrationError::NotFound)?;
        if registration.is_expired(now) {
            return Err(GetRegistrationError::Expired);
        }
        Ok(self.registration_view(&mut *view, &registration, now).await?)
    }

    pub(crate) async fn registration_view<V: ReadView + ?Sized>(
        &self,
        view: &mut V,
        registration: &Registration,
        now: Timestamp,
    ) -> Result<RegistrationView, StoreError> {
        let mut verifications = Vec::new();
        for verification in view.verifications_of_registration(registration.id()).await? {
            verifications.push(VerificationView::read(view, &verification, now).await?);
        }
        Ok(RegistrationView {
            id: registration.id(),
            token: self.registration_token(registration.id()),
            user: registration.user(),
            verifications,
        })
    }

    /// The token by which a registration is asked about. It is derived, not stored, so that a
    /// repeat of the request that began the registration can be answered with it again.
    fn registration_token(&self, id: RegistrationId) -> Zeroizing<String> {
        let hash = self.ports.secrets.hash(HashContext::RegistrationToken, &[id.as_bytes()]);
        Zeroizing::new(URL_SAFE_NO_PAD.encode(hash.as_bytes()))
    }

    /// Whether `token` is that registration's, in a time that does not depend on the answer.
    pub(crate) fn is_registration_token(&self, id: RegistrationId, token: &str) -> bool {
        let expected = self.ports.secrets.hash(HashContext::RegistrationToken, &[id.as_bytes()]);
        let presented = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| bytes.try_into().ok());
        presented.is_some_and(|bytes| SecretHash::from_bytes(bytes).matches(&expected))
    }
}
