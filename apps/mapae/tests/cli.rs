//! The command line, by the binary itself.
#![expect(clippy::expect_used, reason = "test code: what fails here fails a test")]

use std::process::{Command, Output};

fn mapae(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mapae"));
    command.args(arguments).output().expect("a process")
}

#[test]
fn help_names_every_command() {
    let output = mapae(&["--help"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success());
    for command in ["serve", "migrate", "export", "import", "openapi", "--config"] {
        assert!(text.contains(command), "{command}: {text}");
    }
}

#[test]
fn an_unknown_command_is_refused_and_a_missing_file_is_named() {
    assert!(!mapae(&["nonsense"]).status.success());
    let output = mapae(&["serve", "--config", "nowhere.toml"]);
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("nowhere.toml"), "{text}");
}
