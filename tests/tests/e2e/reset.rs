//! A new password for whoever forgot the old one, and nothing for anybody else.

use mapae_e2e::{Answer, Server, ServerOptions, wrong};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{PASSWORD, check, complete_sign_up, first_verification, log_in};

const NEW: &str = "a better horse needs no battery";
const MINJI: &str = "minji@example.com";

async fn ask(server: &Server, login: &str) -> Answer {
    server.post("/v1/password-resets", &json!({ "login": login })).await.expect(202)
}

async fn complete(server: &Server, id: &str, body: &Value) -> Answer {
    server.post(&format!("/v1/password-resets/{id}/complete"), body).await
}

fn by_code(code: &str) -> Value {
    json!({"code": code, "new_password": NEW})
}

#[tokio::test]
async fn a_password_is_reset_by_code_once_and_every_session_ends() {
    let server = Server::start().await;
    complete_sign_up(&server, MINJI).await;
    let session = log_in(&server, MINJI, PASSWORD).await.expect(200);
    let id = ask(&server, MINJI).await.text("id");
    let code = server.messages(MINJI, 2).await.swap_remove(0).code();
    // Asking has changed nothing, and neither does a password that cannot be one, nor a wrong code.
    server.get_as("/v1/me", &session.text("access_token")).await.expect(200);
    let short = json!({"code": code, "new_password": "short"});
    complete(&server, &id, &short).await.expect_problem(400, "validation_failed");
    let mismatch = complete(&server, &id, &by_code(&wrong(&code, 0))).await;
    assert_eq!(mismatch.expect_problem(400, "code_mismatch").json()["attempts_left"], 4);
    log_in(&server, MINJI, PASSWORD).await.expect(200);
    let done = complete(&server, &id, &by_code(&code)).await.expect(204);
    assert!(done.headers.get("set-cookie").is_none(), "a reset logs nobody in");
    complete(&server, &id, &by_code(&code)).await.expect_problem(409, "already_verified");
    server.get_as("/v1/me", &session.text("access_token")).await.expect(401);
    let body = json!({"refresh_token": session.text("refresh_token")});
    server.post("/v1/tokens/refresh", &body).await.expect_problem(401, "invalid_grant");
    log_in(&server, MINJI, PASSWORD).await.expect_problem(401, "invalid_credentials");
    log_in(&server, MINJI, NEW).await.expect(200);
    // The owner is told.
    let told = server.messages(MINJI, 3).await.swap_remove(0);
    assert_eq!(told.subject(), "[Mapae] Your password was changed");
    let shown = server.get(&format!("/v1/password-resets/{id}")).await.expect(200).json();
    assert_eq!(shown["status"], "verified");
}

#[tokio::test]
async fn the_link_of_the_mail_opens_a_page_that_changes_nothing_until_it_is_sent() {
    let server = Server::start().await;
    complete_sign_up(&server, MINJI).await;
    for (language, title, saved) in [
        ("ko", "새 비밀번호를 정해 주세요", "비밀번호가 변경되었습니다"),
        ("en", "Choose a new password", "Your password was changed"),
    ] {
        let password = format!("{NEW} {language}");
        ask(&server, MINJI).await;
        let count = if language == "ko" { 2 } else { 4 };
        let mail = server.messages(MINJI, count).await.swap_remove(0);
        let (path, key) = (format!("/reset/password?key={}", mail.key()), mail.key());
        assert!(mail.link().ends_with(&path), "{}", mail.link());
        let speaks = [("accept-language", language), ("accept", "text/html")];
        for method in [Method::GET, Method::HEAD, Method::GET] {
            server.send(method, &path, &speaks, None).await.expect(200);
        }
        let page = server.send(Method::GET, &path, &speaks, None).await;
        assert!(page.body.contains(title) && page.body.contains(&key), "{}", page.body);
        assert_eq!(page.headers["referrer-policy"], "no-referrer");
        assert_eq!(page.headers["cache-control"], "no-store");
        // Neither the button of the other page nor the API of verifications knows the key.
        let body = json!({ "key": key });
        let confirmed = server.post("/v1/verifications/confirm", &body).await;
        confirmed.expect_problem(404, "verification_not_found");
        // A form as a browser sends it from that page: without a referrer it has no origin.
        let send = async |password: &str| {
            let form: String = [("key", key.as_str()), ("password", password)]
                .map(|(name, value)| {
                    let encoded: String =
                        value.bytes().map(|byte| format!("%{byte:02X}")).collect();
                    format!("{name}={encoded}")
                })
                .join("&");
            let headers = [
                ("content-type", "application/x-www-form-urlencoded"),
                ("origin", "null"),
                speaks[0],
                speaks[1],
            ];
            server.send(Method::POST, "/reset/password", &headers, Some(form.into_bytes())).await
        };
        let common = send("password").await.expect(400);
        assert!(common.body.contains("role=\"alert\"") && common.body.contains(&key));
        let done = send(&password).await.expect(200);
        assert!(done.body.contains(saved), "{}", done.body);
        assert!(!done.body.contains(&key));
        send(&password).await.expect(409);
        log_in(&server, MINJI, &password).await.expect(200);
        let told = server.messages(MINJI, count + 1).await.swap_remove(0);
        assert!(told.subject().contains("Your password was changed"));
    }
    let page = server.get("/reset/password?key=<script>").await.expect(200);
    assert!(!page.body.contains("<script>") && !page.body.contains("type=\"password\""));
}

