//! What the gateway is given: ports and settings.

use std::collections::BTreeMap;
use std::sync::Arc;

use chorus_core::catalog::Catalog;
use chorus_core::id::{ModelSlug, Tenant};
use chorus_core::intake::Limits;
use chorus_core::money::MicroUsd;
use chorus_core::task_kind::ModelRole;
use chorus_core::time::Millis;

/// How the gateway behaves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Who may come in.
    pub auth: Auth,
    /// SizeLimits of what is handed in.
    pub bounds: Bounds,
    /// Most that a project may spend when its client names no budget.
    pub budget: MicroUsd,
    /// Most that a client may name as a budget.
    pub most_budget: MicroUsd,
    /// Models and prices, for estimates.
    pub catalog: Arc<Catalog>,
    /// Models for each role, for estimates.
    pub roles: BTreeMap<ModelRole, Vec<Vec<ModelSlug>>>,
    /// How long a request may take until its reply begins.
    pub deadline: Millis,
    /// How often a silent stream of events says that it is alive.
    pub keep_alive: Millis,
    /// How often a stream of events looks at the rows although nothing woke it.
    pub poll: Millis,
    /// Most streams of events at once.
    pub streams: usize,
    /// Most submissions that are read at once; each may take as much memory as a body may have bytes.
    pub uploads: usize,
}

/// Who may come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Auth {
    /// Whoever presents a key; the key says whose work is seen and done.
    Keys,
    /// Everybody on this machine, as this tenant. Refused when the listener can be reached from elsewhere.
    Open(Tenant),
}

/// SizeLimits of what is handed in, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The brief.
    pub brief: u64,
    /// One attachment.
    pub attachment: u64,
    /// A whole request.
    pub body: usize,
    /// How many attachments, not how large.
    pub attachments: usize,
}

impl Settings {
    /// The usual settings for this catalogue and these roles.
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
        }
    }
}

impl Default for Bounds {
    fn default() -> Self {
        let Limits {
            brief_bytes,
            attachment_bytes,
            attachments,
        } = Limits::default();
        Self {
            brief: brief_bytes,
            attachment: attachment_bytes,
            body: 64 << 20,
            attachments,
        }
    }
}
