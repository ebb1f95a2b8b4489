use mapae_e2e::{Server, ServerOptions};
use serde_json::json;

use crate::{PASSWORD, check, complete_sign_up, first_verification, log_in, sign_up};

#[tokio::test]
async fn a_stranger_becomes_a_user_by_code_and_logs_in() {
    let server = Server::start().await;
    let registration = server
        .post(
            "/v1/registrations",
            &json!({
                "username": "MinJi", "email": "MinJi@Example.com", "password": PASSWORD,
                "nickname": "민지", "name": "김민지", "locale": "ko",
                "consents": [{"document": "terms", "version": "2026-11-01", "accepted": true}],
            }),
        )
        .await
        .expect(202);
    let json = registration.json();
    assert_eq!(json["status"], "pending");
    assert_eq!(json["verifications"][0]["to"], "m•••@example.com");
    assert_eq!(json["verifications"][0]["attempts_left"], 5);
    assert!(json.get("user_id").is_none(), "{json}");

    let message = server.message("minji@example.com").await;
    assert!(message.subject().contains(&message.code()), "{}", message.subject());
    let checked = check(&server, &first_verification(&registration), &message.code()).await;
    let checked = checked.expect(200).json();
    assert_eq!(checked["status"], "verified");
    assert_eq!(checked["registration"]["status"], "completed");
    let user = checked["registration"]["user_id"].as_str().expect("a user").to_owned();

    for login in ["minji", "MINJI", "minji@example.com", " MinJi@EXAMPLE.com "] {
        let pair = log_in(&server, login, PASSWORD).await.expect(200);
        let me = server.get_as("/v1/me", &pair.text("access_token")).await.expect(200).json();
        assert_eq!(me["id"], user.as_str());
        assert_eq!(me["username"], "minji");
        assert_eq!(me["email"], "minji@example.com");
        assert_eq!((&me["nickname"], &me["name"]), (&json!("민지"), &json!("김민지")));
    }
}

#[tokio::test]
async fn who_signs_up_takes_the_first_tokens_once() {
    let server = Server::start().await;
    let registration = sign_up(&server, "minji@example.com").await;
    let (id, token) = (registration.text("id"), registration.text("registration_token"));
    let path = format!("/v1/registrations/{id}/tokens");
    let body = json!({"registration_token": token});
    server.post(&path, &body).await.expect_problem(409, "registration_pending");
    let code = server.message("minji@example.com").await.code();
    check(&server, &first_verification(&registration), &code).await.expect(200);
    let asked = server.get_as(&format!("/v1/registrations/{id}"), &token).await.expect(200).json();
    assert_eq!(asked["status"], "completed");
    let pair = server.post(&path, &body).await.expect(200);
    server.get_as("/v1/me", &pair.text("access_token")).await.expect(200);
    server.post(&path, &body).await.expect_problem(409, "tokens_taken");
}

#[tokio::test]
async fn a_registration_answers_only_to_its_own_token() {
    let server = Server::start().await;
    let one = sign_up(&server, "one@example.com").await;
    let other = sign_up(&server, "other@example.com").await;
    let path = format!("/v1/registrations/{}", one.text("id"));
    server.get(&path).await.expect_problem(401, "unauthenticated");
    let foreign = other.text("registration_token");
    server.get_as(&path, &foreign).await.expect_problem(404, "registration_not_found");
    let body = json!({"registration_token": foreign});
    let tokens = server.post(&format!("{path}/tokens"), &body).await;
    tokens.expect_problem(404, "registration_not_found");
    server.get_as(&path, &one.text("registration_token")).await.expect(200);
}

