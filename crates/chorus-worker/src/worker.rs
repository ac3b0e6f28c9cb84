//! The worker: one future that takes records, runs deliveries, beats, and stops in good order.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use chorus_core::catalog::Catalog;
use chorus_core::id::BootId;
use chorus_core::port::Ports;
use chorus_core::port::bus::{Incoming, Topic};
use chorus_core::port::subscriber::{Subscriber, SubscriberEvent};
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tracing::Instrument as _;

use crate::held::Stop;
use crate::intake::{Answered, Claimed, Intake};
use crate::workshop::Workshop;
use crate::{Settings, beat, delivery, group};

/// Makes the calls of one pool.
pub struct Worker {
    shop: Arc<Workshop>,
}

/// What the worker's future waits for.
enum Event {
    Stop,
    Over,
    Answered(Answered),
    Fed(SubscriberEvent),
}

impl Worker {
    /// A worker of one process; `boot` makes its holders unlike those of every other start.
    pub fn new(ports: Ports, catalog: Arc<Catalog>, settings: Settings, boot: BootId) -> Self {
        Self {
            shop: Arc::new(Workshop::new(ports, catalog, settings, boot)),
        }
    }

    /// Works until `stop`; then takes nothing more, lets calls end within the drain time, hands back the rest.
    pub async fn run(self, stop: impl Future<Output = ()> + Send) {
        let shop = self.shop;
        let mut beats = pin!(beat::keep(&shop));
        let mut desk = Desk::new(&shop);
        desk.serve(pin!(stop), beats.as_mut()).await;
        desk.drain(beats.as_mut()).await;
    }
}

/// The worker's side of the bus and the deliveries under way.
struct Desk<'a> {
    shop: &'a Arc<Workshop>,
    intake: Intake,
    running: FuturesUnordered<BoxFuture<'static, ()>>,
}

impl<'a> Desk<'a> {
    fn new(shop: &'a Arc<Workshop>) -> Self {
        Self {
            shop,
            intake: Intake::new(shop.clone()),
            running: FuturesUnordered::new(),
        }
    }

    async fn serve(
        &mut self,
        mut stop: Pin<&mut (impl Future<Output = ()> + Send)>,
        mut beats: Pin<&mut impl Future<Output = Infallible>>,
    ) {
        let settings = &self.shop.settings;
        let topics = vec![Topic::TaskDispatch(settings.pool.clone())];
        let mut feed = Subscriber::of_group(
            self.shop.ports.bus.clone(),
            self.shop.ports.clock.clone(),
            topics,
            group(&settings.pool),
        );
        loop {
            feed.pause(self.intake.len() + self.running.len() >= settings.slots)
                .await;
            match self
                .next_event(&mut feed, stop.as_mut(), beats.as_mut())
                .await
            {
                Event::Stop => return,
                Event::Over => {}
                Event::Answered(Answered { at, claimed }) => {
                    self.start(claimed);
                    feed.ack(&at).await;
                }
                Event::Fed(SubscriberEvent::Incoming(Incoming::Record { record, at })) => {
                    self.intake.take(record, at)
                }
                Event::Fed(SubscriberEvent::Incoming(Incoming::Revoked(partitions))) => {
                    self.intake.forget(&partitions)
                }
                Event::Fed(
                    SubscriberEvent::Incoming(Incoming::Assigned(_)) | SubscriberEvent::Opened,
                ) => {}
                Event::Fed(SubscriberEvent::Broken(error)) => {
                    tracing::warn!(error = %error, "the subscription to dispatches broke, opening it again")
                }
            }
        }
    }

    async fn next_event(
        &mut self,
        feed: &mut Subscriber,
        mut stop: Pin<&mut impl Future<Output = ()>>,
        mut beats: Pin<&mut impl Future<Output = Infallible>>,
    ) -> Event {
        let mut fed = pin!(feed.next());
        poll_fn(|context| {
            if stop.as_mut().poll(context).is_ready() {
                return Poll::Ready(Event::Stop);
            }
            let Poll::Pending = beats.as_mut().poll(context);
            if let Poll::Ready(Some(())) = self.running.poll_next_unpin(context) {
                return Poll::Ready(Event::Over);
            }
            if let Poll::Ready(answered) = self.intake.poll_answered(context) {
                return Poll::Ready(Event::Answered(answered));
            }
            fed.as_mut().poll(context).map(Event::Fed)
        })
        .await
    }

    /// Every granted claim is carried to its end, also while draining: then it is handed back at once.
    fn start(&mut self, claimed: Option<Box<Claimed>>) {
        if let Some(claimed) = claimed {
            let stop = self.shop.held.add(claimed.holding.clone());
            let span = delivery::span(&claimed.delivery);
            self.running.push(Box::pin(
                delivery::carry_out(self.shop.clone(), *claimed, stop).instrument(span),
            ));
        }
    }

    async fn drain(&mut self, mut beats: Pin<&mut impl Future<Output = Infallible>>) {
        tracing::info!(worker.pool = %self.shop.settings.pool, worker.running = self.running.len(), "the worker stops");
        self.shop.drain();
        self.intake.close();
        self.finish_within(self.shop.settings.drain, beats.as_mut())
            .await;
        self.shop.held.stop_all(Stop::Drained);
        self.finish_within(self.shop.settings.hand_back, beats.as_mut())
            .await;
    }

    /// Runs what is under way until nothing is, or the time is over.
    async fn finish_within(
        &mut self,
        time: chorus_core::time::Millis,
        mut beats: Pin<&mut impl Future<Output = Infallible>>,
    ) {
        let mut over = self.shop.ports.clock.sleep(time);
        poll_fn(|context| {
            let Poll::Pending = beats.as_mut().poll(context);
            while let Poll::Ready(answered) = self.intake.poll_answered(context) {
                self.start(answered.claimed);
            }
            while let Poll::Ready(Some(())) = self.running.poll_next_unpin(context) {}
            if self.running.is_empty() && self.intake.len() == 0 {
                Poll::Ready(())
            } else {
                over.as_mut().poll(context)
            }
        })
        .await;
    }
}
