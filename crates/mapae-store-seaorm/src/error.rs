use mapae_application::ports::StoreError;
use sea_orm::{DbErr, SqlErr};

/// An error of the database in the port's words. Its own words stay behind, as its cause: they name
/// tables and columns, and never a value.
pub(crate) fn store_error(error: DbErr) -> StoreError {
    if let Some(SqlErr::UniqueConstraintViolation(_)) = error.sql_err() {
        return StoreError::Stale;
    }
    match error {
        DbErr::Type(_) | DbErr::Json(_) | DbErr::TryIntoErr { .. } => {
            StoreError::Corrupt("a column is of another type")
        }
        error => StoreError::Unavailable(Box::new(error)),
    }
}
