//! The shipped catalogue holds together, and a wrong one is refused by file and key.

use std::collections::BTreeSet;

use chorus_core::catalog::Auth;
use chorus_core::failure::FailureClass;
use chorus_core::id::{ModelSlug, ProviderId};
use chorus_upstream::catalog::{load, parse};

const PROVIDERS: &str = include_str!("../../../catalog/providers.toml");
const MODELS: &str = include_str!("../../../catalog/models.toml");

/// The refusal of the shipped files with one text changed.
fn check(file: &str, from: &str, to: &str, expected: &str) {
    let (providers, models) = match file {
        "providers" => (PROVIDERS.replacen(from, to, 1), MODELS.to_owned()),
        _ => (PROVIDERS.to_owned(), MODELS.replacen(from, to, 1)),
    };
    assert!(
        providers != PROVIDERS || models != MODELS,
        "{from:?} is not in the file"
    );
    let refusal = parse(&providers, &models)
        .expect_err("a wrong catalogue")
        .to_string();
    assert!(
        refusal.contains(expected),
        "{refusal:?} does not say {expected:?}"
    );
}

#[test]
fn a_new_family_is_a_row() {
    let row = r#"
[[model]]
slug = "qwen/qwen-4"
pool = "qwen"
routes = { openrouter = "qwen/qwen-4" }
context = 32_000
max_output = 8_000
price = { input = 1, output = 1 }
strength = 50
"#;
    let catalog = parse(PROVIDERS, &format!("{MODELS}{row}")).expect("a whole catalogue");
    let pools = |catalog: &chorus_core::catalog::Catalog| {
        let pools = catalog.pools();
        pools.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(
        pools(&load()),
        ["claude", "gpt", "deepseek", "gemini", "other"]
    );
    assert_eq!(pools(&catalog)[5..], ["qwen"]);
}

#[test]
fn every_provider_that_the_design_names_is_there() {
    let catalog = load();
    let ids: Vec<&str> = catalog
        .providers
        .iter()
        .map(|row| row.id.as_str())
        .collect();
    for id in [
        "anthropic",
        "openai",
        "deepseek",
        "openrouter",
        "groq",
        "mistral",
        "gemini",
        "xai",
        "compatible",
        "llama-cpp",
    ] {
        assert!(ids.contains(&id), "{id} is missing");
    }
    for id in [
        "sim-anthropic",
        "sim-openai",
        "sim-deepseek",
        "compatible",
        "llama-cpp",
    ] {
        assert_eq!(
            catalog
                .provider(&ProviderId::new(id))
                .expect("a row")
                .base_url,
            "",
            "{id} is named by its account"
        );
    }
}

#[test]
fn a_real_provider_says_where_its_keys_are_made_and_found() {
    for row in load()
        .providers
        .iter()
        .filter(|row| !row.base_url.is_empty())
    {
        assert!(
            row.env
                .as_ref()
                .is_some_and(|name| name.ends_with("_API_KEY")),
            "{}",
            row.id
        );
        assert!(
            row.keys_url
                .as_ref()
                .is_some_and(|url| url.starts_with("https://")),
            "{}",
            row.id
        );
        assert!(
            row.auth != Auth::None && row.probe_path.is_some(),
            "{}",
            row.id
        );
    }
}

#[test]
fn no_two_providers_share_a_variable() {
    let catalog = load();
    let names: Vec<&String> = catalog
        .providers
        .iter()
        .filter_map(|row| row.env.as_ref())
        .collect();
    assert_eq!(names.len(), names.iter().collect::<BTreeSet<_>>().len());
}

#[test]
fn every_single_key_has_a_model_to_run_with() {
    let catalog = load();
    for provider in &catalog.providers {
        assert!(
            catalog
                .models
                .iter()
                .any(|model| model.routes.contains_key(&provider.id)),
            "{} serves nothing",
            provider.id
        );
    }
}

#[test]
fn the_planners_of_the_design_carry_their_quirks() {
    let catalog = load();
    let quirks = |slug: &str| {
        catalog
            .model(&ModelSlug::new(slug))
            .expect("a row")
            .quirks
            .clone()
    };
    let r1 = quirks("deepseek/deepseek-r1");
    assert!(!r1.system_ok && !r1.temperature_ok && !r1.json_object && !r1.tools);
    let v4 = quirks("deepseek/deepseek-v4-pro");
    assert!(
        v4.system_ok
            && !v4.forced_tool
            && v4.replay_reasoning == chorus_core::catalog::ReplayReasoning::AfterTools
    );
}

#[test]
fn general_rules_stand_after_each_providers_own() {
    for row in load().providers {
        let of = |status: u16| {
            row.errors.iter().find(|rule| {
                rule.status == Some(status) && rule.message.is_none() && rule.code.is_none()
            })
        };
        assert_eq!(
            of(401).map(|rule| rule.class),
            Some(FailureClass::Auth),
            "{}",
            row.id
        );
        assert_eq!(
            of(500).map(|rule| rule.class),
            Some(FailureClass::Transient),
            "{}",
            row.id
        );
    }
}

#[test]
fn a_wrong_row_of_providers_is_refused_by_file_and_key() {
    check(
        "providers",
        "title = \"OpenAI\"",
        "titel = \"OpenAI\"",
        "providers.toml: provider[1].titel: unknown field `titel`",
    );
    check(
        "providers",
        "abort_grace = 500",
        "abort_grace = \"long\"",
        "providers.toml: provider[15].abort_grace",
    );
    check(
        "providers",
        "dialect = \"openai_chat\"",
        "dialect = \"telnet\"",
        "unknown variant `telnet`",
    );
    check(
        "providers",
        "id = \"openai\"",
        "id = \"anthropic\"",
        "anthropic stands twice",
    );
    check(
        "providers",
        "https://api.openai.com/v1",
        "http://api.openai.com/v1",
        "needs https",
    );
    check(
        "providers",
        "message = \"acceleration\"",
        "message = \"Acceleration\"",
        "matched in lower case",
    );
    check(
        "providers",
        "path = \"/messages\"",
        "path = \"messages\"",
        "begin with a slash",
    );
    check(
        "providers",
        "limit = \"x-ratelimit-limit-requests\"",
        "limit = \"X-RateLimit Limit\"",
        "is no header name",
    );
}

#[test]
fn a_wrong_row_of_models_is_refused_by_file_and_key() {
    check(
        "models",
        "routes = { anthropic =",
        "routes = { anthropik =",
        "routed to anthropik, which is no provider",
    );
    check(
        "models",
        "context = 8_192",
        "context = 1_000",
        "may answer more than its context holds",
    );
    check(
        "models",
        "slug = \"local/model\"",
        "slug = \"model\"",
        "is not family/name",
    );
    check(
        "models",
        "pool = \"gpt\"",
        "pool = \"GPT 5\"",
        "it names a topic",
    );
    check(
        "models",
        "price = {",
        "price = { inptu = 1,",
        "unknown field `inptu`",
    );
    check(
        "models",
        "[[model]]",
        "[[modell]]",
        "unknown field `modell`",
    );
}
