//! Commands of operators: accounts, pools, the audit, models, and why a task waits.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::ServerArgs;
use crate::config::{Dollars, LOCAL_TENANT};

/// `chorus account`
#[derive(Debug, Args)]
pub(crate) struct AccountArgs {
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
    #[command(subcommand)]
    pub(crate) command: AccountCommand,
}

/// Installation, tenant and form of what is printed.
#[derive(Debug, Args)]
pub(crate) struct PlaceArgs {
    #[command(flatten)]
    pub(crate) server: ServerArgs,
    /// Tenant of the accounts; with --server the API key names it.
    #[arg(long, global = true, default_value = LOCAL_TENANT)]
    pub(crate) tenant: String,
    /// Print JSON, as the HTTP API gives it.
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// `chorus account …`
#[derive(Debug, Subcommand)]
pub(crate) enum AccountCommand {
    /// Import accounts from accounts.toml or accounts.csv. Good rows are kept, refused ones are named.
    Import {
        /// The file.
        file: PathBuf,
        /// Do not ask the providers whether the credentials are alive.
        #[arg(long)]
        no_check: bool,
    },
    /// Add one account, or a key to it. The key is read from the terminal, or from the first line of standard input.
    Add(AddArgs),
    /// All accounts of a tenant with their states, without their secrets.
    List {
        /// Owner of the listed accounts.
        #[arg(long, value_name = "NAME")]
        owner: Option<String>,
    },
    /// One account: state, why it is parked and until when, models and limits with their levels.
    Show(NamedAccount),
    /// Limits of an account: amount in force, free, reserved, when full, and the source of each figure.
    Limits(NamedAccount),
    /// Use an account again that was paused, parked or refused; or all of one owner.
    Enable(SelectedAccounts),
    /// Give an account, or all of one owner, no new calls until they are enabled. No check of a key ends it.
    Pause {
        #[command(flatten)]
        accounts: SelectedAccounts,
        /// Reason, for people.
        #[arg(long, value_name = "TEXT", default_value = "")]
        reason: String,
        /// Cut calls under way too; they are made again elsewhere.
        #[arg(long)]
        cut: bool,
    },
    /// Replace a key by a new one, read from the terminal or the first line of standard input. Calls under way end with
    /// the old key, which is removed after the last of them.
    Rotate(RotateArgs),
    /// Ask the providers whether the keys of an account are alive, and use it again if they are.
    Probe(NamedAccount),
    /// Remove an account with its credentials.
    Remove(NamedAccount),
}

/// An account of a tenant.
#[derive(Debug, Args)]
pub(crate) struct NamedAccount {
    /// E-mail address or id of the account.
    pub(crate) account: String,
}

/// One account, or all accounts of one owner.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct SelectedAccounts {
    /// E-mail address or id of the account.
    pub(crate) account: Option<String>,
    /// Owner of the accounts, all of them.
    #[arg(long, value_name = "NAME")]
    pub(crate) owner: Option<String>,
}

/// `chorus account add`
#[derive(Debug, Args)]
pub(crate) struct AddArgs {
    /// E-mail address, which is the account's name.
    pub(crate) email: String,
    /// Provider of the key, for instance anthropic.
    #[arg(long, value_name = "PROVIDER")]
    pub(crate) provider: String,
    /// Owner of the account; the e-mail address when absent.
    #[arg(long, value_name = "NAME")]
    pub(crate) owner: Option<String>,
    /// own, delegated_byok or employer.
    #[arg(long, value_name = "KIND", default_value = "own")]
    pub(crate) entitlement: String,
    /// Person who attests that the account may be used; the owner when absent.
    #[arg(long, value_name = "NAME")]
    pub(crate) attested_by: Option<String>,
    /// Organisation or project at the provider: keys of one share its limits.
    #[arg(long, value_name = "NAME")]
    pub(crate) organization: Option<String>,
    /// Address instead of the provider's own.
    #[arg(long, value_name = "URL")]
    pub(crate) base_url: Option<String>,
    /// Last day of the key, for instance 2027-01-31.
    #[arg(long, value_name = "DATE")]
    pub(crate) expires: Option<String>,
    /// Do not ask the provider whether the key is alive.
    #[arg(long)]
    pub(crate) no_check: bool,
}

