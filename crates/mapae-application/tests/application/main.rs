//! The use cases on fakes: what depends on the time, on failures, and on what others do meanwhile.
#![expect(clippy::expect_used, clippy::panic, reason = "test code: what fails here fails a test")]

mod account;
mod clock;
mod consent;
mod contact;
mod outbox;
mod profile;
mod registration;
mod session;
mod signing_key;
mod simplejwt;
mod trace;
mod verification;
mod wake_up;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use mapae_application::outbox::{Bell, Route, Worker, WorkerSettings};
use mapae_application::ports::{
    DeliveryEvent, DeliveryEvents, EmailSender, EventRefused, SmsSender,
};
use mapae_application::registration::{Register, RegisterError, RegistrationView};
use mapae_application::retention::Retention;
use mapae_application::verification::{
    BeginVerification, CheckVerification, ProveError, VerificationView,
};
use mapae_application::{Application, Ports, Settings};
use mapae_domain::session::SessionClient;
use mapae_domain::{Contact, EmailAddress, Locale, PhoneNumber, Region, VerificationId};
use mapae_testkit::fake::{
    FakeHasher, FakeRenderer, FakeSealer, FakeSecretHasher, FakeTokens, FakeTraces, MemoryStore,
    RecordingEmailSender, RecordingSmsSender, SequenceRng, SetClock, code_in,
};
use zeroize::Zeroizing;

const PASSWORD: &str = "correct horse battery";

/// The application over fakes, with a hand on each.
struct World {
    application: Application,
    ports: Ports,
    store: MemoryStore,
    clock: SetClock,
    hasher: Arc<FakeHasher>,
    emails: RecordingEmailSender,
    /// Where mail goes that the first sender does not take.
    second: RecordingEmailSender,
    texts: RecordingSmsSender,
    events: Arc<FakeEvents>,
    traces: FakeTraces,
    worker: Arc<Worker>,
}

/// Gives out the events that a test has put in.
#[derive(Default)]
struct FakeEvents(Mutex<Vec<DeliveryEvent>>);

#[async_trait]
impl DeliveryEvents for FakeEvents {
    async fn read(&self, _: &[u8]) -> Result<Option<DeliveryEvent>, EventRefused> {
        Ok(self.0.lock().expect("the events").pop())
    }
}

impl World {
    fn new() -> Self {
        Self::with(Settings::default())
    }

    fn with(settings: Settings) -> Self {
        let (store, clock) = (MemoryStore::new(), SetClock::default());
        let (emails, texts) = (RecordingEmailSender::new(), RecordingSmsSender::new());
        let (second, events) = (RecordingEmailSender::new(), Arc::new(FakeEvents::default()));
        let hasher = Arc::new(FakeHasher::new());
        let rng = Arc::new(SequenceRng::new(7));
        let sealer = Arc::new(FakeSealer::new([3; 32]));
        let secrets = Arc::new(FakeSecretHasher::new([2; 32]));
        let (bell, traces) = (Bell::default(), FakeTraces::default());
        let ports = Ports {
            store: Arc::new(store.clone()),
            clock: Arc::new(clock.clone()),
            rng: rng.clone(),
            passwords: hasher.clone(),
            tokens: Arc::new(FakeTokens::new([1; 32])),
            simplejwt: Some(Arc::new(FakeTokens::new([4; 32]))),
            secrets: secrets.clone(),
            sealer: sealer.clone(),
            delivery_events: Some(events.clone()),
            traces: Arc::new(traces.clone()),
        };
        let worker = Worker {
            store: Arc::new(store.clone()),
            clock: Arc::new(clock.clone()),
            rng,
            sealer,
            renderer: Arc::new(FakeRenderer),
            secrets: secrets.clone(),
            email: Route::new(vec![
                ("first", Arc::new(emails.clone()) as Arc<dyn EmailSender>),
                ("second", Arc::new(second.clone())),
            ]),
            sms: Route::new(vec![("first", Arc::new(texts.clone()) as Arc<dyn SmsSender>)]),
            bell: bell.clone(),
            traces: Arc::new(traces.clone()),
            settings: WorkerSettings::default(),
        };
        let application = Application::new(ports.clone(), settings, bell);
        let worker = Arc::new(worker);
        Self {
            application,
            ports,
            store,
            clock,
            hasher,
            emails,
            second,
            texts,
            events,
            traces,
            worker,
        }
    }

