//! `/v1/consents` and `/v1/me/consents`: what people are asked to agree to, and what they decided.

use std::sync::Arc;

use mapae_application::Application;
use mapae_application::consent::{
    AskedConsent, ConsentDemand, ConsentError, ConsentInput, ConsentsView, DecideConsents,
};
use mapae_domain::consent::{AskedDocument, ConsentChannel, ConsentKind};
use mapae_domain::{Consent, Locale, Timestamp};
use poem::http::StatusCode;
use poem::web::Data;
use poem_openapi::types::Example;
use poem_openapi::{Object, OpenApi};
use serde::{Deserialize, Deserializer};

use crate::Tag;
use crate::caller::{Caller, PreferredLocale};
use crate::client::Client;
use crate::payload::{ApiJson, OnlyObject, Reply};
use crate::problem::{Failure, Problem, problems};
use crate::time::rfc3339;

/// One decision about a document.
#[derive(Object, Deserialize)]
#[oai(rename = "ConsentDecision")]
#[serde(deny_unknown_fields)]
pub(crate) struct ConsentBody {
    /// The document's name: letters, digits, `.`, `_`, `-`.
    document: String,
    /// The version that was shown.
    version: String,
    /// Whether the person agreed.
    accepted: bool,
}

impl Example for ConsentBody {
    fn example() -> Self {
        Self { document: "terms".to_owned(), version: "2026-11-01".to_owned(), accepted: true }
    }
}

impl From<ConsentBody> for ConsentInput {
    fn from(body: ConsentBody) -> Self {
        let ConsentBody { document, version, accepted } = body;
        Self { document, version, accepted }
    }
}

/// Reads a list of objects, or nothing.
pub(crate) fn decisions<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Vec<ConsentBody>>, D::Error> {
    let list = Option::<Vec<OnlyObject<ConsentBody>>>::deserialize(deserializer)?;
    Ok(list.map(|list| list.into_iter().map(|OnlyObject(consent)| consent).collect()))
}

fn all_decisions<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<ConsentBody>, D::Error> {
    let list = Vec::<OnlyObject<ConsentBody>>::deserialize(deserializer)?;
    Ok(list.into_iter().map(|OnlyObject(consent)| consent).collect())
}

/// Decisions about documents.
#[derive(Object, Deserialize)]
#[oai(rename = "DecideConsents", example)]
#[serde(deny_unknown_fields)]
pub(crate) struct DecideBody {
    /// The decisions; a document that is not among them stays as it was decided.
    #[serde(deserialize_with = "all_decisions")]
    consents: Vec<ConsentBody>,
}

impl Example for DecideBody {
    fn example() -> Self {
        let news = ConsentBody { document: "news".to_owned(), ..ConsentBody::example() };
        Self { consents: vec![ConsentBody { accepted: false, ..news }] }
    }
}

/// A document that people are asked about.
#[derive(Object)]
#[oai(rename = "ConsentDocument", skip_serializing_if_is_none)]
pub(crate) struct DocumentView {
    /// The document's name.
    document: String,
    /// The version in force.
    version: String,
    /// `agreement`, `marketing` or `age`; more may come.
    kind: String,
    /// Nobody signs up without it. Others may be refused.
    required: bool,
    /// What it is called.
    title: String,
    /// Where it can be read.
    url: Option<String>,
    /// What it says.
    text: Option<String>,
}

impl DocumentView {
    fn new(asked: &AskedDocument, locale: Locale) -> Self {
        let text = asked.text(locale);
        Self {
            document: asked.document.name().to_owned(),
            version: asked.document.version().to_owned(),
            kind: asked.kind.as_str().to_owned(),
            required: asked.required,
            title: text.map(|text| text.title.clone()).unwrap_or_default(),
            url: text.and_then(|text| text.url.clone()),
            text: text.and_then(|text| text.text.clone()),
        }
    }

    fn terms() -> Self {
        Self {
            document: "terms".to_owned(),
            version: "2026-11-01".to_owned(),
            kind: ConsentKind::Agreement.as_str().to_owned(),
            required: true,
            title: "Terms of service".to_owned(),
            url: Some("https://www.example.com/terms".to_owned()),
            text: None,
        }
    }

