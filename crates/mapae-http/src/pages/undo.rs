use std::sync::Arc;

use mapae_application::Application;
use mapae_application::user::UndoContactError;
use mapae_domain::Locale;
use minijinja::context;
use poem::http::StatusCode;
use poem::web::Data;
use poem::{Request, Response, Route, get, handler};

use super::verify::{form_value, is_key_like};
use super::{page, render};
use crate::caller::PreferredLocale;
use crate::client::Client;
use crate::contact::undo_problem;
use crate::payload::read;

/// The page behind the link of a notice that a contact was changed, and what its button does.
pub(crate) fn routes(routes: Route) -> Route {
    routes.at("/undo/contact", get(show).post(undo))
}

/// Words of the page.
struct Words {
    title: &'static str,
    text: &'static str,
    note: &'static str,
}

/// Shows the button. Asks nothing of the store and changes nothing.
#[handler]
async fn show(
    request: &Request,
    PreferredLocale(locale): PreferredLocale,
) -> poem::Result<Response> {
    let key = form_value(request.uri().query().unwrap_or_default(), "key").unwrap_or_default();
    let (words, button) = match locale {
        Locale::Ko => (
            Words {
                title: "연락처 변경을 되돌리시겠습니까?",
                text: "되돌리면 모든 기기에서 로그아웃되고, 지금 비밀번호는 더 이상 쓸 수 없습니다.",
                note: "본인이 변경하셨다면 이 창을 닫으시면 됩니다.",
            },
            "되돌리기",
        ),
        Locale::En => (
            Words {
                title: "Undo the change of your contact?",
                text: "The account is logged out everywhere, and the password of now is worth \
                       nothing any more.",
                note: "If it was you who changed it, just close this page.",
            },
            "Undo",
        ),
    };
    let key = is_key_like(&key).then_some(key);
    Ok(shown(StatusCode::OK, &words, locale, key.as_deref().map(|key| (key, button)), false))
}

fn shown(
    status: StatusCode,
    words: &Words,
    locale: Locale,
    form: Option<(&str, &str)>,
    bad: bool,
) -> Response {
    let html = render(
        "verify.html",
        include_str!("../../assets/verify.html"),
        context! {
            locale => locale.as_str(),
            title => words.title,
            text => words.text,
            note => words.note,
            key => form.map(|(key, _)| key),
            button => form.map(|(_, button)| button),
            action => "/undo/contact",
            bad,
        },
    );
    page(status, html)
}

/// Undoes it, for a person whose browser sent the form; says how it went.
#[handler]
async fn undo(
    body: poem::Body,
    PreferredLocale(locale): PreferredLocale,
    Client(client): Client,
    application: Data<&Arc<Application>>,
) -> poem::Result<Response> {
    let form = read(body).await.unwrap_or_default();
    let key = std::str::from_utf8(&form).ok().and_then(|form| form_value(form, "key"));
    match application.undo_contact_change(&key.unwrap_or_default(), &client).await {
        Ok(()) => {
            let words = match locale {
                Locale::Ko => Words {
                    title: "되돌렸습니다",
                    text: "연락처가 다시 계정에 연결되었습니다. 로그인 화면에서 비밀번호를 재설정해 주세요.",
                    note: "이 창은 닫으셔도 됩니다.",
                },
                Locale::En => Words {
                    title: "It is undone",
                    text: "Your contact is back. Please choose a new password where you log in.",
                    note: "You can close this page.",
                },
            };
            Ok(shown(StatusCode::OK, &words, locale, None, false))
        }
        Err(error) => {
            let status = StatusCode::from_u16(undo_problem(&error).status).unwrap_or_default();
            Ok(shown(status, &failure_words(&error, locale), locale, None, true))
        }
    }
}

fn failure_words(error: &UndoContactError, locale: Locale) -> Words {
    match (error, locale) {
        (UndoContactError::Unavailable(_), Locale::Ko) => Words {
            title: "잠시 후 다시 시도해 주세요",
            text: "지금은 되돌릴 수 없습니다. 링크를 잠시 후 다시 열어 주세요.",
            note: "이 창은 닫으셔도 됩니다.",
        },
        (UndoContactError::Unavailable(_), Locale::En) => Words {
            title: "Please try again",
            text: "This cannot be undone right now. Please open the link again in a moment.",
            note: "You can close this page.",
        },
        (UndoContactError::ContactTaken, Locale::Ko) => Words {
            title: "되돌릴 수 없습니다",
            text: "이 연락처는 이제 다른 계정에 연결되어 있습니다.",
            note: "이 창은 닫으셔도 됩니다.",
        },
        (UndoContactError::ContactTaken, Locale::En) => Words {
            title: "This cannot be undone",
            text: "Another account has this contact by now.",
            note: "You can close this page.",
        },
        (_, Locale::Ko) => Words {
            title: "링크를 더 이상 쓸 수 없습니다",
            text: "72시간이 지났거나, 이미 되돌린 변경입니다.",
            note: "이 창은 닫으셔도 됩니다.",
        },
        (_, Locale::En) => Words {
            title: "This link is no longer good",
            text: "72 hours have passed, or the change was undone before.",
            note: "You can close this page.",
        },
    }
}
