//! Reading of a request as an OpenAI client sends it.

use chorus_core::llm::{
    Content, Message, Reasoning, ReasoningEffort, Request, ResponseFormat, Role, Sampling, Tool,
    ToolChoice, ToolResult,
};
use serde_json::Value;

use super::content;
use crate::ReadError;
use crate::fields::{Fields, parse};

/// Reads a request body; an error names the field that does not fit.
pub fn read_request(body: &[u8]) -> Result<Request, ReadError> {
    let mut fields = parse(body)?;
    if !fields.has("messages") {
        return Err(ReadError::new("messages", "is missing"));
    }
    let (system, messages) = read_messages(fields.take_objects("messages")?)?;
    fields.take::<Value>("stream_options")?;
    Ok(Request {
        model: fields.need("model")?,
        system,
        messages,
        tools: fields
            .take_objects("tools")?
            .into_iter()
            .map(read_tool)
            .collect::<Result<_, _>>()?,
        tool_choice: read_choice(&mut fields)?,
        parallel_tool_calls: fields.take("parallel_tool_calls")?,
        sampling: read_sampling(&mut fields)?,
        reasoning: read_reasoning(&mut fields)?,
        response_format: read_format(&mut fields)?,
        stream: fields.take("stream")?.unwrap_or(false),
        extra: fields.rest(),
    })
}

fn read_messages(list: Vec<Fields>) -> Result<(Vec<Content>, Vec<Message>), ReadError> {
    let mut system = Vec::new();
    let mut messages: Vec<Message> = Vec::new();
    for mut fields in list {
        let role: String = fields.need("role")?;
        let path = fields.at("content");
        let (role, content) = match role.as_str() {
            "assistant" => (Role::Assistant, content::read_assistant(&mut fields)?),
            "tool" => {
                let call_id = fields.need("tool_call_id")?;
                let content = content::read(fields.take("content")?, &path)?;
                let result = Content::ToolResult(ToolResult {
                    call_id,
                    content,
                    is_error: false,
                });
                match messages.last_mut().filter(|last| is_results(last)) {
                    Some(last) => {
                        last.content.push(result);
                        continue;
                    }
                    None => (Role::User, vec![result]),
                }
            }
            "system" | "developer" => {
                (Role::System, content::read(fields.take("content")?, &path)?)
            }
            "user" => (Role::User, content::read(fields.take("content")?, &path)?),
            other => {
                return Err(ReadError::new(
                    fields.at("role"),
                    format!("{other:?} is no role"),
                ));
            }
        };
        if role == Role::System && messages.is_empty() {
            system.extend(content);
        } else {
            messages.push(Message {
                role,
                content,
                extra: fields.rest(),
            });
        }
    }
    Ok((system, messages))
}

fn is_results(message: &Message) -> bool {
    message.role == Role::User
        && message
            .content
            .iter()
            .all(|piece| matches!(piece, Content::ToolResult(_)))
}

fn read_tool(mut fields: Fields) -> Result<Tool, ReadError> {
    let path = fields.at("function");
    let mut function = fields
        .take_object("function")?
        .ok_or_else(|| ReadError::new(path, "only function tools are known"))?;
    fields.take::<Value>("type")?;
    let tool = Tool {
        name: function.need("name")?,
        description: function.take("description")?,
        parameters: function
            .take("parameters")?
            .unwrap_or_else(|| serde_json::json!({ "type": "object", "properties": {} })),
        strict: function.take("strict")?,
        extra: fields.rest(),
    };
    Ok(tool)
}

