//! The models of a role: those of the first tier of its list that accounts can serve, else the strongest model
//! that any can. Models of one tier share the work. Any single key runs the whole job, and the choice says why
//! it is what it is.

use std::collections::BTreeMap;
use std::fmt;

use chorus_core::catalog::Model;
use chorus_core::id::{ModelSlug, Tenant};
use chorus_core::task_kind::ModelRole;
use chorus_core::time::Timestamp;

use super::EndpointIndex;

/// The models of each role in tiers, the wanted tier first. Models of one tier are equally good.
pub type RoleModels = BTreeMap<ModelRole, Vec<Vec<ModelSlug>>>;

/// Which models serve a role, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelChoice {
    /// The role.
    pub role: ModelRole,
    /// The models of one tier that accounts can serve; never empty.
    pub models: Vec<ModelSlug>,
    /// Why these.
    pub because: ChoiceReason,
}

/// Why models were chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChoiceReason {
    /// They are the first tier of the role's list.
    Wanted,
    /// No account can serve those before it in the list.
    Next {
        /// The models before it.
        instead_of: Vec<ModelSlug>,
    },
    /// No account can serve any of the list: it is the strongest that one can.
    Strongest {
        /// The list.
        instead_of: Vec<ModelSlug>,
    },
}

/// Why no model serves a role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unserved {
    /// No account ever will, as things are.
    #[error(
        "no imported account can serve any model for the role {0:?}; import an account, or name a model of one in the role's list"
    )]
    NoAccount(ModelRole),
    /// All credentials that could are parked.
    #[error("all credentials for the role {role:?} are parked")]
    Parked {
        /// The role.
        role: ModelRole,
        /// When the first comes back.
        until: Timestamp,
    },
}

impl EndpointIndex {
    /// The models that serve a role for a tenant now.
    pub fn choose(
        &self,
        tenant: &Tenant,
        role: ModelRole,
        roles: &RoleModels,
        now: Timestamp,
    ) -> Result<ModelChoice, Unserved> {
        let tiers = roles.get(&role).map(Vec::as_slice).unwrap_or_default();
        let served = |model: &ModelSlug| !self.admissible(tenant, model, None, now).is_empty();
        for (place, tier) in tiers.iter().enumerate() {
            let models: Vec<ModelSlug> =
                tier.iter().filter(|model| served(model)).cloned().collect();
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
            .filter(|model| served(&model.slug))
            .max_by_key(|model| fitness(model, role));
        match strongest {
            Some(model) => Ok(ModelChoice {
                role,
                models: vec![model.slug.clone()],
                because: ChoiceReason::Strongest {
                    instead_of: tiers.concat(),
                },
            }),
            None => Err(self.unserved(tenant, role)),
        }
    }

    /// Whether one model is served for a tenant now.
    pub fn check(
        &self,
        tenant: &Tenant,
        model: &ModelSlug,
        role: ModelRole,
        now: Timestamp,
    ) -> Result<(), Unserved> {
        match (
            self.admissible(tenant, model, None, now).is_empty(),
            self.returns(tenant, model),
        ) {
            (false, _) => Ok(()),
            (true, Some(until)) => Err(Unserved::Parked { role, until }),
            (true, None) => Err(Unserved::NoAccount(role)),
        }
    }

    fn unserved(&self, tenant: &Tenant, role: ModelRole) -> Unserved {
        let returns = self
            .catalog()
            .models
            .iter()
            .filter_map(|model| self.returns(tenant, &model.slug))
            .min();
        returns.map_or(Unserved::NoAccount(role), |until| Unserved::Parked {
            role,
            until,
        })
    }
}

/// How well a model stands in for a role: planning and judging want thinking, then strength; the cheaper of equals.
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
