use async_trait::async_trait;
use mapae_application::ports::StoreError;
use mapae_application::ports::store::{UserReads, UserWrites};
use mapae_domain::user::{ContactUndo, UserRecord, UserStatus};
use mapae_domain::{
    Channel, Consent, ConsentDocument, Contact, ContactId, Nickname, PasswordHash, PersonName,
    Purpose, RegistrationId, Role, SecretHash, Timestamp, User, UserContact, UserId, Username,
    VerificationId,
};
use sea_orm::prelude::Uuid;
use sea_orm::sea_query::{Expr, ExprTrait as _, LockBehavior, LockType, Query};
use sea_orm::{
    ActiveModelTrait as _, ActiveValue, ColumnTrait as _, Condition, EntityTrait as _,
    IntoActiveModel as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};

use crate::convert::{
    bytes, channel, contact, counter, decided_by, hash, instant, joined, known, locale, micros,
    split,
};
use crate::entity::{
    audit_entry, consent, contact_undo, outbox, registration, session, user, user_contact,
    username, verification,
};
use crate::error::store_error;
use crate::transaction::Transaction;

fn to_row(user: &User) -> user::Model {
    let record = user.record();
    user::Model {
        id: record.id.as_uuid(),
        username: record.username.as_ref().map(|name| name.as_str().to_owned()),
        nickname: record.nickname.as_ref().map(|name| name.as_str().to_owned()),
        name: record.name.as_ref().map(|name| name.as_str().to_owned()),
        locale: record.locale.as_str().to_owned(),
        roles: joined(record.roles.iter().map(Role::as_str)),
        status: record.status.as_str().to_owned(),
        password_hash: record.password_hash.as_ref().map(|hash| hash.as_str().to_owned()),
        auth_generation: i64::from(record.auth_generation),
        primary_channel: record.primary.map(|channel| channel.as_str().to_owned()),
        erase_at: micros(record.erase_at),
        created_at: record.created_at.as_micros(),
        updated_at: record.updated_at.as_micros(),
        version: i64::from(record.version),
    }
}

fn contact_row(user: UserId, held: &UserContact) -> user_contact::Model {
    user_contact::Model {
        id: held.id.as_uuid(),
        user_id: user.as_uuid(),
        channel: held.contact.channel().as_str().to_owned(),
        contact: held.contact.as_str().to_owned(),
        verified_at: held.verified_at.as_micros(),
    }
}

pub(crate) fn from_rows(
    row: user::Model,
    contacts: Vec<user_contact::Model>,
) -> Result<User, StoreError> {
    let held = |row: user_contact::Model| {
        Ok(UserContact {
            id: ContactId::from_uuid(row.id),
            contact: contact(&row.channel, &row.contact)?,
            verified_at: Timestamp::from_micros(row.verified_at),
        })
    };
    Ok(User::from_record(UserRecord {
        id: UserId::from_uuid(row.id),
        username: row.username.map(|name| Username::from_stored(&name)),
        nickname: row.nickname.map(|name| Nickname::from_stored(&name)),
        name: row.name.map(|name| PersonName::from_stored(&name)),
        locale: locale(&row.locale)?,
        roles: split(&row.roles)
            .map(|name| known(Role::parse(name).ok()))
            .collect::<Result<_, _>>()?,
        status: known(UserStatus::from_name(&row.status))?,
        password_hash: row.password_hash.map(PasswordHash::from_stored),
        auth_generation: counter(row.auth_generation)?,
        contacts: contacts.into_iter().map(held).collect::<Result<_, StoreError>>()?,
        primary: row.primary_channel.as_deref().map(channel).transpose()?,
        erase_at: instant(row.erase_at),
        created_at: Timestamp::from_micros(row.created_at),
        updated_at: Timestamp::from_micros(row.updated_at),
        version: counter(row.version)?,
    }))
}

fn consent_from_row(row: &consent::Model) -> Result<Consent, StoreError> {
    let document = ConsentDocument::parse(&row.document, &row.document_version);
    Ok(Consent {
        document: known(document.ok())?,
        required: row.required,
        accepted: row.accepted,
        decided_at: Timestamp::from_micros(row.decided_at),
        by: decided_by(row.channel.as_deref(), row.address.as_deref())?,
        reconfirm_at: instant(row.reconfirm_at),
        reminded_at: instant(row.reminded_at),
    })
}

