use std::sync::Arc;

use mapae_application::error::Unavailable;
use mapae_application::inbox::{Inbox, InboxFilter, InboxMessage};
use mapae_domain::Locale;
use minijinja::{Value, context};
use poem::http::{StatusCode, header};
use poem::web::{Data, Html, Path};
use poem::{IntoResponse, Response, Route, get, handler};

use super::{page, render};
use crate::caller::PreferredLocale;
use crate::inbox::{MAX_SHOWN, code_in, link_in};
use crate::problem::Problem;
use crate::time::rfc3339;

/// The inbox as people read it.
pub(crate) fn routes(routes: Route) -> Route {
    routes.at("/dev/inbox", get(list)).at("/dev/inbox/messages/:id/html", get(mail))
}

#[handler]
async fn list(
    PreferredLocale(locale): PreferredLocale,
    inbox: Data<&Arc<Inbox>>,
) -> poem::Result<Response> {
    let messages = read(&inbox).await?;
    let newest = messages.first().map(|message| message.id.to_string()).unwrap_or_default();
    let messages: Vec<Value> = messages.iter().map(shown).collect();
    let html = render(
        "inbox.html",
        include_str!("../../assets/inbox.html"),
        context! {
            locale => locale.as_str(),
            words => words(locale),
            newest,
            messages,
        },
    );
    Ok(page(StatusCode::OK, html))
}

/// A mail's HTML, as a mail program would show it: without scripts, and without anything from
/// elsewhere.
#[handler]
async fn mail(Path(id): Path<String>, inbox: Data<&Arc<Inbox>>) -> poem::Result<Response> {
    let messages = read(&inbox).await?;
    let html = messages
        .into_iter()
        .find(|message| message.id.to_string() == id)
        .and_then(|message| message.html)
        .ok_or_else(|| Problem::not_found("not_found", "There is nothing here."))?;
    let policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox \
        allow-popups allow-top-navigation-by-user-activation";
    Ok(Html(html)
        .with_header(header::CONTENT_SECURITY_POLICY, policy)
        .with_header(header::CACHE_CONTROL, "no-store")
        .into_response())
}

async fn read(inbox: &Inbox) -> Result<Vec<InboxMessage>, Problem> {
    let filter = InboxFilter { to: None, limit: Some(MAX_SHOWN) };
    inbox.messages(&filter).await.map_err(|error| Problem::unavailable(&Unavailable::Store(error)))
}

fn shown(message: &InboxMessage) -> Value {
    context! {
        id => message.id.to_string(),
        channel => message.channel.as_str(),
        to => &message.to,
        subject => &message.subject,
        text => &message.text,
        has_html => message.html.is_some(),
        code => code_in(message),
        link => link_in(&message.text),
        received_at => rfc3339(message.received_at),
    }
}

fn words(locale: Locale) -> Value {
    match locale {
        Locale::Ko => context! {
            title => "개발용 수신함",
            note => "실제로 보냈을 메일과 문자가 여기에 모입니다. 새 메시지는 저절로 나타납니다.",
            empty => "비우기",
            nothing => "아직 아무것도 없습니다.",
            copy_code => "코드 복사",
            copy_link => "링크 복사",
            open_link => "링크 열기",
            copied => "복사됨",
            text => "본문",
            html => "HTML로 보기",
        },
        Locale::En => context! {
            title => "Development inbox",
            note => "Mail and short messages that would have been sent. New ones appear by themselves.",
            empty => "Empty",
            nothing => "Nothing yet.",
            copy_code => "Copy code",
            copy_link => "Copy link",
            open_link => "Open link",
            copied => "Copied",
            text => "Text",
            html => "As HTML",
        },
    }
}
