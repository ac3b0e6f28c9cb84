//! Provider that plays a script.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chorus_core::failure::FailureClass;
use chorus_core::id::ProviderId;
use chorus_core::llm::{FinishReason, StreamEvent, Usage};
use chorus_core::port::upstream::{Call, CallFailure, Response, ResponseBody};
use chorus_core::port::{Clock, Upstream};
use chorus_core::time::Millis;
use futures_util::StreamExt as _;

/// One reply of the provider.
#[derive(Clone)]
pub(super) enum Scene {
    /// The call is refused.
    Refuse(CallFailure),
    /// The call is answered in these pieces.
    Answer(Vec<Line>),
}

/// One piece of an answer.
#[derive(Clone)]
pub(super) enum Line {
    Say(StreamEvent),
    Wait(u64),
    Break(CallFailure),
    /// The same event without an end, every so many milliseconds.
    Repeat(StreamEvent, u64),
}

/// Provider that plays its scenes in order, and records the calls.
pub(super) struct Script {
    clock: Arc<dyn Clock>,
    pub(super) scenes: Mutex<VecDeque<Scene>>,
    pub(super) calls: Mutex<Vec<Call>>,
}

impl Script {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            scenes: Mutex::default(),
            calls: Mutex::default(),
        }
    }
}

#[async_trait]
impl Upstream for Script {
    async fn send(&self, call: Call) -> Result<Response, CallFailure> {
        self.calls.lock().unwrap().push(call);
        let sent_at = self.clock.now();
        let scene = self
            .scenes
            .lock()
            .unwrap()
            .pop_front()
            .expect("the script has a scene for every call");
        self.clock.sleep(Millis(50)).await;
        match scene {
            Scene::Refuse(failure) => Err(CallFailure {
                sent_at: Some(sent_at),
                ..failure
            }),
            Scene::Answer(lines) => {
                let body = ResponseBody::Stream(play(self.clock.clone(), lines));
                Ok(Response {
                    sent_at,
                    request_id: None,
                    levels: Vec::new(),
                    body,
                })
            }
        }
    }
}

fn play(
    clock: Arc<dyn Clock>,
    lines: Vec<Line>,
) -> futures_util::stream::BoxStream<'static, Result<StreamEvent, CallFailure>> {
    let lines = VecDeque::from(lines);
    futures_util::stream::unfold((clock, lines), async |(clock, mut lines)| {
        loop {
            match lines.pop_front()? {
                Line::Wait(millis) => clock.sleep(Millis(millis)).await,
                Line::Say(event) => return Some((Ok(event), (clock, lines))),
                Line::Break(failure) => return Some((Err(failure), (clock, lines))),
                Line::Repeat(event, millis) => {
                    clock.sleep(Millis(millis)).await;
                    lines.push_front(Line::Repeat(event.clone(), millis));
                    return Some((Ok(event), (clock, lines)));
                }
            }
        }
    })
    .boxed()
}

pub(super) fn text(delta: &str) -> StreamEvent {
    StreamEvent::Text {
        index: 0,
        delta: delta.into(),
    }
}

/// Complete answer of one piece, with its usage.
pub(super) fn answer(content: &str, finish: FinishReason) -> Scene {
    let usage = Usage {
        input: 100,
        output: 10,
        ..Usage::default()
    };
    let lines = [
        text(content),
        StreamEvent::Usage(usage),
        StreamEvent::Finish(finish),
        StreamEvent::End,
    ];
    Scene::Answer(lines.into_iter().map(Line::Say).collect())
}

/// Answer that begins, waits, then ends.
pub(super) fn slow_answer(content: &str, millis: u64) -> Scene {
    let Scene::Answer(mut lines) = answer(content, FinishReason::Stop) else {
        unreachable!("an answer is an answer")
    };
    lines.insert(1, Line::Wait(millis));
    Scene::Answer(lines)
}

pub(super) fn failure(
    class: FailureClass,
    status: Option<u16>,
    retry_after: Option<Millis>,
) -> CallFailure {
    CallFailure {
        status,
        retry_after,
        ..CallFailure::local(class, &ProviderId::new("anthropic"), "no")
    }
}