fn undo_from_row(row: &contact_undo::Model) -> Result<ContactUndo, StoreError> {
    Ok(ContactUndo {
        key: hash(&row.key_hash)?,
        user: UserId::from_uuid(row.user_id),
        contact: UserContact {
            id: ContactId::from_uuid(row.contact_id),
            contact: contact(&row.channel, &row.contact)?,
            verified_at: Timestamp::from_micros(row.verified_at),
        },
        changed_at: Timestamp::from_micros(row.changed_at),
        expires_at: Timestamp::from_micros(row.expires_at),
    })
}

impl Transaction {
    /// A user's row with the contacts.
    pub(crate) async fn with_contacts(&self, row: user::Model) -> Result<User, StoreError> {
        let contacts = user_contact::Entity::find()
            .filter(user_contact::Column::UserId.eq(row.id))
            // One of a channel at the most: e-mail first.
            .order_by_asc(user_contact::Column::Channel)
            .all(&self.0)
            .await
            .map_err(store_error)?;
        from_rows(row, contacts)
    }
}

impl Transaction {
    /// Sees that a username that was found taken is so: it may have been removed as over meanwhile.
    async fn is_still_taken(&self, name: &Username) -> Result<(), StoreError> {
        let find = username::Entity::find_by_id(name.as_str());
        match find.one(&self.0).await.map_err(store_error)? {
            Some(_) => Ok(()),
            None => Err(StoreError::Stale),
        }
    }
}

#[async_trait]
impl UserReads for Transaction {
    async fn user(&mut self, id: UserId) -> Result<Option<User>, StoreError> {
        let find = user::Entity::find_by_id(id.as_uuid());
        match find.one(&self.0).await.map_err(store_error)? {
            Some(row) => self.with_contacts(row).await.map(Some),
            None => Ok(None),
        }
    }

    async fn user_by_username(&mut self, name: &Username) -> Result<Option<User>, StoreError> {
        let find = username::Entity::find_by_id(name.as_str());
        let holder = find.one(&self.0).await.map_err(store_error)?;
        // One that was let go of finds nobody.
        let holder = holder.filter(|row| row.expires_at.is_none());
        match holder.and_then(|row| row.user_id) {
            Some(id) => self.user(UserId::from_uuid(id)).await,
            None => Ok(None),
        }
    }

    async fn user_by_contact(&mut self, contact: &Contact) -> Result<Option<User>, StoreError> {
        let held = user_contact::Entity::find()
            .filter(user_contact::Column::Channel.eq(contact.channel().as_str()))
            .filter(user_contact::Column::Contact.eq(contact.as_str()))
            .one(&self.0)
            .await
            .map_err(store_error)?;
        match held {
            Some(row) => self.user(UserId::from_uuid(row.user_id)).await,
            None => Ok(None),
        }
    }

    async fn contact_undos_of_user(&mut self, id: UserId) -> Result<Vec<ContactUndo>, StoreError> {
        let rows = contact_undo::Entity::find()
            .filter(contact_undo::Column::UserId.eq(id.as_uuid()))
            .order_by_desc(contact_undo::Column::ChangedAt)
            .order_by_asc(contact_undo::Column::KeyHash)
            .all(&self.0)
            .await
            .map_err(store_error)?;
        rows.iter().map(undo_from_row).collect()
    }

