//! One tail of the event topic for all clients of this process. It carries wake-ups and lossy progress only: what
//! happened is read from rows, so whatever is lost here costs a moment.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use chorus_core::id::{ProjectId, Seq};
use chorus_core::port::bus::{Incoming, Record, Topic};
use chorus_core::port::subscriber::{Subscriber, SubscriberEvent};
use chorus_core::port::{Bus, Clock};
use chorus_core::progress::{self, Progress};
use chorus_core::record::{self, EventNotice};
use tokio::sync::{broadcast, watch};

/// Pieces of progress that a slow reader may lag behind before it loses the oldest.
const LAG: usize = 64;

/// Who listens to which project.
#[derive(Default)]
pub(crate) struct Hub {
    channels: Mutex<BTreeMap<ProjectId, Channel>>,
}

struct Channel {
    news: watch::Sender<Seq>,
    progress: broadcast::Sender<Arc<Progress>>,
}

/// One listener; its project's channel goes with the last of them.
pub(crate) struct Listener {
    hub: Arc<Hub>,
    project: ProjectId,
    /// Place of the newest event that the bus told of.
    pub(crate) news: watch::Receiver<Seq>,
    /// What runs.
    pub(crate) progress: broadcast::Receiver<Arc<Progress>>,
}

impl Hub {
    /// Listens to a project from now on.
    pub(crate) fn listen(self: &Arc<Self>, project: ProjectId) -> Listener {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        let channel = channels.entry(project).or_insert_with(|| Channel {
            news: watch::Sender::new(Seq(0)),
            progress: broadcast::Sender::new(LAG),
        });
        Listener {
            hub: Arc::clone(self),
            project,
            news: channel.news.subscribe(),
            progress: channel.progress.subscribe(),
        }
    }

    /// Reads the topic for ever.
    pub(crate) async fn run(self: Arc<Self>, bus: Arc<dyn Bus>, clock: Arc<dyn Clock>) {
        let mut feed = Subscriber::of_all(bus, clock, vec![Topic::Event]);
        loop {
            match feed.next().await {
                SubscriberEvent::Incoming(Incoming::Record { record, .. }) => self.take(&record),
                SubscriberEvent::Broken(error) => {
                    tracing::warn!(bus.error = %error, "the tail of events broke; rows are read once a second meanwhile");
                }
                SubscriberEvent::Opened
                | SubscriberEvent::Incoming(Incoming::Assigned(_) | Incoming::Revoked(_)) => {}
            }
        }
    }

    /// What cannot be read is of a later release, or nobody's: rows tell the rest.
    fn take(&self, record: &Record) {
        let Ok(project) = record::project_of(record) else {
            return;
        };
        let channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(channel) = channels.get(&project) else {
            return;
        };
        if record.header("chorus-schema") == Some(progress::SCHEMA) {
            if let Ok(progress) = record::read::<Progress>(record, progress::SCHEMA) {
                // Nobody listening is no loss.
                let _ = channel.progress.send(Arc::new(progress));
            }
        } else {
            let last = record::read::<EventNotice>(record, record::EVENT)
                .map_or(Seq(u64::MAX), |notice| notice.last);
            channel.news.send_modify(|news| *news = last.max(*news));
        }
    }

    /// How many projects are listened to.
    #[cfg(test)]
    fn projects(&self) -> usize {
        self.channels
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let mut channels = self
            .hub
            .channels
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // This listener still counts.
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
    fn listeners_hear_their_own_project_and_leave_nothing_behind() {
        let hub = Arc::new(Hub::default());
        let (mine, other) = (ProjectId::new(1), ProjectId::new(2));
        let (first, second) = (hub.listen(mine), hub.listen(mine));
        hub.take(&notice(other, 9));
        hub.take(&notice(mine, 3));
        hub.take(&notice(mine, 2));
        assert_eq!(
            (*first.news.borrow(), *second.news.borrow()),
            (Seq(3), Seq(3))
        );
        drop(first);
        assert_eq!(hub.projects(), 1);
        drop(second);
        assert_eq!(hub.projects(), 0);
    }
}
