use mapae_domain::registration::RegistrationRefused;
use mapae_domain::session::SessionClient;
use mapae_domain::verification::ConcernedUser;
use mapae_domain::{
    AuthMethod, Channel, Contact, EmailAddress, Password, PasswordHash, PhoneNumber, Purpose,
    Receipt, RegistrationId, User, UserId, Username,
};
use zeroize::Zeroizing;

use super::TokenPair;
use crate::Application;
use crate::error::{FieldError, Unavailable, rests_on_the_world, until_settled};
use crate::ports::{PasswordCheck, ReadView, StoreError};

/// Logs in with a password.
pub struct LogIn {
    /// A username, an e-mail address or a phone number.
    pub login: String,
    /// The password.
    pub password: Zeroizing<String>,
    /// From where.
    pub client: SessionClient,
}

/// Why nobody was logged in with a password.
#[derive(Debug, thiserror::Error)]
pub enum LogInError {
    /// Fields hold what they cannot, whoever asks.
    #[error("fields are not valid")]
    Invalid(Vec<FieldError>),
    /// There is no such account, or the password is another, or the account may not log in: which
    /// of them, nobody is told.
    #[error("the credentials are not valid")]
    InvalidCredentials,
    /// Something that Mapae rests on failed.
    #[error("not available")]
    Unavailable(#[source] Unavailable),
}

/// Why nobody was logged in with a receipt.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptLogInError {
    /// The receipt is none, or not any more, or for another purpose, or opens no account.
    #[error("the receipt was refused")]
    ReceiptRefused,
    /// Something that Mapae rests on failed.
    #[error("not available")]
    Unavailable(#[source] Unavailable),
}

/// Why a registration gave no tokens.
#[derive(Debug, thiserror::Error)]
pub enum RegistrationTokensError {
    /// There is none of that id, or the token is another's.
    #[error("no such registration")]
    NotFound,
    /// Its own rules say no.
    #[error("{0}")]
    Refused(RegistrationRefused),
    /// The account may not log in any more.
    #[error("the account may not log in")]
    AccountClosed,
    /// Something that Mapae rests on failed.
    #[error("not available")]
    Unavailable(#[source] Unavailable),
}

rests_on_the_world!(LogInError, ReceiptLogInError, RegistrationTokensError);

/// The authentication generation of a user whom nothing has happened to since the sign-up.
const FIRST_GENERATION: u32 = 0;

/// What somebody typed to say who they are.
pub(crate) enum LoginName {
    Username(Username),
    Contact(Contact),
}

impl Application {
    /// Logs in with a password and opens a session.
    ///
    /// A name that nobody has costs the same work as one with a wrong password (ASVS 5.0 6.3.8).
    ///
    /// # Errors
    /// [`LogInError`].
    pub async fn log_in(&self, command: LogIn) -> Result<TokenPair, LogInError> {
        let password = Password::present(&command.password)
            .map_err(|reason| LogInError::Invalid(vec![FieldError::new("password", reason)]))?;
        let user = match self.parse_login(&command.login) {
            Some(name) => name.find(&mut *self.ports.store.read().await?).await?,
            None => None,
        };
        let user = user.filter(User::is_active);
        let hash = user.as_ref().and_then(|user| user.record().password_hash.clone());
        let check = self.ports.passwords.check(password.clone(), hash.clone()).await?;
        let (Some(user), Some(hash), PasswordCheck::Match { outdated }) = (&user, hash, check)
        else {
            let user = user.map(|user| tracing::field::display(user.id()));
            count_log_in("pwd", "failed");
            tracing::info!(user, method = "pwd", "authentication failed");
            return Err(LogInError::InvalidCredentials);
        };
        // A hash of today's parameters is made before the unit of work begins.
        let renewed = match outdated {
            true => Some(self.ports.passwords.hash(password).await?),
            false => None,
        };
        until_settled!(self.try_log_in(user.id(), &hash, renewed.as_ref(), &command.client).await)
    }

    async fn try_log_in(
        &self,
        id: UserId,
        checked: &PasswordHash,
        renewed: Option<&PasswordHash>,
        client: &SessionClient,
    ) -> Result<TokenPair, LogInError> {
        let now = self.now();
        let mut work = self.ports.store.begin().await?;
        // What was checked must still be so: the hash took a while.
        let user = work
            .user(id)
            .await?
            .filter(|user| {
                user.is_active() && user.record().password_hash.as_ref() == Some(checked)
            })
            .ok_or(LogInError::InvalidCredentials)?;
        let user = match renewed {
            Some(hash) => {
                let user = user.rehash_password(hash.clone(), now);
                work.update_user(&user).await?;
                user
            }
            None => user,
        };
        let session = self
            .open_session(&mut *work, &user, vec![AuthMethod::Password], client.clone(), now)
            .await?;
        let pair = self.sign_first_pair(&mut *work, &session, &user, now).await?;
        self.commit(work).await?;
        count_log_in("pwd", "succeeded");
        tracing::info!(user = %id, session = %session.id(), method = "pwd", "authentication succeeded");
        Ok(pair)
    }

