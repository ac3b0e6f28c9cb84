//! Limits of a provider by tier and family of models, as rows of the [`Provider`].

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Provider;
use crate::id::ModelSlug;
use crate::limit::{Dimension, Limit};

/// One kind of quota group of a provider, with its limits in each tier.
///
/// A row with a name is one group for all of its models, a row for all models without one is the group of the
/// whole organisation, and any other row is a group for each of its models.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuotaRow {
    /// End of the group's id; none for the organisation as a whole and for groups of one model each.
    #[serde(default)]
    pub name: Option<String>,
    /// Models that draw on the group.
    pub models: Covered,
    /// Limits by the name of the tier.
    pub tiers: BTreeMap<String, Vec<Limit>>,
}

/// Models that a [`QuotaRow`] covers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Covered {
    /// All models of the provider.
    All,
    /// Models that no row names.
    Rest,
    /// These models.
    #[serde(untagged)]
    Named(BTreeSet<ModelSlug>),
}

/// Part of a [`QuotaRow`] that becomes one quota group.
#[derive(Debug, Clone, PartialEq)]
pub struct Share<'a> {
    /// End of the group's id; none for the organisation as a whole.
    pub name: Option<String>,
    /// Models that draw on the group, as far as they were asked for.
    pub models: Vec<ModelSlug>,
    /// Row of the share; none for a model that no row covers.
    pub row: Option<&'a QuotaRow>,
}

impl QuotaRow {
    /// Returns true if the row is the group of the whole organisation.
    pub fn is_of_organization(&self) -> bool {
        self.name.is_none() && self.models == Covered::All
    }

    /// Returns the limits of a tier; empty where the provider tells none for it.
    pub fn limits(&self, tier: &str) -> &[Limit] {
        self.tiers.get(tier).map_or(&[], Vec::as_slice)
    }
}

impl Provider {
    /// Names of the tiers, each once.
    pub fn tiers(&self) -> BTreeSet<&str> {
        let rows = self.quota.iter().flat_map(|row| row.tiers.keys());
        rows.map(String::as_str).collect()
    }

    /// Limits of an account of which nothing is known: those of the usual tier that hold for any model.
    pub fn assumed_limits(&self) -> Vec<Limit> {
        let rows = self.quota.iter();
        let general = rows.filter(|row| !matches!(row.models, Covered::Named(_)));
        general
            .flat_map(|row| row.limits(&self.tier).iter().cloned())
            .collect()
    }

    /// Dimensions that the provider limits once for an organisation, not once a model or family; money is one
    /// everywhere.
    pub fn shared_dimensions(&self) -> BTreeSet<Dimension> {
        let rows = self.quota.iter().filter(|row| row.is_of_organization());
        let limits = rows.flat_map(|row| row.tiers.values().flatten());
        let named = limits.map(|limit| limit.dimension);
        named.chain([Dimension::Spend]).collect()
    }

    /// Divides these models into the quota groups of an organisation; a model that no row covers is alone.
    pub fn shares(&self, models: &[ModelSlug]) -> Vec<Share<'_>> {
        let named: BTreeSet<&ModelSlug> = self
            .quota
            .iter()
            .filter_map(|row| match &row.models {
                Covered::Named(listed) => Some(listed),
                Covered::All | Covered::Rest => None,
            })
            .flatten()
            .collect();
        let mut shares = Vec::new();
        for row in &self.quota {
            let is_covered = |slug: &&ModelSlug| match &row.models {
                Covered::All => true,
                Covered::Rest => !named.contains(slug),
                Covered::Named(listed) => listed.contains(*slug),
            };
            let covered: Vec<ModelSlug> = models.iter().filter(is_covered).cloned().collect();
            let row_of = |name, models| Share {
                name,
                models,
                row: Some(row),
            };
            if covered.is_empty() {
                continue;
            }
            if row.name.is_some() || row.is_of_organization() {
                shares.push(row_of(row.name.clone(), covered));
            } else {
                let alone = covered.into_iter();
                shares.extend(alone.map(|slug| row_of(Some(slug.to_string()), vec![slug])));
            }
        }
        for slug in models {
            let is_covered = |share: &Share<'_>| {
                let is_whole = share.row.is_some_and(QuotaRow::is_of_organization);
                !is_whole && share.models.contains(slug)
            };
            if !shares.iter().any(is_covered) {
                shares.push(Share {
                    name: Some(slug.to_string()),
                    models: vec![slug.clone()],
                    row: None,
                });
            }
        }
        shares
    }
}
