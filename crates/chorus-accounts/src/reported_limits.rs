//! Limits that a provider's API reported, put into the quota groups of a credential.
//!
//! Amounts replace those of the tier or the account file. What a limit reserves and how it counts stays as
//! the provider's rows say; no API tells that.

use chorus_core::catalog::Provider;
use chorus_core::id::{GroupId, ModelSlug};
use chorus_core::limit::{Limit, ObservedLevel, QuotaGroup, ReserveRule, Window};
use chorus_core::port::directory::GroupOf;
use chorus_vault::ReportedLimits;

/// Applies limits of the organisation: each group takes those of its models.
pub(crate) fn apply(
    provider: &Provider,
    reported: &[ReportedLimits],
    wire_name: impl Fn(&ModelSlug) -> Option<String>,
    groups: &mut [GroupOf],
) {
    for of in groups.iter_mut() {
        let names: Vec<String> = of.models.iter().filter_map(&wire_name).collect();
        let is_whole = of.models.len() > 1
            && of
                .group
                .limits
                .iter()
                .all(|limit| is_of_organization(provider, limit));
        let found = reported.iter().find(|reported| speaks_of(reported, &names));
        if let Some(reported) = found.filter(|_| !is_whole) {
            of.group.limits = with_reported(provider, &of.group.limits, &reported.levels);
        }
    }
}

/// Returns groups of a project with the limits that were reported for it.
pub(crate) fn project_groups(
    provider: &Provider,
    prefix: &str,
    reported: &[ReportedLimits],
    wire_name: impl Fn(&ModelSlug) -> Option<String>,
    models: &[ModelSlug],
) -> Vec<GroupOf> {
    let mut groups = Vec::new();
    for share in provider.shares(models) {
        let Some(name) = share.name else {
            continue;
        };
        let names: Vec<String> = share.models.iter().filter_map(&wire_name).collect();
        let Some(reported) = reported.iter().find(|reported| speaks_of(reported, &names)) else {
            continue;
        };
        let limits = with_reported(provider, &[], &reported.levels);
        if limits.is_empty() {
            continue;
        }
        groups.push(GroupOf {
            group: QuotaGroup {
                id: GroupId::new(format!("{prefix}/{name}")),
                limits,
            },
            models: share.models,
        });
    }
    groups
}

fn is_of_organization(provider: &Provider, limit: &Limit) -> bool {
    provider.shared_dimensions().contains(&limit.dimension)
}

/// Returns true if the limits are those of one of these models; lists have dated names too.
fn speaks_of(reported: &ReportedLimits, names: &[String]) -> bool {
    reported.models.iter().any(|model| {
        names.iter().any(|name| {
            let rest = model.strip_prefix(name.as_str());
            rest.is_some_and(|rest| {
                let digits = rest.strip_prefix('-').unwrap_or(rest);
                let is_date = digits.len() == 8 && digits.bytes().all(|it| it.is_ascii_digit());
                rest.is_empty() || is_date
            })
        })
    })
}

/// Returns the limits with the amounts that were reported, and limits that were reported and not known.
fn with_reported(provider: &Provider, limits: &[Limit], reported: &[ObservedLevel]) -> Vec<Limit> {
    let mut limits = limits.to_vec();
    for level in reported {
        let (Some(amount), Some(window)) = (level.limit, level.window) else {
            continue;
        };
        let is_same = |limit: &&mut Limit| {
            limit.dimension == level.dimension && limit.window.length() == Some(window)
        };
        match limits.iter_mut().find(is_same) {
            Some(limit) => {
                if limit.amount != amount {
                    limit.burst = None;
                }
                limit.amount = amount;
            }
            None => limits.push(Limit {
                amount,
                burst: None,
                window: Window::Bucket { per_ms: window.0 },
                ..rules_of(provider, level)
            }),
        }
    }
    limits
}

