//! Limits as providers tell them to an admin key: Anthropic by organisation or workspace and group of models,
//! OpenAI by project and model.
//!
//! The key may read limits and can make no call. [`LimitsApi`] of the provider's row names the form.

use bytes::Bytes;
use chorus_core::catalog::LimitsApi;
use chorus_core::limit::{Dimension, ObservedLevel};
use chorus_core::time::Millis;
use chorus_vault::{LimitsQuery, Opened, ReportedLimits};
use serde_json::Value;

use crate::call::{Http, key_check_headers, plain_prefix};
use crate::failure::Exchange;

/// Pages that are read at most.
const MOST_PAGES: usize = 50;

const MINUTE: Millis = Millis(60_000);
const DAY: Millis = Millis(86_400_000);

/// Names of amounts in both APIs, with the limits that they mean.
const AMOUNTS: [(&str, Dimension, Millis); 8] = [
    ("requests_per_minute", Dimension::Requests, MINUTE),
    ("input_tokens_per_minute", Dimension::InputTokens, MINUTE),
    ("output_tokens_per_minute", Dimension::OutputTokens, MINUTE),
    ("tokens_per_minute", Dimension::TotalTokens, MINUTE),
    ("max_requests_per_1_minute", Dimension::Requests, MINUTE),
    ("max_tokens_per_1_minute", Dimension::TotalTokens, MINUTE),
    ("max_requests_per_1_day", Dimension::Requests, DAY),
    ("max_tokens_per_1_day", Dimension::TotalTokens, DAY),
];

/// One page of limits, and the place of the next.
struct Page {
    limits: Vec<ReportedLimits>,
    next: Option<String>,
}

impl Http {
    /// Reads all limits of the query; an error says why there are none, without the key.
    pub(crate) async fn reported_limits(
        &self,
        query: LimitsQuery<'_>,
    ) -> Result<Vec<ReportedLimits>, String> {
        let pages = self.all_pages(query);
        match self.parts.clock.deadline(query.deadline, pages).await {
            None => Err("the provider did not answer in time".to_owned()),
            Some(answer) => answer.map_err(|reason| query.secret.blot(&reason)),
        }
    }

    async fn all_pages(&self, query: LimitsQuery<'_>) -> Result<Vec<ReportedLimits>, String> {
        let api = query
            .provider
            .limits_api
            .ok_or("the provider tells no limits by its API")?;
        let path = path(api, query.project)?;
        let (mut limits, mut next) = (Vec::new(), None);
        for _ in 0..MOST_PAGES {
            let page = self.page(api, &path, next.as_deref(), query).await?;
            limits.extend(page.limits);
            next = page.next;
            if next.is_none() {
                return Ok(limits);
            }
        }
        Err(format!(
            "the list of limits has more than {MOST_PAGES} pages"
        ))
    }

    async fn page(
        &self,
        api: LimitsApi,
        path: &str,
        next: Option<&str>,
        query: LimitsQuery<'_>,
    ) -> Result<Page, String> {
        let opened = Opened {
            secret: query.secret.clone(),
            base_url: query.base_url.map(str::to_owned),
        };
        let name = match api {
            LimitsApi::Anthropic => "page",
            LimitsApi::Openai => "after",
        };
        let next = next.map(|next| format!("?{name}={}", encoded(next)));
        let path = format!("{path}{}", next.unwrap_or_default());
        let url = self.endpoint(query.provider, &opened, &path)?;
        let mut request = http::Request::get(url)
            .body(Bytes::new())
            .map_err(|error| error.to_string())?;
        *request.headers_mut() = key_check_headers(query.provider, query.secret)?;
        let response = self.parts.transport.send(request).await;
        let (head, body) = response.map_err(|error| error.to_string())?.into_parts();
        let status = head.status;
        let exchange = Exchange {
            provider: std::sync::Arc::new(query.provider.clone()),
            secret: opened.secret,
            has_own_address: query.base_url.is_some(),
            wire_name: String::new(),
            sent_at: None,
            status: Some(status.as_u16()),
            headers: head.headers,
            levels: Vec::new(),
        };
        let bytes = plain_prefix(&exchange, body).await;
        if !status.is_success() {
            let message = exchange.read_error(&bytes).message;
            return Err(format!(
                "the provider answered {}: {message}",
                status.as_u16()
            ));
        }
        read(api, &bytes).ok_or_else(|| "the list of limits cannot be read".to_owned())
    }
}

fn path(api: LimitsApi, project: Option<&str>) -> Result<String, String> {
    match (api, project) {
        (LimitsApi::Anthropic, None) => Ok("/organizations/rate_limits".to_owned()),
        (LimitsApi::Anthropic, Some(workspace)) => {
            let workspace = encoded(workspace);
            Ok(format!("/organizations/workspaces/{workspace}/rate_limits"))
        }
        (LimitsApi::Openai, Some(project)) => {
            let project = encoded(project);
            Ok(format!("/organization/projects/{project}/rate_limits"))
        }
        (LimitsApi::Openai, None) => {
            Err("the provider tells limits by project: give `project`".to_owned())
        }
    }
}

