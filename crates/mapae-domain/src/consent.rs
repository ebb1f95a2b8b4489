//! What people are asked to agree to, and what they agreed to or refused.
//!
//! What the law of Korea asks for (개인정보 보호법 §22, 정보통신망법 §50): each document apart, which
//! of them may be refused, what was decided when and how, a marketing decision confirmed with its
//! date, and consent to marketing reconfirmed every two years.

use std::net::IpAddr;
use std::time::Duration;

use crate::invalid::InvalidValue;
use crate::locale::Locale;
use crate::time::Timestamp;

/// How long consent to marketing is good before whoever gave it is reminded of it: two years, less
/// the leap day that may lie between (정보통신망법 §50(8)).
pub const RECONFIRM_AFTER: Duration = Duration::from_secs(2 * 365 * 24 * 60 * 60);

/// Greatest length of a document's name and of its version, in bytes.
const MAX_LENGTH: usize = 64;

/// One version of a text that people are asked to agree to, such as `terms` of `2026-11-01`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ConsentDocument {
    name: String,
    version: String,
}

impl ConsentDocument {
    /// The document `name` in its version `version`: both of ASCII letters, digits, `.`, `_`, `-`.
    ///
    /// # Errors
    /// [`InvalidValue::Required`], `TooLong` over 64 bytes, or `Malformed`.
    pub fn parse(name: &str, version: &str) -> Result<Self, InvalidValue> {
        for part in [name, version] {
            if part.is_empty() {
                return Err(InvalidValue::Required);
            }
            if part.len() > MAX_LENGTH {
                return Err(InvalidValue::TooLong { max: MAX_LENGTH });
            }
            if !part.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)) {
                return Err(InvalidValue::Malformed);
            }
        }
        Ok(Self { name: name.to_owned(), version: version.to_owned() })
    }

    /// The document's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The version that was shown.
    pub fn version(&self) -> &str {
        &self.version
    }
}

/// What a document is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConsentKind {
    /// Something to agree to: terms, a policy.
    Agreement,
    /// Messages that advertise. Never required, confirmed by message, and reconfirmed.
    Marketing,
    /// A declaration to be of the age that the service asks for.
    Age,
}

impl ConsentKind {
    /// The name in the HTTP contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Agreement => "agreement",
            Self::Marketing => "marketing",
            Self::Age => "age",
        }
    }
}

/// How a document is shown to people, in one language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentText {
    /// What it is called.
    pub title: String,
    /// Where it can be read.
    pub url: Option<String>,
    /// What it says, where it is short enough to stand beside a box to tick.
    pub text: Option<String>,
}

/// A document that people are asked about, in the version that is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedDocument {
    /// Which.
    pub document: ConsentDocument,
    /// What it is for.
    pub kind: ConsentKind,
    /// Nobody signs up without it.
    pub required: bool,
    /// How it is shown, by language; one at the least.
    pub texts: Vec<(Locale, ConsentText)>,
}

impl AskedDocument {
    /// The name of the declaration of age.
    pub const AGE: &'static str = "age";

    /// The declaration to be `years` of age at the least. Another age is another version of it.
    pub fn age(years: u8) -> Self {
        let text = |title| ConsentText { title, url: None, text: None };
        let texts = vec![
            (Locale::Ko, text(format!("만 {years}세 이상입니다"))),
            (Locale::En, text(format!("I am {years} years of age or older"))),
        ];
        let (name, version) = (Self::AGE.to_owned(), years.to_string());
        let document = ConsentDocument { name, version };
        Self { document, kind: ConsentKind::Age, required: true, texts }
    }

    /// How it is shown in `locale`, or in another language where it is not.
    pub fn text(&self, locale: Locale) -> Option<&ConsentText> {
        let of_locale = self.texts.iter().find(|(of, _)| *of == locale);
        of_locale.or_else(|| self.texts.first()).map(|(_, text)| text)
    }
}

/// What is wrong with a decision, for the document of that name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedDecision {
    /// The document's name.
    pub document: String,
    /// What is wrong: `Required`, where it was refused or left out and must not be; `Outdated`,
    /// where another version is in force; `UnknownValue`, where nobody is asked about it.
    pub reason: InvalidValue,
}

/// Whether decisions are all that there will be, or some beside others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decisions {
    /// Of a sign-up: what is required must be among them.
    First,
    /// Of an account: what is not mentioned stays.
    Later,
}

