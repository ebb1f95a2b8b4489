//! Leaving, and what is left: nothing but an entry that means nobody. And what there was, exported.

use mapae_e2e::{Answer, Database, Server, ServerOptions, code_in, until};
use mapae_testkit::fake::{FakeSens, SmtpStub};
use reqwest::Method;
use serde_json::{Value, json};

use crate::sending::and_by_smtp;
use crate::{PASSWORD, check, complete_sign_up, log_in};

const MINJI: &str = "minji-who-leaves@example.com";
const NUMBER: &str = "010-4000-7777";

async fn leave(server: &Server, access: &str) -> Answer {
    let bearer = format!("Bearer {access}");
    server.send(Method::DELETE, "/v1/me", &[("authorization", &bearer)], None).await
}

/// The line of a mail's text that bears the code.
fn code_line(raw: &str) -> String {
    let line = raw.lines().find(|line| line.starts_with("Your code: "));
    line.unwrap_or_default().to_owned()
}

/// Everything in the database's files, the journal included.
fn dump(server: &Server) -> String {
    let files = server.folder().join("data").read_dir().expect("the folder");
    let files = files.map(|file| file.expect("a file").path());
    let database = files.filter(|path| path.to_string_lossy().contains("mapae.db"));
    let bytes = database.flat_map(|path| std::fs::read(path).expect("a file"));
    String::from_utf8_lossy(&bytes.collect::<Vec<u8>>()).into_owned()
}

