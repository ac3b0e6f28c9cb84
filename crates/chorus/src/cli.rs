//! The command line: commands, arguments and their help.

mod operator;
mod value;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::config::{Dollars, LOCAL_TENANT};
use value::project_state;

pub(crate) use operator::{
    AccountArgs, AccountCommand, AddArgs, AuditArgs, ModelCommand, NewModelArgs, PoolArgs,
    PoolCommand, RotateArgs, SelectedAccounts, WhyArgs,
};
pub(crate) use value::{GrantedScope, Lifetime};

/// One endpoint in front of many LLM accounts, and an orchestrator of large projects.
#[derive(Debug, Parser)]
#[command(name = "chorus", version, propagate_version = true)]
pub(crate) struct Cli {
    /// Configuration file; `CHORUS_CONFIG` names one too. See chorus.default.toml for every key.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Where the database and artifacts live, instead of `data.dir`. The key file then lies beside it.
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Command to run.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the whole loop with simulated providers: no keys, no network, no real model.
    Demo(DemoArgs),
    /// Run a project with your accounts: plan, work in parallel, merge, judge, deliver.
    ///
    /// The first Ctrl-C parks the project, here and at a server, and prints the command that resumes it; the exit code
    /// is 75. A second Ctrl-C exits at once with 130.
    Run(RunArgs),
    /// Go on with a project that was parked or interrupted.
    Resume(ResumeArgs),
    /// Look at projects, answer, approve, pause or cancel them.
    Project(ProjectArgs),
    /// Accounts and their credentials.
    Account(AccountArgs),
    /// State of the pools: accounts, slots, queue, limits.
    Pool(PoolArgs),
    /// Show why a task is not done yet, and what it could run on.
    Why(WhyArgs),
    /// Acts of operators on accounts, and uses of accounts by projects.
    Audit(AuditArgs),
    /// Models that accounts can serve.
    #[command(subcommand)]
    Model(ModelCommand),
    /// API keys for clients of the gateway.
    #[command(subcommand)]
    Key(KeyCommand),
    /// Run gateway, orchestrator, dispatcher and workers in this one process, until a signal.
    Serve(ProcessArgs),
    /// Serve clients: one process of any number.
    Gateway(ProcessArgs),
    /// Plan, merge and judge projects: one process of any number.
    Orchestrator(ProcessArgs),
    /// Admit and dispatch; one of any number leads, the others stand by.
    Dispatcher(ProcessArgs),
    /// Make calls: one process of any number.
    Worker {
        /// Pool of the catalogue that it serves, for instance claude; may be given several times. All pools when absent.
        #[arg(long = "pool", value_name = "POOL")]
        pools: Vec<String>,
        #[command(flatten)]
        process: ProcessArgs,
    },
    /// Records that no process could read.
    #[command(subcommand)]
    Dlq(DlqCommand),
    /// Bring the database, and Kafka's topics where there is Kafka, up to date.
    Migrate,
    /// Make a key that seals credentials, for processes that share a database.
    EnvelopeKey {
        /// Write it to this file, which only you can read then; else it is printed.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Run the simulated providers alone, for any client.
    Sim(SimArgs),
    /// Check configuration, key, database, bus, limits, clocks and accounts; say what to do about what is wrong.
    Doctor {
        /// Tenant of the accounts and keys to look at.
        #[arg(long, default_value = LOCAL_TENANT)]
        tenant: String,
    },
}

impl Command {
    /// Returns true if the command runs until a signal.
    pub(crate) const fn is_lasting(&self) -> bool {
        matches!(
            self,
            Self::Serve(_)
                | Self::Gateway(_)
                | Self::Orchestrator(_)
                | Self::Dispatcher(_)
                | Self::Worker { .. }
        )
    }
}

/// `chorus demo`
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// The brief; an example when absent.
    #[arg(long, value_name = "FILE")]
    pub(crate) brief: Option<PathBuf>,
    /// A document, or a folder of documents, to attach to the brief; may be given several times. Of folders, hidden
    /// files and what .gitignore or .ignore name are left out.
    #[arg(long, value_name = "PATH", requires = "brief")]
    pub(crate) attach: Vec<PathBuf>,
    /// Files of attached folders to leave out, as in .gitignore, for instance '*.csv' or 'build/'; may be given several
    /// times.
    #[arg(long, value_name = "GLOB", requires = "brief")]
    pub(crate) exclude: Vec<String>,
    /// The example to show, all of whose texts are in this program; long-document when absent.
    #[arg(long, value_enum, value_name = "NAME", conflicts_with = "brief")]
    pub(crate) example: Option<DemoExample>,
    /// Folder for the deliverable and the report [default: a new folder below result/ for each run]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Seed of the simulated providers.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

/// Example of `chorus demo`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum DemoExample {
    /// A book of sixteen chapters becomes one study guide.
    #[default]
    LongDocument,
    /// A Python package of nine files that must fit together.
    SoftwareProject,
    /// Four sentences in Vietnamese that leave nearly everything open.
    VagueVi,
}

