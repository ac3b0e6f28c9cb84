//! The orchestrator: one future that takes records, folds each project's in turn, and acknowledges.

use std::collections::{BTreeMap, BTreeSet};
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
use crate::intake::{Intake, Taken};
use crate::{Settings, SizePolicy};

/// The consumer group of orchestrators.
pub const GROUP: &str = "orchestrator";

/// Writes projects: folds their commands and finished attempts into decisions.
pub struct Orchestrator {
    context: Arc<Context>,
}

/// What the orchestrator's future waits for.
enum Event {
    Stop,
    Folded(Folded),
    Fed(SubscriberEvent),
}

/// A batch of one project that was folded.
struct Folded {
    project: ProjectId,
    places: Vec<Position>,
    aggregate: Option<Box<Aggregate>>,
}

impl Orchestrator {
    /// An orchestrator over these ports; `sizes` bounds plans, prompts and answers.
    pub fn new(ports: Ports, settings: Settings, sizes: Arc<dyn SizePolicy>) -> Self {
        Self {
            context: Arc::new(Context::new(ports, settings, sizes)),
        }
    }

    /// Works until `stop`; then takes nothing more and lets folds under way end within the drain time. What is
    /// left is not acknowledged, so it comes again.
    pub async fn run(self, stop: impl Future<Output = ()> + Send) {
        let mut desk = Desk {
            context: &self.context,
            intake: Intake::default(),
            cache: BTreeMap::new(),
            void: BTreeSet::new(),
            folds: FuturesUnordered::new(),
        };
        desk.serve(pin!(stop)).await;
    }
}

/// Records at hand, projects in memory, folds under way.
struct Desk<'a> {
    context: &'a Arc<Context>,
    intake: Intake,
    cache: BTreeMap<ProjectId, Aggregate>,
    /// Projects that went to somebody else while they were folded here: not to be cached after that.
    void: BTreeSet<ProjectId>,
    folds: FuturesUnordered<BoxFuture<'static, Folded>>,
}

impl Desk<'_> {
    async fn serve(&mut self, mut stop: Pin<&mut (impl Future<Output = ()> + Send)>) {
        let ports = &self.context;
        let topics = vec![Topic::ProjectCmd, Topic::TaskDone];
        let mut feed = Subscriber::of_group(
            ports.bus.clone(),
            ports.clock.clone(),
            topics,
            GROUP.to_owned(),
        );
        loop {
            feed.pause(self.intake.len() >= self.context.settings.records)
                .await;
            match self.next_event(&mut feed, stop.as_mut()).await {
                Event::Stop => return self.drain(&mut feed).await,
                Event::Folded(folded) => {
                    for at in self.folded(folded) {
                        feed.ack(&at).await;
                    }
                }
                Event::Fed(SubscriberEvent::Incoming(Incoming::Record { record, at })) => {
                    self.take(record, at, &mut feed).await
                }
                Event::Fed(SubscriberEvent::Incoming(Incoming::Revoked(gone))) => {
                    self.forget(|partition| gone.contains(partition))
                }
                Event::Fed(
                    SubscriberEvent::Incoming(Incoming::Assigned(_)) | SubscriberEvent::Opened,
                ) => {}
                Event::Fed(SubscriberEvent::Broken(error)) => {
                    tracing::warn!(error = %error, "the subscription to commands and results broke, opening it again");
                    self.forget(|_| true);
                }
            }
            self.begin();
        }
    }

    async fn drain(&mut self, feed: &mut Subscriber) {
        let clock = &self.context.clock;
        let over = clock.now() + self.context.settings.drain;
        while let Some(Some(folded)) = clock.deadline(over, self.folds.next()).await {
            for at in self.folded(folded) {
                feed.ack(&at).await;
            }
        }
    }

    async fn next_event(
        &mut self,
        feed: &mut Subscriber,
        mut stop: Pin<&mut impl Future<Output = ()>>,
    ) -> Event {
        let mut fed = pin!(feed.next());
        poll_fn(|context| {
            if stop.as_mut().poll(context).is_ready() {
                return Poll::Ready(Event::Stop);
            }
            if let Poll::Ready(Some(folded)) = self.folds.poll_next_unpin(context) {
                return Poll::Ready(Event::Folded(folded));
            }
            fed.as_mut().poll(context).map(Event::Fed)
        })
        .await
    }

    async fn take(&mut self, record: Record, at: Position, feed: &mut Subscriber) {
        match record::project_of(&record) {
            Ok(project) => self.intake.take(project, Taken { record, at }),
            Err(problem) => {
                set_aside(self.context, &record, &problem).await;
                feed.ack(&at).await;
            }
        }
    }

    /// Starts a fold for every project that has records and none under way.
    fn begin(&mut self) {
        while let Some((project, batch)) = self.intake.begin(self.context.settings.batch) {
            let (context, aggregate) = (self.context.clone(), self.cache.remove(&project));
            self.folds.push(Box::pin(async move {
                let (records, places) = batch
                    .into_iter()
                    .map(|taken| (taken.record, taken.at))
                    .unzip();
                let aggregate = fold::fold(&context, project, aggregate, records).await;
                Folded {
                    project,
                    places,
                    aggregate: aggregate.map(Box::new),
                }
            }));
        }
    }

    fn folded(&mut self, folded: Folded) -> Vec<Position> {
        let Folded {
            project,
            places,
            aggregate,
        } = folded;
        let void = self.void.remove(&project);
        if let Some(aggregate) =
            aggregate.filter(|aggregate| !void && !aggregate.project.head.is_terminal())
        {
            self.cache.insert(project, *aggregate);
            while self.cache.len() > self.context.settings.cached {
                self.cache.pop_first();
            }
        }
        self.intake.end(project, places)
    }

    /// Partitions went to somebody else: their records are theirs, and what is cached of their projects is void.
    /// A fold under way may end; its commit is guarded by the version.
    fn forget(&mut self, gone: impl Fn(&Partition) -> bool) {
        self.intake.forget(&gone);
        let ours = |project: &ProjectId| {
            let key = project.to_string();
            let of = |topic: Topic| Partition {
                number: partition_of(&key, topic.partitions()),
                topic,
            };
            !gone(&of(Topic::ProjectCmd)) && !gone(&of(Topic::TaskDone))
        };
        self.cache.retain(|project, _| ours(project));
        self.void
            .extend(self.intake.busy().filter(|project| !ours(project)));
    }
}

/// Nobody can say which project it is about, so no project can fold it: it goes to the operator.
async fn set_aside(context: &Context, record: &Record, problem: &Unreadable) {
    tracing::error!(error = %problem, bus.record = %record.id, "a record names no project, it goes to the dead letters");
    let letter = record::dead_letter(context.event_id(), record, problem);
    if let Err(error) = context.bus.publish(vec![letter]).await {
        tracing::warn!(error = %error, "the dead letter was not taken");
    }
}
