//! What providers report of messages.

use std::sync::Arc;

use mapae_application::Application;
use mapae_application::outbox::TakeEventError;
use mapae_application::ports::EventRefused;
use poem::http::StatusCode;
use poem::web::Data;
use poem::{Request, RequestBody};
use poem_openapi::registry::{MetaMediaType, MetaRequest, MetaSchema, MetaSchemaRef, Registry};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions, OpenApi};
use zeroize::Zeroizing;

use crate::Tag;
use crate::payload::{NoContent, read};
use crate::problem::{Failure, Problem, problems};

/// A body as it came. Amazon SNS sends JSON, and calls it `text/plain`.
pub(crate) struct RawText(Zeroizing<Vec<u8>>);

impl<'a> ApiExtractor<'a> for RawText {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn register(_: &mut Registry) {}

    fn request_meta() -> Option<MetaRequest> {
        Some(MetaRequest {
            description: Some("An envelope of Amazon SNS."),
            content: vec![MetaMediaType {
                content_type: "text/plain",
                schema: MetaSchemaRef::Inline(Box::new(MetaSchema::new("string"))),
            }],
            required: true,
        })
    }

    async fn from_request(
        _: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        Ok(Self(read(body.take()?).await?))
    }
}

problems! {
    /// Of reports.
    HookProblems {
        400: "`malformed_event`: the body is no envelope of Amazon SNS. `body_incomplete`.",
        403: "`event_refused`: its signature, its topic or its age is not right.",
        404: "`hook_not_configured`: no topics are configured.",
        413: "`body_too_large`: over 64 KiB.",
    }
}

impl From<TakeEventError> for Failure<HookProblems> {
    fn from(error: TakeEventError) -> Self {
        let problem = match error {
            TakeEventError::NotConfigured => {
                let detail = "No topics of Amazon SNS are configured here.";
                Problem::not_found("hook_not_configured", detail)
            }
            TakeEventError::Refused(EventRefused::Malformed(why)) => {
                tracing::warn!(why, "a report of Amazon SNS is none");
                let detail = "The request's body is no envelope of Amazon SNS.";
                Problem::new(StatusCode::BAD_REQUEST, "malformed_event", detail)
            }
            TakeEventError::Refused(EventRefused::NotGenuine(why)) => {
                tracing::warn!(why, "a report of Amazon SNS was refused");
                let detail = "The envelope's signature, topic or age is not right.";
                Problem::new(StatusCode::FORBIDDEN, "event_refused", detail)
            }
            TakeEventError::Refused(EventRefused::Unavailable(why)) => {
                tracing::error!(why, "a report of Amazon SNS could not be checked");
                // SNS tries again.
                let detail = "The envelope cannot be checked now. Please try again.";
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
                    .retry_after(std::time::Duration::from_secs(20))
            }
            TakeEventError::Unavailable(error) => Problem::unavailable(&error),
        };
        problem.into()
    }
}

/// Operations that providers call.
pub(crate) struct HookApi;

#[OpenApi(tag = "Tag::Service")]
impl HookApi {
    /// Report what became of mail
    ///
    /// Where Amazon SES reports deliveries, bounces and complaints, by Amazon SNS. An envelope is
    /// believed only with a good signature, from a configured topic, and while it is recent; a
    /// subscription of such a topic is confirmed. One that was taken before changes nothing.
    #[oai(path = "/v1/hooks/ses", method = "post", operation_id = "takeSesEvent")]
    async fn ses(
        &self,
        application: Data<&Arc<Application>>,
        envelope: RawText,
    ) -> Result<NoContent, Failure<HookProblems>> {
        application.take_delivery_event(&envelope.0).await?;
        Ok(NoContent)
    }
}
