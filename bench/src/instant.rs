//! A model that answers at once, in process, so that only the cost of Chorus itself remains.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use chorus_core::llm::{Content, FinishReason, Message, Role, StreamEvent, Usage};
use chorus_core::port::upstream::{Body, Call, CallFailure, Response, ResponseBody};
use chorus_core::port::{Clock, Upstream};
use chorus_provider_sim::engine::call::{CallRequest, Role as TurnRole, Turn};
use futures_util::StreamExt;
use tokio::sync::Notify;

/// [`Upstream`] that replies by the rules of [`chorus_provider_sim::model`], without HTTP.
pub(crate) struct Instant {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) calls: AtomicU64,
    pub(crate) called: Notify,
}

#[async_trait]
impl Upstream for Instant {
    async fn send(&self, call: Call) -> Result<Response, CallFailure> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.called.notify_one();
        let Body::Canonical(request) = call.body else {
            unreachable!("workers send canonical requests")
        };
        let turns = request.messages.iter().map(turn).collect();
        let reply = reply(call.model.to_string(), turns);
        let usage = Usage {
            input: request.text_len() as u64 / 4,
            output: reply.len() as u64 / 4,
            ..Usage::default()
        };
        let events = stream(call.reference, call.model.to_string(), reply, usage);
        Ok(Response {
            sent_at: self.clock.now(),
            request_id: None,
            levels: Vec::new(),
            body: ResponseBody::Stream(futures_util::stream::iter(events.map(Ok)).boxed()),
        })
    }
}

/// Events of a reply that comes in one piece.
const fn stream(id: String, model: String, delta: String, usage: Usage) -> [StreamEvent; 5] {
    [
        StreamEvent::Start { id, model },
        StreamEvent::Text { index: 0, delta },
        StreamEvent::Usage(usage),
        StreamEvent::Finish(FinishReason::Stop),
        StreamEvent::End,
    ]
}

fn turn(message: &Message) -> Turn {
    let role = if message.role == Role::Assistant {
        TurnRole::Assistant
    } else {
        TurnRole::User
    };
    Turn {
        role,
        text: message.content.iter().map(text).collect(),
    }
}

fn reply(model: String, turns: Vec<Turn>) -> String {
    let ask = CallRequest {
        model,
        system: String::new(),
        turns,
        max_tokens: None,
        stream: true,
        stream_usage: true,
        think: None,
    };
    chorus_provider_sim::model::reply(&ask, &[]).text
}

fn text(content: &Content) -> &str {
    match content {
        Content::Text { text, .. } => text,
        _ => "",
    }
}
