//! Files that are made, kept, and compared.

use std::fs;

use crate::{Failure, root};

/// Writes a file of the workspace.
pub(crate) fn write(path: &str, content: &str) -> Result<(), Failure> {
    let path = root().join(path);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, content)?;
    Ok(())
}

/// Sees that a file of the workspace is what would be written.
pub(crate) fn check(path: &str, content: &str, chore: &str) -> Result<(), Failure> {
    let kept = fs::read_to_string(root().join(path)).unwrap_or_default();
    if kept == content {
        return Ok(());
    }
    let kept: Vec<&str> = kept.lines().collect();
    let made: Vec<&str> = content.lines().collect();
    let gone = kept.iter().filter(|line| !made.contains(line)).map(|line| format!("- {line}"));
    let new = made.iter().filter(|line| !kept.contains(line)).map(|line| format!("+ {line}"));
    let differences: Vec<String> = gone.chain(new).take(20).collect();
    Err(format!("{path} is out of date ({chore}):\n{}", differences.join("\n")).into())
}
