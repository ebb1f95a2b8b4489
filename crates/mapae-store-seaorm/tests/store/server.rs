//! The store on PostgreSQL and MariaDB, where the environment names a server:
//! `MAPAE_TEST_POSTGRES_URL` and `MAPAE_TEST_MARIADB_URL`.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use mapae_application::idempotency::{IdempotencyClaim, IdempotencyOutcome};
use mapae_application::ports::{ReadView, Store, StoreError};
use mapae_store_seaorm::scratch::ScratchDatabase;
use mapae_store_seaorm::{ConnectError, Schema, SeaOrmStore, StoreSettings};
use mapae_testkit::build;
use mapae_testkit::contract::wake_up::Processes;
use mapae_testkit::fake::TcpProxy;
use mapae_testkit::machine::server_of;
use sea_orm::{
    ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection, DbBackend, Statement,
    TransactionTrait as _,
};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::settings_of;

pub(crate) const POSTGRES: &str = "MAPAE_TEST_POSTGRES_URL";
pub(crate) const PGBOUNCER: &str = "MAPAE_TEST_PGBOUNCER_URL";
pub(crate) const MARIADB: &str = "MAPAE_TEST_MARIADB_URL";

/// A database of the test's own on the server that `variable` names, where it does.
pub(crate) async fn scratch(variable: &str) -> Option<ScratchDatabase> {
    let admin = server_of(variable)?;
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

/// A database of PostgreSQL, reached by a pooler in transaction mode.
async fn fresh_pooled() -> Option<(Arc<dyn Store>, ScratchDatabase)> {
    let scratch = scratch(PGBOUNCER).await?;
    let settings = StoreSettings { transaction_pooling: true, ..settings_of(scratch.url()) };
    let store = SeaOrmStore::connect(&settings).await.expect("a database");
    store.migrate().await.unwrap_or_else(|error| panic!("{error:?}"));
    store.check_schema().await.unwrap_or_else(|error| panic!("{error:?}"));
    store.ping().await.expect("an answer");
    Some((Arc::new(store), scratch))
}

mod pgbouncer {
    mapae_testkit::store_contract! { super::fresh_pooled().await }
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
            let schema = store.schema().await.expect("an answer");
            store.close().await.expect("an end");
            (applied, schema)
        });
    }
    let mut applied = processes.join_all().await;
    applied.sort_unstable_by_key(|(applied, _)| *applied);
    let mut expected = vec![(0, Schema::Current); 9];
    expected.push((16, Schema::Current));
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

/// What a role's defaults are worth, straight and behind a pooler.
#[tokio::test]
async fn what_postgres_was_told_to_forget_early_is_on_the_disk_all_the_same() {
    for (variable, transaction_pooling) in [(POSTGRES, false), (PGBOUNCER, true)] {
        for (default, kept) in [("off", "on"), ("local", "local"), ("remote_apply", "remote_apply")]
        {
            // One that nobody has been connected to by it.
            let Some(scratch) = scratch(POSTGRES).await else { return };
            let (look, Some(server)) = (look(&scratch).await, server_of(variable)) else { return };
            let name = text_of(&look, "SELECT current_database()::text").await.swap_remove(0);
            let set = format!("ALTER DATABASE {name} SET synchronous_commit = {default}");
            look.execute_unprepared(&set).await.expect("a default");
            look.close().await.expect("an end");
            let (server, _) = server.rsplit_once('/').expect("a URL");
            let settings = settings_of(format!("{server}/{name}"));
            let settings = StoreSettings { transaction_pooling, ..settings };
            let store = SeaOrmStore::connect(&settings).await.expect("a database");
            let found = mapae_store_seaorm::scratch::in_a_unit_of_work(
                &store,
                "SELECT current_setting('synchronous_commit')",
            );
            assert_eq!(found.await.expect("a setting"), kept, "{variable}: {default}");
            store.close().await.expect("an end");
        }
    }
}

