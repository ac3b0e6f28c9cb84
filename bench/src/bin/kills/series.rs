//! One series: a project that is killed a few times, resumed each time, and read at its end.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use chorus_bench::cluster::briefs::Submission;
use chorus_bench::cluster::fleet::Environment;
use chorus_bench::cluster::process::Process;
use chorus_bench::cluster::providers::{self, ProviderSpeed, Providers, is_sick};
use chorus_bench::cluster::rows::Files;
use chorus_bench::cluster::silence::{self, Look, Silence};
use chorus_bench::time::{pause, stopwatch};
use chorus_core::artifact::ArtifactHash;
use chorus_provider_sim::engine::journal::Outcome;

/// Longest time of one series.
const LONGEST: f64 = 300.0;
/// Time between two looks.
const LOOK: Duration = Duration::from_millis(250);
/// Folder of the deliverable in the folder of a series.
const OUT: &str = "out";
/// Beginning of the names of Chorus's own files beside a deliverable.
const OWN: &str = "chorus-report";

/// Binary, folder and submission of all series.
pub(crate) struct Place {
    pub(crate) program: PathBuf,
    pub(crate) folder: PathBuf,
    pub(crate) submission: Submission,
}

/// Result of one series.
pub(crate) struct Series {
    folder: PathBuf,
    pub(crate) kills: usize,
    pub(crate) seconds: f64,
    /// Longest silence in seconds.
    pub(crate) longest: f64,
    /// Number of calls of healthy accounts that their providers refused for a limit.
    pub(crate) refused_by_limits: usize,
    /// Number of calls above a limit of concurrency.
    passed: usize,
    /// Exit code of the last process; `None` if it did not end in time.
    exit: Option<i32>,
    /// Hashes of the delivered files by path.
    pub(crate) files: Files,
}

/// A series under way.
struct Running {
    environment: Environment,
    providers: Providers,
    process: Process,
    silence: Silence,
    took: Box<dyn Fn() -> f64>,
}

impl Series {
    /// Runs the submission without kills and without sick accounts.
    pub(crate) async fn calm(place: &Place) -> anyhow::Result<Self> {
        let running = Running::start(place, "calm", false).await?;
        let calm = running.follow(&[]).await?;
        anyhow::ensure!(
            calm.exit == Some(0),
            "the undisturbed run ended with {:?}; see {}",
            calm.exit,
            calm.folder.display()
        );
        Ok(calm)
    }

    /// Runs the submission with the kills of a seed.
    pub(crate) async fn disturbed(place: &Place, seed: u64) -> anyhow::Result<Self> {
        let mut chance = fastrand::Rng::with_seed(seed);
        let moments: Vec<f64> = (0..chance.usize(1..=5))
            .map(|_| 0.2 + chance.f64() * 6.0)
            .collect();
        let running = Running::start(place, &format!("series-{seed}"), true).await?;
        running.follow(&moments).await
    }

    /// Faults of the series, compared with the undisturbed one.
    pub(crate) fn faults(&self, calm: &Self) -> Vec<String> {
        let mut faults = Vec::new();
        match self.exit {
            Some(0) => {}
            Some(code) => faults.push(format!("the last process ended with {code}")),
            None => faults.push(format!("not done in {LONGEST:.0} s")),
        }
        if self.longest > silence::LONGEST {
            faults.push(format!("nothing was seen for {:.1} s", self.longest));
        }
        if self.passed > 0 {
            faults.push(format!("{} calls passed a limit of slots", self.passed));
        }
        if self.exit == Some(0) {
            for (path, hash) in &calm.files {
                match self.files.get(path) {
                    None => faults.push(format!("{path} is missing")),
                    Some(other) if other != hash => faults.push(format!("{path} differs")),
                    Some(_) => {}
                }
            }
            let more = self
                .files
                .keys()
                .filter(|path| !calm.files.contains_key(*path));
            faults.extend(more.map(|path| format!("{path} is not of the undisturbed run")));
        }
        if !faults.is_empty() {
            faults.push(format!(
                "data and logs are kept in {}",
                self.folder.display()
            ));
        }
        faults
    }

    /// Removes data and logs.
    pub(crate) fn forget(&self) -> anyhow::Result<()> {
        std::fs::remove_dir_all(&self.folder)
            .with_context(|| format!("remove {}", self.folder.display()))
    }
}

