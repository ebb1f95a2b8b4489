//! The experiments, each with what makes it pass.

use std::fs;
use std::future::Future;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mapae_store_seaorm::scratch;
use mapae_testkit::fake::{FakeSens, TcpProxy};
use mapae_testkit::machine::free_port;
use reqwest::StatusCode;
use serde_json::json;
use tempfile::TempDir;
use tokio::process::Command;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::checker::{self, Findings};
use super::database::{DatabaseServer, postgres_program, run, url_at};
use super::fleet::Fleet;
use super::load::{ANOTHER_TRY, Doing, Fault, Load, World};
use super::tmpfs::Tmpfs;
use crate::Failure;
use crate::kind::Kind;

/// How long and how often.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    /// How many processes are killed, one after the other.
    pub(crate) kills: usize,
    /// How long a database is gone.
    pub(crate) outage: Duration,
    /// How long it is frozen.
    pub(crate) frozen: Duration,
    /// How often a race is run.
    pub(crate) rounds: usize,
}

impl Scale {
    pub(crate) const SHORT: Self = Self {
        kills: 12,
        outage: Duration::from_secs(2),
        frozen: Duration::from_secs(8),
        rounds: 1,
    };

    pub(crate) fn is_short(self) -> bool {
        self.rounds == 1
    }

    pub(crate) const LONG: Self = Self {
        kills: 200,
        outage: Duration::from_secs(10),
        frozen: Duration::from_secs(60),
        rounds: 10,
    };
}

/// How soon a process that was killed must be ready again, and how long after an outage may errors go
/// on.
const SOON: Duration = Duration::from_secs(5);
/// How soon a request must be answered whose database does not answer.
const REFUSED_IN: Duration = Duration::from_secs(3);
/// How soon everything must go on when a server took the place of another.
const FAILED_OVER_IN: Duration = Duration::from_secs(30);
/// How many people are at it at once.
const PEOPLE: usize = 8;
/// How many people are asked for again in the end: each costs the hash of a password.
const ASKED: usize = 200;

/// An installation under test: processes, their database, and the provider of their messages.
struct System {
    kind: Kind,
    binary: PathBuf,
    folder: TempDir,
    server: Option<DatabaseServer>,
    url: String,
    sens: Arc<FakeSens>,
}

/// What an experiment comes to.
pub(crate) struct Outcome {
    /// In figures, for people.
    pub(crate) figures: String,
    /// What is not as it should be; nothing, where it passed.
    pub(crate) wrong: Vec<String>,
}

impl Outcome {
    fn of(findings: Findings, figures: String) -> Self {
        Self { figures, wrong: findings.wrong }
    }

    /// Notes what is wrong, unless it holds.
    fn must(&mut self, holds: bool, otherwise: impl FnOnce() -> String) {
        if !holds {
            self.wrong.push(otherwise());
        }
    }
}

/// Who is killed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Victim {
    Serving,
    Working,
}

impl System {
    async fn start(kind: Kind, binary: PathBuf) -> Result<Self, Failure> {
        let folder = tempfile::tempdir()?;
        open_to_all(folder.path())?;
        let server = match kind {
            Kind::Sqlite => None,
            _ => Some(DatabaseServer::start(kind, folder.path()).await?),
        };
        Self::on(kind, binary, folder, server).await
    }

    async fn on(
        kind: Kind,
        binary: PathBuf,
        folder: TempDir,
        server: Option<DatabaseServer>,
    ) -> Result<Self, Failure> {
        let url = match &server {
            Some(server) => {
                scratch::execute(&server.admin_url(), "CREATE DATABASE mapae").await?;
                server.url_of("mapae")
            }
            None => format!("sqlite://{}", folder.path().join("mapae.db").display()),
        };
        Ok(Self { kind, binary, folder, server, url, sens: Arc::new(FakeSens::start().await) })
    }

    async fn fleet(&self, settings: &[(&str, &str)]) -> Result<(Fleet, World), Failure> {
        self.fleet_at(&self.url, settings).await
    }

    async fn fleet_at(
        &self,
        url: &str,
        settings: &[(&str, &str)],
    ) -> Result<(Fleet, World), Failure> {
        let fleet = Fleet::start(self.binary.clone(), self.kind, url, &self.sens, settings).await?;
        let world = World::new(fleet.client.clone(), fleet.origins(), Arc::clone(&self.sens));
        Ok((fleet, world))
    }

