//! Anthropic Messages: content blocks, named events, `anthropic-ratelimit-*` headers and error
//! bodies.
//!
//! Recorded facts: resets are the time of a full bucket (RFC 3339), token levels are rounded to
//! thousands, `max_tokens` is required, a failing stream sends an `error` event after status 200.

use serde_json::{Value, json};

use super::{
    ErrorReply, FinishReason, LimitsList, Piece, Refusal, ReplyContext, Route, Wire, WireReply,
    groups, header,
};
use crate::config::ModelConfig;
use crate::engine::call::{CallRequest, Role, Turn};
use crate::engine::hash::Hash;
use crate::engine::quota::{Counted, Exceeded, Level};

/// [`Wire`] of Anthropic.
#[derive(Debug)]
pub struct Anthropic;

impl Wire for Anthropic {
    fn route(&self, method: &str, path: &str) -> Option<Route> {
        match (method, path) {
            ("POST", "/v1/messages") => Some(Route::Call),
            ("POST", "/v1/messages/count_tokens") => Some(Route::Count),
            ("GET", "/v1/models") => Some(Route::Models),
            ("GET", "/v1/organizations/rate_limits") => Some(Route::Limits(LimitsList::Groups)),
            _ => None,
        }
    }

    fn key(&self, headers: &[(String, String)]) -> Option<String> {
        header(headers, "x-api-key")
            .map(str::to_owned)
            .or_else(|| super::bearer(headers))
    }

    fn read(&self, headers: &[(String, String)], body: &Value) -> Result<CallRequest, String> {
        header(headers, "anthropic-version").ok_or("anthropic-version: header is required")?;
        let model = body["model"].as_str().ok_or("model: Field required")?;
        let messages = body["messages"]
            .as_array()
            .ok_or("messages: Field required")?;
        if messages.is_empty() {
            return Err("messages: at least one message is required".to_owned());
        }
        let max_tokens = match &body["max_tokens"] {
            Value::Null => None,
            value => Some(
                value
                    .as_u64()
                    .ok_or("max_tokens: Input should be a valid integer")?,
            ),
        };
        let turns = messages
            .iter()
            .enumerate()
            .map(|(index, message)| turn(index, message))
            .collect::<Result<_, _>>()?;
        Ok(CallRequest {
            model: model.to_owned(),
            system: text_of(&body["system"]),
            turns,
            max_tokens,
            stream: body["stream"].as_bool().unwrap_or(false),
            stream_usage: true,
            think: body["thinking"]["type"]
                .as_str()
                .map(|kind| kind != "disabled"),
        })
    }

    fn check(&self, ask: &CallRequest, model: &ModelConfig) -> Result<(), String> {
        match ask.max_tokens {
            None => Err("max_tokens: Field required".to_owned()),
            Some(most) if most > model.max_output => Err(format!(
                "max_tokens: {most} > {}, which is the maximum allowed number of output tokens for {}",
                model.max_output, model.id
            )),
            Some(_) => Ok(()),
        }
    }

    fn error(&self, refusal: &Refusal, to: &ReplyContext<'_>) -> ErrorReply {
        let (status, kind, message) = match refusal {
            Refusal::NoSuchPath => (404, "not_found_error", "Not found".to_owned()),
            Refusal::NoKey => (401, "authentication_error", "x-api-key header is required".to_owned()),
            Refusal::DeadKey => (401, "authentication_error", "invalid x-api-key".to_owned()),
            Refusal::Forbidden => (403, "permission_error", format!("Your account does not have access to {}.", to.model)),
            Refusal::Unpaid => (402, "billing_error", "Your credit balance is too low to access the Anthropic API.".to_owned()),
            Refusal::Capped => (
                400,
                "invalid_request_error",
                "You have reached your specified API usage limits. You will regain access on the first of next month at 00:00 UTC."
                    .to_owned(),
            ),
            Refusal::TooLarge => (413, "request_too_large", "Request exceeds the maximum size".to_owned()),
            Refusal::Invalid(message) => (400, "invalid_request_error", message.clone()),
            Refusal::UnknownModel => (404, "not_found_error", format!("model: {}", to.model)),
            Refusal::Overflow { input, output, context } if input > context => {
                let _ = output;
                (400, "invalid_request_error", format!("prompt is too long: {input} tokens > {context} maximum"))
            }
            Refusal::Overflow { input, output, context } => (
                400,
                "invalid_request_error",
                format!(
                    "input length and `max_tokens` exceed context limit: {input} + {output} > {context}, decrease input length or `max_tokens` and try again"
                ),
            ),
            Refusal::Rate(exceeded) => (429, "rate_limit_error", rate_message(exceeded, to)),
            Refusal::Overloaded => (529, "overloaded_error", "Overloaded".to_owned()),
            Refusal::Failed => (500, "api_error", "Internal server error".to_owned()),
        };
        let mut headers = Vec::new();
        if let Refusal::Rate(exceeded) = refusal {
            headers.push((
                "retry-after".to_owned(),
                exceeded
                    .wait_ms
                    .unwrap_or(60_000)
                    .div_ceil(1000)
                    .max(1)
                    .to_string(),
            ));
        }
        if status == 529 {
            headers.push(("x-should-retry".to_owned(), "true".to_owned()));
        }
        let body = json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": to.request});
        ErrorReply {
            status,
            headers,
            body,
        }
    }

