//! A small disk, which can be filled up without harm to anybody.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Failure;

/// A disk in memory, taken away when it is dropped.
pub(crate) struct Tmpfs(PathBuf);

impl Tmpfs {
    /// Lays one of so many MiB over a folder.
    pub(crate) fn mount(folder: &Path, mib: u32) -> Result<Self, Failure> {
        let size = format!("size={mib}m,mode=755");
        let mut mount = Command::new("mount");
        let done = mount.args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder).output()?;
        if !done.status.success() {
            let why = String::from_utf8_lossy(&done.stderr).into_owned();
            return Err(format!("a small disk needs the right to mount one: {why}").into());
        }
        Ok(Self(folder.to_owned()))
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        // Lazily: a process that was killed a moment ago may hold a file yet.
        let taken = Command::new("umount").arg("--lazy").arg(&self.0).status();
        if !taken.is_ok_and(|status| status.success()) {
            eprintln!("a disk in memory is left over at {}", self.0.display());
        }
    }
}
