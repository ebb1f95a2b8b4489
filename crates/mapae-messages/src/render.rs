use mapae_application::outbox::{MarketingDecision, MessageContent};
use mapae_application::ports::{MessageRenderer, RenderError, RenderedEmail};
use mapae_domain::Locale;
use minijinja::{Environment, Value, context};

use crate::check;
use crate::template::{Form, Kind, file};

/// Puts messages into words.
pub struct Messages {
    pub(crate) templates: Environment<'static>,
    pub(crate) service_name: String,
    pub(crate) public_origin: String,
    pub(crate) host: String,
}

impl Messages {
    pub(crate) fn render(
        &self,
        content: &MessageContent,
        locale: Locale,
        form: Form,
    ) -> Result<String, RenderError> {
        let (kind, values) = match content {
            MessageContent::Verification { purpose, code, link_key, minutes } => {
                let link = link_key.as_ref().map(|key| self.link(purpose, key));
                let values = context! {
                    purpose, code, link, minutes,
                    service => &self.service_name,
                    host => &self.host,
                };
                (Kind::Verification, values)
            }
            MessageContent::AlreadyRegistered => {
                let values = context! { service => &self.service_name, host => &self.host };
                (Kind::AlreadyRegistered, values)
            }
            MessageContent::Notice { notice, at, undo_key } => {
                let link = undo_key.as_ref().map(|key| self.undo_link(key));
                let values = context! {
                    notice, link,
                    date => date(*at, locale),
                    service => &self.service_name,
                    host => &self.host,
                };
                (Kind::Notice, values)
            }
            MessageContent::Marketing { decisions, reminder } => {
                let shown = |decision: &MarketingDecision| {
                    context! {
                        title => &decision.title,
                        accepted => decision.accepted,
                        date => date(decision.at, locale),
                    }
                };
                let values = context! {
                    reminder,
                    decisions => decisions.iter().map(shown).collect::<Vec<_>>(),
                    service => &self.service_name,
                    host => &self.host,
                };
                (Kind::Marketing, values)
            }
            MessageContent::Test => {
                (Kind::Test, context! { service => &self.service_name, host => &self.host })
            }
            MessageContent::Nothing => {
                return Err(RenderError("there are no words for nothing".to_owned()));
            }
        };
        let file = file(locale, kind, form);
        self.render_file(&file, values)
    }

    /// The link of a mail with a code for that purpose.
    pub(crate) fn link(&self, purpose: &str, key: &str) -> String {
        let page = if purpose == "password_reset" { "reset/password" } else { "verify/email" };
        format!("{}/{page}?key={key}", self.public_origin)
    }

    /// The link of a notice that undoes what it tells of.
    pub(crate) fn undo_link(&self, key: &str) -> String {
        format!("{}/undo/contact?key={key}", self.public_origin)
    }

    fn render_file(&self, file: &str, values: Value) -> Result<String, RenderError> {
        // The words of minijinja's own errors name the template, the line and what is missing, and
        // no value.
        let failed = |error: minijinja::Error| {
            let line = error.line().map_or(String::new(), |line| format!(", line {line}"));
            RenderError(format!("{file}{line}: {}", error.kind()))
        };
        let template = self.templates.get_template(file).map_err(failed)?;
        let text = template.render(values).map_err(failed)?;
        Ok(text.trim().to_owned())
    }
}

/// A day as its reader counts it: where Korean is read, by the clock of Korea (UTC+9).
fn date(at: i64, locale: Locale) -> String {
    let offset = match locale {
        Locale::Ko => time::UtcOffset::from_hms(9, 0, 0).unwrap_or(time::UtcOffset::UTC),
        Locale::En => time::UtcOffset::UTC,
    };
    let at = time::OffsetDateTime::from_unix_timestamp(at);
    let at = at.unwrap_or(time::OffsetDateTime::UNIX_EPOCH).to_offset(offset);
    format!("{:04}-{:02}-{:02}", at.year(), u8::from(at.month()), at.day())
}

impl MessageRenderer for Messages {
    fn email(
        &self,
        content: &MessageContent,
        locale: Locale,
    ) -> Result<RenderedEmail, RenderError> {
        Ok(RenderedEmail {
            subject: self.render(content, locale, Form::Subject)?,
            text: self.render(content, locale, Form::Text)?,
            html: self.render(content, locale, Form::Html)?,
        })
    }

    fn sms(&self, content: &MessageContent, locale: Locale) -> Result<String, RenderError> {
        let text = self.render(content, locale, Form::Sms)?;
        check::sms(&text).map_err(|why| RenderError(why.to_owned()))?;
        Ok(text)
    }
}

impl std::fmt::Debug for Messages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Messages").field("host", &self.host).finish_non_exhaustive()
    }
}
