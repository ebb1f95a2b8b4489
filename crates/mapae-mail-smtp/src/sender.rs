use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use lettre::Address;
use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::Certificate;
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use mapae_application::ports::{Clock, EmailSender, OutgoingEmail, SendError, SendReceipt};
use zeroize::Zeroizing;

use crate::connect::Connection;
use crate::message::{recipient, write};
use crate::reply::{Deadline, Step, within};

/// What a certificate in PEM begins with (RFC 7468 §5.1).
const PEM: &[u8] = b"-----BEGIN CERTIFICATE-----";

/// How a connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpTls {
    /// TLS from the first byte (port 465).
    Implicit,
    /// STARTTLS, without which nothing is sent (port 587).
    StartTls,
    /// None: for a server on this machine.
    None,
}

/// How the server is reached.
#[derive(Clone)]
pub struct SmtpSettings {
    /// The server's name, which its certificate must bear.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub tls: SmtpTls,
    /// Who logs in, and with what; nobody where absent.
    pub credentials: Option<(String, Zeroizing<String>)>,
    /// Certificates of authorities that are trusted beside the public ones, in PEM.
    pub authorities: Option<Vec<u8>>,
    /// Who the mail is from: `Mapae <no-reply@example.com>`.
    pub from: String,
    /// How long a mail may take, from the connection to the last word.
    pub timeout: Duration,
}

impl std::fmt::Debug for SmtpSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SmtpSettings")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("tls", &self.tls)
            .finish_non_exhaustive()
    }
}

/// Why there is no sender. Names the setting, never its value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key} {why}")]
pub struct SmtpError {
    /// The setting.
    pub key: &'static str,
    /// What is wrong.
    pub why: &'static str,
}

/// Sends mail by an SMTP server.
pub struct SmtpSender {
    pub(crate) settings: SmtpSettings,
    pub(crate) from: Mailbox,
    pub(crate) authorities: Vec<Certificate>,
    pub(crate) clock: Arc<dyn Clock>,
    idle: Mutex<Vec<Connection>>,
}

impl SmtpSender {
    /// A sender.
    ///
    /// # Errors
    /// [`SmtpError`] names the setting that is wrong.
    pub fn new(settings: SmtpSettings, clock: Arc<dyn Clock>) -> Result<Self, SmtpError> {
        let wrong = |key, why| Err(SmtpError { key, why });
        let Ok(from) = settings.from.parse::<Mailbox>() else {
            return wrong("mail.from", "must be an address, or a name and an address in <…>");
        };
        if settings.host.is_empty() || settings.port == 0 {
            return wrong("mail.smtp.host", "is missing");
        }
        let is_local = matches!(settings.host.as_str(), "localhost" | "127.0.0.1" | "::1");
        if settings.tls == SmtpTls::None && settings.credentials.is_some() && !is_local {
            let why = "none would send the password in the clear: only to this machine";
            return wrong("mail.smtp.tls", why);
        }
        let authorities = match &settings.authorities {
            None => Vec::new(),
            Some(pem) => match Certificate::from_pem(pem) {
                Ok(authority) if pem.windows(PEM.len()).any(|at| at == PEM) => vec![authority],
                Ok(_) | Err(_) => {
                    return wrong("mail.smtp.ca_certificates", "holds no certificate in PEM");
                }
            },
        };
        Ok(Self { settings, from, authorities, clock, idle: Mutex::default() })
    }

    pub(crate) fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        // Nothing panics while it is held.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn credentials(&self) -> Option<Credentials> {
        let (username, password) = self.settings.credentials.as_ref()?;
        Some(Credentials::new(username.clone(), password.as_str().to_owned()))
    }

    /// Until when a conversation that begins now may go on.
    pub(crate) fn deadline(&self) -> Deadline<'_> {
        let at = self.clock.now().plus(self.settings.timeout);
        Deadline { clock: &*self.clock, at }
    }

    /// Hands a mail over.
    async fn hand_over(
        &self,
        deadline: Deadline<'_>,
        connection: &mut Connection,
        to: &Address,
        mail: &[u8],
    ) -> Result<(), SendError> {
        let smtp = &mut connection.smtp;
        within(deadline, Step::Recipient, smtp.command(Rcpt::new(to.clone(), Vec::new()))).await?;
        within(deadline, Step::Data, smtp.command(Data)).await?;
        within(deadline, Step::Message, smtp.message(mail)).await?;
        Ok(())
    }

    /// Announces a mail. A connection that the server has closed while it waited is replaced: until
    /// here nothing was handed over.
    async fn announce(&self, deadline: Deadline<'_>) -> Result<Connection, SendError> {
        let announce = async |connection: &mut Connection| {
            let from = Mail::new(Some(self.from.email.clone()), Vec::new());
            let announced = connection.smtp.command(from);
            within(deadline, Step::Sender, announced).await
        };
        let mut connection = self.connection(deadline).await?;
        match announce(&mut connection).await {
            Ok(_) => Ok(connection),
            Err(SendError::Temporary(_)) if connection.is_used() => {
                let mut connection = self.connect(deadline).await?;
                announce(&mut connection).await?;
                Ok(connection)
            }
            Err(error) => Err(error),
        }
    }
}

#[async_trait]
impl EmailSender for SmtpSender {
    async fn send(&self, email: &OutgoingEmail) -> Result<SendReceipt, SendError> {
        let to = recipient(email)?;
        let (name, mail) = write(email, &self.from, &to, self.clock.now())?;
        let deadline = self.deadline();
        let mut connection = self.announce(deadline).await?;
        // A connection over which something failed is not used again.
        self.hand_over(deadline, &mut connection, &to, &mail).await?;
        self.keep(connection);
        Ok(SendReceipt { provider_id: Some(name), ask: false })
    }
}
