//! The model of a role: the first of its list that an account can serve, else the strongest that any can.
//! Any single key runs the whole job, and the choice says why it is what it is.

use std::collections::BTreeMap;
use std::fmt;

use chorus_core::catalog::Model;
use chorus_core::delivery::Role;
use chorus_core::id::{ModelSlug, Tenant};
use chorus_core::time::Timestamp;

use super::Roster;

/// The models of each role, the wanted one first.
pub type Roles = BTreeMap<Role, Vec<ModelSlug>>;

/// Which model serves a role, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleChoice {
    /// The role.
    pub role: Role,
    /// The model.
    pub model: ModelSlug,
    /// Why this one.
    pub because: Because,
}

/// Why a model was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Because {
    /// It is the first of the role's list.
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
    #[error("no imported account can serve any model for the role {0:?}; import an account, or name a model of one in the role's list")]
    NoAccount(Role),
    /// All credentials that could are parked.
    #[error("all credentials for the role {role:?} are parked")]
    Parked {
        /// The role.
        role: Role,
        /// When the first comes back.
        until: Timestamp,
    },
}

impl Roster {
    /// The model that serves a role for a tenant now.
    pub fn choose(&self, tenant: &Tenant, role: Role, roles: &Roles, now: Timestamp) -> Result<RoleChoice, Unserved> {
        let list = roles.get(&role).map(Vec::as_slice).unwrap_or_default();
        let served = |model: &ModelSlug| !self.admissible(tenant, model, None, now).is_empty();
        if let Some(place) = list.iter().position(served) {
            let because = if place == 0 { Because::Wanted } else { Because::Next { instead_of: list[..place].to_vec() } };
            return Ok(RoleChoice { role, model: list[place].clone(), because });
        }
        let strongest = self.catalog().models.iter().filter(|model| served(&model.slug)).max_by_key(|model| fitness(model, role));
        match strongest {
            Some(model) => Ok(RoleChoice { role, model: model.slug.clone(), because: Because::Strongest { instead_of: list.to_vec() } }),
            None => Err(self.unserved(tenant, role)),
        }
    }

    /// Whether one model is served for a tenant now.
    pub fn check(&self, tenant: &Tenant, model: &ModelSlug, role: Role, now: Timestamp) -> Result<(), Unserved> {
        match (self.admissible(tenant, model, None, now).is_empty(), self.returns(tenant, model)) {
            (false, _) => Ok(()),
            (true, Some(until)) => Err(Unserved::Parked { role, until }),
            (true, None) => Err(Unserved::NoAccount(role)),
        }
    }

    fn unserved(&self, tenant: &Tenant, role: Role) -> Unserved {
        let returns = self.catalog().models.iter().filter_map(|model| self.returns(tenant, &model.slug)).min();
        returns.map_or(Unserved::NoAccount(role), |until| Unserved::Parked { role, until })
    }
}

/// How well a model stands in for a role: planning and judging want thinking, then strength; the cheaper of equals.
fn fitness(model: &Model, role: Role) -> (bool, u8, std::cmp::Reverse<i64>) {
    let thinks = model.reasoning && matches!(role, Role::Planner | Role::Judge);
    (thinks, model.strength, std::cmp::Reverse(model.price.output.0))
}

impl fmt::Display for RoleChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |models: &[ModelSlug]| models.iter().map(ModelSlug::as_str).collect::<Vec<_>>().join(", ");
        write!(f, "{}: {}", format!("{:?}", self.role).to_lowercase(), self.model)?;
        match &self.because {
            Because::Wanted => Ok(()),
            Because::Next { instead_of } => write!(f, " (no account serves {})", names(instead_of)),
            Because::Strongest { instead_of } if instead_of.is_empty() => f.write_str(" (the strongest model your accounts serve)"),
            Because::Strongest { instead_of } => {
                write!(f, " (the strongest model your accounts serve; none serves {})", names(instead_of))
            }
        }
    }
}
