use async_trait::async_trait;
use mapae_application::inbox::{InboxFilter, InboxMessage};
use mapae_application::ports::StoreError;
use mapae_application::ports::store::{InboxReads, InboxWrites};
use mapae_domain::{MessageId, Timestamp};
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};

use crate::convert::channel;
use crate::entity::inbox::{Column, Entity, Model};
use crate::error::store_error;
use crate::transaction::Transaction;

fn from_row(row: Model) -> Result<InboxMessage, StoreError> {
    Ok(InboxMessage {
        id: MessageId::from_uuid(row.id),
        channel: channel(&row.channel)?,
        to: row.recipient,
        subject: row.subject,
        text: row.text,
        html: row.html,
        received_at: Timestamp::from_micros(row.received_at),
    })
}

#[async_trait]
impl InboxReads for Transaction {
    async fn inbox(&mut self, filter: &InboxFilter) -> Result<Vec<InboxMessage>, StoreError> {
        let mut find = Entity::find()
            .order_by_desc(Column::ReceivedAt)
            .order_by_desc(Column::Id)
            .limit(filter.limit.map(u64::from));
        if let Some(to) = &filter.to {
            find = find.filter(Column::Recipient.eq(to.as_str()));
        }
        let rows = find.all(&self.0).await.map_err(store_error)?;
        rows.into_iter().map(from_row).collect()
    }
}

#[async_trait]
impl InboxWrites for Transaction {
    async fn insert_inbox_message(&mut self, message: &InboxMessage) -> Result<(), StoreError> {
        let row = Model {
            id: message.id.as_uuid(),
            channel: message.channel.as_str().to_owned(),
            recipient: message.to.clone(),
            subject: message.subject.clone(),
            text: message.text.clone(),
            html: message.html.clone(),
            received_at: message.received_at.as_micros(),
        };
        self.insert_unless_there(row, [Column::Id]).await.map(drop)
    }

    async fn delete_inbox_messages(&mut self, filter: &InboxFilter) -> Result<u64, StoreError> {
        let mut delete = Entity::delete_many();
        if let Some(to) = &filter.to {
            delete = delete.filter(Column::Recipient.eq(to.as_str()));
        }
        Ok(delete.exec(&self.0).await.map_err(store_error)?.rows_affected)
    }
}
