//! DeepSeek's chat completions: OpenAI's shape with `reasoning_content`, other error bodies and no
//! limit headers.
//!
//! Recorded facts: only calls in flight are limited; a waiting call gets empty lines, or `:
//! keep-alive` comments if streamed; the last chunk of a stream carries the usage.

use serde_json::{Value, json};

use super::{
    ErrorReply, FinishReason, Piece, Refusal, ReplyContext, Route, Wire, WireReply, groups, openai,
};
use crate::config::ModelConfig;
use crate::engine::call::CallRequest;
use crate::engine::hash::Hash;
use crate::engine::quota::Level;

/// [`Wire`] of DeepSeek.
#[derive(Debug)]
pub struct Deepseek;

impl Wire for Deepseek {
    fn route(&self, method: &str, path: &str) -> Option<Route> {
        openai::Openai.route(method, path)
    }

    fn key(&self, headers: &[(String, String)]) -> Option<String> {
        super::bearer(headers)
    }

    fn read(&self, _headers: &[(String, String)], body: &Value) -> Result<CallRequest, String> {
        let mut ask = openai::read(body)?;
        if let Some(kind) = body["thinking"]["type"].as_str() {
            ask.think = Some(kind != "disabled");
        }
        Ok(ask)
    }

    fn error(&self, refusal: &Refusal, to: &ReplyContext<'_>) -> ErrorReply {
        let (status, kind, message) = match refusal {
            Refusal::NoSuchPath => (404, "invalid_request_error", "Not Found".to_owned()),
            Refusal::NoKey => (401, "authentication_error", "Authentication Fails (auth header format should be Bearer sk-...)".to_owned()),
            Refusal::DeadKey => {
                let tail: String = to.key.chars().skip(to.key.chars().count().saturating_sub(4)).collect();
                (401, "authentication_error", format!("Authentication Fails, Your api key: ****{tail} is invalid"))
            }
            Refusal::Forbidden => (403, "permission_error", format!("You may not use the model {}", to.model)),
            Refusal::Unpaid | Refusal::Capped => (402, "unknown_error", "Insufficient Balance".to_owned()),
            Refusal::TooLarge => (413, "invalid_request_error", "Request body is too large".to_owned()),
            Refusal::Invalid(message) => (400, "invalid_request_error", message.clone()),
            Refusal::UnknownModel => (400, "invalid_request_error", "Model Not Exist".to_owned()),
            Refusal::Overflow { input, output, context } => (
                400,
                "invalid_request_error",
                format!(
                    "This model's maximum context length is {context} tokens. However, you requested {} tokens ({input} in the messages, {output} in the completion). Please reduce the length of the messages or completion.",
                    input + output
                ),
            ),
            Refusal::Rate(exceeded) => (
                429,
                "rate_limit_reached_error",
                format!(
                    "Your current concurrency is {}, which exceeds your concurrency limit of {}.",
                    exceeded.used + exceeded.requested,
                    exceeded.limit
                ),
            ),
            Refusal::Overloaded => (
                503,
                "service_unavailable_error",
                "Service is too busy. We advise users to temporarily switch to alternative LLM API service providers.".to_owned(),
            ),
            Refusal::Failed => (500, "internal_error", "Internal Server Error".to_owned()),
        };
        let body = json!({"error": {"message": message, "type": kind, "param": null, "code": "invalid_request_error"}});
        ErrorReply {
            status,
            headers: Vec::new(),
            body,
        }
    }

    fn headers(&self, _levels: &[Level], to: &ReplyContext<'_>) -> Vec<(String, String)> {
        vec![("x-ds-trace-id".to_owned(), to.request.to_owned())]
    }