/// Some hosts do so where a disk is nearly full.
#[tokio::test]
async fn a_postgres_where_every_session_only_reads_is_not_ready() {
    let Some(scratch) = scratch(POSTGRES).await else { return };
    let look = look(&scratch).await;
    let name = text_of(&look, "SELECT current_database()::text").await.swap_remove(0);
    for (default, is_ready) in [("on", false), ("off", true)] {
        let set = format!("ALTER DATABASE {name} SET default_transaction_read_only = {default}");
        let set = format!("SET default_transaction_read_only = off; {set}");
        look.execute_unprepared(&set).await.expect("a default");
        let store = open(&scratch).await;
        assert_eq!(store.ping().await.is_ok(), is_ready, "{default}");
        store.close().await.expect("an end");
    }
    look.close().await.expect("an end");
}

/// Whoever serves by a role that may read and write rows, and change nothing of the schema.
async fn looks_at_the_schema_without_a_right_to_it(variable: &str) {
    let Some(scratch) = scratch(variable).await else { return };
    let look = look(&scratch).await;
    let (url, role) = (scratch.url(), scratch.url());
    let role = role.rsplit('/').next().expect("a name");
    let (grants, drops) = match look.get_database_backend() {
        DbBackend::Postgres => (
            vec![
                format!("CREATE ROLE {role} LOGIN"),
                format!(
                    "ALTER DEFAULT PRIVILEGES IN SCHEMA public \
                     GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {role}"
                ),
            ],
            vec![format!("DROP OWNED BY {role}"), format!("DROP ROLE {role}")],
        ),
        _ => (
            vec![
                format!("CREATE USER {role}@'%'"),
                format!("GRANT SELECT, INSERT, UPDATE, DELETE ON {role}.* TO {role}@'%'"),
            ],
            vec![format!("DROP USER {role}@'%'")],
        ),
    };
    for sql in &grants {
        look.execute_unprepared(sql).await.expect("a role");
    }
    let (scheme, rest) = url.split_once("://").expect("a URL");
    let (_, server) = rest.split_once('@').expect("a user");
    let settings = settings_of(format!("{scheme}://{role}@{server}"));
    let store = SeaOrmStore::connect(&settings).await.expect("a database");
    let seen = store.check_schema().await;
    assert!(matches!(seen, Err(ConnectError::FromThePast(16))), "{seen:?}");
    open(&scratch).await.migrate().await.expect("the schema");
    store.check_schema().await.expect("this release's");
    store.close().await.expect("an end");
    for sql in &drops {
        look.execute_unprepared(sql).await.expect("no role");
    }
    look.close().await.expect("an end");
}

#[tokio::test]
async fn who_may_not_change_the_schema_of_postgres_can_see_whether_it_is_this_releases() {
    looks_at_the_schema_without_a_right_to_it(POSTGRES).await;
}

#[tokio::test]
async fn who_may_not_change_the_schema_of_mariadb_can_see_whether_it_is_this_releases() {
    looks_at_the_schema_without_a_right_to_it(MARIADB).await;
}

