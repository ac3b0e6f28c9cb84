//! Writing of a request for Anthropic. [`fit`](crate::fit::fit) has removed everything that the
//! model cannot take.

use chorus_core::llm::{
    Content, Message, ReasoningEffort, Request, ResponseFormat, Role, Tool, ToolChoice,
};
use serde_json::{Map, Value, json};

use super::block;
use crate::fields::Object;

/// Fields of other dialects, which Anthropic would refuse.
const FOREIGN: &[&str] = &[
    "audio",
    "function_call",
    "functions",
    "include_reasoning",
    "logit_bias",
    "logprobs",
    "min_p",
    "modalities",
    "models",
    "n",
    "plugins",
    "prediction",
    "prompt_cache_key",
    "prompt_cache_retention",
    "provider",
    "repetition_penalty",
    "route",
    "safety_identifier",
    "service_tier",
    "store",
    "structured_outputs",
    "top_a",
    "top_logprobs",
    "transforms",
    "usage",
    "user",
    "verbosity",
    "web_search_options",
];

/// Maximum tokens of an answer when the request has none: every model of the provider can produce
/// them.
const DEFAULT_MAX_TOKENS: u32 = 4096;

/// Writes a [`Request`] as a body.
pub fn write_request(request: &Request) -> Value {
    let sampling = &request.sampling;
    let max_tokens = sampling.max_tokens.unwrap_or(DEFAULT_MAX_TOKENS);
    let thinking = write_thinking(request, max_tokens);
    let thinks = thinking
        .as_ref()
        .is_some_and(|thinking| thinking["type"] != "disabled");
    let free = (!thinks).then_some(());
    let system: Vec<Value> = request.system.iter().filter_map(block::write).collect();
    let tools: Vec<Value> = request.tools.iter().map(write_tool).collect();
    let stop = (!sampling.stop.is_empty()).then(|| Value::from(sampling.stop.clone()));
    Object::new()
        .with("model", request.model.as_str())
        .with("max_tokens", max_tokens)
        .with_some("system", plain_or_blocks(system))
        .with("messages", write_messages(&request.messages))
        .with_some("tools", (!tools.is_empty()).then_some(tools))
        .with_some("tool_choice", write_choice(request, thinks))
        .with_some("temperature", free.and(sampling.temperature))
        .with_some("top_p", sampling.top_p)
        .with_some("top_k", free.and(sampling.top_k))
        .with_some("stop_sequences", stop)
        .with_some("thinking", thinking)
        .with_some("output_config", write_output(request))
        .with_some("stream", request.stream.then_some(true))
        .with_extra(&request.extra, FOREIGN)
        .build()
}

/// Returns one plain text as a text, else the list of blocks.
fn plain_or_blocks(blocks: Vec<Value>) -> Option<Value> {
    match &blocks[..] {
        [] => None,
        [Value::Object(only)] if is_plain(only) => only.get("text").cloned(),
        _ => Some(Value::Array(blocks)),
    }
}

fn is_plain(block: &Map<String, Value>) -> bool {
    block.len() == 2 && block.get("type").is_some_and(|kind| kind == "text")
}

/// Writes the turns: neighbours of one role become one turn, with results of functions first.
fn write_messages(messages: &[Message]) -> Vec<Value> {
    let mut turns: Vec<(&str, Vec<&Content>)> = Vec::new();
    for message in messages {
        let role = if message.role == Role::Assistant {
            "assistant"
        } else {
            "user"
        };
        match turns.last_mut() {
            Some((last, pieces)) if *last == role => pieces.extend(&message.content),
            _ => turns.push((role, message.content.iter().collect())),
        }
    }
    turns
        .into_iter()
        .filter_map(|(role, pieces)| write_turn(role, pieces))
        .collect()
}

fn write_turn(role: &str, mut pieces: Vec<&Content>) -> Option<Value> {
    pieces.retain(|piece| {
        !matches!(
            piece,
            Content::Reasoning {
                signature: None,
                redacted: None,
                ..
            }
        )
    });
    pieces.sort_by_key(|piece| role == "user" && !matches!(piece, Content::ToolResult(_)));
    let content = plain_or_blocks(pieces.into_iter().filter_map(block::write).collect())?;
    Some(json!({ "role": role, "content": content }))
}

fn write_tool(tool: &Tool) -> Value {
    let schema = (!tool.parameters.is_null()).then(|| tool.parameters.clone());
    Object::new()
        .with("name", tool.name.as_str())
        .with_some("description", tool.description.as_deref())
        .with_some("input_schema", schema)
        .with_some("strict", tool.strict)
        .with_extra(&tool.extra, &[])
        .build()
}

/// Writes the tool choice. A model that thinks cannot be forced to call.
fn write_choice(request: &Request, thinks: bool) -> Option<Value> {
    let single = (request.parallel_tool_calls == Some(false)).then_some(true);
    let choice = match (&request.tool_choice, thinks) {
        (None, _) if single.is_none() => return None,
        (None | Some(ToolChoice::Auto), _)
        | (Some(ToolChoice::Required | ToolChoice::Named { .. }), true) => {
            Object::new().with("type", "auto")
        }
        (Some(ToolChoice::None), _) => return Some(json!({ "type": "none" })),
        (Some(ToolChoice::Required), false) => Object::new().with("type", "any"),
        (Some(ToolChoice::Named { name }), false) => Object::new()
            .with("type", "tool")
            .with("name", name.as_str()),
    };
    let explicit = single.or_else(|| request.parallel_tool_calls.map(|parallel| !parallel));
    Some(
        choice
            .with_some("disable_parallel_tool_use", explicit)
            .build(),
    )
}

/// Writes the thinking. A budget must leave room for the answer; without one the model decides.
fn write_thinking(request: &Request, max_tokens: u32) -> Option<Value> {
    const SMALLEST: u32 = 1024;
    let reasoning = request.reasoning.as_ref()?;
    if reasoning.enabled == Some(false) || reasoning.effort == Some(ReasoningEffort::None) {
        return Some(json!({ "type": "disabled" }));
    }
    match reasoning.max_tokens {
        Some(_) if max_tokens <= SMALLEST => None,
        Some(budget) => Some(
            json!({ "type": "enabled", "budget_tokens": budget.clamp(SMALLEST, max_tokens - 1) }),
        ),
        None => Some(json!({ "type": "adaptive" })),
    }
}

fn write_output(request: &Request) -> Option<Value> {
    let effort = request
        .reasoning
        .as_ref()
        .and_then(|reasoning| reasoning.effort)
        .and_then(|effort| match effort {
            ReasoningEffort::None => None,
            ReasoningEffort::Minimal | ReasoningEffort::Low => Some("low"),
            ReasoningEffort::Medium => Some("medium"),
            ReasoningEffort::High => Some("high"),
            ReasoningEffort::Max => Some("max"),
        });
    let format = match &request.response_format {
        Some(ResponseFormat::JsonSchema { schema, .. }) => {
            Some(json!({ "type": "json_schema", "schema": schema }))
        }
        _ => None,
    };
    let any = effort.is_some() || format.is_some();
    any.then(|| {
        Object::new()
            .with_some("effort", effort)
            .with_some("format", format)
            .build()
    })
}
