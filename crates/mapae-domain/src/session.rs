//! Sessions: what a log-in opens, and the family of refresh tokens that keeps it open.
//!
//! A session has a generation, which goes up at each refresh; a refresh token is one generation of
//! one session. The token that was just replaced is honoured for a little while and gives the same
//! successor again, so that a lost answer or two tabs at once log nobody out; used later, it must
//! be somebody's copy, and the session ends (RFC 9700 §4.14.2).

use std::net::IpAddr;
use std::time::Duration;

use crate::id::{SessionId, UserId};
use crate::time::Timestamp;
use crate::token::AuthMethod;

/// The numbers of sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionPolicy {
    /// How long an access token is good.
    pub access_lifetime: Duration,
    /// How long a session lives without a refresh.
    pub refresh_lifetime: Duration,
    /// How long a session lives at the most.
    pub session_lifetime: Duration,
    /// How long after a refresh the replaced token gives its successor again.
    pub reuse_window: Duration,
    /// How long ago a person may have shown who they are, to change a contact or a password (ASVS
    /// 5.0 7.5.1).
    pub reauthenticate_after: Duration,
}

impl Default for SessionPolicy {
    fn default() -> Self {
        Self {
            access_lifetime: Duration::from_secs(10 * 60),
            refresh_lifetime: Duration::from_secs(7 * 24 * 60 * 60),
            session_lifetime: Duration::from_secs(90 * 24 * 60 * 60),
            reuse_window: Duration::from_secs(60),
            reauthenticate_after: Duration::from_secs(10 * 60),
        }
    }
}

/// A number of the policy is outside its bounds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("tokens.{setting} must be {bound}")]
pub struct SessionPolicyOutOfBounds {
    /// The setting's name.
    pub setting: &'static str,
    /// What it must be.
    pub bound: &'static str,
}

impl SessionPolicy {
    /// Checks each number against its bounds.
    ///
    /// # Errors
    /// [`SessionPolicyOutOfBounds`] naming the first setting that is outside.
    pub fn check(self) -> Result<Self, SessionPolicyOutOfBounds> {
        let bounded = |within, setting, bound| {
            if within { Ok(()) } else { Err(SessionPolicyOutOfBounds { setting, bound }) }
        };
        let (minute, day) = (Duration::from_secs(60), Duration::from_secs(86_400));
        bounded(
            (minute..=day).contains(&self.access_lifetime),
            "access_lifetime",
            "between 1m and 24h",
        )?;
        bounded(
            self.refresh_lifetime >= self.access_lifetime,
            "refresh_lifetime",
            "at least access_lifetime",
        )?;
        bounded(
            self.session_lifetime >= self.refresh_lifetime,
            "session_lifetime",
            "at least refresh_lifetime",
        )?;
        bounded(self.session_lifetime <= day * 3_650, "session_lifetime", "at most 3650 days")?;
        bounded(
            self.reuse_window <= Duration::from_secs(300),
            "reuse_window",
            "between 0s and 300s",
        )?;
        bounded(
            (minute..=day).contains(&self.reauthenticate_after),
            "reauthenticate_after",
            "between 1m and 24h",
        )?;
        Ok(self)
    }
}

/// Why a session ended before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionEnd {
    /// Its user logged out.
    Revoked,
    /// A replaced refresh token was used too late.
    Replayed,
    /// Its user changed the password, was disabled, or left.
    AuthenticationChanged,
}

impl SessionEnd {
    /// The name in stores.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Revoked => "revoked",
            Self::Replayed => "replayed",
            Self::AuthenticationChanged => "authentication_changed",
        }
    }

    /// The reason of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Revoked, Self::Replayed, Self::AuthenticationChanged]
            .into_iter()
            .find(|end| end.as_str() == name)
    }
}

/// Random bytes that a session's refresh tokens are derived from, with the server's secret.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionSeed([u8; 32]);

