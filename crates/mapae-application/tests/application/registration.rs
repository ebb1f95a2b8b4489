use mapae_application::Settings;
use mapae_application::registration::{GetRegistrationError, Register, RegisterError};
use mapae_application::session::{LogIn, RegistrationTokensError};
use mapae_application::verification::ProveError;
use mapae_domain::RegistrationPolicy;
use mapae_domain::registration::RegistrationRefused;
use mapae_domain::session::SessionClient;
use mapae_domain::verification::ProofRefused;
use zeroize::Zeroizing;

use crate::{World, by_email, email, phone, wrong};

fn settings(require_email: bool, require_phone: bool) -> Settings {
    let registration =
        RegistrationPolicy { require_email, require_phone, ..RegistrationPolicy::default() };
    Settings { registration, ..Settings::default() }
}

#[tokio::test]
async fn a_registration_is_gone_after_a_day() {
    let world = World::new();
    let registration = world.register(by_email("minji@example.com")).await.expect("a sign-up");
    world.wait(86_399);
    let ask = || world.application.registration(registration.id, &registration.token);
    assert!(ask().await.is_ok());
    world.wait(1);
    assert!(matches!(ask().await, Err(GetRegistrationError::Expired)));
    let tokens = world
        .application
        .take_registration_tokens(registration.id, &registration.token, &SessionClient::default())
        .await;
    assert!(matches!(tokens, Err(RegistrationTokensError::Refused(RegistrationRefused::Expired))));
}

#[tokio::test]
async fn a_reserved_username_is_free_again_when_its_registration_has_expired() {
    let world = World::new();
    let named =
        |address: &str| Register { username: Some("minji".to_owned()), ..by_email(address) };
    world.register(named("one@example.com")).await.expect("a sign-up");
    world.wait(86_399);
    let taken = world.register(named("two@example.com")).await;
    assert!(matches!(taken, Err(RegisterError::UsernameTaken)));
    world.wait(1);
    world.register(named("two@example.com")).await.expect("the name is free again");
}

#[tokio::test]
async fn a_users_name_is_never_free_again() {
    let world = World::new();
    let command = Register { username: Some("minji".to_owned()), ..by_email("minji@example.com") };
    let registration = world.register(command).await.expect("a sign-up");
    let code = world.code_to(&email("minji@example.com")).await;
    world.check(registration.verifications[0].id, &code).await.expect("the right code");
    world.wait(10 * 86_400);
    let again = Register { username: Some("MinJi".to_owned()), ..by_email("other@example.com") };
    assert!(matches!(world.register(again).await, Err(RegisterError::UsernameTaken)));
}

#[tokio::test]
async fn a_contact_that_need_not_be_proved_joins_the_account_when_it_is() {
    let world = World::with(settings(true, false));
    let command =
        Register { phone: Some("010-1234-5678".to_owned()), ..by_email("minji@example.com") };
    let registration = world.register(command).await.expect("a sign-up");
    let of = |channel| {
        let found = registration.verifications.iter().find(|v| v.channel == channel);
        found.expect("a verification of the channel").id
    };
    let mail = world.code_to(&email("minji@example.com")).await;
    let done = world.check(of(mapae_domain::Channel::Email), &mail).await.expect("the right code");
    let user = done.registration.and_then(|progress| progress.user).expect("a user");
    let sms = world.code_to(&phone("010-1234-5678")).await;
    let late = world.check(of(mapae_domain::Channel::Sms), &sms).await.expect("the right code");
    assert_eq!(late.registration.and_then(|progress| progress.user), Some(user));
    // The number is the account's now.
    let begin = world.begin("login", &phone("010-1234-5678")).await;
    let code = world.code_to(&phone("010-1234-5678")).await;
    let receipt = world.check(begin.id, &code).await.expect("the right code").receipt;
    let pair = world
        .application
        .log_in_with_receipt(&receipt.expect("a receipt"), &SessionClient::default())
        .await;
    let token = pair.expect("tokens").access_token;
    let caller = world.application.authenticate(&token).await.expect("a good token");
    assert_eq!(caller.user.id(), user);
}

