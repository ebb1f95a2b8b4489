//! The API's document, as it is kept in `docs/openapi/`.

use crate::{Failure, golden};

const PATH: &str = "docs/openapi/mapae.json";

fn document() -> Result<String, Failure> {
    Ok(serde_json::to_string_pretty(&mapae_http::openapi_document())? + "\n")
}

pub(crate) fn write() -> Result<(), Failure> {
    golden::write(PATH, &document()?)
}

pub(crate) fn check() -> Result<(), Failure> {
    golden::check(PATH, &document()?, "cargo xtask openapi")
}
