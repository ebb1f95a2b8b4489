//! Verifications: beginning, asking, sending again, proving.

mod begin;
mod prove;
mod resend;
mod view;

pub use begin::{BeginVerification, BeginVerificationError};
pub use prove::{CheckVerification, ProveError};
pub use resend::{ResendError, ResendVerification};
pub use view::{GetVerificationError, RegistrationProgress, VerificationView};

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mapae_domain::verification::{Challenge, carries_link};
use mapae_domain::{
    Code, Contact, LinkKey, Locale, MessageId, OutboxMessage, Purpose, SecretHash, Timestamp, User,
    Verification, VerificationId, VerificationPolicy,
};

use crate::Application;
use crate::outbox::{Envelope, MessageContent, Notice};
use crate::ports::store::SendAllowance;
use crate::ports::{HashContext, StoreError, UnitOfWork};

/// How long a notice is tried to be sent: what happened is news for so long.
const NOTICE_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// The contact has had its messages for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ContactSendsExhausted {
    pub(crate) retry_at: Timestamp,
}

/// A drawn challenge: what is kept of it, and what is sent.
pub(crate) struct DrawnChallenge {
    pub(crate) hashes: Challenge,
    code: Code,
    link: Option<LinkKey>,
}

/// Tells operators what a limit decided.
pub(crate) fn count_decision(limit: &'static str, is_allowed: bool) {
    decisions(limit, is_allowed).increment(1);
}

/// Tells operators that a limit is there, and has decided nothing yet.
pub(crate) fn begin_decisions(limit: &'static str) {
    decisions(limit, true).increment(0);
    decisions(limit, false).increment(0);
}

fn decisions(limit: &'static str, is_allowed: bool) -> metrics::Counter {
    let decision = if is_allowed { "allowed" } else { "refused" };
    metrics::counter!("mapae_limits_total", "limit" => limit, "decision" => decision)
}

impl Application {
    /// Draws a code, and a link key where messages of that kind carry one.
    pub(crate) fn draw_challenge(
        &self,
        id: VerificationId,
        contact: &Contact,
        purpose: &Purpose,
    ) -> DrawnChallenge {
        let mut random = self.random();
        let code = Code::draw(self.settings.verification.code_length, &mut random);
        let link = carries_link(contact.channel(), purpose).then(|| LinkKey::draw(&mut random));
        let hashes = Challenge {
            code: self.hash_code(id, &code),
            link: link.as_ref().map(|key| self.hash_link(key)),
        };
        DrawnChallenge { hashes, code, link }
    }

    pub(crate) fn hash_code(&self, id: VerificationId, code: &Code) -> SecretHash {
        let parts = [id.as_bytes().as_slice(), code.expose().as_bytes()];
        self.ports.secrets.hash(HashContext::Code, &parts)
    }

    pub(crate) fn hash_link(&self, key: &LinkKey) -> SecretHash {
        self.ports.secrets.hash(HashContext::LinkKey, &[key.expose()])
    }

    /// What tells the reader the code.
    pub(crate) fn verification_content(
        &self,
        verification: &Verification,
        drawn: &DrawnChallenge,
        now: Timestamp,
    ) -> MessageContent {
        let record = verification.record();
        MessageContent::Verification {
            purpose: record.purpose.as_str().to_owned(),
            code: drawn.code.expose().to_owned(),
            link_key: drawn.link.as_ref().map(|key| URL_SAFE_NO_PAD.encode(key.expose())),
            minutes: crate::outbox::minutes_until(now, record.expires_at),
        }
    }

    /// Counts a message to `contact` against its day's messages.
    pub(crate) async fn count_contact_send(
        &self,
        work: &mut dyn UnitOfWork,
        contact: &Contact,
        now: Timestamp,
    ) -> Result<Result<(), ContactSendsExhausted>, StoreError> {
        self.count_against("contact_sends", work, contact.as_str(), now).await
    }

