//! What is kept of an account, for its owner: events, and everything.

use mapae_application::user::Export;
use mapae_domain::session::SessionRecord;
use mapae_domain::user::ContactUndo;
use mapae_domain::{AuditEntry, Registration, Timestamp, Username, Verification};
use poem_openapi::Object;
use poem_openapi::types::Example;

use crate::consent::ConsentView;
use crate::time::rfc3339;
use crate::user::Profile;

/// Something that happened to an account.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
pub(crate) struct AccountEvent {
    /// The id.
    id: String,
    /// What: `refresh_token_replayed`, `password_changed`, `password_reset`, `contact_changed`,
    /// `contact_removed`, `primary_contact_changed`, `username_changed`, `contact_restored`, `user_withdrawn`, `user_disabled`, `user_enabled`;
    /// more may come.
    kind: String,
    /// When (RFC 3339, UTC).
    at: String,
    /// By or to which session.
    session_id: Option<String>,
    /// What the device or program called itself that it was done from.
    device: Option<String>,
    /// The network address that it was done from.
    address: Option<String>,
}

impl From<&AuditEntry> for AccountEvent {
    fn from(entry: &AuditEntry) -> Self {
        Self {
            id: entry.id.to_string(),
            kind: entry.kind.as_str().to_owned(),
            at: rfc3339(entry.at),
            session_id: entry.session.map(|session| session.to_string()),
            device: entry.client.device.clone(),
            address: entry.client.address.map(|address| address.to_string()),
        }
    }
}

/// What happened to an account.
#[derive(Object)]
#[oai(example)]
pub(crate) struct Events {
    /// The events, latest first.
    pub(crate) events: Vec<AccountEvent>,
}

fn an_event() -> AccountEvent {
    AccountEvent {
        id: "019a9c9e-9c10-7e4f-8d61-2a7e1d2c8f66".to_owned(),
        kind: "password_changed".to_owned(),
        at: rfc3339(Timestamp::from_seconds(1_795_000_000)),
        session_id: Some("019a9c9e-6f60-7c3e-8a51-2f6d0c1b7e44".to_owned()),
        device: Some("Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X)".to_owned()),
        address: Some("203.0.113.7".to_owned()),
    }
}

impl Example for Events {
    fn example() -> Self {
        Self { events: vec![an_event()] }
    }
}

/// A session, open or not.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
pub(crate) struct ExportedSession {
    /// The id.
    id: String,
    /// What the device or program called itself.
    device: Option<String>,
    /// The network address that it was opened from.
    address: Option<String>,
    /// How its user showed who they are.
    amr: Vec<String>,
    /// When it was opened (RFC 3339, UTC).
    created_at: String,
    /// When its user last showed who they are (RFC 3339, UTC).
    authenticated_at: String,
    /// When it was last refreshed (RFC 3339, UTC).
    last_used_at: String,
    /// When it ends unless it is refreshed (RFC 3339, UTC).
    expires_at: String,
    /// When it ended before that (RFC 3339, UTC).
    ended_at: Option<String>,
    /// Why.
    ended_because: Option<String>,
}

impl From<&SessionRecord> for ExportedSession {
    fn from(record: &SessionRecord) -> Self {
        Self {
            id: record.id.to_string(),
            device: record.client.device.clone(),
            address: record.client.address.map(|address| address.to_string()),
            amr: record.methods.iter().map(|method| method.as_str().to_owned()).collect(),
            created_at: rfc3339(record.created_at),
            authenticated_at: rfc3339(record.authenticated_at),
            last_used_at: rfc3339(record.rotated_at),
            expires_at: rfc3339(record.idle_expires_at),
            ended_at: record.ended.map(|(at, _)| rfc3339(at)),
            ended_because: record.ended.map(|(_, why)| why.as_str().to_owned()),
        }
    }
}

/// A sign-up.
#[derive(Object)]
#[oai(skip_serializing_if_is_none)]
pub(crate) struct ExportedRegistration {
    /// The id.
    id: String,
    /// The username that was asked for.
    username: Option<String>,
    /// The e-mail address that was given.
    email: Option<String>,
    /// The phone number that was given.
    phone: Option<String>,
    /// The nickname that was given.
    nickname: Option<String>,
    /// The name that was given.
    name: Option<String>,
    /// The language.
    locale: String,
    /// What was agreed to, or refused.
    consents: Vec<ConsentView>,
    /// When it was begun (RFC 3339, UTC).
    created_at: String,
}

impl From<&Registration> for ExportedRegistration {
    fn from(registration: &Registration) -> Self {
        let record = registration.record();
        Self {
            id: record.id.to_string(),
            username: record.username.as_ref().map(|name| name.as_str().to_owned()),
            email: record.email.as_ref().map(|claim| claim.contact.as_str().to_owned()),
            phone: record.phone.as_ref().map(|claim| claim.contact.as_str().to_owned()),
            nickname: record.nickname.as_ref().map(|name| name.as_str().to_owned()),
            name: record.name.as_ref().map(|name| name.as_str().to_owned()),
            locale: record.locale.as_str().to_owned(),
            consents: record.consents.iter().map(ConsentView::from).collect(),
            created_at: rfc3339(record.created_at),
        }
    }
}

