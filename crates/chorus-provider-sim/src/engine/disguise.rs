//! Replies with bytes that are not what their headers promise: web pages, envelopes, whole replies in
//! the place of streams, compression.
//!
//! [`spoil`](super::spoil) changes what a reply contains, this module how it is wrapped.

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;

use super::fault::Fault;
use super::wire::openai::go_duration;
use super::wire::{Piece, Wire, WireReply};
use super::{Chunk, Scripted};

/// Wait that [`Fault::WaitInBody`] and [`Fault::WaitInText`] report, in milliseconds.
const REPORTED_WAIT_MS: u64 = 2_400;

const PAGE: &str = "<!DOCTYPE html>\n<html><head><title>Welcome to the gateway</title></head>\n\
    <body><h1>Welcome to the gateway</h1><p>Please sign in to continue.</p></body></html>\n";

/// Rewrites a refusal as its fault demands.
pub(super) fn refusal(scripted: &mut Scripted, fault: Fault, now_ms: u64) {
    match fault {
        Fault::Page => page(scripted, 200),
        Fault::PageForbidden => page(scripted, 403),
        Fault::PageFailed => page(scripted, 502),
        Fault::Redirect => {
            page(scripted, 308);
            let to = ("location".to_owned(), "https://moved.invalid/v1".to_owned());
            scripted.headers.push(to);
        }
        Fault::RateLimitUntold => limited(scripted, &json!({"message": "Rate limit exceeded"})),
        Fault::WaitInBody => {
            let reset = (now_ms + REPORTED_WAIT_MS).to_string();
            let headers = json!({"X-RateLimit-Limit": "20", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset});
            let error = json!({"message": "Rate limit exceeded: limit_rpm", "code": 429, "metadata": {"headers": headers}});
            limited(scripted, &error);
        }
        Fault::WaitInText => {
            let wait = go_duration(REPORTED_WAIT_MS);
            let message = format!("Rate limit reached. Please try again in {wait}.");
            limited(scripted, &json!({ "message": message }));
        }
        Fault::Enveloped => {
            scripted.status = 200;
            body(
                scripted,
                json!({"code": 429, "msg": "too many requests"}).to_string(),
            );
        }
        Fault::EmptyError => {
            scripted.status = 200;
            body(scripted, json!({"error": ""}).to_string());
        }
        _ => {}
    }
}

/// Pieces of a streamed reply, as its fault demands.
pub(super) fn pieces(wire: &dyn Wire, reply: &WireReply<'_>, fault: Fault) -> Vec<Piece> {
    let whole = |glued: &str| {
        vec![Piece {
            produced: reply.output,
            bytes: format!("{}{glued}", wire.whole(reply)).into_bytes(),
        }]
    };
    match fault {
        Fault::JsonAsStream | Fault::Untyped => whole(""),
        Fault::JsonWithDone => whole("data: [DONE]\n\n"),
        _ => wire.pieces(reply),
    }
}

/// Changes the headers and the bytes of an accepted reply, as its fault demands.
pub(super) fn reply(headers: &mut Vec<(String, String)>, chunks: &mut [Chunk], fault: Fault) {
    match fault {
        Fault::Untyped => headers.retain(|(name, _)| name != "content-type"),
        Fault::Gzip => {
            headers.push(("content-encoding".to_owned(), "gzip".to_owned()));
            compress(chunks);
        }
        _ => {}
    }
}

/// Compresses each chunk so that it can be read when it arrives.
fn compress(chunks: &mut [Chunk]) {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let last = chunks.len().saturating_sub(1);
    for (index, chunk) in chunks.iter_mut().enumerate() {
        let written = encoder.write_all(&chunk.bytes).and_then(|()| {
            if index == last {
                encoder.try_finish()
            } else {
                encoder.flush()
            }
        });
        debug_assert!(written.is_ok(), "memory takes all bytes");
        chunk.bytes = Bytes::from(std::mem::take(encoder.get_mut()));
    }
}

fn page(scripted: &mut Scripted, status: u16) {
    scripted.status = status;
    body(scripted, PAGE.to_owned());
    for (name, value) in &mut scripted.headers {
        if name == "content-type" {
            "text/html; charset=utf-8".clone_into(value);
        }
    }
}

/// A 429 with this error in its body and no wait in its headers.
fn limited(scripted: &mut Scripted, error: &serde_json::Value) {
    scripted.status = 429;
    scripted
        .headers
        .retain(|(name, _)| !name.starts_with("retry-after") && !name.contains("ratelimit"));
    body(scripted, json!({ "error": error }).to_string());
}

fn body(scripted: &mut Scripted, text: String) {
    let delay_ms = scripted.chunks.first().map_or(0, |chunk| chunk.delay_ms);
    scripted.chunks = vec![Chunk {
        delay_ms,
        bytes: Bytes::from(text),
    }];
}
