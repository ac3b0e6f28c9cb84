//! OpenAI chat completions: choices, unnamed chunks ended by `[DONE]`, `x-ratelimit-*` headers with
//! Go durations.
//!
//! Recorded facts: a call is charged the greater of `max_tokens` and an estimate from its
//! characters at entry; refused calls count as requests; billing failures are 429 with type
//! `insufficient_quota`.

use serde_json::{Value, json};

use super::{Addressee, Finish, Piece, Refusal, Refused, Route, Wire, Written, groups};
use crate::config::ModelConfig;
use crate::engine::call::{Ask, Role, Turn};
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
            _ => None,
        }
    }

    fn key(&self, headers: &[(String, String)]) -> Option<String> {
        super::bearer(headers)
    }

    fn read(&self, _headers: &[(String, String)], body: &Value) -> Result<Ask, String> {
        read(body)
    }

    fn reply_counts_in_context(&self) -> bool {
        false
    }

    fn refuse(&self, refusal: &Refusal, to: &Addressee<'_>) -> Refused {
        let said = say(refusal, to);
        let mut headers = Vec::new();
        if let Refusal::Rate(exceeded) = refusal {
            let wait = exceeded.wait_ms.unwrap_or(60_000).max(1);
            headers.push(("retry-after".to_owned(), wait.div_ceil(1000).to_string()));
            headers.push(("retry-after-ms".to_owned(), wait.to_string()));
        }
        if matches!(refusal, Refusal::Unpaid | Refusal::Capped) {
            headers.push(("x-should-retry".to_owned(), "false".to_owned()));
        }
        let body = json!({"error": {"message": said.message, "type": said.kind, "param": said.param, "code": said.code}});
        Refused {
            status: said.status,
            headers,
            body,
        }
    }

    fn headers(&self, levels: &[Level], to: &Addressee<'_>) -> Vec<(String, String)> {
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

    fn whole(&self, written: &Written<'_>) -> Value {
        let (content, refusal) = content(written);
        json!({
            "id": id(written),
            "object": "chat.completion",
            "created": written.created_s,
            "model": written.ask.model,
            "choices": [{
                "index": 0,
                "message": {"role": "assistant", "content": content, "refusal": refusal, "annotations": []},
                "logprobs": null,
                "finish_reason": finish_reason(written.finish),
            }],
            "usage": usage(written),
            "service_tier": "default",
            "system_fingerprint": null,
        })
    }

    fn pieces(&self, written: &Written<'_>) -> Vec<Piece> {
        let field = if written.finish == Finish::Refusal {
            "refusal"
        } else {
            "content"
        };
        let choice = |delta: Value, finish: Value| json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}]);
        let first = json!({"role": "assistant", "content": "", "refusal": null});
        let mut produced = written.thinking;
        let mut pieces = vec![Piece {
            produced,
            bytes: chunk(written, &choice(first, Value::Null), &Value::Null),
        }];
        for (tokens, part) in groups(written.text) {
            produced += tokens;
            pieces.push(Piece {
                produced,
                bytes: chunk(
                    written,
                    &choice(json!({field: part}), Value::Null),
                    &Value::Null,
                ),
            });
        }
        let last = choice(json!({}), finish_reason(written.finish).into());
        pieces.push(Piece {
            produced,
            bytes: chunk(written, &last, &Value::Null),
        });
        if written.ask.stream_usage {
            pieces.push(Piece {
                produced,
                bytes: chunk(written, &json!([]), &usage(written)),
            });
        }
        pieces.push(Piece {
            produced,
            bytes: b"data: [DONE]\n\n".to_vec(),
        });
        pieces
    }

    fn broken(&self) -> Vec<u8> {
        let error = json!({"error": {"message": "The server had an error while processing your request. Sorry about that!", "type": "server_error", "param": null, "code": null}});
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

    fn charged_at_entry(&self, ask: &Ask, _input: u64) -> u64 {
        ask.max_tokens
            .unwrap_or(0)
            .max(ask.characters().div_ceil(4))
            .max(1)
    }
}

