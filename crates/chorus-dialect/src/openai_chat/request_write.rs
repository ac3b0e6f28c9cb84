//! Writing of a request for an OpenAI-compatible server. [`fit`](crate::fit::fit) has removed
//! everything that the model cannot take.

use chorus_core::catalog::{Form, ReasoningForm, SchemaForm};
use chorus_core::llm::{
    Content, Message, Reasoning, ReasoningEffort, Request, ResponseFormat, Role, Tool, ToolChoice,
};
use serde_json::{Value, json};

use super::content;
use crate::fields::Object;

/// Fields of other dialects, which servers of this one would refuse.
const FOREIGN: &[&str] = &[
    "anthropic_version",
    "anthropic_beta",
    "betas",
    "container",
    "context_management",
    "inference_geo",
    "mcp_servers",
    "output_config",
];

/// Writes a [`Request`] as a body, in the server's [`Form`].
pub fn write_request(request: &Request, form: &Form) -> Value {
    let sampling = &request.sampling;
    let stop = match &sampling.stop[..] {
        [] => None,
        several => Some(Value::from(several.to_vec())),
    };
    let tools: Vec<Value> = request
        .tools
        .iter()
        .filter(|tool| !tool.parameters.is_null())
        .map(write_tool)
        .collect();
    let usage_option =
        (request.stream && form.stream_usage).then(|| json!({ "include_usage": true }));
    let object = Object::new()
        .with("model", request.model.as_str())
        .with("messages", write_messages(request, form))
        .with_some("tools", (!tools.is_empty()).then_some(tools))
        .with_some(
            "tool_choice",
            request.tool_choice.as_ref().map(write_choice),
        )
        .with_some("parallel_tool_calls", request.parallel_tool_calls)
        .with_some(&form.max_tokens_field, sampling.max_tokens)
        .with_some("temperature", sampling.temperature)
        .with_some("top_p", sampling.top_p)
        .with_some("top_k", sampling.top_k.filter(|_| form.top_k))
        .with_some("frequency_penalty", sampling.frequency_penalty)
        .with_some("presence_penalty", sampling.presence_penalty)
        .with_some("seed", sampling.seed)
        .with_some("stop", stop)
        .with_some(
            "response_format",
            request
                .response_format
                .as_ref()
                .map(|format| write_format(format, form.schema)),
        );
    with_reasoning(object, request.reasoning.as_ref(), form)
        .with_some("stream", request.stream.then_some(true))
        .with_some("stream_options", usage_option)
        .with_extra(
            &request.extra,
            if is_anthropic_metadata(request) {
                FOREIGN_WITH_METADATA
            } else {
                FOREIGN
            },
        )
        .build()
}

const FOREIGN_WITH_METADATA: &[&str] = &[
    "anthropic_version",
    "anthropic_beta",
    "betas",
    "container",
    "context_management",
    "inference_geo",
    "mcp_servers",
    "output_config",
    "metadata",
];

/// Returns true if `metadata` came from Anthropic, where it holds the user's id; both dialects have
/// a field of this name.
fn is_anthropic_metadata(request: &Request) -> bool {
    request
        .extra
        .get("metadata")
        .is_some_and(|value| value.get("user_id").is_some())
}

fn write_messages(request: &Request, form: &Form) -> Vec<Value> {
    let mut messages = Vec::new();
    if !request.system.is_empty() {
        messages.push(json!({ "role": "system", "content": write_system(&request.system, form) }));
    }
    for message in &request.messages {
        match message.role {
            Role::Assistant => messages.push(write_assistant(message, form)),
            Role::System => messages
                .push(json!({ "role": "system", "content": write_system(&message.content, form) })),
            Role::User => write_user(message, form, &mut messages),
        }
    }
    messages
}

/// Writes the instructions. Plain texts become one: not every server takes a list here.
fn write_system(pieces: &[Content], form: &Form) -> Value {
    let texts: Vec<&str> = pieces
        .iter()
        .filter_map(|piece| match piece {
            Content::Text { text, cache, .. } if cache.is_none() || !form.cache_control => {
                Some(text.as_str())
            }
            _ => None,
        })
        .collect();
    if texts.len() == pieces.len() {
        return Value::from(texts.join("\n\n"));
    }
    content::write(pieces, form.cache_control).unwrap_or_else(|| Value::from(""))
}