    fn server(&mut self) -> Result<&mut DatabaseServer, Failure> {
        Ok(self.server.as_mut().ok_or("a file has no server")?)
    }
}

/// A server run by another user has to get at its folder.
fn open_to_all(folder: &std::path::Path) -> Result<(), Failure> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?)
}

/// Experiments 1 to 3: processes are killed at moments that are spread over what people do.
pub(crate) async fn kills(
    experiment: u8,
    kind: Kind,
    binary: PathBuf,
    scale: Scale,
) -> Result<Outcome, Failure> {
    let (doing, victim, people) = match experiment {
        1 => (Doing::SigningUp, Victim::Serving, PEOPLE),
        // So many that there is something to send while others wait for a lease to run out.
        2 => (Doing::Verifying, Victim::Working, 3 * PEOPLE),
        _ => (Doing::Refreshing, Victim::Serving, PEOPLE),
    };
    let system = System::start(kind, binary).await?;
    // Of the messages under way at a kill each may come again: one a process.
    let one_by_one = [("OUTBOX__CONCURRENCY", "1")];
    let settings = if victim == Victim::Working { &one_by_one[..] } else { &[] };
    let (mut fleet, world) = system.fleet(settings).await?;
    system.sens.behave(|sens| sens.delay = Duration::from_millis(4));
    let begun = Instant::now();
    let load = Load::start(&world, people, doing);
    let mut ready = Vec::new();
    let mut ended = 0;
    for nth in 0..scale.kills {
        // From a yes, or from a message, to long after it: a step that has no divisor in common with
        // what it is cut by comes everywhere.
        match victim {
            Victim::Serving => {
                something_more(|| world.yeses_since(begun)).await?;
                sleep(Duration::from_micros((nth as u64 * 37_717) % 150_000)).await;
                ended += fleet.ended();
                ready.push(fleet.kill_serving(nth).await?.as_secs_f64());
            }
            Victim::Working => {
                something_more(|| system.sens.taken().len()).await?;
                sleep(Duration::from_micros((nth as u64 * 3_701) % 15_000)).await;
                ended += fleet.ended();
                fleet.kill_working(nth).await?;
            }
        }
    }
    let (told, wrong) = load.finish().await;
    all_sent(&system.sens).await;
    let findings = checker::check(&world, &system.url, &told, ASKED).await?;
    let (held, duplicates) = (findings.held, findings.duplicates);
    let faults = world.faults().len();
    let mut figures = format!(
        "{} kills; {} people, {held} yeses held; {faults} requests failed and were asked again; \
         {duplicates} messages came twice",
        scale.kills,
        told.len(),
    );
    let slowest = ready.into_iter().fold(0.0, f64::max);
    if victim == Victim::Serving {
        figures.push_str(&format!("; ready again after {slowest:.2} s at the most"));
    }
    let mut outcome = Outcome::of(findings, figures);
    outcome.wrong.extend(wrong);
    outcome.must(slowest <= SOON.as_secs_f64(), || "a process was ready too late".to_owned());
    // As many as can be under way in the process that is killed.
    let under_way = if victim == Victim::Working { 1 } else { PEOPLE };
    outcome.must(duplicates <= scale.kills * under_way, || "more than was under way".to_owned());
    outcome.must(!told.is_empty(), || "nobody came".to_owned());
    ended += fleet.ended();
    outcome.must(ended == 0, || format!("{ended} processes ended by themselves"));
    fleet.explain(&outcome);
    Ok(outcome)
}

/// Waits until no message has come for longer than a lease: what was queued and is not there by then is
/// lost.
async fn all_sent(sens: &FakeSens) {
    let (mut sent, mut last) = (0, Instant::now());
    while last.elapsed() < ANOTHER_TRY {
        sleep(Duration::from_millis(50)).await;
        let now = sens.taken().len();
        if now > sent {
            (sent, last) = (now, Instant::now());
        }
    }
}

