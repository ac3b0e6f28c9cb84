//! Selectors: what calls of one tenant ask for, with the models that serve it now.

use std::collections::BTreeMap;

use chorus_core::id::{ModelSlug, Tenant};
use chorus_core::task_kind::ModelRole;
use chorus_core::time::Timestamp;

use super::Engine;
use crate::endpoint_index::Unserved;
use crate::request::ModelSelector;

/// Number of a [`Selector`].
pub(crate) type SelectorNo = u32;

/// What calls of a tenant ask for.
#[derive(Debug, Clone)]
pub(crate) struct Selector {
    pub(crate) tenant: Tenant,
    pub(crate) wanted: ModelSelector,
    /// Role of the calls, for messages.
    pub(crate) role: ModelRole,
    pub(crate) eligible: Eligible,
}

/// Models that serve a [`Selector`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Eligible {
    /// Models of one tier, each with an account in use.
    Models(Vec<ModelSlug>),
    /// Every credential that could serve it is parked.
    Parked,
    /// No account will ever serve it.
    Never(String),
}

/// Every [`Selector`] that was ever used.
#[derive(Debug, Default)]
pub(crate) struct Selectors {
    pub(crate) all: Vec<Selector>,
    numbers: BTreeMap<(Tenant, ModelSelector, ModelRole), SelectorNo>,
}

impl Selectors {
    pub(crate) fn selector(&self, number: SelectorNo) -> &Selector {
        &self.all[number as usize]
    }
}

impl Engine {
    /// Number of a selector; a new one looks up its models.
    pub(super) fn selector_of(
        &mut self,
        tenant: &Tenant,
        wanted: &ModelSelector,
        role: ModelRole,
        now: Timestamp,
    ) -> SelectorNo {
        let key = (tenant.clone(), wanted.clone(), role);
        if let Some(number) = self.selectors.numbers.get(&key) {
            return *number;
        }
        let number = self.selectors.all.len() as SelectorNo;
        let eligible = self.eligible(tenant, wanted, role, now);
        self.selectors.all.push(Selector {
            tenant: tenant.clone(),
            wanted: wanted.clone(),
            role,
            eligible,
        });
        self.selectors.numbers.insert(key, number);
        number
    }

    /// Looks up the models of every selector again; returns those with other models than before.
    pub(super) fn refresh_selectors(&mut self, now: Timestamp) -> Vec<SelectorNo> {
        let mut changed = Vec::new();
        for number in 0..self.selectors.all.len() {
            let selector = &self.selectors.all[number];
            let eligible = self.eligible(&selector.tenant, &selector.wanted, selector.role, now);
            if eligible != selector.eligible {
                self.selectors.all[number].eligible = eligible;
                changed.push(number as SelectorNo);
            }
        }
        changed
    }

    fn eligible(
        &self,
        tenant: &Tenant,
        wanted: &ModelSelector,
        role: ModelRole,
        now: Timestamp,
    ) -> Eligible {
        let of_role = |role: ModelRole, unfit: &[ModelSlug]| {
            let is_open = |model: &ModelSlug| self.is_open(tenant, model, now);
            self.index
                .choose_except(tenant, role, &self.roles, now, (unfit, is_open))
                .map(|choice| choice.models)
        };
        let models = match wanted {
            ModelSelector::Role(role) => of_role(*role, &[]),
            ModelSelector::RoleExcept { role, unfit } => of_role(*role, unfit),
            ModelSelector::Model(model) => {
                let check = self.index.check(tenant, model, role, now);
                check.map(|()| vec![model.clone()])
            }
        };
        match models {
            Ok(models) => Eligible::Models(models),
            Err(Unserved::Parked { .. }) => Eligible::Parked,
            Err(unserved @ (Unserved::NoAccount(_) | Unserved::Refused { .. })) => {
                Eligible::Never(unserved.to_string())
            }
        }
    }

    /// Returns true if some account of the tenant may be called with the model now.
    fn is_open(&self, tenant: &Tenant, slug: &ModelSlug, now: Timestamp) -> bool {
        let mut endpoints = self.index.endpoints(tenant).iter();
        self.index.model(slug).is_some_and(|model| {
            endpoints.any(|endpoint| {
                model.routes.contains_key(&endpoint.provider)
                    && endpoint.serves(slug)
                    && endpoint.is_active(now)
                    && self.opens(endpoint.account, &endpoint.provider, slug, now) <= now
            })
        })
    }
}
