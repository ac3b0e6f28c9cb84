//! One process: started, killed, started again, with a log of its own.

use std::fs::OpenOptions;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use anyhow::Context;

/// How a process is started.
#[derive(Debug, Clone)]
pub struct Launch {
    /// What it is called here; its log is `<name>.log`.
    pub name: String,
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Its whole environment besides `PATH`.
    pub variables: Vec<(String, String)>,
    /// The folder in which it runs and where its log lies.
    pub folder: PathBuf,
}

/// A process that may be running. It is killed when it is dropped.
#[derive(Debug)]
pub struct Process {
    launch: Launch,
    child: Option<Child>,
}

impl Process {
    /// Starts it.
    pub fn start(launch: Launch) -> anyhow::Result<Self> {
        let mut process = Self {
            launch,
            child: None,
        };
        process.again(&[])?;
        Ok(process)
    }

    /// Starts it once more, with further variables.
    pub fn again(&mut self, more: &[(&str, &str)]) -> anyhow::Result<()> {
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

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.launch.name
    }

    /// Its number while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// SIGKILL, and waits until it is gone.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may be gone already; then there is only its status to fetch.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// SIGTERM; it may take its time.
    pub fn terminate(&self) -> anyhow::Result<()> {
        self.signal("TERM")
    }

    /// SIGSTOP: it holds everything and does nothing.
    pub fn freeze(&self) -> anyhow::Result<()> {
        self.signal("STOP")
    }

    /// SIGCONT: it goes on as if nothing had been.
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

    /// How it ended, if it did by itself.
    pub fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        match &mut self.child {
            Some(child) => child
                .try_wait()
                .with_context(|| format!("look after {}", self.launch.name)),
            None => Ok(None),
        }
    }

    /// Everything that it said so far, of all its lives.
    pub fn said(&self) -> String {
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

/// Whether a process was killed, not ended.
pub fn was_killed(status: ExitStatus) -> bool {
    status.signal() == Some(9)
}

/// Runs a program to its end; what it said on standard output, or everything as an error.
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

/// A home of its own, so that nothing of this machine's user is read.
fn home(folder: &Path) -> &Path {
    folder
}
