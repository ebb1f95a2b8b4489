//! `/dev/inbox`: what would have been sent, in development.

use std::sync::Arc;

use mapae_application::Application;
use mapae_application::error::Unavailable;
use mapae_application::inbox::{Inbox, InboxFilter, InboxMessage};
use mapae_domain::{Channel, Timestamp};
use poem::web::Data;
use poem_openapi::param::Query;
use poem_openapi::types::Example;
use poem_openapi::{Object, OpenApi};

use crate::Tag;
use crate::payload::{NoContent, Reply};
use crate::problem::{Failure, Problem, problems};
use crate::time::rfc3339;

/// Most messages that are shown at once.
pub(crate) const MAX_SHOWN: u32 = 200;

/// A message that would have been sent.
#[derive(Object)]
#[oai(rename = "InboxMessage", skip_serializing_if_is_none, example)]
pub(crate) struct InboxEntry {
    /// The message's id.
    id: String,
    /// `email` or `sms`.
    channel: String,
    /// To whom.
    to: String,
    /// A mail's subject.
    subject: Option<String>,
    /// The text.
    text: String,
    /// A mail's HTML.
    html: Option<String>,
    /// The code in it, if there is one.
    code: Option<String>,
    /// The link in it, if there is one.
    link: Option<String>,
    /// When it was handed over (RFC 3339, UTC).
    received_at: String,
}

/// What the inbox holds.
#[derive(Object)]
#[oai(example)]
pub(crate) struct InboxMessages {
    /// The messages, newest first.
    messages: Vec<InboxEntry>,
}

impl Example for InboxEntry {
    fn example() -> Self {
        Self {
            id: "019a9c9e-6f62-7e21-9c33-4b8f2e3d9a66".to_owned(),
            channel: "sms".to_owned(),
            to: "+821012345678".to_owned(),
            subject: None,
            text: "[Mapae] 인증번호 [493817]\n@localhost #493817".to_owned(),
            html: None,
            code: Some("493817".to_owned()),
            link: None,
            received_at: rfc3339(Timestamp::from_seconds(1_795_000_000)),
        }
    }
}

impl Example for InboxMessages {
    fn example() -> Self {
        Self { messages: vec![InboxEntry::example()] }
    }
}

impl From<InboxMessage> for InboxEntry {
    fn from(message: InboxMessage) -> Self {
        Self {
            id: message.id.to_string(),
            channel: message.channel.as_str().to_owned(),
            code: code_in(&message),
            link: link_in(&message.text).map(str::to_owned),
            to: message.to,
            subject: message.subject,
            text: message.text,
            html: message.html,
            received_at: rfc3339(message.received_at),
        }
    }
}

/// The code of a message: the one run of digits of a code's length, in the subject or the text.
pub(crate) fn code_in(message: &InboxMessage) -> Option<String> {
    let text = message.subject.as_deref().unwrap_or(&message.text);
    text.split(|c: char| !c.is_ascii_digit())
        .find(|run| (4..=10).contains(&run.len()))
        .map(str::to_owned)
}

/// The link of a message: the line that is one.
pub(crate) fn link_in(text: &str) -> Option<&str> {
    text.lines().map(str::trim).find(|line| {
        (line.starts_with("http://") || line.starts_with("https://")) && line.contains("key=")
    })
}

problems! {
    /// Of the inbox.
    InboxProblems {
        400: "`validation_failed`: the contact is none.",
    }
}

/// Operations on the inbox.
pub(crate) struct InboxApi;

/// The filter for messages to a contact as it was typed.
fn filter(application: &Application, to: Option<&str>) -> Result<InboxFilter, Problem> {
    let Some(to) = to else {
        return Ok(InboxFilter { to: None, limit: Some(MAX_SHOWN) });
    };
    let channel = if to.contains('@') { Channel::Email } else { Channel::Sms };
    let contact = application.read_contact(channel, to).map_err(|reason| {
        Problem::invalid(&[mapae_application::error::FieldError { field: "to".into(), reason }])
    })?;
    Ok(InboxFilter { to: Some(contact.as_str().to_owned()), limit: Some(MAX_SHOWN) })
}

#[OpenApi(prefix_path = "/dev/inbox", tag = "Tag::Development")]
impl InboxApi {
    /// Read the inbox
    ///
    /// What would have been sent, newest first, at most 200 messages. In development only.
    #[oai(path = "/messages", method = "get", operation_id = "getInboxMessages")]
    async fn messages(
        &self,
        application: Data<&Arc<Application>>,
        inbox: Data<&Arc<Inbox>>,
        /// Only messages to this e-mail address or phone number.
        to: Query<Option<String>>,
    ) -> Result<Reply<200, InboxMessages>, Failure<InboxProblems>> {
        match inbox.messages(&filter(&application, to.0.as_deref())?).await {
            Ok(messages) => Ok(Reply(InboxMessages {
                messages: messages.into_iter().map(InboxEntry::from).collect(),
            })),
            Err(error) => Err(Problem::unavailable(&Unavailable::Store(error)).into()),
        }
    }

    /// Empty the inbox
    ///
    /// Deletes what would have been sent. In development only.
    #[oai(path = "/messages", method = "delete", operation_id = "deleteInboxMessages")]
    async fn delete(
        &self,
        application: Data<&Arc<Application>>,
        inbox: Data<&Arc<Inbox>>,
        /// Only messages to this e-mail address or phone number.
        to: Query<Option<String>>,
    ) -> Result<NoContent, Failure<InboxProblems>> {
        match inbox.delete(&filter(&application, to.0.as_deref())?).await {
            Ok(_) => Ok(NoContent),
            Err(error) => Err(Problem::unavailable(&Unavailable::Store(error)).into()),
        }
    }
}