/// Writes a text as a part of a path or query.
fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Reads one page; none when it is no list.
fn read(api: LimitsApi, bytes: &[u8]) -> Option<Page> {
    let body: Value = serde_json::from_slice(bytes).ok()?;
    let entries = body.get("data")?.as_array()?;
    let limits = entries.iter().filter_map(|entry| match api {
        LimitsApi::Anthropic => of_group(entry),
        LimitsApi::Openai => of_model(entry),
    });
    let text = |field: &str| body.get(field)?.as_str().map(str::to_owned);
    let next = match api {
        LimitsApi::Anthropic => text("next_page"),
        LimitsApi::Openai => {
            let has_more = body.get("has_more").and_then(Value::as_bool);
            text("last_id").filter(|_| has_more == Some(true))
        }
    };
    Some(Page {
        limits: limits.collect(),
        next,
    })
}

/// Limits of a group of models; none for groups of other resources, such as batches.
fn of_group(entry: &Value) -> Option<ReportedLimits> {
    let models = entry.get("models")?.as_array()?;
    let limits = entry.get("limits")?.as_array()?;
    let levels = limits.iter().filter_map(|limit| {
        let value = limit.get("value").and_then(Value::as_u64);
        level(limit.get("type")?.as_str()?, value?)
    });
    Some(ReportedLimits {
        models: models
            .iter()
            .filter_map(|model| model.as_str().map(str::to_owned))
            .collect(),
        levels: levels.collect(),
    })
}

fn of_model(entry: &Value) -> Option<ReportedLimits> {
    let model = entry.get("model")?.as_str()?.to_owned();
    let fields = entry.as_object()?.iter();
    Some(ReportedLimits {
        models: vec![model],
        levels: fields
            .filter_map(|(name, value)| level(name, value.as_u64()?))
            .collect(),
    })
}

fn level(name: &str, amount: u64) -> Option<ObservedLevel> {
    let (_, dimension, window) = AMOUNTS.iter().find(|(known, _, _)| *known == name)?;
    Some(ObservedLevel {
        dimension: *dimension,
        limit: Some(amount).filter(|amount| *amount > 0),
        remaining: None,
        full_at: None,
        rounded_to: 1,
        window: Some(*window),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(page: &Page) -> Vec<String> {
        let one = |reported: &ReportedLimits| {
            let levels = reported.levels.iter().map(|level| {
                let window = level.window.map_or(0, |window| window.0);
                format!("{:?} {:?} {window}", level.dimension, level.limit)
            });
            format!("{:?} {:?}", reported.models, levels.collect::<Vec<_>>())
        };
        page.limits.iter().map(one).collect()
    }

    #[test]
    fn groups_of_models_are_read_and_other_resources_are_not() {
        let body = serde_json::json!({"data": [
            {"type": "rate_limit", "group_type": "model_group", "models": ["claude-opus-4-5", "claude-opus-4-6"], "limits": [
                {"type": "requests_per_minute", "value": 4_000},
                {"type": "input_tokens_per_minute", "value": 2_000_000},
                {"type": "output_tokens_per_minute", "value": 400_000},
                {"type": "something_new", "value": 1},
            ]},
            {"type": "rate_limit", "group_type": "batch", "models": null, "limits": [{"type": "enqueued_batch_requests", "value": 500_000}]},
        ], "next_page": "p2"});
        let page = read(LimitsApi::Anthropic, body.to_string().as_bytes()).expect("a page");
        assert_eq!(page.next.as_deref(), Some("p2"));
        let expected = r#"["claude-opus-4-5", "claude-opus-4-6"] ["Requests Some(4000) 60000", "InputTokens Some(2000000) 60000", "OutputTokens Some(400000) 60000"]"#;
        assert_eq!(shown(&page), [expected]);
    }

    #[test]
    fn limits_of_a_projects_models_are_read_by_pages() {
        let body = serde_json::json!({"object": "list", "data": [
            {"object": "project.rate_limit", "id": "rl-1", "model": "gpt-6-sol", "max_requests_per_1_minute": 500,
             "max_tokens_per_1_minute": 200_000, "max_images_per_1_minute": 5, "max_requests_per_1_day": 0},
        ], "first_id": "rl-1", "last_id": "rl-1", "has_more": true});
        let page = read(LimitsApi::Openai, body.to_string().as_bytes()).expect("a page");
        assert_eq!(page.next.as_deref(), Some("rl-1"));
        let limits = &page.limits[0];
        assert_eq!(limits.models, ["gpt-6-sol"]);
        let amounts: Vec<_> = limits.levels.iter().map(|level| level.limit).collect();
        assert!(amounts.contains(&Some(500)) && amounts.contains(&Some(200_000)));
        assert!(read(LimitsApi::Openai, b"<html>").is_none());
    }

    #[test]
    fn names_of_projects_cannot_leave_their_part_of_the_path() {
        let path = path(LimitsApi::Openai, Some("../x?y")).expect("a path");
        assert_eq!(path, "/organization/projects/..%2Fx%3Fy/rate_limits");
        assert!(super::path(LimitsApi::Openai, None).is_err());
    }
}
