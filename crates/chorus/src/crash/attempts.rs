//! [`Point::Dispatch`], [`Point::Claim`] and [`Point::Finish`].

use std::sync::Arc;

use async_trait::async_trait;
use chorus_core::attempt::{
    Claim, Delivery, Dispatch, Dispatched, Finish, Holding, QueuedAttempt, Reclaim, Reclaimed,
};
use chorus_core::port::attempts::{QueuePage, QueueSelection};
use chorus_core::port::{Attempts, StoreError};

use super::{Crash, Point};

pub(super) struct Wrap {
    pub(super) inner: Arc<dyn Attempts>,
    pub(super) crash: Arc<Crash>,
}

#[async_trait]
impl Attempts for Wrap {
    async fn queued(&self, limit: u32) -> Result<Vec<QueuedAttempt>, StoreError> {
        self.inner.queued(limit).await
    }

    async fn read_queue(
        &self,
        selection: QueueSelection,
        limit: u32,
    ) -> Result<QueuePage, StoreError> {
        self.inner.read_queue(selection, limit).await
    }

    async fn dispatch(&self, batch: Vec<Dispatch>) -> Result<Vec<Dispatched>, StoreError> {
        let some = !batch.is_empty();
        let answer = self.inner.dispatch(batch).await;
        if some {
            self.crash.reached(Point::Dispatch);
        }
        answer
    }

    async fn claim(&self, claim: Claim) -> Result<Option<Box<Delivery>>, StoreError> {
        let answer = self.inner.claim(claim).await;
        if matches!(answer, Ok(Some(_))) {
            self.crash.reached(Point::Claim);
        }
        answer
    }

    async fn beat(&self, held: Vec<Holding>) -> Result<Vec<Holding>, StoreError> {
        self.inner.beat(held).await
    }

    async fn finish(&self, finish: Finish) -> Result<bool, StoreError> {
        let answer = self.inner.finish(finish).await;
        self.crash.reached(Point::Finish);
        answer
    }

    async fn reclaim(&self, reclaim: Reclaim) -> Result<Vec<Reclaimed>, StoreError> {
        self.inner.reclaim(reclaim).await
    }
}
