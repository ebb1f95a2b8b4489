//! What people are asked to agree to, by the running service: asked, refused by name, kept, asked
//! again, told of.

use mapae_e2e::{Answer, Server, ServerOptions};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{PASSWORD, check, first_verification, log_in};

const MINJI: &str = "minji-who-agrees@example.com";

/// The documents of an installation, its terms in `version`.
fn documents(version: &str) -> String {
    format!(
        r#"[
            {{ document = "terms", version = "{version}", required = true,
               title = {{ ko = "이용약관", en = "Terms of service" }},
               url = {{ ko = "https://example.com/ko/terms", en = "https://example.com/en/terms" }} }},
            {{ document = "news", version = "1", marketing = true,
               title = {{ ko = "새 소식 이메일", en = "News by e-mail" }},
               text = {{ ko = "한 달에 한 번 보내 드립니다." }} }}
        ]"#
    )
    .replace('\n', " ")
}

fn options(version: &str) -> ServerOptions {
    ServerOptions::default()
        .with("CONSENTS", &documents(version))
        .with("REGISTRATION__MINIMUM_AGE", "14")
}

fn decision(document: &str, version: &str, accepted: bool) -> Value {
    json!({"document": document, "version": version, "accepted": accepted})
}

async fn sign_up(server: &Server, consents: &[Value]) -> Answer {
    let body = json!({
        "email": MINJI, "password": PASSWORD, "consents": consents, "locale": "ko",
    });
    server.post("/v1/registrations", &body).await
}

async fn user(server: &Server, consents: &[Value]) -> Answer {
    let registration = sign_up(server, consents).await.expect(202);
    let code = server.messages(MINJI, 1).await.remove(0).code();
    check(server, &first_verification(&registration), &code).await.expect(200);
    log_in(server, MINJI, PASSWORD).await.expect(200)
}

async fn decide(server: &Server, token: &str, consents: &[Value]) -> Answer {
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let body = json!({"consents": consents}).to_string().into_bytes();
    server.send(Method::PUT, "/v1/me/consents", &headers, Some(body)).await
}

fn all(version: &str) -> [Value; 3] {
    [decision("terms", version, true), decision("news", "1", true), decision("age", "14", true)]
}

fn fields(answer: &Answer) -> Vec<(String, String)> {
    let problem = answer.json();
    let errors = problem["errors"].as_array().expect("errors");
    let text = |error: &Value, member: &str| error[member].as_str().unwrap_or("?").to_owned();
    errors.iter().map(|error| (text(error, "field"), text(error, "code"))).collect()
}

#[tokio::test]
async fn a_page_learns_what_to_ask_in_its_readers_language() {
    let server = options("1").start().await;
    let korean = [("accept-language", "ko-KR,ko;q=0.9")];
    let asked = server.send(Method::GET, "/v1/consents", &korean, None).await.expect(200).json();
    let expected = json!({"documents": [
        {"document": "terms", "version": "1", "kind": "agreement", "required": true,
         "title": "이용약관", "url": "https://example.com/ko/terms"},
        {"document": "news", "version": "1", "kind": "marketing", "required": false,
         "title": "새 소식 이메일", "text": "한 달에 한 번 보내 드립니다."},
        {"document": "age", "version": "14", "kind": "age", "required": true,
         "title": "만 14세 이상입니다"},
    ]});
    assert_eq!(asked, expected);
    let english = server.get("/v1/consents").await.expect(200).json();
    assert_eq!(english["documents"][0]["title"], "Terms of service");
    assert_eq!(english["documents"][2]["title"], "I am 14 years of age or older");
}

