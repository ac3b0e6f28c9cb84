//! Quota groups of a credential, named for its organisation and the models that share limits.

use std::collections::BTreeMap;

use chorus_core::catalog::Provider;
use chorus_core::id::{GroupId, ModelSlug};
use chorus_core::limit::{Limit, QuotaGroup};
use chorus_core::port::directory::GroupOf;

/// Returns the groups of a credential: one for limits that count once for the organisation, and one a family.
pub(crate) fn quota_groups(
    provider: &Provider,
    owner: &str,
    limits: &[Limit],
    named: Vec<ModelSlug>,
) -> Vec<GroupOf> {
    let is_shared = |limit: &&Limit| provider.shared.contains(&limit.dimension);
    let (shared, own): (Vec<&Limit>, Vec<&Limit>) = limits.iter().partition(is_shared);
    let group = |id: String, limits: &[&Limit], models: Vec<ModelSlug>| {
        let limits = limits.iter().copied().cloned().collect();
        let id = GroupId::new(id);
        GroupOf {
            group: QuotaGroup { id, limits },
            models,
        }
    };
    let organisation = format!("{}/{owner}", provider.id);
    let mut groups = Vec::new();
    if !shared.is_empty() {
        groups.push(group(organisation.clone(), &shared, named.clone()));
    }
    if own.is_empty() && !groups.is_empty() {
        return groups;
    }
    for (family, models) in families(provider, named) {
        groups.push(group(format!("{organisation}/{family}"), &own, models));
    }
    groups
}

/// Returns the models by family; a model of no family is one of its own.
fn families(provider: &Provider, models: Vec<ModelSlug>) -> BTreeMap<String, Vec<ModelSlug>> {
    let mut families: BTreeMap<String, Vec<ModelSlug>> = BTreeMap::new();
    for slug in models {
        let of_slug = provider
            .families
            .iter()
            .find(|(_, members)| members.contains(&slug));
        let family = of_slug.map_or_else(|| slug.to_string(), |(name, _)| name.clone());
        families.entry(family).or_default().push(slug);
    }
    families
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(limits: serde_json::Value) -> Vec<(String, usize, usize)> {
        let provider = serde_json::json!({
            "id": "p", "title": "P", "base_url": "https://p.example", "path": "/x",
            "dialect": "openai_chat", "auth": "bearer", "families": {"small": ["m/a", "m/b"]},
        });
        let provider: Provider = serde_json::from_value(provider).expect("a row");
        let limits: Vec<Limit> = serde_json::from_value(limits).expect("limits");
        let models = ["m/a", "m/b", "m/c"].map(ModelSlug::new).to_vec();
        quota_groups(&provider, "org", &limits, models)
            .into_iter()
            .map(|of| {
                (
                    of.group.id.to_string(),
                    of.group.limits.len(),
                    of.models.len(),
                )
            })
            .collect()
    }

    fn group(id: &str, limits: usize, models: usize) -> (String, usize, usize) {
        (id.to_owned(), limits, models)
    }

    #[test]
    fn money_is_limited_once_an_organisation_and_rates_once_a_family() {
        let minute = serde_json::json!({"kind": "bucket", "per_ms": 60_000});
        let rate = serde_json::json!({"dimension": "requests", "amount": 50, "window": minute});
        let money = serde_json::json!({
            "dimension": "spend", "amount": 500, "window": {"kind": "month"},
        });
        let families = [group("p/org/m/c", 1, 1), group("p/org/small", 1, 2)];
        assert_eq!(groups(serde_json::json!([rate])), families);
        assert_eq!(groups(serde_json::json!([money])), [group("p/org", 1, 3)]);
        let both = [&[group("p/org", 1, 3)], families.as_slice()].concat();
        assert_eq!(groups(serde_json::json!([rate, money])), both);
        assert_eq!(
            groups(serde_json::json!([])).len(),
            2,
            "limits may be unknown"
        );
    }
}