/// Parses a chat completion request.
pub(super) fn read(body: &Value) -> Result<Ask, String> {
    let model = body["model"]
        .as_str()
        .ok_or("you must provide a model parameter")?;
    let messages = body["messages"]
        .as_array()
        .ok_or("Missing required parameter: 'messages'.")?;
    if messages.is_empty() {
        return Err("Invalid 'messages': empty array. Expected an array with minimum length 1, but got an empty array instead.".to_owned());
    }
    let mut ask = Ask {
        model: model.to_owned(),
        ..Ask::default()
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

struct Said {
    status: u16,
    message: String,
    kind: &'static str,
    param: Option<&'static str>,
    code: Option<&'static str>,
}

fn say(refusal: &Refusal, to: &Addressee<'_>) -> Said {
    let said = |status, message: String, kind, param, code| Said {
        status,
        message,
        kind,
        param,
        code,
    };
    let invalid = "invalid_request_error";
    match refusal {
        Refusal::NoSuchPath => said(404, "Invalid URL".to_owned(), invalid, None, None),
        Refusal::NoKey => said(
            401,
            "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).".to_owned(),
            invalid,
            None,
            None,
        ),
        Refusal::DeadKey => said(
            401,
            format!("Incorrect API key provided: {}. You can find your API key at https://platform.openai.com/account/api-keys.", masked(to.key)),
            invalid,
            None,
            Some("invalid_api_key"),
        ),
        Refusal::Unpaid => said(429, quota_text(), "insufficient_quota", None, Some("insufficient_quota")),
        Refusal::Capped => said(429, quota_text(), "insufficient_quota", None, Some("organization_spend_limit_exceeded")),
        Refusal::TooLarge => said(413, "Request body is too large.".to_owned(), invalid, None, None),
        Refusal::Invalid(message) => said(400, message.clone(), invalid, None, None),
        Refusal::UnknownModel => said(
            404,
            format!("The model `{}` does not exist or you do not have access to it.", to.model),
            invalid,
            None,
            Some("model_not_found"),
        ),
        Refusal::Overflow { input, context, .. } => said(
            400,
            format!("This model's maximum context length is {context} tokens. However, your messages resulted in {input} tokens. Please reduce the length of the messages."),
            invalid,
            Some("messages"),
            Some("context_length_exceeded"),
        ),
        Refusal::Rate(exceeded) => {
            let kind = if exceeded.counted == Counted::Requests { "requests" } else { "tokens" };
            said(429, rate_message(exceeded, to), kind, None, Some("rate_limit_exceeded"))
        }
        Refusal::Overloaded => said(
            503,
            "Our servers are currently overloaded. Please try again later.".to_owned(),
            "service_unavailable_error",
            None,
            Some("server_is_overloaded"),
        ),
        Refusal::Failed => said(
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

fn rate_message(exceeded: &Exceeded, to: &Addressee<'_>) -> String {
    let what = if exceeded.counted == Counted::Requests {
        "requests per min (RPM)"
    } else {
        "tokens per min (TPM)"
    };
    let (limit, used, requested) = (exceeded.limit, exceeded.used, exceeded.requested);
    let place = format!("{} in organization {} on {what}", to.model, to.organisation);
    let more = "Visit https://platform.openai.com/account/rate-limits to learn more.";
    match exceeded.wait_ms {
        None => format!(
            "Request too large for {place}: Limit {limit}, Requested {requested}. The input or output tokens must be reduced in order to run successfully. {more}"
        ),
        Some(wait) => format!(
            "Rate limit reached for {place}: Limit {limit}, Used {used}, Requested {requested}. Please try again in {}. {more}",
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

fn chunk(written: &Written<'_>, choices: &Value, usage: &Value) -> Vec<u8> {
    let mut data = json!({
        "id": id(written),
        "object": "chat.completion.chunk",
        "created": written.created_s,
        "model": written.ask.model,
        "service_tier": "default",
        "system_fingerprint": null,
        "choices": choices,
    });
    if written.ask.stream_usage {
        data["usage"] = usage.clone();
    }
    format!("data: {data}\n\n").into_bytes()
}

fn id(written: &Written<'_>) -> String {
    format!("chatcmpl-{}", written.hash.id(29))
}

fn content<'a>(written: &Written<'a>) -> (Option<&'a str>, Option<&'a str>) {
    if written.finish == Finish::Refusal {
        (None, Some(written.text))
    } else {
        (Some(written.text), None)
    }
}

const fn finish_reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop | Finish::Refusal => "stop",
        Finish::Length => "length",
    }
}

fn usage(written: &Written<'_>) -> Value {
    json!({
        "prompt_tokens": written.input,
        "completion_tokens": written.output,
        "total_tokens": written.input + written.output,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": written.thinking,
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
