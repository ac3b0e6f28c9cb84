//! Commands with a time limit: a mutant may make a test or a simulation wait for ever.

use std::os::unix::process::CommandExt as _;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use anyhow::Context;

/// Output of a command; none if it had not ended in time and was killed, with all that it started.
pub(super) fn output_within(
    command: &mut Command,
    limit: Duration,
) -> anyhow::Result<Option<Output>> {
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .context("start a command")?;
    let group = format!("-{}", child.id());
    let (sender, ended) = channel();
    thread::spawn(move || {
        // The receiver waits until it has the output.
        let _ = sender.send(child.wait_with_output());
    });
    if let Ok(output) = ended.recv_timeout(limit) {
        return Ok(Some(output.context("wait for a command")?));
    }
    let killed = Command::new("kill").args(["-KILL", "--", &group]).status();
    killed.context("kill a command that does not end")?;
    ended
        .recv()
        .context("the wait for a command ended")?
        .context("wait for a killed command")?;
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(script: &str, limit: Duration, expected: Option<&str>) {
        let mut command = Command::new("sh");
        let output = output_within(command.args(["-c", script]), limit).expect("a shell runs");
        let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        assert_eq!(text.as_deref(), expected, "{script}");
    }

    #[test]
    fn a_command_that_does_not_end_is_killed_with_its_children() {
        let minute = Duration::from_secs(60);
        check("echo done", minute, Some("done\n"));
        // The pipe stays open for as long as any of the three processes lives.
        check(
            "sleep 600 & sleep 600 & wait",
            Duration::from_millis(50),
            None,
        );
    }
}
