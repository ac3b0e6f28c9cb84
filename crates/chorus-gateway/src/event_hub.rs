//! One tail of the event topic, shared by all event streams of this process.
//!
//! It carries wake-ups and lossy progress only. Events are read from their rows, so a lost record
//! delays a stream until its next poll and loses nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use chorus_core::id::{ProjectId, Seq};
use chorus_core::port::bus::{Incoming, Record, Topic};
use chorus_core::port::subscriber::{Subscriber, SubscriberEvent};
use chorus_core::port::{Bus, Clock};
use chorus_core::progress::{self, Progress};
use chorus_core::record::{self, EventNotice};
use tokio::sync::{broadcast, watch};

/// Number of progress messages that a slow subscriber may lag behind before it loses the oldest.
const LAG: usize = 64;

/// Channels of the projects that have subscribers.
#[derive(Default)]
pub(crate) struct EventHub {
    channels: Mutex<BTreeMap<ProjectId, Channel>>,
}

struct Channel {
    news: watch::Sender<Seq>,
    progress: broadcast::Sender<Arc<Progress>>,
}

/// Subscription of one stream. The project's channel is removed with its last subscription.
pub(crate) struct EventSubscription {
    hub: Arc<EventHub>,
    project: ProjectId,
    /// Sequence number of the newest event that the bus announced.
    pub(crate) news: watch::Receiver<Seq>,
    /// Progress of running calls.
    pub(crate) progress: broadcast::Receiver<Arc<Progress>>,
}

impl EventHub {
    /// Subscribes to a project from now on.
    pub(crate) fn subscribe(self: &Arc<Self>, project: ProjectId) -> EventSubscription {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        let channel = channels.entry(project).or_insert_with(|| Channel {
            news: watch::Sender::new(Seq(0)),
            progress: broadcast::Sender::new(LAG),
        });
        EventSubscription {
            hub: Arc::clone(self),
            project,
            news: channel.news.subscribe(),
            progress: channel.progress.subscribe(),
        }
    }

    /// Reads the topic until the future is dropped.
    pub(crate) async fn run(self: Arc<Self>, bus: Arc<dyn Bus>, clock: Arc<dyn Clock>) {
        let mut feed = Subscriber::of_all(bus, clock, vec![Topic::Event]);
        loop {
            match feed.next().await {
                SubscriberEvent::Incoming(Incoming::Record { record, .. }) => self.forward(&record),
                SubscriberEvent::Broken(error) => {
                    tracing::warn!(bus.error = %error, "the tail of events broke; streams poll rows meanwhile");
                }
                SubscriberEvent::Opened
                | SubscriberEvent::Incoming(Incoming::Assigned(_) | Incoming::Revoked(_)) => {}
            }
        }
    }

    /// Passes a record to the subscribers of its project. A record that cannot be read is of a later
    /// release; subscribers find its rows at their next poll.
    fn forward(&self, record: &Record) {
        let Ok(project) = record::project_of(record) else {
            return;
        };
        let channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(channel) = channels.get(&project) else {
            return;
        };
        if record.header("chorus-schema") == Some(progress::SCHEMA) {
            if let Ok(progress) = record::read::<Progress>(record, progress::SCHEMA) {
                // Without a receiver there is nothing to lose.
                let _ = channel.progress.send(Arc::new(progress));
            }
        } else {
            let last = record::read::<EventNotice>(record, record::EVENT)
                .map_or(Seq(u64::MAX), |notice| notice.last);
            channel.news.send_modify(|news| *news = last.max(*news));
        }
    }

    /// Number of projects with subscribers.
    #[cfg(test)]
    fn channel_count(&self) -> usize {
        self.channels
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }
}

impl Drop for EventSubscription {
    fn drop(&mut self) {
        let mut channels = self
            .hub
            .channels
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // The receiver of this subscription still counts.
        if channels
            .get(&self.project)
            .is_some_and(|channel| channel.news.receiver_count() <= 1)
        {
            channels.remove(&self.project);
        }
    }
}

#[cfg(test)]
mod tests {
    use chorus_core::id::{EventId, Tenant};

    use super::*;

    fn notice(project: ProjectId, last: u64) -> Record {
        record::event(
            EventId::new(1),
            &Tenant::new("home"),
            &EventNotice {
                project,
                first: Seq(1),
                last: Seq(last),
            },
        )
    }

    #[test]
    fn subscriptions_receive_their_own_project_and_leave_no_channel() {
        let hub = Arc::new(EventHub::default());
        let (mine, other) = (ProjectId::new(1), ProjectId::new(2));
        let (first, second) = (hub.subscribe(mine), hub.subscribe(mine));
        hub.forward(&notice(other, 9));
        hub.forward(&notice(mine, 3));
        hub.forward(&notice(mine, 2));
        assert_eq!(
            (*first.news.borrow(), *second.news.borrow()),
            (Seq(3), Seq(3))
        );
        drop(first);
        assert_eq!(hub.channel_count(), 1);
        drop(second);
        assert_eq!(hub.channel_count(), 0);
    }
}
