//! One thread that reads for one subscription.
//!
//! It polls without pause, so that the brokers never take a slow service for a dead member, and rebalances reach
//! it alone. Closing the [`Inbox`] ends the thread; the consumer that it drops commits what was acknowledged
//! and leaves the group. Order is kept by [`super::inbox`], offsets by [`super::offset_tracker`].

use std::sync::Arc;
use std::time::Duration;

use chorus_core::port::bus::{BusError, Position, Topic};
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message as _};
use tokio::runtime::Handle;

use super::client_logger::ClientLogger;
use super::failed;
use super::inbox::{Flow, Inbox};
use super::message::{Poison, Raw};
use super::names::Names;
use super::publisher::Publisher;

/// Longest wait of one poll; a closed subscription is noticed within it.
const POLL: Duration = Duration::from_millis(50);

/// Most tries of the last commit of a leaving member, with one poll between two tries.
const LAST_COMMIT_TRIES: u32 = 60;

/// Consumer of librdkafka that reports its partitions to an [`Inbox`].
pub(super) type Consumer = BaseConsumer<RebalanceReporter>;

/// Reports rebalances to an [`Inbox`], on the thread that polls.
pub(super) struct RebalanceReporter {
    pub(super) inbox: Arc<Inbox>,
    pub(super) names: Names,
}

/// State of the thread.
pub(super) struct Reader {
    pub(super) consumer: Arc<Consumer>,
    pub(super) inbox: Arc<Inbox>,
    pub(super) names: Names,
    /// Sends poison to the dead letters; none for a tail, which leaves that to the groups.
    pub(super) dead_letters: Option<(Arc<Publisher>, Handle)>,
}

impl Reader {
    /// Reads until the subscription is closed or broken.
    pub(super) fn run(self) {
        while self.inbox.is_open() {
            self.steer();
            match self.consumer.poll(POLL) {
                Some(Ok(message)) => self.receive(&message),
                Some(Err(problem)) => self.handle_error(&problem),
                None => {}
            }
        }
        self.commit_last();
    }

