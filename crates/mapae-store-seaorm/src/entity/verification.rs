use sea_orm::entity::prelude::*;

#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "verifications")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub channel: String,
    pub contact: String,
    pub purpose: String,
    pub registration_id: Option<Uuid>,
    pub user_id: Option<Uuid>,
    pub user_generation: Option<i64>,
    pub locale: String,
    pub standing: String,
    pub state: String,
    pub verified_at: Option<i64>,
    pub code_length: i64,
    pub code_hash: Vec<u8>,
    pub link_hash: Option<Vec<u8>>,
    pub previous_code_hash: Option<Vec<u8>>,
    pub previous_link_hash: Option<Vec<u8>>,
    pub previous_expires_at: Option<i64>,
    pub attempts_used: i64,
    pub attempts_allowed: i64,
    pub sends_used: i64,
    pub sends_allowed: i64,
    pub created_at: i64,
    pub expires_at: i64,
    pub resend_at: i64,
    pub receipt_used_at: Option<i64>,
    pub version: i64,
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("verifications(…)")
    }
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