/// What the documents of an installation do not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidConsentPolicy {
    /// Two documents have one name.
    #[error("the document {0} stands there twice")]
    Twice(String),
    /// Nobody has to take advertising (정보통신망법 §50, 개인정보 보호법 §22(5)).
    #[error("the document {0} is for marketing and so cannot be required")]
    RequiredMarketing(String),
    /// It has no title in any language.
    #[error("the document {0} has no title")]
    Untitled(String),
    /// There are more than anybody would read.
    #[error("there are more than {max} documents", max = ConsentPolicy::MOST)]
    TooMany,
}

/// The documents that an installation asks about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConsentPolicy(Vec<AskedDocument>);

impl ConsentPolicy {
    /// Most documents that people are asked about, and most decisions that one request bears.
    pub const MOST: usize = 32;

    /// The policy of these documents, in the order in which they are shown.
    ///
    /// # Errors
    /// [`InvalidConsentPolicy`].
    pub fn new(documents: Vec<AskedDocument>) -> Result<Self, InvalidConsentPolicy> {
        if documents.len() > Self::MOST {
            return Err(InvalidConsentPolicy::TooMany);
        }
        for (index, asked) in documents.iter().enumerate() {
            let name = || asked.document.name.clone();
            if documents.iter().take(index).any(|other| other.document.name == asked.document.name)
            {
                return Err(InvalidConsentPolicy::Twice(name()));
            }
            if asked.required && asked.kind == ConsentKind::Marketing {
                return Err(InvalidConsentPolicy::RequiredMarketing(name()));
            }
            if asked.texts.iter().all(|(_, text)| text.title.trim().is_empty()) {
                return Err(InvalidConsentPolicy::Untitled(name()));
            }
        }
        Ok(Self(documents))
    }

    /// The documents, in the order in which they are shown.
    pub fn documents(&self) -> &[AskedDocument] {
        &self.0
    }

    /// The document of that name in the version that is in force.
    pub fn document(&self, name: &str) -> Option<&AskedDocument> {
        self.0.iter().find(|asked| asked.document.name == name)
    }

    /// Sees that decisions are about the documents in force, and that what is required is agreed to.
    /// Where nobody is asked about anything, whatever was decided is kept as it is.
    ///
    /// # Errors
    /// Each [`RefusedDecision`].
    pub fn check(
        &self,
        given: &[(ConsentDocument, bool)],
        decisions: Decisions,
    ) -> Result<(), Vec<RefusedDecision>> {
        if self.0.is_empty() {
            return Ok(());
        }
        let mut refused = Vec::new();
        let mut refuse = |document: &ConsentDocument, reason| {
            refused.push(RefusedDecision { document: document.name.clone(), reason });
        };
        for (document, accepted) in given {
            match self.document(&document.name) {
                None => refuse(document, InvalidValue::UnknownValue),
                Some(asked) if asked.document.version != document.version => {
                    refuse(document, InvalidValue::Outdated);
                }
                Some(asked) if asked.required && !accepted => {
                    refuse(document, InvalidValue::Required);
                }
                Some(_) => {}
            }
        }
        if decisions == Decisions::First {
            for asked in self.0.iter().filter(|asked| asked.required) {
                if given.iter().all(|(document, _)| document.name != asked.document.name) {
                    refuse(&asked.document, InvalidValue::Required);
                }
            }
        }
        if refused.is_empty() { Ok(()) } else { Err(refused) }
    }

    /// The decision about a document, taken at `now`.
    pub fn decide(
        &self,
        document: ConsentDocument,
        accepted: bool,
        by: DecidedBy,
        now: Timestamp,
    ) -> Consent {
        let asked = self.document(&document.name);
        let is_marketing = asked.is_some_and(|asked| asked.kind == ConsentKind::Marketing);
        Consent {
            required: asked.is_some_and(|asked| asked.required),
            document,
            accepted,
            decided_at: now,
            by,
            reconfirm_at: (is_marketing && accepted).then(|| now.plus(RECONFIRM_AFTER)),
            reminded_at: None,
        }
    }

    /// What of `decided` whoever decided is told by message: consent to marketing, and its end.
    /// A refusal of what was never agreed to changes nothing, and nobody is written to because they
    /// want no messages.
    pub fn to_confirm<'a>(
        &'a self,
        history: &'a [Consent],
        decided: &'a [Consent],
    ) -> impl Iterator<Item = (&'a AskedDocument, &'a Consent)> {
        decided.iter().filter_map(|consent| {
            let asked = self.document(&consent.document.name)?;
            let agreed_before =
                latest(history, &consent.document.name).is_some_and(|before| before.accepted);
            let tells = asked.kind == ConsentKind::Marketing && (consent.accepted || agreed_before);
            tells.then_some((asked, consent))
        })
    }

    /// What somebody with these decisions is to be asked: whatever is required and not agreed to in
    /// the version in force, and whatever they decided of in another version.
    pub fn outstanding<'a>(
        &'a self,
        history: &'a [Consent],
    ) -> impl Iterator<Item = &'a AskedDocument> {
        self.0.iter().filter(|asked| match latest(history, &asked.document.name) {
            None => asked.required,
            Some(decision) if decision.document != asked.document => true,
            Some(decision) => asked.required && !decision.accepted,
        })
    }
}

