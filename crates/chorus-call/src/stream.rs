//! Reading of a reply: pieces go to the observer, and are assembled for the report.

use std::ops::ControlFlow;

use chorus_core::failure::FailureClass;
use chorus_core::id::ProviderId;
use chorus_core::llm::{Assembler, Reply, StreamEvent};
use chorus_core::port::upstream::{CallFailure, ResponseBody, Tapped};
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;

use crate::cut::{Cut, CutBy};
use crate::observer::{CallObserver, Piece, beside};
use crate::usage;

/// End of a reply.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The reply is complete.
    Complete,
    /// The provider or the connection failed.
    Failed(CallFailure),
    /// More characters came than the bound allows.
    TooLong,
    /// The call was cut on our side.
    Cut(CutBy),
}

/// Reader of one reply.
pub(crate) struct StreamReader<'r, 'c> {
    pub(crate) observer: &'r mut dyn CallObserver,
    pub(crate) cut: &'r mut Cut<'c>,
    pub(crate) provider: &'r ProviderId,
    pub(crate) prompt_tokens: u64,
    /// Most characters of text and thinking; none for a verbatim reply, which is not taken apart.
    pub(crate) max_chars: Option<u64>,
}

impl StreamReader<'_, '_> {
    /// Reads the reply to its end, or until it is cut.
    pub(crate) async fn read(&mut self, body: ResponseBody) -> (Reply, Stop) {
        match body {
            ResponseBody::Whole(reply) => {
                let stop = self.pass(Piece::Reply(&reply)).await;
                (*reply, stop.unwrap_or(Stop::Complete))
            }
            ResponseBody::Stream(events) => self.read_events(events).await,
            ResponseBody::Verbatim { .. } if self.max_chars.is_some() => (
                Reply::default(),
                self.broken("answered a canonical call with its own bytes"),
            ),
            ResponseBody::Verbatim {
                status,
                content_type,
                body,
            } => {
                let content_type = &content_type;
                let head = Piece::Head {
                    status,
                    content_type,
                };
                match self.pass(head).await {
                    Some(stop) => (Reply::default(), stop),
                    None => self.read_bytes(body).await,
                }
            }
        }
    }

    async fn read_events(
        &mut self,
        mut events: BoxStream<'static, Result<StreamEvent, CallFailure>>,
    ) -> (Reply, Stop) {
        let mut assembler = Assembler::new();
        let mut chars = 0;
        let stop = loop {
            let event = match self.next(&mut events).await {
                Err(stop) => break stop,
                Ok(event) => event,
            };
            if let StreamEvent::Error { kind, message } = &event {
                break self.broken(&format!("{kind}: {message}"));
            }
            chars += visible_chars(&event);
            if let Some(stop) = self.pass(Piece::Event(&event)).await {
                break stop;
            }
            assembler.push(event);
            if assembler.ended() {
                break Stop::Complete;
            }
            if self.max_chars.is_some_and(|most| chars > most) {
                break Stop::TooLong;
            }
        };
        (assembler.finish(), stop)
    }

    async fn read_bytes(
        &mut self,
        mut body: BoxStream<'static, Result<Tapped, CallFailure>>,
    ) -> (Reply, Stop) {
        let mut reply = Reply::default();
        let mut length = 0;
        let stop = loop {
            match self.cut.or(beside(&mut *self.observer, body.next())).await {
                Err(by) => break Stop::Cut(by),
                Ok(None) => break Stop::Complete,
                Ok(Some(Err(failure))) => break Stop::Failed(failure),
                Ok(Some(Ok(Tapped::Usage(usage)))) => reply.usage = Some(usage),
                Ok(Some(Ok(Tapped::Bytes(bytes)))) => {
                    length += bytes.len();
                    if let Some(stop) = self.pass(Piece::Bytes(&bytes)).await {
                        break stop;
                    }
                }
            }
        };
        if reply.usage.is_none() {
            // Bytes are all that is known of the reply.
            let usage = reply.usage.insert(usage::of_silence(self.prompt_tokens));
            usage.output = usage::of_bytes(length);
        }
        (reply, stop)
    }

    async fn next(
        &mut self,
        events: &mut BoxStream<'static, Result<StreamEvent, CallFailure>>,
    ) -> Result<StreamEvent, Stop> {
        match self
            .cut
            .or(beside(&mut *self.observer, events.next()))
            .await
        {
            Err(by) => Err(Stop::Cut(by)),
            Ok(None) => Err(self.broken("the stream ended before the answer did")),
            Ok(Some(Err(failure))) => Err(Stop::Failed(failure)),
            Ok(Some(Ok(event))) => Ok(event),
        }
    }

    /// Hands a piece to the observer; returns the end of the call, if the observer or a cut ends it.
    async fn pass(&mut self, piece: Piece<'_>) -> Option<Stop> {
        match self.cut.or(self.observer.on_piece(piece)).await {
            Ok(ControlFlow::Continue(())) => None,
            Ok(ControlFlow::Break(())) => Some(Stop::Cut(CutBy::Cancel)),
            Err(by) => Some(Stop::Cut(by)),
        }
    }

    fn broken(&self, message: &str) -> Stop {
        Stop::Failed(CallFailure::local(
            FailureClass::MidStream,
            self.provider,
            message,
        ))
    }
}

fn visible_chars(event: &StreamEvent) -> u64 {
    match event {
        StreamEvent::Text { delta, .. } | StreamEvent::Reasoning { delta, .. } => {
            delta.chars().count() as u64
        }
        _ => 0,
    }
}
