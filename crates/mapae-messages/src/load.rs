use std::path::{Path, PathBuf};

use mapae_application::outbox::{MarketingDecision, MessageContent, Notice};
use mapae_domain::Locale;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};

use crate::check;
use crate::render::Messages;
use crate::template::{COMPILED_IN, Form, Kind};

/// Greatest length of the service's name, in characters.
const MAX_NAME: usize = 40;

/// What messages say of the installation.
#[derive(Debug, Clone)]
pub struct MessageSettings {
    /// What the service is called.
    pub service_name: String,
    /// Where links lead: `https://auth.example.com`.
    pub public_origin: String,
    /// How many digits a code has: what a short message has room for depends on it.
    pub code_length: u8,
    /// A folder whose templates replace the compiled-in ones.
    pub templates: Option<PathBuf>,
}

/// Why there are no messages.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The service's name is none.
    #[error("messages.service_name must have 1 to 40 characters and no control character")]
    ServiceName,
    /// The folder of templates cannot be read.
    #[error("messages.templates: {} cannot be read", path.display())]
    Folder {
        /// The folder or file.
        path: PathBuf,
        /// Why it cannot.
        #[source]
        cause: std::io::Error,
    },
    /// A file in the folder replaces nothing.
    #[error("messages.templates: {0} replaces no template; see the list in the documentation")]
    Unknown(String),
    /// A template cannot be read.
    #[error("template {file}{}: {why}", line.map_or(String::new(), |line| format!(", line {line}")))]
    Syntax {
        /// The file.
        file: String,
        /// The line.
        line: Option<usize>,
        /// What is wrong.
        why: String,
    },
    /// A template makes messages that are none.
    #[error("template {file}: what it makes {why}")]
    Unfit {
        /// The file.
        file: String,
        /// What is wrong.
        why: String,
    },
}

/// A sample code. Any would do; this one cannot be mistaken for something of a template's own.
const SAMPLE_CODE: &str = "8041729653";
/// A sample key of a link: without a run of digits that could be taken for a code.
const SAMPLE_KEY: &str = "q-Zr_TbWmXyKdLsVnPcHgFjAeUoIqZrTbWmXyKdLsVn";