#[tokio::test]
async fn an_address_with_an_account_answers_like_any_other_and_its_owner_is_told() {
    let server = Server::start().await;
    complete_sign_up(&server, "owner@example.com").await;
    let known = sign_up(&server, "owner@example.com").await;
    let unknown = sign_up(&server, "nobody@example.com").await;

    let shape = |answer: &mapae_e2e::Answer| {
        let mut json = answer.json();
        for member in ["id", "registration_token"] {
            json[member] = json!("…");
        }
        let verification = &mut json["verifications"][0];
        for member in ["id", "to", "expires_at", "resend_at"] {
            assert!(verification[member].is_string());
            verification[member] = json!("…");
        }
        let headers: Vec<_> = answer.headers.keys().map(ToString::to_string).collect();
        (answer.status, headers, json)
    };
    assert_eq!(shape(&known), shape(&unknown));

    let told = server.messages("owner@example.com", 2).await.swap_remove(0);
    assert!(told.json.get("code").is_none() && told.json.get("link").is_none(), "{}", told.json);

    // The decoy counts, and ends, as the other does.
    for attempts_left in [4, 3, 2, 1, 0] {
        for registration in [&known, &unknown] {
            let real = server.messages("nobody@example.com", 1).await.swap_remove(0).code();
            let wrong = mapae_e2e::wrong(&real, attempts_left);
            let answer = check(&server, &first_verification(registration), &wrong).await;
            let problem = answer.expect_problem(400, "code_mismatch").json();
            assert_eq!(problem["attempts_left"], attempts_left);
        }
    }
    for registration in [&known, &unknown] {
        let answer = check(&server, &first_verification(registration), "000000").await;
        answer.expect_problem(429, "attempts_exhausted");
    }
    // The delivery of both is seen alike.
    for registration in [&known, &unknown] {
        let path = format!("/v1/verifications/{}", first_verification(registration));
        loop {
            let seen = server.get(&path).await.expect(200).json();
            if seen["delivery"]["status"] == "sent" {
                break;
            }
        }
    }
}

#[tokio::test]
async fn where_it_is_configured_a_taken_address_is_told_at_once() {
    let server = ServerOptions::default().with("REGISTRATION__REVEAL_TAKEN", "true").start().await;
    complete_sign_up(&server, "owner@example.com").await;
    let body = json!({"email": "owner@example.com", "password": PASSWORD});
    server.post("/v1/registrations", &body).await.expect_problem(409, "contact_taken");
}

#[tokio::test]
async fn a_rivals_registration_is_void_once_the_owner_has_verified() {
    let server = Server::start().await;
    let body = json!({"email": "owner@example.com", "password": "the rival's own password"});
    let rival = server.post("/v1/registrations", &body).await.expect(202);
    let rivals_message = server.message("owner@example.com").await;
    let owner = sign_up(&server, "owner@example.com").await;
    let owners_message = server.messages("owner@example.com", 2).await.swap_remove(0);
    check(&server, &first_verification(&owner), &owners_message.code()).await.expect(200);

    // Its password opens nothing, and a guess at its code learns nothing.
    let login = log_in(&server, "owner@example.com", "the rival's own password").await;
    login.expect_problem(401, "invalid_credentials");
    let guess = mapae_e2e::wrong(&rivals_message.code(), 0);
    let guessed = check(&server, &first_verification(&rival), &guess).await;
    guessed.expect_problem(400, "code_mismatch");
    // Whoever holds the mailbox proves it by the rival's own code or link, and is told.
    let proved = check(&server, &first_verification(&rival), &rivals_message.code()).await;
    proved.expect_problem(409, "contact_taken");
    let token = rival.text("registration_token");
    let path = format!("/v1/registrations/{}", rival.text("id"));
    assert_eq!(server.get_as(&path, &token).await.expect(200).json()["status"], "pending");
    let body = json!({"registration_token": token});
    let tokens = server.post(&format!("{path}/tokens"), &body).await;
    tokens.expect_problem(409, "registration_pending");
    log_in(&server, "owner@example.com", PASSWORD).await.expect(200);
}

#[tokio::test]
async fn a_username_is_public_and_reserved_while_its_registration_lives() {
    let server = Server::start().await;
    let body = |email: &str, username: &str| json!({"email": email, "username": username, "password": PASSWORD});
    server.post("/v1/registrations", &body("one@example.com", "minji")).await.expect(202);
    let taken = server.post("/v1/registrations", &body("two@example.com", "MINJI")).await;
    taken.expect_problem(409, "username_taken");
    // Nothing was stored and nothing is sent for the refused one.
    server.message("one@example.com").await;
    let inbox = server.get("/dev/inbox/messages?to=two@example.com").await.expect(200).json();
    assert_eq!(inbox["messages"], json!([]));
    server.post("/v1/registrations", &body("two@example.com", "minji2")).await.expect(202);
}

