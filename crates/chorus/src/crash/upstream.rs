//! [`Point::Reply`]: a provider's whole reply.

use std::sync::Arc;

use async_trait::async_trait;
use chorus_core::llm::StreamEvent;
use chorus_core::port::Upstream;
use chorus_core::port::upstream::{Call, CallFailure, Response, ResponseBody};
use futures_util::StreamExt;

use super::{Crash, Point};

pub(super) struct Wrap {
    pub(super) inner: Arc<dyn Upstream>,
    pub(super) crash: Arc<Crash>,
}

#[async_trait]
impl Upstream for Wrap {
    async fn send(&self, call: Call) -> Result<Response, CallFailure> {
        let mut answer = self.inner.send(call).await?;
        match answer.body {
            ResponseBody::Stream(events) => {
                let crash = Arc::clone(&self.crash);
                let watched = events.inspect(move |event| {
                    if matches!(event, Ok(StreamEvent::End)) {
                        crash.reached(Point::Reply);
                    }
                });
                answer.body = ResponseBody::Stream(watched.boxed());
            }
            ResponseBody::Whole(_) | ResponseBody::Verbatim { .. } => {
                self.crash.reached(Point::Reply);
            }
        }
        Ok(answer)
    }
}
