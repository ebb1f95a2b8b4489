//! Contacts that come and go: each order of prove, undo, replace and expire, as
//! `docs/guides/contacts.md` has it.

use std::sync::Arc;
use std::time::Duration;

use mapae_application::Settings;
use mapae_application::ports::{Clock as _, Store as _};
use mapae_application::registration::Register;
use mapae_application::retention::{Retention, RetentionSettings};
use mapae_application::session::{Authenticated, LogIn, TokenPair};
use mapae_application::user::{ChangeContact, ContactError, UndoContactError};
use mapae_application::verification::{ProveError, VerificationView};
use mapae_domain::session::SessionClient;
use mapae_domain::verification::{ProofRefused, VerificationRecord};
use mapae_domain::{Channel, Contact, RegistrationPolicy, Verification};
use mapae_testkit::fake::link_key_in;
use zeroize::Zeroizing;

use crate::{PASSWORD, World, by_email, email, phone};

const OLD: &str = "minji@example.com";
const NEW: &str = "minji@new.example.com";
const THIRD: &str = "minji@third.example.com";

async fn log_in(world: &World, login: &str) -> Option<TokenPair> {
    let (login, password) = (login.to_owned(), Zeroizing::new(PASSWORD.to_owned()));
    let command = LogIn { login, password, client: SessionClient::default() };
    world.application.log_in(command).await.ok()
}

async fn caller(world: &World, login: &str) -> Authenticated {
    let pair = log_in(world, login).await.expect("a session");
    let caller = world.application.authenticate(&pair.access_token).await;
    caller.unwrap_or_else(|error| panic!("{error}"))
}

async fn begin(
    world: &World,
    caller: &Authenticated,
    to: &str,
) -> Result<VerificationView, ContactError> {
    let channel = if to.contains('@') { "email" } else { "sms" };
    let command =
        ChangeContact { channel: channel.to_owned(), to: to.to_owned(), idempotency: None };
    world.application.change_contact(caller, command).await
}

/// Begins and proves a change.
async fn change(world: &World, caller: &Authenticated, to: &str) {
    let begun = begin(world, caller, to).await.unwrap_or_else(|error| panic!("{error}"));
    let contact = if to.contains('@') { email(to) } else { phone(to) };
    let code = world.code_to(&contact).await;
    let proved = world.check(begun.id, &code).await.unwrap_or_else(|error| panic!("{error}"));
    assert!(proved.receipt.is_none(), "the account has had what it was worth");
    world.deliver().await;
}

/// The key of the last message to an address.
fn undo_key(world: &World, to: &str) -> String {
    let Contact::Email(to) = email(to) else { panic!("no address") };
    let mail = world.emails.last_to(&to).expect("a mail");
    link_key_in(&mail.content.text).expect("a key").to_owned()
}

async fn undo(world: &World, key: &str) -> Result<(), UndoContactError> {
    let undone = world.application.undo_contact_change(key, &SessionClient::default()).await;
    world.deliver().await;
    undone
}

async fn holds(world: &World, caller: &Authenticated) -> Vec<String> {
    use mapae_application::ports::Store as _;
    let mut view = world.store.read().await.expect("a view");
    let user = view.user(caller.user.id()).await.expect("an answer").expect("the user");
    user.record().contacts.iter().map(|held| held.contact.as_str().to_owned()).collect()
}

#[tokio::test]
async fn until_it_is_proved_nothing_changes_and_then_the_old_contact_is_told() {
    let world = World::new();
    world.user(OLD).await;
    let me = caller(&world, OLD).await;
    let begun = begin(&world, &me, NEW).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(holds(&world, &me).await, [OLD]);
    let code = world.code_to(&email(NEW)).await;
    assert!(world.check(begun.id, &crate::wrong(&code)).await.is_err());
    assert_eq!(holds(&world, &me).await, [OLD]);
    world.check(begun.id, &code).await.unwrap_or_else(|error| panic!("{error}"));
    world.deliver().await;
    assert_eq!(holds(&world, &me).await, [NEW]);
    let Contact::Email(old) = email(OLD) else { panic!("no address") };
    let told = world.emails.last_to(&old).expect("a mail");
    assert!(told.content.text.contains("notice=contact_changed"), "{}", told.content.text);
    // The old one opens nothing, the new one does, and whoever changed it stays logged in.
    assert!(log_in(&world, OLD).await.is_none());
    assert!(log_in(&world, NEW).await.is_some());
    // The old address is free for somebody else.
    assert!(world.register(by_email(OLD)).await.is_ok());
}

