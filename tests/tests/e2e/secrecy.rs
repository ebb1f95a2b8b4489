use base64::Engine as _;
use mapae_e2e::{Server, ServerOptions, code_in, shows, until};
use mapae_testkit::fake::{FakeSens, HttpReply, HttpStub, SmtpReply, SmtpStub};
use reqwest::Method;
use serde_json::json;

use crate::{check, first_verification, log_in};

/// Runs every flow at the most talkative level, in both formats, and looks for what was planted.
#[tokio::test]
async fn no_log_shows_a_code_key_token_password_address_or_number() {
    for format in ["human", "json"] {
        let server = ServerOptions::default()
            .with("LOG__LEVEL", "trace")
            .with("LOG__FORMAT", format)
            .with("REGISTRATION__REQUIRE", "[\"email\", \"phone\"]")
            .start()
            .await;
        let planted = every_flow(&server).await;
        let log = server.log();
        assert!(log.contains("registration completed"), "the log was read");
        assert!(log.to_lowercase().contains("trace"), "the level was set");
        for secret in planted {
            if let Some(line) = log.lines().find(|line| shows(line, &secret)) {
                panic!("{secret:?} is in the log: {line}");
            }
        }
    }
}

/// Everything that people and programs do, well and badly; gives what no log may show.
pub(crate) async fn every_flow(server: &Server) -> Vec<String> {
    let (email, phone, password) =
        ("plantedaddress@secret.example", "+821098712345", "planted pass phrase");
    let mut planted = vec![
        "plantedaddress".to_owned(),
        "secret.example".to_owned(),
        "1098712345".to_owned(),
        "9871-2345".to_owned(),
        password.to_owned(),
        "planted nickname".to_owned(),
        "planted name".to_owned(),
        "planted wrong pass phrase".to_owned(),
    ];
    let body = json!({
        "email": email, "phone": "010-9871-2345", "password": password, "username": "plantedlogin",
        "nickname": "planted nickname", "name": "planted name",
    });
    let headers = [("idempotency-key", "planted-idempotency-key")];
    planted.push("planted-idempotency-key".to_owned());
    let registration = server.post_with("/v1/registrations", &headers, &body).await.expect(202);
    planted.push(registration.text("registration_token"));
    let mail = server.message(email).await;
    let sms = server.message(phone).await;
    planted.extend([mail.code(), sms.code(), mail.key()]);
    let verifications = registration.json()["verifications"].clone();
    let of = |channel: &str| {
        let list = verifications.as_array().expect("verifications");
        let found = list.iter().find(|one| one["channel"] == channel).expect("one of the channel");
        found["id"].as_str().expect("an id").to_owned()
    };
    check(server, &of("sms"), "12x456").await.expect(400);
    check(server, &of("sms"), &sms.code()).await.expect(200);
    server.get(&format!("/verify/email?key={}", mail.key())).await.expect(200);
    let form = format!("key={}", mail.key()).into_bytes();
    let content_type = [("content-type", "application/x-www-form-urlencoded")];
    server.send(Method::POST, "/verify/email", &content_type, Some(form)).await.expect(200);

    let id = registration.text("id");
    let token = json!({"registration_token": registration.text("registration_token")});
    let pair = server.post(&format!("/v1/registrations/{id}/tokens"), &token).await.expect(200);
    let body = json!({"refresh_token": pair.text("refresh_token")});
    let next = server.post("/v1/tokens/refresh", &body).await.expect(200);
    for pair in [&pair, &next] {
        planted.extend([pair.text("access_token"), pair.text("refresh_token")]);
    }
    log_in(server, email, password).await.expect(200);
    log_in(server, "010-9871-2345", "planted wrong pass phrase").await.expect(401);
    server.get_as("/v1/me", &next.text("access_token")).await.expect(200);
    let body = json!({"token": next.text("access_token")});
    server.post("/v1/tokens/verify", &body).await.expect(200);

    // A log-in by code, a second sign-up with what an account holds, and nonsense in every place.
    let begin = json!({"channel": "email", "to": email, "purpose": "login"});
    let verification = server.post("/v1/verifications", &begin).await.expect(202).text("id");
    let code = server.messages(email, 2).await.swap_remove(0).code();
    let receipt = check(server, &verification, &code).await.expect(200).text("receipt");
    server.post("/v1/tokens/receipt", &json!({"receipt": receipt})).await.expect(200);
    planted.extend([code, receipt]);
    let body = json!({"email": email, "phone": phone, "password": password});
    let decoy = server.post("/v1/registrations", &body).await.expect(202);
    check(server, &first_verification(&decoy), "918273").await.expect(400);
    planted.push("918273".to_owned());
    let broken = format!("{{\"email\": \"{email}\", \"password\": \"{password}\", ").into_bytes();
    let content_type = [("content-type", "application/json")];
    server.send(Method::POST, "/v1/registrations", &content_type, Some(broken)).await.expect(400);
    let body = json!({"email": [email], "password": password});
    server.post("/v1/registrations", &body).await.expect(400);
    server.get_as("/v1/me", "planted.bearer.token").await.expect(401);
    planted.push("planted.bearer.token".to_owned());
    planted
}

