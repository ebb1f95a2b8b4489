use mapae_e2e::{Server, ServerOptions};
use reqwest::Method;
use serde_json::json;

use crate::{PASSWORD, check, complete_sign_up, first_verification, log_in, sign_up};

#[tokio::test]
async fn gets_and_heads_of_the_link_change_nothing_and_the_button_works_once() {
    let server = Server::start().await;
    let registration = sign_up(&server, "minji@example.com").await;
    let message = server.message("minji@example.com").await;
    let path = format!("/verify/email?key={}", message.key());
    for method in [Method::GET, Method::HEAD] {
        for _ in 0..10 {
            server.send(method.clone(), &path, &[("accept", "text/html")], None).await.expect(200);
        }
    }
    let verification = format!("/v1/verifications/{}", first_verification(&registration));
    assert_eq!(server.get(&verification).await.expect(200).json()["status"], "pending");

    // The form as the page has it, from a client without cookies.
    let page = server.get(&path).await.expect(200).body;
    assert!(page.contains("method=\"post\" action=\"/verify/email\""), "{page}");
    assert!(page.contains(&format!("value=\"{}\"", message.key())), "{page}");
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("accept", "text/html")];
    let press = || {
        let form = format!("key={}", message.key()).into_bytes();
        server.send(Method::POST, "/verify/email", &headers, Some(form))
    };
    let pressed = press().await.expect(200);
    assert!(pressed.headers.get("set-cookie").is_none(), "a link opens no session");
    assert_eq!(server.get(&verification).await.expect(200).json()["status"], "verified");
    press().await.expect(409);

    let token = registration.text("registration_token");
    let asked = format!("/v1/registrations/{}", registration.text("id"));
    assert_eq!(server.get_as(&asked, &token).await.expect(200).json()["status"], "completed");
    log_in(&server, "minji@example.com", PASSWORD).await.expect(200);
}

#[tokio::test]
async fn the_key_of_a_link_confirms_by_the_api_too_and_gives_no_receipt() {
    let server = Server::start().await;
    let begin = json!({"channel": "email", "to": "minji@example.com", "purpose": "newsletter"});
    let verification = server.post("/v1/verifications", &begin).await.expect(202);
    let key = server.message("minji@example.com").await.key();
    let body = json!({"key": key});
    let confirmed = server.post("/v1/verifications/confirm", &body).await.expect(200).json();
    assert_eq!(confirmed["status"], "verified");
    assert_eq!(confirmed["id"], verification.text("id"));
    assert!(confirmed.get("receipt").is_none(), "{confirmed}");
    let again = server.post("/v1/verifications/confirm", &body).await;
    again.expect_problem(409, "already_verified");
    let unknown = json!({"key": "A".repeat(43)});
    let unknown = server.post("/v1/verifications/confirm", &unknown).await;
    unknown.expect_problem(404, "verification_not_found");
}

#[tokio::test]
async fn a_code_is_taken_as_people_type_it() {
    let server = Server::start().await;
    for (nth, typed) in [" {} ", "{}-{}", "full-width"].into_iter().enumerate() {
        let email = format!("minji{nth}@example.com");
        let registration = sign_up(&server, &email).await;
        let code = server.message(&email).await.code();
        let typed = match typed {
            "{}-{}" => format!("{}-{}", &code[..3], &code[3..]),
            "full-width" => {
                let wide = |digit: char| char::from_u32(u32::from(digit) - 0x30 + 0xff10);
                code.chars().filter_map(wide).collect()
            }
            _ => format!(" {code} "),
        };
        check(&server, &first_verification(&registration), &typed).await.expect(200);
    }
}

#[tokio::test]
async fn what_cannot_be_a_code_costs_no_attempt() {
    let server = Server::start().await;
    let registration = sign_up(&server, "minji@example.com").await;
    let id = first_verification(&registration);
    for typed in ["12345a", "", "12345", "1234567", "abcdef"] {
        let problem = check(&server, &id, typed).await.expect_problem(400, "validation_failed");
        assert_eq!(problem.json()["errors"][0]["field"], "code");
    }
    let seen = server.get(&format!("/v1/verifications/{id}")).await.expect(200).json();
    assert_eq!(seen["attempts_left"], 5);
}

#[tokio::test]
async fn a_resend_too_early_says_when_and_changes_nothing() {
    let server = Server::start().await;
    let registration = sign_up(&server, "minji@example.com").await;
    let path = format!("/v1/verifications/{}", first_verification(&registration));
    let before = server.get(&path).await.expect(200).json();
    let early = server.post(&format!("{path}/resend"), &json!({})).await;
    let early = early.expect_problem(429, "resend_too_early");
    let problem = early.json();
    assert_eq!(problem["resend_at"], before["resend_at"]);
    let seconds = problem["retry_after"].as_u64().expect("seconds");
    assert!((1..=60).contains(&seconds), "{seconds}");
    assert_eq!(early.headers["retry-after"], seconds.to_string().as_str());
    let after = server.get(&path).await.expect(200).json();
    for member in ["expires_at", "resend_at", "attempts_left", "status"] {
        assert_eq!(before[member], after[member], "{member}");
    }
    let code = server.message("minji@example.com").await.code();
    check(&server, &first_verification(&registration), &code).await.expect(200);
}

