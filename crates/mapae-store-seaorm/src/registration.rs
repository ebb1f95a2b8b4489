use async_trait::async_trait;
use mapae_application::ports::StoreError;
use mapae_application::ports::store::{RegistrationReads, RegistrationWrites};
use mapae_domain::consent::ConsentChannel;
use mapae_domain::registration::{Claimed, RegistrationRecord, RegistrationState};
use mapae_domain::{
    Consent, ConsentDocument, EmailAddress, Nickname, PasswordHash, PersonName, PhoneNumber,
    Registration, RegistrationId, Timestamp, UserId, Username,
};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, EntityTrait as _, IntoActiveModel as _,
    QueryFilter as _, QueryOrder as _, QuerySelect as _,
};
use serde_json::{Value, json};

use crate::convert::{counter, decided_by, instant, locale, micros};
use crate::entity::registration::{Column, Entity, Model};
use crate::error::store_error;
use crate::transaction::Transaction;

fn to_row(registration: &Registration) -> Model {
    let record = registration.record();
    let (user_id, completed_at) = match record.state {
        RegistrationState::Pending => (None, None),
        RegistrationState::Completed { user, at } => (Some(user.as_uuid()), Some(at.as_micros())),
    };
    Model {
        id: record.id.as_uuid(),
        username: record.username.as_ref().map(|name| name.as_str().to_owned()),
        email: record.email.as_ref().map(|email| email.contact.as_str().to_owned()),
        email_proved_at: record.email.as_ref().and_then(|email| micros(email.proved_at)),
        phone: record.phone.as_ref().map(|phone| phone.contact.as_str().to_owned()),
        phone_proved_at: record.phone.as_ref().and_then(|phone| micros(phone.proved_at)),
        nickname: record.nickname.as_ref().map(|name| name.as_str().to_owned()),
        name: record.name.as_ref().map(|name| name.as_str().to_owned()),
        locale: record.locale.as_str().to_owned(),
        password_hash: record.password_hash.as_ref().map(|hash| hash.as_str().to_owned()),
        consents: write_consents(&record.consents),
        user_id,
        completed_at,
        tokens_issued_at: micros(record.tokens_issued_at),
        created_at: record.created_at.as_micros(),
        expires_at: record.expires_at.as_micros(),
        version: i64::from(record.version),
    }
}

fn from_row(row: Model) -> Result<Registration, StoreError> {
    let state = match (row.user_id, row.completed_at) {
        (Some(user), Some(at)) => RegistrationState::Completed {
            user: UserId::from_uuid(user),
            at: Timestamp::from_micros(at),
        },
        _ => RegistrationState::Pending,
    };
    Ok(Registration::from_record(RegistrationRecord {
        id: RegistrationId::from_uuid(row.id),
        username: row.username.map(|name| Username::from_stored(&name)),
        email: row.email.map(|email| Claimed {
            contact: EmailAddress::from_stored(&email),
            proved_at: instant(row.email_proved_at),
        }),
        phone: row.phone.map(|phone| Claimed {
            contact: PhoneNumber::from_stored(&phone),
            proved_at: instant(row.phone_proved_at),
        }),
        nickname: row.nickname.map(|name| Nickname::from_stored(&name)),
        name: row.name.map(|name| PersonName::from_stored(&name)),
        locale: locale(&row.locale)?,
        password_hash: row.password_hash.map(PasswordHash::from_stored),
        consents: read_consents(&row.consents)?,
        state,
        tokens_issued_at: instant(row.tokens_issued_at),
        created_at: Timestamp::from_micros(row.created_at),
        expires_at: Timestamp::from_micros(row.expires_at),
        version: counter(row.version)?,
    }))
}

fn write_consents(consents: &[Consent]) -> String {
    let list = consents.iter().map(|consent| {
        json!({
            "document": consent.document.name(),
            "version": consent.document.version(),
            "required": consent.required,
            "accepted": consent.accepted,
            "decided_at": consent.decided_at.as_micros(),
            "channel": consent.by.channel.map(ConsentChannel::as_str),
            "address": consent.by.address,
            "reconfirm_at": micros(consent.reconfirm_at),
        })
    });
    Value::Array(list.collect()).to_string()
}

fn read_consents(text: &str) -> Result<Vec<Consent>, StoreError> {
    let unreadable = || StoreError::Corrupt("a registration's consents cannot be read");
    let list: Vec<Value> = serde_json::from_str(text).map_err(|_| unreadable())?;
    let read = |value: &Value| {
        let name = value["document"].as_str().ok_or_else(unreadable)?;
        let version = value["version"].as_str().ok_or_else(unreadable)?;
        Ok(Consent {
            document: ConsentDocument::parse(name, version).map_err(|_| unreadable())?,
            // What earlier releases did not write is not there.
            required: value["required"].as_bool().unwrap_or_default(),
            accepted: value["accepted"].as_bool().ok_or_else(unreadable)?,
            decided_at: Timestamp::from_micros(
                value["decided_at"].as_i64().ok_or_else(unreadable)?,
            ),
            by: decided_by(value["channel"].as_str(), value["address"].as_str())?,
            reconfirm_at: instant(value["reconfirm_at"].as_i64()),
            reminded_at: None,
        })
    };
    list.iter().map(read).collect()
}

#[async_trait]
impl RegistrationReads for Transaction {
    async fn registrations_of_user(
        &mut self,
        user: UserId,
    ) -> Result<Vec<Registration>, StoreError> {
        let rows = Entity::find()
            .filter(Column::UserId.eq(user.as_uuid()))
            .order_by_asc(Column::CreatedAt)
            .order_by_asc(Column::Id)
            .all(&self.0)
            .await
            .map_err(store_error)?;
        rows.into_iter().map(from_row).collect()
    }

    async fn registration(
        &mut self,
        id: RegistrationId,
    ) -> Result<Option<Registration>, StoreError> {
        let row = Entity::find_by_id(id.as_uuid()).one(&self.0).await.map_err(store_error)?;
        row.map(from_row).transpose()
    }
}

#[async_trait]
impl RegistrationWrites for Transaction {
    async fn lock_registration(
        &mut self,
        id: RegistrationId,
    ) -> Result<Option<Registration>, StoreError> {
        let find = Entity::find_by_id(id.as_uuid()).lock_exclusive();
        let row = find.one(&self.0).await.map_err(store_error)?;
        row.map(from_row).transpose()
    }

    async fn insert_registration(&mut self, registration: &Registration) -> Result<(), StoreError> {
        let row = to_row(registration).into_active_model().reset_all();
        Entity::insert(row).exec_without_returning(&self.0).await.map_err(store_error)?;
        Ok(())
    }

    async fn update_registration(&mut self, registration: &Registration) -> Result<(), StoreError> {
        let row = to_row(registration);
        let (id, before) = (row.id, row.version - 1);
        let updated = Entity::update_many()
            .set(row.into_active_model().reset_all())
            .filter(Column::Id.eq(id))
            .filter(Column::Version.eq(before))
            .exec(&self.0)
            .await
            .map_err(store_error)?;
        if updated.rows_affected == 1 { Ok(()) } else { Err(StoreError::Stale) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consents_that_cannot_be_read_are_no_silent_loss() {
        assert!(read_consents("[]").is_ok_and(|list| list.is_empty()));
        for text in ["", "{}", "[1]", "[{\"document\": \"terms\"}]"] {
            assert!(matches!(read_consents(text), Err(StoreError::Corrupt(_))), "{text}");
        }
    }
}
