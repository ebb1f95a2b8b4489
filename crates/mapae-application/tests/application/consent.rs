//! What people are asked to agree to, what is kept of it, and what they are told.

use mapae_application::Settings;
use mapae_application::consent::{
    ConsentDemand, ConsentError, ConsentInput, ConsentsView, DecideConsents, DueReminder,
};
use mapae_application::ports::Store as _;
use mapae_application::registration::{Register, RegisterError, RegistrationView};
use mapae_application::session::{Authenticated, LogIn, TokenPair};
use mapae_domain::consent::{
    AskedDocument, ConsentChannel, ConsentKind, ConsentText, RECONFIRM_AFTER,
};
use mapae_domain::session::SessionClient;
use mapae_domain::{Consent, ConsentDocument, ConsentPolicy, EmailAddress, InvalidValue, Locale};
use zeroize::Zeroizing;

use crate::{PASSWORD, World, by_email, email};

const MINJI: &str = "minji@example.com";
const SIGN_UP: &str = "198.51.100.4";
const LATER: &str = "2001:db8::4";

fn asked(name: &str, version: &str, kind: ConsentKind, required: bool) -> AskedDocument {
    let title = |title: &str| ConsentText { title: title.to_owned(), url: None, text: None };
    AskedDocument {
        document: ConsentDocument::parse(name, version).expect("a document"),
        kind,
        required,
        texts: vec![(Locale::Ko, title("소식")), (Locale::En, title("news"))],
    }
}

pub(crate) fn settings(version: &str) -> Settings {
    let documents = vec![
        asked("terms", version, ConsentKind::Agreement, true),
        asked("news", version, ConsentKind::Marketing, false),
        AskedDocument::age(14),
    ];
    let consents = ConsentPolicy::new(documents).expect("a policy");
    Settings { consents, ..Settings::default() }
}

fn from(address: &str) -> SessionClient {
    SessionClient::new(None, address.parse().ok())
}

pub(crate) type Given<'a> = &'a [(&'a str, &'a str, bool)];

pub(crate) fn inputs(given: Given<'_>) -> Vec<ConsentInput> {
    let input = |(document, version, accepted): &(&str, &str, bool)| ConsentInput {
        document: (*document).to_owned(),
        version: (*version).to_owned(),
        accepted: *accepted,
    };
    given.iter().map(input).collect()
}

async fn register(world: &World, given: Given<'_>) -> Result<RegistrationView, RegisterError> {
    let consents = inputs(given);
    world.register(Register { consents, client: from(SIGN_UP), ..by_email(MINJI) }).await
}

pub(crate) const ALL: Given<'static> =
    &[("terms", "1", true), ("news", "1", true), ("age", "14", true)];
const LEAST: Given<'static> = &[("terms", "1", true), ("age", "14", true)];

/// A user who has decided so, logged in.
pub(crate) async fn user(world: &World, given: Given<'_>) -> TokenPair {
    let registration = register(world, given).await.expect("a sign-up");
    let code = world.code_to(&email(MINJI)).await;
    world.check(registration.verifications[0].id, &code).await.expect("the right code");
    log_in(world).await
}

async fn log_in(world: &World) -> TokenPair {
    let password = Zeroizing::new(PASSWORD.to_owned());
    let command = LogIn { login: MINJI.to_owned(), password, client: SessionClient::default() };
    world.application.log_in(command).await.unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) async fn caller(world: &World, pair: &TokenPair) -> Authenticated {
    let caller = world.application.authenticate(&pair.access_token).await;
    caller.unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) async fn decide(
    world: &World,
    caller: &Authenticated,
    given: Given<'_>,
) -> Result<ConsentsView, ConsentError> {
    let command = DecideConsents { consents: inputs(given), client: from(LATER) };
    world.application.decide_consents(caller, command).await
}

/// What was ever sent about advertising, oldest first.
async fn told(world: &World) -> Vec<String> {
    world.deliver().await;
    let minji = EmailAddress::parse(MINJI).expect("an address");
    let mails = world.emails.sent().into_iter().filter(|mail| mail.to == minji);
    let texts = mails.map(|mail| mail.content.text);
    texts.filter(|text| text.contains("marketing=")).collect()
}

