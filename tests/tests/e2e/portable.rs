//! An installation moves to another database, and nobody notices; a backup is brought back.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use mapae_e2e::{Database, Server, ServerOptions, Stopped};
use serde_json::{Value, json};

use crate::{PASSWORD, check, complete_sign_up, first_verification, log_in};

const SECRET: &str = "9f2c41d07be6a853164f0d9ab7c2e85530b1f6487a9dce215e83740b6fda19c2";
const OTHER_SECRET: &str = "0b1c2d3e4f5061728394a5b6c7d8e9fa0b2c4d6e8fa1b3c5d7e9f0a2b4c6d8ea";
const MINJI: &str = "minji@example.com";
const PHONE: &str = "010-1234-5678";

/// What a server that may move is started with: what its tokens and messages say is not its port's.
fn options() -> ServerOptions {
    ServerOptions::default()
        .with("SECRET", SECRET)
        .with("PUBLIC_ORIGIN", "http://localhost:18081")
        .with("REGISTRATION__REQUIRE", r#"["email", "phone"]"#)
}

/// What people had in their hands when the server stopped.
struct Held {
    access: String,
    refresh: String,
    /// A verification with the code that was used for it.
    used: (String, String),
    /// A verification with a code that was not used yet.
    pending: (String, String),
    /// A verification whose message had not been sent yet.
    queued: String,
}

async fn begin(server: &Server, to: &str) -> String {
    let body = json!({"channel": "email", "to": to});
    server.post("/v1/verifications", &body).await.expect(202).text("id")
}

/// A server on a file that somebody has lived with, stopped.
async fn lived_in() -> (Stopped, Held) {
    let server = options().without_worker().start_on_a_file().await;
    let worker = server.start_worker();
    let registration = server
        .post(
            "/v1/registrations",
            &json!({
                "email": MINJI, "phone": PHONE, "username": "minji", "password": PASSWORD,
                "nickname": "민지 😀", "locale": "ko",
                "consents": [{"document": "terms", "version": "1", "accepted": true}],
            }),
        )
        .await
        .expect(202);
    let mut used = (first_verification(&registration), String::new());
    for verification in registration.json()["verifications"].as_array().expect("two") {
        let to = if verification["channel"] == "email" { MINJI } else { PHONE };
        let (id, code) =
            (verification["id"].as_str().expect("an id"), server.message(to).await.code());
        check(&server, id, &code).await.expect(200);
        if id == used.0 {
            used.1 = code;
        }
    }
    let pair = log_in(&server, "minji", PASSWORD).await.expect(200);
    let pending = begin(&server, "pending@example.com").await;
    let pending = (pending, server.message("pending@example.com").await.code());
    worker.kill().await;
    let queued = begin(&server, "queued@example.com").await;
    let (access, refresh) = (pair.text("access_token"), pair.text("refresh_token"));
    (server.stop().await, Held { access, refresh, used, pending, queued })
}

/// Sees that everything that was good before is so now, and what was not is not.
async fn goes_on(server: &Server, held: &Held) {
    let me = server.get_as("/v1/me", &held.access).await.expect(200).json();
    assert_eq!((&me["email"], &me["nickname"]), (&json!(MINJI), &json!("민지 😀")));
    assert_eq!(me["phone"], "+821012345678");
    let body = json!({"token": held.access});
    server.post("/v1/tokens/verify", &body).await.expect(200);
    let body = json!({"refresh_token": held.refresh});
    server.post("/v1/tokens/refresh", &body).await.expect(200);
    for login in ["minji", MINJI, PHONE] {
        log_in(server, login, PASSWORD).await.expect(200);
    }
    log_in(server, "minji", "another password").await.expect_problem(401, "invalid_credentials");
    let (id, code) = &held.used;
    check(server, id, code).await.expect_problem(409, "already_verified");
    let (id, code) = &held.pending;
    check(server, id, code).await.expect(200);
    check(server, id, code).await.expect_problem(409, "already_verified");
    let code = server.message("queued@example.com").await.code();
    check(server, &held.queued, &code).await.expect(200);
    let kept = server.get_as("/v1/me/export", &held.access).await.expect(200).json();
    assert!(kept["consents"].as_array().is_some_and(|consents| !consents.is_empty()), "{kept}");
}

#[tokio::test]
async fn an_installation_moves_to_another_database_and_nobody_notices() {
    let (stopped, held) = lived_in().await;
    let (ended_well, printed, said) = stopped.run(&["export", "--output", "mapae.jsonl"]).await;
    assert!(ended_well && printed.is_empty(), "{said}");
    assert!(said.contains("secret"), "{said}");
    let file = stopped.folder().join("mapae.jsonl");
    let mode = fs::metadata(&file).expect("the file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // What is secret is in it as it is in the database: hashed, or sealed.
    let text = fs::read_to_string(&file).expect("the file");
    for secret in [PASSWORD, SECRET, &held.access, &held.refresh] {
        assert!(!text.contains(secret), "a secret is in the file");
    }

    let moved = stopped.clone().on_an_empty_database().await;
    let (ended_well, _, said) = moved.run(&["import", "mapae.jsonl", "--dry-run"]).await;
    assert!(ended_well && said.contains("nothing was"), "{said}");
    let (ended_well, tables, said) = moved.run(&["import", "mapae.jsonl"]).await;
    assert!(ended_well, "{said}");
    assert!(tables.lines().any(|line| line == "users\t1"), "{tables}");
    // From there it moves on as well as it came.
    let (ended_well, again, said) = moved.run(&["export"]).await;
    assert!(ended_well, "{said}");
    assert_eq!(again.lines().count(), text.lines().count());

    // What was queued is sent from there.
    let server = moved.with_worker().start().await;
    goes_on(&server, &held).await;
    // New accounts and keys are made beside those that came.
    complete_sign_up_with_phone(&server).await;
    let (ended_well, keys, said) = server.run_beside(&["key", "list"]).await;
    assert!(ended_well && keys.lines().count() == 1, "{keys} {said}");
}

async fn complete_sign_up_with_phone(server: &Server) {
    let (email, phone) = ("jihun@example.com", "010-8765-4321");
    let body = json!({"email": email, "phone": phone, "password": PASSWORD});
    let registration = server.post("/v1/registrations", &body).await.expect(202).json();
    for verification in registration["verifications"].as_array().expect("two") {
        let to = if verification["channel"] == "email" { email } else { phone };
        let code = server.message(to).await.code();
        check(server, verification["id"].as_str().expect("an id"), &code).await.expect(200);
    }
    log_in(server, email, PASSWORD).await.expect(200);
}

/// Runs a command that must fail, and gives what it said last.
async fn refused(stopped: &Stopped, arguments: &[&str]) -> String {
    let (ended_well, _, said) = stopped.run(arguments).await;
    assert!(!ended_well, "{arguments:?} was done: {said}");
    let last = said.lines().last().expect("a last word").to_owned();
    assert!(last.starts_with("mapae: ") && !last.contains(MINJI), "{said}");
    last
}

#[tokio::test]
async fn what_cannot_be_exported_or_imported_is_refused_by_a_clear_line() {
    let (stopped, _) = lived_in().await;
    let export = ["export", "--output", "mapae.jsonl"];
    assert!(stopped.run(&export).await.0);
    let file = stopped.folder().join("mapae.jsonl");
    let before = fs::read(&file).expect("the file");
    assert!(refused(&stopped, &export).await.contains("not overwritten"));
    assert_eq!(fs::read(&file).expect("the file"), before);
    refused(&stopped, &["export", "--output", "nowhere/mapae.jsonl"]).await;

    let import = ["import", "mapae.jsonl"];
    assert!(refused(&stopped, &import).await.contains("the database is not empty"));
    let moved = stopped.on_an_empty_database().await;
    assert!(refused(&moved, &["import", "nowhere.jsonl"]).await.contains("nowhere.jsonl"));
    let other = moved.clone().with("SECRET", OTHER_SECRET);
    assert!(refused(&other, &import).await.contains("another secret"));
    let half = &before[..before.len() / 2];
    fs::write(moved.folder().join("half.jsonl"), half).expect("half a file");
    let said = refused(&moved, &["import", "half.jsonl"]).await;
    assert!(said.contains("the file ends after line"), "{said}");
    let text = String::from_utf8(before).expect("UTF-8");
    let other = text.replacen("\"version\":1", "\"version\":7", 1);
    fs::write(moved.folder().join("version.jsonl"), other).expect("another file");
    let said = refused(&moved, &["import", "version.jsonl"]).await;
    assert!(said.contains("run the release that wrote it"), "{said}");
    // Somebody who may do anything, planted among the rows.
    let altered = text.replacen("\"roles\":\"\"", "\"roles\":\"admin\"", 1);
    assert_ne!(altered, text);
    fs::write(moved.folder().join("altered.jsonl"), altered).expect("another file");
    assert!(refused(&moved, &["import", "altered.jsonl"]).await.contains("altered"));
    // After all of that the database is as empty as it was.
    let (ended_well, _, said) = moved.run(&import).await;
    assert!(ended_well, "{said}");
    // One that was served on once is somebody's.
    let served = moved.on_an_empty_database().await.start().await.stop().await;
    assert!(refused(&served, &import).await.contains("signing_keys has rows"));
}

#[tokio::test]
async fn a_copy_of_the_file_that_was_made_while_it_was_served_is_served() {
    if !Database::is_a_file() {
        return;
    }
    let server = ServerOptions::default().with("SECRET", SECRET).start().await;
    complete_sign_up(&server, MINJI).await;
    let pair = log_in(&server, MINJI, PASSWORD).await.expect(200);
    let copy = server.folder().join("copy.db");
    mapae_store_seaorm::scratch::vacuum_into(&server.database_url(), &copy).await.expect("a copy");
    let stopped = server.stop().await;
    let restored = stopped.folder().join("restored.db");
    fs::rename(&copy, &restored).expect("its place");
    let server = stopped.with("DATABASE__URL", &format!("sqlite://{}", restored.display()));
    let server = server.start().await;
    log_in(&server, MINJI, PASSWORD).await.expect(200);
    let body: Value = json!({"refresh_token": pair.text("refresh_token")});
    server.post("/v1/tokens/refresh", &body).await.expect(200);
}
