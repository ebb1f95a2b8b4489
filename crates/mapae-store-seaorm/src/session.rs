use async_trait::async_trait;
use mapae_application::ports::StoreError;
use mapae_application::ports::store::{SessionReads, SessionWrites};
use mapae_domain::session::{SessionEnd, SessionRecord, SessionSeed};
use mapae_domain::{AuthMethod, Session, SessionId, Timestamp, User, UserId};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, EntityTrait as _, IntoActiveModel as _, JoinType,
    QueryFilter as _, QueryOrder as _, QuerySelect as _,
};

use crate::convert::{array, counter, joined, known, session_client, split};
use crate::entity::session::{Column, Entity, Model};
use crate::entity::user;
use crate::error::store_error;
use crate::transaction::Transaction;

fn to_row(session: &Session) -> Model {
    let record = session.record();
    Model {
        id: record.id.as_uuid(),
        user_id: record.user.as_uuid(),
        generation: i64::from(record.generation),
        seed: record.seed.expose().to_vec(),
        auth_generation: i64::from(record.auth_generation),
        authenticated_at: record.authenticated_at.as_micros(),
        methods: joined(record.methods.iter().map(|method| method.as_str())),
        device: record.client.device.clone(),
        address: record.client.address.map(|address| address.to_string()),
        created_at: record.created_at.as_micros(),
        rotated_at: record.rotated_at.as_micros(),
        idle_expires_at: record.idle_expires_at.as_micros(),
        expires_at: record.expires_at.as_micros(),
        ended_at: record.ended.map(|(at, _)| at.as_micros()),
        end_reason: record.ended.map(|(_, why)| why.as_str().to_owned()),
    }
}

fn from_row(row: &Model) -> Result<Session, StoreError> {
    let ended = match (row.ended_at, row.end_reason.as_deref()) {
        (Some(at), Some(why)) => {
            Some((Timestamp::from_micros(at), known(SessionEnd::from_name(why))?))
        }
        _ => None,
    };
    Ok(Session::from_record(SessionRecord {
        id: SessionId::from_uuid(row.id),
        user: UserId::from_uuid(row.user_id),
        generation: counter(row.generation)?,
        seed: SessionSeed::from_bytes(array(&row.seed)?),
        auth_generation: counter(row.auth_generation)?,
        authenticated_at: Timestamp::from_micros(row.authenticated_at),
        methods: split(&row.methods)
            .map(|name| known(AuthMethod::from_name(name)))
            .collect::<Result<_, _>>()?,
        client: session_client(row.device.as_deref(), row.address.as_deref())?,
        created_at: Timestamp::from_micros(row.created_at),
        rotated_at: Timestamp::from_micros(row.rotated_at),
        idle_expires_at: Timestamp::from_micros(row.idle_expires_at),
        expires_at: Timestamp::from_micros(row.expires_at),
        ended,
    }))
}

/// How many sessions of a user are listed.
const MOST_LISTED: u64 = 100;

#[async_trait]
impl SessionReads for Transaction {
    async fn session_and_user(
        &mut self,
        id: SessionId,
    ) -> Result<Option<(Session, User)>, StoreError> {
        // One statement: both as they were at one instant.
        let owner = Entity::belongs_to(user::Entity).from(Column::UserId).to(user::Column::Id);
        let find = Entity::find_by_id(id.as_uuid())
            .select_also(user::Entity)
            .join(JoinType::InnerJoin, owner.into());
        match find.one(&self.0).await.map_err(store_error)? {
            Some((row, Some(owner))) => {
                Ok(Some((from_row(&row)?, self.with_contacts(owner).await?)))
            }
            _ => Ok(None),
        }
    }

    async fn sessions_of_user(&mut self, user: UserId) -> Result<Vec<Session>, StoreError> {
        let rows = Entity::find()
            .filter(Column::UserId.eq(user.as_uuid()))
            .order_by_desc(Column::CreatedAt)
            .order_by_desc(Column::Id)
            .all(&self.0)
            .await
            .map_err(store_error)?;
        rows.iter().map(from_row).collect()
    }

    async fn open_sessions_of_user(
        &mut self,
        user: UserId,
        now: Timestamp,
    ) -> Result<Vec<Session>, StoreError> {
        let rows = Entity::find()
            .filter(Column::UserId.eq(user.as_uuid()))
            .filter(Column::EndedAt.is_null())
            .filter(Column::IdleExpiresAt.gt(now.as_micros()))
            .filter(Column::ExpiresAt.gt(now.as_micros()))
            .order_by_desc(Column::RotatedAt)
            .order_by_desc(Column::Id)
            .limit(MOST_LISTED)
            .all(&self.0)
            .await
            .map_err(store_error)?;
        rows.iter().map(from_row).collect()
    }
}

#[async_trait]
impl SessionWrites for Transaction {
    async fn insert_session(&mut self, session: &Session) -> Result<(), StoreError> {
        let row = to_row(session).into_active_model().reset_all();
        Entity::insert(row).exec_without_returning(&self.0).await.map_err(store_error)?;
        Ok(())
    }

    async fn rotate_session(&mut self, session: &Session, from: u32) -> Result<bool, StoreError> {
        let record = session.record();
        let rotated = Entity::update_many()
            .col_expr(Column::Generation, Expr::value(i64::from(record.generation)))
            .col_expr(Column::RotatedAt, Expr::value(record.rotated_at.as_micros()))
            .col_expr(Column::IdleExpiresAt, Expr::value(record.idle_expires_at.as_micros()))
            .filter(Column::Id.eq(record.id.as_uuid()))
            .filter(Column::Generation.eq(i64::from(from)))
            .filter(Column::EndedAt.is_null())
            .exec(&self.0)
            .await
            .map_err(store_error)?;
        Ok(rotated.rows_affected == 1)
    }

    async fn reauthenticate_session(&mut self, session: &Session) -> Result<bool, StoreError> {
        let row = to_row(session);
        let stored = Entity::update_many()
            .col_expr(Column::AuthGeneration, Expr::value(row.auth_generation))
            .col_expr(Column::AuthenticatedAt, Expr::value(row.authenticated_at))
            .col_expr(Column::Methods, Expr::value(row.methods))
            .filter(Column::Id.eq(row.id))
            .filter(Column::EndedAt.is_null())
            .exec(&self.0)
            .await
            .map_err(store_error)?;
        Ok(stored.rows_affected == 1)
    }

    async fn end_session(&mut self, session: &Session) -> Result<(), StoreError> {
        let Some((at, why)) = session.record().ended else { return Ok(()) };
        Entity::update_many()
            .col_expr(Column::EndedAt, Expr::value(at.as_micros()))
            .col_expr(Column::EndReason, Expr::value(why.as_str()))
            .filter(Column::Id.eq(session.id().as_uuid()))
            .filter(Column::EndedAt.is_null())
            .exec(&self.0)
            .await
            .map_err(store_error)?;
        Ok(())
    }

    async fn end_sessions_of_user(
        &mut self,
        user: UserId,
        except: Option<SessionId>,
        why: SessionEnd,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut ended = Entity::update_many()
            .col_expr(Column::EndedAt, Expr::value(now.as_micros()))
            .col_expr(Column::EndReason, Expr::value(why.as_str()))
            .filter(Column::UserId.eq(user.as_uuid()))
            .filter(Column::EndedAt.is_null());
        if let Some(except) = except {
            ended = ended.filter(Column::Id.ne(except.as_uuid()));
        }
        ended.exec(&self.0).await.map_err(store_error)?;
        Ok(())
    }
}
