//! Hands projects in without a gateway: the row and the first command, as a gateway writes them.
//!
//! The record is not published: the leading dispatcher sends what nobody marked sent.

use anyhow::Context;
use bytes::Bytes;
use chorus_core::brief::{Attachment, Brief, Options};
use chorus_core::id::{EventId, ProjectId, Tenant};
use chorus_core::money::MicroUsd;
use chorus_core::port::projects::NewProject;
use chorus_core::port::{ArtifactStore as _, Projects as _};
use chorus_core::project::{ClientCommand, Head, NewHead};
use chorus_core::record;
use chorus_core::time::Timestamp;
use chorus_store::sql::{Pending, Place, Store};
use uuid::Uuid;

use super::briefs::Work;
use crate::time::now_ms;

/// The door of an installation's database.
#[derive(Clone)]
pub struct Door {
    store: Store,
    tenant: Tenant,
}

impl Door {
    /// Opens the database at this URL.
    pub async fn open(url: &str, tenant: &str) -> anyhow::Result<Self> {
        let store = Store::open(Place::Postgres(url.to_owned()), Pending::Refuse).await.context("open the database")?;
        Ok(Self { store, tenant: Tenant::new(tenant) })
    }

    /// Hands a project in that asks nothing; its id.
    pub async fn hand_in(&self, work: &Work) -> anyhow::Result<String> {
        let number = || Uuid::now_v7().as_u128();
        let mut attachments = Vec::new();
        for (name, text) in &work.attachments {
            let stored = self.store.put(Bytes::from(text.clone())).await?;
            attachments.push(Attachment { name: name.clone(), text: stored, bytes: text.len() as u64 });
        }
        let options = Options { assume: true, approve: false };
        let brief = Brief { version: 1, text: work.brief.clone(), attachments, options };
        let brief = self.store.put(Bytes::from(serde_json::to_vec(&brief)?)).await?;
        let id = ProjectId::new(number());
        let tenant = &self.tenant;
        let head = NewHead { id, tenant: tenant.clone(), title: work.name.clone(), created_at: Timestamp(now_ms()), brief, options };
        let new = NewProject {
            id,
            tenant: tenant.clone(),
            idempotency_key: id.to_string(),
            body: brief,
            budget: MicroUsd::from_dollars(100),
            head: Head::new(head),
            record: record::command(EventId::new(number()), tenant, id, &ClientCommand::Submit { brief }),
        };
        self.store.submit(new).await?;
        Ok(id.to_string())
    }
}