#[tokio::test]
async fn a_required_consent_that_is_missing_refused_or_old_is_named() {
    let server = options("2").start().await;
    let (terms, age) = (decision("terms", "2", true), decision("age", "14", true));
    let required = |field: &str| (field.to_owned(), "required".to_owned());
    let table = [
        (vec![], vec![required("consents.terms"), required("consents.age")]),
        (vec![age.clone()], vec![required("consents.terms")]),
        (
            vec![decision("terms", "1", true), age.clone()],
            vec![("consents.terms".to_owned(), "outdated".to_owned())],
        ),
        (vec![terms.clone(), decision("age", "14", false)], vec![required("consents.age")]),
        (
            vec![terms.clone(), age.clone(), decision("cookies", "1", true)],
            vec![("consents[2].document".to_owned(), "unknown_value".to_owned())],
        ),
    ];
    for (consents, expected) in table {
        let refused = sign_up(&server, &consents).await.expect_problem(400, "validation_failed");
        assert_eq!(fields(&refused), expected);
        assert!(!refused.body.contains("cookies"), "what was sent is not repeated");
    }
    sign_up(&server, &[terms, age]).await.expect(202);
}

#[tokio::test]
async fn a_new_version_asks_again_at_log_in_and_the_history_keeps_both() {
    let server = options("1").start().await;
    let pair = user(&server, &all("1")).await;
    assert!(pair.json().get("consents_required").is_none(), "nothing is missing");
    let server = server.restart_with("CONSENTS", &documents("2")).await;
    let pair = log_in(&server, MINJI, PASSWORD).await.expect(200);
    let demanded = json!([{"document": "terms", "version": "2", "required": true}]);
    assert_eq!(pair.json()["consents_required"], demanded);
    let refresh = json!({"refresh_token": pair.text("refresh_token")});
    let refreshed = server.post("/v1/tokens/refresh", &refresh).await.expect(200);
    assert!(refreshed.json().get("consents_required").is_none(), "a refresh asks nobody");
    let access = pair.text("access_token");
    let kept = server.get_as("/v1/me/consents", &access).await.expect(200).json();
    let outstanding = |kept: &Value| -> Vec<bool> {
        let consents = kept["consents"].as_array().expect("consents");
        consents.iter().map(|one| one["outstanding"] == true).collect()
    };
    assert_eq!(outstanding(&kept), [true, false, false]);
    let refused = decide(&server, &access, &[decision("terms", "1", true)]).await;
    let refused = refused.expect_problem(400, "validation_failed");
    assert_eq!(fields(&refused), [("consents.terms".to_owned(), "outdated".to_owned())]);
    let decided = decide(&server, &access, &[decision("terms", "2", true)]).await.expect(200);
    assert_eq!(outstanding(&decided.json()), [false, false, false]);
    let pair = log_in(&server, MINJI, PASSWORD).await.expect(200);
    assert!(pair.json().get("consents_required").is_none(), "it was decided");
    // Nobody is asked about anything any more.
    let server = server.restart_with("CONSENTS", "[]").await;
    let access = log_in(&server, MINJI, PASSWORD).await.expect(200).text("access_token");
    let kept = server.get_as("/v1/me/consents", &access).await.expect(200).json();
    let history = kept["history"].as_array().expect("the history");
    let versions: Vec<_> = history.iter().map(|one| (&one["document"], &one["version"])).collect();
    let (terms, news, age) = (&json!("terms"), &json!("news"), &json!("age"));
    let (one, two, fourteen) = (&json!("1"), &json!("2"), &json!("14"));
    assert_eq!(versions, [(terms, one), (news, one), (age, fourteen), (terms, two)]);
    for (nth, decision) in history.iter().enumerate() {
        let channel = if nth < 3 { "sign_up" } else { "account" };
        assert_eq!(decision["channel"], channel, "{decision}");
        assert_eq!(decision["address"], "127.0.0.1", "{decision}");
        assert!(decision["decided_at"].as_str().is_some_and(|at| at.ends_with('Z')), "{decision}");
    }
    let export = server.get_as("/v1/me/export", &access).await.expect(200).json();
    assert_eq!(export["consents"], kept["history"]);
    assert_eq!(export["registrations"][0]["consents"].as_array().map(Vec::len), Some(3));
}

