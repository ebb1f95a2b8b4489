use async_trait::async_trait;
use mapae_application::ports::StoreError;
use mapae_application::ports::store::{SendAllowance, VerificationReads, VerificationWrites};
use mapae_domain::verification::{
    Challenge, ConcernedUser, PreviousChallenge, Standing, VerificationRecord, VerificationState,
};
use mapae_domain::{
    Contact, Purpose, RegistrationId, SecretHash, Timestamp, UserId, Verification, VerificationId,
};
use sea_orm::prelude::Uuid;
use sea_orm::sea_query::{Expr, ExprTrait as _, LockBehavior, LockType};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, Condition, EntityTrait as _, IntoActiveModel as _,
    QueryFilter as _, QueryOrder as _, QuerySelect as _,
};

use crate::convert::{bytes, contact, counter, hash, instant, known, locale, micros};
use crate::entity::contact_sends;
use crate::entity::verification::{Column, Entity, Model};
use crate::error::store_error;
use crate::transaction::Transaction;

fn state_name(state: VerificationState) -> &'static str {
    match state {
        VerificationState::Pending => "pending",
        VerificationState::Verified { .. } => "verified",
        VerificationState::Exhausted => "exhausted",
        VerificationState::Cancelled => "cancelled",
    }
}

fn to_row(verification: &Verification) -> Model {
    let record = verification.record();
    let previous = record.previous.as_ref();
    Model {
        id: record.id.as_uuid(),
        channel: record.contact.channel().as_str().to_owned(),
        contact: record.contact.as_str().to_owned(),
        purpose: record.purpose.as_str().to_owned(),
        registration_id: record.registration.map(|id| id.as_uuid()),
        user_id: record.user.map(|user| user.id.as_uuid()),
        user_generation: record.user.map(|user| i64::from(user.auth_generation)),
        locale: record.locale.as_str().to_owned(),
        standing: record.standing.as_str().to_owned(),
        state: state_name(record.state).to_owned(),
        verified_at: match record.state {
            VerificationState::Verified { at } => Some(at.as_micros()),
            _ => None,
        },
        code_length: i64::from(record.code_length),
        code_hash: bytes(&record.challenge.code),
        link_hash: record.challenge.link.as_ref().map(bytes),
        previous_code_hash: previous.map(|previous| bytes(&previous.challenge.code)),
        previous_link_hash: previous
            .and_then(|previous| previous.challenge.link.as_ref())
            .map(bytes),
        previous_expires_at: previous.map(|previous| previous.expires_at.as_micros()),
        attempts_used: i64::from(record.attempts_used),
        attempts_allowed: i64::from(record.attempts_allowed),
        sends_used: i64::from(record.sends_used),
        sends_allowed: i64::from(record.sends_allowed),
        created_at: record.created_at.as_micros(),
        expires_at: record.expires_at.as_micros(),
        resend_at: record.resend_at.as_micros(),
        receipt_used_at: micros(record.receipt_used_at),
        version: i64::from(record.version),
    }
}

fn from_row(row: Model) -> Result<Verification, StoreError> {
    let state = match (row.state.as_str(), row.verified_at) {
        ("pending", _) => VerificationState::Pending,
        ("verified", Some(at)) => VerificationState::Verified { at: Timestamp::from_micros(at) },
        ("exhausted", _) => VerificationState::Exhausted,
        ("cancelled", _) => VerificationState::Cancelled,
        _ => return Err(StoreError::Corrupt("a verification's state is none that is known")),
    };
    let challenge = |code: &[u8], link: Option<&[u8]>| {
        Ok::<_, StoreError>(Challenge { code: hash(code)?, link: link.map(hash).transpose()? })
    };
    let previous = match (&row.previous_code_hash, row.previous_expires_at) {
        (Some(code), Some(expires_at)) => Some(PreviousChallenge {
            challenge: challenge(code, row.previous_link_hash.as_deref())?,
            expires_at: Timestamp::from_micros(expires_at),
        }),
        _ => None,
    };
    Ok(Verification::from_record(VerificationRecord {
        id: VerificationId::from_uuid(row.id),
        contact: contact(&row.channel, &row.contact)?,
        purpose: known(Purpose::parse(&row.purpose).ok())?,
        registration: row.registration_id.map(RegistrationId::from_uuid),
        user: match (row.user_id, row.user_generation) {
            (Some(id), Some(generation)) => Some(ConcernedUser {
                id: UserId::from_uuid(id),
                auth_generation: counter(generation)?,
            }),
            _ => None,
        },
        locale: locale(&row.locale)?,
        standing: known(Standing::from_name(&row.standing))?,
        state,
        code_length: counter(row.code_length)?,
        challenge: challenge(&row.code_hash, row.link_hash.as_deref())?,
        previous,
        attempts_used: counter(row.attempts_used)?,
        attempts_allowed: counter(row.attempts_allowed)?,
        sends_used: counter(row.sends_used)?,
        sends_allowed: counter(row.sends_allowed)?,
        created_at: Timestamp::from_micros(row.created_at),
        expires_at: Timestamp::from_micros(row.expires_at),
        resend_at: Timestamp::from_micros(row.resend_at),
        receipt_used_at: instant(row.receipt_used_at),
        version: counter(row.version)?,
    }))
}

#[async_trait]
impl VerificationReads for Transaction {
    async fn verification(
        &mut self,
        id: VerificationId,
    ) -> Result<Option<Verification>, StoreError> {
        let row = Entity::find_by_id(id.as_uuid()).one(&self.0).await.map_err(store_error)?;
        row.map(from_row).transpose()
    }

