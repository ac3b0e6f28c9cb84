//! Sentences about [`WaitReason`]s for people, as the API and the attention of a project show them.

use super::{ParkedCredential, WaitReason};
use crate::id::AccountId;
use crate::limit::Dimension;

/// Sentence of [`WaitReason::Budget`].
const BUDGET_TEXT: &str =
    "the budget covers it only once calls under way have cost less than was reserved";

impl WaitReason {
    /// Sentence about the reason without its times; `name` gives the name of an account.
    pub fn sentence(&self, name: impl Fn(AccountId) -> String) -> String {
        match self {
            Self::Limit {
                account,
                dimension,
                until,
                ..
            } => limit_text(&name(*account), *dimension, until.is_none()),
            Self::SlotsOfEndedProcess { account, .. } => format!(
                "slots of {} are held by calls of a process that ended",
                name(*account)
            ),
            Self::CredentialsParked { pool, reasons } => {
                let parked: Vec<String> = reasons.iter().map(|one| parked(one, &name)).collect();
                let pool = pool.as_ref().map(|pool| format!(" of pool {pool}"));
                let (pool, parked) = (pool.unwrap_or_default(), parked.join("; "));
                format!("every credential{pool} is parked or refused: {parked}")
            }
            Self::NoAccount { role } => {
                let role = format!("{role:?}").to_lowercase();
                format!("no imported account serves a model of the role {role}")
            }
            Self::NoWorker { pool } => format!("no worker serves pool {pool}"),
            Self::WorkerBusy { pool } => format!("all workers of pool {pool} are busy"),
            Self::Queue { ahead: 0 } => "next in the queue".to_owned(),
            Self::Queue { ahead } => format!("{ahead} ahead in the queue"),
            Self::Retry {
                account, message, ..
            } => retry_text(account.map(name), message.as_deref()),
            Self::Budget => BUDGET_TEXT.to_owned(),
        }
    }
}

fn limit_text(account: &str, dimension: Option<Dimension>, is_open: bool) -> String {
    let limit = dimension.map_or("limit", limit_name);
    let open = if is_open {
        "; a call under way must end first"
    } else {
        ""
    };
    format!("the {limit} of {account} is reached{open}")
}

fn retry_text(account: Option<String>, message: Option<&str>) -> String {
    let of = account.map(|account| format!(" of {account}"));
    let reason = message.map(|message| format!(": {message}"));
    let (of, reason) = (of.unwrap_or_default(), reason.unwrap_or_default());
    format!("the last call{of} failed{reason}")
}

/// Name of a limit for people.
const fn limit_name(dimension: Dimension) -> &'static str {
    match dimension {
        Dimension::Requests => "limit of requests",
        Dimension::InputTokens => "limit of prompt tokens",
        Dimension::OutputTokens => "limit of output tokens",
        Dimension::TotalTokens => "limit of tokens",
        Dimension::Spend => "limit of money",
        Dimension::Concurrency => "limit of calls at once",
    }
}

fn parked(parked: &ParkedCredential, name: &impl Fn(AccountId) -> String) -> String {
    format!("{}: {}", name(parked.account), parked.why)
}
