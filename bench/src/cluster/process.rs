//! One process: started, killed, restarted, with a log of its own.

use std::fs::OpenOptions;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use anyhow::Context;

/// Description of the start of a [`Process`].
#[derive(Debug, Clone)]
pub struct Launch {
    /// Name of the process; the log is `<name>.log`.
    pub name: String,
    /// Path of the program.
    pub program: PathBuf,
    /// Command-line arguments.
    pub arguments: Vec<String>,
    /// Environment variables besides `PATH`.
    pub variables: Vec<(String, String)>,
    /// Working folder, which also holds the log.
    pub folder: PathBuf,
}

/// A process that may be running. It is killed on drop.
#[derive(Debug)]
pub struct Process {
    launch: Launch,
    child: Option<Child>,
}

impl Process {
    /// Starts the process.
    pub fn start(launch: Launch) -> anyhow::Result<Self> {
        let mut process = Self {
            launch,
            child: None,
        };
        process.restart(&[])?;
        Ok(process)
    }

    /// Restarts the process with additional variables.
    pub fn restart(&mut self, more: &[(&str, &str)]) -> anyhow::Result<()> {
        self.kill();
        let launch = &self.launch;
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log())
            .context("open a log")?;
        let mut command = command(launch);
        command
            .envs(more.iter().copied())
            .stdout(log.try_clone().context("share a log")?)
            .stderr(log);
        self.child =
            Some(command.spawn().with_context(|| {
                format!("start {} as {}", launch.program.display(), launch.name)
            })?);
        Ok(())
    }

    /// Name of the process.
    pub fn name(&self) -> &str {
        &self.launch.name
    }

    /// Process id while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Sends SIGKILL and waits for the exit.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // A process that has exited only leaves its status to fetch.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Sends SIGTERM and does not wait.
    pub fn terminate(&self) -> anyhow::Result<()> {
        self.signal("TERM")
    }

    /// Sends SIGSTOP: connections stay open and nothing runs.
    pub fn freeze(&self) -> anyhow::Result<()> {
        self.signal("STOP")
    }

    /// Sends SIGCONT.
    pub fn thaw(&self) -> anyhow::Result<()> {
        self.signal("CONT")
    }

    fn signal(&self, name: &str) -> anyhow::Result<()> {
        if let Some(pid) = self.pid() {
            let sent = Command::new("kill")
                .args([&format!("-{name}"), &pid.to_string()])
                .status()
                .context("send a signal")?;
            anyhow::ensure!(
                sent.success(),
                "{} could not be sent SIG{name}",
                self.launch.name
            );
        }
        Ok(())
    }

    /// Exit status, if the process exited by itself.
    pub fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        match &mut self.child {
            Some(child) => child
                .try_wait()
                .with_context(|| format!("look after {}", self.launch.name)),
            None => Ok(None),
        }
    }

    /// Output of all starts so far.
    pub fn output(&self) -> String {
        std::fs::read_to_string(self.log()).unwrap_or_default()
    }

    fn log(&self) -> PathBuf {
        self.launch.folder.join(format!("{}.log", self.launch.name))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Returns true if the process was killed by a signal.
pub fn was_killed(status: ExitStatus) -> bool {
    status.signal() == Some(9)
}

/// Runs a program to its end; returns its standard output, or all output as an error.
pub fn finish(launch: &Launch) -> anyhow::Result<String> {
    let output = command(launch)
        .output()
        .with_context(|| format!("start {}", launch.name))?;
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    anyhow::ensure!(
        output.status.success(),
        "{} failed: {}\n{out}{err}",
        launch.name,
        output.status
    );
    Ok(out.into_owned())
}

fn command(launch: &Launch) -> Command {
    let mut command = Command::new(&launch.program);
    command
        .args(&launch.arguments)
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin");
    command
        .env("HOME", home(&launch.folder))
        .envs(launch.variables.iter().map(|(name, value)| (name, value)));
    command.current_dir(&launch.folder).stdin(Stdio::null());
    command
}

/// A home folder for the process, so that no settings of this machine's user are read.
fn home(folder: &Path) -> &Path {
    folder
}
