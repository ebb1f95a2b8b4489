//! The senders that the configuration names. A further one is an adapter, and a line here.

use std::sync::Arc;

use mapae_application::inbox::Inbox;
use mapae_application::outbox::Route;
use mapae_application::ports::{Clock, DeliveryEvents, Diagnose, EmailSender, SmsSender};
use mapae_mail_ses::{HttpsSource, SesSender, SesSettings, SnsEvents};
use mapae_mail_smtp::{SmtpSender, SmtpSettings, SmtpTls};
use mapae_sms_sens::{
    AlimTalkSender, AlimTalkSettings, SensClient, SensSender, SensSettings, SmsSettings,
};
use zeroize::Zeroizing;

use crate::Failure;
use crate::config::{self, Config, TlsMode};

/// What sends, by the names that the configuration has for it.
#[derive(Default)]
pub(crate) struct Senders {
    pub(crate) email: Vec<(&'static str, Arc<dyn EmailSender>)>,
    pub(crate) sms: Vec<(&'static str, Arc<dyn SmsSender>)>,
    /// What can look at itself.
    pub(crate) diagnosed: Vec<Arc<dyn Diagnose>>,
    /// Reads what a provider reports.
    pub(crate) events: Option<Arc<dyn DeliveryEvents>>,
}

impl Senders {
    /// Makes the senders that the configuration names; of the inbox only where there is one.
    pub(crate) async fn new(
        config: &Config,
        inbox: Option<&Arc<Inbox>>,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, Failure> {
        let mut senders = Self::default();
        for sender in &config.mail.senders {
            match sender {
                config::MailSender::Inbox => {
                    if let Some(inbox) = inbox {
                        senders.email.push(("inbox", inbox.clone()));
                    }
                }
                config::MailSender::Ses => senders.add_ses(config, clock).await?,
                config::MailSender::Smtp => senders.add_smtp(config, clock)?,
            }
        }
        for sender in &config.sms.senders {
            match sender {
                config::SmsSender::Inbox => {
                    if let Some(inbox) = inbox {
                        senders.sms.push(("inbox", inbox.clone()));
                    }
                }
                config::SmsSender::Sens => senders.add_sens(config, clock)?,
                config::SmsSender::Alimtalk => senders.add_alimtalk(config, clock)?,
            }
        }
        Ok(senders)
    }

    /// The routes of both channels.
    pub(crate) fn routes(self) -> (Route<dyn EmailSender>, Route<dyn SmsSender>) {
        (Route::new(self.email), Route::new(self.sms))
    }

    async fn add_ses(&mut self, config: &Config, clock: &Arc<dyn Clock>) -> Result<(), Failure> {
        let ses = &config.mail.ses;
        let keys = match (&ses.access_key_id, &ses.secret_access_key) {
            (None, None) => None,
            (id, secret) => Some((
                id.clone().unwrap_or_default(),
                secret.as_ref().map_or_else(Zeroizing::default, |secret| secret.copy()),
            )),
        };
        let settings = SesSettings {
            region: ses.region.clone(),
            endpoint_url: ses.endpoint_url.clone(),
            keys,
            configuration_set: ses.configuration_set.clone(),
            max_rate: ses.max_rate,
            from: from(config),
            timeout: ses.timeout.0,
        };
        let sender = Arc::new(SesSender::new(settings, Arc::clone(clock)).await?);
        self.email.push(("ses", sender.clone()));
        self.diagnosed.push(sender);
        if !ses.topic_arns.is_empty() {
            let source = Arc::new(HttpsSource::new(ses.timeout.0)?);
            let events = SnsEvents::new(ses.topic_arns.clone(), source, Arc::clone(clock));
            self.events = Some(Arc::new(events));
        }
        Ok(())
    }

    fn add_smtp(&mut self, config: &Config, clock: &Arc<dyn Clock>) -> Result<(), Failure> {
        let smtp = &config.mail.smtp;
        let (tls, port) = match smtp.tls {
            TlsMode::Implicit => (SmtpTls::Implicit, 465),
            TlsMode::StartTls => (SmtpTls::StartTls, 587),
            TlsMode::None => (SmtpTls::None, 25),
        };
        let authorities = match &smtp.ca_certificates {
            Some(path) => Some(std::fs::read(path).map_err(|_| {
                format!(
                    "configuration: mail.smtp.ca_certificates, {}, cannot be read",
                    path.display()
                )
            })?),
            None => None,
        };
        let credentials = match (&smtp.username, &smtp.password) {
            (None, None) => None,
            (Some(username), Some(password)) => Some((username.clone(), password.copy())),
            _ => {
                return Err("configuration: mail.smtp.username and password belong together".into());
            }
        };
        let settings = SmtpSettings {
            host: smtp.host.clone(),
            port: smtp.port.unwrap_or(port),
            tls,
            credentials,
            authorities,
            from: from(config),
            timeout: smtp.timeout.0,
        };
        let sender = Arc::new(SmtpSender::new(settings, Arc::clone(clock))?);
        self.email.push(("smtp", sender.clone()));
        self.diagnosed.push(sender);
        Ok(())
    }

    fn add_sens(&mut self, config: &Config, clock: &Arc<dyn Clock>) -> Result<(), Failure> {
        let settings = SmsSettings {
            service_id: config.sms.sens.service_id.clone(),
            from: config.sms.from.clone().unwrap_or_default(),
        };
        let sender = Arc::new(SensSender::new(sens_client(config, clock)?, &settings)?);
        self.sms.push(("sens", sender.clone()));
        self.diagnosed.push(sender);
        Ok(())
    }

    fn add_alimtalk(&mut self, config: &Config, clock: &Arc<dyn Clock>) -> Result<(), Failure> {
        let alimtalk = &config.sms.alimtalk;
        let settings = AlimTalkSettings {
            service_id: alimtalk.service_id.clone(),
            channel: alimtalk.channel.clone(),
            template_code: alimtalk.template_code.clone(),
            template: alimtalk.template.clone(),
            service_name: config.messages.service_name.clone(),
            from: config.sms.from.clone().unwrap_or_default(),
        };
        let sender = Arc::new(AlimTalkSender::new(sens_client(config, clock)?, settings)?);
        self.sms.push(("alimtalk", sender.clone()));
        self.diagnosed.push(sender);
        Ok(())
    }
}

fn sens_client(config: &Config, clock: &Arc<dyn Clock>) -> Result<Arc<SensClient>, Failure> {
    let sens = &config.sms.sens;
    let settings = SensSettings {
        base_url: sens.base_url.clone(),
        access_key: sens.access_key.clone(),
        secret_key: sens.secret_key.copy(),
        timeout: sens.timeout.0,
    };
    Ok(Arc::new(SensClient::new(&settings, Arc::clone(clock))?))
}

fn from(config: &Config) -> String {
    config.mail.from.clone().unwrap_or_default()
}
