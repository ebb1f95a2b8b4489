use mapae_application::ports::StoreError;
use sea_orm::{DbErr, RuntimeErr, SqlErr};

/// What PostgreSQL calls a transaction that another made impossible: a serialization failure, a
/// deadlock.
const POSTGRES_STALE: [&str; 2] = ["40001", "40P01"];
/// What MariaDB calls a deadlock, and a row that another has changed since it was read.
const MARIADB_STALE: [u16; 2] = [1213, 1020];

/// An error of the database in the port's words. Its own words stay behind, as its cause: they name
/// tables and columns, and never a value.
pub(crate) fn store_error(error: DbErr) -> StoreError {
    // A row of that key came first, or what a row belongs to is gone.
    let came_late = matches!(
        error.sql_err(),
        Some(SqlErr::UniqueConstraintViolation(_) | SqlErr::ForeignKeyConstraintViolation(_))
    );
    if came_late || is_stale(&error) {
        return StoreError::Stale;
    }
    match error {
        DbErr::Type(_) | DbErr::Json(_) | DbErr::TryIntoErr { .. } => {
            StoreError::Corrupt("a column is of another type")
        }
        error => StoreError::Unavailable(Box::new(error)),
    }
}

/// Whether a lock was not to be had in the time that is waited for one.
pub(crate) fn waited_in_vain(error: &DbErr) -> bool {
    /// What PostgreSQL and MariaDB call that.
    const POSTGRES: &str = "55P03";
    const MARIADB: u16 = 1205;
    let Some(cause) = database_error(error) else { return false };
    match cause.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
        Some(error) => error.number() == MARIADB,
        None => cause.code().is_some_and(|code| code == POSTGRES),
    }
}

/// What the database itself said.
pub(crate) fn database_error(error: &DbErr) -> Option<&dyn sqlx::error::DatabaseError> {
    let (DbErr::Exec(RuntimeErr::SqlxError(cause))
    | DbErr::Query(RuntimeErr::SqlxError(cause))
    | DbErr::Conn(RuntimeErr::SqlxError(cause))) = error
    else {
        return None;
    };
    cause.as_database_error()
}

/// Whether another transaction came first; begun anew, this one will see what it did.
fn is_stale(error: &DbErr) -> bool {
    let Some(cause) = database_error(error) else { return false };
    if let Some(error) = cause.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
        return MARIADB_STALE.contains(&error.number());
    }
    cause.code().is_some_and(|code| POSTGRES_STALE.contains(&&*code))
}