impl SessionSeed {
    /// The seed of these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, to derive from and to store; for nothing else.
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl std::fmt::Debug for SessionSeed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionSeed(…)")
    }
}

/// From where a session was opened, for its user to recognise it by.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SessionClient {
    /// What the device or program calls itself.
    pub device: Option<String>,
    /// The network address that it asked from.
    pub address: Option<IpAddr>,
}

impl SessionClient {
    /// Greatest length of what is kept of a device's name, in characters.
    pub const MAX_DEVICE: usize = 120;

    /// A client that calls itself so, asking from there. Whatever it calls itself is cut to a length
    /// and rid of control characters: it is for people to read.
    pub fn new(device: Option<&str>, address: Option<IpAddr>) -> Self {
        let shown = |device: &str| {
            let visible = device.chars().filter(|c| !c.is_control());
            visible.take(Self::MAX_DEVICE).collect::<String>().trim().to_owned()
        };
        Self { device: device.map(shown).filter(|device| !device.is_empty()), address }
    }
}

impl std::fmt::Debug for SessionClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionClient(…)")
    }
}

/// A session as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRecord {
    /// The id: `sid` in access tokens.
    pub id: SessionId,
    /// Whose it is.
    pub user: UserId,
    /// The generation of the refresh token that is current.
    pub generation: u32,
    /// What the session's refresh tokens are derived from.
    pub seed: SessionSeed,
    /// The user's authentication generation when the session was opened.
    pub auth_generation: u32,
    /// When the person last showed who they are.
    pub authenticated_at: Timestamp,
    /// How they did.
    pub methods: Vec<AuthMethod>,
    /// From where it was opened.
    pub client: SessionClient,
    /// When the session was opened.
    pub created_at: Timestamp,
    /// When the current refresh token was made.
    pub rotated_at: Timestamp,
    /// Until when the current refresh token is good.
    pub idle_expires_at: Timestamp,
    /// When the session ends, whatever is refreshed.
    pub expires_at: Timestamp,
    /// When and why it ended before that.
    pub ended: Option<(Timestamp, SessionEnd)>,
}

/// What opens a session.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// The id.
    pub id: SessionId,
    /// Whose it is.
    pub user: UserId,
    /// The user's authentication generation.
    pub auth_generation: u32,
    /// Random bytes for its refresh tokens.
    pub seed: SessionSeed,
    /// How the person showed who they are, now.
    pub methods: Vec<AuthMethod>,
    /// From where.
    pub client: SessionClient,
}

/// What becomes of a refresh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefreshDecision {
    /// The session goes on in the next generation, whose token is the answer. Store it by compare
    /// and swap of the generation: whoever loses asks again and is given [`Self::Repeat`].
    Rotate(Session),
    /// The answer is the token of the current generation, once more. Nothing is stored.
    Repeat,
    /// Refused, and the session has ended: store that.
    End(Session),
    /// Refused: the session had ended before, or its time was up.
    Refuse,
}

/// What a log-in opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session(SessionRecord);

impl Session {
    /// Opens a session.
    pub fn open(new: NewSession, policy: &SessionPolicy, now: Timestamp) -> Self {
        Self(SessionRecord {
            id: new.id,
            user: new.user,
            generation: 0,
            seed: new.seed,
            auth_generation: new.auth_generation,
            authenticated_at: now,
            methods: new.methods,
            client: new.client,
            created_at: now,
            rotated_at: now,
            idle_expires_at: now.plus(policy.refresh_lifetime.min(policy.session_lifetime)),
            expires_at: now.plus(policy.session_lifetime),
            ended: None,
        })
    }

    /// The session that was stored.
    pub const fn from_record(record: SessionRecord) -> Self {
        Self(record)
    }

    /// What to store.
    pub const fn record(&self) -> &SessionRecord {
        &self.0
    }

    /// The id.
    pub const fn id(&self) -> SessionId {
        self.0.id
    }

