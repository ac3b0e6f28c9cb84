//! The [`Projects`], [`Outbox`], [`ArtifactStore`] and [`Directory`] ports with faults.

use async_trait::async_trait;
use bytes::Bytes;
use chorus_core::artifact::ArtifactHash;
use chorus_core::id::{CredentialId, EventId, ProjectId, Seq, Tenant};
use chorus_core::port::bus::Record;
use chorus_core::port::directory::{
    Account, CredentialState, Imported, Mark, NewAccount, Removal, StoredSecret,
};
use chorus_core::port::projects::{
    Commit, Committed, Cursor, Loaded, NewProject, StoredEvent, Submitted,
};
use chorus_core::port::{ArtifactStore, Directory, Outbox, Projects, StoreError};
use chorus_core::project::Summary;
use chorus_core::time::Millis;

use super::{Faulty, done};
use crate::fault::Part;

#[async_trait]
impl Projects for Faulty<dyn Projects> {
    async fn submit(&self, new: NewProject) -> Result<Submitted, StoreError> {
        let what = format!("submit {}", new.id);
        self.point
            .call(
                Part::Store,
                &what,
                |submitted| format!("{submitted:?}"),
                self.inner.submit(new),
            )
            .await
    }

    async fn command(
        &self,
        tenant: &Tenant,
        project: ProjectId,
        record: Record,
    ) -> Result<bool, StoreError> {
        let what = format!("command {} to {project}", record.id);
        self.point
            .call(
                Part::Store,
                &what,
                bool::to_string,
                self.inner.command(tenant, project, record),
            )
            .await
    }

    async fn load(&self, project: ProjectId) -> Result<Option<Loaded>, StoreError> {
        let what = format!("load {project}");
        let show = |loaded: &Option<Loaded>| {
            loaded.as_ref().map_or_else(
                || "none".to_owned(),
                |loaded| format!("version {}", loaded.version.0),
            )
        };
        self.point
            .call(Part::Store, &what, show, self.inner.load(project))
            .await
    }

    async fn commit(&self, commit: Commit) -> Result<Committed, StoreError> {
        let what = format!(
            "commit {} at version {}: {}, {} tasks, {} attempts, {} cancelled, folds {}",
            commit.project,
            commit.expected.0,
            commit.head.state.as_str(),
            commit.tasks.len(),
            commit.attempts.len(),
            commit.cancel.len(),
            commit.folded.len()
        );
        self.point
            .call(
                Part::Store,
                &what,
                |committed| format!("{committed:?}"),
                self.inner.commit(commit),
            )
            .await
    }

    async fn list(
        &self,
        tenant: &Tenant,
        before: Option<Cursor>,
        limit: u32,
    ) -> Result<Vec<Summary>, StoreError> {
        let show = |found: &Vec<Summary>| format!("{} projects", found.len());
        self.point
            .call(
                Part::Store,
                "list",
                show,
                self.inner.list(tenant, before, limit),
            )
            .await
    }

    async fn events(
        &self,
        project: ProjectId,
        after: Seq,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let show = |found: &Vec<StoredEvent>| format!("{} events", found.len());
        self.point
            .call(
                Part::Store,
                "events",
                show,
                self.inner.events(project, after, limit),
            )
            .await
    }
}

#[async_trait]
impl Outbox for Faulty<dyn Outbox> {
    async fn unsent(&self, older_than: Millis, limit: u32) -> Result<Vec<Record>, StoreError> {
        let show = |found: &Vec<Record>| format!("{} records", found.len());
        self.point
            .call(
                Part::Store,
                "unsent",
                show,
                self.inner.unsent(older_than, limit),
            )
            .await
    }

    async fn mark_sent(&self, ids: Vec<EventId>) -> Result<(), StoreError> {
        let what = format!("mark {} sent", ids.len());
        self.point
            .call(Part::Store, &what, done, self.inner.mark_sent(ids))
            .await
    }

    async fn unfolded(&self, older_than: Millis, limit: u32) -> Result<Vec<Record>, StoreError> {
        let show = |found: &Vec<Record>| format!("{} records", found.len());
        self.point
            .call(
                Part::Store,
                "unfolded",
                show,
                self.inner.unfolded(older_than, limit),
            )
            .await
    }

    async fn forget(&self, older_than: Millis, limit: u32) -> Result<u32, StoreError> {
        self.point
            .call(
                Part::Store,
                "forget",
                |count| format!("{count} records"),
                self.inner.forget(older_than, limit),
            )
            .await
    }
}

#[async_trait]
impl ArtifactStore for Faulty<dyn ArtifactStore> {
    async fn put(&self, bytes: Bytes) -> Result<ArtifactHash, StoreError> {
        let what = format!("put {} bytes", bytes.len());
        self.point
            .call(
                Part::Store,
                &what,
                |hash| short(*hash),
                self.inner.put(bytes),
            )
            .await
    }

    async fn get(&self, hash: ArtifactHash) -> Result<Option<Bytes>, StoreError> {
        let what = format!("get {}", short(hash));
        let show = |bytes: &Option<Bytes>| {
            bytes.as_ref().map_or_else(
                || "none".to_owned(),
                |bytes| format!("{} bytes", bytes.len()),
            )
        };
        self.point
            .call(Part::Store, &what, show, self.inner.get(hash))
            .await
    }
}

fn short(hash: ArtifactHash) -> String {
    hash.to_string().chars().take(12).collect()
}

#[async_trait]
impl Directory for Faulty<dyn Directory> {
    async fn import(&self, accounts: Vec<NewAccount>) -> Result<Vec<Imported>, StoreError> {
        let what = format!("import {} accounts", accounts.len());
        self.point
            .call(
                Part::Store,
                &what,
                |imported| format!("{}", imported.len()),
                self.inner.import(accounts),
            )
            .await
    }

    async fn accounts(&self, tenant: &Tenant) -> Result<Vec<Account>, StoreError> {
        let show = |found: &Vec<Account>| format!("{} accounts", found.len());
        self.point
            .call(Part::Store, "accounts", show, self.inner.accounts(tenant))
            .await
    }

    async fn secret(&self, credential: CredentialId) -> Result<Option<StoredSecret>, StoreError> {
        self.point
            .call(
                Part::Store,
                "secret",
                |_| "read".to_owned(),
                self.inner.secret(credential),
            )
            .await
    }

    async fn set_state(
        &self,
        credential: CredentialId,
        state: CredentialState,
    ) -> Result<(), StoreError> {
        let what = format!("set {credential} {state:?}");
        self.point
            .call(
                Part::Store,
                &what,
                done,
                self.inner.set_state(credential, state),
            )
            .await
    }

    async fn mark_state(
        &self,
        credential: CredentialId,
        state: CredentialState,
        mark: Mark,
    ) -> Result<bool, StoreError> {
        let what = format!("mark {credential} {state:?}");
        let marked = self.inner.mark_state(credential, state, mark);
        self.point
            .call(Part::Store, &what, bool::to_string, marked)
            .await
    }

    async fn update(
        &self,
        account: NewAccount,
        removed: Vec<CredentialId>,
    ) -> Result<Imported, StoreError> {
        let what = format!("update {}", account.id);
        let show = |imported: &Imported| format!("{imported:?}");
        self.point
            .call(
                Part::Store,
                &what,
                show,
                self.inner.update(account, removed),
            )
            .await
    }

    async fn remove(&self, tenant: &Tenant, what: Removal) -> Result<bool, StoreError> {
        self.point
            .call(
                Part::Store,
                "remove",
                bool::to_string,
                self.inner.remove(tenant, what),
            )
            .await
    }
}
