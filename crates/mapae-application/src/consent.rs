//! Consents: what people are asked to agree to, what they decided, and what they are told of it.

use std::time::Duration;

use mapae_domain::consent::{AskedDocument, ConsentChannel, DecidedBy, Decisions, latest};
use mapae_domain::session::SessionClient;
use mapae_domain::{
    Consent, ConsentDocument, ConsentPolicy, InvalidValue, Locale, Timestamp, User, UserId,
};

use crate::Application;
use crate::error::{FieldError, FieldErrors, Unavailable, rests_on_the_world, until_settled};
use crate::outbox::{MarketingDecision, MessageContent};
use crate::ports::{ReadView, StoreError, UnitOfWork};
use crate::session::Authenticated;

/// How long a message about a decision is tried to be sent. It has to be told within 14 days
/// (정보통신망법 시행령 §62의2).
const CONFIRMATION_LIFETIME: Duration = Duration::from_secs(3 * 24 * 60 * 60);

/// One decision about a document, as it was sent.
pub struct ConsentInput {
    /// The document's name.
    pub document: String,
    /// Its version.
    pub version: String,
    /// Whether the person agreed.
    pub accepted: bool,
}

/// Decides about documents; what is not mentioned stays.
pub struct DecideConsents {
    /// The decisions.
    pub consents: Vec<ConsentInput>,
    /// From where.
    pub client: SessionClient,
}

/// A document that somebody is to be asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentDemand {
    /// Which, in the version in force.
    pub document: ConsentDocument,
    /// Nobody goes on without it; else it may be refused.
    pub required: bool,
}

/// A document in force, with what somebody decided about it.
#[derive(Debug)]
pub struct AskedConsent {
    /// The document.
    pub asked: AskedDocument,
    /// The latest decision, perhaps about another version.
    pub decision: Option<Consent>,
    /// They are to be asked.
    pub outstanding: bool,
}

/// What somebody is asked, and what they decided.
#[derive(Debug)]
pub struct ConsentsView {
    /// The documents in force, in the order in which they are shown.
    pub asked: Vec<AskedConsent>,
    /// Every decision, oldest first, about documents of whatever time.
    pub history: Vec<Consent>,
}

/// Why nothing is said of consents, or nothing was decided.
#[derive(Debug, thiserror::Error)]
pub enum ConsentError {
    /// Fields hold what they cannot.
    #[error("fields are not valid")]
    Invalid(Vec<FieldError>),
    /// The session has ended meanwhile.
    #[error("the session has ended")]
    SessionEnded,
    /// It was decided too often lately.
    #[error("it was decided too often lately")]
    TooOften {
        /// When there may be another decision.
        retry_at: Timestamp,
    },
    /// Something that Mapae rests on failed.
    #[error("not available")]
    Unavailable(#[source] Unavailable),
}

rests_on_the_world!(ConsentError);

/// A decision that somebody is to be reminded of, for operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueReminder {
    /// Who.
    pub user: UserId,
    /// Of what.
    pub document: ConsentDocument,
    /// When they agreed.
    pub decided_at: Timestamp,
    /// When they are to be reminded.
    pub due: Timestamp,
}

impl ConsentsView {
    fn new(policy: &ConsentPolicy, history: Vec<Consent>) -> Self {
        let outstanding: Vec<_> =
            policy.outstanding(&history).map(|asked| &asked.document).collect();
        let asked = policy.documents().iter().map(|asked| AskedConsent {
            decision: latest(&history, asked.document.name()).cloned(),
            outstanding: outstanding.contains(&&asked.document),
            asked: asked.clone(),
        });
        Self { asked: asked.collect(), history }
    }
}

impl Application {
    /// The documents that people are asked about, in the order in which they are shown.
    pub fn consent_documents(&self) -> &[AskedDocument] {
        self.settings.consents.documents()
    }

    /// What the caller is asked, and what they decided.
    ///
    /// # Errors
    /// [`ConsentError`].
    pub async fn consents(&self, caller: &Authenticated) -> Result<ConsentsView, ConsentError> {
        let history = self.ports.store.read().await?.consents_of_user(caller.user.id()).await?;
        Ok(ConsentsView::new(&self.settings.consents, history))
    }

