//! Sign-ups by way of real servers: stand-ins of Amazon SES, and SMTP with and without TLS.
//!
//! `tests/providers/run.sh` starts them and names them in variables; without a variable its part is
//! left out, and says so. `MAPAE_TEST_REQUIRE=all` makes that a failure.

use mapae_e2e::{ServerOptions, code_in, until};
use serde_json::{Value, json};

use crate::{PASSWORD, check, first_verification};

/// The value of a variable that names a server.
fn provider(variable: &str) -> Option<String> {
    let value = std::env::var(variable).ok().filter(|value| !value.is_empty());
    if value.is_none() {
        let required = std::env::var("MAPAE_TEST_REQUIRE").is_ok_and(|value| value == "all");
        assert!(!required, "{variable} is missing");
        #[expect(clippy::print_stderr, reason = "a part that was left out must be seen")]
        {
            eprintln!("skipped: {variable} names no server");
        }
    }
    value
}

async fn get(url: &str) -> Value {
    let answer = reqwest::get(url).await.expect("an answer");
    answer.json().await.expect("JSON")
}

/// A mail as its server shows it.
struct Mail {
    subject: String,
    text: String,
    html: String,
}

/// Signs up by mail, and completes the sign-up with the code in the mail that `read` finds.
async fn sign_up_by(options: ServerOptions, address: &str, read: impl AsyncFn() -> Option<Mail>) {
    let options = options.with("MAIL__FROM", "마패 <no-reply@example.com>");
    let server = options.with("MESSAGES__SERVICE_NAME", "마패").start().await;
    let (ended_well, told, _) = server.run_beside(&["doctor"]).await;
    assert!(ended_well, "{told}");
    let body = json!({"email": address, "password": PASSWORD, "locale": "ko"});
    let registration = server.post("/v1/registrations", &body).await.expect(202);
    let mut found = None;
    until("a mail", async || {
        found = read().await;
        found.is_some()
    })
    .await;
    let mail = found.expect("a mail");
    // Read back from the server: the very words, not their encoding.
    assert!(mail.subject.contains("[마패]"), "{}", mail.subject);
    assert!(mail.text.contains("인증번호"), "{}", mail.text);
    assert!(mail.html.contains("인증번호"), "{}", mail.html);
    let code = code_in(&mail.text);
    assert!(mail.subject.contains(&code) && mail.html.contains(&code));
    let checked = check(&server, &first_verification(&registration), &code).await.expect(200);
    assert_eq!(checked.json()["registration"]["status"], "completed");
}

