use async_trait::async_trait;
use mapae_application::ports::{Diagnose, Finding, SendError};

use crate::sms::SensSender;

/// How far the gateway's clock may be from ours before it refuses signatures, in seconds; a fifth of
/// that is worth a look.
const TOLERANCE: i64 = 300;

#[async_trait]
impl Diagnose for SensSender {
    async fn diagnose(&self) -> Vec<Finding> {
        const WHAT: &str = "SENS";
        // A question about a request that nobody made: the answer shows whether it was let in.
        let query = Some(("requestId", "RSSA-0000000000000-00000000"));
        let answer = match self.client().get(self.path(), query).await {
            Ok(answer) => answer,
            Err(error) => {
                let why = "the host of sms.sens.base_url, a firewall, or the network";
                return vec![Finding::bad(WHAT, format!("does not answer ({error}): {why}"))];
            }
        };
        let mut findings = Vec::new();
        let (ahead, status) = (answer.ahead, answer.status.as_u16());
        let refused = answer.error_code();
        findings.push(match answer.taken() {
            Ok(_) => Finding::good(WHAT, "takes the signature, and knows the service"),
            // Empty where it knows no such request; with words of the gateway where it knows no such
            // service.
            Err(SendError::Broken(_)) if status == 404 && refused.is_none() => {
                Finding::good(WHAT, "takes the signature")
            }
            Err(SendError::Refused { .. }) => Finding::good(WHAT, "takes the signature"),
            Err(SendError::Broken(why)) => Finding::bad(WHAT, format!("refuses: {why}")),
            Err(error) => Finding::doubtful(WHAT, error.to_string()),
        });
        findings.push(match ahead {
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
        });
        findings.push(Finding::doubtful(
            "SENS, sender number",
            "has the right form; whether it is registered shows when a message is sent: mapae \
             message send --sender sens --to YOUR_NUMBER",
        ));
        findings
    }
}
