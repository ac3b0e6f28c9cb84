//! The processes of Chorus: one configuration, many roles.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;

use super::ports;
use super::process::{self, Launch, Process};
use super::web::Web;
use crate::time::until;

/// How long a process may take until it is ready.
const READY: Duration = Duration::from_secs(60);

/// Where processes are started: the binary, its configuration and a folder for data and logs.
#[derive(Debug, Clone)]
pub struct Ground {
    /// The binary.
    pub program: PathBuf,
    /// The folder; `chorus.toml` in it is the configuration.
    pub folder: PathBuf,
}

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Takes projects in.
    Gateway,
    /// Decides.
    Orchestrator,
    /// Admits.
    Dispatcher,
    /// Calls, for one pool.
    Worker(&'static str),
    /// All of it.
    Serve,
}

/// One process of the fleet.
#[derive(Debug)]
pub struct Member {
    /// What it does.
    pub role: Role,
    /// The process.
    pub process: Process,
    /// Where it tells how it is, if it serves no clients.
    pub probe: SocketAddr,
    /// Where it serves clients, if it does.
    pub serves: SocketAddr,
}

/// All processes.
#[derive(Debug)]
pub struct Fleet {
    /// In the order of their start.
    pub members: Vec<Member>,
    web: Web,
}

impl Ground {
    /// Runs a command of the binary to its end; what it said.
    pub fn command(&self, arguments: &[&str]) -> anyhow::Result<String> {
        process::finish(&self.launch(arguments[0], arguments))
    }

    /// How a command of the binary is started here.
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
    /// What it is called on the command line.
    pub const fn word(self) -> &'static str {
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
            other => vec![other.word()],
        }
    }
}

impl Member {
    /// Where it tells how it is: whoever serves clients tells it there.
    pub const fn answers(&self) -> SocketAddr {
        match self.role {
            Role::Gateway | Role::Serve => self.serves,
            Role::Orchestrator | Role::Dispatcher | Role::Worker(_) => self.probe,
        }
    }
}

impl Fleet {
    /// No process yet.
    pub fn none() -> anyhow::Result<Self> {
        Ok(Self {
            members: Vec::new(),
            web: Web::new()?,
        })
    }

    /// Starts one process for each role named and waits until all are ready.
    pub async fn start(ground: &Ground, roles: &[Role]) -> anyhow::Result<Self> {
        let mut fleet = Self::none()?;
        for role in roles {
            fleet.hire(ground, *role)?;
        }
        for at in 0..fleet.members.len() {
            fleet.ready(at).await?;
        }
        Ok(fleet)
    }

    /// Starts one more process, with a name and a log of its own, and does not wait for it; its place.
    pub fn hire(&mut self, ground: &Ground, role: Role) -> anyhow::Result<usize> {
        let number = 1 + self.with_role(role).len();
        let (probe, serves) = (ports::free()?, ports::free()?);
        let mut launch = ground.launch(&format!("{}-{number}", role.word()), &role.arguments());
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

    /// Waits until a process says that it is ready.
    pub async fn ready(&mut self, at: usize) -> anyhow::Result<()> {
        let (web, member) = (self.web.clone(), &mut self.members[at]);
        let name = member.process.name().to_owned();
        until(&format!("{name} is ready"), READY, async || {
            if let Some(status) = member.process.ended()? {
                anyhow::bail!("{name} ended while starting: {status}; see {name}.log");
            }
            Ok(web
                .get(member.answers(), "/readyz")
                .await
                .filter(|(status, _)| *status == 200))
        })
        .await?;
        Ok(())
    }

    /// Places of the processes with a role, whatever its pool.
    pub fn with_role(&self, like: Role) -> Vec<usize> {
        (0..self.members.len())
            .filter(|at| self.members[*at].role.word() == like.word())
            .collect()
    }

    /// The process that said a word (its boot's id, for instance) in its log.
    pub fn that_said(&self, word: &str) -> Option<usize> {
        (0..self.members.len()).find(|at| self.members[*at].process.said().contains(word))
    }

    /// The process with this number.
    pub fn with_pid(&self, pid: u32) -> Option<usize> {
        self.members
            .iter()
            .position(|member| member.process.pid() == Some(pid))
    }

    /// What it is called.
    pub fn name(&self, at: usize) -> &str {
        self.members[at].process.name()
    }

    /// SIGKILL.
    pub fn kill(&mut self, at: usize) {
        self.members[at].process.kill();
    }

    /// Starts a process again and does not wait for it.
    pub fn again(&mut self, at: usize) -> anyhow::Result<()> {
        self.members[at].process.again(&[])
    }

    /// Names of processes that ended although nobody killed them.
    pub fn ended(&mut self) -> anyhow::Result<Vec<String>> {
        let mut ended = Vec::new();
        for member in &mut self.members {
            if let Some(status) = member.process.ended()? {
                ended.push(format!("{} ({status})", member.process.name()));
            }
        }
        Ok(ended)
    }

    /// Asks all processes to stop and waits until they have; the names of those that did not end well.
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
