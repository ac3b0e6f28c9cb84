//! Hands a brief in.

use bytes::Bytes;
use chorus_core::artifact::ArtifactHash;
use chorus_core::brief::{Attachment, Brief, Options};
use chorus_core::id::{EventId, ProjectId};
use chorus_core::intake::title;
use chorus_core::money::MicroUsd;
use chorus_core::port::projects::{NewProject, Submitted};
use chorus_core::project::{ClientCommand, Head, NewHead};
use chorus_core::record;

use crate::app::App;
use crate::input::Document;

/// What was read from files.
pub(crate) struct Input {
    pub(crate) text: String,
    pub(crate) documents: Vec<Document>,
}

/// A project to be handed in.
pub(crate) struct Submission {
    pub(crate) input: Input,
    pub(crate) budget: MicroUsd,
    /// State assumptions instead of asking.
    pub(crate) assume: bool,
    /// Wait for approval of the estimate.
    pub(crate) approve: bool,
}

/// Hands it in; durable when this returns.
pub(crate) async fn submit(app: &App, submission: Submission) -> anyhow::Result<ProjectId> {
    let Submission {
        input,
        budget,
        assume,
        approve,
    } = submission;
    let title = title(None, &input.text);
    let mut attachments = Vec::new();
    for document in input.documents {
        let bytes = document.text.len() as u64;
        let text = app.ports.artifacts.put(Bytes::from(document.text)).await?;
        attachments.push(Attachment {
            name: document.name,
            text,
            bytes,
        });
    }
    let brief = Brief {
        version: 1,
        text: input.text,
        attachments,
        options: Options { assume, approve },
    };
    let options = brief.options;
    let body = Bytes::from(serde_json::to_vec(&brief)?);
    let hash: ArtifactHash = app.ports.artifacts.put(body).await?;
    let id = ProjectId::new(app.clock.random_u128());
    let command = ClientCommand::Submit { brief: hash };
    let record = record::command(
        EventId::new(app.clock.random_u128()),
        &app.tenant,
        id,
        &command,
    );
    let head = Head::new(NewHead {
        id,
        tenant: app.tenant.clone(),
        title,
        created_at: app.clock.now(),
        brief: hash,
        options,
    });
    let new = NewProject {
        id,
        tenant: app.tenant.clone(),
        idempotency_key: id.to_string(),
        body: hash,
        budget,
        head,
        record: record.clone(),
    };
    match app.ports.projects.submit(new).await? {
        Submitted::Accepted(id) => {
            app.publish(record).await;
            Ok(id)
        }
        Submitted::KeyReused(other) => anyhow::bail!("the key of {id} was used for {other}"),
    }
}
