//! OpenAI chat completions: choices, unnamed chunks ended by `[DONE]`, `x-ratelimit-*` headers with
//! Go durations.
//!
//! Recorded facts: a call is charged the greater of `max_tokens` and an estimate from its
//! characters at entry; refused calls count as requests; billing failures are 429 with type
//! `insufficient_quota`.

use serde_json::{Value, json};

use super::{
    ErrorReply, FinishReason, LimitsList, Piece, Refusal, ReplyContext, Route, Wire, WireReply,
    groups,
};
use crate::config::ModelConfig;
use crate::engine::call::{CallRequest, Role, Turn};
use crate::engine::hash::Hash;
use crate::engine::quota::{Counted, Exceeded, Level};

/// [`Wire`] of OpenAI.
#[derive(Debug)]
pub struct Openai;

impl Wire for Openai {
    fn route(&self, method: &str, path: &str) -> Option<Route> {
        match (method, path.strip_prefix("/v1").unwrap_or(path)) {
            ("POST", "/chat/completions") => Some(Route::Call),
            ("GET", "/models") => Some(Route::Models),
            ("GET", path) if is_limits_path(path) => Some(Route::Limits(LimitsList::Models)),
            _ => None,
        }
    }

    fn key(&self, headers: &[(String, String)]) -> Option<String> {
        super::bearer(headers)
    }

    fn read(&self, _headers: &[(String, String)], body: &Value) -> Result<CallRequest, String> {
        read(body)
    }

    fn reply_counts_in_context(&self) -> bool {
        false
    }

    fn error(&self, refusal: &Refusal, to: &ReplyContext<'_>) -> ErrorReply {
        let body_of = error_body(refusal, to);
        let mut headers = Vec::new();
        if let Refusal::Rate(exceeded) = refusal {
            let wait = exceeded.wait_ms.unwrap_or(60_000).max(1);
            headers.push(("retry-after".to_owned(), wait.div_ceil(1000).to_string()));
            headers.push(("retry-after-ms".to_owned(), wait.to_string()));
        }
        if matches!(refusal, Refusal::Unpaid | Refusal::Capped) {
            headers.push(("x-should-retry".to_owned(), "false".to_owned()));
        }
        let body = json!({"error": {"message": body_of.message, "type": body_of.kind, "param": body_of.param, "code": body_of.code}});
        ErrorReply {
            status: body_of.status,
            headers,
            body,
        }
    }

    fn headers(&self, levels: &[Level], to: &ReplyContext<'_>) -> Vec<(String, String)> {
        let mut headers = vec![
            ("x-request-id".to_owned(), to.request.to_owned()),
            ("openai-version".to_owned(), "2020-10-01".to_owned()),
        ];
        if !to.organisation.is_empty() {
            headers.push(("openai-organization".to_owned(), to.organisation.to_owned()));
        }
        for level in levels {
            let name = match level.counted {
                Counted::Requests => "requests",
                Counted::Tokens => "tokens",
                Counted::InputTokens | Counted::OutputTokens | Counted::Concurrency => continue,
            };
            headers.push((format!("x-ratelimit-limit-{name}"), level.limit.to_string()));
            headers.push((
                format!("x-ratelimit-remaining-{name}"),
                level.remaining.to_string(),
            ));
            headers.push((
                format!("x-ratelimit-reset-{name}"),
                go_duration(level.full_in_ms),
            ));
        }
        headers
    }

    fn whole(&self, reply: &WireReply<'_>) -> Value {
        let (content, refusal) = content(reply);
        json!({
            "id": id(reply),
            "object": "chat.completion",
            "created": reply.created_s,
            "model": reply.ask.model,
            "choices": [{
                "index": 0,
                "message": {"role": "assistant", "content": content, "refusal": refusal, "annotations": []},
                "logprobs": null,
                "finish_reason": finish_reason(reply.finish),
            }],
            "usage": usage(reply),
            "service_tier": "default",
            "system_fingerprint": null,
        })
    }

