//! Choice of the models of a role: the first tier of its list that accounts can serve, else the strongest model that
//! any account can serve.
//!
//! Models of one tier share the work. A single key is enough for a whole project, and a [`ModelChoice`] holds its
//! reason.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use chorus_core::catalog::Model;
use chorus_core::id::{ModelSlug, Tenant};
use chorus_core::port::directory::CredentialState;
use chorus_core::task_kind::ModelRole;
use chorus_core::time::Timestamp;

use super::EndpointIndex;

/// Maximum number of providers' messages in [`Unserved::Refused`].
const MAX_REASONS: usize = 3;

/// Models of each role in tiers, the preferred tier first. Models of one tier are equally good.
pub type RoleModels = BTreeMap<ModelRole, Vec<Vec<ModelSlug>>>;

/// Models that serve a role, with the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelChoice {
    /// Role that is served.
    pub role: ModelRole,
    /// Models of one tier that accounts can serve; never empty.
    pub models: Vec<ModelSlug>,
    /// Reason of the choice.
    pub because: ChoiceReason,
}

/// Reason of a [`ModelChoice`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChoiceReason {
    /// The models are in the first tier of the role's list.
    Wanted,
    /// No account can serve the tiers before theirs.
    Next {
        /// Models of the tiers before.
        instead_of: Vec<ModelSlug>,
    },
    /// No account can serve any model of the list: the strongest model of all accounts stands in.
    Strongest {
        /// Models of the list.
        instead_of: Vec<ModelSlug>,
    },
}

/// Reason why no model serves a role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unserved {
    /// No account serves any model.
    #[error(
        "no imported account can serve any model for the role {0:?}; import an account, or name a model of one in the role's list"
    )]
    NoAccount(ModelRole),
    /// Every credential that could serve the role is refused by its provider.
    #[error(
        "every credential for the role {role:?} is refused: {reasons}; import another key, or try it again with `chorus account probe`"
    )]
    Refused {
        /// Role without a model.
        role: ModelRole,
        /// Providers with their messages.
        reasons: String,
    },
    /// Every credential that could serve the role is parked.
    #[error("all credentials for the role {role:?} are parked")]
    Parked {
        /// Role without a model.
        role: ModelRole,
        /// Time at which the first credential becomes usable.
        until: Timestamp,
    },
}

impl EndpointIndex {
    /// Chooses the models of a role for a tenant at `now`.
    pub fn choose(
        &self,
        tenant: &Tenant,
        role: ModelRole,
        roles: &RoleModels,
        now: Timestamp,
    ) -> Result<ModelChoice, Unserved> {
        self.choose_open(tenant, role, roles, now, |_| true)
    }

    /// Chooses the models of a role as [`EndpointIndex::choose`] does, but passes tiers over of which no model is
    /// open, as long as another tier has an open one.
    pub fn choose_open(
        &self,
        tenant: &Tenant,
        role: ModelRole,
        roles: &RoleModels,
        now: Timestamp,
        is_open: impl Fn(&ModelSlug) -> bool,
    ) -> Result<ModelChoice, Unserved> {
        self.choose_except(tenant, role, roles, now, (&[], is_open))
    }

    /// Chooses the models of a role as [`EndpointIndex::choose_open`] does, without the `unfit` ones.
    pub fn choose_except(
        &self,
        tenant: &Tenant,
        role: ModelRole,
        roles: &RoleModels,
        now: Timestamp,
        (unfit, is_open): (&[ModelSlug], impl Fn(&ModelSlug) -> bool),
    ) -> Result<ModelChoice, Unserved> {
        let tiers = roles.get(&role).map(Vec::as_slice).unwrap_or_default();
        let is_served =
            |model: &ModelSlug| !unfit.contains(model) && self.is_served(tenant, model, now);
        let has_open = tiers
            .iter()
            .flatten()
            .any(|model| is_served(model) && is_open(model));
        let in_tier = |model: &ModelSlug| is_served(model) && (!has_open || is_open(model));
        for (place, tier) in tiers.iter().enumerate() {
            let models: Vec<ModelSlug> = tier
                .iter()
                .filter(|model| in_tier(model))
                .cloned()
                .collect();
            if !models.is_empty() {
                let because = if place == 0 {
                    ChoiceReason::Wanted
                } else {
                    ChoiceReason::Next {
                        instead_of: tiers[..place].concat(),
                    }
                };
                return Ok(ModelChoice {
                    role,
                    models,
                    because,
                });
            }
        }
        let strongest = self
            .catalog()
            .models
            .iter()
            .filter(|model| is_served(&model.slug))
            .max_by_key(|model| fitness(model, role));
        match strongest {
            Some(model) => Ok(ModelChoice {
                role,
                models: vec![model.slug.clone()],
                because: ChoiceReason::Strongest {
                    instead_of: tiers.concat(),
                },
            }),
            None => Err(self.unserved(tenant, role, unfit)),
        }
    }