    fn news() -> Self {
        Self {
            document: "news".to_owned(),
            kind: ConsentKind::Marketing.as_str().to_owned(),
            required: false,
            title: "News and offers by e-mail".to_owned(),
            url: None,
            ..Self::terms()
        }
    }
}

/// The documents that people are asked about.
#[derive(Object)]
#[oai(rename = "ConsentDocuments", example)]
pub(crate) struct DocumentsView {
    /// The documents in force, in the order in which they are shown.
    documents: Vec<DocumentView>,
}

impl Example for DocumentsView {
    fn example() -> Self {
        Self { documents: vec![DocumentView::terms(), DocumentView::news()] }
    }
}

/// A decision that was taken.
#[derive(Object)]
#[oai(rename = "Consent", skip_serializing_if_is_none)]
pub(crate) struct ConsentView {
    /// The document.
    document: String,
    /// The version that it was about.
    version: String,
    /// Whether it had to be agreed to.
    required: bool,
    /// Whether the person agreed.
    accepted: bool,
    /// When (RFC 3339, UTC).
    decided_at: String,
    /// How: `sign_up` or `account`; more may come.
    channel: Option<String>,
    /// The network address that it was decided from.
    address: Option<String>,
    /// When the person was last reminded that they agreed (RFC 3339, UTC).
    reminded_at: Option<String>,
    /// When they are to be reminded next (RFC 3339, UTC).
    reconfirm_at: Option<String>,
}

impl From<&Consent> for ConsentView {
    fn from(consent: &Consent) -> Self {
        Self {
            document: consent.document.name().to_owned(),
            version: consent.document.version().to_owned(),
            required: consent.required,
            accepted: consent.accepted,
            decided_at: rfc3339(consent.decided_at),
            channel: consent.by.channel.map(|channel| channel.as_str().to_owned()),
            address: consent.by.address.map(|address| address.to_string()),
            reminded_at: consent.reminded_at.map(rfc3339),
            reconfirm_at: consent.reconfirm_at.map(rfc3339),
        }
    }
}

impl Example for ConsentView {
    fn example() -> Self {
        Self {
            document: "terms".to_owned(),
            version: "2026-11-01".to_owned(),
            required: true,
            accepted: true,
            decided_at: rfc3339(Timestamp::from_seconds(1_795_000_000)),
            channel: Some(ConsentChannel::SignUp.as_str().to_owned()),
            address: Some("203.0.113.7".to_owned()),
            reminded_at: None,
            reconfirm_at: None,
        }
    }
}

/// A document in force, with what the account has decided about it.
#[derive(Object)]
#[oai(rename = "AskedConsent", skip_serializing_if_is_none)]
pub(crate) struct AskedView {
    /// The document.
    #[oai(flatten)]
    asked: DocumentView,
    /// The latest decision about it, perhaps about another version.
    decision: Option<ConsentView>,
    /// The account is to be asked: it is required and not agreed to, or another version was decided
    /// about.
    outstanding: bool,
}

impl AskedView {
    fn new(consent: &AskedConsent, locale: Locale) -> Self {
        Self {
            asked: DocumentView::new(&consent.asked, locale),
            decision: consent.decision.as_ref().map(ConsentView::from),
            outstanding: consent.outstanding,
        }
    }
}

/// What an account is asked, and what it decided.
#[derive(Object)]
#[oai(rename = "Consents", example)]
pub(crate) struct ConsentsAnswer {
    /// The documents in force, in the order in which they are shown.
    consents: Vec<AskedView>,
    /// Every decision, oldest first, about documents of whatever time.
    history: Vec<ConsentView>,
}

impl ConsentsAnswer {
    fn new(view: &ConsentsView, locale: Locale) -> Self {
        Self {
            consents: view.asked.iter().map(|asked| AskedView::new(asked, locale)).collect(),
            history: view.history.iter().map(ConsentView::from).collect(),
        }
    }
}

impl Example for ConsentsAnswer {
    fn example() -> Self {
        let decided = AskedView {
            asked: DocumentView::terms(),
            decision: Some(ConsentView::example()),
            outstanding: false,
        };
        let undecided =
            AskedView { asked: DocumentView::news(), decision: None, outstanding: false };
        Self { consents: vec![decided, undecided], history: vec![ConsentView::example()] }
    }
}

