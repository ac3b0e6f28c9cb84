//! The records of design.md 6, made and read in one place: headers, keys and payloads.
//!
//! The process that commits a change builds its record here and puts it into the same transaction.
//! [`bus`](crate::port::bus) carries records and knows nothing of their content. Deliberately
//! absent: prompts and outputs, which live in the [`ArtifactStore`](crate::port::ArtifactStore); a
//! payload holds ids and hashes only.

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::attempt::{AttemptDone, CallSummary, NewAttempt};
use crate::id::{AccountId, AttemptId, CredentialId, Epoch, EventId, Pool, ProjectId, Seq, Tenant};
use crate::port::bus::{Record, Topic};
use crate::progress::{self, Progress};
use crate::project::ClientCommand;
use crate::time::Timestamp;

/// Value of `chorus-schema` for a client's command, a [`ClientCommand`].
pub const COMMAND: &str = "project.cmd/1";
/// Value of `chorus-schema` for a [`ReadyNotice`].
pub const READY: &str = "task.ready/1";
/// Value of `chorus-schema` for a [`DispatchNotice`].
pub const DISPATCH: &str = "task.dispatch/1";
/// Value of `chorus-schema` for the end of an attempt, an [`AttemptDone`].
pub const DONE: &str = "task.done/1";
/// Value of `chorus-schema` for an [`EventNotice`].
pub const EVENT: &str = "event/1";
/// Value of `chorus-schema` for a [`CancelledNotice`].
pub const CANCELLED: &str = "control.cancelled/1";

/// Value of `chorus-schema` for a [`CredentialNotice`].
pub const CREDENTIAL: &str = "control.credential/1";

/// Maximum number of attempts in one cancellation record, so that its payload stays below 4 KiB.
pub const CANCELLED_AT_ONCE: usize = 64;

/// Reason why a record cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// A header is missing or does not parse.
    #[error("header {0} is missing or malformed")]
    Header(&'static str),
    /// The schema is another one, perhaps of a later release.
    #[error("schema is {found:?}, expected {expected:?}")]
    Schema {
        /// Schema named by the record.
        found: String,
        /// Schema that the reader knows.
        expected: &'static str,
    },
    /// The payload does not follow its schema.
    #[error("payload of schema {schema} does not follow it: {problem}")]
    Payload {
        /// Schema of the payload.
        schema: &'static str,
        /// Message of the parser.
        problem: String,
    },
}

/// Payload of [`DISPATCH`]: the delivery that is handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DispatchNotice {
    /// Attempt to be claimed.
    pub attempt: AttemptId,
    /// Epoch at which it may be claimed.
    pub epoch: Epoch,
}

/// Payload of [`READY`]: an attempt was queued. The row holds the truth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadyNotice {
    /// The attempt, the first one when several were queued at once.
    pub attempt: AttemptId,
    /// Result of the delivery before; none when the attempt is new, no call was made, or an
    /// earlier release wrote the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<Box<CallSummary>>,
}

/// Payload of [`EVENT`]: a project has new events. The event table holds the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventNotice {
    /// Project with the new events.
    pub project: ProjectId,
    /// Place of the first new event.
    pub first: Seq,
    /// Place of the last new event.
    pub last: Seq,
}

/// Payload of [`CANCELLED`]: a worker that runs one of these stops. The row holds the truth, and a
/// heartbeat reports it too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelledNotice {
    /// Cancelled attempts, at most [`CANCELLED_AT_ONCE`].
    pub attempts: Vec<AttemptId>,
}

/// Payload of [`CREDENTIAL`]: the state of a credential changed. The
/// [`Directory`](crate::port::Directory) holds the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialNotice {
    /// Account that has the credential.
    pub account: AccountId,
    /// Credential to be loaded again.
    pub credential: CredentialId,
}

/// Makes the record of a client's command, keyed by project.
pub fn command(
    id: EventId,
    tenant: &Tenant,
    project: ProjectId,
    command: &ClientCommand,
) -> Record {
    project_record(id, Topic::ProjectCmd, COMMAND, tenant, project, command)
}

/// Makes the record of new events, keyed by project.
pub fn event(id: EventId, tenant: &Tenant, notice: &EventNotice) -> Record {
    project_record(id, Topic::Event, EVENT, tenant, notice.project, notice)
}

