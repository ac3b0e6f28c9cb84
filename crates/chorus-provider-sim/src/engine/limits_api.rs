//! Limits of an organisation as the providers' admin APIs tell them.
//!
//! The admin key of an organisation is `admin-` before its id; it can make no call. Anthropic lists groups of
//! models, OpenAI the models of a project.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::provider::Provider;
use crate::config::{Limits, OrganisationConfig};

/// Beginning of an admin key, before the id of its organisation.
const ADMIN: &str = "admin-";

/// Returns the organisation of an admin key.
pub(super) fn organisation<'a>(
    provider: &'a Provider,
    key: &str,
) -> Option<&'a OrganisationConfig> {
    let id = key.strip_prefix(ADMIN)?;
    let mut organisations = provider.config().organisations.iter();
    organisations.find(|organisation| organisation.id == id)
}

/// Models by their group, with the limits of the organisation on it.
fn groups<'a>(
    provider: &'a Provider,
    organisation: &OrganisationConfig,
) -> BTreeMap<&'a str, (Limits, Vec<&'a str>)> {
    let mut groups = BTreeMap::new();
    for model in &provider.config().models {
        let group = model.group.as_deref().unwrap_or(&model.id);
        let limits = organisation.groups.get(group);
        let limits = limits.copied().unwrap_or(organisation.limits);
        let (_, models) = groups.entry(group).or_insert((limits, Vec::new()));
        models.push(model.id.as_str());
    }
    groups
}

/// List of limits in Anthropic's format.
pub(super) fn by_group(provider: &Provider, organisation: &OrganisationConfig) -> Value {
    let entry = |(limits, models): (Limits, Vec<&str>)| {
        let amounts = [
            ("requests_per_minute", limits.requests_per_minute),
            ("input_tokens_per_minute", limits.input_tokens_per_minute),
            ("output_tokens_per_minute", limits.output_tokens_per_minute),
        ];
        let amounts = amounts.into_iter().filter_map(|(name, amount)| {
            amount.map(|amount| json!({"type": name, "value": amount}))
        });
        json!({
            "type": "rate_limit", "group_type": "model_group", "models": models,
            "limits": amounts.collect::<Vec<_>>(),
        })
    };
    let groups = groups(provider, organisation);
    let mut data: Vec<Value> = groups.into_values().map(entry).collect();
    let batch = json!([{"type": "enqueued_batch_requests", "value": 200_000}]);
    data.push(json!({
        "type": "rate_limit", "group_type": "batch", "models": null, "limits": batch,
    }));
    json!({"data": data, "next_page": null})
}

/// List of limits in OpenAI's format.
pub(super) fn by_model(provider: &Provider, organisation: &OrganisationConfig) -> Value {
    let mut data = Vec::new();
    for (limits, models) in groups(provider, organisation).into_values() {
        data.extend(models.into_iter().map(|model| {
            json!({
                "object": "project.rate_limit", "id": format!("rl-{model}"), "model": model,
                "max_requests_per_1_minute": limits.requests_per_minute.unwrap_or(0),
                "max_tokens_per_1_minute": limits.tokens_per_minute.unwrap_or(0),
            })
        }));
    }
    let id = |entry: Option<&Value>| entry.map(|entry| entry["id"].clone());
    let (first, last) = (id(data.first()), id(data.last()));
    json!({"object": "list", "data": data, "first_id": first, "last_id": last, "has_more": false})
}
