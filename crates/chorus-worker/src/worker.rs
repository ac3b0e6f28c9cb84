//! The worker: one future that takes records, runs deliveries, sends heartbeats, and drains.

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

use crate::context::Context;
use crate::in_flight::Stop;
use crate::intake::{Claimed, Intake, TakenRecord};
use crate::{Settings, delivery, group, heartbeat};

/// Worker of one pool: claims its dispatches and makes their calls, as its [`Settings`] say.
pub struct Worker {
    context: Arc<Context>,
}

/// Event that wakes the event loop.
enum Event {
    Stop,
    Ended,
    Claimed(TakenRecord),
    Received(SubscriberEvent),
}

impl Worker {
    /// Creates a worker of one process; `boot` makes its holders unlike those of every other start.
    pub fn new(ports: Ports, catalog: Arc<Catalog>, settings: Settings, boot: BootId) -> Self {
        Self {
            context: Arc::new(Context::new(ports, catalog, settings, boot)),
        }
    }

    /// Runs until `stop`; then takes no more records, lets calls end within the drain time, and
    /// hands the rest back.
    pub async fn run(self, stop: impl Future<Output = ()> + Send) {
        let context = self.context;
        let mut beats = pin!(heartbeat::run(&context));
        let mut events = EventLoop::new(&context);
        events.serve(pin!(stop), beats.as_mut()).await;
        events.drain(beats.as_mut()).await;
    }
}

/// Event loop of one worker: its subscription and the deliveries that run.
struct EventLoop<'a> {
    context: &'a Arc<Context>,
    intake: Intake,
    running: FuturesUnordered<BoxFuture<'static, ()>>,
}

impl<'a> EventLoop<'a> {
    fn new(context: &'a Arc<Context>) -> Self {
        Self {
            context,
            intake: Intake::new(context.clone()),
            running: FuturesUnordered::new(),
        }
    }

    async fn serve(
        &mut self,
        mut stop: Pin<&mut (impl Future<Output = ()> + Send)>,
        mut beats: Pin<&mut impl Future<Output = Infallible>>,
    ) {
        let settings = &self.context.settings;
        let topics = vec![Topic::TaskDispatch(settings.pool.clone())];
        let mut subscriber = Subscriber::of_group(
            self.context.ports.bus.clone(),
            self.context.ports.clock.clone(),
            topics,
            group(&settings.pool),
        );
        loop {
            subscriber
                .pause(self.intake.len() + self.running.len() >= settings.slots)
                .await;
            match self
                .next_event(&mut subscriber, stop.as_mut(), beats.as_mut())
                .await
            {
                Event::Stop => return,
                Event::Ended => {}
                Event::Claimed(TakenRecord { at, claimed }) => {
                    self.start(claimed);
                    subscriber.ack(&at).await;
                }
                Event::Received(SubscriberEvent::Incoming(Incoming::Record { record, at })) => {
                    self.intake.take(record, at);
                }
                Event::Received(SubscriberEvent::Incoming(Incoming::Revoked(partitions))) => {
                    self.intake.forget(&partitions);
                }
                Event::Received(
                    SubscriberEvent::Incoming(Incoming::Assigned(_)) | SubscriberEvent::Opened,
                ) => {}
                Event::Received(SubscriberEvent::Broken(error)) => {
                    tracing::warn!(error = %error, "the subscription to dispatches broke, opening it again");
                }
            }
        }
    }

    async fn next_event(
        &mut self,
        subscriber: &mut Subscriber,
        mut stop: Pin<&mut impl Future<Output = ()>>,
        mut beats: Pin<&mut impl Future<Output = Infallible>>,
    ) -> Event {
        let mut next = pin!(subscriber.next());
        poll_fn(|context| {
            if stop.as_mut().poll(context).is_ready() {
                return Poll::Ready(Event::Stop);
            }
            let Poll::Pending = beats.as_mut().poll(context);
            if let Poll::Ready(Some(())) = self.running.poll_next_unpin(context) {
                return Poll::Ready(Event::Ended);
            }
            if let Poll::Ready(taken) = self.intake.poll_taken(context) {
                return Poll::Ready(Event::Claimed(taken));
            }
            next.as_mut().poll(context).map(Event::Received)
        })
        .await
    }

    /// Starts a granted claim, also while draining: then it is handed back at once.
    fn start(&mut self, claimed: Option<Box<Claimed>>) {
        if let Some(claimed) = claimed {
            let stop = self
                .context
                .in_flight
                .add(claimed.holding.clone(), &claimed.delivery);
            let span = delivery::span(&claimed.delivery);
            self.running.push(Box::pin(
                delivery::run(self.context.clone(), *claimed, stop).instrument(span),
            ));
        }
    }

    async fn drain(&mut self, mut beats: Pin<&mut impl Future<Output = Infallible>>) {
        tracing::info!(worker.pool = %self.context.settings.pool, worker.running = self.running.len(), "the worker stops");
        self.context.drain();
        self.intake.close();
        heartbeat::announce(self.context, 0).await;
        self.finish_within(self.context.settings.drain, beats.as_mut())
            .await;
        self.context.in_flight.stop_all(Stop::Drained);
        self.finish_within(self.context.settings.hand_back, beats.as_mut())
            .await;
    }

    /// Runs claims and deliveries until none is left, or the time is over.
    async fn finish_within(
        &mut self,
        time: chorus_core::time::Millis,
        mut beats: Pin<&mut impl Future<Output = Infallible>>,
    ) {
        let mut timeout = self.context.ports.clock.sleep(time);
        poll_fn(|context| {
            let Poll::Pending = beats.as_mut().poll(context);
            while let Poll::Ready(taken) = self.intake.poll_taken(context) {
                self.start(taken.claimed);
            }
            while let Poll::Ready(Some(())) = self.running.poll_next_unpin(context) {}
            if self.running.is_empty() && self.intake.len() == 0 {
                Poll::Ready(())
            } else {
                timeout.as_mut().poll(context)
            }
        })
        .await;
    }
}
