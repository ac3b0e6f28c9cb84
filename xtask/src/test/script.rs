//! The scripts that start servers, seen from the test command.

use std::process::{Command, Output};

use anyhow::{Context, bail};

/// A script of ours, by its path in the repository.
#[derive(Clone, Copy)]
pub(super) struct Script(pub(super) &'static str);

impl Script {
    /// What it prints; an error with what it complains of when it fails.
    pub(super) fn said(self, arguments: &[&str]) -> anyhow::Result<String> {
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

    /// Runs it to its end.
    pub(super) fn run(self, arguments: &[&str]) -> anyhow::Result<Output> {
        Command::new("bash")
            .arg(self.0)
            .args(arguments)
            .output()
            .with_context(|| format!("start {}", self.0))
    }
}
