//! What clients were told, held against what the database says in the end, and against what the
//! service says then.

use std::collections::{HashMap, HashSet};

use mapae_application::ports::{ReadView, Store};
use mapae_domain::registration::RegistrationState;
use mapae_domain::verification::VerificationState;
use mapae_domain::{Contact, PhoneNumber, Region};
use mapae_store_seaorm::{SeaOrmStore, StoreSettings, Synchronous, scratch};

use super::load::{Told, World, code_in};
use crate::Failure;

/// Rows that no history of answers may leave behind: none of one without the other.
const HALVES: [(&str, &str); 4] = [
    (
        "users without a contact",
        "SELECT COUNT(*) FROM users WHERE NOT EXISTS \
         (SELECT 1 FROM user_contacts WHERE user_contacts.user_id = users.id)",
    ),
    (
        "contacts without a user",
        "SELECT COUNT(*) FROM user_contacts WHERE NOT EXISTS \
         (SELECT 1 FROM users WHERE users.id = user_contacts.user_id)",
    ),
    (
        "registrations of a user that there is not",
        "SELECT COUNT(*) FROM registrations WHERE user_id IS NOT NULL AND NOT EXISTS \
         (SELECT 1 FROM users WHERE users.id = registrations.user_id)",
    ),
    ("messages that failed", "SELECT COUNT(*) FROM outbox WHERE status = 'failed'"),
];

/// What was found.
#[derive(Default)]
pub(crate) struct Findings {
    /// What does not hold.
    pub(crate) wrong: Vec<String>,
    /// How many yeses were held against the database: each has left a row, or its mark on one.
    pub(crate) held: usize,
    /// How many messages came more than once, counted each time.
    pub(crate) duplicates: usize,
}

/// Opens a store of this command's own on the database.
pub(crate) async fn open(url: &str) -> Result<SeaOrmStore, Failure> {
    Ok(SeaOrmStore::connect(&StoreSettings {
        url: url.to_owned(),
        synchronous: Synchronous::Full,
        readers: 2,
        connections: 4,
        transaction_pooling: false,
        timeout: std::time::Duration::from_secs(30),
    })
    .await?)
}

/// Holds everything that was told against the database at `url`, and against the service. Of those
/// who were told that they are verified, at most `asked` are asked for again.
pub(crate) async fn check(
    world: &World,
    url: &str,
    told: &[Told],
    asked: usize,
) -> Result<Findings, Failure> {
    let mut findings = Findings::default();
    for (what, sql) in HALVES {
        let found = scratch::number(url, sql).await?;
        if found > 0 {
            findings.wrong.push(format!("{found} {what}"));
        }
    }
    let store = open(url).await?;
    let mut view = store.read().await?;
    for person in told {
        findings.held += person.acknowledged;
        let wrong = &mut findings.wrong;
        in_database(&mut *view, person, wrong).await?;
        branches(person, wrong);
    }
    drop(view);
    store.close().await?;
    let wrong = &mut findings.wrong;
    findings.duplicates = messages(world, told, wrong)?;
    let verified: Vec<_> = told.iter().filter(|person| person.verified).collect();
    for person in verified.iter().step_by(verified.len().div_ceil(asked.max(1)).max(1)) {
        asked_again(world, person, wrong).await?;
    }
    Ok(findings)
}

/// The rows of a person.
async fn in_database(
    view: &mut dyn ReadView,
    told: &Told,
    wrong: &mut Vec<String>,
) -> Result<(), Failure> {
    let number = PhoneNumber::parse(&told.number, Region::parse("KR")?)?;
    let user = view.user_by_contact(&Contact::Phone(number)).await?;
    if let Some(id) = &told.verification {
        match view.verification(id.parse()?).await?.map(|found| found.record().state) {
            None => wrong.push("a verification is gone".to_owned()),
            Some(VerificationState::Verified { .. }) => {}
            Some(_) if told.verified => wrong.push("a used code is unused".to_owned()),
            Some(_) => {}
        }
    }
    if let Some(id) = &told.registration {
        match view.registration(id.parse()?).await?.map(|found| found.record().state) {
            None => wrong.push("a registration is gone".to_owned()),
            Some(RegistrationState::Completed { user: completed, .. }) => {
                if user.as_ref().map(|user| user.id()) != Some(completed) {
                    wrong.push("a registration became a user, who is gone".to_owned());
                }
            }
            Some(_) if told.verified => wrong.push("a user is a registration again".to_owned()),
            Some(_) if user.is_some() => wrong.push("a user before their number".to_owned()),
            Some(_) => {}
        }
    }
    let Some(user) = user else {
        if told.user.is_some() || told.refresh_token.is_some() {
            wrong.push("an account is gone".to_owned());
        }
        return Ok(());
    };
    if told.user.as_ref().is_some_and(|id| *id != user.id().to_string()) {
        wrong.push("an account is another's".to_owned());
    }
    if let Some((id, _)) = &told.session {
        let sessions = view.sessions_of_user(user.id()).await?;
        match sessions.iter().find(|session| session.id().to_string() == *id) {
            None => wrong.push("a session is gone".to_owned()),
            // One generation a token for which a successor was given.
            Some(session) if (session.record().generation as usize) < told.successors.len() => {
                wrong.push("a refresh is gone".to_owned());
            }
            Some(session) if session.record().ended.is_some() => {
                wrong.push("a session was ended by nobody".to_owned());
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// Never two live branches: whoever asked with one token was given one successor.
fn branches(told: &Told, wrong: &mut Vec<String>) {
    for successors in told.successors.values() {
        if successors.iter().collect::<HashSet<_>>().len() > 1 {
            wrong.push("a token has two successors".to_owned());
        }
    }
}

/// Every message came, bears one code however often it came, and gives how many came again.
fn messages(world: &World, told: &[Told], wrong: &mut Vec<String>) -> Result<usize, Failure> {
    let mut received: HashMap<String, Vec<String>> = HashMap::new();
    for message in world.sens.taken() {
        received.entry(message.to).or_default().push(code_in(&message.content)?);
    }
    let mut again = 0;
    for person in told.iter().filter(|person| person.verification.is_some()) {
        let codes = received.get(&person.number).map_or(&[][..], Vec::as_slice);
        match codes.iter().collect::<HashSet<_>>().len() {
            0 => wrong.push("a message was lost".to_owned()),
            1 => again += codes.len() - 1,
            _ => wrong.push("a message came with another code".to_owned()),
        }
    }
    Ok(again)
}

/// The service is asked: a used code stays used, the password opens the account, the last token that
/// was given is good, and one with a successor's successor is not.
async fn asked_again(world: &World, told: &Told, wrong: &mut Vec<String>) -> Result<(), Failure> {
    if let (Some(verification), Some(code)) = (&told.verification, &told.code) {
        let again = world.check(verification, code).await?;
        if again.problem() != "already_verified" {
            wrong.push(format!("a used code is answered {}", again.status));
        }
    }
    if told.refresh_token.is_none() {
        return Ok(());
    }
    if !world.log_in(&told.number).await?.is_yes() {
        wrong.push("a password opens nothing".to_owned());
    }
    if let Some(token) = &told.refresh_token {
        let refreshed = world.refresh(token).await?;
        if !refreshed.is_yes() {
            wrong.push(format!("a token that was given is refused: {}", refreshed.problem()));
        }
    }
    if let Some((_, first)) = &told.session
        && told.successors.len() > 1
        && world.refresh(first).await?.is_yes()
    {
        wrong.push("a token that was used up long ago is taken".to_owned());
    }
    Ok(())
}
