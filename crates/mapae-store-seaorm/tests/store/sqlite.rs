//! The store on SQLite: the port's contract, and what is SQLite's own.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mapae_application::ports::{Store, StoreError};
use mapae_store_seaorm::{ConnectError, SeaOrmStore, StoreSettings};
use sea_orm::{
    ConnectionTrait as _, Database, DatabaseConnection, DbBackend, Statement, TransactionTrait as _,
};
use tempfile::TempDir;

use crate::settings;

async fn open(folder: &Path) -> SeaOrmStore {
    let store = SeaOrmStore::connect(&settings(folder)).await.expect("a database");
    store.migrate().await.expect("the schema");
    store
}

async fn fresh() -> Option<(Arc<dyn Store>, TempDir)> {
    let folder = TempDir::new().expect("a temporary folder");
    Some((Arc::new(open(folder.path()).await), folder))
}

mod contract {
    mapae_testkit::store_contract! { super::fresh().await }
}

/// A connection of the test's own, to look at what the store has made.
async fn look(folder: &Path) -> DatabaseConnection {
    let url = format!("sqlite://{}", folder.join("data/mapae.db").display());
    Database::connect(url).await.expect("a connection")
}

async fn rows(look: &DatabaseConnection, sql: &str) -> Vec<sea_orm::QueryResult> {
    let statement = Statement::from_string(DbBackend::Sqlite, sql);
    look.query_all_raw(statement).await.unwrap_or_else(|error| panic!("{sql}: {error}"))
}

#[tokio::test]
async fn the_schema_goes_up_and_down_and_up_again() {
    let folder = TempDir::new().expect("a temporary folder");
    let store = open(folder.path()).await;
    assert_eq!(store.migrate().await.expect("nothing to do"), 0);
    let tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> 'seaql_migrations'";
    let look = look(folder.path()).await;
    let made = rows(&look, tables).await.len();
    assert!(made >= 12, "{made} tables");
    store.unmigrate().await.expect("the way back");
    assert_eq!(rows(&look, tables).await.len(), 0);
    assert_eq!(store.migrate().await.expect("the schema"), 16);
    assert_eq!(rows(&look, tables).await.len(), made);
}

