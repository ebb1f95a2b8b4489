//! What a release makes of the schema of a newer one.

use mapae_store_seaorm::{ConnectError, ExportError, Schema};
use mapae_testkit::fake::FakeSecretHasher;
use sea_orm::ConnectionTrait as _;

use crate::portable::{AT, Home, connection};

const ADDED: &str = "m20990101_000001_later_expand";
const ADDED_NEXT: &str = "m20990101_000002_later_expand";
const CHANGED: &str = "m20990101_000003_later_contract";

/// As a newer release notes a step.
async fn note(home: &Home, step: &str) {
    let sql = format!("INSERT INTO seaql_migrations (version, applied_at) VALUES ('{step}', 0)");
    execute(home, &sql).await;
}

async fn execute(home: &Home, sql: &str) {
    let look = connection(&home.url).await;
    look.execute_unprepared(sql).await.unwrap_or_else(|error| panic!("{}: {error}", home.name));
    look.close().await.expect("an end");
}

async fn assert_refused(home: &Home, step: &str) {
    for refused in [
        home.store.migrate().await.map(drop),
        home.store.check_schema().await.map(drop),
        home.store.schema().await.map(drop),
    ] {
        let Err(ConnectError::FromTheFuture(named)) = refused else {
            panic!("{}: {refused:?}", home.name)
        };
        assert_eq!(named, step, "{}", home.name);
    }
}

#[tokio::test]
async fn a_schema_that_a_newer_release_has_added_to_is_served_on() {
    for home in Home::of_each_kind().await {
        note(&home, ADDED_NEXT).await;
        note(&home, ADDED).await;
        assert_eq!(home.store.migrate().await.expect("nothing to do"), 0, "{}", home.name);
        let ahead = Schema::Ahead { first: ADDED.to_owned(), steps: 2 };
        assert_eq!(home.store.check_schema().await.expect("a schema"), ahead, "{}", home.name);
    }
}

/// It would lack what this release does not know of.
#[tokio::test]
async fn a_schema_that_a_newer_release_has_added_to_is_not_exported() {
    for home in Home::of_each_kind().await {
        note(&home, ADDED).await;
        let mut output = Vec::new();
        let refused = home.store.export(&FakeSecretHasher::default(), AT, &mut output).await;
        let Err(ExportError::Schema(ConnectError::FromTheFuture(named))) = refused else {
            panic!("{}: {refused:?}", home.name)
        };
        assert_eq!((named.as_str(), output.len()), (ADDED, 0), "{}", home.name);
    }
}

#[tokio::test]
async fn a_schema_that_a_newer_release_has_changed_is_refused_by_the_name_of_the_step() {
    for home in Home::of_each_kind().await {
        note(&home, ADDED).await;
        note(&home, CHANGED).await;
        assert_refused(&home, CHANGED).await;
    }
}

#[tokio::test]
async fn a_schema_that_is_newer_in_one_thing_and_older_in_another_is_refused() {
    for home in Home::of_each_kind().await {
        note(&home, ADDED).await;
        execute(&home, "DELETE FROM seaql_migrations WHERE version LIKE '%_locks'").await;
        assert_refused(&home, ADDED).await;
    }
}