#[tokio::test]
async fn the_last_change_that_was_begun_is_the_one_that_counts() {
    // By how much the clock of the second one's replica is behind.
    for behind in [0, 5] {
        let world = World::new();
        world.user(OLD).await;
        let me = caller(&world, OLD).await;
        world.wait(5);
        let first = begin(&world, &me, NEW).await.unwrap_or_else(|error| panic!("{error}"));
        let first_code = world.code_to(&email(NEW)).await;
        world.clock.set(world.clock.now().minus(Duration::from_secs(behind)));
        let second = begin(&world, &me, THIRD).await.unwrap_or_else(|error| panic!("{error}"));
        let second_code = world.code_to(&email(THIRD)).await;
        let replaced = world.check(first.id, &first_code).await;
        assert!(matches!(replaced, Err(ProveError::Refused(ProofRefused::Cancelled))));
        world.check(second.id, &second_code).await.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(holds(&world, &me).await, [THIRD]);
    }
}

#[tokio::test]
async fn whoever_held_the_old_contact_has_the_account_back_and_the_other_is_out() {
    let world = World::new();
    world.user(OLD).await;
    let thief = caller(&world, OLD).await;
    let stolen = log_in(&world, OLD).await.expect("a session");
    change(&world, &thief, NEW).await;
    let key = undo_key(&world, OLD);
    // Another change is under way, too, which comes to nothing with that.
    let pending = begin(&world, &thief, THIRD).await.unwrap_or_else(|error| panic!("{error}"));
    let pending_code = world.code_to(&email(THIRD)).await;
    undo(&world, &key).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(holds(&world, &thief).await, [OLD]);
    assert!(world.application.authenticate(&stolen.access_token).await.is_err());
    for login in [OLD, NEW] {
        assert!(log_in(&world, login).await.is_none(), "the password was known to the other");
    }
    let late = world.check(pending.id, &pending_code).await;
    assert!(matches!(late, Err(ProveError::Refused(ProofRefused::Cancelled))), "{late:?}");
    assert!(matches!(undo(&world, &key).await, Err(UndoContactError::NotFound)), "once");
    // The owner chooses a new password by the contact.
    let Contact::Email(old) = email(OLD) else { panic!("no address") };
    let told = world.emails.last_to(&old).expect("a mail");
    assert!(told.content.text.contains("notice=contact_restored"), "{}", told.content.text);
}

#[tokio::test]
async fn of_two_changes_the_first_holder_comes_first() {
    for first_undoes_first in [true, false] {
        let world = World::new();
        world.user(OLD).await;
        let me = caller(&world, OLD).await;
        change(&world, &me, NEW).await;
        world.wait(1);
        let of_old = undo_key(&world, OLD);
        change(&world, &me, THIRD).await;
        let of_new = undo_key(&world, NEW);
        if first_undoes_first {
            undo(&world, &of_old).await.unwrap_or_else(|error| panic!("{error}"));
            // What came after it is undone with it: its holder has no say any more.
            assert!(matches!(undo(&world, &of_new).await, Err(UndoContactError::NotFound)));
        } else {
            undo(&world, &of_new).await.unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(holds(&world, &me).await, [NEW]);
            undo(&world, &of_old).await.unwrap_or_else(|error| panic!("{error}"));
        }
        assert_eq!(holds(&world, &me).await, [OLD]);
    }
}

