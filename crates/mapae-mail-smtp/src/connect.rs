use std::time::Duration;

use lettre::transport::smtp::authentication::Mechanism;
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use mapae_application::ports::SendError;
use mapae_domain::Timestamp;

use crate::reply::{Deadline, Step, what_it_means, within};
use crate::sender::{SmtpSender, SmtpTls};

/// How long a connection may wait for its next message before it is given up: servers close them.
const LONGEST_IDLE: Duration = Duration::from_secs(20);
/// How many messages go over a connection; servers count them, too.
const MESSAGES: u32 = 50;
/// How many connections wait for messages at the most.
const IDLE: usize = 8;

/// A connection that can take a message.
pub(crate) struct Connection {
    pub(crate) smtp: AsyncSmtpConnection,
    messages: u32,
    idle_since: Option<Timestamp>,
}

impl Connection {
    /// Whether it was used before, so that the server may have closed it meanwhile.
    pub(crate) const fn is_used(&self) -> bool {
        self.messages > 0
    }
}

impl SmtpSender {
    /// A connection that waits, or a new one.
    pub(crate) async fn connection(&self, deadline: Deadline<'_>) -> Result<Connection, SendError> {
        match self.waiting() {
            Some(connection) => Ok(connection),
            None => self.connect(deadline).await,
        }
    }

    fn waiting(&self) -> Option<Connection> {
        let now = self.clock.now();
        let mut idle = self.idle();
        while let Some(connection) = idle.pop() {
            let waited = connection.idle_since.map(|since| since.until(now));
            if waited.is_some_and(|waited| waited < LONGEST_IDLE) {
                return Some(connection);
            }
        }
        None
    }

    /// Keeps a connection that has taken a message for the next one.
    pub(crate) fn keep(&self, mut connection: Connection) {
        connection.messages += 1;
        connection.idle_since = Some(self.clock.now());
        let mut idle = self.idle();
        if connection.messages < MESSAGES && idle.len() < IDLE {
            idle.push(connection);
        }
    }

    /// Connects, with TLS as it is configured, and logs in. Where TLS cannot be had, nothing is said
    /// to the server that anybody on the way may not read.
    pub(crate) async fn connect(&self, deadline: Deadline<'_>) -> Result<Connection, SendError> {
        let settings = &self.settings;
        let name = self.hello_name();
        let tls = match settings.tls {
            SmtpTls::Implicit => Some(self.tls()?),
            SmtpTls::StartTls | SmtpTls::None => None,
        };
        let server = (settings.host.as_str(), settings.port);
        let connecting =
            AsyncSmtpConnection::connect_tokio1(server, Some(settings.timeout), &name, tls, None);
        let mut smtp = within(deadline, Step::Connect, connecting).await?;
        if settings.tls == SmtpTls::StartTls {
            if !smtp.can_starttls() {
                return Err(SendError::Broken(
                    "the server offers no STARTTLS; nothing was said to it".to_owned(),
                ));
            }
            within(deadline, Step::Tls, smtp.starttls(self.tls()?, &name)).await?;
        }
        if let Some(credentials) = self.credentials() {
            // In the clear to this machine alone: `SmtpSender::new` holds that.
            let mechanisms = [Mechanism::Plain, Mechanism::Login];
            let answer = smtp.auth(&mechanisms, &credentials);
            within(deadline, Step::LogIn, answer).await?;
        }
        Ok(Connection { smtp, messages: 0, idle_since: None })
    }

    fn hello_name(&self) -> ClientId {
        // What stands behind the sender's @: a name that is ours, unlike this machine's.
        ClientId::Domain(self.from.email.domain().to_owned())
    }

    pub(crate) fn tls(&self) -> Result<TlsParameters, SendError> {
        let mut builder = TlsParameters::builder(self.settings.host.clone());
        for authority in &self.authorities {
            builder = builder.add_root_certificate(authority.clone());
        }
        builder.build_rustls().map_err(|error| what_it_means(&error, Step::Tls))
    }
}