#[tokio::test]
async fn phone_first_works_as_well_as_sign_up_first() {
    let server =
        ServerOptions::default().with("REGISTRATION__REQUIRE", "[\"phone\"]").start().await;
    let begin = json!({"channel": "sms", "to": "010-1234-5678", "locale": "ko"});
    let verification = server.post("/v1/verifications", &begin).await.expect(202);
    assert_eq!(verification.text("to"), "+82 ••• 5678");
    let message = server.message("+82 10 1234 5678").await;
    let last_line = message.text().lines().last().unwrap_or_default();
    assert!(last_line.starts_with('@') && last_line.ends_with(&format!("#{}", message.code())));
    let proved = check(&server, &verification.text("id"), &message.code()).await.expect(200);
    let receipt = proved.text("receipt");

    let body = json!({"receipts": [receipt], "password": PASSWORD, "nickname": "민지"});
    let registration = server.post("/v1/registrations", &body).await.expect(202).json();
    assert_eq!(registration["status"], "completed");
    assert_eq!(registration["verifications"], json!([]));
    for login in ["010-1234-5678", "+82 010 1234 5678", "+821012345678"] {
        let pair = log_in(&server, login, PASSWORD).await.expect(200);
        let me = server.get_as("/v1/me", &pair.text("access_token")).await.expect(200).json();
        assert_eq!(me["phone"], "+821012345678");
    }

    // A receipt is good once.
    let again = server.post("/v1/registrations", &body).await;
    again.expect_problem(400, "receipt_refused");
    // Whoever has proved a number that an account holds is told.
    let verification = server.post("/v1/verifications", &begin).await.expect(202);
    let code = server.messages("01012345678", 2).await.swap_remove(0).code();
    let receipt = check(&server, &verification.text("id"), &code).await.expect(200).text("receipt");
    let body = json!({"receipts": [receipt], "password": PASSWORD});
    server.post("/v1/registrations", &body).await.expect_problem(409, "contact_taken");
}

#[tokio::test]
async fn sign_up_by_phone_waits_for_its_code() {
    let server =
        ServerOptions::default().with("REGISTRATION__REQUIRE", "[\"phone\"]").start().await;
    let body = json!({"phone": "01098765432", "password": PASSWORD});
    let registration = server.post("/v1/registrations", &body).await.expect(202);
    let code = server.message("01098765432").await.code();
    let checked = check(&server, &first_verification(&registration), &code).await.expect(200);
    assert_eq!(checked.json()["registration"]["status"], "completed");
}

#[tokio::test]
async fn both_contacts_are_waited_for_where_both_are_required() {
    let server = ServerOptions::default()
        .with("REGISTRATION__REQUIRE", "[\"email\", \"phone\"]")
        .start()
        .await;
    let missing = json!({"email": "minji@example.com", "password": PASSWORD});
    let refused = server.post("/v1/registrations", &missing).await;
    let errors = refused.expect_problem(400, "validation_failed").json()["errors"].clone();
    assert_eq!((&errors[0]["field"], &errors[0]["code"]), (&json!("phone"), &json!("required")));

    let body =
        json!({"email": "minji@example.com", "phone": "010-1234-5678", "password": PASSWORD});
    let registration = server.post("/v1/registrations", &body).await.expect(202).json();
    for (to, status) in [("minji@example.com", "pending"), ("01012345678", "completed")] {
        let channel = if to.contains('@') { "email" } else { "sms" };
        let verifications = registration["verifications"].as_array().expect("two");
        let verification =
            verifications.iter().find(|v| v["channel"] == channel).expect("one of the channel");
        let code = server.message(to).await.code();
        let id = verification["id"].as_str().expect("an id");
        let checked = check(&server, id, &code).await.expect(200).json();
        assert_eq!(checked["registration"]["status"], status, "{to}");
    }
}