#[tokio::test]
async fn after_seventy_two_hours_a_change_stays() {
    let world = World::new();
    world.user(OLD).await;
    let me = caller(&world, OLD).await;
    change(&world, &me, NEW).await;
    let key = undo_key(&world, OLD);
    world.wait(72 * 3_600 - 1);
    // A second before, it would have come back: tried on a world of its own below.
    world.wait(1);
    assert!(matches!(undo(&world, &key).await, Err(UndoContactError::Expired)));
    assert_eq!(holds(&world, &me).await, [NEW]);
    // A day later nothing is left of the old contact.
    let retention = || Retention {
        store: Arc::new(world.store.clone()),
        clock: Arc::new(world.clock.clone()),
        settings: RetentionSettings::default(),
    };
    world.wait(86_399);
    crate::remove_all(&retention()).await;
    world.wait(1);
    assert!(matches!(undo(&world, &key).await, Err(UndoContactError::Expired)), "it is late");
    assert_eq!(crate::remove_all(&retention()).await, 1);
    assert!(matches!(undo(&world, &key).await, Err(UndoContactError::NotFound)));
    let other = World::new();
    other.user(OLD).await;
    let me = caller(&other, OLD).await;
    change(&other, &me, NEW).await;
    let key = undo_key(&other, OLD);
    other.wait(72 * 3_600 - 1);
    undo(&other, &key).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(holds(&other, &me).await, [OLD]);
}

#[tokio::test]
async fn an_old_contact_that_another_account_holds_by_now_does_not_come_back() {
    let world = World::new();
    world.user(OLD).await;
    let me = caller(&world, OLD).await;
    change(&world, &me, NEW).await;
    let key = undo_key(&world, OLD);
    world.user(OLD).await;
    assert!(matches!(undo(&world, &key).await, Err(UndoContactError::ContactTaken)));
    assert_eq!(holds(&world, &me).await, [NEW]);
    assert!(log_in(&world, NEW).await.is_some(), "nothing has changed");
}

#[tokio::test]
async fn a_contact_is_added_and_removed_and_can_come_back() {
    let world = World::new();
    world.user(OLD).await;
    let me = caller(&world, OLD).await;
    let number = "010-1234-5678";
    change(&world, &me, number).await;
    assert_eq!(holds(&world, &me).await, [OLD, "+821012345678"]);
    let Contact::Email(old) = email(OLD) else { panic!("no address") };
    let told = world.emails.last_to(&old).expect("a mail").content.text;
    assert!(told.contains("notice=contact_added") && link_key_in(&told).is_none(), "{told}");
    let me = caller(&world, number).await;
    let id = me.user.record().contacts[1].id;
    world.application.remove_contact(&me, id).await.unwrap_or_else(|error| panic!("{error}"));
    world.deliver().await;
    assert_eq!(holds(&world, &me).await, [OLD]);
    let Contact::Phone(phone) = phone(number) else { panic!("no number") };
    let told = world.texts.last_to(&phone).expect("a short message").text;
    let key = link_key_in(&told).expect("a key").to_owned();
    let removed = world.application.remove_contact(&me, id).await;
    assert!(matches!(removed, Err(ContactError::NotFound)));
    undo(&world, &key).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(holds(&world, &me).await, [OLD, "+821012345678"]);
}

#[tokio::test]
async fn an_address_joins_a_number_only_by_a_code_to_the_number() {
    let registration =
        RegistrationPolicy { require_phone: true, require_email: false, ..Default::default() };
    let world = World::with(Settings { registration, ..Default::default() });
    let (typed, number) = ("010-1234-5678", phone("010-1234-5678"));
    let command = Register { email: None, phone: Some(typed.to_owned()), ..by_email(OLD) };
    let registered = world.register(command).await.expect("a sign-up");
    let code = world.code_to(&number).await;
    world.check(registered.verifications[0].id, &code).await.expect("the right code");
    let me = caller(&world, typed).await;
    let refused = begin(&world, &me, THIRD).await.map(|begun| begun.id);
    assert!(matches!(refused, Err(ContactError::CodeRequired)), "{refused:?}");
    let Contact::Email(third) = email(THIRD) else { panic!("no address") };
    assert!(world.emails.last_to(&third).is_none());
    // Another number replaces the number by any recent log-in: it can come back.
    assert!(begin(&world, &me, "010-8765-4321").await.is_ok());
    let begun = world.begin("login", &number).await;
    let code = world.code_to(&number).await;
    let receipt = world.check(begun.id, &code).await.expect("the right code").receipt;
    let client = SessionClient::default();
    let pair = world.application.log_in_with_receipt(&receipt.expect("a receipt"), &client).await;
    let token = pair.unwrap_or_else(|error| panic!("{error}")).access_token;
    let me = world.application.authenticate(&token).await.unwrap_or_else(|error| panic!("{error}"));
    change(&world, &me, THIRD).await;
    assert_eq!(holds(&world, &me).await.len(), 2);
    // From now on the address has its own successors.
    assert!(begin(&world, &caller(&world, THIRD).await, NEW).await.is_ok());
}