    /// Commits what was acknowledged before leaving. The coordinator refuses commits during a rebalance, and
    /// librdkafka would leave without one.
    fn commit_last(&self) {
        if self.dead_letters.is_none()
            || self
                .consumer
                .assignment()
                .is_ok_and(|owned| owned.count() == 0)
        {
            return;
        }
        for _ in 0..LAST_COMMIT_TRIES {
            match self.consumer.commit_consumer_state(CommitMode::Sync) {
                Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::RebalanceInProgress)) => {
                    drop(self.consumer.poll(POLL));
                }
                Ok(()) | Err(KafkaError::ConsumerCommit(RDKafkaErrorCode::NoOffset)) => return,
                Err(problem) => {
                    tracing::debug!(error = %problem, "failed to commit before leaving a group; records acknowledged just now are delivered again");
                    return;
                }
            }
        }
    }

    /// Pauses or resumes the brokers as the inbox fills.
    fn steer(&self) {
        let done = match self.inbox.take_flow_change() {
            Flow::Keep => return,
            Flow::Pause => self
                .consumer
                .assignment()
                .and_then(|owned| self.consumer.pause(&owned)),
            Flow::Resume => self
                .consumer
                .assignment()
                .and_then(|owned| self.consumer.resume(&owned)),
        };
        if let Err(problem) = done {
            self.inbox
                .fail(failed("steer the flow of records", &problem));
        }
    }

    fn receive(&self, message: &BorrowedMessage<'_>) {
        let Some(partition) = self.names.partition(message.topic(), message.partition()) else {
            return;
        };
        let Ok(offset) = u64::try_from(message.offset()) else {
            return;
        };
        let topic = partition.topic.clone();
        let at = Position { partition, offset };
        match Raw::of(message).record(topic) {
            Ok(record) => self.inbox.push(record, at),
            Err((poison, raw)) => self.set_aside(&poison, raw, &at),
        }
    }

    /// Sends poison to the dead letters and skips it.
    fn set_aside(&self, poison: &Poison, raw: Raw, at: &Position) {
        let (topic, partition, offset) = (&at.partition.topic, at.partition.number, at.offset);
        let Some((publisher, runtime)) = &self.dead_letters else {
            tracing::debug!(bus.topic = %topic, bus.partition = partition, bus.offset = offset, "a tail skips a message that is no record: {poison}");
            return;
        };
        tracing::error!(bus.topic = %topic, bus.partition = partition, bus.offset = offset, "a message is no record and goes to the dead letters: {poison}");
        if let Err(error) =
            runtime.block_on(publisher.send(&Topic::Dlq, &raw.dead_letter(poison, at)))
        {
            tracing::error!(error = %error, bus.topic = %topic, bus.partition = partition, bus.offset = offset, "failed to publish a dead letter");
        }
        if let Some(next) = self.inbox.skip(at) {
            let next = Position {
                offset: next,
                ..at.clone()
            };
            drop(store_offset(&self.consumer, &self.names, &next));
        }
    }

    /// Connections are restored by librdkafka. A fatal error ends the subscription, and so does a topic that was
    /// deleted while it was read: librdkafka does not always find the one that is created in its place.
    fn handle_error(&self, problem: &KafkaError) {
        match problem {
            KafkaError::MessageConsumptionFatal(_) => {
                self.inbox.fail(failed("read records", problem));
            }
            KafkaError::MessageConsumption(
                RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic,
            ) if self.has_partitions() => {
                self.inbox.fail(failed("read records", problem));
            }
            // librdkafka logs connections itself.
            KafkaError::MessageConsumption(
                RDKafkaErrorCode::AllBrokersDown
                | RDKafkaErrorCode::BrokerTransportFailure
                | RDKafkaErrorCode::Resolve,
            ) => tracing::debug!(error = %problem, "failed to read from Kafka"),
            _ => tracing::warn!(error = %problem, "failed to read from Kafka"),
        }
    }

    /// Returns true if partitions are assigned; none are while the topics do not exist yet.
    fn has_partitions(&self) -> bool {
        self.consumer
            .assignment()
            .is_ok_and(|owned| owned.count() > 0)
    }
}

impl Drop for Reader {
    /// Fails the subscription when the thread ends by a panic.
    fn drop(&mut self) {
        if self.inbox.is_open() {
            self.inbox.fail(BusError::new("the reading thread ended"));
        }
    }
}

/// Stores the offset at which the group continues; a partition that is not owned any more is no error.
pub(super) fn store_offset(
    consumer: &Consumer,
    names: &Names,
    next: &Position,
) -> Result<(), BusError> {
    match consumer.store_offsets(&names.places([next])) {
        Err(problem) if consumer.client().fatal_error().is_none() => {
            tracing::debug!(error = %problem, bus.topic = %next.partition.topic, "an acknowledgement came after its partition was revoked");
            Ok(())
        }
        done => done.map_err(|problem| failed("acknowledge", &problem)),
    }
}

impl ClientContext for RebalanceReporter {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        ClientLogger.log(level, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        ClientLogger.error(error, reason);
    }
}

impl ConsumerContext for RebalanceReporter {
    fn pre_rebalance(&self, _consumer: &Consumer, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(list) => self.inbox.assign(self.names.partitions(list), true),
            Rebalance::Revoke(list) => self.inbox.revoke(self.names.partitions(list)),
            Rebalance::Error(problem) => {
                tracing::warn!(error = %problem, "failed to rebalance a group");
            }
        }
    }

    fn post_rebalance(&self, consumer: &Consumer, rebalance: &Rebalance<'_>) {
        // A partition that was paused when it was revoked must not come back paused.
        if let Rebalance::Assign(list) = rebalance
            && let Err(problem) = consumer.resume(list)
        {
            tracing::debug!(error = %problem, "failed to resume assigned partitions");
        }
    }
}
