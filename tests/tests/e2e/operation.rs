//! What an operator meets: the configuration, and starts that must not happen.

use std::fs;

use mapae_e2e::{Database, Server, ServerOptions};
use mapae_store_seaorm::scratch;
use mapae_testkit::machine::free_port;
use serde_json::json;

use crate::{PASSWORD, complete_sign_up, log_in};

const SECRET: &str = "pE2yE8nqvZ0mJ3b4x7sKQn1rW6tC9uHdLfGaYiOo5Vk=";

#[tokio::test]
async fn production_refuses_what_is_for_development() {
    let complete =
        [("MODE", "production"), ("PUBLIC_ORIGIN", "https://auth.example.com"), ("SECRET", SECRET)];
    let (_, _, error) = Server::run(&["serve"], &complete).await;
    assert!(error.contains("mail.senders names the inbox"), "{error}");
    let with_mail =
        [&complete[..], &[("MAIL__SENDERS", r#"["smtp"]"#), ("MAIL__FROM", "a@example.com")]]
            .concat();
    let (_, _, error) = Server::run(&["serve"], &with_mail).await;
    assert!(error.contains("sms.senders names the inbox"), "{error}");
    for (missing, named) in [(1, "public_origin"), (2, "secret")] {
        let mut settings = complete.to_vec();
        settings.remove(missing);
        let (ended_well, _, error) = Server::run(&["serve"], &settings).await;
        assert!(!ended_well && error.contains(named), "{error}");
    }
    let mut plain = complete.to_vec();
    plain[1].1 = "http://auth.example.com";
    let (_, _, error) = Server::run(&["serve"], &plain).await;
    assert!(error.contains("https://"), "{error}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_said_to_refuse_and_its_password_is_not_shown() {
    for scheme in ["postgres", "mysql"] {
        let url = format!("{scheme}://mapae:planted-value@127.0.0.1:{}/mapae", free_port());
        let (ended_well, _, error) = Server::run(&["serve"], &[("DATABASE__URL", &url)]).await;
        assert!(!ended_well && error.lines().count() == 1, "{error}");
        assert_eq!(error.matches("refused").count(), 1, "{error}");
        assert!(!error.contains("planted-value"), "{error}");
    }
}

#[tokio::test]
async fn a_wrong_setting_is_named_and_its_value_is_not_shown() {
    let table = [
        ("NONSENSE", "planted-value", "nonsense"),
        ("DATABASE__NONSENSE", "planted-value", "nonsense"),
        ("VERIFICATION__CODE_LENGTH", "3", "verification.code_length"),
        ("VERIFICATION__SMS_LIFETIME", "25h", "verification.sms_lifetime"),
        ("TOKENS__REUSE_WINDOW", "301s", "tokens.reuse_window"),
        ("TOKENS__ALGORITHM", "none", "tokens.algorithm"),
        ("PASSWORD__MIN_LENGTH", "4", "password.min_length"),
        ("REGISTRATION__DEFAULT_REGION", "Korea", "registration.default_region"),
        ("PUBLIC_ORIGIN", "https://auth.example.com/path", "public_origin"),
        ("PUBLIC_ORIGIN", "https://user@auth.example.com", "public_origin"),
        ("SECRET", "planted-value", "secret"),
        ("SECRET", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "secret"),
        ("SECRET_FILE", "/nonexistent", "MAPAE_SECRET_FILE"),
        ("LOG__LEVEL", "mapae=planted-value", "log.level"),
        ("DATABASE__URL", "oracle://planted-value", "database.url"),
        ("REDIS__URL", "http://planted-value", "redis.url"),
        ("DATABASE__TIMEOUT", "0s", "database.timeout"),
        ("DATABASE__TIMEOUT", "61s", "database.timeout"),
    ];
    for (variable, value, named) in table {
        let (ended_well, _, error) = Server::run(&["serve"], &[(variable, value)]).await;
        assert!(!ended_well, "{variable}={value} was accepted");
        assert!(error.contains(named), "{variable}={value}: {error}");
        assert!(!error.contains("planted-value"), "{variable}: {error}");
    }
}

#[tokio::test]
async fn settings_come_from_a_file_and_variables_come_before_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let file = folder.join("custom.toml");
    fs::write(
        &file,
        "mode = \"development\"\n[verification]\ncode_length = 8\n[messages]\nservice_name = \"마패\"\n[tokens]\nissuer = \"https://auth.example.com\"\n",
    )
    .expect("a file");
    let secret = folder.join("secret");
    fs::write(&secret, format!("{SECRET}\n")).expect("a file");
    let server = ServerOptions::default()
        .with("CONFIG", file.to_str().expect("a path"))
        .with("SECRET_FILE", secret.to_str().expect("a path"))
        .with("VERIFICATION__CODE_LENGTH", "7")
        .start()
        .await;
    let body = json!({"channel": "email", "to": "minji@example.com", "locale": "ko"});
    let verification = server.post("/v1/verifications", &body).await.expect(202).json();
    assert_eq!(verification["code_length"], 7);
    let message = server.message("minji@example.com").await;
    assert_eq!(message.code().len(), 7);
    assert!(message.subject().contains("마패"), "{}", message.subject());
}

#[tokio::test]
async fn what_is_kept_on_disk_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let server = Server::start().await;
    complete_sign_up(&server, "minji@example.com").await;
    let files: &[&str] =
        if Database::is_a_file() { &["mapae.db", "mapae.secret"] } else { &["mapae.secret"] };
    for file in files {
        let path = server.folder().join("data").join(file);
        let mode = fs::metadata(&path).expect("the file").permissions().mode();
        assert_eq!(mode & 0o077, 0, "{file} has mode {mode:o}");
    }
}

#[tokio::test]
async fn keys_that_were_sealed_under_another_secret_stop_the_start() {
    let server = Server::start().await;
    complete_sign_up(&server, "minji@example.com").await;
    log_in(&server, "minji@example.com", PASSWORD).await.expect(200);
    let url = server.database_url();
    let (ended_well, _, error) =
        Server::run(&["serve"], &[("DATABASE__URL", &url), ("SECRET", SECRET)]).await;
    assert!(!ended_well && error.contains("another server secret"), "{error}");
}

#[tokio::test]
async fn migrate_brings_a_new_database_to_the_schema_and_a_second_time_does_nothing() {
    let (ended_well, _, error) = Server::run(&["migrate"], &[]).await;
    assert!(ended_well, "{error}");
    let server = Server::start().await;
    let url = server.database_url();
    let (ended_well, _, error) = Server::run(&["migrate"], &[("DATABASE__URL", &url)]).await;
    assert!(ended_well, "{error}");
    server.get("/readyz").await.expect(200);
}

#[tokio::test]
async fn the_inbox_is_read_filtered_and_emptied() {
    let server = Server::start().await;
    for (channel, to) in
        [("email", "one@example.com"), ("email", "two@example.com"), ("sms", "010-1234-5678")]
    {
        let body = json!({"channel": channel, "to": to});
        server.post("/v1/verifications", &body).await.expect(202);
        server.message(to).await;
    }
    let all = server.get("/dev/inbox/messages").await.expect(200).json();
    let to: Vec<_> =
        all["messages"].as_array().expect("messages").iter().map(|m| m["to"].clone()).collect();
    assert_eq!(to, ["+821012345678", "two@example.com", "one@example.com"], "newest first");
    let page = server.get("/dev/inbox").await.expect(200).body;
    for message in all["messages"].as_array().expect("messages") {
        assert!(page.contains(message["code"].as_str().expect("a code")), "{page}");
        if message["channel"] == "email" {
            let id = message["id"].as_str().expect("an id");
            let html = server.get(&format!("/dev/inbox/messages/{id}/html")).await.expect(200);
            assert!(html.body.contains(message["code"].as_str().expect("a code")));
        }
    }
    let delete = |path: &'static str| server.send(reqwest::Method::DELETE, path, &[], None);
    delete("/dev/inbox/messages?to=One@Example.com").await.expect(204);
    let left = server.get("/dev/inbox/messages").await.expect(200).json();
    assert_eq!(left["messages"].as_array().map(Vec::len), Some(2));
    delete("/dev/inbox/messages").await.expect(204);
    let left = server.get("/dev/inbox/messages").await.expect(200).json();
    assert_eq!(left["messages"], json!([]));
    let refused = server.get("/dev/inbox/messages?to=nonsense").await;
    refused.expect_problem(400, "validation_failed");
}

/// Every setting by its name: `mail.smtp.host`.
fn settings_of(config: &serde_json::Value, prefix: &str, found: &mut Vec<String>) {
    for (key, value) in config.as_object().expect("a table") {
        let name = format!("{prefix}{key}");
        match value {
            serde_json::Value::Object(_) => settings_of(value, &format!("{name}."), found),
            _ => found.push(name),
        }
    }
}

#[tokio::test]
async fn every_setting_is_in_the_documents_of_both_languages() {
    let (ended_well, config, _) = Server::run(&["config"], &[]).await;
    assert!(ended_well);
    let config = serde_json::from_str(&config).expect("JSON");
    let mut settings = Vec::new();
    settings_of(&config, "", &mut settings);
    assert!(settings.len() > 50, "{} settings", settings.len());
    for language in ["configuration.md", "configuration.ko.md"] {
        let document = mapae_e2e::workspace().join("docs/operations").join(language);
        let document = fs::read_to_string(document).expect("the document");
        for setting in &settings {
            // A row can name several settings of one table: `.channel`.
            let last = setting.rsplit('.').next().unwrap_or_default();
            let named = [format!("`{setting}`"), format!("`.{last}`")];
            let found = named.iter().any(|name| document.contains(name));
            assert!(found, "{language} does not name {setting}");
        }
    }
}

#[tokio::test]
async fn a_schema_that_is_not_brought_up_by_itself_is_refused_until_it_is() {
    let server = Server::start().await;
    let url = server.database_url();
    let by_hand = [("DATABASE__URL", url.as_str()), ("DATABASE__MIGRATE", "false")];
    let (ended_well, keys, error) = Server::run(&["key", "list"], &by_hand).await;
    assert!(!ended_well || !keys.is_empty(), "{error}");
    assert!(!error.contains("steps behind"), "{error}");
    let (ended_well, _, error) = Server::run(&["key", "list"], &by_hand[1..]).await;
    assert!(
        !ended_well && error.contains("steps behind this release: run mapae migrate"),
        "{error}"
    );
}

/// A command of a newer release, run beside those that serve.
#[tokio::test]
async fn a_command_makes_a_new_database_and_leaves_the_schema_of_an_older_release_alone() {
    let server = Server::start().await;
    let (url, stopped) = (server.database_url(), server.stop().await);
    let forget = "DELETE FROM seaql_migrations WHERE version LIKE '%_locks'";
    scratch::execute(&url, forget).await.expect("an older release");
    let (ended_well, _, error) = stopped.run(&["key", "list"]).await;
    assert!(!ended_well && error.contains("1 steps behind this release"), "{error}");
    let count = "SELECT COUNT(*) FROM seaql_migrations WHERE version LIKE '%_locks'";
    assert_eq!(scratch::number(&url, count).await.expect("an answer"), 0);
    let (ended_well, _, error) = stopped.on_an_empty_database().await.run(&["key", "list"]).await;
    assert!(ended_well, "{error}");
}

/// On the way back from an upgrade, or where a process dies in its midst.
#[tokio::test]
async fn a_release_starts_on_a_schema_that_a_newer_one_has_added_to() {
    let server = Server::start().await;
    complete_sign_up(&server, "early@example.com").await;
    let (url, stopped) = (server.database_url(), server.stop().await);
    for added in [
        "ALTER TABLE users ADD COLUMN later INTEGER NOT NULL DEFAULT 1",
        "CREATE TABLE later (id INTEGER NOT NULL PRIMARY KEY)",
        "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m2099_later_expand', 0)",
    ] {
        scratch::execute(&url, added).await.expect("an addition");
    }
    let server = stopped.start().await;
    complete_sign_up(&server, "late@example.com").await;
    for person in ["early@example.com", "late@example.com"] {
        log_in(&server, person, PASSWORD).await.expect(200);
    }
    let (_, doctor, _) = server.run_beside(&["doctor"]).await;
    assert!(doctor.contains("1 steps ahead, from m2099_later_expand on"), "{doctor}");
    let (ended_well, exported, error) = server.run_beside(&["export"]).await;
    assert!(!ended_well && exported.is_empty(), "{exported}");
    assert!(error.contains("m2099_later_expand is not known to this one"), "{error}");
    let log = server.log();
    assert!(log.contains("a newer release has added to the database's schema"), "{log}");
}
