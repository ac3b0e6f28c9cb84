//! Runs the scripts that start servers.

use std::process::{Command, Output};

use anyhow::{Context, bail};

/// A script, by its path in the repository.
#[derive(Clone, Copy)]
pub(super) struct Script(pub(super) &'static str);

impl Script {
    /// Standard output of the script; an error with its messages if it fails.
    pub(super) fn stdout(self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = self.run(arguments)?;
        if !output.status.success() {
            bail!(
                "{} {}: {}",
                self.0,
                arguments.join(" "),
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Runs the script to its end.
    pub(super) fn run(self, arguments: &[&str]) -> anyhow::Result<Output> {
        Command::new("bash")
            .arg(self.0)
            .args(arguments)
            .output()
            .with_context(|| format!("start {}", self.0))
    }
}
