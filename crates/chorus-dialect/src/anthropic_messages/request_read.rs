//! Reading of a request as an Anthropic client sends it.

use chorus_core::llm::{
    Message, Reasoning, ReasoningEffort, Request, ResponseFormat, Role, Sampling, Tool, ToolChoice,
};
use serde_json::Value;

use super::block;
use crate::ReadError;
use crate::fields::{Fields, parse};

/// Reads a request body; an error names the field that does not fit.
pub fn read_request(body: &[u8]) -> Result<Request, ReadError> {
    let mut fields = parse(body)?;
    if !fields.has("messages") {
        return Err(ReadError::new("messages", "is missing"));
    }
    let (tool_choice, parallel_tool_calls) = read_choice(&mut fields)?;
    let (reasoning, response_format) = read_thinking(&mut fields)?;
    Ok(Request {
        model: fields.need("model")?,
        system: block::read_all(fields.take("system")?, "system")?,
        messages: fields
            .take_objects("messages")?
            .into_iter()
            .map(read_message)
            .collect::<Result<_, _>>()?,
        tools: fields
            .take_objects("tools")?
            .into_iter()
            .map(read_tool)
            .collect::<Result<_, _>>()?,
        tool_choice,
        parallel_tool_calls,
        sampling: Sampling {
            max_tokens: Some(fields.need("max_tokens")?),
            temperature: fields.take("temperature")?,
            top_p: fields.take("top_p")?,
            top_k: fields.take("top_k")?,
            stop: fields.take("stop_sequences")?.unwrap_or_default(),
            ..Sampling::default()
        },
        reasoning,
        response_format,
        stream: fields.take("stream")?.unwrap_or(false),
        extra: fields.rest(),
    })
}

fn read_message(mut fields: Fields) -> Result<Message, ReadError> {
    let role: String = fields.need("role")?;
    let role = match role.as_str() {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "system" => Role::System,
        other => {
            return Err(ReadError::new(
                fields.at("role"),
                format!("{other:?} is no role"),
            ));
        }
    };
    let path = fields.at("content");
    Ok(Message {
        role,
        content: block::read_all(fields.take("content")?, &path)?,
        extra: fields.rest(),
    })
}

/// Reads a tool. Tools that run on the provider's side have a type and no schema.
fn read_tool(mut fields: Fields) -> Result<Tool, ReadError> {
    if fields.text("type") == Some("custom") {
        fields.take::<Value>("type")?;
    }
    Ok(Tool {
        name: fields.need("name")?,
        description: fields.take("description")?,
        parameters: fields.take("input_schema")?.unwrap_or(Value::Null),
        strict: fields.take("strict")?,
        extra: fields.rest(),
    })
}

fn read_choice(fields: &mut Fields) -> Result<(Option<ToolChoice>, Option<bool>), ReadError> {
    let Some(mut choice) = fields.take_object("tool_choice")? else {
        return Ok((None, None));
    };
    let kind: String = choice.need("type")?;
    let single: Option<bool> = choice.take("disable_parallel_tool_use")?;
    let choice = match kind.as_str() {
        "auto" => ToolChoice::Auto,
        "none" => ToolChoice::None,
        "any" => ToolChoice::Required,
        "tool" => ToolChoice::Named {
            name: choice.need("name")?,
        },
        other => {
            return Err(ReadError::new(
                choice.at("type"),
                format!("{other:?} is no tool choice"),
            ));
        }
    };
    Ok((Some(choice), single.map(|single| !single)))
}

fn read_thinking(
    fields: &mut Fields,
) -> Result<(Option<Reasoning>, Option<ResponseFormat>), ReadError> {
    let mut reasoning = Reasoning::default();
    let mut format = None;
    if let Some(mut thinking) = fields.take_object("thinking")? {
        let kind: String = thinking.need("type")?;
        reasoning.enabled = Some(kind != "disabled");
        reasoning.max_tokens = thinking.take("budget_tokens")?;
    }
    if let Some(mut config) = fields.take_object("output_config")? {
        let effort: Option<String> = config.take("effort")?;
        reasoning.effort = effort
            .map(|word| read_effort(&word, &config.at("effort")))
            .transpose()?;
        if let Some(mut inner) = config.take_object("format")? {
            format = Some(ResponseFormat::JsonSchema {
                name: "answer".to_owned(),
                schema: inner.need("schema")?,
                strict: None,
            });
        }
    }
    Ok((
        (reasoning != Reasoning::default()).then_some(reasoning),
        format,
    ))
}

fn read_effort(word: &str, path: &str) -> Result<ReasoningEffort, ReadError> {
    match word {
        "low" => Ok(ReasoningEffort::Low),
        "medium" => Ok(ReasoningEffort::Medium),
        "high" => Ok(ReasoningEffort::High),
        "max" | "xhigh" => Ok(ReasoningEffort::Max),
        other => Err(ReadError::new(path, format!("{other:?} is no effort"))),
    }
}