#[tokio::test]
async fn nobody_learns_by_a_reset_whether_there_is_an_account() {
    let server = ServerOptions::default()
        .with("REGISTRATION__REQUIRE", "[]")
        .with("VERIFICATION__CONTACT_SENDS", "3")
        .start()
        .await;
    // One with an address and a number, one with a number alone, one with a name alone.
    let both = json!({"email": MINJI, "phone": "010-1234-5678", "username": "minji", "password": PASSWORD});
    let registration = server.post("/v1/registrations", &both).await.expect(202).json();
    for verification in registration["verifications"].as_array().expect("verifications") {
        let (to, id) = match verification["channel"].as_str() {
            Some("email") => (MINJI, &verification["id"]),
            _ => ("+821012345678", &verification["id"]),
        };
        let code = server.message(to).await.code();
        check(&server, id.as_str().expect("an id"), &code).await.expect(200);
    }
    let number = json!({"phone": "010-9876-5432", "username": "jihun", "password": PASSWORD});
    let registration = server.post("/v1/registrations", &number).await.expect(202);
    let code = server.message("+821098765432").await.code();
    check(&server, &first_verification(&registration), &code).await.expect(200);
    let name = json!({"username": "sora", "password": PASSWORD});
    server.post("/v1/registrations", &name).await.expect(202);

    // What differs from one answer to the next of the same kind: ids and times.
    let shape = |answer: &Answer| {
        let mut headers: Vec<_> = answer
            .headers
            .iter()
            .filter(|(name, _)| !["date", "x-request-id"].contains(&name.as_str()))
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or("?").to_owned()))
            .collect();
        headers.sort();
        let mut json = answer.json();
        let expires_at = json["expires_at"].take();
        json["id"].take();
        (answer.status, headers, json, expires_at.is_string())
    };
    for (known, unknown) in [
        (vec![MINJI, "MINJI@Example.com"], vec!["nobody@example.com", "Nobody@Example.com"]),
        (vec!["010-1234-5678", "010-9876-5432"], vec!["010-5555-5555", "+82 10 5555 6666"]),
        (vec!["minji", "jihun", "sora"], vec!["nobody", "somebody", "anybody"]),
    ] {
        let mut shapes = Vec::new();
        for login in known.iter().chain(&unknown) {
            let asked = ask(&server, login).await;
            let path = format!("/v1/password-resets/{}", asked.text("id"));
            let shown = server.get(&path).await.expect(200);
            let guess = complete(&server, &asked.text("id"), &by_code("000000")).await;
            let mut attempts = vec![guess];
            for nth in 1..6 {
                let guess = wrong("000000", nth);
                attempts.push(complete(&server, &asked.text("id"), &by_code(&guess)).await);
            }
            let seen: Vec<_> = attempts
                .iter()
                .map(|answer| (answer.status.as_u16(), answer.body.clone()))
                .collect();
            let (created, until) = (asked.headers["date"].clone(), asked.text("expires_at"));
            assert!(!created.is_empty() && until.ends_with('Z'));
            shapes.push((shape(&asked), shape(&shown), seen));
        }
        // A right guess in a million aside, all of them are alike.
        assert!(shapes.windows(2).all(|two| two[0] == two[1]), "{shapes:#?}");
    }
    // Nor by how often: the second and the third are answered, the fourth is not.
    for login in ["010-1234-5678", "010-5555-5555", "jihun", "nobody"] {
        let mut statuses = Vec::new();
        for _ in 0..4 {
            let body = json!({ "login": login });
            statuses.push(server.post("/v1/password-resets", &body).await.status.as_u16());
        }
        assert_eq!(statuses[3], 429, "{login}: {statuses:?}");
    }
}

