//! A PostgreSQL of our own for the tests: made before them, gone after them.
//!
//! It takes the server's binaries where they are installed and installs nothing. The cluster listens on the loopback
//! only, trusts everybody there and loses all on a crash: it is for tests.

use std::fs;
use std::io::{BufRead, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::thread;

use anyhow::{Context, bail};

use super::{Tried, free_port, variable};

/// Tells the tests where a server is on which databases may be made.
pub(super) const VARIABLE: &str = "CHORUS_TEST_POSTGRES";

const ENGINES: &str = "/usr/lib/postgresql";
const READY: &str = "ready to accept connections";

/// Whom the server runs as when we are root, which it refuses to be.
const OWNER: &str = "postgres";

/// Nothing that is kept past a crash: what is tested is what the server answers.
const SETTINGS: [&str; 6] = [
    "listen_addresses=127.0.0.1",
    "max_connections=200",
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "logging_collector=off",
];

/// The server that the tests are given, if any. They run among all others.
pub(super) enum Given {
    /// The caller's.
    Named(String),
    /// One of our own, which stops when this is dropped.
    Ours(Box<Server>),
    /// None, for this reason.
    No(anyhow::Error),
}

impl Given {
    /// The one that the environment names, else a new one.
    pub(super) fn find() -> Self {
        if let Some(url) = variable(VARIABLE) {
            return Self::Named(url);
        }
        Server::up().map_or_else(Self::No, |server| Self::Ours(Box::new(server)))
    }

    /// What the tests are told.
    pub(super) fn url(&self) -> Option<&str> {
        match self {
            Self::Named(url) => Some(url),
            Self::Ours(server) => Some(&server.url),
            Self::No(_) => None,
        }
    }

    /// What people are told after the tests.
    pub(super) fn tried(&self) -> Tried {
        match self {
            Self::Named(_) => Tried::Yes(Ok(format!("the server of {VARIABLE}, among the tests above"))),
            Self::Ours(server) => Tried::Yes(Ok(format!("{}, among the tests above", server.version))),
            Self::No(why) => Tried::No(format!("{why:#}")),
        }
    }
}

/// A cluster made for one run.
pub(super) struct Server {
    url: String,
    version: String,
    _running: Running,
    _folder: Folder,
}

impl Server {
    /// Makes a cluster and waits until it answers. The error says why there is none.
    fn up() -> anyhow::Result<Self> {
        let engine = Engine::find()?;
        let folder = Folder::make(&engine)?;
        let data = folder.0.join("data");
        let mut initdb = engine.command("initdb");
        initdb.arg("--pgdata").arg(&data).args(["--username=postgres", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C"]);
        said(&mut initdb)?;
        let port = free_port()?;
        let mut postgres = engine.command("postgres");
        postgres.arg("-D").arg(&data).arg("-p").arg(port.to_string()).arg("-k").arg(&folder.0);
        for setting in SETTINGS {
            postgres.args(["-c", setting]);
        }
        let mut stop = engine.command("pg_ctl");
        stop.args(["stop", "--mode=immediate", "--silent", "--pgdata"]).arg(&data);
        let running = Running::start(postgres, stop)?;
        let version = said(engine.command("postgres").arg("--version"))?;
        let url = format!("postgres://postgres@127.0.0.1:{port}/postgres");
        Ok(Self { url, version: version.trim().to_owned(), _running: running, _folder: folder })
    }
}

/// Where the binaries are, and who may run them.
struct Engine {
    folder: PathBuf,
    root: bool,
}

impl Engine {
    /// The newest of the system's packages, else what is on PATH.
    fn find() -> anyhow::Result<Self> {
        let mut packaged: Vec<(u32, PathBuf)> = fs::read_dir(ENGINES)
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
            .collect();
        packaged.sort();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folder = packaged.into_iter().rev().map(|(_, folder)| folder).chain(std::env::split_paths(&path)).find(|folder| {
            let has = |binary: &str| folder.join(binary).is_file();
            has("initdb") && has("postgres") && has("pg_ctl")
        });
        let Some(folder) = folder else {
            bail!("no initdb, postgres and pg_ctl below {ENGINES} or on PATH (Debian: apt-get install postgresql)");
        };
        let root = said(Command::new("id").arg("-u"))?.trim() == "0";
        if root {
            said(Command::new("id").arg(OWNER)).context("PostgreSQL does not run as root")?;
        }
        Ok(Self { folder, root })
    }

    /// One of its binaries.
    fn command(&self, binary: &str) -> Command {
        self.owned(&self.folder.join(binary))
    }

    /// A program run as whom the cluster belongs to. A server is told to end when we die without a word.
    fn owned(&self, program: &Path) -> Command {
        let mut command = Command::new(if cfg!(target_os = "linux") { "setpriv" } else { "env" });
        if cfg!(target_os = "linux") {
            command.arg("--pdeathsig=INT");
        }
        if self.root {
            command.args([format!("--reuid={OWNER}"), format!("--regid={OWNER}"), "--init-groups".to_owned()]);
        }
        command.arg(program).env("LC_ALL", "C").current_dir("/");
        command
    }
}

/// A folder of the owner's, removed when it is dropped.
struct Folder(PathBuf);

impl Folder {
    /// Made by its owner. Of root's own temporary folder another user may see nothing.
    fn make(engine: &Engine) -> anyhow::Result<Self> {
        let parent = if engine.root { PathBuf::from("/tmp") } else { std::env::temp_dir() };
        let mut mktemp = engine.owned(Path::new("mktemp"));
        let made = said(mktemp.arg("-d").arg(parent.join("chorus-postgres-XXXXXX")))?;
        Ok(Self(PathBuf::from(made.trim())))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("{} was left behind: {error}", self.0.display());
        }
    }
}

/// The server's process and what stops it.
struct Running {
    process: Child,
    stop: Command,
}

impl Running {
    /// Starts it and reads its log until it says that it answers; what it says later is thrown away.
    fn start(mut server: Command, stop: Command) -> anyhow::Result<Self> {
        let mut process = server.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().context("start postgres")?;
        let log = process.stderr.take().expect("the log was asked for");
        let running = Self { process, stop };
        let mut lines = BufReader::new(log).lines();
        until_ready(&mut lines)?;
        thread::spawn(move || lines.for_each(drop));
        Ok(running)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.process.try_wait(), Ok(Some(_))) {
            return;
        }
        let stopped = said(&mut self.stop).and_then(|_| self.process.wait().context("wait for postgres"));
        if let Err(error) = stopped {
            eprintln!("PostgreSQL could not be stopped: {error:#}");
        }
    }
}

fn until_ready(lines: &mut Lines<BufReader<ChildStderr>>) -> anyhow::Result<()> {
    let mut last = "it said nothing".to_owned();
    for line in lines {
        last = line.context("read the log of postgres")?;
        if last.contains(READY) {
            return Ok(());
        }
    }
    bail!("postgres ended: {last}");
}

/// What a program prints; an error with what it complains of when it fails.
fn said(command: &mut Command) -> anyhow::Result<String> {
    let program = command.get_program().to_owned();
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("start {}", program.display()))?;
    if !output.status.success() {
        bail!("{}: {}", program.display(), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