#[tokio::test]
async fn after_a_resend_both_codes_are_good_within_one_budget() {
    let server = ServerOptions::default().with("VERIFICATION__RESEND_AFTER", "0s").start().await;
    let begin = json!({"channel": "email", "to": "minji@example.com", "purpose": "newsletter"});
    let mut codes = Vec::new();
    let verification = server.post("/v1/verifications", &begin).await.expect(202);
    let id = verification.text("id");
    codes.push(server.message("minji@example.com").await.code());
    check(&server, &id, &mapae_e2e::wrong(&codes[0], 0)).await.expect(400);
    let resent = server.post(&format!("/v1/verifications/{id}/resend"), &json!({})).await;
    assert_eq!(resent.expect(202).json()["attempts_left"], 4);
    codes.push(server.messages("minji@example.com", 2).await.swap_remove(0).code());
    check(&server, &id, &codes[0]).await.expect(200);
    check(&server, &id, &codes[1]).await.expect_problem(409, "already_verified");
}

#[tokio::test]
async fn sends_of_a_verification_and_to_a_contact_have_an_end() {
    let server = ServerOptions::default()
        .with("VERIFICATION__RESEND_AFTER", "0s")
        .with("VERIFICATION__SENDS", "2")
        .with("VERIFICATION__CONTACT_SENDS", "3")
        .start()
        .await;
    let begin = json!({"channel": "email", "to": "minji@example.com"});
    let id = server.post("/v1/verifications", &begin).await.expect(202).text("id");
    let resend = format!("/v1/verifications/{id}/resend");
    server.post(&resend, &json!({})).await.expect(202);
    server.post(&resend, &json!({})).await.expect_problem(429, "sends_exhausted");
    server.post("/v1/verifications", &begin).await.expect(202);
    let limited = server.post("/v1/verifications", &begin).await;
    let limited = limited.expect_problem(429, "contact_send_limit");
    assert!(limited.json()["retry_after"].as_u64().is_some_and(|seconds| seconds > 86_000));
    let other = json!({"channel": "email", "to": "other@example.com"});
    server.post("/v1/verifications", &other).await.expect(202);
}

#[tokio::test]
async fn a_receipt_of_another_purpose_is_worth_nothing() {
    let server = Server::start().await;
    complete_sign_up(&server, "minji@example.com").await;
    let receipt = async |purpose: &str, to: &str, nth: usize| {
        let begin = json!({"channel": "email", "to": to, "purpose": purpose});
        let id = server.post("/v1/verifications", &begin).await.expect(202).text("id");
        let code = server.messages(to, nth).await.swap_remove(0).code();
        check(&server, &id, &code).await.expect(200).text("receipt")
    };
    let custom = receipt("newsletter", "other@example.com", 1).await;
    let sign_up = receipt("registration", "other@example.com", 2).await;
    let login = receipt("login", "minji@example.com", 2).await;
    for other in [&custom, &sign_up] {
        let answer = server.post("/v1/tokens/receipt", &json!({"receipt": other})).await;
        answer.expect_problem(401, "receipt_refused");
    }
    for other in [&custom, &login] {
        let answer = server.post("/v1/registrations", &json!({"receipts": [other]})).await;
        answer.expect_problem(400, "receipt_refused");
    }
    for purpose in ["password_reset", "contact_change"] {
        let begin = json!({"channel": "email", "to": "a@example.com", "purpose": purpose});
        server.post("/v1/verifications", &begin).await.expect_problem(400, "validation_failed");
    }
    // Neither is an access token.
    for other in [&custom, &sign_up, &login] {
        server.get_as("/v1/me", other).await.expect_problem(401, "unauthenticated");
    }
}

#[tokio::test]
async fn a_one_time_code_logs_in_once_and_an_unknown_contact_looks_the_same() {
    let server = Server::start().await;
    complete_sign_up(&server, "minji@example.com").await;
    let begin = |to: &str| json!({"channel": "email", "to": to, "purpose": "login"});
    let known = server.post("/v1/verifications", &begin("minji@example.com")).await.expect(202);
    let unknown = server.post("/v1/verifications", &begin("nobody@example.com")).await.expect(202);
    for id in [known.text("id"), unknown.text("id")] {
        loop {
            let seen = server.get(&format!("/v1/verifications/{id}")).await.expect(200).json();
            if seen["delivery"]["status"] == "sent" {
                break;
            }
        }
    }
    let inbox = server.get("/dev/inbox/messages?to=nobody@example.com").await.expect(200).json();
    assert_eq!(inbox["messages"], json!([]), "nothing is sent to a stranger");

    let message = server.messages("minji@example.com", 2).await.swap_remove(0);
    assert!(message.json.get("link").is_none(), "a log-in has no link");
    let proved = check(&server, &known.text("id"), &message.code()).await.expect(200);
    let body = json!({"receipt": proved.text("receipt")});
    let pair = server.post("/v1/tokens/receipt", &body).await.expect(200);
    let me = server.get_as("/v1/me", &pair.text("access_token")).await.expect(200).json();
    assert_eq!(me["email"], "minji@example.com");
    let again = server.post("/v1/tokens/receipt", &body).await;
    again.expect_problem(401, "receipt_refused");
}

#[tokio::test]
async fn messages_speak_the_language_that_was_asked_for() {
    let server = Server::start().await;
    let table = [
        (Some("ko-KR,ko;q=0.9,en;q=0.8"), None, "인증번호"),
        (Some("en-US,en;q=0.9,ko;q=0.5"), None, "code"),
        (Some("en"), Some("ko"), "인증번호"),
        (None, None, "code"),
    ];
    for (nth, (accept, locale, word)) in table.into_iter().enumerate() {
        let email = format!("minji{nth}@example.com");
        let mut body = json!({"email": email, "password": PASSWORD});
        if let Some(locale) = locale {
            body["locale"] = json!(locale);
        }
        let headers: Vec<_> =
            accept.map(|accept| ("accept-language", accept)).into_iter().collect();
        server.post_with("/v1/registrations", &headers, &body).await.expect(202);
        let message = server.message(&email).await;
        let text = message.text().to_lowercase();
        assert!(text.contains(word), "{text}");
    }
}