/// `chorus account rotate`
#[derive(Debug, Args)]
pub(crate) struct RotateArgs {
    /// E-mail address or id of the account.
    pub(crate) account: String,
    /// Provider of the replaced key; needed when the account has keys of several.
    #[arg(long, value_name = "PROVIDER")]
    pub(crate) provider: Option<String>,
    /// Replaced credential, as `chorus account show` prints it; needed when several qualify.
    #[arg(long, value_name = "ID")]
    pub(crate) credential: Option<String>,
    /// Last day of the new key, for instance 2027-01-31.
    #[arg(long, value_name = "DATE")]
    pub(crate) expires: Option<String>,
    /// Take a key for which the provider gives no clear answer; the old one is kept until `chorus account probe` finds
    /// the new one alive.
    #[arg(long)]
    pub(crate) unchecked: bool,
}

/// `chorus pool`
#[derive(Debug, Args)]
pub(crate) struct PoolArgs {
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
    #[command(subcommand)]
    pub(crate) command: PoolCommand,
}

/// `chorus pool …`
#[derive(Debug, Subcommand)]
pub(crate) enum PoolCommand {
    /// Accounts, slots, queue and limits of each pool, and the limit to raise first.
    Status {
        /// Print it again every two seconds, until Ctrl-C.
        #[arg(long)]
        watch: bool,
    },
}

/// `chorus why`
#[derive(Debug, Args)]
pub(crate) struct WhyArgs {
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
    /// PROJECT/TASK, with the key or the id of the task; or the id of a task alone.
    #[arg(value_name = "TASK")]
    pub(crate) task: String,
}

/// `chorus audit`
#[derive(Debug, Args)]
pub(crate) struct AuditArgs {
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
    /// Uses of accounts by projects, instead of acts of operators.
    #[arg(long)]
    pub(crate) uses: bool,
    /// E-mail address or id of the account.
    #[arg(long, value_name = "ACCOUNT")]
    pub(crate) account: Option<String>,
    /// Id of the project.
    #[arg(long, value_name = "ID")]
    pub(crate) project: Option<String>,
    /// Maximum number of rows, the newest.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) limit: u32,
}

/// `chorus model …`
#[derive(Debug, Subcommand)]
pub(crate) enum ModelCommand {
    /// All models with context, prices for a million tokens and providers.
    List {
        /// Provider of the listed models.
        #[arg(long, value_name = "PROVIDER")]
        provider: Option<String>,
        /// Print JSON, as rows of the catalogue.
        #[arg(long)]
        json: bool,
    },
    /// Add a model of your own to the file of models.file, or change keys of one in it.
    Add(NewModelArgs),
    /// Take a model of your own out of the file of models.file.
    Remove {
        /// Name of the model.
        slug: String,
    },
}

/// `chorus model add`
#[derive(Debug, Args)]
pub(crate) struct NewModelArgs {
    /// Name of the model, for instance local/qwen3; a shipped model gets these keys in place of its own.
    pub(crate) slug: String,
    /// Provider and name on the wire, for instance compatible=qwen3:8b; may be given several times.
    #[arg(long, value_name = "PROVIDER=NAME", value_parser = route)]
    pub(crate) route: Vec<(String, String)>,
    /// Tokens of prompt and reply together.
    #[arg(long, value_name = "N")]
    pub(crate) context: Option<u32>,
    /// Maximum tokens of a reply; a quarter of the context when absent.
    #[arg(long, value_name = "N")]
    pub(crate) max_output: Option<u32>,
    /// 0 to 100: who stands in when no model of a role can be served.
    #[arg(long, value_name = "N")]
    pub(crate) strength: Option<u32>,
    /// Price of a million prompt tokens, in US dollars.
    #[arg(long, value_name = "USD")]
    pub(crate) input_price: Option<Dollars>,
    /// Price of a million output tokens, in US dollars.
    #[arg(long, value_name = "USD")]
    pub(crate) output_price: Option<Dollars>,
    /// Pool of workers that serves it; a new name makes a new pool.
    #[arg(long, value_name = "POOL")]
    pub(crate) pool: Option<String>,
}

/// Parses `PROVIDER=NAME`.
fn route(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((provider, name)) if !provider.is_empty() && !name.is_empty() => {
            Ok((provider.to_owned(), name.to_owned()))
        }
        _ => Err("expected PROVIDER=NAME, for instance compatible=qwen3:8b".to_owned()),
    }
}