    async fn users_to_erase(
        &mut self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<UserId>, StoreError> {
        let due = user::Entity::find()
            .select_only()
            .column(user::Column::Id)
            .filter(user::Column::EraseAt.lte(now.as_micros()))
            .order_by_asc(user::Column::EraseAt)
            .limit(u64::from(limit));
        let due: Vec<Uuid> = due.into_tuple().all(&self.0).await.map_err(store_error)?;
        Ok(due.into_iter().map(UserId::from_uuid).collect())
    }

    async fn former_usernames_of_user(
        &mut self,
        id: UserId,
    ) -> Result<Vec<(Username, Timestamp)>, StoreError> {
        let rows = username::Entity::find()
            .filter(username::Column::UserId.eq(id.as_uuid()))
            .filter(username::Column::ExpiresAt.is_not_null())
            .order_by_asc(username::Column::ExpiresAt)
            .order_by_asc(username::Column::Username)
            .all(&self.0)
            .await
            .map_err(store_error)?;
        let former = |row: username::Model| {
            Some((Username::from_stored(&row.username), instant(row.expires_at)?))
        };
        Ok(rows.into_iter().filter_map(former).collect())
    }

    async fn consents_of_user(&mut self, id: UserId) -> Result<Vec<Consent>, StoreError> {
        let rows = consent::Entity::find()
            .filter(consent::Column::UserId.eq(id.as_uuid()))
            .order_by_asc(consent::Column::Id)
            .all(&self.0)
            .await
            .map_err(store_error)?;
        rows.iter().map(consent_from_row).collect()
    }

    async fn consents_to_reconfirm(
        &mut self,
        before: Timestamp,
        limit: u32,
    ) -> Result<Vec<(UserId, Consent)>, StoreError> {
        use consent::Column;
        let active = Query::select()
            .expr(Expr::value(1))
            .from(user::Entity)
            .and_where(
                Expr::col((user::Entity, user::Column::Id))
                    .equals((consent::Entity, Column::UserId)),
            )
            .and_where(user::Column::Status.eq(UserStatus::Active.as_str()))
            .take();
        let reachable = Query::select()
            .expr(Expr::value(1))
            .from(user_contact::Entity)
            .and_where(
                Expr::col((user_contact::Entity, user_contact::Column::UserId))
                    .equals((consent::Entity, Column::UserId)),
            )
            .take();
        let due = consent::Entity::find()
            .filter(Column::ReconfirmAt.lt(before.as_micros()))
            .filter(Expr::exists(active))
            .filter(Expr::exists(reachable))
            .order_by_asc(Column::ReconfirmAt)
            .order_by_asc(Column::Id)
            .limit(u64::from(limit));
        let due = due.all(&self.0).await.map_err(store_error)?;
        due.iter().map(|row| Ok((UserId::from_uuid(row.user_id), consent_from_row(row)?))).collect()
    }
}

#[async_trait]
impl UserWrites for Transaction {
    async fn lock_user(&mut self, id: UserId) -> Result<Option<User>, StoreError> {
        let find = user::Entity::find_by_id(id.as_uuid()).lock_exclusive();
        match find.one(&self.0).await.map_err(store_error)? {
            Some(row) => self.with_contacts(row).await.map(Some),
            None => Ok(None),
        }
    }

    async fn reserve_username(
        &mut self,
        name: &Username,
        registration: RegistrationId,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        use username::{Column, Entity, Model};
        let row = Model {
            username: name.as_str().to_owned(),
            user_id: None,
            registration_id: Some(registration.as_uuid()),
            expires_at: Some(expires_at.as_micros()),
        };
        if self.insert_unless_there(row, [Column::Username]).await? {
            return Ok(true);
        }
        // Whoever had it has let it expire, or is the same registration again. What is a user's does
        // not expire.
        let again = Condition::all()
            .add(Column::RegistrationId.eq(registration.as_uuid()))
            .add(Column::UserId.is_null());
        let taken_over = Entity::update_many()
            .col_expr(Column::UserId, Expr::value(Option::<Uuid>::None))
            .col_expr(Column::RegistrationId, Expr::value(registration.as_uuid()))
            .col_expr(Column::ExpiresAt, Expr::value(expires_at.as_micros()))
            .filter(Column::Username.eq(name.as_str()))
            .filter(Condition::any().add(Column::ExpiresAt.lte(now.as_micros())).add(again))
            .exec(&self.0)
            .await
            .map_err(store_error)?;
        if taken_over.rows_affected == 1 {
            return Ok(true);
        }
        self.is_still_taken(name).await?;
        Ok(false)
    }

