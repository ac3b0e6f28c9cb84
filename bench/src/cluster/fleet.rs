//! The processes of a cluster: one configuration, many roles.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;

use super::ports;
use super::process::{self, Launch, Process};
use super::web::Web;
use crate::time::until;

/// Maximum time of [`Fleet::ready`].
const READY: Duration = Duration::from_secs(60);

/// Binary, configuration and folder with which a [`Fleet`] starts processes.
#[derive(Debug, Clone)]
pub struct Environment {
    /// Path of the binary.
    pub program: PathBuf,
    /// Folder for data and logs; the configuration is `chorus.toml` in it.
    pub folder: PathBuf,
}

/// Role of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// `gateway`: accepts projects.
    Gateway,
    /// `orchestrator`: decides.
    Orchestrator,
    /// `dispatcher`: admits.
    Dispatcher,
    /// `worker`: calls providers for one pool.
    Worker(&'static str),
    /// `serve`: all roles.
    Serve,
}

/// One process of a [`Fleet`].
#[derive(Debug)]
pub struct Member {
    /// Role of the process.
    pub role: Role,
    /// The operating system's [`Process`].
    pub process: Process,
    /// Address of the health endpoints of a process without clients.
    pub probe: SocketAddr,
    /// Address for clients, if the role has any.
    pub serves: SocketAddr,
}

/// All processes of a [`Cluster`](super::installation::Cluster).
#[derive(Debug)]
pub struct Fleet {
    /// Processes in the order of their start.
    pub members: Vec<Member>,
    web: Web,
}

impl Environment {
    /// Runs a command of the binary to its end and returns its output.
    pub fn command(&self, arguments: &[&str]) -> anyhow::Result<String> {
        process::finish(&self.launch(arguments[0], arguments))
    }

    /// Returns the [`Launch`] of a command of the binary.
    pub fn launch(&self, name: &str, arguments: &[&str]) -> Launch {
        let config = ["--config", "chorus.toml"];
        Launch {
            name: name.to_owned(),
            program: self.program.clone(),
            arguments: config
                .iter()
                .chain(arguments)
                .map(|argument| (*argument).to_owned())
                .collect(),
            variables: Vec::new(),
            folder: self.folder.clone(),
        }
    }
}

impl Role {
    /// Name of the role on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Orchestrator => "orchestrator",
            Self::Dispatcher => "dispatcher",
            Self::Worker(_) => "worker",
            Self::Serve => "serve",
        }
    }

    fn arguments(self) -> Vec<&'static str> {
        match self {
            Self::Worker(pool) => vec!["worker", "--pool", pool],
            other => vec![other.as_str()],
        }
    }
}

impl Member {
    /// Address of the health endpoints: that for clients, if there is one.
    pub const fn health_address(&self) -> SocketAddr {
        match self.role {
            Role::Gateway | Role::Serve => self.serves,
            Role::Orchestrator | Role::Dispatcher | Role::Worker(_) => self.probe,
        }
    }
}

impl Fleet {
    /// Creates a fleet without processes.
    pub fn none() -> anyhow::Result<Self> {
        Ok(Self {
            members: Vec::new(),
            web: Web::new()?,
        })
    }

    /// Starts one process for each role and waits until all are ready.
    pub async fn start(environment: &Environment, roles: &[Role]) -> anyhow::Result<Self> {
        let mut fleet = Self::none()?;
        for role in roles {
            fleet.spawn(environment, *role)?;
        }
        for at in 0..fleet.members.len() {
            fleet.ready(at).await?;
        }
        Ok(fleet)
    }

    /// Starts one more process without waiting for it (see [`Fleet::ready`]); returns its index.
    /// Name and log are its own.
    pub fn spawn(&mut self, environment: &Environment, role: Role) -> anyhow::Result<usize> {
        let number = 1 + self.with_role(role).len();
        let (probe, serves) = (ports::free()?, ports::free()?);
        let mut launch =
            environment.launch(&format!("{}-{number}", role.as_str()), &role.arguments());
        launch.variables = vec![
            ("CHORUS_PROBE_LISTEN".to_owned(), probe.to_string()),
            ("CHORUS_GATEWAY_LISTEN".to_owned(), serves.to_string()),
        ];
        self.members.push(Member {
            role,
            process: Process::start(launch)?,
            probe,
            serves,
        });
        Ok(self.members.len() - 1)
    }

    /// Waits until a process reports that it is ready.
    pub async fn ready(&mut self, at: usize) -> anyhow::Result<()> {
        let (web, member) = (self.web.clone(), &mut self.members[at]);
        let name = member.process.name().to_owned();
        until(&format!("{name} is ready"), READY, async || {
            if let Some(status) = member.process.ended()? {
                anyhow::bail!("{name} ended while starting: {status}; see {name}.log");
            }
            Ok(web
                .get(member.health_address(), "/readyz")
                .await
                .filter(|(status, _)| *status == 200))
        })
        .await?;
        Ok(())
    }

    /// Indices of the processes with a role, in any pool.
    pub fn with_role(&self, like: Role) -> Vec<usize> {
        (0..self.members.len())
            .filter(|at| self.members[*at].role.as_str() == like.as_str())
            .collect()
    }

    /// Index of the process with a text in its log, for instance the id of its boot.
    pub fn with_log(&self, word: &str) -> Option<usize> {
        (0..self.members.len()).find(|at| self.members[*at].process.output().contains(word))
    }

    /// Index of the process with this process id.
    pub fn with_pid(&self, pid: u32) -> Option<usize> {
        self.members
            .iter()
            .position(|member| member.process.pid() == Some(pid))
    }

    /// Name of the process.
    pub fn name(&self, at: usize) -> &str {
        self.members[at].process.name()
    }

    /// Sends SIGKILL.
    pub fn kill(&mut self, at: usize) {
        self.members[at].process.kill();
    }

    /// Restarts a process without waiting for it.
    pub fn restart(&mut self, at: usize) -> anyhow::Result<()> {
        self.members[at].process.restart(&[])
    }

    /// Names of processes that exited without being killed.
    pub fn ended(&mut self) -> anyhow::Result<Vec<String>> {
        let mut ended = Vec::new();
        for member in &mut self.members {
            if let Some(status) = member.process.ended()? {
                ended.push(format!("{} ({status})", member.process.name()));
            }
        }
        Ok(ended)
    }

    /// Sends SIGTERM to all processes and waits for them; returns the names of those that failed.
    pub async fn drain(&mut self) -> anyhow::Result<Vec<String>> {
        for member in &self.members {
            member.process.terminate()?;
        }
        let mut bad = Vec::new();
        for member in &mut self.members {
            let process = &mut member.process;
            let name = process.name().to_owned();
            let ended = until(&format!("{name} has stopped"), READY, async || {
                process.ended()
            })
            .await;
            match ended.context("after SIGTERM") {
                Ok(status) if status.success() => {}
                Ok(status) => bad.push(format!("{name}: {status}")),
                Err(error) => bad.push(format!("{name}: {error:#}")),
            }
        }
        Ok(bad)
    }
}
