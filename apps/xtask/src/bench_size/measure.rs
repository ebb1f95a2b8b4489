//! How long requests take, among few users and among many, by turns.
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the machine's own clock")]

use std::sync::Arc;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mapae_application::ports::{HashContext, SecretHasher as _};
use mapae_store_seaorm::scratch::{SEED, session_id};
use mapae_system::{Keyring, ServerSecret, SystemRng};
use serde_json::{Value, json};

use super::client::Client;
use crate::Failure;
use crate::bench::Server;

/// The password of everyone.
pub(super) const PASSWORD: &str = "correct horse battery staple";

/// How far from one another those are who come one after the other: a prime, so that everyone is met
/// before anyone is met again.
const STRIDE: u32 = 1_000_003;

/// A request, and how often a turn makes it.
const REQUESTS: [(Request, u32); 4] =
    [(Request::LogIn, 10), (Request::Refresh, 50), (Request::Me, 50), (Request::SignUp, 6)];

/// How many turns each side has in a round: so short that what else the machine does strikes both.
const TURNS: u32 = 10;

/// How many times as long as among few a request may take among many, by its p95.
const AT_MOST: f64 = 1.25;

#[derive(Clone, Copy)]
enum Request {
    LogIn,
    Refresh,
    Me,
    SignUp,
}

impl Request {
    const fn name(self) -> &'static str {
        match self {
            Self::LogIn => "log-in",
            Self::Refresh => "refresh",
            Self::Me => "GET /v1/me",
            Self::SignUp => "sign-up begun",
        }
    }
}

/// A server with so many users.
pub(super) struct Side {
    pub(super) server: Server,
    pub(super) users: u32,
    keyring: Arc<Keyring>,
    /// How many of each request there were.
    made: [u32; REQUESTS.len()],
    /// Access tokens of sessions that were refreshed.
    tokens: Vec<String>,
    /// Milliseconds of each request, a list a round.
    figures: [Vec<Vec<f64>>; REQUESTS.len()],
}

impl Side {
    pub(super) fn new(server: Server, users: u32, secret: &ServerSecret) -> Self {
        let keyring = Arc::new(Keyring::new(secret, Arc::new(SystemRng::new())));
        Self {
            server,
            users,
            keyring,
            made: [0; REQUESTS.len()],
            tokens: Vec::new(),
            figures: Default::default(),
        }
    }

    /// Makes one kind of request, by as many clients at once as there are cores.
    fn take_turn(&mut self, kind: usize) -> Result<(), Failure> {
        let (request, count) = REQUESTS[kind];
        let clients = std::thread::available_parallelism()?.get();
        let first = self.made[kind];
        self.made[kind] += count;
        let numbers: Vec<u32> = (first..first + count).collect();
        let this = &*self;
        let done = std::thread::scope(|scope| {
            let share = numbers.len().div_ceil(clients);
            let clients: Vec<_> = numbers
                .chunks(share)
                .map(|numbers| scope.spawn(move || this.make(request, numbers)))
                .collect();
            let ended = clients.into_iter().map(|client| client.join());
            ended.collect::<Result<Vec<_>, _>>()
        });
        let mut figures = Vec::new();
        for share in done.map_err(|_| "a client broke off")? {
            let (took, tokens) = share.map_err(|why| format!("{}: {why}", request.name()))?;
            figures.extend(took);
            self.tokens.extend(tokens);
        }
        self.figures[kind].last_mut().ok_or("no round has begun")?.extend(figures);
        Ok(())
    }

    /// Makes a request for each number, and gives the milliseconds of each, and tokens.
    fn make(&self, request: Request, numbers: &[u32]) -> Result<(Vec<f64>, Vec<String>), String> {
        let make = || -> Result<_, Failure> {
            let mut client = Client::connect(&self.server.address)?;
            let (mut figures, mut tokens) = (Vec::new(), Vec::new());
            for number in numbers {
                let (path, subject) = self.subject(request, *number);
                let begun = Instant::now();
                let answer = match request {
                    Request::Me => client.get(path, subject.as_str().unwrap_or_default())?,
                    _ => client.post(path, &subject)?,
                };
                figures.push(begun.elapsed().as_secs_f64() * 1_000.0);
                if let Request::Refresh = request {
                    tokens.push(answer["access_token"].as_str().ok_or("no token")?.to_owned());
                }
            }
            Ok((figures, tokens))
        };
        make().map_err(|why| why.to_string())
    }

