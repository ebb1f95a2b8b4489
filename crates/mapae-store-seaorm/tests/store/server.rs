//! The store on PostgreSQL and MariaDB, where the environment names a server:
//! `MAPAE_TEST_POSTGRES_URL` and `MAPAE_TEST_MARIADB_URL`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mapae_application::ports::Store;
use mapae_store_seaorm::scratch::ScratchDatabase;
use mapae_store_seaorm::{ConnectError, SeaOrmStore};
use sea_orm::{ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection, Statement};
use tokio::task::JoinSet;

use crate::{HOT, settings_of};

const POSTGRES: &str = "MAPAE_TEST_POSTGRES_URL";
const MARIADB: &str = "MAPAE_TEST_MARIADB_URL";

/// A database of the test's own on the server that `variable` names, where it does.
async fn scratch(variable: &str) -> Option<ScratchDatabase> {
    static SAID: AtomicBool = AtomicBool::new(false);
    let Ok(admin) = std::env::var(variable) else {
        assert!(
            std::env::var("MAPAE_TEST_REQUIRE").as_deref() != Ok("all"),
            "{variable} names no server, and MAPAE_TEST_REQUIRE is all"
        );
        if !SAID.swap(true, Ordering::Relaxed) {
            #[expect(clippy::print_stderr, reason = "what a test has not looked at is said")]
            {
                eprintln!("skipped: {variable} names no server");
            }
        }
        return None;
    };
    Some(ScratchDatabase::create(&admin).await.unwrap_or_else(|error| panic!("{error}")))
}

async fn fresh(variable: &str) -> Option<(Arc<dyn Store>, ScratchDatabase)> {
    let scratch = scratch(variable).await?;
    let store = SeaOrmStore::connect(&settings_of(scratch.url())).await.expect("a database");
    store.migrate().await.unwrap_or_else(|error| panic!("{error:?}"));
    Some((Arc::new(store), scratch))
}

mod postgres {
    mapae_testkit::store_contract! { super::fresh(super::POSTGRES).await }
}

mod mariadb {
    mapae_testkit::store_contract! { super::fresh(super::MARIADB).await }
}

/// A connection of the test's own, to look at what the store has made.
async fn look(scratch: &ScratchDatabase) -> DatabaseConnection {
    let mut options = ConnectOptions::new(scratch.url());
    options.max_connections(1).sqlx_logging(false);
    Database::connect(options).await.expect("a connection")
}

async fn text_of(look: &DatabaseConnection, sql: &str) -> Vec<String> {
    let statement = Statement::from_string(look.get_database_backend(), sql);
    let rows = look.query_all_raw(statement).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    rows.iter().map(|row| row.try_get_by_index(0).expect("a text")).collect()
}

async fn open(scratch: &ScratchDatabase) -> SeaOrmStore {
    SeaOrmStore::connect(&settings_of(scratch.url())).await.expect("a database")
}

