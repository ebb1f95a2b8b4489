//! The arrows between the workspace's crates, as they are kept in `docs/edges.txt`.

use std::collections::{BTreeSet, HashSet};
use std::process::Command;

use serde_json::Value;

use crate::{Failure, golden, root};

const PATH: &str = "docs/edges.txt";

/// Every arrow, one a line: `mapae-http -> mapae-application`, with `(dev)` behind those that only
/// tests need.
fn edges() -> Result<String, Failure> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .current_dir(root())
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let none = Vec::new();
    let packages = metadata["packages"].as_array().unwrap_or(&none);
    let members: HashSet<&str> =
        packages.iter().filter_map(|package| package["name"].as_str()).collect();
    let mut lines = BTreeSet::new();
    for package in packages {
        let from = package["name"].as_str().unwrap_or_default();
        for dependency in package["dependencies"].as_array().unwrap_or(&none) {
            let to = dependency["name"].as_str().unwrap_or_default();
            if members.contains(to) {
                let kind = if dependency["kind"].is_null() { "" } else { " (dev)" };
                lines.insert(format!("{from} -> {to}{kind}"));
            }
        }
    }
    Ok(lines.into_iter().map(|line| line + "\n").collect())
}

pub(crate) fn write() -> Result<(), Failure> {
    golden::write(PATH, &edges()?)
}

pub(crate) fn check() -> Result<(), Failure> {
    golden::check(PATH, &edges()?, "cargo xtask deps; a new arrow is a decision")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspaces_arrows_are_those_that_were_decided() {
        if let Err(error) = check() {
            panic!("{error}");
        }
    }

    #[test]
    fn arrows_point_down_only() {
        let edges = edges().expect("the workspace's metadata");
        let is_adapter = |name: &str| {
            [
                "mapae-store-",
                "mapae-mail-",
                "mapae-sms-",
                "mapae-token-jwt",
                "mapae-password-",
                "mapae-limit-",
                "mapae-wake-",
                "mapae-messages",
                "mapae-system",
            ]
            .iter()
            .any(|prefix| name.starts_with(prefix))
        };
        for line in edges.lines().filter(|line| !line.ends_with("(dev)")) {
            let (from, to) = line.split_once(" -> ").expect("an arrow");
            assert_ne!(from, "mapae-token-claims", "it goes into other services: {line}");
            if from == "mapae-guard" {
                assert_eq!(to, "mapae-token-claims", "it goes into other services: {line}");
            }
            assert_ne!(from, "mapae-domain", "the domain knows nothing of the house: {line}");
            if from == "mapae-application" {
                assert_eq!(to, "mapae-domain", "{line}");
            }
            assert!(!(is_adapter(from) && is_adapter(to)), "adapters know no other: {line}");
            assert!(!(from == "mapae-http" && is_adapter(to)), "HTTP knows no adapter: {line}");
            // Neither is shipped, and one of them is nothing but tests.
            let may_test = ["xtask", "mapae-e2e"].contains(&from) || to != "mapae-testkit";
            assert!(may_test, "the testkit is for tests: {line}");
        }
    }

    #[test]
    fn a_guard_brings_no_more_than_sixty_crates() {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let tree = Command::new(cargo)
            .current_dir(root())
            .args(["tree", "--package", "mapae-guard", "--no-default-features"])
            .args(["--edges", "normal,build", "--prefix", "none", "--format", "{p}", "--offline"])
            .output()
            .expect("cargo tree");
        assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
        let tree = String::from_utf8(tree.stdout).expect("text");
        let crates: HashSet<&str> =
            tree.lines().map(|line| line.trim_end_matches(" (*)")).collect();
        assert!(crates.iter().any(|name| name.starts_with("ring ")), "{tree}");
        assert!(crates.len() <= 60, "{} crates", crates.len());
        let framework =
            crates.iter().find(|name| name.starts_with("poem ") || name.starts_with("tower"));
        assert_eq!(framework, None, "a framework without its feature");
    }

    /// The words in backticks of a document that are paths of the workspace, and the targets of its
    /// links.
    fn paths(document: &str) -> Vec<String> {
        let roots = ["crates/", "apps/", "docs/", "migrations/", "tests/", "mapae-", "e2e/"];
        let quoted = document.split('`').skip(1).step_by(2).filter(|word| {
            let is_path = roots.iter().any(|root| word.starts_with(root)) && word.contains('/');
            let is_test = word.starts_with("application/") && word.ends_with(".rs");
            // `<date>` and the like stand for something else.
            (is_path || is_test) && !word.contains(['<', ' '])
        });
        let linked = document.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        let linked = linked.filter(|target| !target.contains("://"));
        quoted.chain(linked).map(str::to_owned).collect()
    }

    /// The anchors of a document's headings, as forges make them: lower case, hyphens for blanks, and
    /// no punctuation.
    fn headings(document: &str) -> impl Iterator<Item = String> {
        let lines = document.lines().filter_map(|line| line.strip_prefix('#'));
        lines.map(|line| {
            let title = line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
            title.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect()
        })
    }

    #[test]
    fn every_path_that_the_documents_name_is_there() {
        let mut documents = vec![root().join("README.md"), root().join("CHANGELOG.md")];
        for folder in [
            "docs",
            "docs/adr",
            "docs/api",
            "docs/guides",
            "docs/operations",
            "docs/operations/senders",
        ] {
            let entries = root().join(folder).read_dir().expect("a folder").flatten();
            documents.extend(entries.map(|entry| entry.path()));
        }
        documents.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
        assert!(documents.len() > 12, "{} documents", documents.len());
        for document in documents {
            let text = std::fs::read_to_string(&document).expect("a document");
            let beside = document.parent().expect("a folder");
            for target in paths(&text) {
                let (path, heading) = target.split_once('#').unwrap_or((&target, ""));
                let known = [
                    // An anchor alone is one of the document's own.
                    if path.is_empty() { document.clone() } else { root().join(path) },
                    beside.join(path),
                    root().join("crates").join(path),
                    root().join("tests/tests").join(path),
                    root().join("crates/mapae-application/tests").join(path),
                ];
                let found = known.iter().find(|path| path.exists());
                let found = found.unwrap_or_else(|| panic!("{} names {path}", document.display()));
                if !heading.is_empty() {
                    let linked = std::fs::read_to_string(found).expect("a document");
                    let found = headings(&linked).any(|anchor| anchor == heading);
                    assert!(found, "{} links to {target}", document.display());
                }
            }
        }
    }
}
