//! What is known of providers and models, as data. The tables are `catalog/*.toml`; adding a provider or a
//! model is a row there. Reading the files is the binary's work, using the rows is everybody's.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::{ModelSlug, Pool, ProviderId};
use crate::llm::Usage;
use crate::money::MicroUsd;
use crate::time::Millis;

/// The wire language of a provider or a client.
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
    /// Its name here.
    pub slug: ModelSlug,
    /// The pool that serves it.
    pub pool: Pool,
    /// Its name on the wire of each provider that serves it.
    pub routes: BTreeMap<ProviderId, String>,
    /// Tokens that prompt and answer may have together.
    pub context: u32,
    /// Most tokens of one answer.
    pub max_output: u32,
    /// What it costs.
    pub price: Price,
    /// Rough strength, 0 to 100: which model stands in when none of a role's list can be served.
    pub strength: u8,
    /// Whether it thinks before it answers.
    #[serde(default)]
    pub reasoning: bool,
    /// Where it departs from its dialect.
    #[serde(default)]
    pub quirks: Quirks,
}

impl Model {
    /// Most tokens of an answer to a prompt of so many tokens; 0 when the prompt alone fills its context.
    pub fn room(&self, prompt: u64) -> u32 {
        let left = u64::from(self.context).saturating_sub(prompt);
        u32::try_from(left).unwrap_or(u32::MAX).min(self.max_output)
    }
}

/// Micro-dollars for a million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Prompt.
    pub input: MicroUsd,
    /// Produced.
    pub output: MicroUsd,
    /// Prompt read from a cache.
    #[serde(default)]
    pub cache_read: MicroUsd,
    /// Prompt written to a cache.
    #[serde(default)]
    pub cache_write: MicroUsd,
}

impl Price {
    /// What a call with this usage costs.
    pub fn cost(&self, usage: &Usage) -> MicroUsd {
        MicroUsd::for_tokens(usage.input, self.input)
            + MicroUsd::for_tokens(usage.output, self.output)
            + MicroUsd::for_tokens(usage.cache_read, self.cache_read)
            + MicroUsd::for_tokens(usage.cache_write, self.cache_write)
    }
}

/// Where a model departs from its dialect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Quirks {
    /// It takes system instructions; else they are put before the first user turn.
    pub system_ok: bool,
    /// It takes temperature and top-p; else they are left out.
    pub temperature_ok: bool,
    /// It can be told to answer with a JSON object.
    pub json_object: bool,
    /// It can be told to follow a JSON schema.
    pub json_schema: bool,
    /// It takes tools.
    pub tools: bool,
    /// It takes a tool choice that forces a call.
    pub forced_tool: bool,
    /// The wire field of its thinking, or `inline` for think tags in the text; none when it shows none.
    pub reasoning_field: Option<String>,
    /// When thinking must be sent back: `never` or `after_tools`.
    pub replay_reasoning: ReplayReasoning,
}

/// When earlier thinking is sent back to the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplayReasoning {
    /// Never: some answer 400 when they see it.
    #[default]
    Never,
    /// After tool-call turns, else they answer 400.
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

/// One provider: an address, how to knock, and how to read its answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// Its name here.
    pub id: ProviderId,
    /// What people call it.
    pub title: String,
    /// For instance `https://api.anthropic.com/v1`.
    pub base_url: String,
    /// Path of the completion endpoint under `base_url`.
    pub path: String,
    /// Its wire language.
    pub dialect: Dialect,
    /// How the secret is shown.
    pub auth: Auth,
    /// Headers that every request carries.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The environment variable that holds one account's key.
    #[serde(default)]
    pub env: Option<String>,
    /// Where a key is created, for messages to people.
    #[serde(default)]
    pub keys_url: Option<String>,
    /// How its server wants what the dialect leaves open.
    #[serde(default)]
    pub form: Form,
    /// Path under `base_url` that a live credential may read without cost; none when there is no such path.
    #[serde(default)]
    pub probe_path: Option<String>,
    /// How limits are told in its headers.
    pub limit_headers: LimitHeaders,
    /// Whether a refused call counts as a request.
    #[serde(default)]
    pub refused_counts: bool,
    /// How long it may go on generating after we hang up.
    #[serde(default = "ten_seconds")]
    pub abort_grace: Millis,
    /// Its errors, first match wins.
    #[serde(default)]
    pub errors: Vec<ErrorRule>,
    /// Limits assumed for an account of which nothing is known yet.
    #[serde(default)]
    pub default_limits: Vec<crate::limit::Limit>,
}

const fn ten_seconds() -> Millis {
    Millis(10_000)
}

/// How a provider's server wants what its dialect leaves open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Form {
    /// The field that limits the answer's length.
    pub max_tokens_field: String,
    /// How a wish for thinking is written.
    pub reasoning: ReasoningForm,
    /// Its word for as much thinking as the model can.
    pub max_effort: String,
    /// The field in which thinking is sent back.
    pub reasoning_field: String,
    /// It takes `stream_options`, and tells the usage of a stream only when asked so.
    pub stream_usage: bool,
    /// It takes `cache_control` on pieces of text.
    pub cache_control: bool,
    /// It takes `top_k`.
    pub top_k: bool,
    /// How a wished form of the answer is written.
    pub schema: SchemaForm,
}

/// How a JSON schema that the answer must follow is written on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SchemaForm {
    /// `response_format: {type: "json_schema", json_schema: {name, schema}}`.
    #[default]
    Named,
    /// `response_format: {type: "json_object", schema}`.
    InObject,
    /// In words of the prompt alone: the server may refuse either form.
    Words,
}

/// How a wish for thinking is written on the wire.
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
    /// Not at all: the server knows no such field.
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

/// How a secret is shown to the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Auth {
    /// `authorization: Bearer …`
    Bearer,
    /// `x-api-key: …`
    XApiKey,
    /// No secret: a server on one's own machine.
    None,
}

/// How limits are told in a provider's headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitHeaders {
    /// `anthropic-ratelimit-*`
    Anthropic,
    /// `x-ratelimit-*`, durations in Go's form.
    Openai,
    /// `x-ratelimit-*-req-minute` and `-tokens-minute`, no resets.
    Mistral,
    /// None.
    None,
}

/// One row of a provider's error table: all given conditions must hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorRule {
    /// HTTP status; none for any.
    #[serde(default)]
    pub status: Option<u16>,
    /// The error's `type` in the body.
    #[serde(default)]
    pub kind: Option<String>,
    /// The error's `code` in the body.
    #[serde(default)]
    pub code: Option<String>,
    /// Words that its message contains, in lower case.
    #[serde(default)]
    pub message: Option<String>,
    /// What it means.
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
    /// The provider of this name.
    pub fn provider(&self, id: &ProviderId) -> Option<&Provider> {
        self.providers.iter().find(|provider| provider.id == *id)
    }

    /// The model of this name.
    pub fn model(&self, slug: &ModelSlug) -> Option<&Model> {
        self.models.iter().find(|model| model.slug == *slug)
    }
}
