//! `mapae doctor`: looks at the installation as it is configured, and sends nothing.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mapae_application::outbox::MessageContent;
use mapae_application::ports::{
    Clock as _, Finding, MessageRenderer as _, Store, Verdict, WakeUpError, WakeUps,
};
use mapae_application::signing_key::SigningKeys;
use mapae_domain::{Channel, Locale};
use mapae_store_seaorm::{Schema, SeaOrmStore};
use mapae_system::{Keyring, SystemClock, SystemRng};
use mapae_token_jwt::KeyMaker;
use mapae_wake_redis::RedisWakeUps;
use tokio::sync::mpsc;

use crate::config::{Config, Mode};
use crate::secret::server_secret;
use crate::{Failure, print, wire, with_causes};

/// A code as long as this is guessed in five tries once in 200,000 times.
const LONG_ENOUGH: u8 = 6;

/// Prints a line for each thing that was looked at.
///
/// # Errors
/// Something does not work.
pub(crate) async fn doctor(config: &Config) -> Result<(), Failure> {
    let mut findings = vec![mode(config), origin(config)];
    if config.verification.code_length < LONG_ENOUGH {
        let text =
            "verification.code_length is under 6: codes are guessed ten times as often a digit";
        findings.push(Finding::doubtful("codes", text));
    }
    findings.push(secret(config));
    let (found, store) = database(config).await;
    findings.extend(found);
    findings.extend(wake_ups(config, store.as_ref()).await);
    findings.extend(words(config));
    findings.extend(senders(config).await);
    let mut bad = 0;
    for finding in &findings {
        let sign = match finding.verdict {
            Verdict::Good => "ok  ",
            Verdict::Doubtful => "look",
            Verdict::Bad => "BAD ",
        };
        bad += usize::from(finding.verdict == Verdict::Bad);
        print(&format!("{sign}  {}: {}", finding.what, finding.text));
    }
    if bad == 0 { Ok(()) } else { Err(format!("{bad} of {} do not work", findings.len()).into()) }
}

fn mode(config: &Config) -> Finding {
    match config.mode {
        Mode::Production => Finding::good("mode", "production"),
        Mode::Development => {
            let text = "development: anyone who can connect reads the inbox, if it is a sender";
            Finding::doubtful("mode", text)
        }
    }
}

fn origin(config: &Config) -> Finding {
    match &config.public_origin {
        Some(origin) if origin.starts_with("https://") => Finding::good("public origin", origin),
        Some(origin) => Finding::doubtful("public origin", format!("{origin} has no TLS")),
        None => Finding::doubtful("public origin", "this machine's: links work here alone"),
    }
}

fn secret(config: &Config) -> Finding {
    const WHAT: &str = "secret";
    if config.secret.is_none() && config.database.url.starts_with("sqlite://") {
        let text = "made by itself, and kept beside the database: set MAPAE_SECRET_FILE";
        return Finding::doubtful(WHAT, text);
    }
    match server_secret(config, &SystemRng::new()) {
        Ok(_) => Finding::good(WHAT, "configured"),
        Err(error) => Finding::bad(WHAT, with_causes(&error)),
    }
}

async fn database(config: &Config) -> (Vec<Finding>, Option<SeaOrmStore>) {
    const WHAT: &str = "database";
    let file = config.database.url.strip_prefix("sqlite://").map(Path::new);
    if file.is_some_and(|file| !file.exists()) {
        let text = "there is none yet: made at the first start";
        return (vec![Finding::doubtful(WHAT, text)], None);
    }
    let opened = async {
        let store = wire::open_store(config).await?;
        store.ping().await?;
        let schema = store.schema().await?;
        Ok::<_, Failure>((store, schema))
    };
    match opened.await {
        Err(error) => (vec![Finding::bad(WHAT, with_causes(&*error))], None),
        Ok((store, schema)) => {
            let is_behind = matches!(schema, Schema::Behind(_));
            let schema = match schema {
                Schema::Current => Finding::good("schema", "this release's"),
                Schema::Behind(steps) => {
                    let text = format!("{steps} steps behind: mapae migrate, or the next start");
                    Finding::doubtful("schema", text)
                }
                Schema::Ahead { first, steps } => {
                    let text = format!("{steps} steps ahead, from {first} on: a newer release's");
                    Finding::doubtful("schema", text)
                }
            };
            let mut findings = vec![Finding::good(WHAT, "can be read and written"), schema];
            if !is_behind {
                findings.push(keys(config, &store).await);
            }
            (findings, Some(store))
        }
    }
}