/// An export reads for minutes.
#[tokio::test(flavor = "multi_thread")]
async fn while_a_journal_is_to_be_cut_that_somebody_reads_others_write() {
    let folder = TempDir::new().expect("a temporary folder");
    let settings = StoreSettings { timeout: Duration::from_secs(20), ..settings(folder.path()) };
    let store = SeaOrmStore::connect(&settings).await.expect("a database");
    store.migrate().await.expect("the schema");
    let look = look(folder.path()).await;
    let reader = look.begin().await.expect("a view");
    reader.execute_unprepared("SELECT COUNT(*) FROM users").await.expect("a view");
    let user = mapae_testkit::build::a_user([mapae_testkit::build::unique_email().into()]);
    let mut work = store.begin().await.expect("a unit of work");
    work.insert_user(&user).await.expect("a user");
    work.commit().await.expect("a commit");
    let purging = tokio::spawn({
        let store = store.clone();
        async move { store.purge().await }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    // Far less than whoever reads may take.
    let written = tokio::time::timeout(Duration::from_secs(10), store.begin()).await;
    drop(written.expect("nobody waits for a reader").expect("a unit of work"));
    assert!(purging.await.expect("an end").is_err(), "somebody reads it");
    reader.rollback().await.expect("an end");
    store.purge().await.expect("nobody reads it");
}

#[tokio::test]
async fn a_journal_that_somebody_reads_is_not_called_purged() {
    let folder = TempDir::new().expect("a temporary folder");
    let store = open(folder.path()).await;
    let timeout = Duration::from_millis(500);
    let impatient = StoreSettings { timeout, ..settings(folder.path()) };
    let impatient = SeaOrmStore::connect(&impatient).await.expect("a database");
    let look = look(folder.path()).await;
    let snapshot = look.begin().await.expect("a transaction");
    snapshot.execute_unprepared("SELECT * FROM users").await.expect("a snapshot");
    let write = "UPDATE seaql_migrations SET applied_at = 1";
    let writer =
        Database::connect(format!("sqlite://{}", folder.path().join("data/mapae.db").display()));
    writer.await.expect("a connection").execute_unprepared(write).await.expect("a write");
    let busy = impatient.purge().await;
    assert!(matches!(busy, Err(StoreError::Unavailable(_))), "{busy:?}");
    snapshot.rollback().await.expect("the end of the snapshot");
    store.purge().await.expect("nobody is in the way");
    let journal = folder.path().join("data/mapae.db-wal");
    assert_eq!(std::fs::metadata(journal).expect("the journal").len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_start_together_migrate_once() {
    let folder = TempDir::new().expect("a temporary folder");
    let mut starts = Vec::new();
    for _ in 0..10 {
        let settings = settings(folder.path());
        starts.push(tokio::spawn(async move {
            let store = SeaOrmStore::connect(&settings).await.expect("a database");
            store.migrate().await.expect("the schema")
        }));
    }
    let mut applied = 0;
    for start in starts {
        applied += start.await.expect("a start");
    }
    assert_eq!(applied, 16);
}

#[tokio::test]
async fn a_url_that_is_none_is_refused_without_being_shown() {
    let folder = TempDir::new().expect("a temporary folder");
    let none = [
        "",
        "oracle://user:planted@host/db",
        "sqlite://",
        "sqlite::memory:",
        "mapae.db",
        "mysql://",
        "postgres://host/?x=1",
    ];
    for url in none {
        let settings = StoreSettings { url: url.to_owned(), ..settings(folder.path()) };
        let Err(error) = SeaOrmStore::connect(&settings).await else { panic!("{url} was taken") };
        assert!(matches!(error, ConnectError::Url));
        assert!(!error.to_string().contains("planted"));
    }
}

#[tokio::test]
async fn the_journal_is_a_wal_and_foreign_keys_hold() {
    let folder = TempDir::new().expect("a temporary folder");
    let store = open(folder.path()).await;
    let look = look(folder.path()).await;
    let mode = rows(&look, "PRAGMA journal_mode").await;
    assert_eq!(mode[0].try_get_by_index::<String>(0).expect("a mode"), "wal");
    // A session of nobody is refused by the database itself.
    let session = mapae_testkit::build::a_session(mapae_testkit::build::a_user([]).id());
    let mut work = store.begin().await.expect("a unit of work");
    assert!(work.insert_session(&session).await.is_err());
}

#[tokio::test]
async fn what_was_committed_is_there_after_the_file_is_opened_again() {
    let folder = TempDir::new().expect("a temporary folder");
    let user = mapae_testkit::build::a_user([mapae_testkit::build::unique_email().into()]);
    let store = open(folder.path()).await;
    let mut work = store.begin().await.expect("a unit of work");
    work.insert_user(&user).await.expect("a new user");
    work.commit().await.expect("a commit");
    store.close().await.expect("an end");
    let store = open(folder.path()).await;
    let found = store.read().await.expect("a view").user(user.id()).await.expect("an answer");
    assert_eq!(found, Some(user));
}

#[tokio::test]
async fn what_is_committed_after_the_database_took_something_back_by_itself_is_there() {
    let folder = TempDir::new().expect("a temporary folder");
    let store = open(folder.path()).await;
    let look = look(folder.path()).await;
    // As a full disk does: the whole transaction is taken back, and not by us.
    let full =
        "CREATE TRIGGER full BEFORE INSERT ON users BEGIN SELECT RAISE(ROLLBACK, 'full'); END";
    look.execute_unprepared(full).await.expect("a trigger");
    let user = mapae_testkit::build::a_user([mapae_testkit::build::unique_email().into()]);
    let mut work = store.begin().await.expect("a unit of work");
    work.insert_user(&user).await.expect_err("no room");
    drop(work);
    look.execute_unprepared("DROP TRIGGER full").await.expect("room again");
    // One that ends without a commit, and one that is committed.
    let mut work = store.begin().await.expect("a unit of work");
    assert!(work.lock_user(user.id()).await.expect("an answer").is_none());
    drop(work);
    let mut work = store.begin().await.expect("a unit of work");
    work.insert_user(&user).await.expect("a new user");
    work.commit().await.expect("a commit");
    assert_eq!(rows(&look, "SELECT id FROM users").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_statement_of_the_store_finds_its_rows_by_an_index_of_sqlite() {
    let folder = TempDir::new().expect("a temporary folder");
    open(folder.path()).await.close().await.expect("an end");
    crate::plan::every_statement_has_an_index(settings(folder.path()).url).await;
}

/// Every table with a user's id is in the export (`crates/mapae-http/src/export.rs`) and goes when the
/// user does (`erase_user`). A new one belongs into both, and into this list.
#[tokio::test]
async fn every_table_with_a_users_id_is_known_to_export_and_erasure() {
    let folder = TempDir::new().expect("a temporary folder");
    let _store = open(folder.path()).await;
    let look = look(folder.path()).await;
    let sql = "SELECT m.name AS name FROM sqlite_master m JOIN pragma_table_info(m.name) c \
               WHERE m.type = 'table' AND c.name = 'user_id' ORDER BY m.name";
    let tables: Vec<String> =
        rows(&look, sql).await.iter().map(|row| row.try_get("", "name").expect("a name")).collect();
    let known = [
        "audit_entries",
        "consents",
        "contact_undos",
        "registrations",
        "sessions",
        "user_contacts",
        "usernames",
        "verifications",
    ];
    assert_eq!(tables, known);
}