/// `chorus run`
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The brief: what is to be made, in your own words.
    #[arg(value_name = "BRIEF")]
    pub(crate) brief: PathBuf,
    /// A document, or a folder of documents, to attach; may be given several times. Of folders, hidden files and what
    /// .gitignore or .ignore name are left out.
    #[arg(long, value_name = "PATH")]
    pub(crate) attach: Vec<PathBuf>,
    /// Files of attached folders to leave out, as in .gitignore, for instance '*.csv' or 'build/'; may be given several
    /// times.
    #[arg(long, value_name = "GLOB")]
    pub(crate) exclude: Vec<String>,
    #[command(flatten)]
    pub(crate) options: RunOptions,
    /// Most that the project may spend, in US dollars.
    #[arg(long, value_name = "USD")]
    pub(crate) budget: Option<Dollars>,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// Server of the project; without one it is on this machine.
#[derive(Debug, Clone, Args)]
pub(crate) struct ServerArgs {
    /// A Chorus gateway, for instance http://127.0.0.1:8780, instead of this machine's own data; several with commas
    /// between them are tried in turn.
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) server: Option<String>,
    /// The API key for it; better given as CHORUS_API_KEY, which other users of this machine cannot see.
    #[arg(long, global = true, value_name = "KEY", requires = "server")]
    pub(crate) api_key: Option<String>,
}

/// Options of a command that follows a project.
#[derive(Debug, Args)]
pub(crate) struct RunOptions {
    /// Folder for the deliverable and the report [default: a folder below result/ for each project]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// File of the deliverable, as the plan names it, that may replace a file of yours or be hidden; may be given
    /// several times.
    #[arg(long, value_name = "FILE")]
    pub(crate) force: Vec<String>,
    /// Approve the estimate without being asked.
    #[arg(long)]
    pub(crate) yes: bool,
    /// Do not ask about what is unclear: state assumptions instead.
    #[arg(long)]
    pub(crate) assume: bool,
}

/// `chorus resume`
#[derive(Debug, Args)]
pub(crate) struct ResumeArgs {
    /// The project's id, `prj_…`.
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) options: RunOptions,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// `chorus project`
#[derive(Debug, Args)]
pub(crate) struct ProjectArgs {
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    #[command(subcommand)]
    pub(crate) command: ProjectCommand,
}

/// `chorus key …`
#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a key and show it, this once.
    Create {
        /// Tenant of the projects that the key sees and submits.
        #[arg(long, default_value = LOCAL_TENANT)]
        tenant: String,
        /// Name for people.
        #[arg(long, default_value = "")]
        name: String,
        /// Time until the key expires: 45m, 12h, 30d. By default it is valid until it is revoked.
        #[arg(long, value_name = "TIME")]
        expires: Option<Lifetime>,
        /// Scope of the key: projects:read, projects:write, accounts:read, accounts:write; may be given several times. All but
        /// accounts:write when absent.
        #[arg(long, value_name = "SCOPE")]
        scope: Vec<GrantedScope>,
    },
    /// All keys of a tenant, without their secrets.
    List {
        /// The tenant.
        #[arg(long, default_value = LOCAL_TENANT)]
        tenant: String,
    },
    /// Have a key refused from now on.
    Revoke {
        /// The key's id, `key_…`.
        id: String,
        /// The tenant.
        #[arg(long, default_value = LOCAL_TENANT)]
        tenant: String,
    },
}

