//! Tenants, projects and pools by number: what each has used, and the work that waits for each.

use chorus_core::id::{Pool, ProjectId, ProviderId, Tenant};
use chorus_core::time::Timestamp;

use super::rows::Names;
use super::selectors::Eligible;
use super::{Engine, Payer, Share};
use crate::order::{PayerId, RowId, Work};
use crate::request::{ModelSelector, Rest};

impl Engine {
    /// Replaces the calls that wait in the rows and were not pushed.
    pub(crate) fn set_rest(&mut self, rest: &[Rest], now: Timestamp) {
        self.shares
            .iter_mut()
            .for_each(|share| share.rest = Work::default());
        for one in rest {
            let role = one.kind.role();
            let wanted = ModelSelector::Role(role);
            let selector = self.selector_of(&one.tenant, &wanted, role, now);
            let Eligible::Models(models) = &self.selectors.selector(selector).eligible else {
                continue;
            };
            let Some(model) = models
                .first()
                .and_then(|slug| self.index.model(slug))
                .cloned()
            else {
                continue;
            };
            let served = |provider: &&ProviderId| {
                let number = self.targets.route_number(provider, &model.slug);
                number.is_some()
            };
            let mut routes = model.routes.keys();
            let Some(provider) = routes.clone().find(served).or_else(|| routes.next()) else {
                continue;
            };
            let work = Work::of(&self.estimator, provider, &model, one.kind, &one.size);
            let tenant = self.tenant(&one.tenant);
            let share = self.share(tenant, Some(model.pool.clone()));
            self.shares[share].rest = self.shares[share].rest + work.times(one.calls);
        }
    }

    /// Number of the sum of work of a tenant's pool.
    pub(super) fn share(&mut self, tenant: u32, pool: Option<Pool>) -> usize {
        let key = (tenant, pool);
        if let Some(number) = self.share_numbers.get(&key) {
            return *number;
        }
        self.shares.push(Share::default());
        let number = self.shares.len() - 1;
        self.share_numbers.insert(key, number);
        number
    }

    pub(super) fn tenant(&mut self, tenant: &Tenant) -> u32 {
        let number = self.fairness.tenant(tenant);
        if self.tenants.len() <= number as usize {
            self.tenants.push(tenant.clone());
        }
        number
    }

    pub(super) fn tenant_name(&self, tenant: u32) -> Tenant {
        self.tenants[tenant as usize].clone()
    }

    pub(super) fn payer(&mut self, tenant: &Tenant, project: Option<ProjectId>) -> PayerId {
        self.tenant(tenant);
        let number = self.fairness.payer(tenant, project);
        if self.payers.len() <= number as usize {
            self.payers.resize_with(number as usize + 1, Payer::default);
        }
        let names = (tenant.clone(), project);
        let payer = &mut self.payers[number as usize];
        if payer.names.as_ref() != Some(&names) {
            *payer = Payer {
                names: Some(names),
                lines: Vec::new(),
            };
        }
        number
    }

    pub(super) fn names(&self, number: RowId) -> Names {
        let row = self.rows.row(number);
        let selector = self.selectors.selector(row.selector);
        let payer = self.payers[row.payer as usize].names.as_ref();
        Names {
            tenant: selector.tenant.clone(),
            project: payer.and_then(|(_, project)| *project),
            selector: selector.wanted.clone(),
        }
    }

    pub(super) fn fairness_enters(&mut self, payer: PayerId) {
        let before = self.fairness.used(payer).1;
        self.fairness.enters(payer);
        let after = self.fairness.used(payer).1;
        self.use_changed(payer, before, after);
    }

    /// Adds weighted tokens to a payer's counters, and takes others away.
    pub(crate) fn add_use(&mut self, payer: PayerId, more: u64, less: u64) {
        let before = self.fairness.used(payer).1;
        self.fairness.add(payer, more, less);
        let after = self.fairness.used(payer).1;
        self.use_changed(payer, before, after);
    }

    fn use_changed(&mut self, payer: PayerId, before: u64, after: u64) {
        if before == after {
            return;
        }
        let lines = std::mem::take(&mut self.payers[payer as usize].lines);
        for line in &lines {
            if let Some(line) = self.lines.line_mut(*line) {
                line.calls.used(payer, before, after);
            }
        }
        self.payers[payer as usize].lines = lines;
    }

    /// Counters of all projects.
    pub(crate) fn export_use(&self) -> Vec<(Tenant, Option<ProjectId>, u64)> {
        self.fairness.export()
    }

    /// Adds the use of calls that were admitted before this process.
    pub(crate) fn import_use(&mut self, tenant: &Tenant, project: Option<ProjectId>, used: u64) {
        let payer = self.payer(tenant, project);
        self.add_use(payer, used, 0);
    }

    /// Replaces the estimated use of an ended call by its real use.
    pub(crate) fn correct(
        &mut self,
        tenant: &Tenant,
        project: Option<ProjectId>,
        charged: u64,
        used: u64,
    ) {
        let payer = self.payer(tenant, project);
        self.add_use(payer, used, charged);
    }
}