#[tokio::test]
async fn a_contact_taken_while_the_other_was_proved_stops_the_registration() {
    let world = World::with(settings(true, true));
    let command =
        |number: &str| Register { phone: Some(number.to_owned()), ..by_email("minji@example.com") };
    let slow = world.register(command("010-1111-2222")).await.expect("a sign-up");
    let slow_mail = world.code_to(&email("minji@example.com")).await;
    let slow_sms = world.code_to(&phone("010-1111-2222")).await;
    let of = |view: &mapae_application::registration::RegistrationView, channel| {
        view.verifications.iter().find(|v| v.channel == channel).expect("one").id
    };
    let (mail, sms) = (mapae_domain::Channel::Email, mapae_domain::Channel::Sms);
    world.check(of(&slow, mail), &slow_mail).await.expect("the right code");

    let fast = world.register(command("010-3333-4444")).await.expect("a sign-up");
    let code = world.code_to(&email("minji@example.com")).await;
    world.check(of(&fast, mail), &code).await.expect("the right code");
    let code = world.code_to(&phone("010-3333-4444")).await;
    let done = world.check(of(&fast, sms), &code).await.expect("the right code");
    assert!(done.registration.is_some_and(|progress| progress.user.is_some()));

    let late = world.check(of(&slow, sms), &slow_sms).await;
    assert!(matches!(late, Err(ProveError::Refused(ProofRefused::ContactTaken))), "{late:?}");
}

#[tokio::test]
async fn who_has_proved_a_superseded_contact_is_told_once_and_a_guess_learns_nothing() {
    let world = World::new();
    let rival = world.register(by_email("owner@example.com")).await.expect("a sign-up");
    let rivals_code = world.code_to(&email("owner@example.com")).await;
    world.user("owner@example.com").await;
    let id = rival.verifications[0].id;
    let guess = world.check(id, &wrong(&rivals_code)).await;
    assert!(matches!(guess, Err(ProveError::Refused(ProofRefused::Mismatch { attempts_left: 4 }))));
    let proved = world.check(id, &rivals_code).await;
    assert!(matches!(proved, Err(ProveError::Refused(ProofRefused::ContactTaken))));
    let again = world.check(id, &rivals_code).await;
    assert!(matches!(again, Err(ProveError::Refused(ProofRefused::Cancelled))));
}

/// Lesson of the unverified address: whoever signs up first with somebody else's address waits for
/// its owner to prove it, and then logs in with the password of their own.
#[tokio::test]
async fn whoever_signed_up_first_with_anothers_address_gets_nothing_of_the_owners_account() {
    let world = World::new();
    let owner = "owner@example.com";
    let with_password = |password: &str| Register {
        password: Some(Zeroizing::new(password.to_owned())),
        ..by_email(owner)
    };
    let log_in = async |password: &str| {
        let (login, password) = (owner.to_owned(), Zeroizing::new(password.to_owned()));
        let command = LogIn { login, password, client: SessionClient::default() };
        world.application.log_in(command).await
    };
    // One: the squatter signs up with the owner's address.
    let squatters = world.register(with_password("the squatter's own")).await.expect("a sign-up");
    let squatters_code = world.code_to(&email(owner)).await;
    assert!(log_in("the squatter's own").await.is_err(), "a sign-up is no account");
    // Two: the owner, who has ignored that message, signs up as well: nothing is in the way.
    let owners = world.register(with_password("the owner's own")).await.expect("a sign-up");
    let owners_code = world.code_to(&email(owner)).await;
    // Three: the code of one sign-up is nothing to the other.
    let crossed = world.check(owners.verifications[0].id, &squatters_code).await;
    assert!(
        matches!(crossed, Err(ProveError::Refused(ProofRefused::Mismatch { .. }))),
        "{crossed:?}"
    );
    // Four: the owner proves it, and has an account with the password of their own sign-up.
    let done = world.check(owners.verifications[0].id, &owners_code).await.expect("the right code");
    let user = done.registration.and_then(|progress| progress.user).expect("a user");
    assert_eq!(log_in("the owner's own").await.expect("a log-in").user, user);
    // Five: the squatter comes back, by password, by token, and even by the code of their message.
    assert!(log_in("the squatter's own").await.is_err());
    let (application, client) = (&world.application, SessionClient::default());
    let late = world.check(squatters.verifications[0].id, &squatters_code).await;
    assert!(
        matches!(late, Err(ProveError::Refused(ProofRefused::ContactTaken))),
        "what was proved is told, and opens nothing: {late:?}"
    );
    let tokens =
        application.take_registration_tokens(squatters.id, &squatters.token, &client).await;
    assert!(tokens.is_err(), "no account came of that sign-up");
    let squatters = application.registration(squatters.id, &squatters.token).await;
    assert_eq!(squatters.expect("the sign-up").user, None);
    assert!(log_in("the squatter's own").await.is_err());
    assert_eq!(log_in("the owner's own").await.expect("a log-in").user, user);
}