/// Makes the records of attempts that one decision cancelled, at most [`CANCELLED_AT_ONCE`]
/// attempts a record; `ids` draws each record's id.
///
/// The key is the first attempt of the record: the topic is compacted, and under a shared key a
/// later cancellation would replace an earlier one.
pub fn cancelled(
    mut ids: impl FnMut() -> EventId,
    tenant: &Tenant,
    project: ProjectId,
    attempts: &[AttemptId],
) -> Vec<Record> {
    attempts
        .chunks(CANCELLED_AT_ONCE)
        .map(|chunk| {
            let notice = CancelledNotice {
                attempts: chunk.to_vec(),
            };
            let mut record =
                project_record(ids(), Topic::Control, CANCELLED, tenant, project, &notice);
            record.key = chunk[0].to_string();
            record
        })
        .collect()
}

/// Makes the record of a running delivery's [`Progress`]; lossy, never in an outbox.
pub fn progress(id: EventId, tenant: &Tenant, progress: &Progress) -> Record {
    project_record(
        id,
        Topic::Event,
        progress::SCHEMA,
        tenant,
        progress.project,
        progress,
    )
}

/// Makes the record of a changed credential state, keyed by account.
pub fn credential(id: EventId, tenant: &Tenant, notice: &CredentialNotice) -> Record {
    let headers = vec![
        header("chorus-schema", &CREDENTIAL),
        header("chorus-tenant", tenant),
        header("content-type", &"application/json"),
    ];
    Record {
        id,
        topic: Topic::Control,
        key: notice.account.to_string(),
        headers,
        payload: json(notice),
    }
}

/// Makes the record of an attempt that was queued, for the first time or again. The pool is not
/// known before admission, so the key, which only chooses among one partition, is the role that
/// serves the task.
pub fn task_ready(id: EventId, attempt: &NewAttempt, epoch: Epoch) -> Record {
    task_ready_after(id, attempt, epoch, None)
}

/// Makes the record of an attempt that was queued again after a delivery with this call.
pub fn task_ready_after(
    id: EventId,
    attempt: &NewAttempt,
    epoch: Epoch,
    call: Option<CallSummary>,
) -> Record {
    let key = format!("{:?}", attempt.kind.role()).to_lowercase();
    attempt_record(
        id,
        Topic::TaskReady,
        READY,
        key,
        (attempt, epoch),
        &ReadyNotice {
            attempt: attempt.id,
            call: call.map(Box::new),
        },
    )
}

/// Makes the record of a delivery for a worker of `pool`, to be claimed before `not_after`.
pub fn task_dispatch(
    id: EventId,
    pool: &Pool,
    attempt: &NewAttempt,
    epoch: Epoch,
    not_after: Timestamp,
) -> Record {
    let notice = DispatchNotice {
        attempt: attempt.id,
        epoch,
    };
    let topic = Topic::TaskDispatch(pool.clone());
    let mut record = attempt_record(
        id,
        topic,
        DISPATCH,
        attempt.task.to_string(),
        (attempt, epoch),
        &notice,
    );
    record
        .headers
        .push(header("chorus-not-after-ms", &not_after.0));
    record
}

/// Makes the record of an attempt that ended: finished by its worker, or refused by the dispatcher.
pub fn task_done(id: EventId, attempt: &NewAttempt, epoch: Epoch, done: &AttemptDone) -> Record {
    attempt_record(
        id,
        Topic::TaskDone,
        DONE,
        attempt.project.to_string(),
        (attempt, epoch),
        done,
    )
}

/// Parses the payload of a record of this schema.
pub fn read<T: DeserializeOwned>(record: &Record, schema: &'static str) -> Result<T, Unreadable> {
    let found = record.header("chorus-schema").unwrap_or_default();
    if found != schema {
        return Err(Unreadable::Schema {
            found: found.to_owned(),
            expected: schema,
        });
    }
    serde_json::from_slice(&record.payload).map_err(|problem| Unreadable::Payload {
        schema,
        problem: problem.to_string(),
    })
}

/// Returns the project named by the record's headers.
pub fn project_of(record: &Record) -> Result<ProjectId, Unreadable> {
    let name = "chorus-project";
    record
        .header(name)
        .and_then(|text| text.parse().ok())
        .ok_or(Unreadable::Header(name))
}

