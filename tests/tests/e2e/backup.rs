//! The commands of the guide save an installation while it is served, and bring it back.

use std::fs;
use std::path::Path;

use mapae_e2e::{Database, ServerOptions, has_program, workspace};
use mapae_store_seaorm::scratch;
use serde_json::json;
use tokio::process::Command;

use crate::{PASSWORD, complete_sign_up, log_in};

/// The commands under "Backup", block by block.
fn commands(guide: &str, section: &str) -> Vec<Vec<String>> {
    let guide = workspace().join("docs/operations").join(guide);
    let guide = fs::read_to_string(guide).expect("the guide");
    let section = guide.split("\n## ").find(|part| part.starts_with(section)).expect("a section");
    let blocks = section.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.map(|block| block.lines().map(str::to_owned).collect()).collect()
}

/// The ways to save this run's database, and what brings it back; none without its programs.
async fn guide() -> Option<(Vec<String>, String)> {
    let blocks = commands("databases.md", "Backup\n");
    assert_eq!(blocks, commands("databases.ko.md", "백업\n"), "the two guides differ");
    let [save_file, restore_file, postgres, mariadb] = blocks.try_into().expect("four blocks");
    let (programs, ways, back) = match Database::of_this_run() {
        Database::Sqlite => (&["sqlite3"][..], save_file, restore_file.join("\n")),
        Database::Postgres => (
            &["pg_dump", "psql", "pg_restore"][..],
            vec![postgres[0].clone()],
            postgres[1..].join("\n"),
        ),
        Database::Mariadb => {
            (&["mariadb-dump", "mariadb"][..], vec![mariadb[0].clone()], mariadb[1..].join("\n"))
        }
    };
    for program in programs {
        if !has_program(program).await {
            return None;
        }
    }
    Some((ways, back))
}

/// Runs a command of the guide, as somebody whose database is the one at `url`.
async fn run(folder: &Path, url: &str, command: &str) {
    let mut words = url.split(['/', '@', ':']).skip(3);
    let mut word = || words.next().unwrap_or_default();
    let (user, host, port, name) = (word(), word(), word(), word());
    let client = format!("[client]\nprotocol=tcp\nuser={user}\nhost={host}\nport={port}\n");
    fs::write(folder.join(".my.cnf"), client).expect("the client's settings");
    // The guide's database is called so.
    let command = match Database::of_this_run() {
        Database::Mariadb => {
            let files = command.replace("mapae.sql", "saved.sql");
            files.replace("mapae", name)
        }
        _ => command.to_owned(),
    };
    let output = Command::new("bash")
        .args(["-eu", "-o", "pipefail", "-c", &command])
        .env("URL", url)
        .env("HOME", folder)
        .current_dir(folder)
        .output()
        .await
        .expect("bash");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{command}: {said}");
}

#[tokio::test]
async fn what_the_guide_saves_while_people_are_served_it_brings_back() {
    let Some((ways, back)) = guide().await else { return };
    let early = "early@example.com";
    for way in ways {
        let secret = "9f2c41d07be6a853164f0d9ab7c2e85530b1f6487a9dce215e83740b6fda19c2";
        let options = ServerOptions::default()
            .with("SECRET", secret)
            .with("PUBLIC_ORIGIN", "http://localhost:18082");
        let server = options.start().await;
        complete_sign_up(&server, early).await;
        let pair = log_in(&server, early, PASSWORD).await.expect(200);
        let (folder, url) = (server.folder(), server.database_url());
        run(&folder, &url, &way).await;
        complete_sign_up(&server, "late@example.com").await;
        let stopped = server.stop().await;
        // A later release has been there meanwhile.
        for later in [
            "CREATE TABLE of_a_later_release (id BIGINT PRIMARY KEY)",
            "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m2099_later', 0)",
        ] {
            scratch::execute(&url, later).await.expect("a later step");
        }
        run(&folder, &url, &back).await;
        let left = scratch::number(&url, "SELECT COUNT(*) FROM of_a_later_release").await;
        assert!(left.is_err(), "something of a later release is left");

        let server = stopped.start().await;
        server.get_as("/v1/me", &pair.text("access_token")).await.expect(200);
        let body = json!({"refresh_token": pair.text("refresh_token")});
        server.post("/v1/tokens/refresh", &body).await.expect(200);
        log_in(&server, early, PASSWORD).await.expect(200);
        // Who came after it was saved is not there, and can come again.
        let late = log_in(&server, "late@example.com", PASSWORD).await;
        late.expect_problem(401, "invalid_credentials");
        complete_sign_up(&server, "late@example.com").await;
    }
}
