//! Contacts that come and go, over HTTP and by the pages behind links.

use mapae_e2e::{Answer, Server};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{PASSWORD, check, complete_sign_up, log_in};

const OLD: &str = "minji@example.com";
const NEW: &str = "minji@new.example.com";

async fn send(server: &Server, method: Method, path: &str, token: &str, body: &Value) -> Answer {
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    server.send(method, path, &headers, Some(body.to_string().into_bytes())).await
}

async fn access(server: &Server, login: &str) -> String {
    log_in(server, login, PASSWORD).await.expect(200).text("access_token")
}

#[tokio::test]
async fn an_address_is_changed_told_and_taken_back_by_the_page() {
    let server = Server::start().await;
    complete_sign_up(&server, OLD).await;
    let token = access(&server, OLD).await;
    let body = json!({"channel": "email", "to": NEW});
    let begun = send(&server, Method::POST, "/v1/me/contacts", &token, &body).await.expect(202);
    assert_eq!(begun.json()["purpose"], "contact_change");
    // By the mail's link, as by the code.
    let key = server.message(NEW).await.key();
    let body = json!({ "key": key });
    let confirmed = server.post("/v1/verifications/confirm", &body).await.expect(200).json();
    assert_eq!(confirmed["status"], "verified");
    let me = server.get_as("/v1/me", &token).await.expect(200).json();
    assert_eq!(me["email"], NEW);
    let export = server.get_as("/v1/me/export", &token).await.expect(200).json();
    assert_eq!(export["previous_contacts"][0]["value"], OLD);
    let told = server.messages(OLD, 2).await.swap_remove(0);
    let link = told.json["link"].as_str().map_or_else(|| link_in(told.text()), str::to_owned);
    let (_, path) = link.split_once("/undo/").expect("a link to undo");
    let path = format!("/undo/{path}");
    let key = path.split_once("key=").expect("a key").1.to_owned();
    for method in [Method::GET, Method::HEAD, Method::GET] {
        server.send(method, &path, &[("accept-language", "en")], None).await.expect(200);
    }
    assert_eq!(server.get_as("/v1/me", &token).await.expect(200).json()["email"], NEW);
    let press = async || {
        let headers = [
            ("content-type", "application/x-www-form-urlencoded"),
            ("accept-language", "ko"),
            ("origin", "null"),
        ];
        let form = format!("key={key}").into_bytes();
        server.send(Method::POST, "/undo/contact", &headers, Some(form)).await
    };
    let undone = press().await.expect(200);
    assert!(undone.body.contains("되돌렸습니다"), "{}", undone.body);
    press().await.expect(404);
    server.get_as("/v1/me", &token).await.expect_problem(401, "unauthenticated");
    for login in [OLD, NEW] {
        log_in(&server, login, PASSWORD).await.expect_problem(401, "invalid_credentials");
    }
    // The owner goes on by a reset.
    let body = json!({ "login": OLD });
    let id = server.post("/v1/password-resets", &body).await.expect(202).text("id");
    let code = server.messages(OLD, 4).await.swap_remove(0).code();
    let body = json!({"code": code, "new_password": "a better horse needs no battery"});
    let path = format!("/v1/password-resets/{id}/complete");
    server.post(&path, &body).await.expect(204);
    let back = log_in(&server, OLD, "a better horse needs no battery").await.expect(200);
    let events = server.get_as("/v1/me/events", &back.text("access_token")).await.expect(200);
    let kinds: Vec<_> = events.json()["events"]
        .as_array()
        .expect("events")
        .iter()
        .map(|event| event["kind"].as_str().expect("a kind").to_owned())
        .collect();
    assert_eq!(kinds, ["password_reset", "contact_restored", "contact_changed"]);
}

/// The link in a text: alone on its line.
fn link_in(text: &str) -> String {
    text.lines().find(|line| line.starts_with("http")).expect("a link").to_owned()
}

#[tokio::test]
async fn a_contact_is_added_and_removed_and_bad_input_changes_nothing() {
    let server = Server::start().await;
    complete_sign_up(&server, OLD).await;
    let token = access(&server, OLD).await;
    let add =
        async |body: Value| send(&server, Method::POST, "/v1/me/contacts", &token, &body).await;
    for (body, field) in [
        (json!({"channel": "pigeon", "to": NEW}), "channel"),
        (json!({"channel": "email", "to": "nonsense"}), "to"),
        (json!({"channel": "email", "to": OLD}), "to"),
        (json!({"channel": "sms", "to": "+1 202 555 0123"}), "to"),
        (json!({"channel": "email"}), "to"),
    ] {
        let problem = add(body).await.expect_problem(400, "validation_failed").json();
        assert_eq!(problem["errors"][0]["field"], field, "{problem}");
    }
    let begun = add(json!({"channel": "sms", "to": "010-1234-5678"})).await.expect(202);
    let code = server.message("+821012345678").await.code();
    check(&server, &begun.text("id"), &code).await.expect(200);
    let me = server.get_as("/v1/me", &token).await.expect(200).json();
    assert_eq!(me["phone"], "+821012345678");
    let remove = async |id: &str| {
        let path = format!("/v1/me/contacts/{id}");
        send(&server, Method::DELETE, &path, &token, &json!(null)).await
    };
    let of = |channel: &str| {
        let contacts = me["contacts"].as_array().expect("contacts");
        let one = contacts.iter().find(|one| one["channel"] == channel).expect("a contact");
        one["id"].as_str().expect("an id").to_owned()
    };
    remove("nonsense").await.expect_problem(404, "contact_not_found");
    remove(&of("email")).await.expect_problem(409, "contact_required");
    remove(&of("sms")).await.expect(204);
    remove(&of("sms")).await.expect_problem(404, "contact_not_found");
    let told = server.messages("+821012345678", 2).await.swap_remove(0);
    let link = link_in(told.text());
    let key = link.split_once("key=").expect("a key").1;
    for nonsense in ["", "nonsense", &"A".repeat(43)] {
        let body = json!({ "key": nonsense });
        let refused = server.post("/v1/contact-changes/undo", &body).await;
        refused.expect_problem(404, "contact_change_not_found");
    }
    // The key of one kind is none of another.
    let body = json!({ "key": key });
    let crossed = server.post("/v1/verifications/confirm", &body).await;
    crossed.expect_problem(404, "verification_not_found");
    server.post("/v1/contact-changes/undo", &body).await.expect(204);
    server.get_as("/v1/me", &token).await.expect(401);
}