    async fn verifications_of_user(
        &mut self,
        user: UserId,
    ) -> Result<Vec<Verification>, StoreError> {
        let rows = Entity::find()
            .filter(Column::UserId.eq(user.as_uuid()))
            .order_by_asc(Column::CreatedAt)
            .order_by_asc(Column::Id)
            .all(&self.0)
            .await
            .map_err(store_error)?;
        rows.into_iter().map(from_row).collect()
    }

    async fn verifications_of_registration(
        &mut self,
        id: RegistrationId,
    ) -> Result<Vec<Verification>, StoreError> {
        let rows = Entity::find()
            .filter(Column::RegistrationId.eq(id.as_uuid()))
            .order_by_asc(Column::CreatedAt)
            .order_by_asc(Column::Id)
            .all(&self.0)
            .await
            .map_err(store_error)?;
        rows.into_iter().map(from_row).collect()
    }
}

#[async_trait]
impl VerificationWrites for Transaction {
    async fn lock_verification(
        &mut self,
        id: VerificationId,
    ) -> Result<Option<Verification>, StoreError> {
        let find = Entity::find_by_id(id.as_uuid()).lock_exclusive();
        let row = find.one(&self.0).await.map_err(store_error)?;
        row.map(from_row).transpose()
    }

    async fn lock_verification_by_link(
        &mut self,
        link: &SecretHash,
    ) -> Result<Option<Verification>, StoreError> {
        let either = Condition::any()
            .add(Column::LinkHash.eq(bytes(link)))
            .add(Column::PreviousLinkHash.eq(bytes(link)));
        let find = Entity::find().filter(either).lock_exclusive();
        let row = find.one(&self.0).await.map_err(store_error)?;
        row.map(from_row).transpose()
    }

    async fn insert_verification(&mut self, verification: &Verification) -> Result<(), StoreError> {
        let row = to_row(verification).into_active_model().reset_all();
        Entity::insert(row).exec_without_returning(&self.0).await.map_err(store_error)?;
        Ok(())
    }

    async fn update_verification(&mut self, verification: &Verification) -> Result<(), StoreError> {
        let row = to_row(verification);
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

    async fn supersede_verifications(
        &mut self,
        contact: &Contact,
        except: Option<RegistrationId>,
    ) -> Result<(), StoreError> {
        let mut pending = Condition::all()
            .add(Column::Channel.eq(contact.channel().as_str()))
            .add(Column::Contact.eq(contact.as_str()))
            .add(Column::State.eq(state_name(VerificationState::Pending)))
            .add(Column::Standing.eq(Standing::Genuine.as_str()))
            .add(Column::RegistrationId.is_not_null());
        if let Some(except) = except {
            pending = pending.add(Column::RegistrationId.ne(except.as_uuid()));
        }
        // One that another unit of work holds is being proved, and will find the contact taken.
        // Rivals that waited for one another's would wait in a circle.
        let ids: Vec<Uuid> = Entity::find()
            .select_only()
            .column(Column::Id)
            .filter(pending)
            .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
            .into_tuple()
            .all(&self.0)
            .await
            .map_err(store_error)?;
        if ids.is_empty() {
            return Ok(());
        }
        Entity::update_many()
            .col_expr(Column::Standing, Expr::value(Standing::Superseded.as_str()))
            .col_expr(Column::Version, Expr::col(Column::Version).add(1))
            .filter(Column::Id.is_in(ids))
            .exec(&self.0)
            .await
            .map_err(store_error)?;
        Ok(())
    }

    async fn count_contact_send(
        &mut self,
        contact: &SecretHash,
        limit: u32,
        window_end: Timestamp,
        now: Timestamp,
    ) -> Result<SendAllowance, StoreError> {
        use contact_sends::{Column, Entity, Model};
        if limit > 0 {
            let first = Model {
                contact_hash: bytes(contact),
                sent: 1,
                window_ends_at: window_end.as_micros(),
            };
            if self.insert_unless_there(first, [Column::ContactHash]).await? {
                return Ok(SendAllowance::Allowed);
            }
        }
        let of_contact = Column::ContactHash.eq(bytes(contact));
        // A window that has ended begins anew; one that has not takes one more, up to the limit.
        let begun = Entity::update_many()
            .col_expr(Column::Sent, Expr::value(1))
            .col_expr(Column::WindowEndsAt, Expr::value(window_end.as_micros()))
            .filter(of_contact.clone())
            .filter(Column::WindowEndsAt.lte(now.as_micros()))
            .filter(Expr::value(limit > 0))
            .exec(&self.0)
            .await
            .map_err(store_error)?;
        if begun.rows_affected == 1 {
            return Ok(SendAllowance::Allowed);
        }
        let counted = Entity::update_many()
            .col_expr(Column::Sent, Expr::col(Column::Sent).add(1))
            .filter(of_contact)
            .filter(Column::Sent.lt(i64::from(limit)))
            .exec(&self.0)
            .await
            .map_err(store_error)?;
        if counted.rows_affected == 1 {
            return Ok(SendAllowance::Allowed);
        }
        let row = Entity::find_by_id(bytes(contact)).one(&self.0).await.map_err(store_error)?;
        match row {
            Some(row) => {
                let retry_at = Timestamp::from_micros(row.window_ends_at);
                Ok(SendAllowance::Refused { retry_at })
            }
            // It was there, and was removed as over meanwhile.
            None if limit > 0 => Err(StoreError::Stale),
            None => Ok(SendAllowance::Refused { retry_at: window_end }),
        }
    }
}