    /// Whether it is open at `now` for a user of that authentication generation.
    pub fn is_open(&self, auth_generation: u32, now: Timestamp) -> bool {
        self.0.ended.is_none()
            && self.0.auth_generation == auth_generation
            && !self.0.idle_expires_at.is_expired(now)
            && !self.0.expires_at.is_expired(now)
    }

    /// Whether the person showed who they are so lately that they may change a contact or a
    /// password.
    pub fn is_fresh(&self, policy: &SessionPolicy, now: Timestamp) -> bool {
        !self.0.authenticated_at.plus(policy.reauthenticate_after).is_expired(now)
    }

    /// The session after its user has shown who they are once more: of the user's authentication
    /// generation from now on.
    #[must_use]
    pub fn reauthenticate(
        self,
        methods: Vec<AuthMethod>,
        auth_generation: u32,
        now: Timestamp,
    ) -> Self {
        let mut record = self.0;
        record.methods = methods;
        record.auth_generation = auth_generation;
        record.authenticated_at = now;
        Self(record)
    }

    /// Decides on a refresh token of generation `presented`, which the caller knows to be genuine.
    pub fn refresh(
        self,
        presented: u32,
        auth_generation: u32,
        policy: &SessionPolicy,
        now: Timestamp,
    ) -> RefreshDecision {
        if self.0.ended.is_none() && self.0.auth_generation != auth_generation {
            return RefreshDecision::End(self.end(SessionEnd::AuthenticationChanged, now));
        }
        if !self.is_open(auth_generation, now) {
            return RefreshDecision::Refuse;
        }
        if presented == self.0.generation {
            let mut record = self.0;
            record.generation += 1;
            record.rotated_at = now;
            record.idle_expires_at = now.plus(policy.refresh_lifetime).min(record.expires_at);
            return RefreshDecision::Rotate(Self(record));
        }
        let just_replaced = presented.checked_add(1) == Some(self.0.generation);
        let window_ends = self.0.rotated_at.plus(policy.reuse_window);
        if just_replaced && !window_ends.is_expired(now) {
            return RefreshDecision::Repeat;
        }
        RefreshDecision::End(self.end(SessionEnd::Replayed, now))
    }

