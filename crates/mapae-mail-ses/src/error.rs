//! What the errors of SES mean for a message.

use std::error::Error;
use std::time::Duration;

use aws_sdk_sesv2::config::http::HttpResponse;
use aws_sdk_sesv2::error::{ProvideErrorMetadata, SdkError};
use mapae_application::ports::SendError;
use mapae_domain::DeliveryReason;

/// How long to wait where a second's messages are used up.
const RATE: Duration = Duration::from_secs(1);
/// How long to wait where the day's messages are used up: the day is a sliding one.
const QUOTA: Duration = Duration::from_secs(900);

/// What an error means. `recipient` is who the mail was for, to tell apart what SES says of them
/// from what it says of us.
pub(crate) fn what_it_means<E>(error: &SdkError<E, HttpResponse>, recipient: &str) -> SendError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match error {
        SdkError::ConstructionFailure(_) => {
            SendError::Broken("no request could be made: region, keys".to_owned())
        }
        SdkError::TimeoutError(_) => SendError::Unanswered("no answer in time".to_owned()),
        SdkError::DispatchFailure(failure) => {
            let credentials = chain(error).any(|text| text.contains("credentials"));
            if credentials && failure.is_other() {
                SendError::Broken("there are no credentials".to_owned())
            } else if chain(error).any(|text| text.to_ascii_lowercase().contains("connect)"))
                || chain(error).any(|text| text.contains("connect timeout"))
            {
                SendError::Temporary("no connection".to_owned())
            } else {
                SendError::Unanswered("the connection broke before the answer".to_owned())
            }
        }
        SdkError::ServiceError(refused) => {
            let meta = refused.err().meta();
            let status = refused.raw().status().as_u16();
            let (code, words) = (meta.code().unwrap_or_default(), meta.message());
            of_code(status, code, words.unwrap_or_default(), recipient)
        }
        // An answer that is none of SES: a proxy's page, or half of one.
        SdkError::ResponseError(answer) => {
            of_code(answer.raw().status().as_u16(), "", "", recipient)
        }
        _ => SendError::Unanswered("an error of a new kind".to_owned()),
    }
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = String> + 'a {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let error = next?;
        next = error.source();
        Some(error.to_string())
    })
}

/// What a code means, whether the SDK has a type for it or not. The words of SES can hold the
/// address, and are left out.
pub(crate) fn of_code(status: u16, code: &str, words: &str, recipient: &str) -> SendError {
    let shown: String =
        code.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '.').take(64).collect();
    let why = format!("status {status} {shown}").trim_end().to_owned();
    let throttled = |retry_after, why| SendError::Throttled { retry_after, why };
    if words.contains("Daily message quota") || code == "LimitExceededException" {
        return throttled(QUOTA, format!("{why}: the messages of the day are used up"));
    }
    if code.starts_with("Throttling")
        || matches!(code, "TooManyRequestsException" | "RequestLimitExceeded")
        || words.contains("Maximum sending rate")
    {
        return throttled(RATE, why);
    }
    match code {
        "MessageRejected" if words.contains("not verified") => {
            // Addresses are compared as SES repeats them, whatever their letter case.
            let named = words.to_ascii_lowercase().contains(&recipient.to_ascii_lowercase());
            if named {
                SendError::Unsuited(
                    "the SES account is in the sandbox: it writes to verified addresses alone",
                )
            } else {
                SendError::Broken(format!("{why}: the identity of mail.from is not verified"))
            }
        }
        "MessageRejected"
        | "BadRequestException"
        | "InvalidParameterValue"
        | "ValidationException" => {
            SendError::Refused { reason: DeliveryReason::ContentRefused, why }
        }
        "AccountSuspendedException" | "SendingPausedException" => {
            SendError::Broken(format!("{why}: SES sends nothing for this account"))
        }
        "MailFromDomainNotVerifiedException" | "NotFoundException" => {
            SendError::Broken(format!("{why}: the identity or the configuration set"))
        }
        "AccessDenied" | "AccessDeniedException" => {
            SendError::Broken(format!("{why}: the keys have no right to ses:SendEmail"))
        }
        "SignatureDoesNotMatch"
        | "InvalidSignatureException"
        | "IncompleteSignature"
        | "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "MissingAuthenticationToken"
        | "ExpiredToken"
        | "ExpiredTokenException"
        | "RequestExpired"
        | "RequestTimeTooSkewed"
        | "OptInRequired" => SendError::Broken(format!("{why}: the keys, or this machine's clock")),
        _ => match status {
            200..=299 => SendError::Unanswered(format!("{why} with an answer that is none")),
            429 => throttled(RATE, why),
            401 | 403 => SendError::Broken(format!("{why}: the keys")),
            300..=399 | 404 | 405 => SendError::Broken(format!("{why}: the endpoint")),
            400..=499 => SendError::Deferred(why),
            _ => SendError::Temporary(why),
        },
    }
}