    async fn assign_username(
        &mut self,
        name: &Username,
        registration: RegistrationId,
        user: UserId,
    ) -> Result<(), StoreError> {
        use username::{Column, Entity};
        let nothing: Option<i64> = None;
        let assigned = Entity::update_many()
            .col_expr(Column::UserId, Expr::value(user.as_uuid()))
            .col_expr(Column::ExpiresAt, Expr::value(nothing))
            .filter(Column::Username.eq(name.as_str()))
            .filter(Column::RegistrationId.eq(registration.as_uuid()))
            .filter(Column::UserId.is_null())
            .exec(&self.0)
            .await
            .map_err(store_error)?;
        if assigned.rows_affected == 1 { Ok(()) } else { Err(StoreError::Stale) }
    }

    async fn claim_username(
        &mut self,
        name: &Username,
        user: UserId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        use username::{Column, Entity, Model};
        let (id, nothing): (Uuid, Option<i64>) = (user.as_uuid(), None);
        let row = Model {
            username: name.as_str().to_owned(),
            user_id: Some(id),
            registration_id: None,
            expires_at: None,
        };
        if self.insert_unless_there(row, [Column::Username]).await? {
            return Ok(true);
        }
        // It is the user's own, or was, or whoever had it has let it expire.
        let free =
            Condition::any().add(Column::UserId.eq(id)).add(Column::ExpiresAt.lte(now.as_micros()));
        let taken_over = Entity::update_many()
            .col_expr(Column::UserId, Expr::value(id))
            .col_expr(Column::RegistrationId, Expr::value(Option::<Uuid>::None))
            .col_expr(Column::ExpiresAt, Expr::value(nothing))
            .filter(Column::Username.eq(name.as_str()))
            .filter(free)
            .exec(&self.0)
            .await
            .map_err(store_error)?;
        if taken_over.rows_affected == 1 {
            return Ok(true);
        }
        self.is_still_taken(name).await?;
        Ok(false)
    }

    async fn release_username(
        &mut self,
        name: &Username,
        user: UserId,
        until: Timestamp,
    ) -> Result<(), StoreError> {
        use username::{Column, Entity};
        Entity::update_many()
            .col_expr(Column::ExpiresAt, Expr::value(until.as_micros()))
            .filter(Column::Username.eq(name.as_str()))
            .filter(Column::UserId.eq(user.as_uuid()))
            .filter(Column::ExpiresAt.is_null())
            .exec(&self.0)
            .await
            .map_err(store_error)?;
        Ok(())
    }

    async fn insert_user(&mut self, user: &User) -> Result<(), StoreError> {
        let row = to_row(user).into_active_model().reset_all();
        user::Entity::insert(row).exec_without_returning(&self.0).await.map_err(store_error)?;
        for held in &user.record().contacts {
            self.insert_user_contact(user.id(), held).await?;
        }
        Ok(())
    }

