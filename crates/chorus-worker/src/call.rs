//! The one provider call of a delivery: streaming, watched, and cut when it must be.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll};

use chorus_core::attempt::{Delivery, WorkOrder};
use chorus_core::catalog::Model;
use chorus_core::failure::FailureClass;
use chorus_core::limit::ObservedLevel;
use chorus_core::llm::{Assembler, Reply, Request, StreamEvent};
use chorus_core::port::upstream::{Body, Call, CallFailure, Response, ResponseBody};
use chorus_core::time::Timestamp;
use futures_channel::oneshot;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt as _, StreamExt as _};

use crate::estimate;
use crate::held::Stop;
use crate::progress::Telling;
use crate::workshop::Workshop;

/// What came of a call.
pub(crate) struct Called {
    /// What was heard of an answer; none when the provider accepted nothing.
    pub(crate) heard: Option<Heard>,
    /// How it ended.
    pub(crate) end: CallEnd,
}

/// An answer, whole or as far as it came.
pub(crate) struct Heard {
    pub(crate) reply: Reply,
    pub(crate) sent_at: Timestamp,
    pub(crate) levels: Vec<ObservedLevel>,
}

/// How a call ended.
pub(crate) enum CallEnd {
    /// The answer is whole.
    Whole,
    /// The provider or the way to it failed.
    Failed(CallFailure),
    /// More text came than was asked for many times over.
    TooLong,
    /// Its deadline came.
    Deadline,
    /// It was told to stop.
    Stopped(Stop),
}

/// Ends a call from our side: at its deadline, or when the delivery is told to stop.
pub(crate) struct Cut<'a> {
    deadline: BoxFuture<'static, ()>,
    stop: &'a mut oneshot::Receiver<Stop>,
}

impl<'a> Cut<'a> {
    pub(crate) fn new(
        shop: &Workshop,
        deadline: Timestamp,
        stop: &'a mut oneshot::Receiver<Stop>,
    ) -> Self {
        Self {
            deadline: shop.clock().sleep_until(deadline),
            stop,
        }
    }

    /// The future's value, unless the call is cut before it is there.
    pub(crate) async fn or<F: Future>(&mut self, future: F) -> Result<F::Output, CallEnd> {
        let mut future = pin!(future);
        poll_fn(|context| match future.as_mut().poll(context) {
            Poll::Ready(value) => Poll::Ready(Ok(value)),
            Poll::Pending => self.poll_cut(context).map(Err),
        })
        .await
    }

    fn poll_cut(&mut self, context: &mut Context<'_>) -> Poll<CallEnd> {
        if let Poll::Ready(Ok(why)) = self.stop.poll_unpin(context) {
            return Poll::Ready(CallEnd::Stopped(why));
        }
        self.deadline
            .poll_unpin(context)
            .map(|()| CallEnd::Deadline)
    }
}

/// Makes the call.
pub(crate) async fn make(
    shop: &Workshop,
    delivery: &Delivery,
    order: &WorkOrder,
    mut cut: Cut<'_>,
    deadline: Timestamp,
) -> Called {
    let assignment = &delivery.assignment;
    let model = shop.catalog.model(&assignment.model);
    let request = request(delivery, order, model);
    let most = most_chars(shop, &request, model);
    let call = Call {
        credential: assignment.credential(),
        provider: assignment.provider.clone(),
        model: assignment.model.clone(),
        body: Body::Canonical(Box::new(request)),
        deadline,
        reference: format!("{}.{}", delivery.attempt.id, delivery.epoch.0),
    };
    let mut telling = Telling::new(shop, delivery);
    let called = match cut.or(telling.beside(shop.ports.upstream.send(call))).await {
        Err(end) => Called { heard: None, end },
        Ok(Err(failure)) => Called {
            heard: None,
            end: CallEnd::Failed(failure),
        },
        Ok(Ok(answer)) => {
            Listening {
                telling: &mut telling,
                cut,
                most,
                delivery,
            }
            .hear(answer)
            .await
        }
    };
    telling.over().await;
    called
}

/// The order's request in the words of this delivery's route. It never asks for more than the model can give.
fn request(delivery: &Delivery, order: &WorkOrder, model: Option<&Model>) -> Request {
    let assignment = &delivery.assignment;
    let mut request = order.request.clone();
    let wire_name = model.and_then(|model| model.routes.get(&assignment.provider));
    request.model = wire_name.map_or_else(|| assignment.model.to_string(), Clone::clone);
    let size = &delivery.attempt.size;
    let asked = request.sampling.max_tokens.unwrap_or(size.max_tokens);
    let most = model.map_or(asked, |model| estimate::room(size, &order.so_far, model));
    request.sampling.max_tokens = Some(asked.min(most).max(1));
    request.stream = true;
    request
}

/// Beyond so many characters an answer counts as never ending. Some providers let thinking go beyond `max_tokens`.
fn most_chars(shop: &Workshop, request: &Request, model: Option<&Model>) -> u64 {
    let thinking = model
        .filter(|model| model.reasoning)
        .map_or(0, |model| model.max_output);
    let tokens = request
        .sampling
        .max_tokens
        .unwrap_or(0)
        .saturating_add(thinking)
        .max(1);
    u64::from(tokens) * u64::from(shop.settings.chars_per_token)
}

struct Listening<'a, 'b> {
    telling: &'a mut Telling<'b>,
    cut: Cut<'a>,
    most: u64,
    delivery: &'a Delivery,
}

impl Listening<'_, '_> {
    async fn hear(mut self, answer: Response) -> Called {
        let Response {
            sent_at,
            levels,
            body,
            ..
        } = answer;
        let (reply, end) = match body {
            ResponseBody::Whole(reply) => (*reply, CallEnd::Whole),
            ResponseBody::Stream(stream) => self.follow(stream).await,
            ResponseBody::Verbatim { .. } => (
                Reply::default(),
                self.broken("answered in the provider's own bytes, which nobody asked for"),
            ),
        };
        Called {
            heard: Some(Heard {
                reply,
                sent_at,
                levels,
            }),
            end,
        }
    }

    async fn follow(
        &mut self,
        mut stream: BoxStream<'static, Result<StreamEvent, CallFailure>>,
    ) -> (Reply, CallEnd) {
        let mut assembler = Assembler::new();
        let end = loop {
            let event = match self.cut.or(self.telling.beside(stream.next())).await {
                Err(end) => break end,
                Ok(None) => break self.broken("the stream ended before the answer did"),
                Ok(Some(Err(failure))) => break CallEnd::Failed(failure),
                Ok(Some(Ok(event))) => event,
            };
            if let StreamEvent::Error { kind, message } = &event {
                break self.broken(&format!("{kind}: {message}"));
            }
            self.telling.note(&event);
            assembler.push(event);
            if assembler.ended() {
                break CallEnd::Whole;
            }
            if self.telling.chars() > self.most {
                break CallEnd::TooLong;
            }
        };
        (assembler.finish(), end)
    }

    fn broken(&self, message: &str) -> CallEnd {
        CallEnd::Failed(CallFailure {
            class: FailureClass::MidStream,
            provider: self.delivery.assignment.provider.clone(),
            status: None,
            kind: None,
            message: message.to_owned(),
            retry_after: None,
            sent_at: None,
            levels: Vec::new(),
        })
    }
}