    fn headers(&self, levels: &[Level], to: &ReplyContext<'_>) -> Vec<(String, String)> {
        let mut headers = vec![("request-id".to_owned(), to.request.to_owned())];
        if !to.organisation.is_empty() {
            headers.push((
                "anthropic-organization-id".to_owned(),
                to.organisation.to_owned(),
            ));
        }
        for level in levels {
            let name = match level.counted {
                Counted::Requests => "requests",
                Counted::InputTokens => "input-tokens",
                Counted::OutputTokens => "output-tokens",
                Counted::Tokens | Counted::Concurrency => continue,
            };
            headers.extend(limit_headers(name, level, to.now_ms));
        }
        let tokens = levels
            .iter()
            .filter(|level| matches!(level.counted, Counted::InputTokens | Counted::OutputTokens));
        if let Some(tightest) =
            tokens.min_by_key(|level| level.remaining * 1000 / level.limit.max(1))
        {
            headers.extend(limit_headers("tokens", tightest, to.now_ms));
        }
        headers
    }

    fn whole(&self, reply: &WireReply<'_>) -> Value {
        let mut content = Vec::new();
        if !reply.reasoning.is_empty() {
            content.push(json!({"type": "thinking", "thinking": reply.reasoning, "signature": reply.hash.with(7).id(48)}));
        }
        if !reply.text.is_empty() {
            content.push(json!({"type": "text", "text": reply.text}));
        }
        let mut message = message(reply);
        message["content"] = content.into();
        message["stop_reason"] = stop_reason(reply.finish).into();
        message["usage"] = usage(reply.input, reply.output);
        message
    }

    fn pieces(&self, reply: &WireReply<'_>) -> Vec<Piece> {
        let mut stream = Stream::default();
        stream.push_event(
            "message_start",
            &json!({"type": "message_start", "message": message(reply)}),
        );
        if !reply.reasoning.is_empty() {
            stream.open(&json!({"type": "thinking", "thinking": "", "signature": ""}));
            stream.deltas("thinking_delta", "thinking", reply.reasoning);
            stream
                .delta(&json!({"type": "signature_delta", "signature": reply.hash.with(7).id(48)}));
            stream.close();
        }
        if !reply.text.is_empty() {
            stream.open(&json!({"type": "text", "text": ""}));
            stream.push_event("ping", &json!({"type": "ping"}));
            stream.deltas("text_delta", "text", reply.text);
            stream.close();
        }
        let delta = json!({"stop_reason": stop_reason(reply.finish), "stop_sequence": null});
        stream.push_event("message_delta", &json!({"type": "message_delta", "delta": delta, "usage": {"output_tokens": reply.output}}));
        stream.push_event("message_stop", &json!({"type": "message_stop"}));
        stream.pieces
    }

    fn stream_error(&self) -> Vec<u8> {
        event(
            "error",
            &json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
        )
    }

    fn credit_event(&self) -> Vec<u8> {
        event(
            "error",
            &json!({"type": "error", "error": {"type": "billing_error", "message": "Your credit balance is too low to access the Anthropic API."}}),
        )
    }

    fn models(&self, models: &[ModelConfig], now_ms: u64) -> Value {
        let data: Vec<Value> = models
            .iter()
            .map(|model| json!({"type": "model", "id": model.id, "display_name": model.id, "created_at": rfc3339(now_ms - now_ms % 86_400_000)}))
            .collect();
        let (first, last) = (
            models.first().map(|model| &model.id),
            models.last().map(|model| &model.id),
        );
        json!({"data": data, "has_more": false, "first_id": first, "last_id": last})
    }

    fn request_id(&self, hash: Hash) -> String {
        format!("req_011C{}", hash.id(20))
    }
}

/// A stream under construction, with counts of blocks and tokens.
#[derive(Default)]
struct Stream {
    pieces: Vec<Piece>,
    produced: u64,
    index: u64,
}

