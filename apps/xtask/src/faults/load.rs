//! People who sign up, prove their numbers, log in and refresh, and who remember what they were told.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use mapae_testkit::fake::{FakeSens, six_digits_in};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::Failure;

pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// How long a person asks again before they give up: longer than any outage here.
const PATIENCE: Duration = Duration::from_secs(150);
/// How long a person waits before they ask again.
const PAUSE: Duration = Duration::from_millis(100);

/// Longer than a lease: whoever sends a message again has done it by then.
pub(crate) const ANOTHER_TRY: Duration = Duration::from_secs(8);

/// What people do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doing {
    /// Sign up by a phone number and its code, log in, and refresh three times.
    SigningUp,
    /// Have a number verified, and give the code when it comes; every fourth of them when it has had time
    /// to come again.
    Verifying,
    /// Sign up, and then refresh over and over, two requests at once each time.
    Refreshing,
}

/// What a person was told: the answers that they saw, each of which has to hold.
#[derive(Debug, Clone, Default)]
pub(crate) struct Told {
    /// The number, in digits.
    pub(crate) number: String,
    /// The registration that was begun, and what it is known by.
    pub(crate) registration: Option<String>,
    /// The verification that was begun.
    pub(crate) verification: Option<String>,
    /// The code that came.
    pub(crate) code: Option<String>,
    /// That the code was right, and was used up by that.
    pub(crate) verified: bool,
    /// Whose account it became.
    pub(crate) user: Option<String>,
    /// Every token for which a successor was given, with all that were.
    pub(crate) successors: HashMap<String, Vec<String>>,
    /// The session that was opened, and its first refresh token.
    pub(crate) session: Option<(String, String)>,
    /// The refresh token that is good.
    pub(crate) refresh_token: Option<String>,
    /// How many answers were yes.
    pub(crate) acknowledged: usize,
}

/// A request that failed, where it was not for who asked: no answer, or one of 500 and more.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault {
    /// When it was asked.
    pub(crate) asked: Instant,
    /// When it failed.
    pub(crate) at: Instant,
    /// With what status, where there was an answer.
    pub(crate) status: Option<StatusCode>,
}

/// What people need: where to ask, and where their messages arrive.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) client: reqwest::Client,
    pub(crate) origins: Arc<[String]>,
    pub(crate) sens: Arc<FakeSens>,
    faults: Arc<Mutex<Vec<Fault>>>,
    yeses: Arc<Mutex<Vec<Instant>>>,
    turn: Arc<AtomicUsize>,
    people: Arc<AtomicUsize>,
}

/// An answer, of 200 to 499.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) json: Value,
}

impl Answer {
    pub(crate) fn is_yes(&self) -> bool {
        self.status.is_success()
    }

    fn text(&self, member: &str) -> Result<String, Failure> {
        let text = self.json[member].as_str();
        Ok(text.ok_or_else(|| format!("no {member} in an answer of {}", self.status))?.to_owned())
    }

    pub(crate) fn problem(&self) -> &str {
        self.json["code"].as_str().unwrap_or_default()
    }
}

impl World {
    pub(crate) fn new(
        client: reqwest::Client,
        origins: Arc<[String]>,
        sens: Arc<FakeSens>,
    ) -> Self {
        let (faults, yeses) = (Arc::default(), Arc::default());
        let (turn, people) = (Arc::default(), Arc::default());
        Self { client, origins, sens, faults, yeses, turn, people }
    }

    /// The requests that failed so far.
    pub(crate) fn faults(&self) -> Vec<Fault> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many requests were answered with a yes since.
    pub(crate) fn yeses_since(&self, since: Instant) -> usize {
        let yeses = self.yeses.lock().unwrap_or_else(PoisonError::into_inner);
        yeses.iter().filter(|at| **at >= since).count()
    }

    /// Somebody who was told nothing yet, with a number that nobody else has.
    pub(crate) fn stranger(&self) -> Told {
        Told { number: self.number(), ..Told::default() }
    }

    fn number(&self) -> String {
        format!("010{:08}", 40_000_000 + self.people.fetch_add(1, Ordering::Relaxed))
    }

