use std::sync::Arc;

use mapae_application::Application;
use mapae_application::user::{CompletePasswordReset, CompleteResetError, ResetProof};
use mapae_domain::Locale;
use mapae_domain::verification::ProofRefused;
use minijinja::context;
use poem::http::StatusCode;
use poem::web::Data;
use poem::{Request, Response, Route, get, handler};
use zeroize::Zeroizing;

use super::verify::{form_value, is_key_like};
use super::{page, render};
use crate::caller::PreferredLocale;
use crate::client::Client;
use crate::payload::read;
use crate::reset::complete_problem;

/// The page behind the link of a mail to choose a new password.
pub(crate) fn routes(routes: Route) -> Route {
    routes.at("/reset/password", get(show).post(choose))
}

/// Words of the page.
struct Words {
    title: &'static str,
    text: &'static str,
    note: &'static str,
}

/// Shows the form. Asks nothing of the store and changes nothing.
#[handler]
async fn show(
    request: &Request,
    PreferredLocale(locale): PreferredLocale,
) -> poem::Result<Response> {
    let key = form_value(request.uri().query().unwrap_or_default(), "key").unwrap_or_default();
    Ok(form(StatusCode::OK, &key, locale, None))
}

fn form(status: StatusCode, key: &str, locale: Locale, wrong: Option<&'static str>) -> Response {
    let words = match locale {
        Locale::Ko => Words {
            title: "새 비밀번호를 정해 주세요",
            text: "새 비밀번호를 저장하면 모든 기기에서 로그아웃됩니다.",
            note: "요청하신 적이 없다면 이 창을 닫으시면 됩니다. 아무 일도 일어나지 않습니다.",
        },
        Locale::En => Words {
            title: "Choose a new password",
            text: "Once it is saved, your account is logged out everywhere.",
            note: "If you did not ask for this, just close this page. Nothing will happen.",
        },
    };
    let (label, button) = match locale {
        Locale::Ko => ("새 비밀번호 (8자 이상)", "저장"),
        Locale::En => ("New password (8 characters or more)", "Save"),
    };
    let html = render(
        "reset.html",
        include_str!("../../assets/reset.html"),
        context! {
            locale => locale.as_str(),
            title => words.title,
            text => words.text,
            note => words.note,
            key => is_key_like(key).then_some(key),
            label,
            button,
            wrong,
            bad => false,
        },
    );
    page(status, html)
}

/// Sets the password, for a person whose browser sent the form; says how it went.
#[handler]
async fn choose(
    body: poem::Body,
    PreferredLocale(locale): PreferredLocale,
    Client(client): Client,
    application: Data<&Arc<Application>>,
) -> poem::Result<Response> {
    let bytes = read(body).await.unwrap_or_default();
    let (mut key, mut password) = (Zeroizing::default(), Zeroizing::default());
    for (name, value) in form_urlencoded::parse(&bytes) {
        match &*name {
            "key" => key = Zeroizing::new(value.into_owned()),
            "password" => password = Zeroizing::new(value.into_owned()),
            _ => {}
        }
    }
    let proof = ResetProof::Key { id: None, key: key.clone() };
    let command = CompletePasswordReset { proof, new_password: password, client };
    let words = match application.complete_password_reset(command).await {
        Ok(()) => {
            let words = match locale {
                Locale::Ko => Words {
                    title: "비밀번호가 변경되었습니다",
                    text: "새 비밀번호로 다시 로그인해 주세요.",
                    note: "이 창은 닫으셔도 됩니다.",
                },
                Locale::En => Words {
                    title: "Your password was changed",
                    text: "Please log in with the new one.",
                    note: "You can close this page.",
                },
            };
            return Ok(outcome(StatusCode::OK, &words, locale, false));
        }
        Err(CompleteResetError::Invalid(_)) => {
            let wrong = match locale {
                Locale::Ko => "8자 이상이어야 하고, 흔히 쓰이는 비밀번호는 쓸 수 없습니다.",
                Locale::En => "It must have 8 characters or more, and must not be a common one.",
            };
            return Ok(form(StatusCode::BAD_REQUEST, &key, locale, Some(wrong)));
        }
        Err(error) => {
            let status = StatusCode::from_u16(complete_problem(&error).status);
            (status.unwrap_or_default(), failure_words(&error, locale))
        }
    };
    Ok(outcome(words.0, &words.1, locale, true))
}

fn outcome(status: StatusCode, words: &Words, locale: Locale, bad: bool) -> Response {
    let html = render(
        "reset.html",
        include_str!("../../assets/reset.html"),
        context! {
            locale => locale.as_str(),
            title => words.title,
            text => words.text,
            note => words.note,
            bad,
        },
    );
    page(status, html)
}

fn failure_words(error: &CompleteResetError, locale: Locale) -> Words {
    match (error, locale) {
        (CompleteResetError::Unavailable(_), Locale::Ko) => Words {
            title: "잠시 후 다시 시도해 주세요",
            text: "지금은 저장할 수 없습니다. 메일의 링크를 잠시 후 다시 열어 주세요.",
            note: "이 창은 닫으셔도 됩니다.",
        },
        (CompleteResetError::Unavailable(_), Locale::En) => Words {
            title: "Please try again",
            text: "This cannot be saved right now. Please open the link again in a moment.",
            note: "You can close this page.",
        },
        (CompleteResetError::Refused(ProofRefused::AlreadyVerified), Locale::Ko) => Words {
            title: "이미 사용한 링크입니다",
            text: "이 링크로 비밀번호를 이미 바꾸었습니다. 새 비밀번호로 로그인해 주세요.",
            note: "이 창은 닫으셔도 됩니다.",
        },
        (CompleteResetError::Refused(ProofRefused::AlreadyVerified), Locale::En) => Words {
            title: "This link was used before",
            text: "The password was changed by it. Please log in with the new one.",
            note: "You can close this page.",
        },
        (_, Locale::Ko) => Words {
            title: "링크를 더 이상 쓸 수 없습니다",
            text: "링크가 만료되었거나 올바르지 않습니다. 앱에서 다시 요청해 주세요.",
            note: "이 창은 닫으셔도 됩니다.",
        },
        (_, Locale::En) => Words {
            title: "This link is no longer good",
            text: "It has expired, or is not complete. Please ask again in the app.",
            note: "You can close this page.",
        },
    }
}
