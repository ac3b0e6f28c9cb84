//! Resources of the HTTP API, as the gateway writes them and clients read them.
//!
//! Fields that end in `_usd` are US dollars, `_micro_usd` millionths of a dollar, `_ms` milliseconds (`_at_ms`: since
//! the Unix epoch). Fields are only ever added; a reader ignores unknown ones. Both `chorus-gateway` and
//! `chorus-client` depend on this crate, and neither depends on the other.
//!
//! Deliberately absent: routes, authentication, validation, and anything that waits.

mod account;
mod attention;
mod audit;
mod command;
mod deliverable;
mod delivery;
mod error;
mod estimate;
mod event;
mod level;
mod plan;
mod pool;
mod project;
mod submission;
mod wait;

pub use account::{
    AccountImport, AccountList, AccountResource, ChangedAccounts, CredentialResource, EnableBody,
    EntitlementResource, GroupResource, ImportReport, KeyCheckResource, NewAccountBody,
    NewCredentialBody, PauseBody, ProbeReport, RefusedAccount, RotateBody, RotationResource,
    UpdatedAccount, expiry,
};
pub use attention::{AttentionResource, ChoiceResource, PlanOfferResource};
pub use audit::{AuditList, AuditResource, UseList, UseResource};
pub use command::{
    Answers, CommandAccepted, NewBudget, PlanApproval, Rejection, Reopen, TaskChoice,
};
pub use deliverable::{DeliverableFile, DeliverableResource};
pub use delivery::{DeliveryList, DeliveryResource};
pub use error::{ErrorBody, Problem};
pub use estimate::{Estimate, RoleModels};
pub use event::{EndOfEvents, ProgressEvent};
pub use level::LimitResource;
pub use plan::{PlanResource, PlanTask, TaskError};
pub use pool::{Bottleneck, CredentialCounts, PoolList, PoolResource, TaskWhy};
pub use project::{
    Links, MoneyResource, PhaseCount, Phases, ProjectFacts, ProjectList, ProjectResource,
    QuestionResource, SummaryResource, TaskCounts, VerdictResource, dollars, micro_usd,
};
pub use submission::{Approval, Document, Submission, SubmissionOptions};
pub use wait::{AccountNames, WaitResource};