    /// Asks once, a replica of all in turn.
    pub(crate) async fn ask_once(&self, path: &str, body: &Value) -> Option<Answer> {
        let nth = self.turn.fetch_add(1, Ordering::Relaxed);
        let url = format!("{}{path}", self.origins[nth % self.origins.len()]);
        let begun = Instant::now();
        // What is begun once stays begun once, however often it is asked for.
        let key = body["phone"].as_str().or(body["to"].as_str());
        let request = key
            .iter()
            .fold(self.client.post(url), |request, key| request.header("idempotency-key", *key));
        let answer = request.json(body).send().await;
        let status = answer.as_ref().ok().map(reqwest::Response::status);
        let json = match answer {
            Ok(answer) if !answer.status().is_server_error() => answer.json().await.ok(),
            _ => None,
        };
        match (status, json) {
            (Some(status), Some(json)) => {
                if status.is_success() {
                    let mut yeses = self.yeses.lock().unwrap_or_else(PoisonError::into_inner);
                    yeses.push(Instant::now());
                }
                Some(Answer { status, json })
            }
            (status, _) => {
                let status = status.filter(StatusCode::is_server_error);
                let fault = Fault { asked: begun, at: Instant::now(), status };
                self.faults.lock().unwrap_or_else(PoisonError::into_inner).push(fault);
                None
            }
        }
    }

