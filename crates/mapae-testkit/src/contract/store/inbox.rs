//! The inbox of development.

use std::sync::Arc;

use mapae_application::inbox::{InboxFilter, InboxMessage};
use mapae_application::ports::Store;
use mapae_domain::{Channel, MessageId, Timestamp};

use super::stored;
use crate::build;

fn message(to: &str, received_at: Timestamp) -> InboxMessage {
    InboxMessage {
        id: build::message_id(),
        channel: Channel::Email,
        to: to.to_owned(),
        subject: Some("Your code".to_owned()),
        text: "123456".to_owned(),
        html: Some("<p>123456</p>".to_owned()),
        received_at,
    }
}

async fn keep(store: &Arc<dyn Store>, message: &InboxMessage) {
    stored!(store, work => { work.insert_inbox_message(message).await.unwrap() });
}

async fn read(store: &Arc<dyn Store>, filter: &InboxFilter) -> Vec<InboxMessage> {
    store.read().await.unwrap().inbox(filter).await.unwrap()
}

fn ids(messages: &[InboxMessage]) -> Vec<MessageId> {
    messages.iter().map(|message| message.id).collect()
}

fn to(to: &str) -> InboxFilter {
    InboxFilter { to: Some(to.to_owned()), limit: None }
}

/// A message comes back as it was, with every field set or none that can be absent.
pub async fn a_kept_message_comes_back_as_it_was(store: Arc<dyn Store>) {
    let full = InboxMessage {
        subject: Some("[마패] 인증번호 👋 'quoted' \"twice\"".to_owned()),
        text: "line\nline\r\n\ttab 🔑".to_owned(),
        html: Some(format!("<p>{}</p>", "가".repeat(25_000))),
        ..message("minji@example.com", build::START)
    };
    let bare = InboxMessage {
        channel: Channel::Sms,
        subject: None,
        html: None,
        ..message("+821012345678", build::after(1))
    };
    for message in [full, bare] {
        keep(&store, &message).await;
        let read = read(&store, &to(&message.to)).await;
        assert!(read == [message], "the message has changed");
    }
}

/// A message that is kept already is kept once, as it was first.
pub async fn a_message_is_kept_once(store: Arc<dyn Store>) {
    let first = message("minji@example.com", build::START);
    let again = InboxMessage {
        text: "another text".to_owned(),
        received_at: build::after(9),
        ..first.clone()
    };
    keep(&store, &first).await;
    keep(&store, &again).await;
    assert!(read(&store, &InboxFilter::default()).await == [first]);
}

/// Messages are listed newest first, filtered by their reader, and no more than were asked for.
pub async fn messages_are_listed_newest_first(store: Arc<dyn Store>) {
    let (minji, other) = ("minji@example.com", "other@example.com");
    let first = message(minji, build::START);
    let second = message(other, build::after(1));
    let third = message(minji, build::after(2));
    for message in [&second, &third, &first] {
        keep(&store, message).await;
    }
    let all = InboxFilter::default();
    assert_eq!(ids(&read(&store, &all).await), [third.id, second.id, first.id]);
    let two = InboxFilter { limit: Some(2), ..all };
    assert_eq!(ids(&read(&store, &two).await), [third.id, second.id]);
    assert_eq!(ids(&read(&store, &to(minji)).await), [third.id, first.id]);
    let last = InboxFilter { limit: Some(1), ..to(minji) };
    assert_eq!(ids(&read(&store, &last).await), [third.id]);
    assert!(read(&store, &to("nobody@example.com")).await.is_empty());
}

/// Messages are deleted by their reader, whatever the limit, and counted.
pub async fn deleted_messages_are_counted(store: Arc<dyn Store>) {
    let (minji, other) = ("minji@example.com", "other@example.com");
    for (reader, seconds) in [(minji, 0), (minji, 1), (other, 2), (other, 3), (other, 4)] {
        keep(&store, &message(reader, build::after(seconds))).await;
    }
    let filter = InboxFilter { limit: Some(1), ..to(minji) };
    let delete = async |filter: &InboxFilter| stored!(store, work => { work.delete_inbox_messages(filter).await.unwrap() });
    assert_eq!(delete(&filter).await, 2);
    assert_eq!(delete(&filter).await, 0);
    assert_eq!(read(&store, &InboxFilter::default()).await.len(), 3);
    assert_eq!(delete(&InboxFilter::default()).await, 3);
    assert!(read(&store, &InboxFilter::default()).await.is_empty());
}
