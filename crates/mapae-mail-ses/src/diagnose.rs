use std::time::SystemTime;

use async_trait::async_trait;
use aws_sdk_sesv2::operation::get_account::GetAccountOutput;
use mapae_application::ports::{Diagnose, Finding, SendError};

use crate::error::what_it_means;
use crate::sender::SesSender;

/// How far the clock of AWS may be from ours before it refuses signatures, in seconds.
const TOLERANCE: i64 = 300;

#[async_trait]
impl Diagnose for SesSender {
    async fn diagnose(&self) -> Vec<Finding> {
        let mut findings = vec![self.clock_finding().await];
        match self.client.get_account().send().await {
            Ok(account) => findings.extend(account_findings(&account)),
            Err(error) => findings.push(match what_it_means(&error, "") {
                SendError::Broken(why) if why.contains("no right") => Finding::doubtful(
                    "SES, account",
                    "the keys have no right to ses:GetAccount, so neither sandbox nor quota are known",
                ),
                SendError::Broken(why) => Finding::bad("SES", why),
                error => Finding::bad("SES", format!("{error}: mail.ses.region, the network")),
            }),
        }
        findings.push(self.identity_finding().await);
        findings
    }
}

fn account_findings(account: &GetAccountOutput) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !account.sending_enabled() {
        let text = "sends nothing for this account: see the SES console, Account dashboard";
        findings.push(Finding::bad("SES, account", text));
    }
    if let Some(status) = account.enforcement_status().filter(|status| *status != "HEALTHY") {
        // A word of SES, cut to one.
        let status: String =
            status.chars().filter(|c| c.is_ascii_alphanumeric()).take(32).collect();
        let text = format!("has the status {status}: see the SES console, Reputation metrics");
        findings.push(Finding::bad("SES, account", text));
    }
    findings.push(if account.production_access_enabled() {
        Finding::good("SES, sandbox", "left: writes to anybody")
    } else {
        let text = "in the sandbox: 200 messages a day, 1 a second, to verified addresses alone; \
                    ask for production access in the SES console";
        Finding::doubtful("SES, sandbox", text)
    });
    if let Some(quota) = account.send_quota() {
        let (day, sent) = (quota.max24_hour_send(), quota.sent_last24_hours());
        let text =
            format!("{sent} of {day} messages in 24 hours, {} a second", quota.max_send_rate());
        // SES says -1 where there is no end.
        findings.push(if day > 0.0 && sent >= day {
            Finding::bad("SES, quota", format!("{text}: used up"))
        } else if day > 0.0 && sent >= 0.8 * day {
            Finding::doubtful("SES, quota", format!("{text}: nearly used up"))
        } else {
            Finding::good("SES, quota", text)
        });
    }
    findings
}

impl SesSender {
    /// Whether the sender's address, or else its domain, is a verified identity.
    async fn identity_finding(&self) -> Finding {
        const WHAT: &str = "SES, sender";
        let address = self.sender_address();
        let domain = address.rsplit_once('@').map_or(address, |(_, domain)| domain);
        for identity in [address, domain] {
            match self.client.get_email_identity().email_identity(identity).send().await {
                Ok(found) if found.verified_for_sending_status() => {
                    return Finding::good(WHAT, "the identity of mail.from is verified");
                }
                Ok(_) => {
                    let text = "the identity of mail.from waits for its verification";
                    return Finding::bad(WHAT, text);
                }
                Err(error) => match what_it_means(&error, "") {
                    SendError::Broken(why) if why.contains("no right") => {
                        let text = "not looked at: that needs ses:GetEmailIdentity; mapae message \
                                    send shows it as well";
                        return Finding::doubtful(WHAT, text);
                    }
                    SendError::Broken(why) if why.contains("NotFoundException") => {}
                    error => return Finding::doubtful(WHAT, format!("not looked at: {error}")),
                },
            }
        }
        Finding::bad(WHAT, "neither the address of mail.from nor its domain is an identity of SES")
    }

    /// How far the clock of AWS is from ours, by the date of whatever it answers.
    async fn clock_finding(&self) -> Finding {
        const WHAT: &str = "SES, clock";
        let region = &self.settings.region;
        let url = match &self.settings.endpoint_url {
            Some(url) => url.clone(),
            None => format!("https://email.{region}.amazonaws.com/"),
        };
        let Some(ahead) = self.seconds_ahead(&url).await else {
            return Finding::doubtful(WHAT, "it does not say what time it is");
        };
        if ahead.abs() >= TOLERANCE {
            let text = format!("{ahead} s ahead of ours: set this machine's clock (NTP)");
            Finding::bad(WHAT, text)
        } else if ahead.abs() >= TOLERANCE / 5 {
            let text = format!("{ahead} s ahead of ours; over {TOLERANCE} s it refuses everything");
            Finding::doubtful(WHAT, text)
        } else {
            Finding::good(WHAT, format!("{ahead} s ahead of ours"))
        }
    }

    async fn seconds_ahead(&self, url: &str) -> Option<i64> {
        let client = crate::sns::https_client(self.settings.timeout).ok()?;
        let answer = client.head(url).send().await.ok()?;
        let date = answer.headers().get("date")?.to_str().ok()?;
        let there = httpdate::parse_http_date(date).ok()?;
        let there = there.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
        Some(i64::try_from(there).ok()? - self.clock.now().as_seconds())
    }
}