    fn whole(&self, reply: &WireReply<'_>) -> Value {
        let mut message = json!({"role": "assistant", "content": reply.text});
        if !reply.reasoning.is_empty() {
            message["reasoning_content"] = reply.reasoning.into();
            if reply.text.is_empty() {
                message["content"] = Value::Null;
            }
        }
        json!({
            "id": reply.hash.uuid(),
            "object": "chat.completion",
            "created": reply.created_s,
            "model": reply.ask.model,
            "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": finish_reason(reply.finish)}],
            "usage": usage(reply),
            "system_fingerprint": FINGERPRINT,
        })
    }

    fn pieces(&self, reply: &WireReply<'_>) -> Vec<Piece> {
        let thinks = !reply.reasoning.is_empty();
        let first = if thinks {
            json!({"role": "assistant", "content": null, "reasoning_content": ""})
        } else {
            json!({"role": "assistant", "content": ""})
        };
        let mut produced = 0;
        let mut pieces = vec![Piece {
            produced,
            bytes: chunk(reply, &first, &Value::Null, None),
        }];
        for (tokens, part) in groups(reply.reasoning) {
            produced += tokens;
            let delta = json!({"content": null, "reasoning_content": part});
            pieces.push(Piece {
                produced,
                bytes: chunk(reply, &delta, &Value::Null, None),
            });
        }
        for (tokens, part) in groups(reply.text) {
            produced += tokens;
            let delta = if thinks {
                json!({"content": part, "reasoning_content": null})
            } else {
                json!({"content": part})
            };
            pieces.push(Piece {
                produced,
                bytes: chunk(reply, &delta, &Value::Null, None),
            });
        }
        let last = chunk(
            reply,
            &json!({"content": ""}),
            &finish_reason(reply.finish).into(),
            Some(usage(reply)),
        );
        pieces.push(Piece {
            produced,
            bytes: last,
        });
        pieces.push(Piece {
            produced,
            bytes: b"data: [DONE]\n\n".to_vec(),
        });
        pieces
    }

    fn stream_error(&self) -> Vec<u8> {
        let error = json!({"error": {"message": "Internal Server Error", "type": "internal_error", "param": null, "code": "invalid_request_error"}});
        format!("data: {error}\n\n").into_bytes()
    }

    fn keep_alive(&self, streamed: bool) -> Option<&'static [u8]> {
        Some(if streamed { b": keep-alive\n\n" } else { b"\n" })
    }

    fn credit_event(&self) -> Vec<u8> {
        let error = json!({"error": {"message": "Insufficient Balance", "type": "unknown_error", "param": null, "code": "invalid_request_error"}});
        format!("data: {error}\n\n").into_bytes()
    }

    fn models(&self, models: &[ModelConfig], now_ms: u64) -> Value {
        openai::models_of(models, now_ms, "deepseek")
    }

    fn request_id(&self, hash: Hash) -> String {
        hash.uuid().replace('-', "")
    }
}

const FINGERPRINT: &str = "fp_sim_prod0820_fp8_kvcache";

fn chunk(reply: &WireReply<'_>, delta: &Value, finish: &Value, usage: Option<Value>) -> Vec<u8> {
    let mut data = json!({
        "id": reply.hash.uuid(),
        "object": "chat.completion.chunk",
        "created": reply.created_s,
        "model": reply.ask.model,
        "system_fingerprint": FINGERPRINT,
        "choices": [{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}],
    });
    if let Some(usage) = usage {
        data["usage"] = usage;
    }
    format!("data: {data}\n\n").into_bytes()
}

const fn finish_reason(finish: FinishReason) -> &'static str {
    match finish {
        FinishReason::Stop => "stop",
        FinishReason::Length => "length",
        FinishReason::Refusal => "content_filter",
        FinishReason::ForeignLength => "MAX_TOKENS",
        FinishReason::Unknown => "tide_turned",
    }
}

fn usage(reply: &WireReply<'_>) -> Value {
    json!({
        "prompt_tokens": reply.input,
        "completion_tokens": reply.output,
        "total_tokens": reply.input + reply.output,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": reply.thinking},
        "prompt_cache_hit_tokens": 0,
        "prompt_cache_miss_tokens": reply.input,
    })
}
