//! SQLite's one writer: takes what waits when the last commit returns and commits it together.
//!
//! No timer: a lone deed is committed at once, and under load the group grows by itself while a commit's
//! fsync runs. When anything goes wrong in a group, the whole group is rolled back and each deed is carried out
//! alone, because some faults (disk full) make SQLite give up the transaction under our feet.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use chorus_core::port::StoreError;
use sqlx::{AnyConnection, Connection, Executor};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::connect::Place;
use super::fault::Fault;
use super::tx::{Deed, Tx, Verdict};

/// Most deeds in one commit.
const GROUP: usize = 256;

/// The way to the writer.
pub(super) struct Writer {
    queue: mpsc::Sender<Box<dyn Job>>,
}

impl Writer {
    /// Starts the writer; it ends when its handle is gone and what waited is done.
    pub(super) fn start(
        place: Place,
        connection: AnyConnection,
        touched: Arc<AtomicU64>,
    ) -> (Self, JoinHandle<()>) {
        let (queue, waiting) = mpsc::channel(4 * GROUP);
        let desk = Desk {
            place,
            connection: Some(connection),
            touched,
        };
        (Self { queue }, tokio::spawn(desk.run(waiting)))
    }

    /// Has the deed carried out and committed.
    pub(super) async fn carry_out<D: Deed>(&self, deed: D) -> Result<D::Answer, StoreError> {
        let (reply, answer) = oneshot::channel();
        let gone = || StoreError::unavailable("the store is closed");
        self.queue
            .send(Box::new(Waiting {
                deed,
                done: None,
                reply,
            }))
            .await
            .map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

/// A deed whose kind of answer is forgotten.
#[async_trait]
trait Job: Send {
    /// Carries it out; whether its changes are to be kept.
    async fn attempt(&mut self, tx: &mut Tx<'_>) -> Result<bool, Fault>;

    /// Tells the caller, after the commit.
    fn settle(self: Box<Self>, committed: Result<(), Fault>);
}

struct Waiting<D: Deed> {
    deed: D,
    done: Option<D::Answer>,
    reply: oneshot::Sender<Result<D::Answer, StoreError>>,
}

#[async_trait]
impl<D: Deed> Job for Waiting<D> {
    async fn attempt(&mut self, tx: &mut Tx<'_>) -> Result<bool, Fault> {
        let (answer, keep) = match self.deed.carry_out(tx).await? {
            Verdict::Keep(answer) => (answer, true),
            Verdict::Undo(answer) => (answer, false),
        };
        self.done = Some(answer);
        Ok(keep)
    }

    fn settle(self: Box<Self>, committed: Result<(), Fault>) {
        let answer = match (committed, self.done) {
            (Ok(()), Some(answer)) => Ok(answer),
            (Ok(()), None) => Err(StoreError::unavailable("the deed was not carried out")),
            (Err(fault), _) => Err(fault.into()),
        };
        // A caller that went away does not need its answer.
        let _ = self.reply.send(answer);
    }
}

struct Desk {
    place: Place,
    connection: Option<AnyConnection>,
    touched: Arc<AtomicU64>,
}

impl Desk {
    async fn run(mut self, mut queue: mpsc::Receiver<Box<dyn Job>>) {
        let mut group = Vec::with_capacity(GROUP);
        while queue.recv_many(&mut group, GROUP).await > 0 {
            match self.commit(&mut group).await {
                Err(_) if group.len() > 1 => {
                    for mut job in group.drain(..) {
                        let committed = self.commit(std::slice::from_mut(&mut job)).await;
                        job.settle(committed);
                    }
                }
                committed => group
                    .drain(..)
                    .for_each(|job| job.settle(committed.clone())),
            }
        }
        if let Some(connection) = self.connection.take() {
            // Nothing is lost if this fails: all that was answered is committed.
            let _ = connection.close().await;
        }
    }

    /// All of the group in one transaction, or none of it.
    async fn commit(&mut self, group: &mut [Box<dyn Job>]) -> Result<(), Fault> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.place.connect().await?,
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
        connection.execute("SAVEPOINT deed").await?;
        let mut tx = Tx::begun(connection).await?;
        let keep = job.attempt(&mut tx).await?;
        touched += if keep { tx.touched() } else { 0 };
        if !keep {
            connection.execute("ROLLBACK TO deed").await?;
        }
        connection.execute("RELEASE deed").await?;
    }
    connection.execute("COMMIT").await?;
    Ok(touched)
}