    fn pieces(&self, reply: &WireReply<'_>) -> Vec<Piece> {
        let field = if reply.finish == FinishReason::Refusal {
            "refusal"
        } else {
            "content"
        };
        let choice = |delta: Value, finish: Value| json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}]);
        let first = json!({"role": "assistant", "content": "", "refusal": null});
        let mut produced = reply.thinking;
        let mut pieces = vec![Piece {
            produced,
            bytes: chunk(reply, &choice(first, Value::Null), &Value::Null),
        }];
        for (tokens, part) in groups(reply.text) {
            produced += tokens;
            pieces.push(Piece {
                produced,
                bytes: chunk(
                    reply,
                    &choice(json!({field: part}), Value::Null),
                    &Value::Null,
                ),
            });
        }
        let last = choice(json!({}), finish_reason(reply.finish).into());
        pieces.push(Piece {
            produced,
            bytes: chunk(reply, &last, &Value::Null),
        });
        if reply.ask.stream_usage {
            pieces.push(Piece {
                produced,
                bytes: chunk(reply, &json!([]), &usage(reply)),
            });
        }
        pieces.push(Piece {
            produced,
            bytes: b"data: [DONE]\n\n".to_vec(),
        });
        pieces
    }

    fn stream_error(&self) -> Vec<u8> {
        let error = json!({"error": {"message": "The server had an error while processing your request. Sorry about that!", "type": "server_error", "param": null, "code": null}});
        format!("data: {error}\n\n").into_bytes()
    }

    fn credit_event(&self) -> Vec<u8> {
        let error = json!({"error": {"message": quota_text(), "type": "insufficient_quota", "param": null, "code": "insufficient_quota"}});
        format!("data: {error}\n\n").into_bytes()
    }

    fn models(&self, models: &[ModelConfig], now_ms: u64) -> Value {
        models_of(models, now_ms, "openai")
    }

    fn request_id(&self, hash: Hash) -> String {
        format!(
            "req_{:016x}{:016x}",
            hash.with(1).value(),
            hash.with(2).value()
        )
    }

    fn refused_calls_count(&self) -> bool {
        true
    }

    fn charged_at_entry(&self, ask: &CallRequest, _input: u64) -> u64 {
        ask.max_tokens
            .unwrap_or(0)
            .max(ask.characters().div_ceil(4))
            .max(1)
    }
}

/// Parses a chat completion request.
pub(super) fn read(body: &Value) -> Result<CallRequest, String> {
    let model = body["model"]
        .as_str()
        .ok_or("you must provide a model parameter")?;
    let messages = body["messages"]
        .as_array()
        .ok_or("Missing required parameter: 'messages'.")?;
    if messages.is_empty() {
        return Err("Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead.".to_owned());
    }
    let mut ask = CallRequest {
        model: model.to_owned(),
        ..CallRequest::default()
    };
    for message in messages {
        let text = text_of(&message["content"]);
        match message["role"].as_str() {
            Some("system" | "developer") => ask.system.push_str(&text),
            Some("user" | "tool" | "function") => ask.turns.push(Turn {
                role: Role::User,
                text,
            }),
            Some("assistant") => ask.turns.push(Turn {
                role: Role::Assistant,
                text,
            }),
            other => {
                return Err(format!(
                    "Invalid value: '{}'. Supported values are: 'system', 'assistant', 'user', 'function', 'tool', and 'developer'.",
                    other.unwrap_or_default()
                ));
            }
        }
    }
    ask.max_tokens = body["max_completion_tokens"]
        .as_u64()
        .or_else(|| body["max_tokens"].as_u64());
    ask.stream = body["stream"].as_bool().unwrap_or(false);
    ask.stream_usage = body["stream_options"]["include_usage"]
        .as_bool()
        .unwrap_or(false);
    ask.think = body["reasoning_effort"]
        .as_str()
        .map(|effort| effort != "none" && effort != "minimal");
    Ok(ask)
}

/// Returns true for `/organization/projects/{project}/rate_limits`.
fn is_limits_path(path: &str) -> bool {
    let project = path.strip_prefix("/organization/projects/");
    project
        .and_then(|rest| rest.strip_suffix("/rate_limits"))
        .is_some_and(|project| !project.is_empty() && !project.contains('/'))
}

/// List of models in OpenAI's format.
pub(super) fn models_of(models: &[ModelConfig], now_ms: u64, owner: &str) -> Value {
    let created = now_ms / 86_400_000 * 86_400;
    let data: Vec<Value> =
        models.iter().map(|model| json!({"id": model.id, "object": "model", "created": created, "owned_by": owner})).collect();
    json!({"object": "list", "data": data})
}

/// A duration as Go prints it: `17ms`, `1s`, `6m0s`, `1h2m3.5s`.
pub fn go_duration(ms: u64) -> String {
    if ms == 0 {
        return "0s".to_owned();
    }
    if ms < 1000 {
        return format!("{ms}ms");
    }
    let (hours, minutes, rest) = (ms / 3_600_000, ms / 60_000 % 60, ms % 60_000);
    let fraction = format!("{:03}", rest % 1000);
    let fraction = fraction.trim_end_matches('0');
    let seconds = if fraction.is_empty() {
        format!("{}s", rest / 1000)
    } else {
        format!("{}.{fraction}s", rest / 1000)
    };
    match (hours, minutes) {
        (0, 0) => seconds,
        (0, minutes) => format!("{minutes}m{seconds}"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}"),
    }
}

struct ErrorBody {
    status: u16,
    message: String,
    kind: &'static str,
    param: Option<&'static str>,
    code: Option<&'static str>,
}