/// `chorus project …`
#[derive(Debug, Subcommand)]
pub(crate) enum ProjectCommand {
    /// All projects, newest first.
    List {
        /// State of the listed projects, for instance running; may be given several times. All, when absent.
        #[arg(long, value_name = "STATE", value_parser = project_state)]
        state: Vec<String>,
        /// Maximum number of listed projects.
        #[arg(long, value_name = "N", default_value_t = 50)]
        limit: usize,
        /// Number of the newest projects that are passed over.
        #[arg(long, value_name = "N", default_value_t = 0)]
        skip: usize,
    },
    /// One project: its plan, its tasks, its money.
    Show {
        /// The project's id, `prj_…`.
        id: String,
    },
    /// Stop a project for good; what it has made so far is kept.
    Cancel {
        /// The project's id, `prj_…`.
        id: String,
    },
    /// Park a project: no call starts before `chorus resume`.
    Pause {
        /// The project's id, `prj_…`.
        id: String,
    },
    /// Approve the plan that waits, or the one made by a rule that a project offers.
    Approve {
        /// The project's id, `prj_…`.
        id: String,
        /// Hash of the plan, as `chorus project show` prints it; needed once a second plan was made.
        #[arg(long, value_name = "HASH")]
        plan: Option<String>,
    },
    /// Refuse the plan of a project that waits for approval; it is planned again.
    Reject {
        /// The project's id, `prj_…`.
        id: String,
        /// Changes that the next plan should make.
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Hash of the plan; the one that waits if absent.
        #[arg(long, value_name = "HASH")]
        plan: Option<String>,
    },
    /// Raise the budget; tasks that wait for money go on.
    Budget {
        /// The project's id, `prj_…`.
        id: String,
        /// New budget in US dollars, above the present one.
        #[arg(value_name = "USD")]
        budget: f64,
    },
    /// Try again a task, or everything that waits for a person.
    Retry {
        /// The project's id, `prj_…`.
        id: String,
        /// Key or id of the task, as `chorus project show` prints it.
        #[arg(long, value_name = "TASK")]
        task: Option<String>,
    },
    /// Go on without a task, or without everything that waits for a person.
    Skip {
        /// The project's id, `prj_…`.
        id: String,
        /// Key or id of the task, as `chorus project show` prints it.
        #[arg(long, value_name = "TASK")]
        task: Option<String>,
    },
    /// Go on with a project that ended partial or failed; finished results are kept.
    Reopen {
        /// The project's id, `prj_…`.
        id: String,
        /// Rounds of rework from here on, at most 10.
        #[arg(long, value_name = "N")]
        rounds: Option<u32>,
        /// New budget in US dollars, above the present one.
        #[arg(long, value_name = "USD")]
        budget: Option<f64>,
        /// Changes that the tasks which are done again should make.
        #[arg(long, value_name = "TEXT")]
        instruction: Option<String>,
    },
    /// Answer open questions; `chorus project show` lists them.
    Answer {
        /// The project's id, `prj_…`.
        id: String,
        /// Answers, each as QUESTION=TEXT.
        #[arg(value_name = "QUESTION=TEXT")]
        answers: Vec<String>,
        /// Take the defaults for all other open questions.
        #[arg(long)]
        assume_rest: bool,
    },
}

/// Arguments of all long-running processes.
#[derive(Debug, Args)]
pub(crate) struct ProcessArgs {
    /// Bring the database up to date first, instead of refusing one that is not.
    #[arg(long)]
    pub(crate) migrate: bool,
}

impl ProjectCommand {
    /// Returns true if the command changes a project.
    pub(crate) const fn is_change(&self) -> bool {
        !matches!(self, Self::List { .. } | Self::Show { .. })
    }

    /// Id of the project as it was typed; empty for the list.
    pub(crate) fn id(&self) -> &str {
        match self {
            Self::List { .. } => "",
            Self::Show { id }
            | Self::Cancel { id }
            | Self::Pause { id }
            | Self::Approve { id, .. }
            | Self::Reject { id, .. }
            | Self::Budget { id, .. }
            | Self::Retry { id, .. }
            | Self::Skip { id, .. }
            | Self::Reopen { id, .. }
            | Self::Answer { id, .. } => id,
        }
    }
}

/// `chorus dlq …`
#[derive(Debug, Subcommand)]
pub(crate) enum DlqCommand {
    /// All of them, oldest first, with what was wrong.
    List,
    /// Send one of them, or all, to where they came from.
    Replay {
        /// Id that `chorus dlq list` prints.
        id: Option<String>,
        /// All that were not replayed yet.
        #[arg(long, conflicts_with = "id")]
        all: bool,
    },
}

/// `chorus sim`
#[derive(Debug, Args)]
pub(crate) struct SimArgs {
    /// Address to listen on.
    #[arg(long, default_value = "127.0.0.1:8790")]
    pub(crate) listen: std::net::SocketAddr,
    /// Configuration of the simulated providers; the demo's when absent.
    #[arg(long, value_name = "FILE")]
    pub(crate) providers: Option<PathBuf>,
    /// Append one JSON line for each call to this file.
    #[arg(long, value_name = "FILE")]
    pub(crate) journal: Option<PathBuf>,
    /// Write the simulated accounts in the form that `chorus account import` reads.
    #[arg(long, value_name = "FILE")]
    pub(crate) accounts: Option<PathBuf>,
    /// Seed of the simulated providers.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

#[cfg(test)]
mod documents;
#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