/// Waits until there is more of something.
async fn something_more(count: impl Fn() -> usize) -> Result<(), Failure> {
    let (before, begun) = (count(), Instant::now());
    while count() == before {
        if begun.elapsed() > Duration::from_secs(60) {
            return Err("nothing goes on".into());
        }
        sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}

/// Experiment 4: the database is killed under load, and is there again after a while.
pub(crate) async fn restart(kind: Kind, binary: PathBuf, scale: Scale) -> Result<Outcome, Failure> {
    let mut system = System::start(kind, binary).await?;
    let (mut fleet, world) = system.fleet(&[]).await?;
    let load = Load::start(&world, PEOPLE, Doing::SigningUp);
    let more = Load::start(&world, 2, Doing::Refreshing);
    sleep(Duration::from_secs(3)).await;
    let killed = Instant::now();
    system.server()?.kill().await?;
    sleep(scale.outage).await;
    system.server()?.restart().await?;
    let back = Instant::now();
    sleep(SOON + Duration::from_secs(3)).await;
    let (mut told, mut wrong) = load.finish().await;
    let (more_told, more_wrong) = more.finish().await;
    told.extend(more_told);
    wrong.extend(more_wrong);
    let findings = checker::check(&world, &system.url, &told, ASKED).await?;
    after_an_outage(&mut fleet, &world, findings, wrong, told.len(), killed, back, SOON)
}

/// What an outage may cost: errors while it lasts and for a moment after, and nothing else.
#[expect(clippy::too_many_arguments, reason = "what two experiments have seen")]
fn after_an_outage(
    fleet: &mut Fleet,
    world: &World,
    findings: Findings,
    wrong: Vec<String>,
    people: usize,
    killed: Instant,
    back: Instant,
    within: Duration,
) -> Result<Outcome, Failure> {
    let faults = world.faults();
    let last = faults.iter().map(|fault| fault.at).max().unwrap_or(killed);
    let over = last.saturating_duration_since(back);
    let figures = format!(
        "gone for {:.1} s; {people} people, {} yeses held; {} requests failed and were asked again, \
         the last {:.1} s after the database was back",
        back.duration_since(killed).as_secs_f64(),
        findings.held,
        faults.len(),
        over.as_secs_f64(),
    );
    let mut outcome = Outcome::of(findings, figures);
    outcome.wrong.extend(wrong);
    outcome.must(!faults.is_empty(), || "nothing failed: was it gone at all?".to_owned());
    outcome.must(over <= within, || "errors go on after the outage".to_owned());
    outcome.must(world.yeses_since(back + within) > 0, || "nothing goes on".to_owned());
    let ended = fleet.ended();
    outcome.must(ended == 0, || format!("{ended} processes ended:\n{}", fleet.last_words()));
    only_503(world, &mut outcome);
    fleet.explain(&outcome);
    Ok(outcome)
}

/// Who is not answered what they asked is told that it is for the moment.
fn only_503(world: &World, outcome: &mut Outcome) {
    let other = world
        .faults()
        .iter()
        .filter_map(|fault| fault.status)
        .find(|status| *status != StatusCode::SERVICE_UNAVAILABLE);
    outcome.must(other.is_none(), || format!("a request is answered {other:?}"));
}

/// Experiment 5: the database holds still, with its connections open.
pub(crate) async fn freeze(kind: Kind, binary: PathBuf, scale: Scale) -> Result<Outcome, Failure> {
    let mut system = System::start(kind, binary).await?;
    let (mut fleet, world) = system.fleet(&[]).await?;
    let load = Load::start(&world, PEOPLE, Doing::SigningUp);
    let before = settled_mib(&fleet).await?;
    system.server()?.freeze()?;
    let frozen = Instant::now();
    let mut wrong = Vec::new();
    let mut slowest = Duration::ZERO;
    let mut grown: f64 = 0.0;
    while frozen.elapsed() < scale.frozen {
        for origin in &*world.origins {
            let asked = Instant::now();
            let body = json!({"channel": "sms", "to": "01039999999", "purpose": "own"});
            let alive = fleet.client.get(format!("{origin}/healthz")).send();
            let ready = fleet.client.get(format!("{origin}/readyz")).send();
            let served = fleet.client.post(format!("{origin}/v1/verifications")).json(&body).send();
            let (alive, ready, served) = tokio::join!(alive, ready, served);
            slowest = slowest.max(asked.elapsed());
            let statuses = [alive, ready, served]
                .map(|answer| answer.map_or(0, |answer| answer.status().as_u16()));
            if statuses != [200, 503, 503] {
                wrong.push(format!("alive, ready, served: {statuses:?}"));
            }
        }
        for (now, before) in fleet.resident_mib()?.iter().zip(&before) {
            grown = grown.max(now / before);
        }
        sleep(Duration::from_millis(500)).await;
    }
    let lasted = frozen.elapsed();
    system.server()?.thaw()?;
    let back = Instant::now();
    sleep(SOON + Duration::from_secs(3)).await;
    let (told, more) = load.finish().await;
    wrong.extend(more);
    let findings = checker::check(&world, &system.url, &told, ASKED).await?;
    let people = told.len();
    let mut outcome =
        after_an_outage(&mut fleet, &world, findings, wrong, people, frozen, back, SOON)?;
    // How long each waited for a database that held still. One that was under way has waited for other
    // things before, and that is told apart.
    let faults = world.faults();
    let during = || faults.iter().filter(|fault| (frozen..back).contains(&fault.at));
    let waited = |fault: &Fault| fault.at - fault.asked.max(frozen);
    slowest = slowest.max(during().map(waited).max().unwrap_or_default());
    let under_way = during().filter(|fault| fault.asked < frozen);
    let in_all = under_way.map(|fault| fault.at - fault.asked).max().unwrap_or_default();
    outcome.figures = format!(
        "frozen for {:.0} s; the slowest 503 {:.2} s after it was asked or the freeze had begun \
         ({:.2} s in all for one under way); memory × {grown:.2} at the most; {}",
        lasted.as_secs_f64(),
        slowest.as_secs_f64(),
        in_all.as_secs_f64(),
        outcome.figures
    );
    outcome.must(slowest <= REFUSED_IN, || "a request waited for too long".to_owned());
    outcome.must(grown <= 1.2, || "memory grew".to_owned());
    Ok(outcome)
}

/// How much memory each process takes once it takes no more for what it does: with every hash of a
/// password under way that it allows, and its buffers.
async fn settled_mib(fleet: &Fleet) -> Result<Vec<f64>, Failure> {
    let (begun, mut highest, mut grown) = (Instant::now(), Vec::new(), Instant::now());
    while grown.elapsed() < SOON && begun.elapsed() < Duration::from_secs(60) {
        sleep(Duration::from_millis(250)).await;
        let now = fleet.resident_mib()?;
        highest.resize(now.len(), 0.0_f64);
        for (highest, now) in highest.iter_mut().zip(now) {
            if now > *highest * 1.02 {
                grown = Instant::now();
            }
            *highest = highest.max(now);
        }
    }
    Ok(highest)
}

/// Experiment 6: the disk of the database is full.
pub(crate) async fn disk_full(
    kind: Kind,
    binary: PathBuf,
    scale: Scale,
) -> Result<Outcome, Failure> {
    // Room for a new server's files, and a little more.
    let size = match kind {
        Kind::Sqlite => 16,
        Kind::Postgres => 128,
        Kind::Mariadb => 256,
    };
    let folder = tempfile::tempdir()?;
    open_to_all(folder.path())?;
    let disk = Tmpfs::mount(folder.path(), size)?;
    let server = match kind {
        Kind::Sqlite => None,
        _ => {
            let mut server = DatabaseServer::start(kind, folder.path()).await?;
            if kind == Kind::Mariadb {
                // With a journal for others to follow, as where it is replicated: it grows, while the
                // files of a new server have room.
                server.kill().await?;
                server = server.with(&["--log-bin=journal", "--server-id=1"]);
                server.restart().await?;
            }
            Some(server)
        }
    };
    let mut system = System::on(kind, binary, folder, server).await?;
    let (mut fleet, world) = system.fleet(&[]).await?;
    let load = Load::start(&world, PEOPLE, Doing::SigningUp);
    sleep(Duration::from_secs(2)).await;
    let filler = system.folder.path().join("filler");
    let filled = Instant::now();
    let mut alive = true;
    while filled.elapsed() < scale.outage * 2 {
        // What was free a moment ago has been freed by the database itself.
        fill(&filler)?;
        for origin in &*world.origins {
            let asked = fleet.client.get(format!("{origin}/healthz")).send().await;
            alive &= asked.is_ok_and(|answer| answer.status() == 200);
        }
        sleep(Duration::from_millis(200)).await;
    }
    let during = world.faults().len();
    fs::remove_file(&filler)?;
    if let Some(server) = &mut system.server
        && server.is_gone()
    {
        // As a service manager would: PostgreSQL ends where it cannot write its journal.
        server.restart().await?;
    }
    let back = Instant::now();
    // MariaDB looks for room in its journal once a minute.
    let within = if kind == Kind::Mariadb { SOON + Duration::from_secs(60) } else { SOON };
    sleep(within + Duration::from_secs(3)).await;
    let (told, wrong) = load.finish().await;
    let findings = checker::check(&world, &system.url, &told, ASKED).await?;
    let people = told.len();
    let mut outcome =
        after_an_outage(&mut fleet, &world, findings, wrong, people, filled, back, within)?;
    outcome.figures = format!("{size} MiB, full; {during} requests failed; {}", outcome.figures);
    outcome.must(alive, || "a process was not alive".to_owned());
    is_sound(&system, &mut outcome).await?;
    drop((fleet, system.server.take(), disk));
    Ok(outcome)
}

/// Writes until there is no room.
fn fill(filler: &std::path::Path) -> Result<(), Failure> {
    use std::io::Write as _;
    let mut file = fs::OpenOptions::new().append(true).create(true).open(filler)?;
    for size in [64 * 1_024, 4_096, 512] {
        while file.write_all(&vec![0; size]).is_ok() {}
    }
    Ok(())
}

/// The database says of itself that nothing is broken: each row, and each entry of an index.
async fn is_sound(system: &System, outcome: &mut Outcome) -> Result<(), Failure> {
    let asks: &[&str] = match system.kind {
        Kind::Sqlite => {
            &["SELECT COUNT(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"]
        }
        Kind::Postgres => {
            scratch::execute(&system.url, "CREATE EXTENSION IF NOT EXISTS amcheck").await?;
            &[
                "SELECT COUNT(*) FROM pg_class AS it, LATERAL verify_heapam(it.oid) AS broken \
                 WHERE it.relkind = 'r' AND it.relnamespace = 'public'::regnamespace",
                // An index that is broken is an error.
                "SELECT COUNT(*) FROM (SELECT bt_index_check(it.oid, true) AS checked \
                 FROM pg_class AS it JOIN pg_am ON pg_am.oid = it.relam \
                 WHERE it.relkind = 'i' AND pg_am.amname = 'btree' \
                 AND it.relnamespace = 'public'::regnamespace) AS it WHERE checked IS NULL",
            ]
        }
        Kind::Mariadb => {
            let address = system.server.as_ref().ok_or("a server that is not there")?.address();
            let port = format!("--port={}", address.port());
            let arguments = ["--no-defaults", "--protocol=tcp", "--host=127.0.0.1", &port];
            let all = ["--user=root", "--check", "--extended", "--silent", "--databases", "mapae"];
            // Silent where all is well.
            let said = run(system.kind, "mariadb-check", &[&arguments[..], &all].concat()).await?;
            outcome.must(said.trim().is_empty(), || format!("broken: {said}"));
            &[]
        }
    };
    for sql in asks {
        let found = scratch::number(&system.url, sql).await?;
        outcome.must(found == 0, || format!("{found} broken: {sql}"));
    }
    Ok(())
}

pub(crate) async fn at_once<F, Fut, T>(count: usize, ask: F) -> Vec<T>
where
    F: Fn(usize) -> Fut,
    Fut: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let mut asking = JoinSet::new();
    for nth in 0..count {
        asking.spawn(ask(nth));
    }
    asking.join_all().await
}

