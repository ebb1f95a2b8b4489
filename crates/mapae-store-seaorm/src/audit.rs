use async_trait::async_trait;
use mapae_application::ports::StoreError;
use mapae_application::ports::store::{AuditReads, AuditWrites};
use mapae_domain::{AuditEntry, AuditId, AuditKind, SessionId, Timestamp, UserId};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, EntityTrait as _, IntoActiveModel as _,
    QueryFilter as _, QueryOrder as _, QuerySelect as _,
};

use crate::convert::{known, session_client};
use crate::entity::audit_entry::{Column, Entity, Model};
use crate::error::store_error;
use crate::transaction::Transaction;

fn from_row(row: &Model) -> Result<AuditEntry, StoreError> {
    Ok(AuditEntry {
        id: AuditId::from_uuid(row.id),
        at: Timestamp::from_micros(row.at),
        kind: known(AuditKind::from_name(&row.kind))?,
        user: UserId::from_uuid(row.user_id),
        session: row.session_id.map(SessionId::from_uuid),
        client: session_client(row.device.as_deref(), row.address.as_deref())?,
    })
}

#[async_trait]
impl AuditReads for Transaction {
    async fn audit_of_user(
        &mut self,
        user: UserId,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        let rows = Entity::find()
            .filter(Column::UserId.eq(user.as_uuid()))
            .order_by_desc(Column::At)
            .order_by_desc(Column::Id)
            .limit(u64::from(limit))
            .all(&self.0)
            .await
            .map_err(store_error)?;
        rows.iter().map(from_row).collect()
    }
}

#[async_trait]
impl AuditWrites for Transaction {
    async fn insert_audit_entry(&mut self, entry: &AuditEntry) -> Result<(), StoreError> {
        let row = Model {
            id: entry.id.as_uuid(),
            at: entry.at.as_micros(),
            kind: entry.kind.as_str().to_owned(),
            user_id: entry.user.as_uuid(),
            session_id: entry.session.map(|session| session.as_uuid()),
            device: entry.client.device.clone(),
            address: entry.client.address.map(|address| address.to_string()),
        };
        let row = row.into_active_model().reset_all();
        Entity::insert(row).exec_without_returning(&self.0).await.map_err(store_error)?;
        Ok(())
    }
}
