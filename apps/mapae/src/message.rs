//! `mapae message` and `mapae address`: what operators do with single messages and addresses.

use std::sync::Arc;

use clap::Subcommand;
use mapae_application::outbox::MessageContent;
use mapae_application::ports::store::OutboxFilter;
use mapae_application::ports::{
    MessageRenderer as _, OutgoingEmail, OutgoingSms, SecretRng as _, Store,
};
use mapae_domain::outbox::SendOutcome;
use mapae_domain::{
    Channel, Contact, DeliveryReason, DeliveryStatus, EmailAddress, Locale, MessageId,
    OutboxMessage, PhoneNumber, RetryPolicy,
};
use mapae_system::{SystemClock, SystemRng};

use crate::config::Config;
use crate::wire::{self, Sending};
use crate::{Failure, print};

/// What is done with messages.
#[derive(Subcommand)]
pub(crate) enum MessageCommand {
    /// Send one test message, past the outbox.
    Send {
        /// The e-mail address or phone number.
        #[arg(long)]
        to: String,
        /// The sender, by its name in mail.senders or sms.senders; the first where absent.
        #[arg(long)]
        sender: Option<String>,
        /// The language: ko or en.
        #[arg(long, default_value = "ko")]
        locale: String,
    },
    /// List messages by what became of them, latest first: no addresses, no contents.
    List {
        /// queued, sent, delivered, bounced, failed or expired; those that did not arrive where absent.
        #[arg(long)]
        status: Vec<String>,
        /// How many at the most.
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
}

/// What is done with addresses.
#[derive(Subcommand)]
pub(crate) enum AddressCommand {
    /// Say whether messages to an e-mail address arrive, as far as is known.
    Show {
        /// The address.
        #[arg(allow_hyphen_values = true)]
        address: String,
    },
    /// Forget that messages to an e-mail address did not arrive, or were unwanted: send to it again.
    Clear {
        /// The address.
        #[arg(allow_hyphen_values = true)]
        address: String,
    },
}

/// Runs `mapae message …`.
pub(crate) async fn message(config: &Config, command: MessageCommand) -> Result<(), Failure> {
    match command {
        MessageCommand::Send { to, sender, locale } => send(config, &to, sender, &locale).await,
        MessageCommand::List { status, limit } => list(config, &status, limit).await,
    }
}

async fn send(
    config: &Config,
    to: &str,
    sender: Option<String>,
    locale: &str,
) -> Result<(), Failure> {
    let locale = Locale::parse(locale).map_err(|error| format!("--locale {error}"))?;
    let to = contact(config, to)?;
    let store = wire::open_current_store(config).await?;
    let public_origin = wire::public_origin(config, None)?;
    let shared: Arc<dyn Store> = Arc::new(store.clone());
    let Sending { senders, messages, .. } = wire::sending(config, shared, &public_origin).await?;
    let rng = SystemRng::new();
    let now = mapae_application::ports::Clock::now(&SystemClock);
    let id = MessageId::draw(now, &mut |bytes: &mut [u8]| rng.fill(bytes));
    let wanted = |name: &str| sender.as_deref().is_none_or(|sender| sender == name);
    let none = || {
        let key = match to.channel() {
            Channel::Email => "mail.senders",
            Channel::Sms => "sms.senders",
        };
        format!("{key} has no sender of that name")
    };
    let numbers = &config.verification;
    let sample = MessageContent::Verification {
        purpose: "test".to_owned(),
        code: "0".repeat(usize::from(numbers.code_length)),
        link_key: None,
        minutes: numbers.sms_lifetime.0.as_secs() / 60,
    };
    let (name, receipt) = match &to {
        Contact::Email(address) => {
            let mut all = senders.email.into_iter();
            let (name, sender) = all.find(|(name, _)| wanted(name)).ok_or_else(none)?;
            let content = messages.email(&MessageContent::Test, locale)?;
            (name, sender.send(&OutgoingEmail { id, to: address.clone(), content }).await?)
        }
        Contact::Phone(number) => {
            let mut all = senders.sms.into_iter();
            let (name, sender) = all.find(|(name, _)| wanted(name)).ok_or_else(none)?;
            // What was approved for AlimTalk is a code's text alone.
            let content = if name == "alimtalk" { sample } else { MessageContent::Test };
            let to = number.clone();
            let text = messages.sms(&content, locale)?;
            (name, sender.send(&OutgoingSms { id, to, text, content }).await?)
        }
    };
    let named = receipt.provider_id.clone().unwrap_or_else(|| "without a name".to_owned());
    print(&format!("{name} took the message {id}: {named}"));
    // Kept as any other, so that what becomes of it is known.
    let taken = SendOutcome::Sent {
        sender: Some(name.to_owned()),
        provider_id: receipt.provider_id,
        ask: receipt.ask,
    };
    let random = &mut |bytes: &mut [u8]| rng.fill(bytes);
    let message = OutboxMessage::queue(id, to.channel(), None, Vec::new(), now, now);
    let message = message.tried(taken, &RetryPolicy::default(), now, random);
    let mut work = store.begin().await?;
    work.insert_message(&message).await?;
    work.commit().await?;
    store.close().await?;
    Ok(())
}

/// Reads an address or number as people type it.
fn contact(config: &Config, typed: &str) -> Result<Contact, Failure> {
    if typed.contains('@') {
        return Ok(Contact::Email(address(typed)?));
    }
    let region = config.settings()?.default_region;
    let number =
        PhoneNumber::parse(typed, region).map_err(|error| format!("the number {error}"))?;
    Ok(Contact::Phone(number))
}

fn address(typed: &str) -> Result<EmailAddress, Failure> {
    Ok(EmailAddress::parse(typed).map_err(|error| format!("the address {error}"))?)
}

async fn list(config: &Config, statuses: &[String], limit: u32) -> Result<(), Failure> {
    let mut wanted = Vec::new();
    for status in statuses {
        let status = DeliveryStatus::from_name(status)
            .ok_or("--status is queued, sent, delivered, bounced, failed or expired")?;
        wanted.push(status);
    }
    if wanted.is_empty() {
        use DeliveryStatus::{Bounced, Expired, Failed};
        wanted.extend([Bounced, Failed, Expired]);
    }
    let store = wire::open_current_store(config).await?;
    let public_origin = wire::public_origin(config, None)?;
    let system = wire::build(config, store, &public_origin).await?;
    let filter = OutboxFilter { statuses: wanted, before: None, limit };
    for message in system.application.messages(&filter).await? {
        let reason = message.delivery.reason.map_or("-", DeliveryReason::as_str);
        let line = [
            message.id.to_string(),
            message.channel.as_str().to_owned(),
            message.delivery.status.as_str().to_owned(),
            reason.to_owned(),
            format!("{} tries", message.tries),
            message.sender.unwrap_or_else(|| "-".to_owned()),
            message.provider_id.unwrap_or_else(|| "-".to_owned()),
        ];
        print(&line.join("\t"));
    }
    system.store.close().await?;
    Ok(())
}

/// Runs `mapae address …`.
pub(crate) async fn mark(config: &Config, command: AddressCommand) -> Result<(), Failure> {
    let store = wire::open_current_store(config).await?;
    let public_origin = wire::public_origin(config, None)?;
    let system = wire::build(config, store, &public_origin).await?;
    let typed = match &command {
        AddressCommand::Show { address } | AddressCommand::Clear { address } => address,
    };
    let address = address(typed)?;
    if let AddressCommand::Clear { .. } = command {
        system.application.clear_address(&address).await?;
    }
    print(system.application.deliverability(&address).await?.as_str());
    system.store.close().await?;
    Ok(())
}