    /// Ends the session; one that has ended stays as it is.
    #[must_use]
    pub fn end(self, why: SessionEnd, now: Timestamp) -> Self {
        let mut record = self.0;
        record.ended.get_or_insert((now, why));
        Self(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const START: Timestamp = Timestamp::from_seconds(1_700_000_000);

    fn after(seconds: u64) -> Timestamp {
        START.plus(Duration::from_secs(seconds))
    }

    fn open() -> Session {
        let mut random = |bytes: &mut [u8]| bytes.fill(7);
        let new = NewSession {
            id: SessionId::draw(START, &mut random),
            user: UserId::draw(START, &mut random),
            auth_generation: 3,
            seed: SessionSeed::from_bytes([0; 32]),
            methods: vec![AuthMethod::Password],
            client: SessionClient::default(),
        };
        Session::open(new, &SessionPolicy::default(), START)
    }

    fn refresh(session: &Session, presented: u32, now: Timestamp) -> RefreshDecision {
        session.clone().refresh(presented, 3, &SessionPolicy::default(), now)
    }

    fn rotated(session: &Session, presented: u32, now: Timestamp) -> Session {
        match refresh(session, presented, now) {
            RefreshDecision::Rotate(next) => next,
            other => panic!("expected a rotation, got {other:?}"),
        }
    }

    fn ended(decision: &RefreshDecision) -> Option<SessionEnd> {
        match decision {
            RefreshDecision::End(session) => session.record().ended.map(|(_, why)| why),
            _ => None,
        }
    }

    #[test]
    fn a_replaced_token_gives_its_successor_again_within_the_window() {
        let next = rotated(&open(), 0, after(10));
        assert_eq!(refresh(&next, 0, after(10)), RefreshDecision::Repeat);
        assert_eq!(refresh(&next, 0, after(69)), RefreshDecision::Repeat);
        // The window is fixed: the repeat above did not move it.
        assert_eq!(ended(&refresh(&next, 0, after(70))), Some(SessionEnd::Replayed));
    }

    #[test]
    fn what_a_device_calls_itself_is_cut_and_cleaned() {
        let device = |name: &str| SessionClient::new(Some(name), None).device;
        assert_eq!(device(" Phone\r\nof \u{1b}[31mMinji "), Some("Phoneof [31mMinji".to_owned()));
        assert_eq!(device(&"가".repeat(500)).map(|name| name.chars().count()), Some(120));
        assert_eq!(device("\n \t"), None);
    }

    #[test]
    fn a_token_of_two_generations_ago_ends_the_session() {
        let next = rotated(&rotated(&open(), 0, after(10)), 1, after(20));
        assert_eq!(ended(&refresh(&next, 0, after(20))), Some(SessionEnd::Replayed));
    }

    #[test]
    fn an_ended_session_stays_ended_for_the_current_token_too() {
        let ended = open().end(SessionEnd::Revoked, after(1));
        assert_eq!(refresh(&ended, 0, after(2)), RefreshDecision::Refuse);
        let again = ended.clone().end(SessionEnd::Replayed, after(3));
        assert_eq!(again, ended);
    }

    #[test]
    fn a_session_ends_when_idle_and_at_its_absolute_end() {
        let (day, week) = (86_400, 7 * 86_400);
        assert!(matches!(refresh(&open(), 0, after(week - 1)), RefreshDecision::Rotate(_)));
        assert_eq!(refresh(&open(), 0, after(week)), RefreshDecision::Refuse);
        let mut session = open();
        for (generation, at) in (0..15).map(|n| (n, after(u64::from(n) * 6 * day))) {
            session = rotated(&session, generation, at);
        }
        let end = after(90 * day);
        assert_eq!(session.record().idle_expires_at, end, "idle never outlives the session");
        assert_eq!(refresh(&session, 15, end), RefreshDecision::Refuse);
    }

    #[test]
    fn a_raised_authentication_generation_ends_older_sessions() {
        let decision = open().refresh(0, 4, &SessionPolicy::default(), after(1));
        assert_eq!(ended(&decision), Some(SessionEnd::AuthenticationChanged));
        assert!(!open().is_open(4, after(1)));
    }

    #[test]
    fn every_number_of_the_policy_has_its_bounds() {
        let default = SessionPolicy::default();
        assert!(default.clone().check().is_ok());
        let second = Duration::from_secs(1);
        for policy in [
            SessionPolicy { access_lifetime: second, ..default.clone() },
            SessionPolicy { refresh_lifetime: second, ..default.clone() },
            SessionPolicy { session_lifetime: second, ..default.clone() },
            SessionPolicy { reuse_window: Duration::from_secs(301), ..default },
        ] {
            assert!(policy.clone().check().is_err(), "{policy:?}");
        }
    }

    proptest! {
        #[test]
        fn never_more_than_one_live_branch(
            calls in prop::collection::vec((0_u32..6, 0_u64..120), 0..40),
        ) {
            let mut session = open();
            let mut now = START;
            for (back, seconds) in calls {
                now = now.plus(Duration::from_secs(seconds));
                let generation = session.record().generation;
                let presented = generation.saturating_sub(back);
                match refresh(&session, presented, now) {
                    RefreshDecision::Rotate(next) => {
                        prop_assert_eq!(presented, generation);
                        prop_assert_eq!(next.record().generation, generation + 1);
                        session = next;
                    }
                    // The answer is the current generation, so there is still one branch.
                    RefreshDecision::Repeat => prop_assert_eq!(presented + 1, generation),
                    RefreshDecision::End(next) => {
                        prop_assert!(presented < generation);
                        session = next;
                    }
                    RefreshDecision::Refuse => prop_assert!(session.record().ended.is_some()
                        || session.record().idle_expires_at.is_expired(now)),
                }
            }
        }
    }
}
