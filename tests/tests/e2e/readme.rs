use std::fs;

use mapae_e2e::{Server, has_program, workspace};
use tokio::process::Command;

/// The lines of the README's blocks that are marked as the walk.
fn walk() -> String {
    let readme = fs::read_to_string(workspace().join("README.md")).expect("the README");
    let mut lines = Vec::new();
    let mut inside = false;
    let mut walking = false;
    for line in readme.lines() {
        match line {
            "<!-- walk -->" => walking = true,
            "<!-- /walk -->" => walking = false,
            "```sh" if walking => inside = true,
            "```" => inside = false,
            line if inside => lines.push(line),
            _ => {}
        }
    }
    lines.join("\n")
}

#[tokio::test]
async fn the_readmes_walk_works_as_it_is_written() {
    if !has_program("curl").await {
        return;
    }
    let lines = walk();
    assert!(lines.lines().count() >= 10, "the walk was not found: {lines}");
    let server = Server::start().await;
    // `-e` as a reader would stop where something goes wrong; the lines themselves are untouched.
    let output = Command::new("bash")
        .args(["-eu", "-o", "pipefail", "-c", &lines])
        .env("MAPAE", server.origin())
        .current_dir(server.folder())
        .output()
        .await
        .expect("bash");
    let shown = format!(
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{shown}");
    for expected in
        ["\"status\":\"completed\"", "\"access_token\"", "\"email\":\"minji@example.com\"", "401"]
    {
        assert!(shown.replace(": ", ":").contains(expected), "{expected} is missing: {shown}");
    }
}