/// The senders with all that they know, at the most talkative level: when they work, and when they do
/// not.
#[tokio::test]
async fn no_sender_shows_its_keys_or_what_it_sends() {
    let sens = FakeSens::start().await;
    let ses = HttpStub::start(|request| match request.json()["Destination"]["ToAddresses"][0].as_str() {
        Some("planted-refused@example.com") => {
            let body = r#"{"__type": "MessageRejected", "message": "planted-refused@example.com planted-words"}"#;
            HttpReply::json(400, body)
        }
        _ => HttpReply::json(503, r#"{"__type": "ServiceUnavailable", "message": "planted-words"}"#),
    })
    .await;
    let smtp = SmtpStub::start(&["AUTH PLAIN LOGIN"]).await;
    let port = smtp.port().to_string();
    let settings = [
        ("LOG__LEVEL", "trace"),
        ("MAIL__SENDERS", r#"["ses", "smtp"]"#),
        ("MAIL__FROM", "no-reply@example.com"),
        ("MAIL__SES__ENDPOINT_URL", &ses.origin()),
        ("MAIL__SES__ACCESS_KEY_ID", "PLANTEDACCESSKEYID"),
        ("MAIL__SES__SECRET_ACCESS_KEY", "planted-ses-secret-access-key"),
        ("MAIL__SMTP__HOST", "127.0.0.1"),
        ("MAIL__SMTP__PORT", &port),
        ("MAIL__SMTP__TLS", "none"),
        ("MAIL__SMTP__USERNAME", "mapae"),
        ("MAIL__SMTP__PASSWORD", "planted-smtp-password"),
    ];
    let options = crate::sending::by_sens(&sens).with_all(&settings);
    let server = options.start().await;
    let begin = async |channel: &str, to: &str| {
        let body = json!({"channel": channel, "to": to, "purpose": "own"});
        server.post("/v1/verifications", &body).await.expect(202);
    };
    begin("email", "planted-reader@example.com").await;
    begin("email", "planted-refused@example.com").await;
    begin("sms", "010-9871-2345").await;
    until("both left", async || smtp.mails().len() == 1 && sens.taken().len() == 1).await;
    sens.behave(|sens| {
        sens.refuse = Some((
            400,
            "application/json",
            "{\"errorCode\": 1, \"errorMessage\": \"planted-words 01098712346\"}".to_owned(),
        ))
    });
    begin("sms", "010-9871-2346").await;
    smtp.reply(
        "RCPT",
        SmtpReply::Say("550 5.1.1 planted-other@example.com is unknown, planted-words"),
    );
    begin("email", "planted-other@example.com").await;
    until("both are refused", async || {
        let (_, listed, _) = server.run_beside(&["message", "list"]).await;
        listed.matches("failed").count() == 3
    })
    .await;
    let (_, doctor, doctor_log) = server.run_beside(&["doctor"]).await;
    let (_, dump, _) = server.run_beside(&["config"]).await;
    assert!(dump.contains("(set)") && dump.contains("PLANTEDACCESSKEYID"), "{dump}");
    let code = code_in(&sens.taken()[0].content);
    let shown = [server.log(), doctor, doctor_log, dump].join("\n");
    let base64 = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    for secret in [
        "planted-ses-secret-access-key",
        "planted-smtp-password",
        &base64("\0mapae\0planted-smtp-password"),
        FakeSens::SECRET_KEY,
        "planted-reader",
        "planted-refused",
        "planted-other",
        "planted-words",
        "98712345",
        "98712346",
        code.as_str(),
    ] {
        let line = shown.lines().find(|line| shows(line, secret));
        assert!(line.is_none(), "{secret} is shown: {line:?}");
    }
}