impl Messages {
    /// Reads the templates, and tries each with every kind of message.
    ///
    /// # Errors
    /// [`LoadError`] names the file, the line where there is one, and what is wrong.
    pub fn load(settings: &MessageSettings) -> Result<Self, LoadError> {
        let name = settings.service_name.trim();
        if name.is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control)
        {
            return Err(LoadError::ServiceName);
        }
        let mut templates = Environment::new();
        templates.set_undefined_behavior(UndefinedBehavior::Strict);
        templates.set_auto_escape_callback(|file| {
            if file.ends_with(".html") { AutoEscape::Html } else { AutoEscape::None }
        });
        for (file, source) in COMPILED_IN {
            add(&mut templates, file, (*source).to_owned())?;
        }
        if let Some(folder) = &settings.templates {
            replace(&mut templates, folder)?;
        }
        let messages = Self {
            templates,
            service_name: name.to_owned(),
            public_origin: settings.public_origin.clone(),
            host: host_of(&settings.public_origin).to_owned(),
        };
        messages.try_all(settings.code_length)?;
        Ok(messages)
    }

    fn try_all(&self, code_length: u8) -> Result<(), LoadError> {
        for locale in Locale::ALL {
            for kind in Kind::ALL {
                for content in samples(kind, code_length) {
                    for form in Form::ALL {
                        self.try_one(locale, kind, form, &content)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn try_one(
        &self,
        locale: Locale,
        kind: Kind,
        form: Form,
        content: &MessageContent,
    ) -> Result<(), LoadError> {
        let file = crate::template::file(locale, kind, form);
        let unfit = |why: &str| LoadError::Unfit { file: file.clone(), why: why.to_owned() };
        let text = self
            .render(content, locale, form)
            .map_err(|error| unfit(&format!("cannot be made: {}", error.0)))?;
        match form {
            Form::Subject => check::subject(&text).map_err(unfit)?,
            Form::Sms => check::sms(&text).map_err(unfit)?,
            Form::Text | Form::Html if text.is_empty() => return Err(unfit("is empty")),
            Form::Text | Form::Html => {}
        }
        let link = match content {
            MessageContent::Verification { purpose, code, link_key, .. } => {
                check::code(&without_markup(&text), code).map_err(unfit)?;
                link_key.as_ref().map(|key| self.link(purpose, key))
            }
            MessageContent::Notice { undo_key, .. } => {
                undo_key.as_ref().map(|key| self.undo_link(key))
            }
            _ => None,
        };
        if let Some(link) = link {
            match form {
                Form::Text => check::link_on_its_own_line(&text, &link).map_err(unfit)?,
                Form::Html if !text.contains(&format!("href=\"{}\"", escaped(&link))) => {
                    return Err(unfit("does not hold the link"));
                }
                Form::Html | Form::Subject | Form::Sms => {}
            }
        }
        Ok(())
    }
}

/// One message of each purpose, with a link and without.
fn samples(kind: Kind, code_length: u8) -> Vec<MessageContent> {
    match kind {
        Kind::AlreadyRegistered => return vec![MessageContent::AlreadyRegistered],
        Kind::Test => return vec![MessageContent::Test],
        Kind::Notice => {
            let keys = [None, Some(SAMPLE_KEY.to_owned())];
            let sample = |notice: Notice, undo_key: &Option<String>| MessageContent::Notice {
                notice: notice.as_str().to_owned(),
                at: 1_795_000_000,
                undo_key: undo_key.clone(),
            };
            let notices = Notice::ALL.iter();
            let samples = notices.flat_map(|notice| keys.iter().map(|key| sample(*notice, key)));
            return samples.collect();
        }
        Kind::Marketing => return [false, true].map(marketing_sample).into(),
        Kind::Verification => {}
    }
    let purposes = ["registration", "login", "password_reset", "contact_change", "own.purpose"];
    let keys = [None, Some(SAMPLE_KEY.to_owned())];
    let sample = |purpose: &str, link_key: &Option<String>| MessageContent::Verification {
        purpose: purpose.to_owned(),
        code: SAMPLE_CODE.chars().take(usize::from(code_length)).collect(),
        link_key: link_key.clone(),
        minutes: 30,
    };
    purposes.iter().flat_map(|purpose| keys.iter().map(move |key| sample(purpose, key))).collect()
}

fn marketing_sample(reminder: bool) -> MessageContent {
    let decision = |title: &str, accepted| MarketingDecision {
        title: title.to_owned(),
        accepted,
        at: 1_795_000_000,
    };
    let decisions = vec![decision("소식 News", true), decision("야간 Night", reminder)];
    MessageContent::Marketing { decisions, reminder }
}

/// A text as it is read: without tags, and without what stands in links.
fn without_markup(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut inside = false;
    for c in text.chars() {
        match c {
            '<' => inside = true,
            '>' => inside = false,
            c if !inside => shown.push(c),
            _ => {}
        }
    }
    let shown = shown.replace("&#x2f;", "/");
    let words = shown.split_whitespace().filter(|word| !word.contains("://"));
    words.filter(|word| !word.starts_with('@')).collect::<Vec<_>>().join(" ")
}

/// As minijinja writes it into an attribute.
fn escaped(link: &str) -> String {
    link.replace('&', "&amp;").replace('/', "&#x2f;")
}

fn host_of(origin: &str) -> &str {
    let behind_scheme = origin.split_once("://").map_or(origin, |(_, rest)| rest);
    // A port is no part of what telephones compare.
    match behind_scheme.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => behind_scheme,
    }
}

fn add(templates: &mut Environment<'static>, file: &str, source: String) -> Result<(), LoadError> {
    templates.add_template_owned(file.to_owned(), source).map_err(|error| LoadError::Syntax {
        file: file.to_owned(),
        line: error.line(),
        why: error.detail().unwrap_or("cannot be read").to_owned(),
    })
}

/// Replaces templates by the files of a folder, and refuses what replaces none.
fn replace(templates: &mut Environment<'static>, folder: &Path) -> Result<(), LoadError> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |cause| LoadError::Folder { path, cause }
    };
    for locale in folder.read_dir().map_err(unreadable(folder))? {
        let locale = locale.map_err(unreadable(folder))?.path();
        if !locale.is_dir() {
            return Err(LoadError::Unknown(shown(&locale, folder)));
        }
        for file in locale.read_dir().map_err(unreadable(&locale))? {
            let path = file.map_err(unreadable(&locale))?.path();
            let name = shown(&path, folder);
            if !COMPILED_IN.iter().any(|(known, _)| *known == name) {
                return Err(LoadError::Unknown(name));
            }
            let source = std::fs::read_to_string(&path).map_err(unreadable(&path))?;
            add(templates, &name, source)?;
        }
    }
    Ok(())
}

fn shown(path: &Path, folder: &Path) -> String {
    let relative = path.strip_prefix(folder).unwrap_or(path);
    let parts = relative.components().map(|part| part.as_os_str().to_string_lossy());
    parts.collect::<Vec<_>>().join("/")
}