#[tokio::test]
async fn a_decision_about_advertising_is_confirmed_by_mail_with_its_date() {
    let server = options("1").start().await;
    let access = user(&server, &all("1")).await.text("access_token");
    let mail = server.messages(MINJI, 2).await.remove(0);
    assert_eq!(mail.subject(), "[Mapae] 광고성 정보 수신 동의 처리 결과 안내");
    let line = |text: &str| {
        let line = text.lines().find(|line| line.contains("새 소식 이메일"));
        line.map(str::to_owned).unwrap_or_else(|| panic!("no decision in {text}"))
    };
    let is_dated = |line: &str, decided: &str| {
        let rest =
            line.strip_prefix("- 새 소식 이메일: ").and_then(|rest| rest.strip_suffix(decided));
        rest.is_some_and(|date| date.trim().len() == "2026-11-21".len())
    };
    let agreed = line(mail.text());
    assert!(is_dated(&agreed, "수신 동의"), "{agreed}");
    decide(&server, &access, &[decision("news", "1", false)]).await.expect(200);
    let ended = line(server.messages(MINJI, 3).await.remove(0).text());
    assert!(is_dated(&ended, "수신 거부"), "{ended}");
    // The same decision again is none.
    let again = decide(&server, &access, &[decision("news", "1", false)]).await.expect(200);
    assert_eq!(again.json()["history"].as_array().map(Vec::len), Some(4));
}

#[tokio::test]
async fn an_operator_lists_and_sends_what_is_to_be_reconfirmed() {
    let server = options("1").start().await;
    let pair = user(&server, &all("1")).await;
    let me = server.get_as("/v1/me", &pair.text("access_token")).await.expect(200).text("id");
    server.messages(MINJI, 2).await;
    let (ok, nothing, _) = server.run_beside(&["consent", "due"]).await;
    assert!(ok && nothing.is_empty(), "two years have not passed: {nothing}");
    let (ok, due, errors) = server.run_beside(&["consent", "due", "--within", "750d"]).await;
    assert!(ok, "{errors}");
    let columns: Vec<_> = due.trim_end().split('\t').collect();
    assert_eq!(columns[..3], [me.as_str(), "news", "1"], "{due}");
    assert!(columns[3] < columns[4], "agreed before it is due: {due}");
    for (within, expected) in [("729d", "reminded\t0"), ("731d", "reminded\t1")] {
        let (ok, reminded, errors) =
            server.run_beside(&["consent", "remind", "--within", within]).await;
        assert!(ok, "{errors}");
        assert_eq!(reminded.trim_end(), expected);
    }
    let mail = server.messages(MINJI, 3).await.remove(0);
    assert_eq!(mail.subject(), "[Mapae] 광고성 정보 수신 동의 확인 안내");
    assert!(mail.text().contains("철회하지 않으시면 동의가 유지됩니다"), "{}", mail.text());
}

#[tokio::test]
async fn documents_that_nobody_could_ask_about_stop_the_start_and_are_named() {
    let document = |rest: &str| format!(r#"[{{ document = "terms", version = "1", {rest} }}]"#);
    let table = [
        (
            document(r#"title = { ko = "약관" }, marketing = true, required = true"#),
            "cannot be required",
        ),
        (document(r#"title = { fr = "Conditions" }"#), "a language other than ko or en"),
        (document("title = {}"), "has no title"),
        (document(r#"title = { ko = "약관" }, url = { ko = "example.com" }"#), "has a url"),
        (document(r#"title = { ko = "약관" }, text = { en = "x" }"#), "no title, in en"),
        (document(r#"title = { ko = "약관" }, colour = "red""#), "colour"),
        (
            document(r#"title = { ko = "약관" }"#).replace("terms", "age"),
            "registration.minimum_age",
        ),
        (document(r#"title = { ko = "소식 📬" }, marketing = true"#), "EUC-KR"),
    ];
    for (consents, expected) in table {
        let settings = [("CONSENTS", consents.as_str())];
        let (ok, output, errors) = Server::run(&["doctor"], &settings).await;
        let said = format!("{output}{errors}");
        assert!(!ok && said.contains(expected), "{consents}: {said}");
    }
}