impl Stream {
    fn push_event(&mut self, name: &str, data: &Value) {
        self.pieces.push(Piece {
            produced: self.produced,
            bytes: event(name, data),
        });
    }

    fn open(&mut self, block: &Value) {
        self.push_event(
            "content_block_start",
            &json!({"type": "content_block_start", "index": self.index, "content_block": block}),
        );
    }

    fn delta(&mut self, delta: &Value) {
        self.push_event(
            "content_block_delta",
            &json!({"type": "content_block_delta", "index": self.index, "delta": delta}),
        );
    }

    fn deltas(&mut self, kind: &str, field: &str, text: &str) {
        for (tokens, part) in groups(text) {
            self.produced += tokens;
            self.delta(&json!({"type": kind, field: part}));
        }
    }

    fn close(&mut self) {
        self.push_event(
            "content_block_stop",
            &json!({"type": "content_block_stop", "index": self.index}),
        );
        self.index += 1;
    }
}

fn event(name: &str, data: &Value) -> Vec<u8> {
    format!("event: {name}\ndata: {data}\n\n").into_bytes()
}

fn message(reply: &WireReply<'_>) -> Value {
    json!({
        "id": format!("msg_01{}", reply.hash.id(22)),
        "type": "message",
        "role": "assistant",
        "model": reply.ask.model,
        "content": [],
        "stop_reason": null,
        "stop_sequence": null,
        "usage": usage(reply.input, 1),
    })
}

fn usage(input: u64, output: u64) -> Value {
    json!({
        "input_tokens": input,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": output,
        "service_tier": "standard",
    })
}

const fn stop_reason(finish: FinishReason) -> &'static str {
    match finish {
        FinishReason::Stop => "end_turn",
        FinishReason::Length => "max_tokens",
        FinishReason::Refusal => "refusal",
        FinishReason::ForeignLength => "max_output_tokens",
        FinishReason::Unknown => "tide_turned",
    }
}

fn turn(index: usize, message: &Value) -> Result<Turn, String> {
    let role = match message["role"].as_str() {
        Some("user") => Role::User,
        Some("assistant") => Role::Assistant,
        _ => {
            return Err(format!(
                "messages.{index}.role: Input should be 'user' or 'assistant'"
            ));
        }
    };
    if message["content"].is_null() {
        return Err(format!("messages.{index}.content: Field required"));
    }
    Ok(Turn {
        role,
        text: text_of(&message["content"]),
    })
}

/// Text of a string or of a list of blocks.
fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(blocks) => {
            let texts = blocks.iter().filter_map(|block| {
                block["text"]
                    .as_str()
                    .map(str::to_owned)
                    .or_else(|| tool_text(block))
            });
            texts.collect::<Vec<_>>().join("\n")
        }
        _ => String::new(),
    }
}

fn tool_text(block: &Value) -> Option<String> {
    (block["type"] == "tool_result").then(|| text_of(&block["content"]))
}

fn rate_message(exceeded: &Exceeded, to: &ReplyContext<'_>) -> String {
    let what = match exceeded.counted {
        Counted::InputTokens => "input tokens per minute",
        Counted::OutputTokens => "output tokens per minute",
        Counted::Requests | Counted::Tokens => "requests per minute",
        Counted::Concurrency => "concurrent connections",
    };
    format!(
        "This request would exceed your organization's rate limit of {} {what} (org: {}, model: {}). For details, refer to: https://docs.claude.com/en/api/rate-limits. You can see the response headers for current usage. Please reduce the prompt length or the maximum tokens requested, or try again later. You may also contact sales at https://claude.com/contact-sales to discuss your options for a rate limit increase.",
        thousands(exceeded.limit),
        to.organisation,
        to.model,
    )
}

fn limit_headers(name: &str, level: &Level, now_ms: u64) -> [(String, String); 3] {
    let remaining = if level.counted == Counted::Requests {
        level.remaining
    } else {
        (level.remaining + 500) / 1000 * 1000
    };
    [
        (
            format!("anthropic-ratelimit-{name}-limit"),
            level.limit.to_string(),
        ),
        (
            format!("anthropic-ratelimit-{name}-remaining"),
            remaining.min(level.limit).to_string(),
        ),
        (
            format!("anthropic-ratelimit-{name}-reset"),
            rfc3339(now_ms + level.full_in_ms),
        ),
    ]
}

/// A moment in RFC 3339, rounded up to whole seconds, so that no reset is announced too early.
fn rfc3339(at_ms: u64) -> String {
    let seconds = i64::try_from(at_ms.div_ceil(1000)).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds)
        .map(|at| at.to_string())
        .unwrap_or_default()
}

fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
