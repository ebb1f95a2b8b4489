//! How fast the outbox empties, and how soon a message leaves: real store, real worker, real sender,
//! against a provider on this machine that answers after 20 ms.
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the machine's own clock")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mapae_application::outbox::{Bell, Route, Worker, WorkerSettings};
use mapae_application::ports::{Clock, MessageSealer, SecretRng, SmsSender, Store, Untraced};
use mapae_application::verification::BeginVerification;
use mapae_application::{Application, Ports, Settings};
use mapae_domain::Locale;
use mapae_messages::{MessageSettings, Messages};
use mapae_sms_sens::{SensClient, SensSender, SensSettings, SmsSettings};
use mapae_store_seaorm::{SeaOrmStore, StoreSettings, Synchronous};
use mapae_system::{Keyring, ServerSecret, SystemClock, SystemRng};
use mapae_testkit::fake::{FakeHasher, FakeTokens, HttpReply, HttpStub};

use crate::Failure;
use crate::bench::print;

/// How many messages wait when the worker starts.
const MESSAGES: usize = 5_000;
/// How many messages are sent one by one, to see how soon each leaves.
const SINGLE: usize = 200;
/// How long the provider takes.
const ANSWER: Duration = Duration::from_millis(20);

/// Fills the outbox, empties it, and then sends one message at a time.
pub(crate) fn outbox() -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(measure())
}

async fn measure() -> Result<(), Failure> {
    let taken = r#"{"requestId": "RSSA-1", "statusCode": "202", "statusName": "success"}"#;
    let provider = HttpStub::start(move |request| match request.method.as_str() {
        "POST" => HttpReply::json(202, taken).after(ANSWER),
        _ => HttpReply::json(200, r#"{"messages": []}"#),
    })
    .await;
    let sent = async |count: usize| {
        while provider.calls_of("POST") < count {
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
    };

    let folder = tempfile::tempdir()?;
    let (application, worker) = system(folder.path(), &provider.origin()).await?;
    let (stop, running) = run(worker);
    let mut waits = Vec::new();
    for nth in 0..SINGLE {
        begin(&application, nth).await?;
        let committed = Instant::now();
        sent(nth + 1).await;
        waits.push(committed.elapsed().as_secs_f64() * 1_000.0);
        // Until it is taken and recorded: each message meets a worker that sleeps.
        tokio::time::sleep(ANSWER * 3).await;
    }
    drop(stop);
    running.await?;
    println!("{SINGLE} messages one by one: minimum, median, maximum");
    print("from the commit to the provider", "ms", &mut waits);

    let folder = tempfile::tempdir()?;
    let (application, worker) = system(folder.path(), &provider.origin()).await?;
    for nth in 0..MESSAGES {
        begin(&application, nth).await?;
    }
    let begun = Instant::now();
    let (stop, running) = run(worker);
    sent(SINGLE + MESSAGES).await;
    let took = begun.elapsed().as_secs_f64();
    drop(stop);
    running.await?;
    println!(
        "{MESSAGES} messages in {took:.2} s: {:.0} a second, {} at once, a provider that answers in {} ms, SQLite with every commit on the disk",
        MESSAGES as f64 / took,
        WorkerSettings::default().concurrency,
        ANSWER.as_millis(),
    );
    Ok(())
}

/// Runs a worker until what is given back is dropped.
fn run(worker: Worker) -> (tokio::sync::oneshot::Sender<()>, tokio::task::JoinHandle<()>) {
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    (stop, tokio::spawn(worker.run(async move { drop(stopped.await) })))
}

async fn begin(application: &Application, nth: usize) -> Result<(), Failure> {
    let command = BeginVerification {
        channel: "sms".to_owned(),
        to: format!("0104{nth:07}"),
        purpose: Some("bench".to_owned()),
        locale: None,
        preferred_locale: Locale::Ko,
        idempotency: None,
    };
    application.begin_verification(command).await?;
    Ok(())
}

async fn system(folder: &Path, provider: &str) -> Result<(Application, Worker), Failure> {
    let store = SeaOrmStore::connect(&StoreSettings {
        url: format!("sqlite://{}", folder.join("mapae.db").display()),
        synchronous: Synchronous::Full,
        readers: 4,
        connections: 10,
        transaction_pooling: false,
        timeout: Duration::from_secs(5),
    })
    .await?;
    store.migrate().await?;
    let store: Arc<dyn Store> = Arc::new(store);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let rng: Arc<dyn SecretRng> = Arc::new(SystemRng::new());
    let keyring = Arc::new(Keyring::new(&ServerSecret::generate(&*rng), Arc::clone(&rng)));
    let sealer: Arc<dyn MessageSealer> = keyring.clone();
    let bell = Bell::default();
    let ports = Ports {
        store: Arc::clone(&store),
        clock: Arc::clone(&clock),
        rng: Arc::clone(&rng),
        passwords: Arc::new(FakeHasher::new()),
        tokens: Arc::new(FakeTokens::new([1; 32])),
        simplejwt: None,
        secrets: keyring.clone(),
        sealer: Arc::clone(&sealer),
        delivery_events: None,
        traces: Arc::new(Untraced),
    };
    let application = Application::new(ports, Settings::default(), bell.clone());
    let client = SensClient::new(
        &SensSettings {
            base_url: provider.to_owned(),
            access_key: "bench".to_owned(),
            secret_key: "bench".to_owned().into(),
            timeout: Duration::from_secs(5),
        },
        Arc::clone(&clock),
    )?;
    let settings =
        SmsSettings { service_id: "ncp:sms:kr:1:bench".to_owned(), from: "0212345678".to_owned() };
    let sens: Arc<dyn SmsSender> = Arc::new(SensSender::new(Arc::new(client), &settings)?);
    let messages = Messages::load(&MessageSettings {
        service_name: "Mapae".to_owned(),
        public_origin: "https://auth.example.com".to_owned(),
        code_length: 6,
        templates: None,
    })?;
    let worker = Worker {
        store,
        clock,
        rng,
        sealer,
        secrets: keyring,
        renderer: Arc::new(messages),
        email: Route::new(Vec::new()),
        sms: Route::new(vec![("sens", sens)]),
        bell,
        traces: Arc::new(Untraced),
        settings: WorkerSettings::default(),
    };
    Ok((application, worker))
}
