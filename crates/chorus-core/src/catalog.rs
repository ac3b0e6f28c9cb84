//! Facts about providers and models, as data. The tables are `catalog/*.toml`; adding a provider or
//! a model is a row there. The binary reads the files; every crate may use the rows.

mod quota;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::{ModelSlug, Pool, ProviderId};
use crate::limit::Dimension;
use crate::llm::Usage;
use crate::money::MicroUsd;
use crate::time::Millis;

pub use quota::{Covered, QuotaRow, Share};

/// Wire language of a provider or a client; the codecs are in `chorus-dialect`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// OpenAI chat completions.
    OpenaiChat,
    /// Anthropic Messages.
    AnthropicMessages,
}

/// One model that Chorus knows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Name of the model in Chorus.
    pub slug: ModelSlug,
    /// Pool of workers that serves the model.
    pub pool: Pool,
    /// Name of the model on the wire of each provider that serves it.
    pub routes: BTreeMap<ProviderId, String>,
    /// Maximum tokens of prompt and answer together.
    pub context: u32,
    /// Maximum tokens of one answer.
    pub max_output: u32,
    /// Price of a million of its tokens, by class.
    pub price: Price,
    /// Rough strength, 0 to 100: the strongest model stands in when none of a role's list can be
    /// served.
    pub strength: u8,
    /// True if the model thinks before it answers.
    #[serde(default)]
    pub reasoning: bool,
    /// Departures from the dialect of its providers.
    #[serde(default)]
    pub quirks: Quirks,
}

impl Model {
    /// Maximum tokens of an answer to a prompt of so many tokens; 0 when the prompt alone fills the
    /// context.
    pub fn room(&self, prompt: u64) -> u32 {
        let left = u64::from(self.context).saturating_sub(prompt);
        u32::try_from(left).unwrap_or(u32::MAX).min(self.max_output)
    }
}

/// Price of a million tokens of each class of [`Usage`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Price of prompt tokens outside any cache.
    pub input: MicroUsd,
    /// Price of produced tokens, thinking included.
    pub output: MicroUsd,
    /// Price of prompt tokens read from a cache.
    #[serde(default)]
    pub cache_read: MicroUsd,
    /// Price of prompt tokens written to a cache.
    #[serde(default)]
    pub cache_write: MicroUsd,
}

impl Price {
    /// Returns the price of a call with this usage, each class rounded up to a micro-dollar.
    pub fn cost(&self, usage: &Usage) -> MicroUsd {
        MicroUsd::for_tokens(usage.input, self.input)
            + MicroUsd::for_tokens(usage.output, self.output)
            + MicroUsd::for_tokens(usage.cache_read, self.cache_read)
            + MicroUsd::for_tokens(usage.cache_write, self.cache_write)
    }
}

/// Departures of a model from its dialect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Quirks {
    /// True if it takes system instructions; else they are put before the first user turn.
    pub system_ok: bool,
    /// True if it takes temperature and top-p; else they are left out.
    pub temperature_ok: bool,
    /// True if it can be forced to answer with a JSON object.
    pub json_object: bool,
    /// True if it can be forced to follow a JSON schema.
    pub json_schema: bool,
    /// True if it takes tools.
    pub tools: bool,
    /// True if it takes a tool choice that forces a call.
    pub forced_tool: bool,
    /// Wire field of its thinking, or `inline` for think tags in the text; none when it shows none.
    pub reasoning_field: Option<String>,
    /// Turns in which its thinking must be sent back.
    pub replay_reasoning: ReplayReasoning,
}

/// Turns in which earlier thinking is sent back to a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplayReasoning {
    /// In none: some models answer 400 when they see it.
    #[default]
    Never,
    /// After tool-call turns, else the model answers 400.
    AfterTools,
}

impl Default for Quirks {
    fn default() -> Self {
        Self {
            system_ok: true,
            temperature_ok: true,
            json_object: true,
            json_schema: false,
            tools: true,
            forced_tool: true,
            reasoning_field: None,
            replay_reasoning: ReplayReasoning::Never,
        }
    }
}