#[tokio::test]
async fn a_repeat_with_the_same_idempotency_key_makes_nothing_new() {
    let server = Server::start().await;
    let headers = [("idempotency-key", "5f0c7a0e-7a1b-4f53-9d9c-0b8f2d6a1c3e")];
    let body = json!({"email": "minji@example.com", "password": PASSWORD});
    let first = server.post_with("/v1/registrations", &headers, &body).await.expect(202);
    let again = server.post_with("/v1/registrations", &headers, &body).await.expect(202);
    for member in ["id", "registration_token"] {
        assert_eq!(first.text(member), again.text(member), "{member}");
    }
    assert_eq!(first_verification(&first), first_verification(&again));
    let other = json!({"email": "other@example.com", "password": PASSWORD});
    let reused = server.post_with("/v1/registrations", &headers, &other).await;
    reused.expect_problem(422, "idempotency_key_reused");
    server.message("minji@example.com").await;
    sign_up(&server, "last@example.com").await;
    server.message("last@example.com").await;
    let inbox = server.get("/dev/inbox/messages").await.expect(200).json();
    assert_eq!(inbox["messages"].as_array().map(Vec::len), Some(2), "{inbox}");
}

#[tokio::test]
async fn a_service_that_reveals_taken_contacts_answers_409_at_once() {
    let server = ServerOptions::default().with("REGISTRATION__REVEAL_TAKEN", "true").start().await;
    complete_sign_up(&server, "minji-revealed@example.com").await;
    let body = json!({"email": "Minji-Revealed@example.com", "password": PASSWORD});
    server.post("/v1/registrations", &body).await.expect_problem(409, "contact_taken");
    sign_up(&server, "another-revealed@example.com").await;
    assert_eq!(server.messages("minji-revealed@example.com", 1).await.len(), 1, "nobody is told");
}

/// An answer as it came, but for ids, times and the secret of whoever asked.
fn as_it_came(answer: &mapae_e2e::Answer) -> (u16, Vec<(String, String)>, String) {
    let mut headers: Vec<_> = answer
        .headers
        .iter()
        .filter(|(name, _)| !["date", "x-request-id"].contains(&name.as_str()))
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or("?").to_owned()))
        .collect();
    headers.sort();
    let mut body = answer.body.clone();
    let json = answer.json();
    let verification = match json["verifications"].get(0) {
        Some(verification) => verification,
        None => &json,
    };
    let differ = ["id", "expires_at", "resend_at"].map(|member| &verification[member]);
    for value in differ.into_iter().chain([&json["id"], &json["registration_token"]]) {
        if let Some(value) = value.as_str() {
            body = body.replace(value, &"x".repeat(value.len()));
        }
    }
    (answer.status.as_u16(), headers, body)
}

#[tokio::test]
async fn a_sign_up_and_its_resends_are_answered_byte_for_byte_alike() {
    let server = ServerOptions::default()
        .with("VERIFICATION__RESEND_AFTER", "1s")
        .with("VERIFICATION__SENDS", "2")
        .start()
        .await;
    // Two addresses that are shown alike.
    let (owner, nobody) = ("minji@example.com", "mihee@example.com");
    complete_sign_up(&server, owner).await;
    let (known, unknown) = (sign_up(&server, owner).await, sign_up(&server, nobody).await);
    assert_eq!(as_it_came(&known), as_it_came(&unknown));
    let resend = async |registration: &mapae_e2e::Answer| {
        let path = format!("/v1/verifications/{}/resend", first_verification(registration));
        server.post(&path, &json!({})).await
    };
    let mut statuses = Vec::new();
    for wait in [1_100, 0, 1_100] {
        tokio::time::sleep(std::time::Duration::from_millis(wait)).await;
        let (known, unknown) = (resend(&known).await, resend(&unknown).await);
        statuses.push(known.status.as_u16());
        assert_eq!(as_it_came(&known), as_it_came(&unknown));
    }
    assert_eq!(statuses, [202, 429, 429], "sent again, too early, and often enough");
    let shown = async |registration: &mapae_e2e::Answer| {
        server.get(&format!("/v1/verifications/{}", first_verification(registration))).await
    };
    // The first message of both is sent by now, and the second may be under way.
    let without_delivery = |answer: &mapae_e2e::Answer| {
        let mut json = answer.json();
        for member in ["delivery", "id", "expires_at", "resend_at"] {
            json[member].take();
        }
        json
    };
    let (known, unknown) = (shown(&known).await, shown(&unknown).await);
    assert_eq!(without_delivery(&known), without_delivery(&unknown));
}
