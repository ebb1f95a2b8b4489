use std::cmp::Reverse;

use async_trait::async_trait;
use mapae_application::ports::StoreError;
use mapae_application::ports::store::{OutboxDepth, OutboxFilter, OutboxReads, OutboxWrites};
use mapae_domain::outbox::{Lease, OutboxRecord};
use mapae_domain::{
    Channel, Delivery, DeliveryReason, DeliveryStatus, MessageId, OutboxMessage, Timestamp,
    VerificationId,
};
use sea_orm::sea_query::{
    Expr, ExprTrait as _, IntoCondition as _, LockBehavior, LockType, SimpleExpr,
};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, Condition, EntityTrait as _, IntoActiveModel as _,
    QueryFilter as _, QueryOrder as _, QuerySelect as _, Select,
};

use crate::convert::{channel as stored_channel, counter, known};
use crate::entity::outbox::{Column, Entity, Model};
use crate::error::store_error;
use crate::transaction::Transaction;

fn to_row(message: &OutboxMessage) -> Model {
    let record = message.record();
    Model {
        id: record.id.as_uuid(),
        channel: record.channel.as_str().to_owned(),
        verification_id: record.verification.map(|id| id.as_uuid()),
        sealed: record.sealed.clone(),
        status: record.status.as_str().to_owned(),
        tries: i64::from(record.tries),
        due_at: record.due_at.as_micros(),
        deadline: record.deadline.as_micros(),
        lease_fence: record.lease.map(|lease| i64::from(lease.fence)),
        lease_expires_at: record.lease.map(|lease| lease.expires_at.as_micros()),
        reason: record.reason.map(|reason| reason.as_str().to_owned()),
        unanswered: i64::from(record.unanswered),
        sender: record.sender.clone(),
        provider_id: record.provider_id.clone(),
        ask_at: record.ask_at.map(Timestamp::as_micros),
        asked: i64::from(record.asked),
        created_at: record.created_at.as_micros(),
        updated_at: record.updated_at.as_micros(),
    }
}

fn from_row(row: Model) -> Result<OutboxMessage, StoreError> {
    let lease = match (row.lease_fence, row.lease_expires_at) {
        (Some(fence), Some(expires_at)) => {
            Some(Lease { fence: counter(fence)?, expires_at: Timestamp::from_micros(expires_at) })
        }
        _ => None,
    };
    Ok(OutboxMessage::from_record(OutboxRecord {
        id: MessageId::from_uuid(row.id),
        channel: stored_channel(&row.channel)?,
        verification: row.verification_id.map(VerificationId::from_uuid),
        sealed: row.sealed,
        status: known(DeliveryStatus::from_name(&row.status))?,
        tries: counter(row.tries)?,
        due_at: Timestamp::from_micros(row.due_at),
        deadline: Timestamp::from_micros(row.deadline),
        lease,
        reason: row.reason.map(|reason| known(DeliveryReason::from_name(&reason))).transpose()?,
        unanswered: counter(row.unanswered)?,
        sender: row.sender,
        provider_id: row.provider_id,
        ask_at: row.ask_at.map(Timestamp::from_micros),
        asked: counter(row.asked)?,
        created_at: Timestamp::from_micros(row.created_at),
        updated_at: Timestamp::from_micros(row.updated_at),
    }))
}

fn queued() -> SimpleExpr {
    Column::Status.eq(DeliveryStatus::Queued.as_str())
}

impl Transaction {
    /// The first message that the query finds, held until this unit of work ends.
    async fn lock_first(
        &mut self,
        query: Select<Entity>,
    ) -> Result<Option<OutboxMessage>, StoreError> {
        let row = query.lock_exclusive().one(&self.0).await.map_err(store_error)?;
        row.map(from_row).transpose()
    }
}

#[async_trait]
impl OutboxReads for Transaction {
    async fn outbox_depth(&mut self, channel: Channel) -> Result<OutboxDepth, StoreError> {
        let found: Option<(i64, Option<i64>)> = Entity::find()
            .select_only()
            .expr(Column::Id.count())
            .expr(Column::CreatedAt.min())
            .filter(Column::Channel.eq(channel.as_str()))
            .filter(queued())
            .into_tuple()
            .one(&self.0)
            .await
            .map_err(store_error)?;
        let (queued, oldest) = found.unwrap_or_default();
        Ok(OutboxDepth { queued: counter(queued)?, oldest: oldest.map(Timestamp::from_micros) })
    }

    async fn message(&mut self, id: MessageId) -> Result<Option<OutboxMessage>, StoreError> {
        let row = Entity::find_by_id(id.as_uuid()).one(&self.0).await.map_err(store_error)?;
        row.map(from_row).transpose()
    }