#[tokio::test]
async fn what_has_to_stay_stays_and_what_is_taken_is_told_to_its_owner_alone() {
    let world = World::new();
    world.user(OLD).await;
    world.user("jihun@example.com").await;
    let me = caller(&world, OLD).await;
    let id = me.user.record().contacts[0].id;
    let removed = world.application.remove_contact(&me, id).await;
    assert!(matches!(removed, Err(ContactError::Stays)), "accounts must have an address");
    let same = begin(&world, &me, OLD).await;
    assert!(matches!(same, Err(ContactError::Invalid(_))));
    let taken = begin(&world, &me, "jihun@example.com").await;
    let free = begin(&world, &me, NEW).await;
    let (taken, free) = (taken.expect("like any other"), free.expect("a verification"));
    assert_eq!((taken.status, taken.attempts_left), (free.status, free.attempts_left));
    assert_eq!(taken.code_length, free.code_length);
    world.deliver().await;
    let Contact::Email(jihun) = email("jihun@example.com") else { panic!("no address") };
    let told = world.emails.last_to(&jihun).expect("a mail").content.text;
    assert!(told.contains("already-registered"), "{told}");
    assert_eq!(holds(&world, &me).await, [OLD]);
}

#[tokio::test]
async fn a_change_asks_for_a_recent_log_in_and_comes_to_nothing_once_the_account_has_changed() {
    use mapae_domain::user::UserStatus;
    let world = World::new();
    world.user(OLD).await;
    let me = caller(&world, OLD).await;
    let begun = begin(&world, &me, NEW).await.unwrap_or_else(|error| panic!("{error}"));
    let code = world.code_to(&email(NEW)).await;
    for status in [UserStatus::Disabled, UserStatus::Active] {
        world.application.set_user_status(OLD, status).await.expect("a user");
    }
    assert!(world.check(begun.id, &code).await.is_err(), "it was begun before");
    assert_eq!(holds(&world, &me).await, [OLD]);
    let me = caller(&world, OLD).await;
    world.wait(600);
    let late = begin(&world, &me, NEW).await;
    assert!(matches!(late, Err(ContactError::ReauthenticationRequired)));
    let id = me.user.record().contacts[0].id;
    let late = world.application.remove_contact(&me, id).await;
    assert!(matches!(late, Err(ContactError::ReauthenticationRequired)));
    assert!(me.user.has_verified(Channel::Email));
}

/// A later change cancels an earlier one, but one that is held just then: by a wrong answer, perhaps.
#[tokio::test]
async fn a_change_that_another_followed_is_refused_though_it_was_not_cancelled() {
    let world = World::new();
    world.user(OLD).await;
    let caller = caller(&world, OLD).await;
    let mistyped = begin(&world, &caller, THIRD).await.unwrap_or_else(|error| panic!("{error}"));
    let code = world.code_to(&email(THIRD)).await;
    let held = world.store.read().await.expect("a view").verification(mistyped.id).await;
    let held = held.expect("an answer").expect("it is there").record().clone();
    for is_proved in [false, true] {
        world.wait(60);
        let meant = begin(&world, &caller, NEW).await.unwrap_or_else(|error| panic!("{error}"));
        if is_proved {
            let code = world.code_to(&email(NEW)).await;
            world.check(meant.id, &code).await.unwrap_or_else(|error| panic!("{error}"));
        }
        let mut work = world.store.begin().await.expect("a unit of work");
        let cancelled = work.lock_verification(held.id).await.expect("an answer").expect("one");
        let version = cancelled.record().version + 1;
        let as_it_was = Verification::from_record(VerificationRecord { version, ..held.clone() });
        work.update_verification(&as_it_was).await.expect("as it was");
        work.commit().await.expect("a commit");
        let refused = world.check(mistyped.id, &code).await;
        let why = refused.map(drop).expect_err("another counts");
        assert!(matches!(why, ProveError::Refused(ProofRefused::Cancelled)), "{why}");
    }
}