/// A dump reads a table that the next step changes; whoever is served waits for neither for long.
async fn waits_for_a_dump(variable: &str, step_less: &[&str]) {
    let Some(scratch) = scratch(variable).await else { return };
    let store = open(&scratch).await;
    store.migrate().await.expect("the schema");
    let look = look(&scratch).await;
    // As it was before the last step but one.
    for sql in
        step_less.iter().chain(&["DELETE FROM seaql_migrations WHERE version LIKE '%_consents'"])
    {
        look.execute_unprepared(sql).await.expect("a step less");
    }
    let dump = look.begin().await.expect("a dump");
    for table in ["users", "consents"] {
        let read = format!("SELECT COUNT(*) FROM {table}");
        dump.execute_unprepared(&read).await.expect("its lock");
    }
    let migrating = tokio::spawn({
        let store = store.clone();
        async move { store.migrate().await }
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let other = Database::connect(scratch.url()).await.expect("another connection");
    for sql in ["SELECT username FROM users", "SELECT document FROM consents"] {
        let asked = timeout(Duration::from_secs(20), text_of(&other, sql));
        assert_eq!(asked.await.expect("nobody waits behind a step"), Vec::<String>::new());
    }
    assert!(!migrating.is_finished(), "nobody held it up");
    dump.rollback().await.expect("its end");
    let applied = timeout(Duration::from_secs(30), migrating).await.expect("an end");
    assert_eq!(applied.expect("no panic").expect("the schema"), 1);
    other.close().await.expect("an end");
    look.close().await.expect("an end");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_waits_for_a_dump_of_postgres_holds_nobody_up_and_is_done_after_it() {
    let step_less = [
        "ALTER TABLE consents DROP COLUMN required, DROP COLUMN address, \
         DROP COLUMN reconfirm_at, DROP COLUMN reminded_at",
        "DROP INDEX ix_usernames_user_id, ix_usernames_registration_id, ix_usernames_expires_at, \
         ix_audit_entries_at, ix_outbox_updated_at",
        "ALTER TABLE users DROP COLUMN primary_channel",
    ];
    waits_for_a_dump(POSTGRES, &step_less).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_waits_for_a_dump_of_mariadb_holds_nobody_up_and_is_done_after_it() {
    // What is there is left alone.
    let step_less = [
        "DROP INDEX ix_consents_reconfirm_at ON consents",
        "ALTER TABLE consents DROP COLUMN reminded_at",
    ];
    waits_for_a_dump(MARIADB, &step_less).await;
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

async fn every_statement_has_an_index(variable: &str) {
    let Some(scratch) = scratch(variable).await else { return };
    open(&scratch).await.migrate().await.expect("the schema");
    crate::plan::every_statement_has_an_index(scratch.url()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_statement_of_the_store_finds_its_rows_by_an_index_of_postgres() {
    every_statement_has_an_index(POSTGRES).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_statement_of_the_store_finds_its_rows_by_an_index_of_mariadb() {
    every_statement_has_an_index(MARIADB).await;
}

/// A database of the test's own, by a way that can hold still, and a store with two connections that waits
/// for two seconds.
async fn by_a_proxy(variable: &str) -> Option<(SeaOrmStore, TcpProxy, ScratchDatabase)> {
    let scratch = scratch(variable).await?;
    open(&scratch).await.migrate().await.expect("the schema");
    let url = scratch.url();
    let server = url.split(['/', '@']).nth(3).expect("a host and a port");
    let proxy = TcpProxy::start(server).await;
    let mut settings = settings_of(url.replace(server, &proxy.address().to_string()));
    (settings.timeout, settings.connections) = (Duration::from_secs(2), 2);
    let store = SeaOrmStore::connect(&settings).await.expect("a database");
    Some((store, proxy, scratch))
}

fn claim() -> IdempotencyClaim {
    IdempotencyClaim {
        key: build::unique_hash(),
        content: build::unique_hash(),
        resource: build::verification_id().as_uuid(),
        expires_at: build::after(100),
    }
}

/// Two views at once, each on a connection of its own, as soon as both can be had.
async fn two_views(store: &SeaOrmStore) -> [Box<dyn ReadView>; 2] {
    for _ in 0..40 {
        if let Ok(first) = store.read().await
            && let Ok(second) = store.read().await
        {
            return [first, second];
        }
    }
    panic!("a connection does not come back");
}

/// Who is connected to the test's database, but for whoever looks.
async fn connected(look: &DatabaseConnection) -> Vec<String> {
    let mut connected = text_of(
        look,
        match look.get_database_backend() {
            DbBackend::Postgres => {
                "SELECT pid::text FROM pg_stat_activity \
                 WHERE datname = current_database() AND pid <> pg_backend_pid()"
            }
            _ => {
                "SELECT CAST(id AS CHAR) FROM information_schema.processlist \
                 WHERE db = DATABASE() AND id <> CONNECTION_ID()"
            }
        },
    )
    .await;
    connected.sort();
    connected
}

/// A question that a connection has not heard before, one that it has, the end of a unit of work, and
/// the begin of one: whoever asks them is gone before there is an answer.
async fn an_answer_nobody_waits_for(variable: &str) {
    let Some((store, proxy, scratch)) = by_a_proxy(variable).await else { return };
    let (known, gone) = (claim(), Duration::from_millis(50));
    let mut work = store.begin().await.expect("a unit of work");
    work.claim_idempotency_key(&known, build::START).await.expect("an answer");
    work.commit().await.expect("an end");
    drop(two_views(&store).await);
    let look = look(&scratch).await;
    let before = connected(&look).await;
    for nth in 0..8 {
        let mut view = store.read().await.expect("a view");
        let mut work = store.begin().await.expect("a unit of work");
        if nth % 4 == 2 {
            drop(view);
            drop(work);
            // Whoever waits for a connection does not wait for the database.
            drop(two_views(&store).await);
            tokio::time::sleep(gone).await;
            proxy.hold_still();
            let asked = timeout(gone, async { tokio::join!(store.read(), store.begin()) }).await;
            assert!(asked.is_err(), "an answer");
        } else {
            proxy.hold_still();
            // Gone with both connections.
            let asked = timeout(gone, async move {
                match nth % 4 {
                    0 => drop(work.claim_idempotency_key(&claim(), build::START).await),
                    1 => drop(view.find_idempotency_key(&claim(), build::START).await),
                    _ => drop(work.commit().await),
                }
            });
            assert!(asked.await.is_err(), "an answer");
        }
        proxy.go_on();
        for view in &mut two_views(&store).await {
            let found = view.find_idempotency_key(&known, build::START).await;
            let found = found.unwrap_or_else(|error| panic!("after {nth}: {error:?}"));
            assert_eq!(found, IdempotencyOutcome::Repeat(known.resource), "after {nth}");
            assert_eq!(view.signing_keys().await.expect("an answer").len(), 0, "after {nth}");
        }
    }
    // They are the connections that there were: none was lost over it.
    assert_eq!(connected(&look).await, before);
    look.close().await.expect("an end");
    store.close().await.expect("an end");
}

/// A role that may have as many connections as the store has, and all of them are given up.
#[tokio::test(flavor = "multi_thread")]
async fn where_a_server_has_no_room_for_another_a_lost_connection_is_closed_first() {
    let Some(scratch) = scratch(POSTGRES).await else { return };
    open(&scratch).await.migrate().await.expect("the schema");
    let look = look(&scratch).await;
    let role = format!("{}_role", text_of(&look, "SELECT current_database()::text").await[0]);
    for sql in [
        format!("CREATE ROLE {role} LOGIN CONNECTION LIMIT 2"),
        format!("GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}"),
    ] {
        look.execute_unprepared(&sql).await.expect("a role");
    }
    let url = scratch.url();
    let server = url.split(['/', '@']).nth(3).expect("a host and a port");
    let proxy = TcpProxy::start(server).await;
    let name = url.rsplit('/').next().expect("a name");
    let by_proxy = format!("postgres://{role}@{}/{name}?sslmode=disable", proxy.address());
    let mut settings = settings_of(by_proxy);
    (settings.timeout, settings.connections) = (Duration::from_secs(2), 2);
    let store = SeaOrmStore::connect(&settings).await.expect("a database");
    let [mut first, mut second] = two_views(&store).await;
    proxy.hold_still();
    assert!(first.signing_keys().await.is_err());
    assert!(second.signing_keys().await.is_err());
    drop((first, second));
    // Until both are given up, and still longer; then the server is there again, and so are both.
    tokio::time::sleep(settings.timeout * 12).await;
    proxy.go_on();
    for view in &mut two_views(&store).await {
        assert_eq!(view.signing_keys().await.expect("an answer").len(), 0);
    }
    store.close().await.expect("an end");
    for sql in [format!("DROP OWNED BY {role}"), format!("DROP ROLE {role}")] {
        look.execute_unprepared(&sql).await.expect("no role");
    }
    look.close().await.expect("an end");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_nobody_waits_for_is_nobody_elses_on_postgres() {
    an_answer_nobody_waits_for(POSTGRES).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_nobody_waits_for_is_nobody_elses_on_mariadb() {
    an_answer_nobody_waits_for(MARIADB).await;
}

/// A database that answers, falls silent in the midst of a unit of work, and answers again.
async fn is_silent_for_a_while(variable: &str) {
    let Some((store, proxy, _scratch)) = by_a_proxy(variable).await else { return };
    let mut begun = store.begin().await.expect("a unit of work");
    begun.signing_keys().await.expect("an answer");
    proxy.hold_still();
    // In the midst of one, at its commit, at the begin of others, and with no connection left.
    let asked = begun.signing_keys().await.map(drop);
    let mut outcomes = vec![asked, begun.commit().await.map(drop)];
    for _ in 0..4 {
        outcomes.push(store.begin().await.map(drop));
        outcomes.push(store.read().await.map(drop));
    }
    outcomes.push(store.ping().await);
    for outcome in outcomes {
        assert!(matches!(outcome, Err(StoreError::Unavailable(_))), "{outcome:?}");
    }
    proxy.go_on();
    // By itself, and as soon as what was begun is taken back.
    let mut waited = 0;
    while let Err(error) = store.ping().await {
        waited += 1;
        assert!(waited < 100, "{error:?}");
    }
    let mut view = store.read().await.expect("a view");
    assert_eq!(view.signing_keys().await.expect("an answer").len(), 0);
    // What a view holds goes with its connection, and a database is not dropped under it.
    drop(view);
    store.close().await.expect("an end");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_a_postgres_that_has_fallen_silent() {
    is_silent_for_a_while(POSTGRES).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_a_mariadb_that_has_fallen_silent() {
    is_silent_for_a_while(MARIADB).await;
}

/// A host that is gone without a word, with every connection of the store's, and another in its place.
async fn is_gone_without_a_word(variable: &str) {
    let Some((store, proxy, _scratch)) = by_a_proxy(variable).await else { return };
    let (mut first, mut second) =
        (store.begin().await.expect("a unit of work"), store.read().await.expect("a view"));
    proxy.fall_silent();
    assert!(first.claim_idempotency_key(&claim(), build::START).await.is_err());
    assert!(second.signing_keys().await.is_err());
    // Neither is asked any more, or committed, though there might be an answer yet.
    let asked = timeout(Duration::from_millis(50), second.signing_keys()).await;
    assert!(matches!(asked, Ok(Err(StoreError::Unavailable(_)))), "{asked:?}");
    let asked = timeout(Duration::from_millis(50), first.commit()).await;
    assert!(matches!(asked, Ok(Err(StoreError::Unavailable(_)))), "{asked:?}");
    drop(second);
    // No connection is left, until those that lead nowhere are given up.
    for view in &mut two_views(&store).await {
        assert_eq!(view.signing_keys().await.expect("an answer").len(), 0);
    }
    store.close().await.expect("an end");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_to_a_postgres_that_is_gone_without_a_word_are_replaced() {
    is_gone_without_a_word(POSTGRES).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_to_a_mariadb_that_is_gone_without_a_word_are_replaced() {
    is_gone_without_a_word(MARIADB).await;
}

/// Two processes on one database of PostgreSQL, and the server's way to cut them off.
async fn two_processes() -> Option<(Processes, ScratchDatabase)> {
    let scratch = scratch(POSTGRES).await?;
    let (first, second) = (open(&scratch).await, open(&scratch).await);
    let look = look(&scratch).await;
    let counting = look.clone();
    let listeners = move || -> Pin<Box<dyn Future<Output = usize> + Send>> {
        let look = counting.clone();
        Box::pin(async move {
            let listening = "SELECT pid::text FROM pg_stat_activity \
                             WHERE datname = current_database() AND query ILIKE 'LISTEN %'";
            text_of(&look, listening).await.len()
        })
    };
    let cut = move || -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let look = look.clone();
        Box::pin(async move {
            let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                          WHERE datname = current_database() AND pid <> pg_backend_pid()";
            look.execute_unprepared(others).await.expect("a cut");
        })
    };
    let wake_ups = |store: &SeaOrmStore| store.wake_ups().expect("PostgreSQL has a way");
    let processes = Processes {
        first: wake_ups(&first),
        second: wake_ups(&second),
        cut: Box::new(cut),
        listeners: Box::new(listeners),
    };
    Some((processes, scratch))
}

mod wake_up {
    mapae_testkit::wake_ups_contract! { super::two_processes().await }
}

#[tokio::test]
async fn mariadb_has_no_way_to_wake_anybody() {
    let Some(scratch) = scratch(MARIADB).await else { return };
    assert!(open(&scratch).await.wake_ups().is_none());
}