#[tokio::test]
async fn after_a_withdrawal_no_file_holds_the_address_the_number_the_names_or_the_hash() {
    if !Database::is_a_file() {
        return;
    }
    let (smtp, sens) = (SmtpStub::start(&[]).await, FakeSens::start().await);
    let options = crate::sending::by_sens(&sens)
        .with("MAIL__SENDERS", r#"["smtp"]"#)
        .with("REGISTRATION__REQUIRE", r#"["email","phone"]"#);
    let server = and_by_smtp(options, &smtp).start().await;
    let body = json!({
        "email": MINJI, "phone": NUMBER, "username": "leaving.minji", "password": PASSWORD,
        "nickname": "떠나는민지", "name": "Leaving Minji",
        "consents": [{"document": "terms", "version": "1", "accepted": true}],
    });
    let registration = server.post("/v1/registrations", &body).await.expect(202).json();
    for verification in registration["verifications"].as_array().expect("verifications") {
        let id = verification["id"].as_str().expect("an id");
        let mut text = String::new();
        until("the message", async || {
            text = match verification["channel"].as_str() {
                Some("email") => smtp.mails().pop().map(|mail| code_line(&mail.raw)),
                _ => sens.taken().pop().map(|message| message.content),
            }
            .unwrap_or_default();
            !text.is_empty()
        })
        .await;
        check(&server, id, &code_in(&text)).await.expect(200);
    }
    let headers =
        [("content-type", "application/json"), ("user-agent", "the device of leaving minji")];
    let body = json!({"login": MINJI, "password": PASSWORD}).to_string().into_bytes();
    let pair = server.send(Method::POST, "/v1/tokens", &headers, Some(body)).await.expect(200);
    let access = pair.text("access_token");
    let me = server.get_as("/v1/me", &access).await.expect(200).json();
    let id = me["id"].as_str().expect("an id").to_owned();
    let planted = [
        MINJI,
        "821040007777",
        "leaving.minji",
        "떠나는민지",
        "Leaving Minji",
        "$argon2id$",
        "the device of leaving",
    ];
    let before = dump(&server);
    for text in planted {
        assert!(before.contains(text), "{text} was there");
    }
    leave(&server, &access).await.expect(204);
    // The farewell is sent, and gone with that.
    until("the farewell", async || smtp.mails().len() >= 2).await;
    until("nothing is left", async || {
        let after = dump(&server);
        planted.iter().all(|text| !after.contains(text))
    })
    .await;
    server.get_as("/v1/me", &access).await.expect_problem(401, "unauthenticated");
    log_in(&server, MINJI, PASSWORD).await.expect_problem(401, "invalid_credentials");
    assert!(!server.log().contains(MINJI), "{}", server.log());
    // The same contact and the same name can sign up again, and get nothing of what there was.
    let body =
        json!({"email": MINJI, "phone": NUMBER, "username": "leaving.minji", "password": PASSWORD});
    let registration = server.post("/v1/registrations", &body).await.expect(202).json();
    let mails = smtp.mails().len();
    for verification in registration["verifications"].as_array().expect("verifications") {
        let verification_id = verification["id"].as_str().expect("an id");
        let mut text = String::new();
        until("the message", async || {
            text = match verification["channel"].as_str() {
                Some("email") if smtp.mails().len() > mails.min(2) => {
                    smtp.mails().pop().map(|mail| code_line(&mail.raw))
                }
                Some("email") => None,
                _ => (sens.taken().len() > 1).then(|| sens.taken().pop().expect("one").content),
            }
            .unwrap_or_default();
            !text.is_empty()
        })
        .await;
        check(&server, verification_id, &code_in(&text)).await.expect(200);
    }
    let again = log_in(&server, MINJI, PASSWORD).await.expect(200);
    let new = server.get_as("/v1/me", &again.text("access_token")).await.expect(200).json();
    assert_ne!(new["id"], id.as_str());
    assert!(new.get("nickname").is_none(), "{new}");
    let export = server.get_as("/v1/me/export", &again.text("access_token")).await.expect(200);
    assert_eq!(export.json()["consents"], json!([]));
    assert_eq!(export.json()["sessions"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn with_a_grace_an_operator_can_let_somebody_in_again() {
    let server = ServerOptions::default().with("WITHDRAWAL__GRACE", "1d").start().await;
    complete_sign_up(&server, MINJI).await;
    let pair = log_in(&server, MINJI, PASSWORD).await.expect(200);
    leave(&server, &pair.text("access_token")).await.expect(204);
    server.get_as("/v1/me", &pair.text("access_token")).await.expect(401);
    log_in(&server, MINJI, PASSWORD).await.expect_problem(401, "invalid_credentials");
    assert!(server.messages(MINJI, 2).await[0].subject().contains("You have left"));
    let (ended_well, _, log) = server.run_beside(&["user", "enable", MINJI]).await;
    assert!(ended_well, "{log}");
    log_in(&server, MINJI, PASSWORD).await.expect(200);
}

#[tokio::test]
async fn leaving_clears_the_cookies_and_asks_for_a_page_of_ours() {
    let server = Server::start().await;
    complete_sign_up(&server, MINJI).await;
    let body = json!({"login": MINJI, "password": PASSWORD, "transport": "cookie"});
    let answer = server.post("/v1/tokens", &body).await.expect(200);
    let cookie = answer.headers["set-cookie"].to_str().expect("text");
    let cookie = cookie.split(';').next().expect("a cookie").to_owned();
    let send = async |site: &str| {
        let headers = [("cookie", cookie.as_str()), ("sec-fetch-site", site)];
        server.send(Method::DELETE, "/v1/me", &headers, None).await
    };
    send("cross-site").await.expect_problem(403, "csrf_refused");
    let gone = send("same-origin").await.expect(204);
    assert_eq!(gone.headers.get_all("set-cookie").iter().count(), 2);
}

#[tokio::test]
async fn an_export_holds_what_happened_and_no_hash() {
    let server = Server::start().await;
    complete_sign_up(&server, MINJI).await;
    let pair = log_in(&server, MINJI, PASSWORD).await.expect(200);
    let access = pair.text("access_token");
    let bearer = format!("Bearer {access}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let body = json!({"current_password": PASSWORD, "new_password": "a better horse needs none"});
    let body = body.to_string().into_bytes();
    server.send(Method::PUT, "/v1/me/password", &headers, Some(body)).await.expect(204);
    let events = server.get_as("/v1/me/events", &access).await.expect(200).json();
    assert_eq!(events["events"][0]["kind"], "password_changed");
    assert_eq!(events["events"][0]["session_id"], pair.json()["session_id"]);
    let begin = json!({"channel": "email", "to": MINJI, "purpose": "login"});
    server.post("/v1/verifications", &begin).await.expect(202);
    let export = server.get_as("/v1/me/export", &access).await.expect(200);
    let json: Value = export.json();
    assert_eq!(json["profile"]["email"], MINJI);
    assert_eq!((&json["has_password"], &json["events"]), (&json!(true), &events["events"]));
    assert_eq!(json["registrations"][0]["email"], MINJI);
    assert_eq!(json["verifications"][0]["purpose"], "login");
    assert_eq!(json["sessions"].as_array().map(Vec::len), Some(1));
    assert!(!export.body.contains("argon2"), "{}", export.body);
}