fn names(demands: &[ConsentDemand]) -> Vec<(&str, bool)> {
    demands.iter().map(|demand| (demand.document.name(), demand.required)).collect()
}

#[tokio::test]
async fn a_sign_up_without_a_required_consent_stores_nothing_and_names_it() {
    let world = World::with(settings("1"));
    let table: [(Given<'_>, &[(&str, InvalidValue)]); 4] = [
        (
            &[],
            &[("consents.terms", InvalidValue::Required), ("consents.age", InvalidValue::Required)],
        ),
        (
            &[("terms", "0", true), ("age", "14", true)],
            &[("consents.terms", InvalidValue::Outdated)],
        ),
        (
            &[("terms", "1", true), ("age", "14", false)],
            &[("consents.age", InvalidValue::Required)],
        ),
        (
            &[
                ("terms", "1", true),
                ("my secret", "1", true),
                ("age", "14", true),
                ("x", "1", true),
            ],
            &[
                ("consents[1].document", InvalidValue::Malformed),
                ("consents[3].document", InvalidValue::UnknownValue),
            ],
        ),
    ];
    for (given, expected) in table {
        let Err(RegisterError::Invalid(errors)) = register(&world, given).await else {
            panic!("{given:?} was taken")
        };
        let errors: Vec<_> = errors.iter().map(|one| (one.field.as_ref(), one.reason)).collect();
        assert_eq!(errors, expected, "{given:?}");
    }
    world.deliver().await;
    let minji = EmailAddress::parse(MINJI).expect("an address");
    assert!(world.emails.last_to(&minji).is_none(), "nobody was written to");
    register(&world, LEAST).await.expect("what is required is enough");
}

#[tokio::test]
async fn each_decision_is_kept_with_version_time_way_and_address() {
    let world = World::with(settings("1"));
    let pair = user(&world, ALL).await;
    let signed_up = world.application.now();
    world.wait(60);
    let caller = caller(&world, &pair).await;
    let view = decide(&world, &caller, &[("news", "1", false)]).await.expect("a decision");
    let history: Vec<_> = view
        .history
        .iter()
        .map(|one| {
            let address = one.by.address.map(|address| address.to_string());
            (one.document.name(), one.accepted, one.required, one.by.channel, address)
        })
        .collect();
    let (at_first, later) = (Some(ConsentChannel::SignUp), Some(ConsentChannel::Account));
    let address = |address: &str| Some(address.to_owned());
    let expected = [
        ("terms", true, true, at_first, address(SIGN_UP)),
        ("news", true, false, at_first, address(SIGN_UP)),
        ("age", true, true, at_first, address(SIGN_UP)),
        ("news", false, false, later, address(LATER)),
    ];
    assert_eq!(history, expected);
    let times: Vec<_> = view.history.iter().map(|one| one.decided_at).collect();
    let now = world.application.now();
    assert_eq!(times, [signed_up, signed_up, signed_up, now]);
    let kept = world.application.consents(&caller).await.expect("consents");
    assert_eq!(kept.history, view.history, "what was answered is what is kept");
}

#[tokio::test]
async fn a_decision_that_says_the_same_again_adds_nothing() {
    let world = World::with(settings("1"));
    let pair = user(&world, ALL).await;
    let caller = caller(&world, &pair).await;
    let view = decide(&world, &caller, ALL).await.expect("decisions");
    assert_eq!(view.history.len(), 3);
    assert_eq!(told(&world).await.len(), 1, "the sign-up's confirmation alone");
}

#[tokio::test]
async fn what_is_required_cannot_be_refused_later_nor_decided_in_another_version() {
    let world = World::with(settings("2"));
    let given: Given<'_> = &[("terms", "2", true), ("age", "14", true)];
    let pair = user(&world, given).await;
    let caller = caller(&world, &pair).await;
    let table: [(Given<'_>, &str, InvalidValue); 3] = [
        (&[("terms", "2", false)], "consents.terms", InvalidValue::Required),
        (&[("news", "1", true)], "consents.news", InvalidValue::Outdated),
        (&[("cookies", "1", true)], "consents[0].document", InvalidValue::UnknownValue),
    ];
    for (given, field, reason) in table {
        let Err(ConsentError::Invalid(errors)) = decide(&world, &caller, given).await else {
            panic!("{given:?} was taken")
        };
        assert_eq!((errors[0].field.as_ref(), errors[0].reason), (field, reason));
    }
    let kept = world.application.consents(&caller).await.expect("consents");
    assert_eq!(kept.history.len(), 2);
}

#[tokio::test]
async fn a_new_version_asks_again_at_every_log_in_until_it_is_decided() {
    let world = World::with(settings("1"));
    let pair = user(&world, ALL).await;
    assert_eq!(names(&pair.consents_required), []);
    let world = World { application: world.with_settings(settings("2")), ..world };
    for _ in 0..2 {
        let pair = log_in(&world).await;
        assert_eq!(names(&pair.consents_required), [("terms", true), ("news", false)]);
        assert!(pair.consents_required.iter().all(|one| one.document.version() == "2"));
        let refreshed = world.application.refresh(&pair.refresh_token, &from(LATER)).await;
        let refreshed = refreshed.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(names(&refreshed.consents_required), [], "a refresh asks nobody");
    }
    let pair = log_in(&world).await;
    let caller = caller(&world, &pair).await;
    let view = decide(&world, &caller, &[("terms", "2", true)]).await.expect("a decision");
    let outstanding = view.asked.iter().filter(|one| one.outstanding);
    let outstanding: Vec<_> = outstanding.map(|one| one.asked.document.name()).collect();
    assert_eq!(outstanding, ["news"]);
    decide(&world, &caller, &[("news", "2", false)]).await.expect("a decision");
    assert_eq!(names(&log_in(&world).await.consents_required), []);
}

#[tokio::test]
async fn the_history_outlives_the_documents() {
    let world = World::with(settings("1"));
    let pair = user(&world, ALL).await;
    let before = {
        let caller = caller(&world, &pair).await;
        world.application.consents(&caller).await.expect("consents").history
    };
    let other = ConsentPolicy::new(vec![asked("privacy", "7", ConsentKind::Agreement, false)]);
    let other = Settings { consents: other.expect("a policy"), ..Settings::default() };
    let world = World { application: world.with_settings(other), ..world };
    let pair = log_in(&world).await;
    let caller = caller(&world, &pair).await;
    decide(&world, &caller, &[("privacy", "7", true)]).await.expect("a decision");
    let view = world.application.consents(&caller).await.expect("consents");
    assert_eq!(view.history[..3], before[..]);
    assert_eq!(view.asked.len(), 1);
    let export = world.application.export(&caller).await.expect("an export");
    assert_eq!(export.consents, view.history);
}

#[tokio::test]
async fn advertising_is_confirmed_with_its_date_when_it_begins_and_when_it_ends() {
    let world = World::with(settings("1"));
    let pair = user(&world, ALL).await;
    let at = world.application.now().as_seconds();
    let expected = format!("locale=en reminder=false marketing=news accepted=true at={at}");
    assert_eq!(told(&world).await, std::slice::from_ref(&expected));
    world.wait(86_400);
    let pair = match world.application.refresh(&pair.refresh_token, &from(LATER)).await {
        Ok(pair) => pair,
        Err(error) => panic!("{error}"),
    };
    let caller = caller(&world, &pair).await;
    decide(&world, &caller, &[("news", "1", false)]).await.expect("a decision");
    let at = at + 86_400;
    let ended = format!("locale=en reminder=false marketing=news accepted=false at={at}");
    assert_eq!(told(&world).await, [expected, ended]);
}

#[tokio::test]
async fn who_wants_no_advertising_is_not_written_to_about_it() {
    let world = World::with(settings("1"));
    user(&world, &[("terms", "1", true), ("news", "1", false), ("age", "14", true)]).await;
    assert_eq!(told(&world).await, Vec::<String>::new());
}

async fn due(world: &World) -> Vec<DueReminder> {
    world.application.due_reminders(world.application.now(), 10).await.expect("reminders")
}

#[tokio::test]
async fn consent_to_advertising_is_reconfirmed_every_two_years_once() {
    let world = World::with(settings("1"));
    let pair = user(&world, ALL).await;
    let decided_at = world.application.now();
    assert_eq!(told(&world).await.len(), 1);
    world.wait(RECONFIRM_AFTER.as_secs());
    assert_eq!(due(&world).await, [], "not before the instant is over");
    world.wait(1);
    let found = due(&world).await;
    let [reminder] = &found[..] else { panic!("{found:?}") };
    assert_eq!((reminder.user, reminder.decided_at), (pair.user, decided_at));
    let (first, second) =
        tokio::join!(world.application.remind(reminder), world.application.remind(reminder));
    let sent = [first.expect("a reminder"), second.expect("a reminder")];
    assert_eq!(sent.iter().filter(|sent| **sent).count(), 1, "once, whoever asks at the same time");
    let mails = told(&world).await;
    let at = decided_at.as_seconds();
    let expected = format!("locale=en reminder=true marketing=news accepted=true at={at}");
    assert_eq!(mails.last(), Some(&expected), "it tells when they agreed");
    assert_eq!(mails.len(), 2);
    assert_eq!(due(&world).await, []);
    world.wait(RECONFIRM_AFTER.as_secs() + 1);
    assert_eq!(due(&world).await.len(), 1, "two years after that");
}

#[tokio::test]
async fn nobody_is_reminded_of_what_they_have_ended_or_of_an_account_that_is_closed() {
    let world = World::with(settings("1"));
    let pair = user(&world, ALL).await;
    world.wait(RECONFIRM_AFTER.as_secs() + 1);
    let [reminder] = &due(&world).await[..] else { panic!("one is due") };
    let disabled = mapae_domain::user::UserStatus::Disabled;
    world.application.set_user_status(MINJI, disabled).await.expect("disabled");
    assert_eq!(due(&world).await, []);
    assert!(!world.application.remind(reminder).await.expect("no reminder"), "of a closed account");
    let active = mapae_domain::user::UserStatus::Active;
    world.application.set_user_status(MINJI, active).await.expect("enabled");
    let pair = TokenPair { access_token: log_in(&world).await.access_token, ..pair };
    let caller = caller(&world, &pair).await;
    decide(&world, &caller, &[("news", "1", false)]).await.expect("a decision");
    assert_eq!(due(&world).await, []);
    assert!(!world.application.remind(reminder).await.expect("no reminder"), "of what has ended");
    let mut view = world.store.read().await.expect("a view");
    let history: Vec<Consent> = view.consents_of_user(pair.user).await.expect("consents");
    assert!(history.iter().all(|one| one.reconfirm_at.is_none() && one.reminded_at.is_none()));
}

#[tokio::test]
async fn nobody_decides_without_end() {
    let world = World::with(settings("1"));
    let pair = user(&world, LEAST).await;
    let caller = caller(&world, &pair).await;
    for _ in 0..9 {
        decide(&world, &caller, &[("news", "1", true)]).await.expect("an agreement");
        decide(&world, &caller, &[("news", "1", false)]).await.expect("its end");
    }
    decide(&world, &caller, &[("news", "1", true)]).await.expect("the tenth");
    decide(&world, &caller, &[("news", "1", false)]).await.expect("to end it is always possible");
    let refused = decide(&world, &caller, &[("news", "1", true)]).await;
    assert!(matches!(refused, Err(ConsentError::TooOften { .. })));
    decide(&world, &caller, LEAST).await.expect("what says the same again is no decision");
    world.wait(86_400);
    let caller = {
        let pair = log_in(&world).await;
        self::caller(&world, &pair).await
    };
    decide(&world, &caller, &[("news", "1", true)]).await.expect("a day later");
}