/// Lesson 17: whoever gets somebody's old number gets nothing of their account.
#[tokio::test]
async fn a_number_alone_recovers_no_account_that_has_an_address() {
    let server = ServerOptions::default()
        .with("REGISTRATION__REQUIRE", r#"["email","phone"]"#)
        .start()
        .await;
    let both = json!({"email": MINJI, "phone": "010-1234-5678", "password": PASSWORD});
    let registration = server.post("/v1/registrations", &both).await.expect(202).json();
    for verification in registration["verifications"].as_array().expect("verifications") {
        let to = if verification["channel"] == "email" { MINJI } else { "+821012345678" };
        let code = server.message(to).await.code();
        let id = verification["id"].as_str().expect("an id");
        check(&server, id, &code).await.expect(200);
    }
    let id = ask(&server, "010-1234-5678").await.text("id");
    // The code goes to the address, and the number gets nothing.
    let mail = server.messages(MINJI, 2).await.swap_remove(0);
    assert!(mail.subject().contains("new password"), "{}", mail.subject());
    assert_eq!(server.messages("+821012345678", 1).await.len(), 1);
    complete(&server, &id, &by_code(&mail.code())).await.expect(204);
    log_in(&server, MINJI, NEW).await.expect(200);
}

#[tokio::test]
async fn a_reset_is_void_once_something_else_has_changed_the_password() {
    let server = Server::start().await;
    complete_sign_up(&server, MINJI).await;
    let first = ask(&server, MINJI).await.text("id");
    let first_code = server.messages(MINJI, 2).await.swap_remove(0).code();
    let second = ask(&server, MINJI).await.text("id");
    let second_code = server.messages(MINJI, 3).await.swap_remove(0).code();
    complete(&server, &first, &by_code(&first_code)).await.expect(204);
    let void = complete(&server, &second, &by_code(&second_code)).await;
    void.expect_problem(404, "password_reset_not_found");
    // The notice of it has come before the next code leaves.
    server.messages(MINJI, 4).await;
    // A code of another purpose resets nothing, nor does a reset's code prove anything else.
    let begin = json!({"channel": "email", "to": MINJI, "purpose": "login"});
    let login = server.post("/v1/verifications", &begin).await.expect(202).text("id");
    let code = server.messages(MINJI, 5).await.swap_remove(0).code();
    let crossed = complete(&server, &login, &by_code(&code)).await;
    crossed.expect_problem(404, "password_reset_not_found");
    check(&server, &second, &second_code).await.expect_problem(404, "verification_not_found");
    let path = format!("/v1/verifications/{second}");
    server.get(&path).await.expect_problem(404, "verification_not_found");
    let resent = server.post(&format!("{path}/resend"), &json!({})).await;
    assert!(matches!(resent.status.as_u16(), 404), "{}", resent.body);
    for body in
        [json!({"new_password": NEW}), json!({"code": "123456", "key": "x", "new_password": NEW})]
    {
        complete(&server, &first, &body).await.expect_problem(400, "validation_failed");
    }
    complete(&server, "nonsense", &by_code("123456")).await.expect(404);
}

#[tokio::test]
async fn where_pages_of_elsewhere_are_allowed_the_pages_of_mails_still_work() {
    let server = ServerOptions::default()
        .with("SERVER__ALLOWED_ORIGINS", r#"["https://app.example.com"]"#)
        .start()
        .await;
    let registration = crate::sign_up(&server, MINJI).await;
    let key = server.message(MINJI).await.key();
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("accept", "text/html"),
        // As a browser writes it from a page that sends no referrer.
        ("origin", "null"),
    ];
    let form = format!("key={key}").into_bytes();
    server.send(Method::POST, "/verify/email", &headers, Some(form)).await.expect(200);
    let path = format!("/v1/verifications/{}", first_verification(&registration));
    let answer = server.send(Method::GET, &path, &[("origin", "https://app.example.com")], None);
    let answer = answer.await.expect(200);
    assert_eq!(answer.json()["status"], "verified");
    assert_eq!(answer.headers["vary"], "Origin");
}