    /// Counts what a limit is for against the day's of whatever was named.
    pub(crate) async fn count_against(
        &self,
        limit: &'static str,
        work: &mut dyn UnitOfWork,
        named: &str,
        now: Timestamp,
    ) -> Result<Result<(), ContactSendsExhausted>, StoreError> {
        let key = self.ports.secrets.hash(HashContext::ContactSends, &[named.as_bytes()]);
        let most = self.settings.verification.contact_sends;
        let window_end = now.plus(VerificationPolicy::CONTACT_WINDOW);
        let counted = match work.count_contact_send(&key, most, window_end, now).await? {
            SendAllowance::Allowed => Ok(()),
            SendAllowance::Refused { retry_at } => Err(ContactSendsExhausted { retry_at }),
        };
        count_decision(limit, counted.is_ok());
        Ok(counted)
    }

    /// Queues a message of a verification: sealed, and in the same unit of work.
    pub(crate) async fn queue_message(
        &self,
        work: &mut dyn UnitOfWork,
        verification: &Verification,
        content: MessageContent,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let record = verification.record();
        let id = MessageId::draw(now, &mut self.random());
        let sealed = self.seal_message(id, &record.contact, record.locale, content);
        let message = OutboxMessage::queue(
            id,
            record.contact.channel(),
            Some(record.id),
            sealed,
            record.expires_at,
            now,
        );
        count_verification(verification, "sent");
        work.insert_message(&message).await
    }

    /// Queues a notice to a user: to the primary contact, or to nobody where there is none.
    pub(crate) async fn queue_notice(
        &self,
        work: &mut dyn UnitOfWork,
        user: &User,
        notice: Notice,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Some(held) = user.primary_contact() else { return Ok(()) };
        let (to, locale) = (&held.contact, user.record().locale);
        self.queue_notice_to(work, to, locale, notice, None, now).await
    }

    /// Queues a notice to a contact, with the key of a link that undoes what it tells of.
    pub(crate) async fn queue_notice_to(
        &self,
        work: &mut dyn UnitOfWork,
        to: &Contact,
        locale: Locale,
        notice: Notice,
        undo_key: Option<&LinkKey>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let content = MessageContent::Notice {
            notice: notice.as_str().to_owned(),
            at: now.as_seconds(),
            undo_key: undo_key.map(|key| URL_SAFE_NO_PAD.encode(key.expose())),
        };
        self.queue_to(work, to, locale, content, NOTICE_LIFETIME, now).await
    }

    /// Queues a message to a contact, which is tried to be sent for `lifetime`.
    pub(crate) async fn queue_to(
        &self,
        work: &mut dyn UnitOfWork,
        to: &Contact,
        locale: Locale,
        content: MessageContent,
        lifetime: Duration,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let id = MessageId::draw(now, &mut self.random());
        let sealed = self.seal_message(id, to, locale, content);
        let (channel, deadline) = (to.channel(), now.plus(lifetime));
        work.insert_message(&OutboxMessage::queue(id, channel, None, sealed, deadline, now)).await
    }

    fn seal_message(
        &self,
        id: MessageId,
        to: &Contact,
        locale: Locale,
        content: MessageContent,
    ) -> Vec<u8> {
        let cause = self.ports.traces.current();
        Envelope::new(to, locale, content).caused_by(cause).seal(&*self.ports.sealer, id)
    }
}

/// Counts what becomes of verifications. A purpose of a caller's own is `other`: there may be any
/// number of them.
pub(crate) fn count_verification(verification: &Verification, outcome: &'static str) {
    let record = verification.record();
    let purpose = match &record.purpose {
        Purpose::Registration => "registration",
        Purpose::Login => "login",
        Purpose::PasswordReset => "password_reset",
        Purpose::ContactChange => "contact_change",
        Purpose::Custom(_) => "other",
    };
    let channel = record.contact.channel().as_str();
    metrics::counter!(
        "mapae_verifications_total",
        "channel" => channel, "purpose" => purpose, "outcome" => outcome
    )
    .increment(1);
}

/// Whether the general operations know nothing of a verification: a password reset has operations of
/// its own, which show less of it, and change more.
pub(crate) fn is_apart(verification: &Verification) -> bool {
    verification.record().purpose == Purpose::PasswordReset
}

/// Reads the key of a link: 32 bytes in base64url, as it was written into the link.
pub(crate) fn parse_link_key(text: &str) -> Option<LinkKey> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    Some(LinkKey::from_bytes(bytes.try_into().ok()?))
}
