use sea_orm::entity::prelude::*;

#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "outbox")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub channel: String,
    pub verification_id: Option<Uuid>,
    pub sealed: Vec<u8>,
    pub status: String,
    pub tries: i64,
    pub due_at: i64,
    pub deadline: i64,
    pub lease_fence: Option<i64>,
    pub lease_expires_at: Option<i64>,
    pub reason: Option<String>,
    pub unanswered: i64,
    pub sender: Option<String>,
    pub provider_id: Option<String>,
    pub ask_at: Option<i64>,
    pub asked: i64,
    pub created_at: i64,
    pub updated_at: i64,
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("outbox(…)")
    }
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