fn error_body(refusal: &Refusal, to: &ReplyContext<'_>) -> ErrorBody {
    let body_of = |status, message: String, kind, param, code| ErrorBody {
        status,
        message,
        kind,
        param,
        code,
    };
    let invalid = "invalid_request_error";
    match refusal {
        Refusal::NoSuchPath => body_of(404, "Invalid URL".to_owned(), invalid, None, None),
        Refusal::NoKey => body_of(
            401,
            "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).".to_owned(),
            invalid,
            None,
            None,
        ),
        Refusal::DeadKey => body_of(
            401,
            format!("Incorrect API key provided: {}. You can find your API key at https://platform.openai.com/account/api-keys.", masked(to.key)),
            invalid,
            None,
            Some("invalid_api_key"),
        ),
        Refusal::Forbidden => body_of(
            403,
            format!("Project does not have access to model `{}`.", to.model),
            invalid,
            None,
            Some("model_not_found"),
        ),
        Refusal::Unpaid => body_of(429, quota_text(), "insufficient_quota", None, Some("insufficient_quota")),
        Refusal::Capped => body_of(429, quota_text(), "insufficient_quota", None, Some("organization_spend_limit_exceeded")),
        Refusal::TooLarge => body_of(413, "Request body is too large.".to_owned(), invalid, None, None),
        Refusal::Invalid(message) => body_of(400, message.clone(), invalid, None, None),
        Refusal::UnknownModel => body_of(
            404,
            format!("The model `{}` does not exist or you do not have access to it.", to.model),
            invalid,
            None,
            Some("model_not_found"),
        ),
        Refusal::Overflow { input, context, .. } => body_of(
            400,
            format!("This model's maximum context length is {context} tokens. However, your messages resulted in {input} tokens. Please reduce the length of the messages."),
            invalid,
            Some("messages"),
            Some("context_length_exceeded"),
        ),
        Refusal::Rate(exceeded) => {
            let kind = if exceeded.counted == Counted::Requests { "requests" } else { "tokens" };
            body_of(429, rate_message(exceeded, to), kind, None, Some("rate_limit_exceeded"))
        }
        Refusal::Overloaded => body_of(
            503,
            "Our servers are currently overloaded. Please try again later.".to_owned(),
            "service_unavailable_error",
            None,
            Some("server_is_overloaded"),
        ),
        Refusal::Failed => body_of(
            500,
            "The server had an error while processing your request. Sorry about that!".to_owned(),
            "server_error",
            None,
            None,
        ),
    }
}

fn quota_text() -> String {
    "You exceeded your current quota, please check your plan and billing details. For more information on this error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors.".to_owned()
}

fn rate_message(exceeded: &Exceeded, to: &ReplyContext<'_>) -> String {
    let what = if exceeded.counted == Counted::Requests {
        "requests per min (RPM)"
    } else {
        "tokens per min (TPM)"
    };
    let (limit, used, requested) = (exceeded.limit, exceeded.used, exceeded.requested);
    let limited = format!("{} in organization {} on {what}", to.model, to.organisation);
    let more = "Visit https://platform.openai.com/account/rate-limits to learn more.";
    match exceeded.wait_ms {
        None => format!(
            "Request too large for {limited}: Limit {limit}, Requested {requested}. The input or output tokens must be reduced in order to run successfully. {more}"
        ),
        Some(wait) => format!(
            "Rate limit reached for {limited}: Limit {limit}, Used {used}, Requested {requested}. Please try again in {}. {more}",
            go_duration(wait)
        ),
    }
}

fn masked(key: &str) -> String {
    let letters: Vec<char> = key.chars().collect();
    if letters.len() < 12 {
        return "*".repeat(letters.len());
    }
    let head: String = letters[..8].iter().collect();
    let tail: String = letters[letters.len() - 4..].iter().collect();
    format!("{head}{}{tail}", "*".repeat(letters.len() - 12))
}

fn chunk(reply: &WireReply<'_>, choices: &Value, usage: &Value) -> Vec<u8> {
    let mut data = json!({
        "id": id(reply),
        "object": "chat.completion.chunk",
        "created": reply.created_s,
        "model": reply.ask.model,
        "service_tier": "default",
        "system_fingerprint": null,
        "choices": choices,
    });
    if reply.ask.stream_usage {
        data["usage"] = usage.clone();
    }
    format!("data: {data}\n\n").into_bytes()
}

fn id(reply: &WireReply<'_>) -> String {
    format!("chatcmpl-{}", reply.hash.id(29))
}

fn content<'a>(reply: &WireReply<'a>) -> (Option<&'a str>, Option<&'a str>) {
    if reply.finish == FinishReason::Refusal {
        (None, Some(reply.text))
    } else {
        (Some(reply.text), None)
    }
}

const fn finish_reason(finish: FinishReason) -> &'static str {
    match finish {
        FinishReason::Stop | FinishReason::Refusal => "stop",
        FinishReason::Length => "length",
        FinishReason::ForeignLength => "MAX_TOKENS",
        FinishReason::Unknown => "tide_turned",
    }
}

fn usage(reply: &WireReply<'_>) -> Value {
    json!({
        "prompt_tokens": reply.input,
        "completion_tokens": reply.output,
        "total_tokens": reply.input + reply.output,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": reply.thinking,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    })
}

fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts
            .iter()
            .filter_map(|part| part["text"].as_str())
            .collect::<Vec<_>>()
            .join("\n"),
        _ => String::new(),
    }
}