    /// Adds the caller's decisions to what they decided before. One that says again what was decided
    /// adds nothing. Who agrees to advertising, or ends that, is told by message.
    ///
    /// # Errors
    /// [`ConsentError`]; nothing is stored then.
    pub async fn decide_consents(
        &self,
        caller: &Authenticated,
        command: DecideConsents,
    ) -> Result<ConsentsView, ConsentError> {
        let mut errors = FieldErrors::default();
        let given = parse_decisions(
            &self.settings.consents,
            &command.consents,
            Decisions::Later,
            &mut errors,
        );
        errors.into_result().map_err(ConsentError::Invalid)?;
        let by =
            DecidedBy { channel: Some(ConsentChannel::Account), address: command.client.address };
        until_settled!(self.try_decide_consents(caller, &given, by).await)
    }

    async fn try_decide_consents(
        &self,
        caller: &Authenticated,
        given: &[(ConsentDocument, bool)],
        by: DecidedBy,
    ) -> Result<ConsentsView, ConsentError> {
        let now = self.now();
        let mut work = self.ports.store.begin().await?;
        // Two who decide at once for one user come one after the other.
        let held = self.hold_caller(&mut *work, caller, now).await?;
        let (_, user) = held.ok_or(ConsentError::SessionEnded)?;
        let mut history = work.consents_of_user(user.id()).await?;
        let is_new = |(document, accepted): &&(ConsentDocument, bool)| {
            let before = latest(&history, document.name());
            before.is_none_or(|one| one.document != *document || one.accepted != *accepted)
        };
        let policy = &self.settings.consents;
        let decided: Vec<_> = given
            .iter()
            .filter(is_new)
            .map(|(document, accepted)| policy.decide(document.clone(), *accepted, by, now))
            .collect();
        if decided.is_empty() {
            return Ok(ConsentsView::new(policy, history));
        }
        // Each leaves a line behind, and perhaps a message that costs something. To end what was agreed
        // to is always possible; nobody ends more than they have begun.
        let ends = |one: &Consent| {
            !one.accepted
                && latest(&history, one.document.name()).is_some_and(|before| before.accepted)
        };
        if !decided.iter().all(ends) {
            let named = format!("consents of {}", user.id());
            if let Err(exhausted) = self.count_against("consents", &mut *work, &named, now).await? {
                return Err(ConsentError::TooOften { retry_at: exhausted.retry_at });
            }
        }
        work.insert_consents(user.id(), &decided).await?;
        self.confirm_marketing(&mut *work, &user, &history, &decided, now).await?;
        self.commit(work).await?;
        tracing::info!(user = %user.id(), decisions = decided.len(), "consents decided");
        for earlier in &mut history {
            if decided.iter().any(|new| new.document.name() == earlier.document.name()) {
                earlier.reconfirm_at = None;
            }
        }
        history.extend(decided);
        Ok(ConsentsView::new(policy, history))
    }

    /// Tells a user by message what they decided about advertising, with its date.
    pub(crate) async fn confirm_marketing(
        &self,
        work: &mut dyn UnitOfWork,
        user: &User,
        history: &[Consent],
        decided: &[Consent],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Some(held) = user.primary_contact() else { return Ok(()) };
        let locale = user.record().locale;
        let decisions: Vec<_> = self
            .settings
            .consents
            .to_confirm(history, decided)
            .map(|(_, consent)| self.marketing_decision(consent, locale))
            .collect();
        if decisions.is_empty() {
            return Ok(());
        }
        let content = MessageContent::Marketing { decisions, reminder: false };
        self.queue_to(work, &held.contact, locale, content, CONFIRMATION_LIFETIME, now).await
    }

    fn marketing_decision(&self, consent: &Consent, locale: Locale) -> MarketingDecision {
        let name = consent.document.name();
        let asked = self.settings.consents.document(name);
        let title = asked.and_then(|asked| asked.text(locale)).map(|text| text.title.as_str());
        MarketingDecision {
            // A document that nobody is asked about any more has its name alone.
            title: title.unwrap_or(name).to_owned(),
            accepted: consent.accepted,
            at: consent.decided_at.as_seconds(),
        }
    }

    /// What a user is to be asked before they go on.
    pub(crate) async fn consents_required<V: ReadView + ?Sized>(
        &self,
        view: &mut V,
        user: UserId,
    ) -> Result<Vec<ConsentDemand>, StoreError> {
        let policy = &self.settings.consents;
        if policy.documents().is_empty() {
            return Ok(Vec::new());
        }
        let history = view.consents_of_user(user).await?;
        let demand = |asked: &AskedDocument| ConsentDemand {
            document: asked.document.clone(),
            required: asked.required,
        };
        Ok(policy.outstanding(&history).map(demand).collect())
    }