fn read_choice(fields: &mut Fields) -> Result<Option<ToolChoice>, ReadError> {
    let path = fields.at("tool_choice");
    let choice = match fields.take::<Value>("tool_choice")? {
        None => return Ok(None),
        Some(Value::String(name)) => match name.as_str() {
            "auto" => ToolChoice::Auto,
            "none" => ToolChoice::None,
            "required" | "any" => ToolChoice::Required,
            other => return Err(ReadError::new(path, format!("{other:?} is no tool choice"))),
        },
        Some(object) => match object.pointer("/function/name").and_then(Value::as_str) {
            Some(name) => ToolChoice::Named {
                name: name.to_owned(),
            },
            None => {
                return Err(ReadError::new(
                    path,
                    "expected `auto`, `none`, `required` or a function's name",
                ));
            }
        },
    };
    Ok(Some(choice))
}

fn read_sampling(fields: &mut Fields) -> Result<Sampling, ReadError> {
    let stop = match fields.take::<Value>("stop")? {
        None => Vec::new(),
        Some(Value::String(text)) => vec![text],
        Some(list) => serde_json::from_value(list)
            .map_err(|error| ReadError::new("stop", error.to_string()))?,
    };
    let older = fields.take("max_tokens")?;
    Ok(Sampling {
        max_tokens: fields.take("max_completion_tokens")?.or(older),
        temperature: fields.take("temperature")?,
        top_p: fields.take("top_p")?,
        top_k: fields.take("top_k")?,
        frequency_penalty: fields.take("frequency_penalty")?,
        presence_penalty: fields.take("presence_penalty")?,
        seed: fields.take("seed")?,
        stop,
    })
}

fn read_reasoning(fields: &mut Fields) -> Result<Option<Reasoning>, ReadError> {
    let effort: Option<String> = fields.take("reasoning_effort")?;
    let mut reasoning = Reasoning {
        effort: effort
            .as_deref()
            .map(|name| read_effort(name, "reasoning_effort"))
            .transpose()?,
        ..Default::default()
    };
    if let Some(mut object) = fields.take_object("reasoning")? {
        let effort: Option<String> = object.take("effort")?;
        if let Some(name) = effort {
            reasoning.effort = Some(read_effort(&name, "reasoning.effort")?);
        }
        reasoning.max_tokens = object.take("max_tokens")?;
        reasoning.enabled = object.take("enabled")?;
    }
    if let Some(mut object) = fields.take_object("thinking")? {
        let switch: Option<String> = object.take("type")?;
        reasoning.enabled = switch.map(|name| name != "disabled");
    }
    Ok((reasoning != Reasoning::default()).then_some(reasoning))
}

fn read_effort(name: &str, path: &str) -> Result<ReasoningEffort, ReadError> {
    match name {
        "none" => Ok(ReasoningEffort::None),
        "minimal" => Ok(ReasoningEffort::Minimal),
        "low" => Ok(ReasoningEffort::Low),
        "medium" => Ok(ReasoningEffort::Medium),
        "high" => Ok(ReasoningEffort::High),
        "max" | "xhigh" => Ok(ReasoningEffort::Max),
        other => Err(ReadError::new(path, format!("{other:?} is no effort"))),
    }
}

/// Name of a schema that came without one.
const UNNAMED: &str = "answer";

fn read_format(fields: &mut Fields) -> Result<Option<ResponseFormat>, ReadError> {
    let Some(mut format) = fields.take_object("response_format")? else {
        return Ok(None);
    };
    let kind: String = format.need("type")?;
    match kind.as_str() {
        "text" => Ok(Some(ResponseFormat::Text)),
        "json_object" => Ok(Some(match format.take("schema")? {
            Some(schema) => ResponseFormat::JsonSchema {
                name: UNNAMED.to_owned(),
                schema,
                strict: None,
            },
            None => ResponseFormat::JsonObject,
        })),
        "json_schema" => {
            let mut inner = Fields::of(format.need("json_schema")?, format.at("json_schema"))?;
            let name = inner.take("name")?.unwrap_or_else(|| UNNAMED.to_owned());
            Ok(Some(ResponseFormat::JsonSchema {
                name,
                schema: inner.need("schema")?,
                strict: inner.take("strict")?,
            }))
        }
        other => Err(ReadError::new(
            format.at("type"),
            format!("{other:?} is no response format"),
        )),
    }
}