/// Whether the signing keys open under the secret.
async fn keys(config: &Config, store: &dyn Store) -> Finding {
    const WHAT: &str = "signing keys";
    let rng = Arc::new(SystemRng::new());
    let looked = async {
        let keyring = Keyring::new(&server_secret(config, &*rng)?, rng);
        let (maker, policy) = (KeyMaker::new(config.algorithm()?), config.signing_keys()?);
        let keys = SigningKeys { store, sealer: &keyring, maker: &maker, policy: &policy };
        Ok::<_, Failure>(keys.read(SystemClock.now()).await?.len())
    };
    match looked.await {
        Ok(0) => Finding::doubtful(WHAT, "there are none yet: made at the first start"),
        Ok(keys) => Finding::good(WHAT, format!("{keys}, sealed under the secret")),
        Err(error) => Finding::bad(WHAT, with_causes(&*error)),
    }
}

/// Whether processes can wake one another. They get on without it, and so nothing of it is bad.
async fn wake_ups(config: &Config, store: Option<&SeaOrmStore>) -> Option<Finding> {
    const WHAT: &str = "wake-ups";
    let poll = humantime::format_duration(config.outbox.poll.0);
    let redis = config.redis().ok().flatten();
    // By a name that no installation has: nobody else is woken.
    let redis = redis.map(|server| Arc::new(RedisWakeUps::new(server, "doctor")));
    let by = if redis.is_some() { "Redis" } else { "LISTEN and NOTIFY" };
    let way = redis.map(|redis| redis as Arc<dyn WakeUps>);
    let Some(way) = way.or_else(|| store?.wake_ups()) else {
        let one_machine = config.database.url.starts_with("sqlite://");
        let text = format!("none without redis.url: workers look every {poll}");
        return (!one_machine).then(|| Finding::good(WHAT, text));
    };
    Some(match hear(&*way).await {
        Ok(()) => Finding::good(WHAT, format!("heard, by {by}")),
        Err(error) => {
            let why = with_causes(&error);
            Finding::doubtful(WHAT, format!("by {by}: {why}: workers look every {poll}"))
        }
    })
}

/// Listens, and sees that a wake-up is heard.
async fn hear(way: &dyn WakeUps) -> Result<(), WakeUpError> {
    const PATIENCE: Duration = Duration::from_secs(5);
    let (note, mut heard) = mpsc::unbounded_channel();
    let heard = async {
        // Who begins to listen is woken for each channel.
        for _ in Channel::ALL {
            heard.recv().await;
        }
        way.wake(Channel::Email).await?;
        heard.recv().await;
        Ok(())
    };
    // Whoever does not hear any more needs no telling.
    let told = |channel| note.send(channel).unwrap_or_default();
    tokio::select! {
        error = way.listen(&told) => Err(error),
        heard = tokio::time::timeout(PATIENCE, heard) => {
            heard.unwrap_or_else(|_| Err(WakeUpError("nothing was heard".into())))
        }
    }
}

/// Whether messages can be put into words, and whether a short one is one SMS.
fn words(config: &Config) -> Vec<Finding> {
    const WHAT: &str = "messages";
    let loaded =
        wire::public_origin(config, None).and_then(|origin| wire::messages(config, &origin));
    let messages = match loaded {
        Ok(messages) => messages,
        Err(error) => return vec![Finding::bad(WHAT, with_causes(&*error))],
    };
    let code = "8".repeat(usize::from(config.verification.code_length));
    let content = |code: String| MessageContent::Verification {
        purpose: "registration".to_owned(),
        code,
        link_key: None,
        minutes: config.verification.sms_lifetime.0.as_secs() / 60,
    };
    let longest = Locale::ALL
        .into_iter()
        .filter_map(|locale| messages.sms(&content(code.clone()), locale).ok())
        // EUC-KR: one byte for ASCII, two for any other sign.
        .map(|text| text.chars().map(|c| if c.is_ascii() { 1 } else { 2 }).sum::<usize>())
        .max()
        .unwrap_or_default();
    let finding = if longest > 90 {
        let text = format!(
            "a code's SMS has {longest} bytes: over 90 it is sent as LMS, which costs more"
        );
        Finding::doubtful(WHAT, text)
    } else {
        Finding::good(WHAT, format!("a code's SMS has {longest} bytes of 90"))
    };
    vec![finding]
}

async fn senders(config: &Config) -> Vec<Finding> {
    match wire::diagnosed(config).await {
        Err(error) => vec![Finding::bad("senders", with_causes(&*error))],
        Ok(diagnosed) => {
            let mut findings = Vec::new();
            for one in diagnosed {
                findings.extend(one.diagnose().await);
            }
            findings
        }
    }
}