fn by_ses(url: &str) -> ServerOptions {
    ServerOptions::default().with_all(&[
        ("MAIL__SENDERS", r#"["ses"]"#),
        ("MAIL__SES__ENDPOINT_URL", url),
        ("MAIL__SES__ACCESS_KEY_ID", "ANY"),
        ("MAIL__SES__SECRET_ACCESS_KEY", "any"),
    ])
}

fn by_smtp(address: &str, tls: &str) -> ServerOptions {
    let (host, port) = address.rsplit_once(':').expect("a host and a port");
    ServerOptions::default().with_all(&[
        ("MAIL__SENDERS", r#"["smtp"]"#),
        ("MAIL__SMTP__HOST", host),
        ("MAIL__SMTP__PORT", port),
        ("MAIL__SMTP__TLS", tls),
    ])
}

fn text(of: &Value) -> String {
    of.as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_sign_up_by_ses_as_aws_ses_v2_local_plays_it() {
    let Some(url) = provider("MAPAE_TEST_SES_LOCAL_URL") else { return };
    let store = format!("{url}/store");
    sign_up_by(by_ses(&url), "ses-local@example.com", async || {
        let store = get(&store).await;
        let mails = store["emails"].as_array()?;
        let to = json!("ses-local@example.com");
        let mail = mails.iter().find(|mail| mail["destination"]["to"][0] == to)?;
        Some(Mail {
            subject: text(&mail["subject"]),
            text: text(&mail["body"]["text"]),
            html: text(&mail["body"]["html"]),
        })
    })
    .await;
}

#[tokio::test]
async fn a_sign_up_by_ses_as_moto_plays_it() {
    let Some(url) = provider("MAPAE_TEST_MOTO_URL") else { return };
    let data = format!("{url}/moto-api/data.json");
    let options = by_ses(&url).with("MAIL__SES__REGION", "ap-northeast-2");
    let server = options
        .with("MAIL__FROM", "마패 <no-reply@example.com>")
        .with("MESSAGES__SERVICE_NAME", "마패")
        .start()
        .await;
    let body = json!({"email": "moto@example.com", "password": PASSWORD, "locale": "ko"});
    let registration = server.post("/v1/registrations", &body).await.expect(202);
    let mut found = String::new();
    until("a mail", async || {
        let data = get(&data).await;
        let empty = Vec::new();
        let messages = data["ses"]["Message"].as_array().unwrap_or(&empty);
        let mine = messages.iter().find(|one| one.to_string().contains("moto@example.com"));
        found = mine.map(Value::to_string).unwrap_or_default();
        !found.is_empty()
    })
    .await;
    assert!(found.contains("[마패]") && found.contains("인증번호"), "{found}");
    let (_, behind) = found.split_once("인증번호").expect("the word before the code");
    let code = code_in(behind);
    check(&server, &first_verification(&registration), &code).await.expect(200);
}

#[tokio::test]
async fn a_sign_up_by_smtp_without_tls_as_maildev_takes_it() {
    let Some(smtp) = provider("MAPAE_TEST_MAILDEV_SMTP") else { return };
    let Some(url) = provider("MAPAE_TEST_MAILDEV_URL") else { return };
    sign_up_by(by_smtp(&smtp, "none"), "maildev@example.com", async || {
        let mails = get(&format!("{url}/email")).await;
        let to = json!("maildev@example.com");
        let mail = mails.as_array()?.iter().find(|mail| mail["to"][0]["address"] == to)?.clone();
        assert_eq!(mail["headers"]["auto-submitted"], "auto-generated");
        assert_eq!(mail["from"][0]["name"], "마패");
        Some(Mail {
            subject: text(&mail["subject"]),
            text: text(&mail["text"]),
            html: text(&mail["html"]),
        })
    })
    .await;
}

async fn sign_up_with_tls(address: &str, tls: &str, to: &str) {
    let Some(url) = provider("MAPAE_TEST_SMTP_READ_URL") else { return };
    let Some(authority) = provider("MAPAE_TEST_SMTP_CA") else { return };
    let options = by_smtp(address, tls).with_all(&[
        ("MAIL__SMTP__CA_CERTIFICATES", &authority),
        ("MAIL__SMTP__USERNAME", "mapae"),
        ("MAIL__SMTP__PASSWORD", "planted-smtp-password"),
    ]);
    sign_up_by(options, to, async || {
        let mails = get(&format!("{url}/messages")).await;
        let mail = mails.as_array()?.iter().find(|mail| mail["to"][0] == json!(to))?.clone();
        assert_eq!((&mail["tls"], &mail["authenticated"]), (&json!(true), &json!(true)));
        Some(Mail {
            subject: text(&mail["subject"]),
            text: text(&mail["text"]),
            html: text(&mail["html"]),
        })
    })
    .await;
}

#[tokio::test]
async fn a_sign_up_by_smtp_with_starttls_and_a_password() {
    let Some(address) = provider("MAPAE_TEST_SMTP_STARTTLS") else { return };
    sign_up_with_tls(&address, "starttls", "starttls@example.com").await;
}

#[tokio::test]
async fn a_sign_up_by_smtp_with_implicit_tls_and_a_password() {
    let Some(address) = provider("MAPAE_TEST_SMTP_IMPLICIT") else { return };
    sign_up_with_tls(&address, "implicit", "implicit@example.com").await;
}

#[tokio::test]
async fn a_certificate_of_a_stranger_gets_no_mail_and_no_password() {
    for (variable, tls) in
        [("MAPAE_TEST_SMTP_STARTTLS", "starttls"), ("MAPAE_TEST_SMTP_IMPLICIT", "implicit")]
    {
        let Some(address) = provider(variable) else { return };
        let options = by_smtp(&address, tls).with_all(&[
            ("MAIL__FROM", "no-reply@example.com"),
            ("MAIL__SMTP__USERNAME", "mapae"),
            ("MAIL__SMTP__PASSWORD", "planted-smtp-password"),
        ]);
        let server = options.start().await;
        let (ended_well, told, _) = server.run_beside(&["doctor"]).await;
        assert!(!ended_well && told.contains("BAD   SMTP"), "{told}");
        assert!(!told.contains("planted"), "{told}");
    }
}