/// A document that somebody is to be asked about after a log-in.
#[derive(Object)]
pub(crate) struct RequiredConsent {
    /// The document's name, as `GET /v1/consents` has it.
    document: String,
    /// The version in force.
    version: String,
    /// Whether it has to be agreed to; where not, it may be refused.
    required: bool,
}

impl From<&ConsentDemand> for RequiredConsent {
    fn from(demand: &ConsentDemand) -> Self {
        Self {
            document: demand.document.name().to_owned(),
            version: demand.document.version().to_owned(),
            required: demand.required,
        }
    }
}

problems! {
    /// Of asking for the documents.
    DocumentsProblems {}
    /// Of asking about consents.
    GetProblems {
        401: "`unauthenticated`: no good access token, or its session has ended.",
    }
    /// Of deciding.
    DecideProblems {
        400: "`validation_failed` or `malformed_json`. A document that is required and refused is named as `consents.NAME` with the code `required`, one of another version with `outdated`.",
        401: "`unauthenticated`: no good access token, or its session has ended.",
        403: "`csrf_refused`: the token is in a cookie, and the request comes from elsewhere.",
        413: "`body_too_large`: over 64 KiB.",
        415: "`unsupported_media_type`: not JSON.",
        429: "`too_many_changes`: the account has decided too often today.",
    }
}

/// Operations on consents.
pub(crate) struct ConsentApi;

#[OpenApi]
impl ConsentApi {
    /// Ask what people are asked
    ///
    /// The documents to show at a sign-up, with titles and links in the language that
    /// `Accept-Language` prefers.
    #[oai(
        path = "/v1/consents",
        method = "get",
        operation_id = "listConsentDocuments",
        tag = "Tag::Registrations"
    )]
    async fn documents(
        &self,
        application: Data<&Arc<Application>>,
        PreferredLocale(locale): PreferredLocale,
    ) -> Result<Reply<200, DocumentsView>, Failure<DocumentsProblems>> {
        let documents = application.consent_documents().iter();
        let documents = documents.map(|asked| DocumentView::new(asked, locale)).collect();
        Ok(Reply(DocumentsView { documents }))
    }

    /// Ask about your consents
    ///
    /// The documents in force with what the account has decided about each, in the account's
    /// language, and every decision that it ever took.
    #[oai(
        path = "/v1/me/consents",
        method = "get",
        operation_id = "getConsents",
        tag = "Tag::Account"
    )]
    async fn get(
        &self,
        application: Data<&Arc<Application>>,
        Caller(caller): Caller,
    ) -> Result<Reply<200, ConsentsAnswer>, Failure<GetProblems>> {
        match application.consents(&caller).await {
            Ok(view) => Ok(Reply(ConsentsAnswer::new(&view, caller.user.record().locale))),
            Err(error) => Err(problem(&application, &error).into()),
        }
    }

    /// Decide about documents
    ///
    /// Each decision is added to those before, with its time and from where. Who agrees to
    /// advertising, or ends that, is told by message.
    #[oai(
        path = "/v1/me/consents",
        method = "put",
        operation_id = "decideConsents",
        tag = "Tag::Account"
    )]
    async fn decide(
        &self,
        application: Data<&Arc<Application>>,
        Caller(caller): Caller,
        Client(client): Client,
        body: ApiJson<DecideBody>,
    ) -> Result<Reply<200, ConsentsAnswer>, Failure<DecideProblems>> {
        let consents = body.value.consents.into_iter().map(ConsentInput::from).collect();
        match application.decide_consents(&caller, DecideConsents { consents, client }).await {
            Ok(view) => Ok(Reply(ConsentsAnswer::new(&view, caller.user.record().locale))),
            Err(error) => Err(problem(&application, &error).into()),
        }
    }
}

fn problem(application: &Application, error: &ConsentError) -> Problem {
    match error {
        ConsentError::Invalid(errors) => Problem::invalid(errors),
        ConsentError::SessionEnded => {
            let detail = "The session has ended. Please log in.";
            Problem::new(StatusCode::UNAUTHORIZED, "unauthenticated", detail)
        }
        ConsentError::TooOften { retry_at } => {
            Problem::too_many_changes(application.now(), *retry_at)
        }
        ConsentError::Unavailable(error) => Problem::unavailable(error),
    }
}