async fn migrate_ten_times_at_once(variable: &str) {
    let Some(scratch) = scratch(variable).await else { return };
    let mut processes = JoinSet::new();
    for _ in 0..10 {
        // As a process of its own: with connections of its own.
        let store = open(&scratch).await;
        processes.spawn(async move {
            let applied = store.migrate().await.unwrap_or_else(|error| panic!("{error:?}"));
            let pending = store.pending().await.expect("an answer");
            store.close().await.expect("an end");
            (applied, pending)
        });
    }
    let mut applied = processes.join_all().await;
    applied.sort_unstable();
    let mut expected = vec![(0, 0); 9];
    expected.push((16, 0));
    assert_eq!(applied, expected, "one of them applies all, the others find it done");
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_that_start_at_once_on_an_empty_postgres_migrate_it_once() {
    migrate_ten_times_at_once(POSTGRES).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_that_start_at_once_on_an_empty_mariadb_migrate_it_once() {
    migrate_ten_times_at_once(MARIADB).await;
}

async fn up_and_down_and_up_again(variable: &str, tables: &str) {
    let Some(scratch) = scratch(variable).await else { return };
    let store = open(&scratch).await;
    let look = look(&scratch).await;
    assert_eq!(store.migrate().await.expect("the schema"), 16);
    let made = text_of(&look, tables).await;
    assert!(made.len() >= 14, "{made:?}");
    store.unmigrate().await.expect("the way back");
    assert_eq!(text_of(&look, tables).await, Vec::<String>::new());
    assert_eq!(store.migrate().await.expect("the schema again"), 16);
    assert_eq!(text_of(&look, tables).await, made);
    let later = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m2099_later', 0)";
    look.execute_unprepared(later).await.expect("a step of later");
    match store.migrate().await {
        Err(ConnectError::FromTheFuture(step)) => assert_eq!(step, "m2099_later"),
        other => panic!("{other:?}"),
    }
    look.close().await.expect("an end");
}

#[tokio::test]
async fn the_schema_of_postgres_goes_up_and_down_and_up_again() {
    let tables = "SELECT table_name::text FROM information_schema.tables \
                  WHERE table_schema = 'public' AND table_name <> 'seaql_migrations' ORDER BY 1";
    up_and_down_and_up_again(POSTGRES, tables).await;
}

#[tokio::test]
async fn the_schema_of_mariadb_goes_up_and_down_and_up_again() {
    let tables = "SELECT CAST(table_name AS CHAR) FROM information_schema.tables \
                  WHERE table_schema = DATABASE() AND table_name <> 'seaql_migrations' ORDER BY 1";
    up_and_down_and_up_again(MARIADB, tables).await;
}

#[tokio::test]
async fn a_step_that_broke_off_on_mariadb_is_done_again() {
    let Some(scratch) = scratch(MARIADB).await else { return };
    let store = open(&scratch).await;
    store.migrate().await.expect("the schema");
    let look = look(&scratch).await;
    // As if the process had been killed before the last steps were noted, and in their midst.
    for sql in [
        "DELETE FROM seaql_migrations ORDER BY version DESC LIMIT 5",
        "ALTER TABLE consents DROP COLUMN reminded_at",
        "DROP INDEX ix_consents_reconfirm_at ON consents",
        "DROP TABLE contact_undos",
    ] {
        look.execute_unprepared(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
    assert_eq!(store.migrate().await.unwrap_or_else(|error| panic!("{error:?}")), 5);
    let columns = text_of(&look, "SHOW COLUMNS FROM consents LIKE 'reminded_at'").await;
    assert_eq!(columns, ["reminded_at"]);
    look.close().await.expect("an end");
}

#[tokio::test]
async fn every_text_of_mariadb_is_compared_byte_by_byte() {
    let Some(scratch) = scratch(MARIADB).await else { return };
    open(&scratch).await.migrate().await.expect("the schema");
    let look = look(&scratch).await;
    let others = "SELECT CONCAT(table_name, '.', column_name, ' ', collation_name) \
                  FROM information_schema.columns WHERE table_schema = DATABASE() \
                  AND collation_name <> 'utf8mb4_nopad_bin' AND table_name <> 'seaql_migrations'";
    assert_eq!(text_of(&look, others).await, Vec::<String>::new());
    look.close().await.expect("an end");
}

/// A statement in the words of PostgreSQL: ids are UUIDs there, and hashes bytes.
fn for_postgres(sql: &str) -> String {
    let mut words = String::new();
    let mut rest = sql;
    while let Some((before, after)) = rest.split_once("x'0") {
        let is_hash = before.trim_end_matches([' ', '=']).ends_with("hash");
        let id = "'00000000-0000-0000-0000-000000000000'";
        words.push_str(before);
        words.push_str(if is_hash { "'\\x00'" } else { id });
        rest = after.get(2..).unwrap_or_default();
    }
    words.push_str(rest);
    words
}

#[tokio::test]
async fn every_hot_look_up_of_postgres_has_an_index() {
    let Some(scratch) = scratch(POSTGRES).await else { return };
    open(&scratch).await.migrate().await.expect("the schema");
    let look = look(&scratch).await;
    // On an empty table to read all of it is always cheapest, unless it is forbidden: a plan that
    // does so still has no index to take.
    look.execute_unprepared("SET enable_seqscan = off").await.expect("a setting");
    for sql in HOT {
        let plan = text_of(&look, &format!("EXPLAIN {}", for_postgres(sql))).await;
        assert!(!plan.iter().any(|step| step.contains("Seq Scan")), "{sql}: {plan:#?}");
    }
    look.close().await.expect("an end");
}
