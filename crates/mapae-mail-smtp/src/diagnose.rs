use async_trait::async_trait;
use mapae_application::ports::{Diagnose, Finding, SendError};

use crate::sender::{SmtpSender, SmtpTls};

#[async_trait]
impl Diagnose for SmtpSender {
    async fn diagnose(&self) -> Vec<Finding> {
        const WHAT: &str = "SMTP";
        let mut connection = match self.connect(self.deadline()).await {
            Ok(connection) => connection,
            Err(error @ SendError::Broken(_)) => {
                let why = "mail.smtp.tls, ca_certificates, username and password";
                return vec![Finding::bad(WHAT, format!("{error}: {why}"))];
            }
            Err(error) => {
                let why = "mail.smtp.host and port, a firewall, or the network";
                return vec![Finding::bad(WHAT, format!("{error}: {why}"))];
            }
        };
        connection.smtp.abort().await;
        let tls = match self.settings.tls {
            SmtpTls::Implicit => Finding::good("SMTP, TLS", "from the first byte"),
            SmtpTls::StartTls => Finding::good("SMTP, TLS", "by STARTTLS, and never without"),
            SmtpTls::None => {
                let text = "none: mail can be read and changed on its way to the server";
                Finding::doubtful("SMTP, TLS", text)
            }
        };
        let log_in = match self.settings.credentials {
            Some(_) => Finding::good("SMTP, AUTH", "the server takes the password"),
            None => Finding::good("SMTP, AUTH", "none is configured"),
        };
        vec![Finding::good(WHAT, "connects"), tls, log_in]
    }
}