/// The latest decision about the document of that name; `history` is oldest first.
pub fn latest<'a>(history: &'a [Consent], name: &str) -> Option<&'a Consent> {
    history.iter().rev().find(|consent| consent.document.name == name)
}

/// Where somebody decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConsentChannel {
    /// When signing up.
    SignUp,
    /// Logged in.
    Account,
}

impl ConsentChannel {
    /// The name in stores and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SignUp => "sign_up",
            Self::Account => "account",
        }
    }

    /// The channel of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::SignUp, Self::Account].into_iter().find(|channel| channel.as_str() == name)
    }
}

/// How somebody decided, and from where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecidedBy {
    /// On which way; `None` for decisions that were taken before it was kept.
    pub channel: Option<ConsentChannel>,
    /// From which network address.
    pub address: Option<IpAddr>,
}

/// One decision of a person about one document. Decisions are added, never changed: the latest one
/// of a document counts, and the history is what shows that it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// What was asked.
    pub document: ConsentDocument,
    /// Whether it had to be agreed to.
    pub required: bool,
    /// Whether the person agreed.
    pub accepted: bool,
    /// When the person decided.
    pub decided_at: Timestamp,
    /// How.
    pub by: DecidedBy,
    /// When the person is to be reminded of it: consent to marketing alone, and the latest alone.
    pub reconfirm_at: Option<Timestamp>,
    /// When the person was last reminded of it.
    pub reminded_at: Option<Timestamp>,
}

impl Consent {
    /// The person was reminded at `now`, and is again in as long.
    #[must_use]
    pub fn reminded(self, now: Timestamp) -> Self {
        let reconfirm_at = self.reconfirm_at.map(|_| now.plus(RECONFIRM_AFTER));
        Self { reconfirm_at, reminded_at: Some(now), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_seconds(1_700_000_000);
    const BY: DecidedBy = DecidedBy { channel: Some(ConsentChannel::SignUp), address: None };

    fn document(name: &str, version: &str) -> ConsentDocument {
        ConsentDocument::parse(name, version).expect("a document")
    }

    fn asked(name: &str, version: &str, kind: ConsentKind, required: bool) -> AskedDocument {
        let text = ConsentText { title: name.to_owned(), url: None, text: None };
        let texts = vec![(Locale::Ko, text)];
        AskedDocument { document: document(name, version), kind, required, texts }
    }

    fn policy() -> ConsentPolicy {
        ConsentPolicy::new(vec![
            asked("terms", "2", ConsentKind::Agreement, true),
            asked("profiling", "2", ConsentKind::Agreement, false),
            asked("news", "2", ConsentKind::Marketing, false),
            AskedDocument::age(14),
        ])
        .expect("a policy")
    }

    #[test]
    fn what_is_missing_old_or_unknown_is_refused_by_name() {
        use InvalidValue::{Outdated, Required, UnknownValue};
        type Given = &'static [(&'static str, &'static str, bool)];
        type Refused = &'static [(&'static str, InvalidValue)];
        // given → refused of a sign-up, refused of an account
        let table: [(Given, Refused, Refused); 7] = [
            (&[], &[("terms", Required), ("age", Required)], &[]),
            (&[("terms", "2", true), ("age", "14", true)], &[], &[]),
            (
                &[("terms", "1", true), ("age", "14", true)],
                &[("terms", Outdated)],
                &[("terms", Outdated)],
            ),
            (
                &[("terms", "2", false), ("age", "14", true)],
                &[("terms", Required)],
                &[("terms", Required)],
            ),
            (
                &[("terms", "2", true), ("age", "13", true)],
                &[("age", Outdated)],
                &[("age", Outdated)],
            ),
            (
                &[("terms", "2", true), ("age", "14", true), ("cookies", "1", true)],
                &[("cookies", UnknownValue)],
                &[("cookies", UnknownValue)],
            ),
            (
                &[("news", "2", false), ("profiling", "2", true)],
                &[("terms", Required), ("age", Required)],
                &[],
            ),
        ];
        for (given, first, later) in table {
            let decided: Vec<_> = given
                .iter()
                .map(|(name, version, accepted)| (document(name, version), *accepted))
                .collect();
            for (decisions, expected) in [(Decisions::First, first), (Decisions::Later, later)] {
                let refused = policy().check(&decided, decisions).err().unwrap_or_default();
                let refused: Vec<_> =
                    refused.iter().map(|one| (one.document.as_str(), one.reason)).collect();
                assert_eq!(refused, expected, "{given:?} as {decisions:?}");
            }
        }
    }

