//! Passwords, who may log in, and what is written down of it.

use mapae_application::Settings;
use mapae_application::consent::{ConsentError, ConsentInput, DecideConsents};
use mapae_application::ports::Store as _;
use mapae_application::retention::{Retention, RetentionSettings};
use mapae_application::session::{
    Authenticated, LogIn, LogInError, ReceiptLogInError, RefreshError, TokenPair,
};
use mapae_application::user::{
    ChangeContact, ChangePassword, ChangePasswordError, ChangeProfile, ChangeProfileError,
    ContactError, SetUserStatusError, WithdrawError,
};
use mapae_domain::session::SessionClient;
use mapae_domain::user::UserStatus;
use mapae_domain::{AuditKind, InvalidValue, UserId};
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

use crate::{PASSWORD, World, email};

const MINJI: &str = "minji@example.com";
const NEW: &str = "a better horse needs no battery";

fn from_there() -> SessionClient {
    SessionClient::new(Some("a stranger's device"), "203.0.113.7".parse().ok())
}

async fn log_in(world: &World, password: &str) -> Result<TokenPair, LogInError> {
    let password = Zeroizing::new(password.to_owned());
    let client = SessionClient::default();
    world.application.log_in(LogIn { login: MINJI.to_owned(), password, client }).await
}

async fn session(world: &World) -> TokenPair {
    log_in(world, PASSWORD).await.unwrap_or_else(|error| panic!("{error}"))
}

async fn caller(world: &World, pair: &TokenPair) -> Authenticated {
    let caller = world.application.authenticate(&pair.access_token).await;
    caller.unwrap_or_else(|error| panic!("{error}"))
}

async fn refresh(world: &World, pair: &TokenPair) -> Result<TokenPair, RefreshError> {
    world.application.refresh(&pair.refresh_token, &from_there()).await
}

async fn change(
    world: &World,
    caller: &Authenticated,
    current: Option<&str>,
    new: &str,
) -> Result<(), ChangePasswordError> {
    let text = |text: &str| Zeroizing::new(text.to_owned());
    let (current, new) = (current.map(text), text(new));
    let client = from_there();
    world.application.change_password(caller, ChangePassword { current, new, client }).await
}

async fn audit(world: &World, user: UserId) -> Vec<AuditKind> {
    let mut view = world.store.read().await.expect("a view");
    let entries = view.audit_of_user(user, 100).await.expect("entries");
    entries.iter().map(|entry| entry.kind).collect()
}

#[tokio::test]
async fn a_late_repeat_of_a_refresh_is_written_down_once_with_where_it_came_from() {
    let world = World::new();
    world.user(MINJI).await;
    let first = session(&world).await;
    refresh(&world, &first).await.expect("a rotation");
    refresh(&world, &first).await.expect("within the window");
    assert_eq!(audit(&world, first.user).await, []);
    world.wait(60);
    for _ in 0..3 {
        assert!(refresh(&world, &first).await.is_err());
    }
    assert_eq!(audit(&world, first.user).await, [AuditKind::RefreshTokenReplayed]);
    let mut view = world.store.read().await.expect("a view");
    let entry = view.audit_of_user(first.user, 1).await.expect("an entry").swap_remove(0);
    assert_eq!((entry.session, &entry.client), (Some(first.session), &from_there()));
    assert_eq!(entry.at, world.application.now());
}

#[tokio::test]
async fn a_password_is_changed_by_whoever_has_just_logged_in_and_the_others_are_logged_out() {
    let world = World::new();
    world.user(MINJI).await;
    let (mine, other) = (session(&world).await, session(&world).await);
    let me = caller(&world, &mine).await;
    change(&world, &me, Some(PASSWORD), NEW).await.expect("a change");
    // The session that asked goes on; the other, and the old password, do not.
    let mine = refresh(&world, &mine).await.expect("the session goes on");
    caller(&world, &mine).await;
    assert!(world.application.authenticate(&other.access_token).await.is_err());
    assert!(refresh(&world, &other).await.is_err());
    assert!(matches!(log_in(&world, PASSWORD).await, Err(LogInError::InvalidCredentials)));
    log_in(&world, NEW).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(audit(&world, mine.user).await, [AuditKind::PasswordChanged]);
}

#[tokio::test]
async fn a_password_is_not_changed_after_ten_minutes_nor_without_the_current_one_nor_to_a_bad_one()
{
    let world = World::new();
    world.user(MINJI).await;
    let pair = session(&world).await;
    let me = caller(&world, &pair).await;
    let mismatch = change(&world, &me, Some("some other password"), NEW).await;
    assert!(matches!(mismatch, Err(ChangePasswordError::Mismatch)));
    for (current, new, field, reason) in [
        (None, NEW, "current_password", InvalidValue::Required),
        (Some(PASSWORD), "short", "new_password", InvalidValue::TooShort { min: 8 }),
        (Some(PASSWORD), "password1", "new_password", InvalidValue::TooCommon),
    ] {
        let refused = change(&world, &me, current, new).await;
        let Err(ChangePasswordError::Invalid(errors)) = refused else { panic!("{field}") };
        assert_eq!((errors[0].field.as_ref(), &errors[0].reason), (field, &reason));
    }
    world.wait(599);
    let pair = refresh(&world, &pair).await.expect("a rotation");
    let me = caller(&world, &pair).await;
    world.wait(1);
    // A refresh shows nothing of who somebody is: the log-in is as old as it was.
    let late = change(&world, &me, Some(PASSWORD), NEW).await;
    assert!(matches!(late, Err(ChangePasswordError::ReauthenticationRequired)));
    assert!(log_in(&world, PASSWORD).await.is_ok(), "nothing has changed");
    assert_eq!(audit(&world, pair.user).await, []);
    let again = session(&world).await;
    let me = caller(&world, &again).await;
    change(&world, &me, Some(PASSWORD), NEW).await.expect("after a new log-in");
}