/// Limit of the same dimension in any row of the provider, for its rules.
fn rules_of(provider: &Provider, level: &ObservedLevel) -> Limit {
    let rows = provider.quota.iter().flat_map(|row| row.tiers.values());
    let mut limits = rows.flatten();
    let same = limits.find(|limit| limit.dimension == level.dimension);
    same.cloned().unwrap_or(Limit {
        dimension: level.dimension,
        amount: 0,
        burst: None,
        window: Window::Held,
        reserve: ReserveRule::Estimate,
        cache_read_percent: 100,
        output_weight: 1,
    })
}

#[cfg(test)]
mod tests {
    use chorus_core::limit::Dimension;
    use chorus_core::time::Millis;
    use serde_json::json;

    use super::*;

    fn provider() -> Provider {
        let minute = json!({"kind": "bucket", "per_ms": 60_000});
        let row = json!({
            "id": "p", "title": "P", "base_url": "https://p.example", "path": "/x",
            "dialect": "openai_chat", "auth": "bearer",
            "quota": [{"models": "rest", "tiers": {"default": [
                {"dimension": "output_tokens", "amount": 8_000, "window": minute, "reserve": "as_produced"},
            ]}}],
        });
        serde_json::from_value(row).expect("a row")
    }

    fn reported(models: &[&str], dimension: Dimension, amount: u64) -> ReportedLimits {
        let level = ObservedLevel {
            dimension,
            limit: Some(amount),
            remaining: None,
            full_at: None,
            rounded_to: 1,
            window: Some(Millis(60_000)),
        };
        ReportedLimits {
            models: models.iter().map(|model| (*model).to_owned()).collect(),
            levels: vec![level],
        }
    }

    fn wire(slug: &ModelSlug) -> Option<String> {
        slug.as_str().strip_prefix("m/").map(str::to_owned)
    }

    /// Id of a group with its limits.
    type GroupAmounts = (String, Vec<(Dimension, u64, ReserveRule)>);

    fn amounts(groups: &[GroupOf]) -> Vec<GroupAmounts> {
        let limits = |of: &GroupOf| {
            let limits = of.group.limits.iter();
            limits
                .map(|limit| (limit.dimension, limit.amount, limit.reserve))
                .collect()
        };
        groups
            .iter()
            .map(|of| (of.group.id.to_string(), limits(of)))
            .collect()
    }

    #[test]
    fn told_amounts_replace_those_of_the_tier_and_keep_its_rules() {
        let provider = provider();
        let models = ["m/a", "m/b"].map(ModelSlug::new).to_vec();
        let limits = provider.assumed_limits();
        let mut groups: Vec<GroupOf> = models
            .iter()
            .map(|slug| GroupOf {
                group: QuotaGroup {
                    id: GroupId::new(slug.as_str()),
                    limits: limits.clone(),
                },
                models: vec![slug.clone()],
            })
            .collect();
        let list = [
            reported(&["a-20260101", "x"], Dimension::OutputTokens, 90_000),
            reported(&["b2"], Dimension::Requests, 1),
        ];
        apply(&provider, &list, wire, &mut groups);
        let of = |amount| vec![(Dimension::OutputTokens, amount, ReserveRule::AsProduced)];
        let expected = [
            ("m/a".to_owned(), of(90_000)),
            ("m/b".to_owned(), of(8_000)),
        ];
        assert_eq!(amounts(&groups), expected);
    }

    #[test]
    fn limits_of_a_project_are_groups_of_their_own() {
        let provider = provider();
        let models = ["m/a", "m/b"].map(ModelSlug::new).to_vec();
        let list = [reported(&["b"], Dimension::OutputTokens, 500)];
        let groups = project_groups(&provider, "p/org/project web", &list, wire, &models);
        let of = vec![(Dimension::OutputTokens, 500, ReserveRule::AsProduced)];
        assert_eq!(amounts(&groups), [("p/org/project web/m/b".to_owned(), of)]);
    }
}