/// One provider: address, authentication, and rules for reading its answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// Name of the provider in Chorus.
    pub id: ProviderId,
    /// Name of the provider for people.
    pub title: String,
    /// Base URL, for instance `https://api.anthropic.com/v1`.
    pub base_url: String,
    /// Path of the completion endpoint under `base_url`.
    pub path: String,
    /// Wire language of the completion endpoint.
    pub dialect: Dialect,
    /// Header in which a request carries the secret.
    pub auth: Auth,
    /// Headers of every request, by name.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Environment variable that holds the key of one account.
    #[serde(default)]
    pub env: Option<String>,
    /// Page on which a key is created, for messages to people.
    #[serde(default)]
    pub keys_url: Option<String>,
    /// Choices of its server in points that the dialect leaves open.
    #[serde(default)]
    pub form: Form,
    /// Path under `base_url` that a live credential may read without cost; none when there is no
    /// such path.
    #[serde(default)]
    pub probe_path: Option<String>,
    /// Headers in which it reports limits, one row for each limit; empty when it reports none.
    #[serde(default)]
    pub limit_headers: Vec<LimitHeaders>,
    /// True if a refused call counts as a request.
    #[serde(default)]
    pub refused_counts: bool,
    /// Time for which it may go on generating after the connection is closed.
    #[serde(default = "ten_seconds")]
    pub abort_grace: Millis,
    /// Rules that classify its errors; the first match wins.
    #[serde(default)]
    pub errors: Vec<ErrorRule>,
    /// Limits by tier and family of models, until headers or the provider's API report others.
    #[serde(default)]
    pub quota: Vec<QuotaRow>,
    /// Tier of an account that names none.
    #[serde(default = "default_tier")]
    pub tier: String,
    /// Form of the API that reports limits to an admin key; none where the provider has none.
    #[serde(default)]
    pub limits_api: Option<LimitsApi>,
    /// Reason that no call can be made yet, though the limits are known; none for a provider that is called.
    #[serde(default)]
    pub not_callable: Option<String>,
}

fn default_tier() -> String {
    "default".to_owned()
}

/// Form of an API that reports limits to an admin key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitsApi {
    /// `GET /organizations/rate_limits` of Anthropic.
    Anthropic,
    /// `GET /organization/projects/{project}/rate_limits` of OpenAI.
    Openai,
}

const fn ten_seconds() -> Millis {
    Millis(10_000)
}

/// Choices of a provider's server in points that its dialect leaves open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Form {
    /// Name of the field that limits the length of the answer.
    pub max_tokens_field: String,
    /// Form of a request for thinking.
    pub reasoning: ReasoningForm,
    /// Value that asks for as much thinking as the model can.
    pub max_effort: String,
    /// Name of the field in which thinking is sent back.
    pub reasoning_field: String,
    /// True if it takes `stream_options`, and reports the usage of a stream only when asked.
    pub stream_usage: bool,
    /// True if it takes `cache_control` on pieces of text.
    pub cache_control: bool,
    /// True if it takes `top_k`.
    pub top_k: bool,
    /// Form of a request for an answer by a JSON schema.
    pub schema: SchemaForm,
}

/// Form of a request for an answer by a JSON schema, on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SchemaForm {
    /// `response_format: {type: "json_schema", json_schema: {name, schema}}`.
    #[default]
    Named,
    /// `response_format: {type: "json_object", schema}`.
    InObject,
    /// In the text of the prompt alone: the server may refuse either form.
    #[serde(rename = "words")]
    InPrompt,
}

/// Form of a request for thinking, on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReasoningForm {
    /// `reasoning_effort: "high"`.
    #[default]
    Effort,
    /// `reasoning: {effort, max_tokens, enabled}`.
    Object,
    /// `thinking: {type}` with `reasoning_effort`.
    Thinking,
    /// Left out: the server knows no such field.
    None,
}

impl Default for Form {
    fn default() -> Self {
        Self {
            max_tokens_field: "max_tokens".to_owned(),
            reasoning: ReasoningForm::Effort,
            max_effort: "high".to_owned(),
            reasoning_field: "reasoning_content".to_owned(),
            stream_usage: true,
            cache_control: false,
            top_k: false,
            schema: SchemaForm::Named,
        }
    }
}

/// Header in which a request carries the secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Auth {
    /// `authorization: Bearer …`.
    Bearer,
    /// `x-api-key: …`.
    XApiKey,
    /// No header: the server needs no secret.
    None,
}

/// Names of the headers in which a provider reports one limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitHeaders {
    /// Dimension of the limit.
    pub dimension: Dimension,
    /// Header with the whole amount.
    pub limit: String,
    /// Header with the amount that is left.
    pub remaining: String,
    /// Header with the reset; none when the provider reports none.
    #[serde(default)]
    pub reset: Option<String>,
    /// Form of the reset's value.
    #[serde(default)]
    pub reset_form: ResetForm,
    /// Multiple to which the provider rounds both amounts.
    #[serde(default = "one")]
    pub rounded_to: u64,
    /// Length of the window that the headers count; none where they may count any.
    #[serde(default)]
    pub per_ms: Option<u64>,
    /// Relation to the other limits of the same dimension and window.
    #[serde(default)]
    pub joins: Joins,
}

/// Relation of a limit in headers to the others of its dimension and window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Joins {
    /// Limit of the organisation.
    #[default]
    Own,
    /// Stricter one of a project: the one with less left counts.
    Stricter,
    /// Stricter one of a workspace of any dimension: that of the limit with the nearest amount.
    Nearest,
    /// Capacity that is used before the organisation's: both count together.
    Added,
}

/// Form in which a header gives the time at which a limit is whole again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResetForm {
    /// Time from now in the form of Go, for instance `6m0s` or `17ms`.
    #[default]
    Duration,
    /// Point in time by RFC 3339.
    Rfc3339,
}

