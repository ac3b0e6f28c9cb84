//! The same commands at a server.

use std::sync::Arc;

use chorus_core::id::ProjectId;

use super::submit::Input;
use super::{Exit, project};
use crate::cli::{At, How, ProjectCommand};
use crate::clock::SystemClock;
use crate::config::{Dollars, Environment, Process};
use crate::remote::{self, Api, Remote};

/// The server that the command names, if any.
pub(super) fn api(at: &At) -> anyhow::Result<Option<Api>> {
    let Some(server) = &at.server else {
        return Ok(None);
    };
    let key = at
        .api_key
        .clone()
        .or_else(|| Process.variable("CHORUS_API_KEY"));
    Api::new(server, key, Arc::new(SystemClock)).map(Some)
}

/// `chorus run --server`
pub(super) async fn run(
    api: &Api,
    input: Input,
    budget: Option<Dollars>,
    how: &How,
) -> anyhow::Result<Exit> {
    let Input { text, documents } = input;
    remote::run(
        api,
        Remote::New {
            text,
            documents,
            budget: budget.map(|dollars| dollars.0),
        },
        how,
    )
    .await
}

/// `chorus resume --server`
pub(super) async fn resume(api: &Api, id: ProjectId, how: &How) -> anyhow::Result<Exit> {
    remote::run(api, Remote::There(id), how).await
}

/// `chorus project … --server`
pub(super) async fn project(api: &Api, command: ProjectCommand) -> anyhow::Result<Exit> {
    match command {
        ProjectCommand::List => remote::list(api).await,
        ProjectCommand::Show { id } => remote::show(api, project::parse(&id)?).await,
        ProjectCommand::Cancel { id } => remote::cancel(api, project::parse(&id)?).await,
    }
}
