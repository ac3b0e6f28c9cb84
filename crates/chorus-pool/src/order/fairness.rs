//! Virtual token counters: the tenant that has been served least goes first, and of its projects the one that has.
//!
//! Counters are charged at admission with the estimate and corrected by the real use. A tenant or project without
//! waiting calls is lifted to the least of those that wait when it comes back, so that absence earns nothing.

use std::collections::{BTreeMap, BTreeSet};

use chorus_core::id::{ProjectId, Tenant};

/// Number of a tenant with a project that calls are served for.
pub type PayerId = u32;

/// Maximum number of projects with a counter; beyond it the least served one that does not wait is forgotten.
const PROJECTS: usize = 10_000;

/// Counters of all tenants and projects.
#[derive(Debug, Clone, Default)]
pub struct Fairness {
    tenants: Vec<Counter>,
    payers: Vec<Payer>,
    tenant_numbers: BTreeMap<Tenant, u32>,
    payer_numbers: BTreeMap<(u32, Option<ProjectId>), PayerId>,
    waiting_tenants: BTreeSet<(u64, u32)>,
}

#[derive(Debug, Clone, Default)]
struct Counter {
    used: u64,
    waiting: u32,
    /// Payers of the tenant that wait, by what they have used.
    payers: BTreeSet<(u64, PayerId)>,
}

#[derive(Debug, Clone)]
struct Payer {
    tenant: u32,
    project: Option<ProjectId>,
    used: u64,
    waiting: u32,
}

impl Fairness {
    /// Number of a tenant.
    pub fn tenant(&mut self, tenant: &Tenant) -> u32 {
        if let Some(number) = self.tenant_numbers.get(tenant) {
            return *number;
        }
        let number = self.tenants.len() as u32;
        self.tenants.push(Counter::default());
        self.tenant_numbers.insert(tenant.clone(), number);
        number
    }

    /// Number of a tenant with a project; no project for calls outside of one.
    pub fn payer(&mut self, tenant: &Tenant, project: Option<ProjectId>) -> PayerId {
        let tenant = self.tenant(tenant);
        if let Some(number) = self.payer_numbers.get(&(tenant, project)) {
            return *number;
        }
        let fresh = Payer {
            tenant,
            project,
            used: 0,
            waiting: 0,
        };
        let number = self.forget_one().unwrap_or(self.payers.len() as PayerId);
        match self.payers.get_mut(number as usize) {
            Some(place) => *place = fresh,
            None => self.payers.push(fresh),
        }
        self.payer_numbers.insert((tenant, project), number);
        number
    }

    /// Frees the number of the least served payer that does not wait, if there are too many.
    fn forget_one(&mut self) -> Option<PayerId> {
        if self.payers.len() < PROJECTS {
            return None;
        }
        let idle = (0..)
            .zip(&self.payers)
            .filter(|(_, payer)| payer.waiting == 0);
        let (number, payer) = idle.min_by_key(|(_, payer)| payer.used)?;
        self.payer_numbers.remove(&(payer.tenant, payer.project));
        Some(number)
    }

    /// Records that a call of the payer waits. The first one lifts its counters to the least of those that wait.
    pub fn enters(&mut self, payer: PayerId) {
        let number = self.payers[payer as usize].tenant;
        let tenant = &mut self.tenants[number as usize];
        let of_payer = &mut self.payers[payer as usize];
        if of_payer.waiting == 0 {
            let least = tenant.payers.first().map_or(0, |(used, _)| *used);
            of_payer.used = of_payer.used.max(least);
            tenant.payers.insert((of_payer.used, payer));
        }
        of_payer.waiting += 1;
        if tenant.waiting == 0 {
            let least = self.waiting_tenants.first().map_or(0, |(used, _)| *used);
            tenant.used = tenant.used.max(least);
            self.waiting_tenants.insert((tenant.used, number));
        }
        tenant.waiting += 1;
    }

    /// Records that a call of the payer waits no longer.
    pub fn leaves(&mut self, payer: PayerId) {
        let of_payer = &mut self.payers[payer as usize];
        let tenant = &mut self.tenants[of_payer.tenant as usize];
        of_payer.waiting = of_payer.waiting.saturating_sub(1);
        tenant.waiting = tenant.waiting.saturating_sub(1);
        if of_payer.waiting == 0 {
            tenant.payers.remove(&(of_payer.used, payer));
        }
        if tenant.waiting == 0 {
            let entry = (tenant.used, of_payer.tenant);
            self.waiting_tenants.remove(&entry);
        }
    }

    /// Weighted tokens that the payer's tenant and project have used.
    pub fn used(&self, payer: PayerId) -> (u64, u64) {
        let payer = &self.payers[payer as usize];
        (self.tenants[payer.tenant as usize].used, payer.used)
    }

    /// Adds the weighted tokens of an admitted call, and takes away those that were estimated before.
    pub fn add(&mut self, payer: PayerId, more: u64, less: u64) {
        let of_payer = &mut self.payers[payer as usize];
        let number = of_payer.tenant;
        let tenant = &mut self.tenants[number as usize];
        let before = of_payer.used;
        of_payer.used = (before + more).saturating_sub(less);
        if tenant.payers.remove(&(before, payer)) {
            tenant.payers.insert((of_payer.used, payer));
        }
        let before = tenant.used;
        tenant.used = (before + more).saturating_sub(less);
        if self.waiting_tenants.remove(&(before, number)) {
            self.waiting_tenants.insert((tenant.used, number));
        }
    }

    /// Counters of all projects: what a successor needs to share as fairly.
    pub fn export(&self) -> Vec<(Tenant, Option<ProjectId>, u64)> {
        let names: BTreeMap<u32, &Tenant> = self
            .tenant_numbers
            .iter()
            .map(|(tenant, number)| (*number, tenant))
            .collect();
        let payers = self.payers.iter();
        payers
            .filter_map(|payer| {
                let tenant = (*names.get(&payer.tenant)?).clone();
                Some((tenant, payer.project, payer.used))
            })
            .collect()
    }

    /// Weight of a call with this use: a produced token weighs as much as five read ones.
    pub const fn weight(input: u64, output: u64) -> u64 {
        input.saturating_add(output.saturating_mul(5))
    }
}