#[tokio::test]
async fn a_change_that_another_change_overtook_is_refused() {
    let world = World::new();
    world.user(MINJI).await;
    let (mine, other) = (session(&world).await, session(&world).await);
    let (me, also_me) = (caller(&world, &mine).await, caller(&world, &other).await);
    change(&world, &me, Some(PASSWORD), NEW).await.expect("a change");
    let overtaken = change(&world, &also_me, Some(PASSWORD), "and a third password").await;
    assert!(matches!(overtaken, Err(ChangePasswordError::SessionEnded)));
    assert!(log_in(&world, NEW).await.is_ok());
}

#[tokio::test]
async fn what_was_begun_before_a_password_change_opens_nothing_after_it() {
    let world = World::new();
    world.user(MINJI).await;
    let begun = world.begin("login", &email(MINJI)).await;
    let code = world.code_to(&email(MINJI)).await;
    let receipt = world.check(begun.id, &code).await.expect("the right code").receipt;
    let receipt = receipt.expect("a receipt");
    let pair = session(&world).await;
    let me = caller(&world, &pair).await;
    change(&world, &me, Some(PASSWORD), NEW).await.expect("a change");
    let refused = world.application.log_in_with_receipt(&receipt, &from_there()).await;
    assert!(matches!(refused, Err(ReceiptLogInError::ReceiptRefused)));
    world.wait(60);
    let begun = world.begin("login", &email(MINJI)).await;
    let code = world.code_to(&email(MINJI)).await;
    let receipt = world.check(begun.id, &code).await.expect("the right code").receipt;
    let receipt = receipt.expect("a receipt");
    let opened = world.application.log_in_with_receipt(&receipt, &from_there()).await;
    assert!(opened.is_ok(), "and one that was begun after it does");
}

#[tokio::test]
async fn whoever_is_disabled_is_out_at_once_and_comes_back_by_logging_in_anew() {
    let world = World::new();
    world.user(MINJI).await;
    let pair = session(&world).await;
    for (status, kind) in [
        (UserStatus::Disabled, AuditKind::UserDisabled),
        (UserStatus::Active, AuditKind::UserEnabled),
    ] {
        world.wait(1);
        let id = world.application.set_user_status(MINJI, status).await.expect("a user");
        assert_eq!(id, pair.user);
        // Said twice, it happens once.
        world.application.set_user_status(MINJI, status).await.expect("a user");
        assert_eq!(audit(&world, id).await[0], kind);
        assert!(world.application.authenticate(&pair.access_token).await.is_err());
        assert!(refresh(&world, &pair).await.is_err());
        assert_eq!(log_in(&world, PASSWORD).await.is_ok(), status == UserStatus::Active);
    }
    assert_eq!(audit(&world, pair.user).await.len(), 2);
    for nobody in ["jihun@example.com", "nobody", "💥", ""] {
        let unknown = world.application.set_user_status(nobody, UserStatus::Disabled).await;
        assert!(matches!(unknown, Err(SetUserStatusError::NotFound)), "{nobody}");
    }
}

#[tokio::test]
async fn who_has_left_is_erased_when_the_grace_is_over_unless_they_are_let_in_again() {
    for (then, is_erased) in
        [(None, true), (Some(UserStatus::Disabled), true), (Some(UserStatus::Active), false)]
    {
        let withdrawal_grace = Duration::from_secs(86_400);
        let world = World::with(Settings { withdrawal_grace, ..Settings::default() });
        world.user(MINJI).await;
        let pair = session(&world).await;
        let me = caller(&world, &pair).await;
        world.application.withdraw(&me).await.unwrap_or_else(|error| panic!("{error}"));
        if let Some(status) = then {
            let set = world.application.set_user_status(MINJI, status).await;
            set.unwrap_or_else(|error| panic!("{error}"));
        }
        let retention = Retention {
            store: Arc::new(world.store.clone()),
            clock: Arc::new(world.clock.clone()),
            settings: RetentionSettings::default(),
        };
        world.wait(86_399);
        for (seconds, is_erased) in [(0, false), (1, is_erased)] {
            world.wait(seconds);
            crate::remove_all(&retention).await;
            let mut view = world.store.read().await.expect("a view");
            let user = view.user(pair.user).await.expect("an answer");
            assert_eq!(user.is_none(), is_erased, "{then:?}");
        }
    }
}

