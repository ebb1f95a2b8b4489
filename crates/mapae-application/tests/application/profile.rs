//! The name that somebody logs in with, and the contact that their messages go to.

use mapae_application::Settings;
use mapae_application::registration::{Register, RegisterError};
use mapae_application::session::{Authenticated, LogIn, LogInError, TokenPair};
use mapae_application::user::{ChangeProfile, ChangeProfileError, ContactError};
use mapae_domain::session::SessionClient;
use mapae_domain::{
    AuditKind, Channel, ContactId, EmailAddress, PhoneNumber, Region, RegistrationPolicy, User,
};
use zeroize::Zeroizing;

use crate::{PASSWORD, World, by_email, email, phone};

const MINJI: &str = "minji@example.com";
const NUMBER: &str = "010-1234-5678";

async fn log_in(world: &World, login: &str) -> Result<TokenPair, LogInError> {
    let password = Zeroizing::new(PASSWORD.to_owned());
    let client = SessionClient::default();
    world.application.log_in(LogIn { login: login.to_owned(), password, client }).await
}

async fn caller(world: &World, login: &str) -> Authenticated {
    let pair = log_in(world, login).await.unwrap_or_else(|error| panic!("{error}"));
    let caller = world.application.authenticate(&pair.access_token).await;
    caller.unwrap_or_else(|error| panic!("{error}"))
}

async fn rename(
    world: &World,
    caller: &Authenticated,
    username: Option<&str>,
) -> Result<User, ChangeProfileError> {
    let username = Some(username.map(str::to_owned));
    let command = ChangeProfile { username, ..ChangeProfile::default() };
    world.application.change_profile(caller, command, &SessionClient::default()).await
}

async fn events(world: &World, caller: &Authenticated) -> Vec<AuditKind> {
    let events = world.application.events(caller).await.expect("events");
    events.iter().map(|event| event.kind).collect()
}

fn named(username: &str, address: &str) -> Register {
    Register { username: Some(username.to_owned()), ..by_email(address) }
}

#[tokio::test]
async fn another_username_logs_in_and_the_one_before_is_nobodys_for_30_days() {
    let world = World::new();
    world.user(MINJI).await;
    let caller = caller(&world, MINJI).await;
    rename(&world, &caller, Some("minji")).await.expect("a first name");
    log_in(&world, "MinJi").await.expect("the name logs in");
    rename(&world, &caller, Some("minji.kim")).await.expect("another name");
    log_in(&world, "minji.kim").await.expect("the new name logs in");
    assert!(matches!(log_in(&world, "minji").await, Err(LogInError::InvalidCredentials)));
    world.deliver().await;
    let minji = EmailAddress::parse(MINJI).expect("an address");
    let told = world.emails.last_to(&minji).expect("a mail").content.text;
    assert!(told.contains("notice=username_changed"), "{told}");
    world.wait(30 * 86_400 - 1);
    let early = world.register(named("minji", "rival@example.com")).await;
    assert!(matches!(early, Err(RegisterError::UsernameTaken)));
    world.wait(1);
    world.register(named("minji", "rival@example.com")).await.expect("it is free again");
    assert_eq!(events(&world, &caller).await, [AuditKind::UsernameChanged; 2]);
}

#[tokio::test]
async fn who_changes_their_mind_has_their_name_back() {
    let world = World::new();
    world.user(MINJI).await;
    let caller = caller(&world, MINJI).await;
    for name in ["minji", "other", "minji"] {
        rename(&world, &caller, Some(name)).await.expect("a name");
    }
    log_in(&world, "minji").await.expect("the first name logs in");
    let again = rename(&world, &caller, Some("Minji")).await.expect("the same name");
    assert_eq!(again.record().username.as_ref().map(|name| name.as_str()), Some("minji"));
    assert_eq!(events(&world, &caller).await.len(), 3, "the same name is no change");
}

#[tokio::test]
async fn a_username_that_somebody_has_is_refused_and_nothing_changes() {
    let world = World::new();
    world.user(MINJI).await;
    world.user("rival@example.com").await;
    let (minji, rival) = (caller(&world, MINJI).await, caller(&world, "rival@example.com").await);
    rename(&world, &rival, Some("wanted")).await.expect("a name");
    rename(&world, &minji, Some("minji")).await.expect("a name");
    world.register(named("reserved", "third@example.com")).await.expect("a sign-up");
    for taken in ["wanted", "WANTED", "reserved"] {
        let refused = rename(&world, &minji, Some(taken)).await;
        assert!(matches!(refused, Err(ChangeProfileError::UsernameTaken)), "{taken}");
    }
    log_in(&world, "minji").await.expect("the name is what it was");
    let wrong = rename(&world, &minji, Some("민지")).await;
    assert!(matches!(wrong, Err(ChangeProfileError::Invalid(_))));
}

