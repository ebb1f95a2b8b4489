//! Every fake keeps what its port promises.
#![expect(missing_docs, reason = "tests are named after what they promise")]

mod store {
    use std::sync::Arc;

    use mapae_testkit::fake::MemoryStore;

    mapae_testkit::store_contract! { (Arc::new(MemoryStore::new()), ()) }
}
