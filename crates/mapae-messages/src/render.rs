use mapae_application::outbox::MessageContent;
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
                let link = link_key
                    .as_ref()
                    .map(|key| format!("{}/verify/email?key={key}", self.public_origin));
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
