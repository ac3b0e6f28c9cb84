//! Quota groups of a credential, named for its organisation, its project and the models that share limits.

use chorus_core::catalog::Provider;
use chorus_core::id::{GroupId, ModelSlug};
use chorus_core::limit::{Limit, QuotaGroup};
use chorus_core::port::directory::GroupOf;

use crate::row::CredentialRow;

/// Returns the groups of a credential for these models.
///
/// Groups of the organisation come from the provider's rows at the credential's tier, or from the limits that its
/// row gives; a project with limits adds groups of its own, and a call then draws on both.
pub(crate) fn quota_groups(
    provider: &Provider,
    owner: &str,
    row: &CredentialRow,
    named: &[ModelSlug],
) -> Vec<GroupOf> {
    let organisation = format!("{}/{owner}", provider.id);
    let mut groups = if row.limits.is_empty() {
        of_tier(provider, &organisation, row, named)
    } else {
        of_limits(provider, &organisation, &row.limits, named)
    };
    if let Some(project) = row
        .project
        .as_deref()
        .filter(|_| !row.project_limits.is_empty())
    {
        let project = format!("{organisation}/project {project}");
        let mut own = of_limits(provider, &project, &row.project_limits, named);
        own.retain(|of| !of.group.limits.is_empty());
        groups.extend(own);
    }
    groups
}

/// Returns the groups with the provider's own limits at the tier of the row.
fn of_tier(
    provider: &Provider,
    organisation: &str,
    row: &CredentialRow,
    named: &[ModelSlug],
) -> Vec<GroupOf> {
    let tier = row.tier.as_deref().unwrap_or(&provider.tier);
    let mut groups: Vec<GroupOf> = Vec::new();
    let mut unlimited: Vec<GroupOf> = Vec::new();
    for share in provider.shares(named) {
        let limits = share.row.map_or(&[][..], |row| row.limits(tier)).to_vec();
        let to = if limits.is_empty() {
            &mut unlimited
        } else {
            &mut groups
        };
        to.push(group(
            organisation,
            share.name.as_deref(),
            limits,
            share.models,
        ));
    }
    // A group without limits keeps what refusals teach; a model that has another group needs none.
    unlimited.retain(|of| {
        let has_group = |slug| groups.iter().any(|other| other.models.contains(slug));
        !of.models.iter().all(has_group)
    });
    groups.extend(unlimited);
    groups
}

/// Returns the groups of limits that a row gives: those of an organisation once, the others once a family.
fn of_limits(
    provider: &Provider,
    organisation: &str,
    limits: &[Limit],
    named: &[ModelSlug],
) -> Vec<GroupOf> {
    let dimensions = provider.shared_dimensions();
    let is_shared = |limit: &&Limit| dimensions.contains(&limit.dimension);
    let (shared, own): (Vec<&Limit>, Vec<&Limit>) = limits.iter().partition(is_shared);
    let copied = |limits: &[&Limit]| limits.iter().copied().cloned().collect::<Vec<_>>();
    let mut groups = Vec::new();
    if !shared.is_empty() {
        groups.push(group(organisation, None, copied(&shared), named.to_vec()));
        if own.is_empty() {
            return groups;
        }
    }
    let families = provider.shares(named).into_iter();
    let families = families.filter(|share| share.name.is_some());
    groups.extend(families.map(|share| {
        group(
            organisation,
            share.name.as_deref(),
            copied(&own),
            share.models,
        )
    }));
    groups
}

fn group(
    organisation: &str,
    name: Option<&str>,
    limits: Vec<Limit>,
    models: Vec<ModelSlug>,
) -> GroupOf {
    let id = match name {
        Some(name) => GroupId::new(format!("{organisation}/{name}")),
        None => GroupId::new(organisation),
    };
    GroupOf {
        group: QuotaGroup { id, limits },
        models,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn rate(amount: u64) -> Value {
        let minute = json!({"kind": "bucket", "per_ms": 60_000});
        json!({"dimension": "requests", "amount": amount, "window": minute})
    }

    fn money(amount: u64) -> Value {
        json!({"dimension": "spend", "amount": amount, "window": {"kind": "month"}})
    }

    fn provider() -> Provider {
        let row = json!({
            "id": "p", "title": "P", "base_url": "https://p.example", "path": "/x",
            "dialect": "openai_chat", "auth": "bearer", "tier": "start",
            "quota": [
                {"models": "all", "tiers": {"start": [money(500)], "build": [money(1_000)]}},
                {"name": "small", "models": ["m/a", "m/b"], "tiers": {"start": [rate(50)], "build": [rate(90)]}},
                {"models": "rest", "tiers": {"start": [rate(5)]}},
            ],
        });
        serde_json::from_value(row).expect("a row")
    }

    /// Groups of a credential row as `id amounts models`.
    fn groups(row: &Value) -> Vec<String> {
        let mut whole = json!({"provider": "p"});
        let fields = row.as_object().expect("fields").clone();
        whole.as_object_mut().expect("a row").extend(fields);
        let row: CredentialRow = serde_json::from_value(whole).expect("a row");
        let models = ["m/a", "m/b", "m/c"].map(ModelSlug::new).to_vec();
        let groups = quota_groups(&provider(), "org", &row, &models);
        let shown = groups.iter().map(|of| {
            let amounts: Vec<u64> = of.group.limits.iter().map(|limit| limit.amount).collect();
            format!("{} {amounts:?} {}", of.group.id, of.models.len())
        });
        shown.collect()
    }

    #[test]
    fn money_is_limited_once_an_organisation_and_rates_once_a_family() {
        let families = ["p/org/small [50] 2", "p/org/m/c [50] 1"];
        assert_eq!(groups(&json!({"limits": [rate(50)]})), families);
        assert_eq!(groups(&json!({"limits": [money(7)]})), ["p/org [7] 3"]);
        let both = groups(&json!({"limits": [rate(50), money(7)]}));
        assert_eq!(both, ["p/org [7] 3", families[0], families[1]]);
    }

    #[test]
    fn a_tier_is_chosen_by_name_and_brings_the_limits_of_each_family() {
        let start = ["p/org [500] 3", "p/org/small [50] 2", "p/org/m/c [5] 1"];
        assert_eq!(groups(&json!({})), start);
        let build = ["p/org [1000] 3", "p/org/small [90] 2"];
        assert_eq!(groups(&json!({"tier": "build"})), build);
    }

    #[test]
    fn a_credential_of_a_project_draws_on_the_project_and_the_organisation() {
        let row = json!({"project": "web", "project_limits": [rate(9), money(3)]});
        let expected = [
            "p/org [500] 3",
            "p/org/small [50] 2",
            "p/org/m/c [5] 1",
            "p/org/project web [3] 3",
            "p/org/project web/small [9] 2",
            "p/org/project web/m/c [9] 1",
        ];
        assert_eq!(groups(&row), expected);
        assert_eq!(groups(&json!({"project": "web"})).len(), 3);
    }

    #[test]
    fn models_without_any_limit_keep_a_group_for_what_refusals_teach() {
        let mut bare = provider();
        bare.quota.clear();
        let row: CredentialRow = serde_json::from_value(json!({"provider": "p"})).expect("a row");
        let models = ["m/a", "m/c"].map(ModelSlug::new).to_vec();
        let groups = quota_groups(&bare, "org", &row, &models);
        let ids: Vec<String> = groups.iter().map(|of| of.group.id.to_string()).collect();
        assert_eq!(ids, ["p/org/m/a", "p/org/m/c"]);
    }
}
