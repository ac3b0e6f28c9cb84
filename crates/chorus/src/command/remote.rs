//! The same commands at a server.

use std::sync::Arc;

use chorus_core::id::ProjectId;

use super::project;
use super::submit::Input;
use crate::cli::{ProjectCommand, RunOptions, ServerArgs};
use crate::clock::SystemClock;
use crate::config::{Dollars, Environment, ProcessEnvironment};
use crate::exit::Exit;
use crate::remote::{self, Api, Remote};

/// The server that the command names, if any.
pub(super) fn api(args: &ServerArgs) -> anyhow::Result<Option<Api>> {
    let Some(server) = &args.server else {
        return Ok(None);
    };
    let key = args
        .api_key
        .clone()
        .or_else(|| ProcessEnvironment.variable("CHORUS_API_KEY"));
    Api::new(server, key, Arc::new(SystemClock)).map(Some)
}

/// `chorus run --server`
pub(super) async fn run(
    api: &Api,
    input: Input,
    budget: Option<Dollars>,
    options: &RunOptions,
) -> anyhow::Result<Exit> {
    let Input { text, documents } = input;
    remote::run(
        api,
        Remote::New {
            text,
            documents,
            budget: budget.map(|dollars| dollars.0),
        },
        options,
    )
    .await
}

/// `chorus resume --server`
pub(super) async fn resume(api: &Api, id: ProjectId, options: &RunOptions) -> anyhow::Result<Exit> {
    remote::run(api, Remote::There(id), options).await
}

/// `chorus project … --server`
pub(super) async fn project(api: &Api, command: ProjectCommand) -> anyhow::Result<Exit> {
    match command {
        ProjectCommand::List => remote::list(api).await,
        ProjectCommand::Show { id } => remote::show(api, project::parse(&id)?).await,
        ProjectCommand::Cancel { id } => remote::cancel(api, project::parse(&id)?).await,
    }
}
