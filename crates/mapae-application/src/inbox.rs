//! The inbox of development: what would have been sent, kept to be read.

use std::sync::Arc;

use async_trait::async_trait;
use mapae_domain::{Channel, MessageId, Timestamp};

use crate::ports::{
    Clock, EmailSender, OutgoingEmail, OutgoingSms, SendError, SendReceipt, SmsSender, Store,
    StoreError,
};

/// A message that would have been sent.
#[derive(Clone, PartialEq, Eq)]
pub struct InboxMessage {
    /// The message's id.
    pub id: MessageId,
    /// How it would have been sent.
    pub channel: Channel,
    /// To whom: the canonical form of the contact.
    pub to: String,
    /// A mail's subject.
    pub subject: Option<String>,
    /// The text.
    pub text: String,
    /// A mail's HTML.
    pub html: Option<String>,
    /// When it was handed over.
    pub received_at: Timestamp,
}

/// Which messages of the inbox are meant.
#[derive(Clone, Default)]
pub struct InboxFilter {
    /// Those to that contact, in its canonical form; to all where absent.
    pub to: Option<String>,
    /// No more than so many.
    pub limit: Option<u32>,
}

/// Takes mail and short messages, and keeps them in the store.
///
/// For development: whoever reads the inbox reads everyone's codes.
pub struct Inbox {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
}

impl Inbox {
    /// An inbox in `store`.
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock }
    }

    /// The messages that pass the filter, newest first.
    ///
    /// # Errors
    /// What the store says.
    pub async fn messages(&self, filter: &InboxFilter) -> Result<Vec<InboxMessage>, StoreError> {
        self.store.read().await?.inbox(filter).await
    }

    /// Deletes the messages that pass the filter, and says how many.
    ///
    /// # Errors
    /// What the store says.
    pub async fn delete(&self, filter: &InboxFilter) -> Result<u64, StoreError> {
        let mut work = self.store.begin().await?;
        let deleted = work.delete_inbox_messages(filter).await?;
        work.commit().await?;
        Ok(deleted)
    }

    async fn keep(&self, message: InboxMessage) -> Result<SendReceipt, SendError> {
        let kept = async {
            let mut work = self.store.begin().await?;
            work.insert_inbox_message(&message).await?;
            work.commit().await.map(drop)
        };
        match kept.await {
            Ok(()) => {
                let provider_id = Some(format!("inbox-{}", message.id));
                Ok(SendReceipt { provider_id, ask: false })
            }
            Err(error) => Err(SendError::Temporary(error.to_string())),
        }
    }
}

#[async_trait]
impl EmailSender for Inbox {
    async fn send(&self, email: &OutgoingEmail) -> Result<SendReceipt, SendError> {
        self.keep(InboxMessage {
            id: email.id,
            channel: Channel::Email,
            to: email.to.as_str().to_owned(),
            subject: Some(email.content.subject.clone()),
            text: email.content.text.clone(),
            html: Some(email.content.html.clone()),
            received_at: self.clock.now(),
        })
        .await
    }
}

#[async_trait]
impl SmsSender for Inbox {
    async fn send(&self, sms: &OutgoingSms) -> Result<SendReceipt, SendError> {
        self.keep(InboxMessage {
            id: sms.id,
            channel: Channel::Sms,
            to: sms.to.as_str().to_owned(),
            subject: None,
            text: sms.text.clone(),
            html: None,
            received_at: self.clock.now(),
        })
        .await
    }
}
