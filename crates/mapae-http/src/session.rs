//! `/v1/me/sessions`: where somebody is logged in.

use std::sync::Arc;

use mapae_application::Application;
use mapae_application::session::{EndSessionError, ListSessionsError, SessionView};
use mapae_domain::{SessionId, Timestamp};
use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::types::Example;
use poem_openapi::{Object, OpenApi};

use crate::Tag;
use crate::caller::Caller;
use crate::payload::{NoContent, Reply};
use crate::problem::{Failure, Problem, problems};
use crate::time::rfc3339;

/// An open session of an account.
#[derive(Object)]
#[oai(rename = "Session", skip_serializing_if_is_none, example)]
pub(crate) struct SessionEntry {
    /// The id: `sid` in access tokens.
    id: String,
    /// Whether it is the one that asks.
    current: bool,
    /// What the device or program called itself when it was opened.
    device: Option<String>,
    /// The network address that it was opened from.
    address: Option<String>,
    /// How its user showed who they are: `pwd`, `otp`, `sms` (RFC 8176).
    amr: Vec<String>,
    /// When it was opened (RFC 3339, UTC).
    created_at: String,
    /// When it was last refreshed, or else opened (RFC 3339, UTC).
    last_used_at: String,
    /// When it ends unless it is refreshed before (RFC 3339, UTC).
    expires_at: String,
}

/// The open sessions of an account.
#[derive(Object)]
#[oai(example)]
pub(crate) struct Sessions {
    /// The sessions, latest used first; a hundred at the most.
    sessions: Vec<SessionEntry>,
}

impl Example for SessionEntry {
    fn example() -> Self {
        let at = |seconds: i64| rfc3339(Timestamp::from_seconds(1_795_000_000 + seconds));
        Self {
            id: "019a9c9e-6f60-7c3e-8a51-2f6d0c1b7e44".to_owned(),
            current: true,
            device: Some("Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X)".to_owned()),
            address: Some("203.0.113.7".to_owned()),
            amr: vec!["pwd".to_owned()],
            created_at: at(0),
            last_used_at: at(600),
            expires_at: at(600 + 7 * 86_400),
        }
    }
}

impl Example for Sessions {
    fn example() -> Self {
        Self { sessions: vec![SessionEntry::example()] }
    }
}

impl From<SessionView> for SessionEntry {
    fn from(view: SessionView) -> Self {
        Self {
            id: view.id.to_string(),
            current: view.current,
            device: view.client.device,
            address: view.client.address.map(|address| address.to_string()),
            amr: view.methods.iter().map(|method| method.as_str().to_owned()).collect(),
            created_at: rfc3339(view.created_at),
            last_used_at: rfc3339(view.last_used_at),
            expires_at: rfc3339(view.expires_at),
        }
    }
}

problems! {
    /// Of listing sessions.
    ListProblems {
        401: "`unauthenticated`: no good access token, or its session has ended.",
    }
    /// Of ending a session.
    EndProblems {
        401: "`unauthenticated`: no good access token, or its session has ended.",
        403: "`csrf_refused`: the token is in a cookie, and the request comes from elsewhere.",
        404: "`session_not_found`: there is no open session of that id, or it is not the caller's.",
    }
}

/// Operations on the sessions of whoever asks.
pub(crate) struct SessionApi;

#[OpenApi(prefix_path = "/v1/me/sessions", tag = "Tag::Account")]
impl SessionApi {
    /// Where am I logged in?
    ///
    /// The account's open sessions, latest used first, with what is known of the devices.
    #[oai(path = "/", method = "get", operation_id = "listSessions")]
    async fn list(
        &self,
        application: Data<&Arc<Application>>,
        caller: Caller,
    ) -> Result<Reply<200, Sessions>, Failure<ListProblems>> {
        match application.sessions(&caller.0).await {
            Ok(sessions) => {
                let sessions = sessions.into_iter().map(SessionEntry::from).collect();
                Ok(Reply(Sessions { sessions }))
            }
            Err(ListSessionsError::Unavailable(error)) => Err(Problem::unavailable(&error).into()),
        }
    }

    /// Log out somewhere
    ///
    /// Ends one session of the account, on whatever device it is.
    #[oai(path = "/:id", method = "delete", operation_id = "endSession")]
    async fn end(
        &self,
        application: Data<&Arc<Application>>,
        caller: Caller,
        /// The session.
        id: Path<String>,
    ) -> Result<NoContent, Failure<EndProblems>> {
        let not_found = || {
            let detail = "There is no open session of that id.";
            Problem::not_found("session_not_found", detail)
        };
        let id = id.0.parse().map(SessionId::from_uuid).map_err(|_| not_found())?;
        match application.end_own_session(&caller.0, id).await {
            Ok(()) => Ok(NoContent),
            Err(EndSessionError::NotFound) => Err(not_found().into()),
            Err(EndSessionError::Unavailable(error)) => Err(Problem::unavailable(&error).into()),
        }
    }
}