    #[test]
    fn who_asks_for_nothing_takes_what_is_given() {
        let nothing = ConsentPolicy::default();
        let given = [(document("terms", "1"), false)];
        for decisions in [Decisions::First, Decisions::Later] {
            assert_eq!(nothing.check(&given, decisions), Ok(()));
        }
        assert_eq!(nothing.outstanding(&[]).count(), 0);
    }

    #[test]
    fn what_is_required_or_has_another_version_is_asked_again() {
        type History = &'static [(&'static str, &'static str, bool)];
        let table: [(History, &[&str]); 6] = [
            (&[], &["terms", "age"]),
            (&[("terms", "2", true), ("age", "14", true)], &[]),
            (&[("terms", "1", true), ("age", "14", true)], &["terms"]),
            (&[("terms", "2", true), ("news", "1", false), ("age", "14", true)], &["news"]),
            (&[("terms", "1", true), ("age", "14", true), ("terms", "2", true)], &[]),
            (&[("terms", "2", true), ("age", "14", true), ("news", "2", false)], &[]),
        ];
        for (history, expected) in table {
            let history: Vec<_> = history
                .iter()
                .map(|(name, version, accepted)| {
                    policy().decide(document(name, version), *accepted, BY, START)
                })
                .collect();
            let policy = policy();
            let names: Vec<_> =
                policy.outstanding(&history).map(|asked| asked.document.name()).collect();
            assert_eq!(names, expected, "{history:?}");
        }
    }

    #[test]
    fn consent_to_marketing_alone_is_reconfirmed_after_two_years() {
        let decide = |name, accepted| policy().decide(document(name, "2"), accepted, BY, START);
        let due = START.plus(RECONFIRM_AFTER);
        let table = [
            ("news", true, Some(due)),
            ("news", false, None),
            ("profiling", true, None),
            ("terms", true, None),
        ];
        for (name, accepted, expected) in table {
            assert_eq!(decide(name, accepted).reconfirm_at, expected, "{name} {accepted}");
        }
        let reminded = decide("news", true).reminded(due);
        assert_eq!(reminded.reconfirm_at, Some(due.plus(RECONFIRM_AFTER)));
        assert_eq!((reminded.reminded_at, reminded.decided_at), (Some(due), START));
        assert_eq!(decide("terms", true).reminded(due).reconfirm_at, None);
    }

    #[test]
    fn marketing_is_confirmed_when_it_begins_and_when_it_ends() {
        let policy = policy();
        let decide = |name, accepted| policy.decide(document(name, "2"), accepted, BY, START);
        let confirmed = |history: &[Consent], decided: Consent| {
            policy.to_confirm(history, &[decided]).count() == 1
        };
        let (yes, no) = (decide("news", true), decide("news", false));
        assert!(confirmed(&[], yes.clone()));
        assert!(!confirmed(&[], no.clone()), "nothing has changed");
        assert!(confirmed(std::slice::from_ref(&yes), no.clone()));
        assert!(!confirmed(&[yes, no.clone()], no));
        assert!(!confirmed(&[], decide("terms", true)), "no advertising");
    }

    #[test]
    fn a_policy_that_nobody_could_keep_to_is_none() {
        let terms = || asked("terms", "1", ConsentKind::Agreement, true);
        let twice = ConsentPolicy::new(vec![terms(), terms()]);
        assert_eq!(twice, Err(InvalidConsentPolicy::Twice("terms".to_owned())));
        let forced = ConsentPolicy::new(vec![asked("news", "1", ConsentKind::Marketing, true)]);
        assert_eq!(forced, Err(InvalidConsentPolicy::RequiredMarketing("news".to_owned())));
        let untitled = AskedDocument { texts: Vec::new(), ..terms() };
        let untitled = ConsentPolicy::new(vec![untitled]);
        assert_eq!(untitled, Err(InvalidConsentPolicy::Untitled("terms".to_owned())));
        let many = (0..33).map(|at| asked(&format!("d{at}"), "1", ConsentKind::Agreement, false));
        assert_eq!(ConsentPolicy::new(many.collect()), Err(InvalidConsentPolicy::TooMany));
    }
}