    /// A worker like the one there is, whose mail goes by this sender alone.
    fn worker_by(&self, email: Arc<dyn EmailSender>) -> Worker {
        let worker = &self.worker;
        Worker {
            store: Arc::clone(&worker.store),
            clock: Arc::clone(&worker.clock),
            rng: Arc::clone(&worker.rng),
            sealer: Arc::clone(&worker.sealer),
            secrets: Arc::clone(&worker.secrets),
            renderer: Arc::clone(&worker.renderer),
            email: Route::new(vec![("first", email)]),
            sms: Route::new(Vec::new()),
            bell: worker.bell.clone(),
            traces: Arc::clone(&worker.traces),
            settings: worker.settings.clone(),
        }
    }

    /// The same installation under other rules.
    fn with_settings(&self, settings: Settings) -> Application {
        Application::new(self.ports.clone(), settings, self.worker.bell.clone())
    }

    fn wait(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// Sends what is due.
    async fn deliver(&self) {
        self.worker.run_once().await.expect("the outbox");
    }

    /// The code that a contact was sent last.
    async fn code_to(&self, contact: &Contact) -> String {
        self.deliver().await;
        let text = match contact {
            Contact::Email(email) => self.emails.last_to(email).map(|mail| mail.content.text),
            Contact::Phone(phone) => self.texts.last_to(phone).map(|sms| sms.text),
        };
        let text = text.unwrap_or_else(|| panic!("nothing was sent to {contact:?}"));
        code_in(&text).unwrap_or_else(|| panic!("no code: {text}")).to_owned()
    }

    async fn register(&self, command: Register) -> Result<RegistrationView, RegisterError> {
        self.application.register(command).await
    }

    /// A user with that address.
    async fn user(&self, address: &str) -> RegistrationView {
        let registration = self.register(by_email(address)).await.expect("a registration");
        let code = self.code_to(&email(address)).await;
        let id = registration.verifications[0].id;
        self.check(id, &code).await.expect("the right code");
        registration
    }

    async fn begin(&self, purpose: &str, contact: &Contact) -> VerificationView {
        let begun = self.application.begin_verification(begin(purpose, contact)).await;
        begun.unwrap_or_else(|error| panic!("{error}"))
    }

    async fn check(&self, id: VerificationId, code: &str) -> Result<VerificationView, ProveError> {
        let code = Zeroizing::new(code.to_owned());
        let command = CheckVerification { id, code, idempotency: None };
        self.application.check_verification(command).await
    }
}

/// Removes what is over until nothing is left of it, and says how much that was.
async fn remove_all(retention: &Retention) -> u64 {
    let mut removed = 0;
    loop {
        match retention.run_once().await.expect("a batch") {
            0 => return removed,
            more => removed += more,
        }
    }
}

fn email(address: &str) -> Contact {
    EmailAddress::parse(address).expect("an address").into()
}

fn phone(number: &str) -> Contact {
    PhoneNumber::parse(number, Region::KR).expect("a number").into()
}

fn begin(purpose: &str, contact: &Contact) -> BeginVerification {
    BeginVerification {
        channel: contact.channel().as_str().to_owned(),
        to: contact.as_str().to_owned(),
        purpose: Some(purpose.to_owned()),
        locale: None,
        preferred_locale: Locale::En,
        idempotency: None,
    }
}

fn by_email(address: &str) -> Register {
    Register {
        username: None,
        email: Some(address.to_owned()),
        phone: None,
        password: Some(Zeroizing::new(PASSWORD.to_owned())),
        nickname: None,
        name: None,
        locale: None,
        preferred_locale: Locale::En,
        consents: Vec::new(),
        receipts: Vec::new(),
        client: SessionClient::default(),
        idempotency: None,
    }
}

/// Another code of the same length.
fn wrong(code: &str) -> String {
    let last = if code.ends_with('0') { '1' } else { '0' };
    format!("{}{last}", &code[..code.len() - 1])
}