    async fn delivery_of_verification(
        &mut self,
        id: VerificationId,
    ) -> Result<Option<Delivery>, StoreError> {
        let found: Option<(String, Option<String>)> = Entity::find()
            .select_only()
            .column(Column::Status)
            .column(Column::Reason)
            .filter(Column::VerificationId.eq(id.as_uuid()))
            .order_by_desc(Column::CreatedAt)
            .order_by_desc(Column::Id)
            .limit(1)
            .into_tuple()
            .one(&self.0)
            .await
            .map_err(store_error)?;
        let Some((status, reason)) = found else { return Ok(None) };
        let status = known(DeliveryStatus::from_name(&status))?;
        let reason = reason.map(|reason| known(DeliveryReason::from_name(&reason))).transpose()?;
        Ok(Some(Delivery { status, reason }))
    }

    async fn next_message_due(
        &mut self,
        channel: Channel,
    ) -> Result<Option<Timestamp>, StoreError> {
        // In the order of the index: a message under lease that is due earlier than others is
        // passed over by what follows it.
        let least = |by: Column, leased: bool| {
            let lease = if leased {
                Expr::col(Column::LeaseExpiresAt).gt(Expr::col(Column::DueAt)).into_condition()
            } else {
                Condition::any()
                    .add(Column::LeaseExpiresAt.is_null())
                    .add(Expr::col(Column::LeaseExpiresAt).lte(Expr::col(Column::DueAt)))
            };
            Entity::find()
                .select_only()
                .column(by)
                .filter(Column::Channel.eq(channel.as_str()))
                .filter(queued())
                .filter(lease)
                .order_by_asc(by)
                .limit(1)
                .into_tuple::<i64>()
        };
        let due = least(Column::DueAt, false).one(&self.0).await.map_err(store_error)?;
        let leased = least(Column::LeaseExpiresAt, true).one(&self.0).await.map_err(store_error)?;
        Ok(due.into_iter().chain(leased).min().map(Timestamp::from_micros))
    }

    async fn next_question_due(&mut self) -> Result<Option<Timestamp>, StoreError> {
        let due = Entity::find()
            .select_only()
            .column(Column::AskAt)
            .filter(Column::AskAt.is_not_null())
            .order_by_asc(Column::AskAt)
            .limit(1)
            .into_tuple::<i64>()
            .one(&self.0)
            .await
            .map_err(store_error)?;
        Ok(due.map(Timestamp::from_micros))
    }

    async fn messages(&mut self, filter: &OutboxFilter) -> Result<Vec<OutboxMessage>, StoreError> {
        // A status after the other, each in the order of its index: for several at once MariaDB would
        // rather look through every message there is.
        let mut rows = Vec::new();
        for status in &filter.statuses {
            let mut query = Entity::find()
                .filter(Column::Status.eq(status.as_str()))
                .order_by_desc(Column::UpdatedAt)
                .order_by_desc(Column::Id)
                .limit(u64::from(filter.limit));
            if let Some(before) = filter.before {
                query = query.filter(Column::UpdatedAt.lt(before.as_micros()));
            }
            rows.extend(query.all(&self.0).await.map_err(store_error)?);
        }
        rows.sort_unstable_by_key(|row| Reverse((row.updated_at, row.id)));
        rows.dedup_by_key(|row| row.id);
        rows.truncate(usize::try_from(filter.limit).unwrap_or(usize::MAX));
        rows.into_iter().map(from_row).collect()
    }
}

#[async_trait]
impl OutboxWrites for Transaction {
    async fn insert_message(&mut self, message: &OutboxMessage) -> Result<(), StoreError> {
        let row = to_row(message).into_active_model().reset_all();
        Entity::insert(row).exec_without_returning(&self.0).await.map_err(store_error)?;
        self.2.add(message.record().channel);
        Ok(())
    }

