use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use mapae_application::ports::{
    EmailSender, OutgoingEmail, OutgoingSms, SendError, SendReceipt, SmsSender,
};
use mapae_domain::outbox::DeliveryReport;
use mapae_domain::{DeliveryReason, EmailAddress, MessageId, PhoneNumber};

use super::lock;

/// What a recording sender keeps.
struct Recording<T> {
    sent: Vec<T>,
    failures: VecDeque<SendError>,
    calls: usize,
    hangs: bool,
    ask: bool,
    answers: VecDeque<Result<Option<DeliveryReport>, SendError>>,
}

impl<T> Default for Recording<T> {
    fn default() -> Self {
        Self {
            sent: Vec::new(),
            failures: VecDeque::new(),
            calls: 0,
            hangs: false,
            ask: false,
            answers: VecDeque::new(),
        }
    }
}

impl<T: Clone> Recording<T> {
    fn fail(&mut self, times: usize, error: &SendError) {
        self.failures.extend(std::iter::repeat_n(error.clone(), times));
    }

    /// Keeps a message once, however often it comes.
    fn take(
        &mut self,
        message: &T,
        id: impl Fn(&T) -> MessageId,
    ) -> Result<SendReceipt, SendError> {
        self.calls += 1;
        if let Some(failure) = self.failures.pop_front() {
            return Err(failure);
        }
        if !self.sent.iter().any(|sent| id(sent) == id(message)) {
            self.sent.push(message.clone());
        }
        let provider_id = Some(format!("recorded-{}", id(message)));
        Ok(SendReceipt { provider_id, ask: self.ask })
    }
}

macro_rules! recording_senders {
    ($($(#[$doc:meta])* $name:ident: $port:ident of $message:ident to $reader:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Default)]
        pub struct $name(Arc<Mutex<Recording<$message>>>);

        impl $name {
            /// A sender that has sent nothing yet and takes whatever comes.
            pub fn new() -> Self {
                Self::default()
            }

            /// What was sent, in that order; a message that came twice, once.
            pub fn sent(&self) -> Vec<$message> {
                lock(&self.0).sent.clone()
            }

            /// The last message that was sent to that reader.
            pub fn last_to(&self, reader: &$reader) -> Option<$message> {
                lock(&self.0).sent.iter().rev().find(|sent| sent.to == *reader).cloned()
            }

            /// How often it was asked to send, failures and repeats included.
            pub fn calls(&self) -> usize {
                lock(&self.0).calls
            }

            /// Lets the next `times` sends fail with [`SendError::Temporary`], after those that
            /// were told to fail before.
            pub fn fail_temporarily(&self, times: usize) {
                let error = SendError::Temporary("told to fail".to_owned());
                lock(&self.0).fail(times, &error);
            }

            /// Lets the next `times` sends fail with [`SendError::Refused`], after those that were
            /// told to fail before.
            pub fn fail_permanently(&self, times: usize) {
                let reason = DeliveryReason::RecipientUnknown;
                self.fail_with(times, &SendError::Refused { reason, why: "told to".to_owned() });
            }

            /// Lets the next `times` sends fail so, after those that were told to fail before.
            pub fn fail_with(&self, times: usize, error: &SendError) {
                lock(&self.0).fail(times, error);
            }

            /// Forgets every failure that it was told of.
            pub fn succeed(&self) {
                lock(&self.0).failures.clear();
            }

            /// From now on it takes a message and never comes back.
            pub fn hang(&self) {
                lock(&self.0).hangs = true;
            }

            /// From now on its receipts say that it can be asked what became of a message; it
            /// answers what [`Self::report`] was told.
            pub fn answer_questions(&self) {
                lock(&self.0).ask = true;
            }

            /// Has the next question answered so; further ones wait in line. Without one the
            /// outcome is not known yet.
            pub fn report(&self, answer: Result<Option<DeliveryReport>, SendError>) {
                lock(&self.0).answers.push_back(answer);
            }

            /// Forgets what was sent.
            pub fn clear(&self) {
                lock(&self.0).sent.clear();
            }
        }

        #[async_trait]
        impl $port for $name {
            async fn send(&self, message: &$message) -> Result<SendReceipt, SendError> {
                let (taken, hangs) = {
                    let mut recording = lock(&self.0);
                    (recording.take(message, |message| message.id), recording.hangs)
                };
                if hangs {
                    std::future::pending::<()>().await;
                }
                taken
            }

            async fn outcome(&self, _id: &str) -> Result<Option<DeliveryReport>, SendError> {
                lock(&self.0).answers.pop_front().unwrap_or(Ok(None))
            }
        }
    )*};
}

recording_senders! {
    /// An [`EmailSender`] that keeps what it was given. A clone is the same sender.
    RecordingEmailSender: EmailSender of OutgoingEmail to EmailAddress;
    /// An [`SmsSender`] that keeps what it was given. A clone is the same sender.
    RecordingSmsSender: SmsSender of OutgoingSms to PhoneNumber;
}
