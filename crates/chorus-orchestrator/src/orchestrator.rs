//! The orchestrator's future: reads records, folds those of each project in turn, and acknowledges them.
//!
//! [`RecordQueue`] orders the records, [`fold::fold`] handles a batch.

use std::collections::BTreeSet;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use chorus_core::id::ProjectId;
use chorus_core::port::Ports;
use chorus_core::port::bus::{Incoming, Partition, Position, Record, Topic, partition_of};
use chorus_core::port::subscriber::{Subscriber, SubscriberEvent};
use chorus_core::record::{self, Unreadable};
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;

use crate::aggregate::Aggregate;
use crate::context::Context;
use crate::fold;
use crate::project_cache::ProjectCache;
use crate::record_queue::{QueuedRecord, RecordQueue};
use crate::{Settings, SizePolicy};

/// Consumer group of all orchestrators.
pub const GROUP: &str = "orchestrator";

/// The only writer of projects: folds their commands and finished attempts into decisions.
pub struct Orchestrator {
    context: Arc<Context>,
}

/// Event that the orchestrator's future waits for.
enum Event {
    Stop,
    Folded(Folded),
    Subscriber(SubscriberEvent),
}

/// A folded batch of one project.
struct Folded {
    project: ProjectId,
    positions: Vec<Position>,
    aggregate: Option<Box<Aggregate>>,
}

impl Orchestrator {
    /// An orchestrator over these ports; `sizes` limits plans, prompts and answers.
    pub fn new(ports: Ports, settings: Settings, sizes: Arc<dyn SizePolicy>) -> Self {
        Self {
            context: Arc::new(Context::new(ports, settings, sizes)),
        }
    }

    /// Runs until `stop`, then takes no more records and lets folds under way end within [`Settings::drain`].
    /// Records left over are not acknowledged, so they are delivered again.
    pub async fn run(self, stop: impl Future<Output = ()> + Send) {
        let mut events = EventLoop {
            context: &self.context,
            queue: RecordQueue::default(),
            cache: ProjectCache::default(),
            moved: BTreeSet::new(),
            folds: FuturesUnordered::new(),
        };
        events.run(pin!(stop)).await;
    }
}

/// Queued records, cached projects, folds under way.
struct EventLoop<'a> {
    context: &'a Arc<Context>,
    queue: RecordQueue,
    cache: ProjectCache<Aggregate>,
    /// Projects that moved to another process while they were folded here, so they are not cached afterwards.
    moved: BTreeSet<ProjectId>,
    folds: FuturesUnordered<BoxFuture<'static, Folded>>,
}

impl EventLoop<'_> {
    async fn run(&mut self, mut stop: Pin<&mut (impl Future<Output = ()> + Send)>) {
        let context = &self.context;
        let topics = vec![Topic::ProjectCmd, Topic::TaskDone];
        let mut subscriber = Subscriber::of_group(
            context.bus.clone(),
            context.clock.clone(),
            topics,
            GROUP.to_owned(),
        );
        loop {
            subscriber
                .pause(self.queue.len() >= self.context.settings.records)
                .await;
            match self.next_event(&mut subscriber, stop.as_mut()).await {
                Event::Stop => return self.drain(&mut subscriber).await,
                Event::Folded(folded) => {
                    for at in self.folded(folded) {
                        subscriber.ack(&at).await;
                    }
                }
                Event::Subscriber(SubscriberEvent::Incoming(Incoming::Record { record, at })) => {
                    self.receive(record, at, &mut subscriber).await;
                }
                Event::Subscriber(SubscriberEvent::Incoming(Incoming::Revoked(gone))) => {
                    self.forget(|partition| gone.contains(partition));
                }
                Event::Subscriber(
                    SubscriberEvent::Incoming(Incoming::Assigned(_)) | SubscriberEvent::Opened,
                ) => {}
                Event::Subscriber(SubscriberEvent::Broken(error)) => {
                    tracing::warn!(error = %error, "the subscription to commands and results failed, it is opened again");
                    self.forget(|_| true);
                }
            }
            self.begin();
        }
    }

    async fn drain(&mut self, subscriber: &mut Subscriber) {
        let clock = &self.context.clock;
        let over = clock.now() + self.context.settings.drain;
        while let Some(Some(folded)) = clock.deadline(over, self.folds.next()).await {
            for at in self.folded(folded) {
                subscriber.ack(&at).await;
            }
        }
    }

    async fn next_event(
        &mut self,
        subscriber: &mut Subscriber,
        mut stop: Pin<&mut impl Future<Output = ()>>,
    ) -> Event {
        let mut next = pin!(subscriber.next());
        poll_fn(|context| {
            if stop.as_mut().poll(context).is_ready() {
                return Poll::Ready(Event::Stop);
            }
            if let Poll::Ready(Some(folded)) = self.folds.poll_next_unpin(context) {
                return Poll::Ready(Event::Folded(folded));
            }
            next.as_mut().poll(context).map(Event::Subscriber)
        })
        .await
    }

    async fn receive(&mut self, record: Record, at: Position, subscriber: &mut Subscriber) {
        match record::project_of(&record) {
            Ok(project) => self.queue.push(project, QueuedRecord { record, at }),
            Err(problem) => {
                publish_dead_letter(self.context, &record, &problem).await;
                subscriber.ack(&at).await;
            }
        }
    }

    /// Starts a fold for every project that has records and none under way.
    fn begin(&mut self) {
        while let Some((project, batch)) = self.queue.begin(self.context.settings.batch) {
            let (context, aggregate) = (self.context.clone(), self.cache.take(project));
            self.folds.push(Box::pin(async move {
                let (records, positions) = batch
                    .into_iter()
                    .map(|taken| (taken.record, taken.at))
                    .unzip();
                let aggregate = fold::fold(&context, project, aggregate, records).await;
                Folded {
                    project,
                    positions,
                    aggregate: aggregate.map(Box::new),
                }
            }));
        }
    }

    fn folded(&mut self, folded: Folded) -> Vec<Position> {
        let Folded {
            project,
            positions,
            aggregate,
        } = folded;
        let moved = self.moved.remove(&project);
        if let Some(aggregate) =
            aggregate.filter(|aggregate| !moved && !aggregate.project.head.is_terminal())
        {
            let most = self.context.settings.cached;
            self.cache.insert(project, *aggregate, most);
        }
        self.queue.end(project, positions)
    }

    /// Drops records and cached projects of partitions that another process reads now. A fold under way may end;
    /// its commit is guarded by the version.
    fn forget(&mut self, gone: impl Fn(&Partition) -> bool) {
        self.queue.forget(&gone);
        let ours = |project: &ProjectId| {
            let key = project.to_string();
            let of = |topic: Topic| Partition {
                number: partition_of(&key, topic.partitions()),
                topic,
            };
            !gone(&of(Topic::ProjectCmd)) && !gone(&of(Topic::TaskDone))
        };
        self.cache.retain(ours);
        self.moved
            .extend(self.queue.busy().filter(|project| !ours(project)));
    }
}

/// Publishes a record that names no project as a dead letter; no project can fold it.
async fn publish_dead_letter(context: &Context, record: &Record, problem: &Unreadable) {
    tracing::error!(error = %problem, bus.record = %record.id, "a record names no project, it becomes a dead letter");
    let dead_letter = record::dead_letter(context.event_id(), record, problem);
    if let Err(error) = context.bus.publish(vec![dead_letter]).await {
        tracing::warn!(error = %error, "failed to publish a dead letter");
    }
}