/// Experiment 11: Redis is killed under load, and is there again after a while.
pub(crate) async fn redis_gone(
    kind: Kind,
    binary: PathBuf,
    scale: Scale,
) -> Result<Outcome, Failure> {
    let system = System::start(kind, binary).await?;
    let port = free_port();
    let redis = || {
        Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
            .current_dir(system.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
    };
    let mut running = redis()?;
    let url = format!("redis://127.0.0.1:{port}");
    // Those who guess wait for one row, each for their turn.
    let settings = [("REDIS__URL", url.as_str()), ("DATABASE__TIMEOUT", "20s")];
    let (mut fleet, world) = system.fleet(&settings).await?;
    let load = Load::start(&world, PEOPLE, Doing::SigningUp);
    let mut compared = Vec::new();
    for round in 0..3 {
        match round {
            0 => {}
            1 if running.try_wait()?.is_some() => return Err("Redis did not start".into()),
            1 => running.kill().await?,
            _ => running = redis()?,
        }
        sleep(scale.outage).await;
        compared.push(world.wrong_codes_compared().await?);
    }
    let (told, wrong) = load.finish().await;
    let findings = checker::check(&world, &system.url, &told, ASKED).await?;
    let figures = format!(
        "{} people, {} yeses held; {} requests failed; of 100 wrong codes compared before, without \
         and after: {compared:?}",
        told.len(),
        findings.held,
        world.faults().len(),
    );
    let mut outcome = Outcome::of(findings, figures);
    outcome.wrong.extend(wrong);
    outcome.must(compared == [5, 5, 5], || "more or fewer codes were compared".to_owned());
    outcome.must(world.faults().is_empty(), || "a request failed for it".to_owned());
    let noticed = fleet.has_logged("wake-ups between processes do not get through");
    outcome.must(noticed, || "nobody noticed that Redis was gone".to_owned());
    let ended = fleet.ended();
    outcome.must(ended == 0, || format!("{ended} processes ended"));
    fleet.explain(&outcome);
    Ok(outcome)
}

/// Experiments 12 to 14: everybody at once, on every replica.
pub(crate) async fn races(kind: Kind, binary: PathBuf, scale: Scale) -> Result<Outcome, Failure> {
    let system = System::start(kind, binary).await?;
    // A hundred wait for one row, each for its turn.
    let (_fleet, world) = system.fleet(&[("DATABASE__TIMEOUT", "20s")]).await?;
    let mut outcome = Outcome { figures: String::new(), wrong: Vec::new() };
    let (mut rights, mut compared, mut successors) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..scale.rounds {
        let verification = world.verification().await?;
        let answers = at_once(100, |_| verification.clone().give(world.clone(), 0)).await;
        rights.push(answers.iter().filter(|status| **status == 200).count());
        compared.push(world.wrong_codes_compared().await?);
        successors.push(world.fifty_refreshes().await?);
    }
    let all_are = |counts: &[usize], expected| counts.iter().all(|count| *count == expected);
    outcome.must(all_are(&rights, 1), || format!("of 100 right codes passed: {rights:?}"));
    outcome.must(all_are(&compared, 5), || format!("of 100 wrong codes compared: {compared:?}"));
    outcome.must(all_are(&successors, 1), || format!("successors of 50 refreshes: {successors:?}"));
    only_503(&world, &mut outcome);
    outcome.figures = format!(
        "{} rounds: of 100 right codes at once 1 passed, of 100 wrong ones 5 were compared, \
         50 refreshes of one token had 1 successor; {} requests failed",
        scale.rounds,
        world.faults().len(),
    );
    Ok(outcome)
}

/// A primary with a synchronous standby is killed under load, and the standby takes its place.
pub(crate) async fn fail_over(binary: PathBuf, scale: Scale) -> Result<Outcome, Failure> {
    let kind = Kind::Postgres;
    let folder = tempfile::tempdir()?;
    open_to_all(folder.path())?;
    let primary = DatabaseServer::start(kind, folder.path()).await?;
    let mut system = System::on(kind, binary, folder, Some(primary)).await?;
    let standby = standby_of(&mut system).await?;
    // What leads to the primary, as a balancer or an address that moves does.
    let proxy = TcpProxy::start(&system.server()?.address().to_string()).await;
    let url = url_at(kind, proxy.address(), "mapae");
    let (mut fleet, world) = system.fleet_at(&url, &[]).await?;
    let load = Load::start(&world, PEOPLE, Doing::SigningUp);
    let more = Load::start(&world, 2, Doing::Refreshing);
    sleep(scale.outage + Duration::from_secs(3)).await;
    let killed = Instant::now();
    system.server()?.kill().await?;
    standby.promote().await?;
    proxy.lead_to(&standby.address().to_string());
    let promoted = Instant::now();
    sleep(SOON + Duration::from_secs(5)).await;
    let (mut told, mut wrong) = load.finish().await;
    let (more_told, more_wrong) = more.finish().await;
    told.extend(more_told);
    wrong.extend(more_wrong);
    let findings = checker::check(&world, &standby.url_of("mapae"), &told, ASKED).await?;
    let mut outcome =
        after_an_outage(&mut fleet, &world, findings, wrong, told.len(), killed, promoted, SOON)?;
    let last = world.faults().iter().map(|fault| fault.at).max().unwrap_or(killed);
    let recovered = last.duration_since(killed);
    outcome.figures =
        format!("everything goes on after {:.1} s; {}", recovered.as_secs_f64(), outcome.figures);
    outcome.must(recovered <= FAILED_OVER_IN, || "it took too long".to_owned());
    Ok(outcome)
}

/// The standby for whose disk every commit waits is killed under load, and is taken out a while later. What
/// waits for it waits for ever: a server's connections must not go up by that.
pub(crate) async fn standby_gone(binary: PathBuf) -> Result<Outcome, Failure> {
    /// Longer than until a connection counts as lost, three times over.
    const GONE: Duration = Duration::from_secs(75);
    /// Three that serve and two that send, ten each, and those that listen.
    const CONNECTIONS: i64 = 5 * 11;
    let folder = tempfile::tempdir()?;
    open_to_all(folder.path())?;
    let primary = DatabaseServer::start(Kind::Postgres, folder.path()).await?;
    let mut system = System::on(Kind::Postgres, binary, folder, Some(primary)).await?;
    let mut standby = standby_of(&mut system).await?;
    let (mut fleet, world) = system.fleet(&[]).await?;
    let load = Load::start(&world, PEOPLE, Doing::SigningUp);
    sleep(Duration::from_secs(3)).await;
    let (admin, killed) = (system.server()?.admin_url(), Instant::now());
    standby.kill().await?;
    let connected = "SELECT COUNT(*) FROM pg_stat_activity WHERE application_name = 'mapae'";
    let (mut most, mut alive, mut served) = (0, true, false);
    while killed.elapsed() < GONE {
        most = most.max(scratch::number(&admin, connected).await?);
        // Those who ask again wait for what they have begun; others have begun nothing yet.
        let others = at_once(PEOPLE, |_| {
            let (world, to) = (world.clone(), world.stranger().number);
            let body = json!({"channel": "sms", "to": to, "purpose": "own"});
            async move { world.ask_once("/v1/verifications", &body).await.is_some() }
        });
        served |= others.await.contains(&true);
        for origin in &*world.origins {
            let asked = fleet.client.get(format!("{origin}/healthz")).send().await;
            alive &= asked.is_ok_and(|answer| answer.status() == 200);
        }
    }
    for sql in ["ALTER SYSTEM RESET synchronous_standby_names", "SELECT pg_reload_conf()"] {
        scratch::execute(&admin, sql).await?;
    }
    let back = Instant::now();
    sleep(SOON + Duration::from_secs(3)).await;
    let (told, wrong) = load.finish().await;
    let findings = checker::check(&world, &system.url, &told, ASKED).await?;
    let people = told.len();
    let mut outcome =
        after_an_outage(&mut fleet, &world, findings, wrong, people, killed, back, SOON)?;
    outcome.figures = format!("{most} connections at the most; {}", outcome.figures);
    outcome.must(alive, || "a process was not alive".to_owned());
    outcome.must(!served, || "a commit did not wait for the standby".to_owned());
    outcome.must(most <= CONNECTIONS, || "a server's connections go up".to_owned());
    Ok(outcome)
}

/// A standby of the system's server, for whose disk every commit waits from now on.
async fn standby_of(system: &mut System) -> Result<DatabaseServer, Failure> {
    let data = system.folder.path().join("standby");
    let server = system.server()?;
    let backup = postgres_program("pg_basebackup")?;
    let from = format!("host=127.0.0.1 port={} user=postgres", server.address().port());
    let to = data.display().to_string();
    let home = system.folder.path().join("home");
    fs::create_dir(&home)?;
    fs::create_dir(&data)?;
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(&data, fs::Permissions::from_mode(0o700))?;
    super::database::give_to("postgres", &data).await?;
    run(
        Kind::Postgres,
        &backup,
        &[
            "-d",
            &from,
            "-D",
            &to,
            "--wal-method=stream",
            "--checkpoint=fast",
            "--write-recovery-conf",
            "--no-sync",
        ],
    )
    .await?;
    let standby = DatabaseServer::start_on(Kind::Postgres, data, Vec::new()).await?;
    let admin = system.server()?.admin_url();
    for sql in [
        "ALTER SYSTEM SET synchronous_standby_names = '*'",
        "ALTER SYSTEM SET synchronous_commit = 'on'",
        "SELECT pg_reload_conf()",
    ] {
        scratch::execute(&admin, sql).await?;
    }
    let synchronous = "SELECT COUNT(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
    let begun = Instant::now();
    while scratch::number(&admin, synchronous).await? != 1 {
        if begun.elapsed() > Duration::from_secs(30) {
            return Err("the standby does not follow".into());
        }
        sleep(Duration::from_millis(50)).await;
    }
    Ok(standby)
}
