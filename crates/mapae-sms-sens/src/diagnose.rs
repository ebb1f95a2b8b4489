use async_trait::async_trait;
use mapae_application::ports::{Diagnose, Finding, SendError, Verdict};

use crate::alimtalk::AlimTalkSender;
use crate::client::SensClient;
use crate::sms::SensSender;

/// How far the gateway's clock may be from ours before it refuses signatures, in seconds; a fifth of
/// that is worth a look.
const TOLERANCE: i64 = 300;

/// What the gateway says to a question about something that is not there: the answer shows whether it
/// was let in.
async fn gateway(
    client: &SensClient,
    what: &'static str,
    path: &str,
    query: Option<(&str, &str)>,
) -> (Finding, Option<i64>) {
    let answer = match client.get(path, query).await {
        Ok(answer) => answer,
        Err(error) => {
            let why = "the host of sms.sens.base_url, a firewall, or the network";
            return (Finding::bad(what, format!("does not answer ({error}): {why}")), None);
        }
    };
    let (ahead, status, refused) = (answer.ahead, answer.status.as_u16(), answer.error_code());
    let finding = match answer.taken() {
        Ok(_) | Err(SendError::Refused { .. }) => Finding::good(what, "takes the signature"),
        // Empty where it knows no such message; with words of the gateway where it knows no such
        // service.
        Err(SendError::Broken(_)) if status == 404 && refused.is_none() => {
            Finding::good(what, "takes the signature")
        }
        Err(SendError::Broken(why)) => Finding::bad(what, format!("refuses: {why}")),
        Err(error) => Finding::doubtful(what, error.to_string()),
    };
    (finding, ahead)
}

#[async_trait]
impl Diagnose for SensSender {
    async fn diagnose(&self) -> Vec<Finding> {
        let query = Some(("requestId", "RSSA-0000000000000-00000000"));
        let (finding, ahead) = gateway(self.client(), "SENS", self.path(), query).await;
        if finding.verdict == Verdict::Bad && ahead.is_none() {
            return vec![finding];
        }
        let clock = match ahead {
            Some(ahead) if ahead.abs() >= TOLERANCE => Finding::bad(
                "SENS, clock",
                format!("{ahead} s ahead of ours: set this machine's clock (NTP)"),
            ),
            Some(ahead) if ahead.abs() >= TOLERANCE / 5 => Finding::doubtful(
                "SENS, clock",
                format!("{ahead} s ahead of ours; over {TOLERANCE} s it refuses everything"),
            ),
            Some(ahead) => Finding::good("SENS, clock", format!("{ahead} s ahead of ours")),
            None => Finding::doubtful("SENS, clock", "it does not say what time it is"),
        };
        let number = Finding::doubtful(
            "SENS, sender number",
            "has the right form; whether it is registered shows when a message is sent: mapae \
             message send --sender sens --to YOUR_NUMBER",
        );
        vec![finding, clock, number]
    }
}

#[async_trait]
impl Diagnose for AlimTalkSender {
    async fn diagnose(&self) -> Vec<Finding> {
        let path = format!("{}/00000000-0000-0000-0000-000000000000", self.path());
        let (finding, _) = gateway(self.client(), "AlimTalk", &path, None).await;
        let template = Finding::doubtful(
            "AlimTalk, template",
            "whether it is the approved one shows when a message is sent: mapae message send \
             --sender alimtalk --to YOUR_NUMBER",
        );
        vec![finding, template]
    }
}