impl Running {
    async fn start(place: &Place, name: &str, sick: bool) -> anyhow::Result<Self> {
        let folder = place.folder.join(name);
        std::fs::create_dir_all(folder.join("docs"))
            .with_context(|| format!("make {}", folder.display()))?;
        let write = |name: &str, text: &str| {
            std::fs::write(folder.join(name), text).with_context(|| format!("write {name}"))
        };
        write("brief.md", &place.submission.brief)?;
        for (name, text) in &place.submission.attachments {
            write(&format!("docs/{name}"), text)?;
        }
        let environment = Environment {
            program: place.program.clone(),
            folder: folder.clone(),
        };
        write("chorus.toml", CONFIGURATION)?;
        let config = providers::config(ProviderSpeed::Real);
        let providers = Providers::start(&config, &place.program, &folder).await?;
        for sick in [true, false].into_iter().filter(|kind| sick || !kind) {
            let accounts = providers::accounts(&config, providers.address, sick)?;
            write("accounts.toml", &accounts)?;
            environment.command(&["account", "import", "accounts.toml", "--no-check"])?;
        }
        let process = Process::start(environment.launch("run", &RUN))?;
        Ok(Self {
            environment,
            providers,
            process,
            silence: Silence::default(),
            took: Box::new(stopwatch()),
        })
    }

    /// Kills the process after each of these times, goes on each time, and waits for the end.
    async fn follow(mut self, moments: &[f64]) -> anyhow::Result<Series> {
        let mut moments = moments.iter();
        let mut next = moments.next().copied();
        let (mut kills, mut began) = (0, 0.0);
        let exit = loop {
            let now = (self.took)();
            if let Some(status) = self.process.ended()? {
                break status.code();
            }
            if now > LONGEST {
                break None;
            }
            if next.is_some_and(|after| now - began > after) {
                self.process.kill();
                self.process = self.go_on(kills + 1)?;
                (kills, began, next) = (kills + 1, now, moments.next().copied());
            }
            self.look().await?;
            pause(LOOK).await;
        };
        self.end(kills, exit).await
    }

    /// Starts the command that goes on with the project, or begins it if it was not submitted yet.
    fn go_on(&self, number: usize) -> anyhow::Result<Process> {
        let list = self.environment.command(&["project", "list"])?;
        let id = list
            .split_whitespace()
            .find(|word| word.starts_with("prj_"));
        let arguments: Vec<&str> = match id {
            Some(id) => vec!["resume", id, "--yes", "--assume", "--out", OUT],
            None => RUN.to_vec(),
        };
        Process::start(
            self.environment
                .launch(&format!("resume-{number}"), &arguments),
        )
    }

    async fn look(&mut self) -> anyhow::Result<()> {
        let journal = self.providers.journal().await?;
        let open = journal
            .iter()
            .filter(|entry| entry.outcome == Outcome::Open);
        let look = Look {
            calls: journal.len() as u64,
            seen: self.process.output().len() as u64,
            is_explained: open.count() > 0,
        };
        self.silence.look(look, (self.took)());
        Ok(())
    }

    async fn end(self, kills: usize, exit: Option<i32>) -> anyhow::Result<Series> {
        let journal = self.providers.journal().await?;
        let refused = journal
            .iter()
            .filter(|entry| entry.passed.is_some() && !is_sick(&entry.organisation));
        let counts = self.providers.counts().await?;
        let passed = counts
            .iter()
            .flat_map(|count| &count.limits)
            .filter(|peak| peak.counted == "concurrency" && peak.peak > peak.limit);
        let out = self.environment.folder.join(OUT);
        Ok(Series {
            kills,
            seconds: (self.took)(),
            longest: self.silence.longest(),
            refused_by_limits: refused.count(),
            passed: passed.count(),
            exit,
            files: if out.is_dir() {
                hashes(&out, &out)?
            } else {
                Files::new()
            },
            folder: self.environment.folder.clone(),
        })
    }
}

/// Hashes of all delivered files below a folder, by path.
fn hashes(root: &Path, folder: &Path) -> anyhow::Result<Files> {
    let mut files = Files::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))? {
        let path = entry?.path();
        let name = path.strip_prefix(root)?.to_string_lossy().into_owned();
        if name.starts_with(OWN) {
            continue;
        }
        if path.is_dir() {
            files.extend(hashes(root, &path)?);
        } else {
            files.insert(name, ArtifactHash::of(&std::fs::read(&path)?).to_string());
        }
    }
    Ok(files)
}

const RUN: [&str; 8] = [
    "run", "brief.md", "--attach", "docs", "--yes", "--assume", "--out", OUT,
];

/// Embedded store, bus and limits; calls are short, as the providers are.
const CONFIGURATION: &str = "[data]\ndir = \"data\"\n\
    [roles]\nplanner = [[\"deepseek/deepseek-v4-pro\"]]\nmerger = [[\"deepseek/deepseek-v4-pro\"]]\n\
    judge = [[\"deepseek/deepseek-v4-pro\"]]\nwriter = [[\"deepseek/deepseek-v4-pro\", \"anthropic/claude-sonnet-5\"]]\n\
    [log]\nlevel = \"warn\"\n";