#[tokio::test]
async fn another_username_asks_for_a_fresh_log_in_and_other_names_do_not() {
    let world = World::new();
    world.user(MINJI).await;
    let caller = caller(&world, MINJI).await;
    world.wait(601);
    let refused = rename(&world, &caller, Some("minji")).await;
    assert!(matches!(refused, Err(ChangeProfileError::ReauthenticationRequired)));
    let nickname = Some(Some("민지".to_owned()));
    let command = ChangeProfile { nickname, ..ChangeProfile::default() };
    let client = SessionClient::default();
    let user = world.application.change_profile(&caller, command, &client).await;
    let user = user.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(user.record().nickname.as_ref().map(|name| name.as_str()), Some("민지"));
}

#[tokio::test]
async fn the_last_way_in_is_not_given_up() {
    let require = RegistrationPolicy { require_email: false, ..RegistrationPolicy::default() };
    let world = World::with(Settings { registration: require, ..Settings::default() });
    let bare = Register { email: None, ..named("minji", MINJI) };
    world.register(bare).await.expect("an account without a contact");
    let caller = caller(&world, "minji").await;
    let refused = rename(&world, &caller, None).await;
    assert!(matches!(refused, Err(ChangeProfileError::LastWayIn)));
    rename(&world, &caller, Some("minji.kim")).await.expect("it can be changed");
}

/// An account with an address and a number, whose proofs are sent.
async fn with_both(world: &World) -> Authenticated {
    let both = Register { phone: Some(NUMBER.to_owned()), ..by_email(MINJI) };
    let registration = world.register(both).await.expect("a sign-up");
    for verification in &registration.verifications {
        let contact = match verification.channel {
            Channel::Email => email(MINJI),
            Channel::Sms => phone(NUMBER),
        };
        let code = world.code_to(&contact).await;
        world.check(verification.id, &code).await.expect("the right code");
    }
    caller(world, MINJI).await
}

fn contact_of(user: &User, channel: Channel) -> ContactId {
    let held = user.record().contacts.iter().find(|held| held.contact.channel() == channel);
    held.expect("a contact").id
}

#[tokio::test]
async fn messages_go_to_the_contact_that_was_chosen_and_the_one_before_is_told() {
    let policy = RegistrationPolicy { require_phone: true, ..RegistrationPolicy::default() };
    let world = World::with(Settings { registration: policy, ..Settings::default() });
    let caller = with_both(&world).await;
    let number = contact_of(&caller.user, Channel::Sms);
    let client = SessionClient::default();
    let choose = async |id| world.application.choose_primary_contact(&caller, id, &client).await;
    let user = choose(number).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(user.primary_contact().map(|held| held.id), Some(number));
    world.deliver().await;
    let minji = EmailAddress::parse(MINJI).expect("an address");
    let told = world.emails.last_to(&minji).expect("a mail").content.text;
    assert!(told.contains("notice=primary_contact_changed"), "{told}");
    rename(&world, &caller, Some("minji")).await.expect("a name");
    world.deliver().await;
    let phone = PhoneNumber::parse(NUMBER, Region::KR).expect("a number");
    let told = world.texts.last_to(&phone).expect("a short message").text;
    assert!(told.contains("notice=username_changed"), "{told}");
    choose(number).await.unwrap_or_else(|error| panic!("{error}"));
    let expected = [AuditKind::UsernameChanged, AuditKind::PrimaryContactChanged];
    assert_eq!(events(&world, &caller).await, expected, "the same contact is no change");
}

#[tokio::test]
async fn only_a_contact_of_ones_own_is_chosen_and_after_a_fresh_log_in() {
    let world = World::new();
    world.user("rival@example.com").await;
    world.user(MINJI).await;
    let (minji, rival) = (caller(&world, MINJI).await, caller(&world, "rival@example.com").await);
    let client = SessionClient::default();
    let theirs = contact_of(&rival.user, Channel::Email);
    let refused = world.application.choose_primary_contact(&minji, theirs, &client).await;
    assert!(matches!(refused, Err(ContactError::NotFound)));
    world.wait(601);
    let mine = contact_of(&minji.user, Channel::Email);
    let refused = world.application.choose_primary_contact(&minji, mine, &client).await;
    assert!(matches!(refused, Err(ContactError::ReauthenticationRequired)));
}

#[tokio::test]
async fn nobody_takes_one_name_after_another() {
    let world = World::new();
    world.user(MINJI).await;
    let caller = caller(&world, MINJI).await;
    for nth in 0..10 {
        rename(&world, &caller, Some(&format!("minji{nth}"))).await.expect("a name");
    }
    let refused = rename(&world, &caller, Some("minji10")).await;
    assert!(matches!(refused, Err(ChangeProfileError::TooOften { .. })));
    world.wait(30 * 86_400);
    let export = world.application.export(&caller).await.expect("an export");
    assert_eq!(export.former_usernames.len(), 9, "each that was let go of is in the export");
}
