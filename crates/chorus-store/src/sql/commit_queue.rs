//! SQLite's one writer: everything that waits when the last commit returns is committed together.
//!
//! No timer: a lone operation is committed at once, and under load the group grows while a commit's fsync runs.
//! When an operation of a group fails, the whole group is rolled back and each operation is executed alone,
//! because some faults (a full disk) make SQLite end the transaction by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use chorus_core::port::StoreError;
use sqlx::{AnyConnection, Connection, Executor};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::database_url::DatabaseUrl;
use super::fault::Fault;
use super::tx::{Operation, Outcome, Tx};

/// Most operations in one commit.
const GROUP: usize = 256;

/// Queue of operations in front of the writing task.
pub(super) struct CommitQueue {
    queue: mpsc::Sender<Box<dyn Job>>,
}

impl CommitQueue {
    /// Starts the writing task, which ends when the queue is dropped and empty.
    pub(super) fn start(
        url: DatabaseUrl,
        connection: AnyConnection,
        touched: Arc<AtomicU64>,
    ) -> (Self, JoinHandle<()>) {
        let (queue, jobs) = mpsc::channel(4 * GROUP);
        let writer = Writer {
            url,
            connection: Some(connection),
            touched,
        };
        (Self { queue }, tokio::spawn(writer.run(jobs)))
    }

    /// Executes and commits an operation.
    pub(super) async fn execute<O: Operation>(
        &self,
        operation: O,
    ) -> Result<O::Output, StoreError> {
        let (reply, output) = oneshot::channel();
        let closed = || StoreError::unavailable("the store is closed");
        self.queue
            .send(Box::new(Queued {
                operation,
                output: None,
                reply,
            }))
            .await
            .map_err(|_| closed())?;
        output.await.map_err(|_| closed())?
    }
}

/// An operation of any output.
#[async_trait]
trait Job: Send {
    /// Executes the operation; returns true if its changes are to be committed.
    async fn execute(&mut self, tx: &mut Tx<'_>) -> Result<bool, Fault>;

    /// Replies to the caller, after the commit.
    fn reply(self: Box<Self>, committed: Result<(), Fault>);
}

struct Queued<O: Operation> {
    operation: O,
    output: Option<O::Output>,
    reply: oneshot::Sender<Result<O::Output, StoreError>>,
}

#[async_trait]
impl<O: Operation> Job for Queued<O> {
    async fn execute(&mut self, tx: &mut Tx<'_>) -> Result<bool, Fault> {
        let (output, keep) = match self.operation.execute(tx).await? {
            Outcome::Commit(output) => (output, true),
            Outcome::RollBack(output) => (output, false),
        };
        self.output = Some(output);
        Ok(keep)
    }

    fn reply(self: Box<Self>, committed: Result<(), Fault>) {
        let result = match (committed, self.output) {
            (Ok(()), Some(output)) => Ok(output),
            (Ok(()), None) => Err(StoreError::unavailable("the operation was not executed")),
            (Err(fault), _) => Err(fault.into()),
        };
        // A caller that went away does not need its result.
        let _ = self.reply.send(result);
    }
}

/// The writing task with its connection.
struct Writer {
    url: DatabaseUrl,
    connection: Option<AnyConnection>,
    touched: Arc<AtomicU64>,
}

impl Writer {
    async fn run(mut self, mut jobs: mpsc::Receiver<Box<dyn Job>>) {
        let mut group = Vec::with_capacity(GROUP);
        while jobs.recv_many(&mut group, GROUP).await > 0 {
            match self.commit(&mut group).await {
                Err(_) if group.len() > 1 => {
                    for mut job in group.drain(..) {
                        let committed = self.commit(std::slice::from_mut(&mut job)).await;
                        job.reply(committed);
                    }
                }
                committed => group.drain(..).for_each(|job| job.reply(committed.clone())),
            }
        }
        if let Some(connection) = self.connection.take() {
            // A failure loses nothing: every operation with a reply is committed.
            let _ = connection.close().await;
        }
    }

    /// Commits all of the group in one transaction, or none of it.
    async fn commit(&mut self, group: &mut [Box<dyn Job>]) -> Result<(), Fault> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.url.connect().await?,
        };
        let outcome = in_transaction(&mut connection, group).await;
        if outcome.is_ok() || connection.execute("ROLLBACK").await.is_ok() {
            self.connection = Some(connection);
        }
        outcome.map(|touched| {
            self.touched.fetch_add(touched, Ordering::Relaxed);
        })
    }
}

async fn in_transaction(
    connection: &mut AnyConnection,
    group: &mut [Box<dyn Job>],
) -> Result<u64, Fault> {
    connection.execute("BEGIN IMMEDIATE").await?;
    let mut touched = 0;
    for job in group {
        connection.execute("SAVEPOINT operation").await?;
        let mut tx = Tx::begun(connection).await?;
        let keep = job.execute(&mut tx).await?;
        touched += if keep { tx.touched() } else { 0 };
        if !keep {
            connection.execute("ROLLBACK TO operation").await?;
        }
        connection.execute("RELEASE operation").await?;
    }
    connection.execute("COMMIT").await?;
    Ok(touched)
}
