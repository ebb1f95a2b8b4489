//! By what each statement of the store finds its rows: an index, however many users there are.

use std::sync::Arc;

use mapae_application::ports::Store;
use mapae_store_seaorm::SeaOrmStore;
use mapae_store_seaorm::scratch::{self, Asked, Overheard};
use mapae_testkit::build::START;
use mapae_testkit::keep_every_store_promise;
use sea_orm::{ConnectionTrait as _, Database, DbBackend};

use crate::settings_of;

/// So many that an index is worth more than a look at everything. A million are measured by
/// `cargo xtask bench size`.
const USERS: u32 = 2_000;

/// How many statements look for rows, at the least: a store that is not overheard has none.
const LEAST: usize = 100;

/// Overhears a store of the database that `url` leads to keep every promise there is, and asks the
/// database, filled with users, how it would go about each statement.
pub(crate) async fn every_statement_has_an_index(url: String) {
    let heard = Overheard::default();
    let store = SeaOrmStore::connect(&settings_of(url.clone())).await.expect("a database");
    let store = store.overheard_by(&heard);
    let empty = async || {
        scratch::empty(&url).await.expect("an empty database");
        Arc::new(store.clone()) as Arc<dyn Store>
    };
    keep_every_store_promise! { empty };
    store.close().await.expect("an end");
    scratch::empty(&url).await.expect("an empty database");
    scratch::fill(&url, USERS, START.as_micros(), "$argon2id$").await.expect("users");

    let asked = Asked { younger: 0, few_rows: true };
    let plans = heard.plans(&url, asked).await.expect("plans");
    assert!(plans.len() >= LEAST, "{} statements", plans.len());
    let scans: Vec<_> = plans.iter().filter(|plan| plan.scans).collect();
    assert!(scans.is_empty(), "{scans:#?}");

    // One that has lost its index is found out.
    let look = Database::connect(&url).await.expect("a connection");
    let of_table = if look.get_database_backend() == DbBackend::MySql { " ON outbox" } else { "" };
    let drop = format!("DROP INDEX ix_outbox_provider_id{of_table}");
    look.execute_unprepared(&drop).await.expect("an index less");
    look.close().await.expect("an end");
    let plans = heard.plans(&url, asked).await.expect("plans");
    let scans = plans.iter().filter(|plan| plan.scans);
    assert!(scans.count() == 1, "{plans:#?}");
}
