//! Accounts of the tenants that a term serves, and the projects that a change of them may help.
//!
//! Tenants are found by their queued rows, by their deliveries, and by their projects that are held up: these may
//! have no row in the queue. The [`term`](crate::term) reads accounts when they are due or were announced as changed.

use std::collections::{BTreeMap, BTreeSet};

use chorus_core::id::Tenant;
use chorus_core::port::StoreError;
use chorus_core::port::directory::{Account, Credential, CredentialState};
use chorus_core::port::waits::HeldUpProject;
use chorus_core::project::Head;
use chorus_core::time::Timestamp;
use chorus_pool::Admission;

use crate::context::Context;
use crate::rotations;

/// Number of held-up projects in one reading.
const PAGE: u32 = 500;

/// Accounts of each tenant as they were read last.
#[derive(Debug)]
pub(crate) struct Accounts {
    /// Time of the next reading of all tenants.
    pub(crate) due: Timestamp,
    tenants: BTreeSet<Tenant>,
    read: BTreeMap<Tenant, Vec<Account>>,
    /// Tenants with accounts that may serve what could not be served before.
    changed: BTreeSet<Tenant>,
}

impl Accounts {
    /// No tenant; all are due.
    pub(crate) const fn new() -> Self {
        Self {
            due: Timestamp(i64::MIN),
            tenants: BTreeSet::new(),
            read: BTreeMap::new(),
            changed: BTreeSet::new(),
        }
    }

    /// Has all tenants read at once after a change; a tenant without work too, because a rotation may be under way.
    pub(crate) fn changed(&mut self, tenant: Option<Tenant>, now: Timestamp) {
        self.tenants.extend(tenant);
        self.due = now;
    }

    /// Reads the accounts of tenants that are new to this term.
    pub(crate) async fn load(
        &mut self,
        context: &Context,
        admission: &mut Admission,
        tenants: impl Iterator<Item = &Tenant>,
    ) {
        let new: BTreeSet<Tenant> = tenants
            .filter(|tenant| !admission.index().knows(tenant))
            .cloned()
            .collect();
        for tenant in new {
            self.read_one(context, admission, &tenant).await;
            self.tenants.insert(tenant);
        }
    }

    /// Reads the accounts of every tenant that this term has met, and of those with held-up projects.
    pub(crate) async fn read_all(&mut self, context: &Context, admission: &mut Admission) {
        self.due = context.now() + context.settings.accounts;
        if let Ok(held_up) = held_up(context).await {
            let tenants = held_up.into_iter().map(|held_up| held_up.tenant);
            self.tenants.extend(tenants);
        }
        for tenant in self.tenants.clone() {
            self.read_one(context, admission, &tenant).await;
        }
    }

    async fn read_one(&mut self, context: &Context, admission: &mut Admission, tenant: &Tenant) {
        let accounts = context.directory.accounts(tenant);
        let Ok(accounts) = context.statement("read accounts", accounts).await else {
            return;
        };
        let known = self.read.insert(tenant.clone(), accounts.clone());
        let known = known.unwrap_or_default();
        if has_new_active(&known, &accounts) {
            self.changed.insert(tenant.clone());
        }
        admission.update_endpoints(|index| index.set(tenant, accounts.clone()));
        if rotations::advance(context, tenant, (&known, &accounts)).await {
            self.due = context.now();
        } else if rotations::are_under_way(&accounts) {
            self.due = self.due.min(context.now() + rotations::PACE);
        }
    }

    /// Returns the projects that the changes since the last call may help: tasks without an account are tried
    /// again, and a condition that still holds is found again. After a failed reading they are returned by the
    /// next call.
    pub(crate) async fn helped(&mut self, context: &Context) -> Vec<HeldUpProject> {
        if self.changed.is_empty() {
            return Vec::new();
        }
        let Ok(all) = held_up(context).await else {
            return Vec::new();
        };
        let changed = std::mem::take(&mut self.changed);
        let mut helped = Vec::new();
        for held_up in all {
            if !changed.contains(&held_up.tenant) {
                continue;
            }
            let head = context.projects.head(held_up.project);
            match context.statement("read a project's head", head).await {
                Ok(Some(loaded)) if waits_for_account(&loaded.head) => helped.push(held_up),
                Ok(_) => {}
                Err(_) => {
                    self.changed.insert(held_up.tenant);
                }
            }
        }
        helped
    }
}

/// Returns true if an account may be what the project waits for, also within a pause.
const fn waits_for_account(head: &Head) -> bool {
    head.held > 0 || head.wait.is_some()
}

/// Returns true if a credential is active now that was not, or that served other models.
fn has_new_active(known: &[Account], accounts: &[Account]) -> bool {
    let credentials = |accounts: &[Account]| -> Vec<Credential> {
        let of = accounts.iter().flat_map(|account| &account.credentials);
        of.cloned()
            .map(|credential| Credential {
                mark: None,
                ..credential
            })
            .collect()
    };
    let known = credentials(known);
    credentials(accounts).iter().any(|credential| {
        credential.state == CredentialState::Active && !known.contains(credential)
    })
}

async fn held_up(context: &Context) -> Result<Vec<HeldUpProject>, StoreError> {
    let mut all: Vec<HeldUpProject> = Vec::new();
    loop {
        let after = all.last().map(|held_up| held_up.project);
        let page = context.waits.held_up(after, PAGE);
        let page = context.statement("read held-up projects", page).await?;
        let is_last = page.len() < PAGE as usize;
        all.extend(page);
        if is_last {
            return Ok(all);
        }
    }
}
