//! Settings of a gateway, made by the binary from the configuration.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use chorus_accounts::AccountOperator;
use chorus_core::catalog::Catalog;
use chorus_core::id::{ModelSlug, Tenant};
use chorus_core::intake::Limits;
use chorus_core::money::MicroUsd;
use chorus_core::task_kind::ModelRole;
use chorus_core::time::Millis;
use chorus_report::LimitInForce;

/// Settings of one gateway process.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Authentication of requests.
    pub auth: Auth,
    /// Sizes of submissions.
    pub bounds: Bounds,
    /// Budget of a project for which the client names none.
    pub budget: MicroUsd,
    /// Maximum budget that a client may name.
    pub most_budget: MicroUsd,
    /// Models and prices, for estimates.
    pub catalog: Arc<Catalog>,
    /// Models for each role, for estimates.
    pub roles: BTreeMap<ModelRole, Vec<Vec<ModelSlug>>>,
    /// Maximum time until a reply begins.
    pub deadline: Millis,
    /// Time of silence after which an event stream sends a comment.
    pub keep_alive: Millis,
    /// Time between two reads of the rows by an event stream without a wake-up.
    pub poll: Millis,
    /// Maximum number of event streams at once.
    pub streams: usize,
    /// Maximum number of submissions read at once; each may take [`Bounds::body`] bytes of memory.
    pub uploads: usize,
    /// True if the providers of all projects are simulated, which reports mention.
    pub is_simulated: bool,
    /// Acts on accounts; none for a gateway without routes that change accounts.
    pub operator: Option<Arc<AccountOperator>>,
    /// Limits as providers have shown them, for reports; by default none, because a shared ledger is seen by all tenants.
    pub limits_in_force: LimitSource,
}

/// Reads the limits that are in force.
#[derive(Clone)]
pub struct LimitSource(Arc<dyn Fn() -> Vec<LimitInForce> + Send + Sync>);

impl LimitSource {
    /// Source that calls `read` for each report.
    pub fn new(read: impl Fn() -> Vec<LimitInForce> + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// Limits as of now.
    pub(crate) fn read(&self) -> Vec<LimitInForce> {
        (self.0)()
    }
}

impl Default for LimitSource {
    fn default() -> Self {
        Self::new(Vec::new)
    }
}

impl fmt::Debug for LimitSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LimitSource")
    }
}

/// Authentication of requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Auth {
    /// Every request needs an API key, which decides tenant and scopes.
    Keys,
    /// Every program of this machine is this tenant, without [`Scope::AccountsWrite`]. Refused for listeners on
    /// other addresses than loopback.
    ///
    /// [`Scope::AccountsWrite`]: chorus_core::port::keys::Scope::AccountsWrite
    Open(Tenant),
    /// Every caller is the operator, with all scopes: of this tenant, or the one that the header `chorus-tenant`
    /// names. For callers who may write the data folder; never for a listener on an address.
    Operator(Tenant),
}

/// Sizes of submissions, in bytes unless the field says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Maximum size of the brief.
    pub brief: u64,
    /// Maximum size of one attachment.
    pub attachment: u64,
    /// Maximum size of a whole request.
    pub body: usize,
    /// Maximum number of attachments.
    pub attachments: usize,
}

impl Settings {
    /// Default settings for this catalogue and these roles.
    pub fn usual(catalog: Arc<Catalog>, roles: BTreeMap<ModelRole, Vec<Vec<ModelSlug>>>) -> Self {
        Self {
            auth: Auth::Keys,
            bounds: Bounds::default(),
            budget: MicroUsd::from_dollars(5),
            most_budget: MicroUsd::from_dollars(1000),
            catalog,
            roles,
            deadline: Millis::from_secs(60),
            keep_alive: Millis::from_secs(10),
            poll: Millis::from_secs(1),
            streams: 4096,
            uploads: 8,
            is_simulated: false,
            operator: None,
            limits_in_force: LimitSource::default(),
        }
    }
}

impl Bounds {
    /// The part of them that [`chorus_core::intake`] checks.
    pub(crate) const fn intake(&self) -> Limits {
        Limits {
            brief_bytes: self.brief,
            attachment_bytes: self.attachment,
            attachments: self.attachments,
            total_bytes: self.body as u64,
        }
    }
}

impl Default for Bounds {
    fn default() -> Self {
        let Limits {
            brief_bytes,
            attachment_bytes,
            attachments,
            total_bytes: _,
        } = Limits::default();
        Self {
            brief: brief_bytes,
            attachment: attachment_bytes,
            body: 64 << 20,
            attachments,
        }
    }
}