    /// Checks that one model is served for a tenant at `now`.
    pub fn check(
        &self,
        tenant: &Tenant,
        model: &ModelSlug,
        role: ModelRole,
        now: Timestamp,
    ) -> Result<(), Unserved> {
        match (
            !self.is_served(tenant, model, now),
            self.returns(tenant, model),
        ) {
            (false, _) => Ok(()),
            (true, Some(until)) => Err(Unserved::Parked { role, until }),
            (true, None) => Err(self.without_end(tenant, role, std::iter::once(model))),
        }
    }

    fn unserved(&self, tenant: &Tenant, role: ModelRole, unfit: &[ModelSlug]) -> Unserved {
        let models = || {
            let slugs = self.catalog().models.iter().map(|model| &model.slug);
            slugs.filter(|slug| !unfit.contains(slug))
        };
        let returns = models().filter_map(|slug| self.returns(tenant, slug)).min();
        returns.map_or_else(
            || self.without_end(tenant, role, models()),
            |until| Unserved::Parked { role, until },
        )
    }

    /// Reason of a wait that no time ends: refused credentials, or none at all.
    fn without_end<'a>(
        &self,
        tenant: &Tenant,
        role: ModelRole,
        models: impl Iterator<Item = &'a ModelSlug>,
    ) -> Unserved {
        let refused: BTreeSet<String> = models
            .flat_map(|model| self.serving(tenant, model))
            .filter_map(|endpoint| match &endpoint.state {
                CredentialState::Refused { reason } => {
                    Some(format!("{} says: {reason}", endpoint.provider))
                }
                CredentialState::Paused { .. } => {
                    Some(format!("a credential of {} is paused", endpoint.provider))
                }
                CredentialState::Active
                | CredentialState::Parked { .. }
                | CredentialState::Draining { .. } => None,
            })
            .collect();
        if refused.is_empty() {
            return Unserved::NoAccount(role);
        }
        let reasons: Vec<String> = refused.into_iter().take(MAX_REASONS).collect();
        Unserved::Refused {
            role,
            reasons: reasons.join("; "),
        }
    }
}

/// Order of models as substitutes for a role: planner and judge prefer reasoning models, then strength decides,
/// then the lower price.
fn fitness(model: &Model, role: ModelRole) -> (bool, u8, std::cmp::Reverse<i64>) {
    let thinks = model.reasoning && matches!(role, ModelRole::Planner | ModelRole::Judge);
    (
        thinks,
        model.strength,
        std::cmp::Reverse(model.price.output.0),
    )
}

impl fmt::Display for ModelChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |models: &[ModelSlug]| {
            models
                .iter()
                .map(ModelSlug::as_str)
                .collect::<Vec<_>>()
                .join(", ")
        };
        write!(
            f,
            "{}: {}",
            format!("{:?}", self.role).to_lowercase(),
            names(&self.models)
        )?;
        match &self.because {
            ChoiceReason::Wanted => Ok(()),
            ChoiceReason::Next { instead_of } => {
                write!(f, " (no account serves {})", names(instead_of))
            }
            ChoiceReason::Strongest { instead_of } if instead_of.is_empty() => {
                f.write_str(" (the strongest model your accounts serve)")
            }
            ChoiceReason::Strongest { instead_of } => {
                write!(
                    f,
                    " (the strongest model your accounts serve; none serves {})",
                    names(instead_of)
                )
            }
        }
    }
}