const fn one() -> u64 {
    1
}

/// One row of a provider's error table: all given conditions must hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorRule {
    /// HTTP status; none for any.
    #[serde(default)]
    pub status: Option<u16>,
    /// Field `type` of the error's body; none for any.
    #[serde(default)]
    pub kind: Option<String>,
    /// Field `code` of the error's body; none for any.
    #[serde(default)]
    pub code: Option<String>,
    /// Part of the error's message, in lower case; none for any.
    #[serde(default)]
    pub message: Option<String>,
    /// Class of an error that matches; [`rule`](crate::failure::FailureClass::rule) gives the
    /// reaction.
    pub class: crate::failure::FailureClass,
}

/// All providers and models.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Catalog {
    /// Providers, in the order of the file.
    pub providers: Vec<Provider>,
    /// Models, in the order of the file.
    pub models: Vec<Model>,
}

impl Catalog {
    /// Returns the provider with this name.
    pub fn provider(&self, id: &ProviderId) -> Option<&Provider> {
        self.providers.iter().find(|provider| provider.id == *id)
    }

    /// Returns the model with this name.
    pub fn model(&self, slug: &ModelSlug) -> Option<&Model> {
        self.models.iter().find(|model| model.slug == *slug)
    }

    /// The pools that the models name, each once, in the order of the file. Workers, topics and the doctor
    /// take their pools from here, so that a new family is a row.
    pub fn pools(&self) -> Vec<Pool> {
        let mut pools: Vec<Pool> = Vec::new();
        for model in &self.models {
            if !pools.contains(&model.pool) {
                pools.push(model.pool.clone());
            }
        }
        pools
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn model() -> Model {
        let row = json!({
            "slug": "m", "pool": "p", "routes": {"one": "m-1"}, "context": 1_000, "max_output": 400,
            "price": {"input": 3_000_000, "output": 15_000_000, "cache_read": 300_000}, "strength": 50,
        });
        serde_json::from_value(row).expect("seven fields make a model")
    }

    #[test]
    fn the_room_of_an_answer_is_what_the_prompt_leaves() {
        for (prompt, room) in [
            (0, 400),
            (600, 400),
            (601, 399),
            (999, 1),
            (1_000, 0),
            (u64::MAX, 0),
        ] {
            assert_eq!(model().room(prompt), room, "{prompt}");
        }
    }

    #[test]
    fn a_price_counts_each_class_and_rounds_up() {
        let cost = |input, output, cache_read, cache_write| {
            let usage = Usage {
                input,
                output,
                cache_read,
                cache_write,
                reasoning: output,
                is_estimated: false,
            };
            model().price.cost(&usage).0
        };
        assert_eq!(cost(0, 0, 0, 0), 0);
        assert_eq!(cost(1_000_000, 0, 0, 0), 3_000_000);
        assert_eq!(
            cost(1, 1, 1, 1),
            3 + 15 + 1,
            "writing to the cache is free here"
        );
        assert_eq!(cost(10, 20, 30, 0), 30 + 300 + 9);
    }

    #[test]
    fn a_row_with_an_unknown_or_a_missing_field_is_refused() {
        let whole = serde_json::to_value(model()).expect("a model is JSON");
        for field in [
            "slug",
            "pool",
            "routes",
            "context",
            "max_output",
            "price",
            "strength",
        ] {
            let mut row = whole.clone();
            row.as_object_mut().expect("a row").remove(field);
            assert!(
                serde_json::from_value::<Model>(row).is_err(),
                "without {field}"
            );
        }
        let mut row = whole;
        row["colour"] = json!("red");
        assert!(serde_json::from_value::<Model>(row).is_err());
    }

    #[test]
    fn rows_are_found_by_name_only() {
        let catalog = Catalog {
            models: vec![model()],
            ..Catalog::default()
        };
        assert!(catalog.model(&ModelSlug::new("m")).is_some());
        assert!(catalog.model(&ModelSlug::new("M")).is_none());
        assert!(catalog.provider(&ProviderId::new("m")).is_none());
    }

    #[test]
    fn a_provider_needs_an_address_a_dialect_and_a_way_to_show_its_secret() {
        let row = json!({
            "id": "one", "title": "One", "base_url": "http://localhost", "path": "/chat",
            "dialect": "openai_chat", "auth": "bearer",
        });
        let provider: Provider = serde_json::from_value(row.clone()).expect("it is a provider");
        assert_eq!(provider.abort_grace, Millis(10_000));
        assert!(!provider.refused_counts && provider.errors.is_empty());
        for (field, wrong) in [
            ("dialect", "morse"),
            ("auth", "password"),
            ("limit_headers", "tea_leaves"),
        ] {
            let mut row = row.clone();
            row[field] = json!(wrong);
            assert!(
                serde_json::from_value::<Provider>(row).is_err(),
                "{field} = {wrong}"
            );
        }
    }
}
