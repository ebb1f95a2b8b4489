use mapae_application::outbox::{MarketingDecision, MessageContent};
use mapae_application::ports::{MessageRenderer, RenderError, RenderedEmail};
use mapae_domain::Locale;

/// A [`MessageRenderer`] whose words a program reads: `code=123456 link=… minutes=30`.
#[derive(Debug, Clone, Copy, Default)]
pub struct FakeRenderer;

/// The first run of six digits in a text that people read: the code of a real message.
pub fn six_digits_in(text: &str) -> Option<&str> {
    text.split(|c: char| !c.is_ascii_digit()).find(|run| run.len() == 6)
}

/// The code in a text of [`FakeRenderer`], or in a mail's HTML.
pub fn code_in(text: &str) -> Option<&str> {
    value_in(text, "code=")
}

/// The link key in a text of [`FakeRenderer`], or in a mail's HTML.
pub fn link_key_in(text: &str) -> Option<&str> {
    value_in(text, "link=")
}

fn value_in<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut words = text.split([' ', '<', '>']);
    words.find_map(|word| word.strip_prefix(name)).filter(|value| !value.is_empty())
}

/// Longest short message: an LMS of 2,000 bytes, all of which are ASCII here.
const MAX_SMS_LENGTH: usize = 2_000;

fn nothing() -> RenderError {
    RenderError("there are no words for nothing".to_owned())
}

fn marketing(decisions: &[MarketingDecision], reminder: bool) -> String {
    let decision = |one: &MarketingDecision| {
        format!("marketing={} accepted={} at={}", one.title, one.accepted, one.at)
    };
    let decisions: Vec<_> = decisions.iter().map(decision).collect();
    format!("reminder={reminder} {}", decisions.join(" "))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

impl MessageRenderer for FakeRenderer {
    fn email(
        &self,
        content: &MessageContent,
        locale: Locale,
    ) -> Result<RenderedEmail, RenderError> {
        let locale = locale.as_str();
        let (subject, text) = match content {
            MessageContent::Verification { purpose, code, link_key, minutes } => {
                let link = link_key.as_ref().map_or(String::new(), |key| format!(" link={key}"));
                let text = format!(
                    "locale={locale} code={code}{link} minutes={minutes} purpose={purpose}"
                );
                (format!("verification locale={locale}"), text)
            }
            MessageContent::AlreadyRegistered => (
                format!("already-registered locale={locale}"),
                format!("locale={locale} already-registered"),
            ),
            MessageContent::Notice { notice, at, undo_key } => {
                let link = undo_key.as_ref().map_or(String::new(), |key| format!(" link={key}"));
                let text = format!("locale={locale} notice={notice} at={at}{link}");
                (format!("{notice} locale={locale}"), text)
            }
            MessageContent::Marketing { decisions, reminder } => (
                format!("marketing locale={locale}"),
                format!("locale={locale} {}", marketing(decisions, *reminder)),
            ),
            MessageContent::Test => {
                (format!("test locale={locale}"), format!("locale={locale} test"))
            }
            MessageContent::Nothing => return Err(nothing()),
        };
        let html = format!("<p>{}</p>", escaped(&text));
        Ok(RenderedEmail { subject, text, html })
    }

    fn sms(&self, content: &MessageContent, locale: Locale) -> Result<String, RenderError> {
        let locale = locale.as_str();
        let text = match content {
            MessageContent::Verification { code, minutes, .. } => {
                format!("locale={locale} code={code} minutes={minutes}")
            }
            MessageContent::AlreadyRegistered => format!("locale={locale} already-registered"),
            MessageContent::Notice { notice, at, undo_key } => {
                let link = undo_key.as_ref().map_or(String::new(), |key| format!(" link={key}"));
                format!("locale={locale} notice={notice} at={at}{link}")
            }
            MessageContent::Marketing { decisions, reminder } => {
                format!("locale={locale} {}", marketing(decisions, *reminder))
            }
            MessageContent::Test => format!("locale={locale} test"),
            MessageContent::Nothing => return Err(nothing()),
        };
        if text.len() > MAX_SMS_LENGTH {
            return Err(RenderError("the short message is too long".to_owned()));
        }
        Ok(text)
    }
}
