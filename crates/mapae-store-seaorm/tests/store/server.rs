//! The store on PostgreSQL and MariaDB, where the environment names a server:
//! `MAPAE_TEST_POSTGRES_URL` and `MAPAE_TEST_MARIADB_URL`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mapae_application::ports::Store;
use mapae_store_seaorm::SeaOrmStore;
use mapae_store_seaorm::scratch::ScratchDatabase;

use crate::settings_of;

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
    mapae_testkit::store_contract! { super::fresh("MAPAE_TEST_POSTGRES_URL").await }
}

mod mariadb {
    mapae_testkit::store_contract! { super::fresh("MAPAE_TEST_MARIADB_URL").await }
}