fn write_assistant(message: &Message, form: &Form) -> Value {
    let details_known = form.reasoning_field == "reasoning";
    let kept = message.content.iter().filter(|piece| match piece {
        Content::Reasoning {
            signature,
            redacted,
            ..
        } => details_known || (signature.is_none() && redacted.is_none()),
        _ => true,
    });
    content::write_assistant(
        &kept.cloned().collect::<Vec<_>>(),
        &message.extra,
        &form.reasoning_field,
    )
}

fn write_user(message: &Message, form: &Form, messages: &mut Vec<Value>) {
    for piece in &message.content {
        if let Content::ToolResult(result) = piece {
            let said = content::write(&result.content, form.cache_control)
                .unwrap_or_else(|| Value::from(""));
            messages
                .push(json!({ "role": "tool", "tool_call_id": result.call_id, "content": said }));
        }
    }
    let own = message
        .content
        .iter()
        .filter(|piece| !matches!(piece, Content::ToolResult(_)));
    if let Some(said) = content::write(own, form.cache_control) {
        messages.push(
            Object::new()
                .with("role", "user")
                .with("content", said)
                .with_extra(&message.extra, &[])
                .build(),
        );
    }
}

/// Writes a tool. Tools without a schema run on the other dialect's servers and are unknown here.
fn write_tool(tool: &Tool) -> Value {
    let function = Object::new()
        .with("name", tool.name.as_str())
        .with_some("description", tool.description.as_deref())
        .with("parameters", tool.parameters.clone())
        .with_some("strict", tool.strict);
    Object::new()
        .with("type", "function")
        .with("function", function.build())
        .with_extra(&tool.extra, &["cache_control"])
        .build()
}

fn write_choice(choice: &ToolChoice) -> Value {
    match choice {
        ToolChoice::Auto => Value::from("auto"),
        ToolChoice::None => Value::from("none"),
        ToolChoice::Required => Value::from("required"),
        ToolChoice::Named { name } => json!({ "type": "function", "function": { "name": name } }),
    }
}

fn write_format(format: &ResponseFormat, form: SchemaForm) -> Value {
    match format {
        ResponseFormat::Text => json!({ "type": "text" }),
        ResponseFormat::JsonObject => json!({ "type": "json_object" }),
        ResponseFormat::JsonSchema { schema, .. } if form == SchemaForm::InObject => {
            json!({ "type": "json_object", "schema": schema })
        }
        ResponseFormat::JsonSchema {
            name,
            schema,
            strict,
        } => {
            let inner = Object::new()
                .with("name", name.as_str())
                .with("schema", schema.clone())
                .with_some("strict", *strict);
            json!({ "type": "json_schema", "json_schema": inner.build() })
        }
    }
}

fn with_reasoning(object: Object, reasoning: Option<&Reasoning>, form: &Form) -> Object {
    let Some(reasoning) = reasoning else {
        return object;
    };
    let effort = reasoning.effort.map(|effort| write_effort(effort, form));
    match form.reasoning {
        ReasoningForm::None => object,
        ReasoningForm::Effort => object.with_some(
            "reasoning_effort",
            effort.or_else(|| (reasoning.enabled == Some(false)).then_some("none")),
        ),
        ReasoningForm::Object => {
            let inner = Object::new()
                .with_some("effort", effort)
                .with_some("max_tokens", reasoning.max_tokens)
                .with_some("enabled", reasoning.enabled);
            object.with("reasoning", inner.build())
        }
        ReasoningForm::Thinking => {
            let off =
                reasoning.enabled == Some(false) || reasoning.effort == Some(ReasoningEffort::None);
            let object = object.with(
                "thinking",
                json!({ "type": if off { "disabled" } else { "enabled" } }),
            );
            object.with_some("reasoning_effort", effort.filter(|_| !off))
        }
    }
}

fn write_effort(effort: ReasoningEffort, form: &Form) -> &str {
    match effort {
        ReasoningEffort::None => "none",
        ReasoningEffort::Minimal => "minimal",
        ReasoningEffort::Low => "low",
        ReasoningEffort::Medium => "medium",
        ReasoningEffort::High => "high",
        ReasoningEffort::Max => &form.max_effort,
    }
}