    /// Logs in with the receipt of a verification that was begun to log in.
    ///
    /// # Errors
    /// [`ReceiptLogInError`].
    pub async fn log_in_with_receipt(
        &self,
        receipt: &str,
        client: &SessionClient,
    ) -> Result<TokenPair, ReceiptLogInError> {
        let receipt = self
            .ports
            .tokens
            .verify_receipt(receipt, self.now())
            .ok()
            .filter(|receipt| receipt.purpose == Purpose::Login)
            .ok_or(ReceiptLogInError::ReceiptRefused)?;
        until_settled!(self.try_log_in_with_receipt(&receipt, client).await)
    }

    async fn try_log_in_with_receipt(
        &self,
        receipt: &Receipt,
        client: &SessionClient,
    ) -> Result<TokenPair, ReceiptLogInError> {
        let now = self.now();
        let mut work = self.ports.store.begin().await?;
        let verification = work.lock_verification(receipt.verification).await?;
        let (redeemed, _) = verification
            .and_then(|verification| verification.redeem(&self.settings.verification, now).ok())
            .ok_or(ReceiptLogInError::ReceiptRefused)?;
        // The account that the code was sent for, if it holds the contact still.
        let record = redeemed.record();
        let user = work
            .user_by_contact(&record.contact)
            .await?
            .filter(|user| user.is_active() && record.user == Some(ConcernedUser::of(user)))
            .ok_or(ReceiptLogInError::ReceiptRefused)?;
        work.update_verification(&redeemed).await?;
        let method = match record.contact.channel() {
            Channel::Email => AuthMethod::OneTimeCode,
            Channel::Sms => AuthMethod::Sms,
        };
        let session =
            self.open_session(&mut *work, &user, vec![method], client.clone(), now).await?;
        let pair = self.sign_first_pair(&mut *work, &session, &user, now).await?;
        self.commit(work).await?;
        count_log_in(method.as_str(), "succeeded");
        tracing::info!(user = %user.id(), session = %session.id(), method = method.as_str(), "authentication succeeded");
        Ok(pair)
    }

    /// Opens the first session of somebody who has just signed up: once a registration.
    ///
    /// # Errors
    /// [`RegistrationTokensError`].
    pub async fn take_registration_tokens(
        &self,
        id: RegistrationId,
        token: &str,
        client: &SessionClient,
    ) -> Result<TokenPair, RegistrationTokensError> {
        if !self.is_registration_token(id, token) {
            return Err(RegistrationTokensError::NotFound);
        }
        until_settled!(self.try_take_registration_tokens(id, client).await)
    }

    async fn try_take_registration_tokens(
        &self,
        id: RegistrationId,
        client: &SessionClient,
    ) -> Result<TokenPair, RegistrationTokensError> {
        let now = self.now();
        let mut work = self.ports.store.begin().await?;
        let registration =
            work.lock_registration(id).await?.ok_or(RegistrationTokensError::NotFound)?;
        let (registration, user) =
            registration.take_tokens(now).map_err(RegistrationTokensError::Refused)?;
        let user = work
            .user(user)
            .await?
            .filter(User::is_active)
            .ok_or(RegistrationTokensError::AccountClosed)?;
        // Whoever has changed the password since, or was shut out, is logged in by what they know now.
        if user.record().auth_generation != FIRST_GENERATION {
            return Err(RegistrationTokensError::Refused(RegistrationRefused::TokensTaken));
        }
        work.update_registration(&registration).await?;
        let session = self
            .open_session(&mut *work, &user, registration.methods(), client.clone(), now)
            .await?;
        let pair = self.sign_first_pair(&mut *work, &session, &user, now).await?;
        self.commit(work).await?;
        count_log_in("sign_up", "succeeded");
        tracing::info!(user = %user.id(), session = %session.id(), registration = %id, "authentication succeeded");
        Ok(pair)
    }

    /// Tells a username, an address and a number apart by their first and inner signs: a username
    /// begins with a letter and has no `@`.
    pub(crate) fn parse_login(&self, typed: &str) -> Option<LoginName> {
        let typed = typed.trim();
        if typed.contains('@') {
            return EmailAddress::parse(typed).ok().map(|email| LoginName::Contact(email.into()));
        }
        if typed.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return Username::parse(typed).ok().map(LoginName::Username);
        }
        let phone = PhoneNumber::parse(typed, self.settings.default_region).ok()?;
        Some(LoginName::Contact(phone.into()))
    }
}

impl LoginName {
    /// What was typed, in its canonical form.
    pub(crate) fn as_typed(&self) -> &str {
        match self {
            Self::Username(username) => username.as_str(),
            Self::Contact(contact) => contact.as_str(),
        }
    }

    /// Whose name it is.
    pub(crate) async fn find<V: ReadView + ?Sized>(
        &self,
        view: &mut V,
    ) -> Result<Option<User>, StoreError> {
        match self {
            Self::Username(username) => view.user_by_username(username).await,
            Self::Contact(contact) => view.user_by_contact(contact).await,
        }
    }
}

/// Counts log-ins by how somebody showed who they are.
fn count_log_in(method: &'static str, outcome: &'static str) {
    metrics::counter!("mapae_log_ins_total", "method" => method, "outcome" => outcome).increment(1);
}