    /// Where a request of this number goes, and its body, or its token.
    fn subject(&self, request: Request, number: u32) -> (&'static str, Value) {
        match request {
            Request::LogIn => {
                let login = format!("person{}@example.com", far(number, self.users));
                ("/v1/tokens", json!({"login": login, "password": PASSWORD}))
            }
            Request::Refresh => {
                // Nine sessions, and over the tenth, which has ended.
                let place = far(number, self.users / 10 * 27) - 1;
                let session = place / 9 * 10 + place % 9 + 1;
                ("/v1/tokens/refresh", json!({"refresh_token": self.refresh_token(session)}))
            }
            Request::Me => {
                let token = far(number, u32::try_from(self.tokens.len()).unwrap_or(1)) - 1;
                ("/v1/me", Value::from(self.tokens[token as usize].as_str()))
            }
            Request::SignUp => {
                let email = format!("newcomer{number}@example.com");
                ("/v1/registrations", json!({"email": email, "password": PASSWORD}))
            }
        }
    }

    /// The first refresh token of a session, as decision 2 says.
    fn refresh_token(&self, session: u32) -> String {
        let (id, generation) = (session_id(session.into()), 1_u32.to_be_bytes());
        let proof = self.keyring.hash(HashContext::RefreshToken, &[&id, &generation, &SEED]);
        URL_SAFE_NO_PAD.encode([&id[..], &generation, proof.as_bytes()].concat())
    }
}

/// Who comes as the `number`th, of those from 1 to `of`.
fn far(number: u32, of: u32) -> u32 {
    let place = u64::from(number) * u64::from(STRIDE) % u64::from(of.max(1));
    u32::try_from(place).unwrap_or_default() + 1
}

/// Measures both sides, by turns. Gives what takes more than [`AT_MOST`] times as long among many.
pub(super) fn compare(
    few: &mut Side,
    many: &mut Side,
    rounds: u32,
) -> Result<Vec<String>, Failure> {
    // The first is not counted: connections are made, and caches become what they are after hours.
    for round in 0..=rounds {
        for kind in 0..REQUESTS.len() {
            for side in [&mut *few, &mut *many] {
                if round < 2 {
                    side.figures[kind].clear();
                }
                side.figures[kind].push(Vec::new());
            }
            for turn in 0..TURNS {
                let (first, second) =
                    if turn % 2 == 0 { (&mut *few, &mut *many) } else { (&mut *many, &mut *few) };
                first.take_turn(kind)?;
                second.take_turn(kind)?;
            }
        }
    }
    let mut slower = Vec::new();
    for (kind, (request, count)) in REQUESTS.iter().enumerate() {
        let (few, many) = (&few.figures[kind], &many.figures[kind]);
        let rounds: Vec<f64> =
            few.iter().zip(many).map(|(few, many)| p(95, many) / p(95, few)).collect();
        let (few, many) = (few.concat(), many.concat());
        println!(
            "{:14} p50 {:6.1} | {:6.1} ms   p95 {:6.1} | {:6.1} ms   ratio of p95 {:.2}, median of the \
             rounds {:.2}   ({} each)",
            request.name(),
            p(50, &few),
            p(50, &many),
            p(95, &few),
            p(95, &many),
            p(95, &many) / p(95, &few),
            p(50, &rounds),
            count * TURNS * u32::try_from(rounds.len())?,
        );
        if p(95, &many) > p(95, &few) * AT_MOST {
            slower.push(format!("{} takes longer among many", request.name()));
        }
    }
    Ok(slower)
}

/// A percentile.
fn p(percent: usize, figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let nth = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(nth).copied().unwrap_or_default()
}
