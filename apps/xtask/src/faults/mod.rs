//! What must hold when something breaks: experiments with real processes, real servers and a checker
//! that holds what clients were told against the database. Their pass marks and their figures stand in
//! `docs/reliability.md`.
#![expect(clippy::disallowed_methods, reason = "an experiment reads the machine's own clock")]

mod checker;
mod database;
mod experiments;
mod fleet;
mod load;
mod race;
mod tmpfs;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use self::experiments::{Outcome, Scale};
use crate::Failure;
use crate::kind::Kind;

/// What each experiment is.
const EXPERIMENTS: [(&str, &str); 10] = [
    ("1", "killed in sign-ups"),
    ("2", "killed around sends"),
    ("3", "killed in refreshes"),
    ("4", "database killed and restarted"),
    ("5", "database frozen"),
    ("6", "disk full"),
    ("11", "Redis killed and restarted"),
    ("12-14", "races on replicas"),
    ("failover", "primary killed, standby promoted"),
    ("standby", "the synchronous standby killed"),
];

/// Longer than any experiment takes: what hangs is a failure.
const AT_MOST: Duration = Duration::from_secs(20 * 60);

/// Runs the experiments that `arguments` names, on the databases that they name; all of them, where
/// they name none. `--short` is the form of every day.
pub(crate) fn faults(arguments: &[&str]) -> Result<(), Failure> {
    let mut scale = Scale::LONG;
    let (mut kinds, mut chosen) = (Vec::new(), Vec::new());
    for argument in arguments {
        match *argument {
            "--short" => scale = Scale::SHORT,
            other => match Kind::named(other) {
                Some(kind) => kinds.push(kind),
                None if EXPERIMENTS.iter().any(|(id, _)| *id == other) => chosen.push(other),
                None => return Err(format!("no experiment and no database: {other}").into()),
            },
        }
    }
    if kinds.is_empty() {
        kinds.extend(Kind::ALL);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut failed = 0;
    println!("| experiment | database | figures | |\n|---|---|---|---|");
    for (id, what) in EXPERIMENTS {
        if !chosen.is_empty() && !chosen.contains(&id) {
            continue;
        }
        for kind in &kinds {
            let begun = Instant::now();
            // One that could not be conducted to its end has failed, and keeps no other from it.
            let outcome = match runtime.block_on(conduct(id, *kind, scale)) {
                Ok(None) => continue,
                Ok(Some(outcome)) => outcome,
                Err(error) => Outcome { figures: String::new(), wrong: vec![error.to_string()] },
            };
            let passed = if outcome.wrong.is_empty() { "passed" } else { "**failed**" };
            println!("| {id}: {what} | {} | {} | {passed} |", kind.name(), outcome.figures);
            eprintln!(
                "{id} on {}: {passed} in {:.0} s",
                kind.name(),
                begun.elapsed().as_secs_f64()
            );
            failed += usize::from(!outcome.wrong.is_empty());
            report(&outcome.wrong);
        }
    }
    match failed {
        0 => Ok(()),
        _ => Err(format!("{failed} experiments failed").into()),
    }
}

/// What went wrong, each kind of it once.
fn report(wrong: &[String]) {
    let mut kinds: Vec<(&String, usize)> = Vec::new();
    for one in wrong {
        match kinds.iter_mut().find(|(known, _)| *known == one) {
            Some((_, times)) => *times += 1,
            None => kinds.push((one, 1)),
        }
    }
    for (what, times) in kinds {
        eprintln!("  {times} ×: {what}");
    }
}

/// One experiment on one database; nothing, where it says nothing about that database.
async fn conduct(id: &str, kind: Kind, scale: Scale) -> Result<Option<Outcome>, Failure> {
    let binary = binary()?;
    let is_a_file = kind == Kind::Sqlite;
    let conducted = async {
        Ok::<_, Failure>(Some(match id {
            "1" => experiments::kills(1, kind, binary, scale).await?,
            "2" => experiments::kills(2, kind, binary, scale).await?,
            "3" => experiments::kills(3, kind, binary, scale).await?,
            "4" if !is_a_file => experiments::restart(kind, binary, scale).await?,
            "5" if !is_a_file => experiments::freeze(kind, binary, scale).await?,
            // MariaDB looks for room once a minute, which is too long for every day.
            "6" if kind != Kind::Mariadb || !scale.is_short() => {
                experiments::disk_full(kind, binary, scale).await?
            }
            "11" => experiments::redis_gone(kind, binary, scale).await?,
            "12-14" => experiments::races(kind, binary, scale).await?,
            "failover" if kind == Kind::Postgres => experiments::fail_over(binary, scale).await?,
            "standby" if kind == Kind::Postgres => experiments::standby_gone(binary).await?,
            _ => return Ok(None),
        }))
    };
    let ended = tokio::time::timeout(AT_MOST, conducted).await;
    ended.map_err(|_| format!("experiment {id} on {} does not end", kind.name()))?
}

/// The binary beside this command's, or the one that `MAPAE_E2E_BIN` names.
fn binary() -> Result<PathBuf, Failure> {
    let binary = match std::env::var_os("MAPAE_E2E_BIN") {
        Some(named) => PathBuf::from(named),
        None => std::env::current_exe()?.with_file_name("mapae"),
    };
    if binary.is_file() {
        return Ok(binary.canonicalize()?);
    }
    let shown = binary.display();
    Err(format!("{shown} is not there: cargo build --package mapae").into())
}
