//! Statements to the store: how many, how long, how many without an answer.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use chorus_core::artifact::ArtifactHash;
use chorus_core::attempt::{
    AttemptWait, Claim, Delivery, DeliveryRow, Dispatch, Dispatched, EndedCall, Finish, Holding,
    LateUsage, Outstanding, QueuedAttempt, Reclaim, Reclaimed,
};
use chorus_core::id::{BootId, CredentialId, EventId, KeyId, ProjectId, Seq, Tenant, Term};
use chorus_core::money::ProjectMoney;
use chorus_core::port::attempts::{QueuePage, QueueSelection};
use chorus_core::port::audit::{AccountUse, AuditEntry, AuditFilter};
use chorus_core::port::bus::Record;
use chorus_core::port::deliveries::{ChargedPage, EndPosition, Selection};
use chorus_core::port::directory::{
    Account, CredentialState, Imported, Mark, NewAccount, Removal, StoredSecret,
};
use chorus_core::port::keys::{ApiKey, KeyHash, NewKey};
use chorus_core::port::projects::{
    Commit, Committed, Cursor, Loaded, LoadedHead, NewProject, StoredEvent, Submitted,
};
use chorus_core::port::waits::HeldUpProject;
use chorus_core::port::workers::{AnnouncedWorker, TakenSlots, WorkerSlots};
use chorus_core::port::{
    ArtifactStore, Attempts, Audit, Deliveries, Directory, Keys, Leaders, Outbox, Projects,
    StoreError, Waits, Workers,
};
use chorus_core::project::Summary;
use chorus_core::time::{Millis, Timestamp};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use super::stopwatch::Stopwatch;

/// Which method of which port.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Method {
    port: &'static str,
    method: &'static str,
}

/// The figures of all statements.
pub(super) struct Statements {
    failed: Family<Method, Counter>,
    seconds: Family<Method, Histogram>,
}

impl Statements {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let failed = Family::default();
        let seconds = Family::new_with_constructor(histogram as fn() -> Histogram);
        registry.register(
            "store_failures",
            "Statements that the store did not answer, or could not carry out",
            failed.clone(),
        );
        registry.register_with_unit(
            "store_statement",
            "Time until the store answered; its count is the number of statements",
            Unit::Seconds,
            Family::clone(&seconds),
        );
        Self { failed, seconds }
    }

    async fn time<T>(
        &self,
        port: &'static str,
        method: &'static str,
        answer: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let (watch, method) = (Stopwatch::start(), Method { port, method });
        let answer = answer.await;
        if answer.is_err() {
            self.failed.get_or_create(&method).inc();
        }
        self.seconds.get_or_create(&method).observe(watch.seconds());
        answer
    }
}

fn histogram() -> Histogram {
    Histogram::new(exponential_buckets(0.000_25, 4.0, 9))
}

/// Times the statements of one port of the store into [`Statements`].
pub(super) struct Timed<T: ?Sized> {
    pub(super) inner: Arc<T>,
    pub(super) statements: Arc<Statements>,
}

/// Forwards each method of a port and times it.
macro_rules! timed {
    ($port:ident, $name:literal, $(fn $method:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*) => {
        #[async_trait]
        impl $port for Timed<dyn $port> {
            $(async fn $method(&self, $($argument: $type),*) -> Result<$answer, StoreError> {
                self.statements.time($name, stringify!($method), self.inner.$method($($argument),*)).await
            })*
        }
    };
}

timed! { Projects, "projects",
    fn submit(new: NewProject) -> Submitted;
    fn command(tenant: &Tenant, project: ProjectId, record: Record) -> bool;
    fn load(project: ProjectId) -> Option<Loaded>;
    fn head(project: ProjectId) -> Option<LoadedHead>;
    fn commit(commit: Commit) -> Committed;
    fn list(tenant: &Tenant, before: Option<Cursor>, limit: u32) -> Vec<Summary>;
    fn events(project: ProjectId, after: Seq, limit: u32) -> Vec<StoredEvent>;
}

timed! { Attempts, "attempts",
    fn queued(limit: u32) -> Vec<QueuedAttempt>;
    fn read_queue(selection: QueueSelection, limit: u32) -> QueuePage;
    fn dispatch(batch: Vec<Dispatch>) -> Vec<Dispatched>;
    fn claim(claim: Claim) -> Option<Box<Delivery>>;
    fn beat(held: Vec<Holding>) -> Vec<Holding>;
    fn finish(finish: Finish) -> bool;
    fn reclaim(reclaim: Reclaim) -> Vec<Reclaimed>;
}

timed! { Deliveries, "deliveries",
    fn outstanding() -> Vec<Outstanding>;
    fn of_project(project: ProjectId) -> Vec<DeliveryRow>;
    fn selected(project: ProjectId, selection: Selection, limit: u32) -> Vec<DeliveryRow>;
    fn ended_since(since: Timestamp, limit: u32) -> Vec<EndedCall>;
    fn charged_since(since: Timestamp, after: Option<EndPosition>, limit: u32) -> ChargedPage;
    fn late(late: LateUsage) -> ();
    fn money(project: ProjectId) -> Option<ProjectMoney>;
}

timed! { Waits, "waits",
    fn record_waits(waits: Vec<AttemptWait>) -> ();
    fn waits_of(project: ProjectId, limit: u32) -> Vec<AttemptWait>;
    fn held_up(after: Option<ProjectId>, limit: u32) -> Vec<HeldUpProject>;
}

timed! { Workers, "workers",
    fn announce(worker: WorkerSlots, lasts: Millis) -> ();
    fn announced() -> Vec<AnnouncedWorker>;
    fn taken_slots() -> Vec<TakenSlots>;
}

timed! { Outbox, "outbox",
    fn unsent(older_than: Millis, limit: u32) -> Vec<Record>;
    fn mark_sent(ids: Vec<EventId>) -> ();
    fn unfolded(older_than: Millis, limit: u32) -> Vec<Record>;
    fn forget(older_than: Millis, limit: u32) -> u32;
}

timed! { Leaders, "leaders",
    fn acquire(name: &str, boot: BootId, lasts: Millis) -> Option<Term>;
    fn renew(name: &str, term: Term, lasts: Millis) -> bool;
    fn resign(name: &str, term: Term) -> ();
}

timed! { Directory, "directory",
    fn import(accounts: Vec<NewAccount>) -> Vec<Imported>;
    fn update(account: NewAccount, removed: Vec<CredentialId>) -> Imported;
    fn accounts(tenant: &Tenant) -> Vec<Account>;
    fn secret(credential: CredentialId) -> Option<StoredSecret>;
    fn set_state(credential: CredentialId, state: CredentialState) -> ();
    fn mark_state(credential: CredentialId, state: CredentialState, mark: Mark) -> bool;
    fn remove(tenant: &Tenant, what: Removal) -> bool;
}

timed! { Audit, "audit",
    fn append(entry: AuditEntry) -> ();
    fn entries(tenant: &Tenant, filter: AuditFilter, limit: u32) -> Vec<AuditEntry>;
    fn uses(tenant: &Tenant, filter: AuditFilter, limit: u32) -> Vec<AccountUse>;
}

timed! { Keys, "keys",
    fn create(key: NewKey) -> ();
    fn find(hash: KeyHash) -> Option<ApiKey>;
    fn list(tenant: &Tenant) -> Vec<ApiKey>;
    fn revoke(tenant: &Tenant, key: KeyId) -> bool;
}

timed! { ArtifactStore, "artifacts",
    fn put(bytes: Bytes) -> ArtifactHash;
    fn get(hash: ArtifactHash) -> Option<Bytes>;
}