    async fn update_user(&mut self, user: &User) -> Result<(), StoreError> {
        use user::{Column, Entity};
        let row = to_row(user);
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

    async fn insert_user_contact(
        &mut self,
        user: UserId,
        held: &UserContact,
    ) -> Result<(), StoreError> {
        use user_contact::Column;
        let key = [Column::Channel, Column::Contact];
        let inserted = self.insert_unless_there(contact_row(user, held), key).await?;
        if inserted { Ok(()) } else { Err(StoreError::Stale) }
    }

    async fn delete_user_contact(
        &mut self,
        user: UserId,
        contact: ContactId,
    ) -> Result<(), StoreError> {
        let delete = user_contact::Entity::delete_many()
            .filter(user_contact::Column::Id.eq(contact.as_uuid()))
            .filter(user_contact::Column::UserId.eq(user.as_uuid()));
        delete.exec(&self.0).await.map_err(store_error)?;
        Ok(())
    }

    async fn insert_contact_undo(&mut self, undo: &ContactUndo) -> Result<(), StoreError> {
        let row = contact_undo::Model {
            key_hash: bytes(&undo.key),
            user_id: undo.user.as_uuid(),
            channel: undo.contact.contact.channel().as_str().to_owned(),
            contact: undo.contact.contact.as_str().to_owned(),
            contact_id: undo.contact.id.as_uuid(),
            verified_at: undo.contact.verified_at.as_micros(),
            changed_at: undo.changed_at.as_micros(),
            expires_at: undo.expires_at.as_micros(),
        };
        let row = row.into_active_model().reset_all();
        contact_undo::Entity::insert(row)
            .exec_without_returning(&self.0)
            .await
            .map_err(store_error)?;
        Ok(())
    }

    async fn claim_contact_undo(
        &mut self,
        key: &SecretHash,
    ) -> Result<Option<ContactUndo>, StoreError> {
        let find = contact_undo::Entity::find_by_id(bytes(key));
        let Some(row) = find.one(&self.0).await.map_err(store_error)? else { return Ok(None) };
        // Held, so that no later one is on its way that would stay behind.
        self.lock_user(UserId::from_uuid(row.user_id)).await?;
        let claimed = contact_undo::Entity::delete_by_id(bytes(key));
        let claimed = claimed.exec(&self.0).await.map_err(store_error)?;
        if claimed.rows_affected != 1 {
            return Ok(None);
        }
        let later = contact_undo::Entity::delete_many()
            .filter(contact_undo::Column::UserId.eq(row.user_id))
            .filter(contact_undo::Column::Channel.eq(&*row.channel))
            .filter(contact_undo::Column::ChangedAt.gte(row.changed_at));
        later.exec(&self.0).await.map_err(store_error)?;
        undo_from_row(&row).map(Some)
    }

    async fn cancel_contact_changes(
        &mut self,
        user: UserId,
        channel: Channel,
        except: VerificationId,
    ) -> Result<(), StoreError> {
        use verification::{Column, Entity};
        // One that another unit of work holds is being proved, which comes before this then.
        let ids: Vec<Uuid> = Entity::find()
            .select_only()
            .column(Column::Id)
            .filter(Column::UserId.eq(user.as_uuid()))
            .filter(Column::Channel.eq(channel.as_str()))
            .filter(Column::Purpose.eq(Purpose::ContactChange.as_str()))
            .filter(Column::State.eq("pending"))
            .filter(Column::Id.ne(except.as_uuid()))
            .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
            .into_tuple()
            .all(&self.0)
            .await
            .map_err(store_error)?;
        if ids.is_empty() {
            return Ok(());
        }
        Entity::update_many()
            .col_expr(Column::State, Expr::value("cancelled"))
            .col_expr(Column::Version, Expr::col(Column::Version).add(1))
            .filter(Column::Id.is_in(ids))
            .exec(&self.0)
            .await
            .map_err(store_error)?;
        Ok(())
    }

    async fn erase_user(&mut self, id: UserId) -> Result<(), StoreError> {
        let (id, database) = (id.as_uuid(), &self.0);
        let held = user_contact::Entity::find().filter(user_contact::Column::UserId.eq(id));
        let held = held.all(database).await.map_err(store_error)?;
        let mut verifications = Condition::any().add(verification::Column::UserId.eq(id));
        let mut registrations = Condition::any().add(registration::Column::UserId.eq(id));
        for row in &held {
            verifications = verifications.add(
                Condition::all()
                    .add(verification::Column::Channel.eq(&*row.channel))
                    .add(verification::Column::Contact.eq(&*row.contact)),
            );
            let column = match channel(&row.channel)? {
                Channel::Email => registration::Column::Email,
                Channel::Sms => registration::Column::Phone,
            };
            registrations = registrations.add(column.eq(&*row.contact));
        }
        let concerned = verification::Entity::find()
            .select_only()
            .column(verification::Column::Id)
            .filter(verifications);
        let concerned: Vec<Uuid> =
            concerned.into_tuple().all(database).await.map_err(store_error)?;
        let of_verification = outbox::Column::VerificationId.is_in(concerned.clone());
        let delete = outbox::Entity::delete_many().filter(of_verification);
        delete.exec(database).await.map_err(store_error)?;
        let of_concerned = verification::Column::Id.is_in(concerned);
        let delete = verification::Entity::delete_many().filter(of_concerned);
        delete.exec(database).await.map_err(store_error)?;
        // What other verifications of these registrations hold is theirs.
        let void = registration::Entity::find()
            .select_only()
            .column(registration::Column::Id)
            .filter(registrations);
        let void: Vec<Uuid> = void.into_tuple().all(database).await.map_err(store_error)?;
        let left = verification::Column::RegistrationId.is_in(void.clone());
        let delete = verification::Entity::delete_many().filter(left);
        delete.exec(database).await.map_err(store_error)?;
        // Two statements, each by an index: one that looked at every row would wait for each that
        // somebody else holds.
        let reserved = username::Column::RegistrationId.is_in(void.clone());
        let delete = username::Entity::delete_many().filter(reserved);
        delete.exec(database).await.map_err(store_error)?;
        let delete = username::Entity::delete_many().filter(username::Column::UserId.eq(id));
        delete.exec(database).await.map_err(store_error)?;
        let delete =
            registration::Entity::delete_many().filter(registration::Column::Id.is_in(void));
        delete.exec(database).await.map_err(store_error)?;
        let delete = consent::Entity::delete_many().filter(consent::Column::UserId.eq(id));
        delete.exec(database).await.map_err(store_error)?;
        let delete = session::Entity::delete_many().filter(session::Column::UserId.eq(id));
        delete.exec(database).await.map_err(store_error)?;
        let of_user = user_contact::Column::UserId.eq(id);
        let delete = user_contact::Entity::delete_many().filter(of_user);
        delete.exec(database).await.map_err(store_error)?;
        let of_user = contact_undo::Column::UserId.eq(id);
        let delete = contact_undo::Entity::delete_many().filter(of_user);
        delete.exec(database).await.map_err(store_error)?;
        let nowhere = audit_entry::Entity::update_many()
            .col_expr(audit_entry::Column::Device, Expr::value(Option::<String>::None))
            .col_expr(audit_entry::Column::Address, Expr::value(Option::<String>::None))
            .filter(audit_entry::Column::UserId.eq(id));
        nowhere.exec(database).await.map_err(store_error)?;
        let delete = user::Entity::delete_by_id(id);
        delete.exec(database).await.map_err(store_error)?;
        Ok(())
    }

    async fn insert_consents(
        &mut self,
        user: UserId,
        consents: &[Consent],
    ) -> Result<(), StoreError> {
        if consents.is_empty() {
            return Ok(());
        }
        let nothing: Option<i64> = None;
        let names = consents.iter().map(|decision| decision.document.name());
        consent::Entity::update_many()
            .col_expr(consent::Column::ReconfirmAt, Expr::value(nothing))
            .filter(consent::Column::UserId.eq(user.as_uuid()))
            .filter(consent::Column::Document.is_in(names))
            .filter(consent::Column::ReconfirmAt.is_not_null())
            .exec(&self.0)
            .await
            .map_err(store_error)?;
        let rows = consents.iter().map(|decision| consent::ActiveModel {
            id: ActiveValue::NotSet,
            user_id: ActiveValue::Set(user.as_uuid()),
            document: ActiveValue::Set(decision.document.name().to_owned()),
            document_version: ActiveValue::Set(decision.document.version().to_owned()),
            required: ActiveValue::Set(decision.required),
            accepted: ActiveValue::Set(decision.accepted),
            decided_at: ActiveValue::Set(decision.decided_at.as_micros()),
            channel: ActiveValue::Set(
                decision.by.channel.map(|channel| channel.as_str().to_owned()),
            ),
            address: ActiveValue::Set(decision.by.address.map(|address| address.to_string())),
            reconfirm_at: ActiveValue::Set(micros(decision.reconfirm_at)),
            reminded_at: ActiveValue::Set(micros(decision.reminded_at)),
        });
        consent::Entity::insert_many(rows)
            .exec_without_returning(&self.0)
            .await
            .map_err(store_error)?;
        Ok(())
    }

    async fn record_reminder(
        &mut self,
        user: UserId,
        reminded: &Consent,
        due: Timestamp,
    ) -> Result<bool, StoreError> {
        use consent::{Column, Entity};
        let recorded = Entity::update_many()
            .col_expr(Column::ReconfirmAt, Expr::value(micros(reminded.reconfirm_at)))
            .col_expr(Column::RemindedAt, Expr::value(micros(reminded.reminded_at)))
            .filter(Column::UserId.eq(user.as_uuid()))
            .filter(Column::Document.eq(reminded.document.name()))
            .filter(Column::ReconfirmAt.eq(due.as_micros()))
            .exec(&self.0)
            .await
            .map_err(store_error)?;
        Ok(recorded.rows_affected == 1)
    }
}
