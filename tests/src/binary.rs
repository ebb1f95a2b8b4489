use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::SystemTime;

/// The root of the workspace.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace's root")
}

/// The binary under test: the one that `MAPAE_E2E_BIN` names, else the one of this build, which is
/// built first where it is missing or older than what it is made of.
pub fn server_binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(named) = std::env::var_os("MAPAE_E2E_BIN") {
            return named.into();
        }
        let test = std::env::current_exe().expect("the test's own path");
        // target/<profile>/deps/e2e-… → target/<profile>/mapae
        let profile = test.parent().and_then(Path::parent).expect("a profile's folder");
        let binary = profile.join("mapae");
        if !is_newer_than_its_sources(&binary) {
            let mut build = cargo();
            build.current_dir(workspace()).args(["build", "--package", "mapae"]);
            if profile.ends_with("release") {
                build.arg("--release");
            }
            let built = build.status().expect("cargo can be started");
            assert!(built.success(), "the binary under test cannot be built");
        }
        binary
    })
}

/// Cargo, as whoever runs the tests has it. What it tells the tests of their own package it would take for a
/// change: crates whose build looks at such a variable would be built anew, and by the next command again.
fn cargo() -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    for (name, _) in std::env::vars_os() {
        let is_of_the_package = name.to_str().is_some_and(|name| {
            ["CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_CRATE_"].iter().any(|of| name.starts_with(of))
        });
        if is_of_the_package {
            cargo.env_remove(name);
        }
    }
    cargo
}

/// An example of a crate, as this build has made it, or built now.
///
/// # Panics
/// Where it cannot be built.
pub fn example_binary(package: &str, example: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the test's own path");
    let profile = test.parent().and_then(Path::parent).expect("a profile's folder");
    let binary = profile.join("examples").join(example);
    // Built already where all of the workspace is tested; then this does nothing.
    let mut build = cargo();
    build.current_dir(workspace()).args(["build", "--quiet", "--package", package]);
    build.args(["--features", "poem", "--example", example]);
    if profile.ends_with("release") {
        build.arg("--release");
    }
    let built = build.status().expect("cargo can be started");
    assert!(built.success() && binary.is_file(), "the example cannot be built");
    binary
}

fn is_newer_than_its_sources(binary: &Path) -> bool {
    let Ok(built) = binary.metadata().and_then(|metadata| metadata.modified()) else {
        return false;
    };
    let root = workspace();
    ["Cargo.toml", "Cargo.lock", "apps/mapae", "crates", "migrations"]
        .iter()
        .all(|source| newest(&root.join(source)).is_some_and(|changed| changed <= built))
}

/// When the newest file under `path` was changed. Tests and what is read at run time do not count.
fn newest(path: &Path) -> Option<SystemTime> {
    let metadata = path.metadata().ok()?;
    if !metadata.is_dir() {
        return metadata.modified().ok();
    }
    let entries = path.read_dir().ok()?.filter_map(Result::ok);
    entries
        .filter(|entry| {
            !matches!(
                entry.file_name().to_str(),
                Some("tests" | "mapae-testkit" | "benches" | "examples")
            )
        })
        .filter_map(|entry| newest(&entry.path()))
        .max()
        .or(Some(SystemTime::UNIX_EPOCH))
}
