use std::sync::Arc;

use mapae_application::Application;
use mapae_application::verification::ProveError;
use mapae_domain::Locale;
use mapae_domain::verification::ProofRefused;
use minijinja::context;
use poem::http::{StatusCode, header};
use poem::web::Data;
use poem::{IntoResponse, Request, Response, Route, get, handler};

use super::{page, render};
use crate::caller::PreferredLocale;
use crate::verification::prove_problem;

/// The greatest length of the form: a key and its name.
const MAX_FORM: usize = 1_024;

/// The page behind the link of a mail, and what its button does.
pub(crate) fn routes(routes: Route) -> Route {
    routes.at("/verify/email", get(show).post(confirm))
}

/// Words of the page.
struct Words {
    title: &'static str,
    text: &'static str,
    note: &'static str,
}

/// Shows the button. Asks nothing of the store and changes nothing, however often a mail scanner
/// comes by.
#[handler]
async fn show(
    request: &Request,
    PreferredLocale(locale): PreferredLocale,
) -> poem::Result<Response> {
    let key = form_value(request.uri().query().unwrap_or_default(), "key").unwrap_or_default();
    let words = match locale {
        Locale::Ko => Words {
            title: "이메일 주소를 확인해 주세요",
            text: "아래 버튼을 누르면 이 이메일 주소가 본인의 것임이 확인됩니다.",
            note: "요청하신 적이 없다면 이 창을 닫으시면 됩니다. 아무 일도 일어나지 않습니다.",
        },
        Locale::En => Words {
            title: "Confirm your e-mail address",
            text: "Press the button to confirm that this e-mail address is yours.",
            note: "If you did not ask for this, just close this page. Nothing will happen.",
        },
    };
    let button = match locale {
        Locale::Ko => "이메일 주소 확인",
        Locale::En => "Confirm",
    };
    let html = render(
        "verify.html",
        include_str!("../../assets/verify.html"),
        context! {
            locale => locale.as_str(),
            title => words.title,
            text => words.text,
            note => words.note,
            // Shown back only in the form that it has as a key.
            key => is_key_like(&key).then_some(&key),
            button,
            action => "/verify/email",
            bad => false,
        },
    );
    Ok(page(StatusCode::OK, html))
}

/// Confirms, for a person whose browser sent the form; says how it went.
#[handler]
async fn confirm(
    request: &Request,
    body: poem::Body,
    PreferredLocale(locale): PreferredLocale,
    application: Data<&Arc<Application>>,
) -> poem::Result<Response> {
    let form = body.into_bytes_limit(MAX_FORM).await.unwrap_or_default();
    let key = std::str::from_utf8(&form).ok().and_then(|form| form_value(form, "key"));
    let outcome = application.confirm_verification(&key.unwrap_or_default()).await;
    let wants_page = request
        .headers()
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"));
    match outcome {
        Err(error) if !wants_page => Ok(prove_problem(&error).into_response()),
        Err(error) => {
            let status = StatusCode::from_u16(prove_problem(&error).status);
            let already = matches!(error, ProveError::Refused(ProofRefused::AlreadyVerified));
            let words = failure_words(&error, locale);
            Ok(outcome_page(status.unwrap_or_default(), &words, locale, !already))
        }
        Ok(_) => {
            let words = match locale {
                Locale::Ko => Words {
                    title: "확인되었습니다",
                    text: "이메일 주소가 확인되었습니다. 이제 앱으로 돌아가 계속하시면 됩니다.",
                    note: "이 창은 닫으셔도 됩니다.",
                },
                Locale::En => Words {
                    title: "Confirmed",
                    text: "Your e-mail address is confirmed. Go back to the app to continue.",
                    note: "You can close this page.",
                },
            };
            Ok(outcome_page(StatusCode::OK, &words, locale, false))
        }
    }
}

fn outcome_page(status: StatusCode, words: &Words, locale: Locale, bad: bool) -> Response {
    let html = render(
        "verify.html",
        include_str!("../../assets/verify.html"),
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

fn failure_words(error: &ProveError, locale: Locale) -> Words {
    let ko = |title, text| Words { title, text, note: "이 창은 닫으셔도 됩니다." };
    let en = |title, text| Words { title, text, note: "You can close this page." };
    match (error, locale) {
        (ProveError::Refused(ProofRefused::AlreadyVerified), Locale::Ko) => ko(
            "이미 확인되었습니다",
            "이 이메일 주소는 이미 확인되었습니다. 앱으로 돌아가 계속하시면 됩니다.",
        ),
        (ProveError::Refused(ProofRefused::AlreadyVerified), Locale::En) => en(
            "Already confirmed",
            "This e-mail address was confirmed before. Go back to the app to continue.",
        ),
        (ProveError::Refused(ProofRefused::ContactTaken), Locale::Ko) => ko(
            "이미 가입된 주소입니다",
            "이 이메일 주소로 만든 계정이 이미 있습니다. 그 계정으로 로그인해 주세요.",
        ),
        (ProveError::Refused(ProofRefused::ContactTaken), Locale::En) => en(
            "You have an account already",
            "An account has this e-mail address already. Please log in to it.",
        ),
        (ProveError::Unavailable(_), Locale::Ko) => ko(
            "잠시 후 다시 시도해 주세요",
            "지금은 확인할 수 없습니다. 메일의 링크를 잠시 후 다시 열어 주세요.",
        ),
        (ProveError::Unavailable(_), Locale::En) => en(
            "Please try again",
            "This cannot be confirmed right now. Please open the link again in a moment.",
        ),
        (_, Locale::Ko) => ko(
            "링크를 더 이상 쓸 수 없습니다",
            "링크가 만료되었거나 올바르지 않습니다. 앱에서 새 메일을 요청해 주세요.",
        ),
        (_, Locale::En) => en(
            "This link is no longer good",
            "It has expired, or is not complete. Please ask for a new mail in the app.",
        ),
    }
}

/// Whether a text can be a link's key: base64url, of no great length.
pub(super) fn is_key_like(key: &str) -> bool {
    (1..=128).contains(&key.len())
        && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// The value of `name` in a form or a query, where it needs no decoding: keys are base64url.
pub(super) fn form_value(form: &str, name: &str) -> Option<String> {
    let mut pairs = form.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
}
