//! Clients of SimpleJWT, over Mapae's sessions.

use mapae_application::Settings;
use mapae_application::session::{AuthenticateError, LogIn, SimpleJwtPair, SimpleJwtRefused};
use mapae_domain::session::SessionClient;
use zeroize::Zeroizing;

use crate::{PASSWORD, World};

const MINJI: &str = "minji@example.com";

fn by_password() -> LogIn {
    let (login, password) = (MINJI.to_owned(), Zeroizing::new(PASSWORD.to_owned()));
    LogIn { login, password, client: SessionClient::default() }
}

async fn obtain(world: &World) -> (String, String) {
    let pair = world.application.simplejwt_log_in(by_password()).await;
    let SimpleJwtPair { access, refresh } = pair.unwrap_or_else(|error| panic!("{error}"));
    (access, refresh.expect("a refresh token"))
}

async fn refresh(world: &World, token: &str) -> Result<SimpleJwtPair, SimpleJwtRefused> {
    world.application.simplejwt_refresh(token, &SessionClient::default()).await
}

fn rotating() -> World {
    World::with(Settings { simplejwt_rotates: true, ..Settings::default() })
}

#[tokio::test]
async fn a_client_that_keeps_its_refresh_token_stays_logged_in_for_as_long_as_it_lasts() {
    let world = World::new();
    world.user(MINJI).await;
    let (access, kept) = obtain(&world).await;
    world.application.authenticate(&access).await.expect("a good token");
    for _ in 0..6 {
        world.wait(86_400);
        let pair = refresh(&world, &kept).await.expect("a new access token");
        assert!(pair.refresh.is_none());
        world.application.authenticate(&pair.access).await.expect("a good token");
        world.application.simplejwt_verify(&pair.access).await.expect("a good token");
    }
    let expired = world.application.authenticate(&access).await;
    assert!(matches!(expired, Err(AuthenticateError::Token(_))));
    let verified = world.application.simplejwt_verify(&access).await;
    assert!(matches!(verified, Err(SimpleJwtRefused::Expired)));
    world.wait(86_400);
    assert!(matches!(refresh(&world, &kept).await, Err(SimpleJwtRefused::Expired)));
}

#[tokio::test]
async fn with_rotation_a_late_repeat_ends_the_session_as_everywhere() {
    let world = rotating();
    world.user(MINJI).await;
    let (_, first) = obtain(&world).await;
    let second = refresh(&world, &first).await.expect("a rotation").refresh;
    let second = second.expect("another refresh token");
    assert!(refresh(&world, &first).await.is_ok(), "within the window");
    world.wait(60);
    let replayed = refresh(&world, &first).await;
    assert!(matches!(replayed, Err(SimpleJwtRefused::Ended)));
    assert!(matches!(refresh(&world, &second).await, Err(SimpleJwtRefused::Ended)));
}

#[tokio::test]
async fn each_use_is_refused_in_the_place_of_the_other() {
    let world = World::new();
    world.user(MINJI).await;
    let (access, kept) = obtain(&world).await;
    assert!(matches!(refresh(&world, &access).await, Err(SimpleJwtRefused::WrongUse)));
    let ended = world.application.simplejwt_blacklist(&access).await;
    assert!(matches!(ended, Err(SimpleJwtRefused::WrongUse)));
    let refused = world.application.authenticate(&kept).await;
    assert!(matches!(refused, Err(AuthenticateError::Token(_))));
    // Nor is an access token renewed by itself: whoever sees one would keep it for the session's life.
    for token in [&kept, &access] {
        let renewed = world.application.older_jwt_renew(token).await;
        assert!(matches!(renewed, Err(SimpleJwtRefused::WrongUse)));
    }
    // Mapae's own refresh token is none of theirs, nor the other way round.
    let own = world.application.log_in(by_password()).await.unwrap_or_else(|e| panic!("{e}"));
    assert!(matches!(refresh(&world, &own.refresh_token).await, Err(SimpleJwtRefused::Invalid)));
    let client = SessionClient::default();
    assert!(world.application.refresh(&kept, &client).await.is_err());
}

#[tokio::test]
async fn whoever_logged_out_is_out_by_every_token() {
    let world = World::new();
    world.user(MINJI).await;
    let (access, kept) = obtain(&world).await;
    world.application.simplejwt_verify(&kept).await.expect("a good token");
    world.application.simplejwt_blacklist(&kept).await.expect("a log-out");
    for outcome in [
        refresh(&world, &kept).await.map(drop),
        world.application.simplejwt_verify(&kept).await,
        world.application.simplejwt_verify(&access).await,
        world.application.simplejwt_blacklist(&kept).await,
        world.application.older_jwt_verify(&access).await,
    ] {
        assert!(matches!(outcome, Err(SimpleJwtRefused::Ended)));
    }
    assert!(world.application.authenticate(&access).await.is_err());
}

#[tokio::test]
async fn the_older_packages_token_is_renewed_until_its_session_is_over() {
    let world = World::new();
    world.user(MINJI).await;
    let mut token = world
        .application
        .older_jwt_log_in(by_password())
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    let week = 7 * 86_400;
    let mut waited = 0;
    while waited + 540 < week {
        world.wait(540);
        waited += 540;
        token = world.application.older_jwt_renew(&token).await.expect("renewed");
        world.application.older_jwt_verify(&token).await.expect("a good token");
    }
    // Not a second longer than the session lasts without a refresh.
    world.wait(week - waited);
    let over = world.application.older_jwt_renew(&token).await;
    assert!(matches!(over, Err(SimpleJwtRefused::Ended | SimpleJwtRefused::Expired)));
}

#[tokio::test]
async fn after_a_switch_from_rotation_a_late_repeat_still_ends_the_session() {
    let world = rotating();
    world.user(MINJI).await;
    let (_, first) = obtain(&world).await;
    let second = refresh(&world, &first).await.expect("a rotation").refresh;
    world.wait(60);
    // As at any refresh: the one who comes late shows that there is a copy, and both are out.
    assert!(world.application.simplejwt_verify(&first).await.is_err());
    assert!(matches!(refresh(&world, &first).await, Err(SimpleJwtRefused::Ended)));
    let second = second.expect("another refresh token");
    assert!(matches!(refresh(&world, &second).await, Err(SimpleJwtRefused::Ended)));
}

#[tokio::test]
async fn a_replaced_refresh_token_still_logs_its_session_out() {
    let world = rotating();
    world.user(MINJI).await;
    let (access, first) = obtain(&world).await;
    refresh(&world, &first).await.expect("a rotation");
    let replaced = world.application.simplejwt_blacklist(&first).await;
    assert!(matches!(replaced, Err(SimpleJwtRefused::Ended)));
    assert!(world.application.authenticate(&access).await.is_err());
}
