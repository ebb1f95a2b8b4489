//! The store on each of its databases: the port's contract, and what is a database's own.
#![expect(clippy::expect_used, clippy::panic, reason = "test code: what fails here fails a test")]

mod plan;
mod portable;
mod release;
mod server;
mod sqlite;

use std::path::Path;
use std::time::Duration;

use mapae_store_seaorm::{StoreSettings, Synchronous};

/// How a test reaches a database.
fn settings_of(url: String) -> StoreSettings {
    StoreSettings {
        url,
        synchronous: Synchronous::Full,
        readers: 4,
        connections: 10,
        transaction_pooling: false,
        timeout: Duration::from_secs(30),
    }
}

/// How a test reaches a file in its folder.
fn settings(folder: &Path) -> StoreSettings {
    settings_of(format!("sqlite://{}", folder.join("data/mapae.db").display()))
}
