use sea_orm::entity::prelude::*;

#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "registrations")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub username: Option<String>,
    pub email: Option<String>,
    pub email_proved_at: Option<i64>,
    pub phone: Option<String>,
    pub phone_proved_at: Option<i64>,
    pub nickname: Option<String>,
    pub name: Option<String>,
    pub locale: String,
    pub password_hash: Option<String>,
    pub consents: String,
    pub user_id: Option<Uuid>,
    pub completed_at: Option<i64>,
    pub tokens_issued_at: Option<i64>,
    pub created_at: i64,
    pub expires_at: i64,
    pub version: i64,
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("registrations(…)")
    }
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