/// Makes a record with the same content for an operator, after a consumer failed to read it.
pub fn dead_letter(id: EventId, record: &Record, problem: &Unreadable) -> Record {
    let mut headers = record.headers.clone();
    headers.push(header("dlq-origin-topic", &record.topic));
    headers.push(header("dlq-origin-id", &record.id));
    headers.push(header("dlq-reason", problem));
    Record {
        id,
        topic: Topic::Dlq,
        key: record.key.clone(),
        headers,
        payload: record.payload.clone(),
    }
}

fn project_record(
    id: EventId,
    topic: Topic,
    schema: &str,
    tenant: &Tenant,
    project: ProjectId,
    payload: &impl Serialize,
) -> Record {
    let headers = vec![
        header("chorus-schema", &schema),
        header("chorus-tenant", tenant),
        header("chorus-project", &project),
        header("content-type", &"application/json"),
    ];
    Record {
        id,
        topic,
        key: project.to_string(),
        headers,
        payload: json(payload),
    }
}

fn attempt_record(
    id: EventId,
    topic: Topic,
    schema: &str,
    key: String,
    (attempt, epoch): (&NewAttempt, Epoch),
    payload: &impl Serialize,
) -> Record {
    let mut record = project_record(id, topic, schema, &attempt.tenant, attempt.project, payload);
    record.key = key;
    record.headers.extend([
        header("chorus-plan-version", &attempt.plan_version),
        header("chorus-task", &attempt.task),
        header("chorus-attempt", &attempt.id),
        header("chorus-epoch", &epoch.0),
        header("chorus-priority", &attempt.priority),
    ]);
    record
}

fn header(name: &str, value: &impl ToString) -> (String, String) {
    (name.to_owned(), value.to_string())
}