#[tokio::test]
async fn a_registration_hashes_as_much_for_a_known_address_as_for_an_unknown_one() {
    let world = World::new();
    world.user("owner@example.com").await;
    for address in ["owner@example.com", "nobody@example.com"] {
        let before = world.hasher.computed();
        world.register(by_email(address)).await.expect("a sign-up");
        assert_eq!(world.hasher.computed() - before, 1, "{address}");
    }
}

#[tokio::test]
async fn a_store_that_lost_a_race_is_asked_again() {
    let world = World::new();
    world.store.make_next_commit_stale();
    world.register(by_email("minji@example.com")).await.expect("the second try");
    world.deliver().await;
    assert_eq!(world.emails.sent().len(), 1, "what was rolled back was not sent");
}

#[tokio::test]
async fn a_store_that_fails_leaves_nothing_behind() {
    let world = World::new();
    world.store.fail_next_commit();
    let named = Register { username: Some("minji".to_owned()), ..by_email("minji@example.com") };
    assert!(matches!(world.register(named).await, Err(RegisterError::Unavailable(_))));
    world.deliver().await;
    assert_eq!(world.emails.sent().len(), 0);
    let named = Register { username: Some("minji".to_owned()), ..by_email("minji@example.com") };
    world.register(named).await.expect("the username was not kept");
}

#[tokio::test]
async fn a_receipt_survives_a_sign_up_that_was_refused() {
    let world = World::with(settings(false, true));
    world
        .register(Register {
            username: Some("minji".to_owned()),
            phone: Some("01000001111".to_owned()),
            email: None,
            ..by_email("x@example.com")
        })
        .await
        .expect("a sign-up");
    let number = phone("010-1234-5678");
    let begun = world.begin("registration", &number).await;
    let code = world.code_to(&number).await;
    let receipt = world.check(begun.id, &code).await.expect("the right code").receipt;
    let receipt = receipt.expect("a receipt");
    let with = |username: &str| Register {
        username: Some(username.to_owned()),
        email: None,
        receipts: vec![receipt.clone()],
        ..by_email("x@example.com")
    };
    assert!(matches!(world.register(with("minji")).await, Err(RegisterError::UsernameTaken)));
    let done = world.register(with("minji2")).await.expect("the receipt is still good");
    assert!(done.user.is_some());
    assert!(matches!(world.register(with("minji3")).await, Err(RegisterError::ReceiptRefused)));
}

#[tokio::test]
async fn a_service_that_reveals_taken_contacts_says_so_at_once_and_sends_nothing() {
    let policy = RegistrationPolicy { reveal_taken: true, ..RegistrationPolicy::default() };
    let world = World::with(Settings { registration: policy, ..Settings::default() });
    world.user("minji@example.com").await;
    let sent = world.emails.sent().len();
    let taken = world.register(by_email("minji@example.com")).await;
    assert!(matches!(taken, Err(RegisterError::ContactTaken)));
    world.deliver().await;
    assert_eq!(world.emails.sent().len(), sent, "the owner is not bothered");
    world.register(by_email("other@example.com")).await.expect("a free address");
}

#[tokio::test]
async fn who_has_proved_a_contact_is_told_that_it_is_taken_in_either_mode() {
    for reveal_taken in [false, true] {
        let policy = RegistrationPolicy { reveal_taken, ..RegistrationPolicy::default() };
        let world = World::with(Settings { registration: policy, ..Settings::default() });
        let minji = email("minji@example.com");
        let begun = world.begin("registration", &minji).await;
        let code = world.code_to(&minji).await;
        let receipt = world.check(begun.id, &code).await.expect("the right code").receipt;
        world.user("minji@example.com").await;
        let receipts = vec![receipt.expect("a receipt").to_string()];
        let proved = Register { email: None, receipts, ..by_email("minji@example.com") };
        let taken = world.register(proved).await;
        assert!(matches!(taken, Err(RegisterError::ContactTaken)), "reveal_taken = {reveal_taken}");
    }
}