    async fn lease_messages(
        &mut self,
        channel: Channel,
        limit: u32,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<OutboxMessage>, StoreError> {
        let free = Condition::any()
            .add(Column::LeaseExpiresAt.is_null())
            .add(Column::LeaseExpiresAt.lte(now.as_micros()));
        let rows = Entity::find()
            .filter(Column::Channel.eq(channel.as_str()))
            .filter(queued())
            .filter(Column::DueAt.lte(now.as_micros()))
            .filter(free)
            .order_by_asc(Column::DueAt)
            .order_by_asc(Column::Id)
            .limit(u64::from(limit))
            .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
            .all(&self.0)
            .await
            .map_err(store_error)?;
        let mut leased = Vec::with_capacity(rows.len());
        for mut row in rows {
            let before = row.lease_fence;
            let fence = before.unwrap_or(0) + 1;
            // Nobody else can have come between where rows are locked; where they are not, this
            // statement decides.
            let same = match before {
                Some(before) => Column::LeaseFence.eq(before),
                None => Column::LeaseFence.is_null(),
            };
            let updated = Entity::update_many()
                .col_expr(Column::LeaseFence, Expr::value(fence))
                .col_expr(Column::LeaseExpiresAt, Expr::value(expires_at.as_micros()))
                .filter(Column::Id.eq(row.id))
                .filter(same)
                .exec(&self.0)
                .await
                .map_err(store_error)?;
            if updated.rows_affected == 1 {
                row.lease_fence = Some(fence);
                row.lease_expires_at = Some(expires_at.as_micros());
                leased.push(from_row(row)?);
            }
        }
        Ok(leased)
    }

    async fn record_message(
        &mut self,
        message: &OutboxMessage,
        lease: Lease,
    ) -> Result<bool, StoreError> {
        let record = message.record();
        let nothing: Option<i64> = None;
        let updated = Entity::update_many()
            .col_expr(Column::Status, Expr::value(record.status.as_str()))
            .col_expr(Column::Sealed, Expr::value(record.sealed.clone()))
            .col_expr(Column::Tries, Expr::value(i64::from(record.tries)))
            .col_expr(Column::DueAt, Expr::value(record.due_at.as_micros()))
            .col_expr(Column::Reason, Expr::value(record.reason.map(DeliveryReason::as_str)))
            .col_expr(Column::Unanswered, Expr::value(i64::from(record.unanswered)))
            .col_expr(Column::Sender, Expr::value(record.sender.clone()))
            .col_expr(Column::ProviderId, Expr::value(record.provider_id.clone()))
            .col_expr(Column::AskAt, Expr::value(record.ask_at.map(Timestamp::as_micros)))
            .col_expr(Column::UpdatedAt, Expr::value(record.updated_at.as_micros()))
            // The lease ends; its fence stays, so that the next one is higher.
            .col_expr(Column::LeaseExpiresAt, Expr::value(nothing))
            .filter(Column::Id.eq(record.id.as_uuid()))
            .filter(Column::LeaseFence.eq(i64::from(lease.fence)))
            .filter(queued())
            .exec(&self.0)
            .await
            .map_err(store_error)?;
        Ok(updated.rows_affected == 1)
    }

    async fn claim_questions(
        &mut self,
        limit: u32,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<OutboxMessage>, StoreError> {
        let rows = Entity::find()
            .filter(Column::AskAt.lte(now.as_micros()))
            .order_by_asc(Column::AskAt)
            .order_by_asc(Column::Id)
            .limit(u64::from(limit))
            .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
            .all(&self.0)
            .await
            .map_err(store_error)?;
        let mut claimed = Vec::with_capacity(rows.len());
        for mut row in rows {
            // The claim is a question that comes later: where it is lost, it is asked again then.
            let updated = Entity::update_many()
                .col_expr(Column::AskAt, Expr::value(until.as_micros()))
                .filter(Column::Id.eq(row.id))
                .filter(Column::AskAt.eq(row.ask_at))
                .exec(&self.0)
                .await
                .map_err(store_error)?;
            if updated.rows_affected == 1 {
                row.ask_at = Some(until.as_micros());
                claimed.push(from_row(row)?);
            }
        }
        Ok(claimed)
    }

    async fn lock_message(&mut self, id: MessageId) -> Result<Option<OutboxMessage>, StoreError> {
        self.lock_first(Entity::find_by_id(id.as_uuid())).await
    }

    async fn lock_message_of_provider(
        &mut self,
        provider_id: &str,
    ) -> Result<Option<OutboxMessage>, StoreError> {
        self.lock_first(Entity::find().filter(Column::ProviderId.eq(provider_id)).limit(1)).await
    }

    async fn update_message(&mut self, message: &OutboxMessage) -> Result<(), StoreError> {
        let record = message.record();
        let updated = Entity::update_many()
            .col_expr(Column::Status, Expr::value(record.status.as_str()))
            .col_expr(Column::Reason, Expr::value(record.reason.map(DeliveryReason::as_str)))
            .col_expr(Column::Sealed, Expr::value(record.sealed.clone()))
            .col_expr(Column::AskAt, Expr::value(record.ask_at.map(Timestamp::as_micros)))
            .col_expr(Column::Asked, Expr::value(i64::from(record.asked)))
            .col_expr(Column::UpdatedAt, Expr::value(record.updated_at.as_micros()))
            .filter(Column::Id.eq(record.id.as_uuid()))
            .exec(&self.0)
            .await
            .map_err(store_error)?;
        if updated.rows_affected == 1 { Ok(()) } else { Err(StoreError::Stale) }
    }
}