/// A proof that was asked for.
#[derive(Object)]
pub(crate) struct ExportedVerification {
    /// The id.
    id: String,
    /// `email` or `sms`.
    channel: String,
    /// The address or number.
    to: String,
    /// What for.
    purpose: String,
    /// The language.
    locale: String,
    /// How many codes were compared.
    attempts_used: u8,
    /// How often it was sent.
    sends_used: u8,
    /// When it was begun (RFC 3339, UTC).
    created_at: String,
    /// When its code expired (RFC 3339, UTC).
    expires_at: String,
}

impl From<&Verification> for ExportedVerification {
    fn from(verification: &Verification) -> Self {
        let record = verification.record();
        Self {
            id: record.id.to_string(),
            channel: record.contact.channel().as_str().to_owned(),
            to: record.contact.as_str().to_owned(),
            purpose: record.purpose.as_str().to_owned(),
            locale: record.locale.as_str().to_owned(),
            attempts_used: record.attempts_used,
            sends_used: record.sends_used,
            created_at: rfc3339(record.created_at),
            expires_at: rfc3339(record.expires_at),
        }
    }
}

/// A username that an account let go of.
#[derive(Object)]
pub(crate) struct FormerUsername {
    /// The username.
    username: String,
    /// Until when nobody else can have it (RFC 3339, UTC).
    kept_until: String,
}

impl From<&(Username, Timestamp)> for FormerUsername {
    fn from((username, until): &(Username, Timestamp)) -> Self {
        Self { username: username.as_str().to_owned(), kept_until: rfc3339(*until) }
    }
}

/// A contact that an account held before.
#[derive(Object)]
pub(crate) struct PreviousContact {
    /// `email` or `sms`.
    channel: String,
    /// The address or number.
    value: String,
    /// When it was proved (RFC 3339, UTC).
    verified_at: String,
    /// When it was changed or removed (RFC 3339, UTC).
    changed_at: String,
    /// Until when that can be undone (RFC 3339, UTC).
    undo_until: String,
}

impl From<&ContactUndo> for PreviousContact {
    fn from(undo: &ContactUndo) -> Self {
        Self {
            channel: undo.contact.contact.channel().as_str().to_owned(),
            value: undo.contact.contact.as_str().to_owned(),
            verified_at: rfc3339(undo.contact.verified_at),
            changed_at: rfc3339(undo.changed_at),
            undo_until: rfc3339(undo.expires_at),
        }
    }
}

/// Everything that is kept of an account.
#[derive(Object)]
#[oai(rename = "Export", example)]
pub(crate) struct ExportAnswer {
    /// The account with its contacts and its name.
    profile: Profile,
    /// Whether it has a password, of which a hash is kept.
    has_password: bool,
    /// The usernames that it let go of lately.
    former_usernames: Vec<FormerUsername>,
    /// Every decision about a document, oldest first.
    consents: Vec<ConsentView>,
    /// Every session, open or not, latest first.
    sessions: Vec<ExportedSession>,
    /// What happened to it, latest first.
    events: Vec<AccountEvent>,
    /// What it was signed up by.
    registrations: Vec<ExportedRegistration>,
    /// The proofs that were asked for.
    verifications: Vec<ExportedVerification>,
    /// The contacts that it held before, and may have back for a while.
    previous_contacts: Vec<PreviousContact>,
}

impl Example for ExportAnswer {
    fn example() -> Self {
        Self {
            profile: Profile::example(),
            has_password: true,
            former_usernames: Vec::new(),
            consents: vec![ConsentView::example()],
            sessions: Vec::new(),
            events: vec![an_event()],
            registrations: Vec::new(),
            verifications: Vec::new(),
            previous_contacts: Vec::new(),
        }
    }
}

impl From<&Export> for ExportAnswer {
    fn from(export: &Export) -> Self {
        Self {
            profile: Profile::from(&export.user),
            has_password: export.user.record().password_hash.is_some(),
            former_usernames: export.former_usernames.iter().map(FormerUsername::from).collect(),
            consents: export.consents.iter().map(ConsentView::from).collect(),
            sessions: export.sessions.iter().map(ExportedSession::from).collect(),
            events: export.events.iter().map(AccountEvent::from).collect(),
            registrations: export.registrations.iter().map(ExportedRegistration::from).collect(),
            verifications: export.verifications.iter().map(ExportedVerification::from).collect(),
            previous_contacts: export.previous_contacts.iter().map(PreviousContact::from).collect(),
        }
    }
}