    /// Asks until there is an answer, as the client of a person would.
    pub(crate) async fn ask(&self, path: &str, body: &Value) -> Result<Answer, Failure> {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if let Some(answer) = self.ask_once(path, body).await {
                return Ok(answer);
            }
            tokio::time::sleep(PAUSE).await;
        }
        Err(format!("{path}: no answer for {} s", PATIENCE.as_secs()).into())
    }

    /// Waits for a person's message, and gives the code in it.
    pub(crate) async fn code(&self, number: &str) -> Result<String, Failure> {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if let Some(message) = self.sens.taken_to(number).first() {
                return code_in(&message.content);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Err("a message was lost: none came".into())
    }

    /// Begins a registration or a verification, and says under which ids.
    pub(crate) async fn begin(&self, told: &mut Told, doing: Doing) -> Result<(), Failure> {
        if doing == Doing::Verifying {
            let body = json!({"channel": "sms", "to": told.number, "purpose": "own"});
            let begun = self.ask("/v1/verifications", &body).await?;
            told.verification = Some(begun.text("id")?);
        } else {
            let body = json!({"phone": told.number, "password": PASSWORD});
            let begun = self.ask("/v1/registrations", &body).await?;
            told.registration = Some(begun.text("id")?);
            let verification = begun.json["verifications"][0]["id"].as_str();
            told.verification = verification.map(str::to_owned);
        }
        told.acknowledged += 1;
        Ok(())
    }

    /// Gives a code. One whose answer was lost is used up when it is given again.
    pub(crate) async fn check(&self, verification: &str, code: &str) -> Result<Answer, Failure> {
        let path = format!("/v1/verifications/{verification}/check");
        self.ask(&path, &json!({"code": code})).await
    }

    pub(crate) async fn log_in(&self, number: &str) -> Result<Answer, Failure> {
        self.ask("/v1/tokens", &json!({"login": number, "password": PASSWORD})).await
    }

    pub(crate) async fn refresh(&self, token: &str) -> Result<Answer, Failure> {
        self.ask("/v1/tokens/refresh", &json!({"refresh_token": token})).await
    }

    /// Signs up, until the first session.
    pub(crate) async fn sign_up(&self, told: &mut Told) -> Result<(), Failure> {
        self.begin(told, Doing::SigningUp).await?;
        let code = self.code(&told.number).await?;
        told.code = Some(code.clone());
        let verification = told.verification.clone().unwrap_or_default();
        let checked = self.check(&verification, &code).await?;
        match (checked.is_yes(), checked.problem()) {
            (true, _) => {
                let user = checked.json["registration"]["user_id"].as_str();
                told.user = user.map(str::to_owned);
            }
            // The yes was lost on its way.
            (false, "already_verified") => {}
            (false, problem) => return Err(format!("a right code is refused: {problem}").into()),
        }
        told.verified = true;
        let pair = self.log_in(&told.number).await?;
        if !pair.is_yes() {
            return Err(format!("a person cannot log in: {}", pair.problem()).into());
        }
        let token = pair.text("refresh_token")?;
        told.session = Some((pair.text("session_id")?, token.clone()));
        told.refresh_token = Some(token);
        told.acknowledged += 2;
        Ok(())
    }

    /// Has a number verified.
    async fn verify(&self, told: &mut Told) -> Result<(), Failure> {
        self.begin(told, Doing::Verifying).await?;
        let code = self.code(&told.number).await?;
        if told.number.ends_with(['0', '4', '8']) {
            tokio::time::sleep(ANOTHER_TRY).await;
        }
        let verification = told.verification.clone().unwrap_or_default();
        let checked = self.check(&verification, &code).await?;
        if !checked.is_yes() && checked.problem() != "already_verified" {
            return Err(format!("a code that came is refused: {}", checked.problem()).into());
        }
        told.code = Some(code);
        told.verified = true;
        told.acknowledged += 1;
        Ok(())
    }

    /// Refreshes, by so many requests at once, and keeps every successor that it is told.
    async fn rotate(&self, told: &mut Told, at_once: usize) -> Result<(), Failure> {
        let Some(token) = told.refresh_token.clone() else { return Ok(()) };
        let mut asking = JoinSet::new();
        for _ in 0..at_once {
            let (world, token) = (self.clone(), token.clone());
            asking.spawn(async move {
                let answer = world.refresh(&token).await.map_err(|error| error.to_string())?;
                if !answer.is_yes() {
                    return Err(format!("a good token is refused: {}", answer.problem()));
                }
                answer.text("refresh_token").map_err(|error| error.to_string())
            });
        }
        for successor in asking.join_all().await {
            let successor = successor?;
            told.acknowledged += 1;
            told.refresh_token = Some(successor.clone());
            told.successors.entry(token.clone()).or_default().push(successor);
        }
        Ok(())
    }

    /// What one person does, until it is done or everybody is told to stop.
    async fn live(&self, told: &mut Told, doing: Doing, stop: &AtomicBool) -> Result<(), Failure> {
        match doing {
            Doing::SigningUp => {
                self.sign_up(told).await?;
                for _ in 0..3 {
                    self.rotate(told, 1).await?;
                }
            }
            Doing::Verifying => self.verify(told).await?,
            Doing::Refreshing => {
                self.sign_up(told).await?;
                while !stop.load(Ordering::Relaxed) {
                    self.rotate(told, 2).await?;
                }
            }
        }
        Ok(())
    }
}

/// The code in a message.
pub(crate) fn code_in(text: &str) -> Result<String, Failure> {
    Ok(six_digits_in(text).ok_or("a message without a code")?.to_owned())
}

/// People at it, each after the other, as many at once as there are tasks.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    people: JoinSet<Vec<(Told, Result<(), String>)>>,
}

impl Load {
    pub(crate) fn start(world: &World, at_once: usize, doing: Doing) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut people = JoinSet::new();
        for _ in 0..at_once {
            let (world, stop) = (world.clone(), Arc::clone(&stop));
            people.spawn(async move {
                let mut lives = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let mut told = world.stranger();
                    let lived = world.live(&mut told, doing, &stop).await;
                    lives.push((told, lived.map_err(|error| error.to_string())));
                }
                lives
            });
        }
        Self { stop, people }
    }

    /// Lets everybody come to the end of what they do. Gives what they were told, and what went
    /// wrong for them.
    pub(crate) async fn finish(self) -> (Vec<Told>, Vec<String>) {
        self.stop.store(true, Ordering::Relaxed);
        let (mut told, mut wrong) = (Vec::new(), Vec::new());
        for (person, lived) in self.people.join_all().await.into_iter().flatten() {
            told.push(person);
            wrong.extend(lived.err());
        }
        (told, wrong)
    }
}