#[tokio::test]
async fn expired_sessions_are_removed_a_day_later_a_batch_at_a_time() {
    let world = World::new();
    world.user(MINJI).await;
    for _ in 0..5 {
        session(&world).await;
    }
    let retention = || Retention {
        store: Arc::new(world.store.clone()),
        clock: Arc::new(world.clock.clone()),
        settings: RetentionSettings { batch: 2, ..RetentionSettings::default() },
    };
    let (day, week) = (86_400, 7 * 86_400);
    world.wait(week);
    let young = session(&world).await;
    world.wait(day - 1);
    crate::remove_all(&retention()).await;
    world.wait(1);
    for removed in [2, 2, 1, 0] {
        assert_eq!(retention().run_once().await.expect("a batch"), removed);
    }
    assert!(refresh(&world, &young).await.is_ok());
    // It goes on by itself, and ends when it is told to.
    world.wait(u64::from(u32::MAX));
    let settings = RetentionSettings {
        batch: 1,
        pause: Duration::from_millis(1),
        ..RetentionSettings::default()
    };
    let (store, clock) = (world.store.clone(), world.clock.clone());
    let running = Retention { store: Arc::new(store), clock: Arc::new(clock), settings };
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(running.run(async move { drop(stopped.await) }));
    for _ in 0..2_000 {
        let mut view = world.store.read().await.expect("a view");
        if view.session_and_user(young.session).await.expect("an answer").is_none() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(refresh(&world, &young).await.is_err());
    drop(stop);
    running.await.expect("an end");
}

#[tokio::test]
async fn what_a_sign_up_left_behind_opens_nothing_once_the_account_has_changed() {
    let world = World::new();
    let registration = world.user(MINJI).await;
    let pair = session(&world).await;
    let me = caller(&world, &pair).await;
    change(&world, &me, Some(PASSWORD), NEW).await.expect("a change");
    let (id, token) = (registration.id, registration.token);
    let taken = world.application.take_registration_tokens(id, &token, &from_there()).await;
    assert!(taken.is_err(), "whoever began the sign-up has no way in any more");
}

#[tokio::test]
async fn a_log_out_everywhere_by_a_replaced_token_ends_what_it_may() {
    use mapae_application::session::RevokeScope;
    let world = World::new();
    world.user(MINJI).await;
    let (mine, other) = (session(&world).await, session(&world).await);
    let next = refresh(&world, &mine).await.expect("a rotation");
    // Its answer was lost: within the window the replaced one is as good.
    let ended = world.application.revoke_refresh_token(&mine.refresh_token, RevokeScope::All).await;
    assert!(ended.is_ok_and(|found| found));
    for pair in [&next, &other] {
        assert!(world.application.authenticate(&pair.access_token).await.is_err());
    }
    // Later it ends its own session, as at a refresh, and nobody else's.
    let (mine, other) = (session(&world).await, session(&world).await);
    let next = refresh(&world, &mine).await.expect("a rotation");
    world.wait(60);
    let ended = world.application.revoke_refresh_token(&mine.refresh_token, RevokeScope::All).await;
    assert!(ended.is_ok_and(|found| found));
    assert!(world.application.authenticate(&next.access_token).await.is_err());
    assert!(world.application.authenticate(&other.access_token).await.is_ok());
}

#[tokio::test]
async fn who_was_let_in_before_the_session_ended_changes_nothing_after() {
    // The head of a request is looked at when it comes, and its body may come much later.
    let world = World::new();
    world.user(MINJI).await;
    let stolen = caller(&world, &session(&world).await).await;
    let own = caller(&world, &session(&world).await).await;
    change(&world, &own, Some(PASSWORD), NEW).await.expect("the owner's change");
    let application = &world.application;
    let to_theirs = ChangeContact {
        channel: "email".to_owned(),
        to: "theirs@example.com".to_owned(),
        idempotency: None,
    };
    let begun = application.change_contact(&stolen, to_theirs).await;
    assert!(matches!(begun, Err(ContactError::SessionEnded)));
    let contact = stolen.user.record().contacts[0].id;
    let removed = application.remove_contact(&stolen, contact).await;
    assert!(matches!(removed, Err(ContactError::SessionEnded)));
    let chosen = application.choose_primary_contact(&stolen, contact, &from_there()).await;
    assert!(matches!(chosen, Err(ContactError::SessionEnded)));
    for username in [Some(Some("theirs".to_owned())), None] {
        let command = ChangeProfile { username, ..ChangeProfile::default() };
        let renamed = application.change_profile(&stolen, command, &from_there()).await;
        assert!(matches!(renamed, Err(ChangeProfileError::SessionEnded)));
    }
    let consents = vec![ConsentInput {
        document: "terms".to_owned(),
        version: "1".to_owned(),
        accepted: true,
    }];
    let command = DecideConsents { consents, client: from_there() };
    let decided = application.decide_consents(&stolen, command).await;
    assert!(matches!(decided, Err(ConsentError::SessionEnded)));
    let left = application.withdraw(&stolen).await;
    assert!(matches!(left, Err(WithdrawError::SessionEnded)));
}