    /// Up to `limit` consents to advertising that people are to be reminded of before `before`,
    /// longest due first.
    ///
    /// # Errors
    /// What the store says.
    pub async fn due_reminders(
        &self,
        before: Timestamp,
        limit: u32,
    ) -> Result<Vec<DueReminder>, StoreError> {
        let due = self.ports.store.read().await?.consents_to_reconfirm(before, limit).await?;
        let reminder = |(user, consent): (UserId, Consent)| {
            let Consent { document, decided_at, reconfirm_at, .. } = consent;
            Some(DueReminder { user, document, decided_at, due: reconfirm_at? })
        };
        Ok(due.into_iter().filter_map(reminder).collect())
    }

    /// Reminds somebody of a consent to advertising: once, whoever asks for it at the same time.
    /// `false` where it is not due any more, or where there is no contact to tell.
    ///
    /// # Errors
    /// What the store says.
    pub async fn remind(&self, reminder: &DueReminder) -> Result<bool, StoreError> {
        until_settled!(self.try_remind(reminder).await)
    }

    async fn try_remind(&self, reminder: &DueReminder) -> Result<bool, StoreError> {
        let now = self.now();
        let mut work = self.ports.store.begin().await?;
        let user = work.user(reminder.user).await?.filter(User::is_active);
        let Some(user) = user else { return Ok(false) };
        let Some(held) = user.primary_contact() else { return Ok(false) };
        let history = work.consents_of_user(user.id()).await?;
        let is_meant = |consent: &&Consent| {
            consent.document == reminder.document && consent.reconfirm_at == Some(reminder.due)
        };
        let Some(consent) = history.iter().find(is_meant) else { return Ok(false) };
        let reminded = consent.clone().reminded(now);
        if !work.record_reminder(user.id(), &reminded, reminder.due).await? {
            return Ok(false);
        }
        let locale = user.record().locale;
        let decisions = vec![self.marketing_decision(consent, locale)];
        let content = MessageContent::Marketing { decisions, reminder: true };
        self.queue_to(&mut *work, &held.contact, locale, content, CONFIRMATION_LIFETIME, now)
            .await?;
        self.commit(work).await?;
        tracing::info!(user = %user.id(), document = consent.document.name(), "reminded of a consent");
        Ok(true)
    }
}

/// Reads decisions, and notes what is wrong with each, by the document's name where there is such a
/// document.
pub(crate) fn parse_decisions(
    policy: &ConsentPolicy,
    given: &[ConsentInput],
    decisions: Decisions,
    errors: &mut FieldErrors,
) -> Vec<(ConsentDocument, bool)> {
    if given.len() > ConsentPolicy::MOST {
        errors.add("consents", InvalidValue::TooMany { max: ConsentPolicy::MOST });
        return Vec::new();
    }
    let mut consents: Vec<(ConsentDocument, bool)> = Vec::new();
    // At which place of the request each of them stands.
    let mut places = Vec::new();
    for (index, consent) in given.iter().enumerate() {
        match ConsentDocument::parse(&consent.document, &consent.version) {
            Ok(document) if consents.iter().any(|(other, _)| other.name() == document.name()) => {
                errors.add(format!("consents[{index}].document"), InvalidValue::Duplicate);
            }
            Ok(document) => {
                places.push(index);
                consents.push((document, consent.accepted));
            }
            Err(reason) => {
                // Which of the two it is shows when the other is one that is good.
                let is_version = ConsentDocument::parse(&consent.document, "1").is_ok();
                let member = if is_version { "version" } else { "document" };
                errors.add(format!("consents[{index}].{member}"), reason);
            }
        }
    }
    for refused in policy.check(&consents, decisions).err().unwrap_or_default() {
        let name = &refused.document;
        let at = consents.iter().position(|(document, _)| document.name() == name);
        let place = at.and_then(|at| places.get(at));
        // A name that was sent and is none of ours is not repeated.
        let field = match (policy.document(name), place) {
            (None, Some(index)) => format!("consents[{index}].document"),
            _ => format!("consents.{name}"),
        };
        errors.add(field, refused.reason);
    }
    consents
}