fn json(payload: &impl Serialize) -> Bytes {
    Bytes::from(serde_json::to_vec(payload).expect("payloads are plain structs with text keys"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::ArtifactHash;
    use crate::attempt::{CallSize, Outcome};
    use crate::failure::FailureClass;
    use crate::id::{ModelSlug, ProviderId, TaskId};
    use crate::money::MicroUsd;
    use crate::task_kind::TaskKind;
    use crate::time::Millis;

    fn attempt() -> NewAttempt {
        NewAttempt {
            id: AttemptId::new(3),
            task: TaskId::new(2),
            project: ProjectId::new(1),
            tenant: Tenant::new("home"),
            plan_version: 4,
            kind: TaskKind::Work,
            number: 1,
            order: ArtifactHash::of(b"order"),
            size: CallSize {
                input: 10,
                output: 5,
                max_tokens: 8,
            },
            priority: 100,
            path: Millis(9),
            not_before: Timestamp(0),
        }
    }

    fn call() -> CallSummary {
        CallSummary {
            provider: ProviderId::new("anthropic"),
            model: ModelSlug::new("claude/opus"),
            account: AccountId::new(8),
            kind: TaskKind::Work,
            size: attempt().size,
            class: Some(FailureClass::Overload),
            complete: false,
            usage: None,
            cost: MicroUsd(3),
            took: Millis(900),
        }
    }

    #[test]
    fn a_queued_attempt_carries_its_last_call_and_readers_of_both_releases_understand_it() {
        let record = task_ready_after(EventId::new(7), &attempt(), Epoch(2), Some(call()));
        let notice: ReadyNotice = read(&record, READY).expect("it follows its schema");
        assert_eq!(notice.call, Some(Box::new(call())));
        assert!(record.payload.len() < 1_024, "{}", record.payload.len());
        let old = task_ready(EventId::new(7), &attempt(), Epoch(2));
        let notice: ReadyNotice = read(&old, READY).expect("an earlier release wrote no call");
        assert_eq!((notice.attempt, notice.call), (AttemptId::new(3), None));
    }

    #[test]
    fn a_finished_attempt_survives_the_bus() {
        let done = AttemptDone {
            attempt: AttemptId::new(3),
            task: TaskId::new(2),
            outcome: Outcome::Succeeded {
                result: ArtifactHash::of(b"text"),
            },
            call: Some(Box::new(call())),
        };
        let record = task_done(EventId::new(7), &attempt(), Epoch(2), &done);
        assert_eq!(read::<AttemptDone>(&record, DONE), Ok(done));
        assert_eq!(record.key, ProjectId::new(1).to_string());
        assert_eq!(project_of(&record), Ok(ProjectId::new(1)));
        assert_eq!(
            (
                record.header("chorus-epoch"),
                record.header("chorus-plan-version")
            ),
            (Some("2"), Some("4"))
        );
        assert!(matches!(
            read::<DispatchNotice>(&record, DISPATCH),
            Err(Unreadable::Schema { .. })
        ));
    }

    #[test]
    fn many_cancellations_are_cut_into_small_records() {
        let attempts: Vec<_> = (0..200).map(AttemptId::new).collect();
        let mut next = 0;
        let ids = || {
            next += 1;
            EventId::new(next)
        };
        let records = cancelled(ids, &Tenant::new("home"), ProjectId::new(1), &attempts);
        assert_eq!(records.len(), 4);
        let keys: std::collections::BTreeSet<_> =
            records.iter().map(|record| &record.key).collect();
        assert_eq!(keys.len(), 4, "compaction keeps each of them");
        assert!(records.iter().all(|record| record.payload.len() <= 4096));
    }

    #[test]
    fn each_record_has_its_topic_its_schema_and_a_key_that_keeps_its_order() {
        let (tenant, project) = (Tenant::new("home"), ProjectId::new(1));
        let id = EventId::new(7);
        let notice = EventNotice {
            project,
            first: Seq(1),
            last: Seq(3),
        };
        let account = CredentialNotice {
            account: AccountId::new(8),
            credential: CredentialId::new(9),
        };
        let dispatch = task_dispatch(id, &Pool::new("claude"), &attempt(), Epoch(2), Timestamp(5));
        assert_eq!(dispatch.header("chorus-not-after-ms"), Some("5"));
        let check = |record: &Record, topic: Topic, schema: &str, key: String| {
            assert_eq!(
                (record.id, &record.topic, &record.key),
                (id, &topic, &key),
                "{schema}"
            );
            assert_eq!(record.header("chorus-schema"), Some(schema));
            assert_eq!(record.header("chorus-tenant"), Some("home"), "{schema}");
            assert!(record.payload.len() <= 4_096);
        };
        let pause = command(id, &tenant, project, &ClientCommand::Pause { at: None });
        check(&pause, Topic::ProjectCmd, COMMAND, project.to_string());
        check(
            &event(id, &tenant, &notice),
            Topic::Event,
            EVENT,
            project.to_string(),
        );
        let parked = credential(id, &tenant, &account);
        check(
            &parked,
            Topic::Control,
            CREDENTIAL,
            account.account.to_string(),
        );
        let topic = Topic::TaskDispatch(Pool::new("claude"));
        check(&dispatch, topic, DISPATCH, TaskId::new(2).to_string());
        assert_eq!(
            read::<ClientCommand>(&pause, COMMAND),
            Ok(ClientCommand::Pause { at: None })
        );
        assert_eq!(read::<CredentialNotice>(&parked, CREDENTIAL), Ok(account));
        assert_eq!(
            read::<DispatchNotice>(&dispatch, DISPATCH).map(|notice| notice.epoch),
            Ok(Epoch(2))
        );
    }

    #[test]
    fn a_record_that_cannot_be_read_names_the_fault_and_becomes_a_dead_letter() {
        let mut record = task_ready(EventId::new(7), &attempt(), Epoch(2));
        record.payload = bytes::Bytes::from_static(b"{\"attempt\": 5}");
        let problem = read::<ReadyNotice>(&record, READY).expect_err("5 is no id");
        assert!(
            matches!(problem, Unreadable::Payload { schema: READY, .. }),
            "{problem}"
        );
        let dead = dead_letter(EventId::new(8), &record, &problem);
        assert_eq!((dead.id, &dead.topic), (EventId::new(8), &Topic::Dlq));
        assert_eq!(dead.payload, record.payload);
        assert_eq!(
            dead.header("dlq-origin-topic"),
            Some("chorus.task.ready.v1")
        );
        assert_eq!(
            dead.header("dlq-origin-id"),
            Some(EventId::new(7).to_string().as_str())
        );
        assert_eq!(
            dead.header("chorus-schema"),
            Some(READY),
            "the headers are kept"
        );
        record.headers.clear();
        assert_eq!(
            project_of(&record),
            Err(Unreadable::Header("chorus-project"))
        );
        assert!(matches!(
            read::<ReadyNotice>(&record, READY),
            Err(Unreadable::Schema { .. })
        ));
    }
}
