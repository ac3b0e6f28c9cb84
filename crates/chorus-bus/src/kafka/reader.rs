//! One thread that reads for one subscription: it polls without pause, so that the group never takes a slow
//! service for a dead one, and it alone is told of rebalances.
//!
//! Closing the subscription ends the thread; the consumer it drops commits what was acknowledged and leaves
//! the group. The thread does not decide anything: `desk` keeps order, `ledger` says what counts.

use std::sync::Arc;
use std::time::Duration;

use chorus_core::port::bus::{BusError, Position, Topic};
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message as _};
use tokio::runtime::Handle;

use super::desk::{Desk, Flow};
use super::failed;
use super::message::{Poison, Raw};
use super::names::Names;
use super::publisher::Publisher;
use super::voice::Voice;

/// Longest sleep of the thread while nothing comes: within it a closed subscription is noticed.
const POLL: Duration = Duration::from_millis(50);

/// How often a leaving member tries its last commit, with a poll between two tries.
const LAST_WORDS: u32 = 60;

/// The client library's reader, which tells a desk of its partitions.
pub(super) type Consumer = BaseConsumer<Watcher>;

/// Hears of rebalances, on the thread that polls.
pub(super) struct Watcher {
    pub(super) desk: Arc<Desk>,
    pub(super) names: Names,
}

/// What the thread works with.
pub(super) struct Reader {
    pub(super) consumer: Arc<Consumer>,
    pub(super) desk: Arc<Desk>,
    pub(super) names: Names,
    /// Takes poison to the dead letters; none for a tail, which leaves that to the groups.
    pub(super) letters: Option<(Arc<Publisher>, Handle)>,
}

impl Reader {
    /// Reads until the subscription is closed or broken.
    pub(super) fn run(self) {
        while self.desk.open() {
            self.steer();
            match self.consumer.poll(POLL) {
                Some(Ok(message)) => self.take(&message),
                Some(Err(problem)) => self.trouble(&problem),
                None => {}
            }
        }
        self.say_last_words();
    }

    /// Commits what was acknowledged before leaving. While the group shares out its partitions, a coordinator
    /// takes no commits, and the client library would leave without.
    fn say_last_words(&self) {
        if self.letters.is_none()
            || self
                .consumer
                .assignment()
                .is_ok_and(|owned| owned.count() == 0)
        {
            return;
        }
        for _ in 0..LAST_WORDS {
            match self.consumer.commit_consumer_state(CommitMode::Sync) {
                Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::RebalanceInProgress)) => {
                    drop(self.consumer.poll(POLL))
                }
                Ok(()) | Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::NoOffset)) => return,
                Err(problem) => {
                    tracing::debug!(error = %problem, "left a group without a last commit: what was acknowledged just now comes again");
                    return;
                }
            }
        }
    }

    /// Asks the brokers for more or for no more, as the desk fills.
    fn steer(&self) {
        let done = match self.desk.flow() {
            Flow::Keep => return,
            Flow::Hold => self
                .consumer
                .assignment()
                .and_then(|owned| self.consumer.pause(&owned)),
            Flow::Release => self
                .consumer
                .assignment()
                .and_then(|owned| self.consumer.resume(&owned)),
        };
        if let Err(problem) = done {
            self.desk
                .fail(failed("steer the flow of records", &problem));
        }
    }

    fn take(&self, message: &BorrowedMessage<'_>) {
        let Some(partition) = self.names.partition(message.topic(), message.partition()) else {
            return;
        };
        let Ok(offset) = u64::try_from(message.offset()) else {
            return;
        };
        let topic = partition.topic.clone();
        let at = Position { partition, offset };
        match Raw::of(message).record(topic) {
            Ok(record) => self.desk.give(record, at),
            Err((poison, raw)) => self.set_aside(&poison, raw, &at),
        }
    }

    /// Takes poison to the dead letters and passes over it.
    fn set_aside(&self, poison: &Poison, raw: Raw, at: &Position) {
        let (topic, partition, offset) = (&at.partition.topic, at.partition.number, at.offset);
        let Some((letters, runtime)) = &self.letters else {
            tracing::debug!(bus.topic = %topic, bus.partition = partition, bus.offset = offset, "a tail passes over a poison: {poison}");
            return;
        };
        tracing::error!(bus.topic = %topic, bus.partition = partition, bus.offset = offset, "a message is no record, it goes to the dead letters: {poison}");
        if let Err(error) =
            runtime.block_on(letters.send(&Topic::Dlq, &raw.dead_letter(poison, at)))
        {
            tracing::error!(error = %error, bus.topic = %topic, bus.partition = partition, bus.offset = offset, "the dead letter was not taken");
        }
        if let Some(next) = self.desk.pass(at) {
            let next = Position {
                offset: next,
                ..at.clone()
            };
            drop(store(&self.consumer, &self.names, &next));
        }
    }

    /// Connections heal by themselves; what is fatal to the client library ends the subscription, and so does a topic
    /// that went away while it was read: the library does not always find its way to the one that is made in its place.
    fn trouble(&self, problem: &KafkaError) {
        match problem {
            KafkaError::MessageConsumptionFatal(_) => {
                self.desk.fail(failed("read records", problem))
            }
            KafkaError::MessageConsumption(
                RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic,
            ) if self.reads() => {
                self.desk.fail(failed("read records", problem));
            }
            // The library logs what connections do.
            KafkaError::MessageConsumption(
                RDKafkaErrorCode::AllBrokersDown
                | RDKafkaErrorCode::BrokerTransportFailure
                | RDKafkaErrorCode::Resolve,
            ) => tracing::debug!(error = %problem, "reading from Kafka has trouble"),
            _ => tracing::warn!(error = %problem, "reading from Kafka has trouble"),
        }
    }

    /// Whether it has partitions: one that waits for topics which were never there has none.
    fn reads(&self) -> bool {
        self.consumer
            .assignment()
            .is_ok_and(|owned| owned.count() > 0)
    }
}

impl Drop for Reader {
    /// However the thread ends, the subscription hears of it.
    fn drop(&mut self) {
        if self.desk.open() {
            self.desk.fail(BusError::new("the reading thread ended"));
        }
    }
}

/// Notes where the group goes on; a partition that is not ours any more makes no difference.
pub(super) fn store(consumer: &Consumer, names: &Names, next: &Position) -> Result<(), BusError> {
    match consumer.store_offsets(&names.places([next])) {
        Err(problem) if consumer.client().fatal_error().is_none() => {
            tracing::debug!(error = %problem, bus.topic = %next.partition.topic, "an acknowledgement came too late");
            Ok(())
        }
        done => done.map_err(|problem| failed("acknowledge", &problem)),
    }
}

impl ClientContext for Watcher {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        Voice.log(level, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        Voice.error(error, reason);
    }
}

impl ConsumerContext for Watcher {
    fn pre_rebalance(&self, _consumer: &Consumer, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(list) => self.desk.assign(self.names.partitions(list), true),
            Rebalance::Revoke(list) => self.desk.revoke(self.names.partitions(list)),
            Rebalance::Error(problem) => {
                tracing::warn!(error = %problem, "the group could not share its partitions")
            }
        }
    }

    fn post_rebalance(&self, consumer: &Consumer, rebalance: &Rebalance<'_>) {
        // A partition that was held when it was taken away is not to come back held.
        if let Rebalance::Assign(list) = rebalance
            && let Err(problem) = consumer.resume(list)
        {
            tracing::debug!(error = %problem, "partitions that came could not be resumed");
        }
    }
}
