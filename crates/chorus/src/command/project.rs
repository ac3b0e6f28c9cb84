//! `chorus project …`, through a [connection](crate::connection) on this machine or to a server.

mod show;

use std::collections::BTreeMap;

use anyhow::Context as _;
use chorus_api::{Answers, CommandAccepted, ProjectResource, Reopen};
use chorus_client::{Client, ClientError};
use chorus_core::artifact::ArtifactHash;
use chorus_core::id::ProjectId;

use crate::cli::{ProjectArgs, ProjectCommand};
use crate::config::Config;
use crate::connection::{LIMIT, Operated};
use crate::exit::Exit;
use crate::failure::{ErrorCode, Failure};

/// Runs the command at the server that the arguments name, else on the data folder.
pub(crate) async fn run(config: Config, args: ProjectArgs) -> anyhow::Result<Exit> {
    let changes = args.command.is_change();
    let options = super::beside_options()?;
    let operated = Operated::open(config, &args.server, (None, changes), options).await?;
    let (client, flags) = (operated.client().clone(), operated.flags.clone());
    operated
        .finish(carry_out(&client, args.command, &flags))
        .await
}

/// Parses a project's id.
pub(super) fn parse_id(text: &str) -> anyhow::Result<ProjectId> {
    text.trim().parse().map_err(|_| {
        Failure::new(
            ErrorCode::InvalidId,
            format!("{text:?} is no project's id: an id is prj_ and 32 hexadecimal digits"),
        )
        .into()
    })
}

async fn carry_out(client: &Client, command: ProjectCommand, flags: &str) -> anyhow::Result<Exit> {
    match command {
        ProjectCommand::List { state, limit, skip } => {
            show::list(client, &state, (skip, limit)).await
        }
        ProjectCommand::Show { id } => show::show(client, parse_id(&id)?, flags).await,
        ProjectCommand::Cancel { id } => {
            let id = parse_id(&id)?;
            let accepted = client.cancel(id).await;
            effect(client, id, accepted, |project| project.is_terminal).await
        }
        ProjectCommand::Pause { id } => {
            let id = parse_id(&id)?;
            let accepted = client.pause(id).await;
            effect(client, id, accepted, |project| {
                project.is_terminal || project.state == "paused"
            })
            .await
        }
        ProjectCommand::Answer {
            id,
            answers,
            assume_rest,
        } => answer(client, parse_id(&id)?, &answers, assume_rest).await,
        other => decide(client, other).await,
    }
}

/// Commands that a project waits for, or that bring it back.
async fn decide(client: &Client, command: ProjectCommand) -> anyhow::Result<Exit> {
    let id = parse_id(command.id())?;
    let before = client.get(id).await?.version;
    let accepted = match command {
        ProjectCommand::Approve { plan, .. } => client.approve(id, hash(plan)?).await,
        ProjectCommand::Reject { reason, plan, .. } => {
            client.reject(id, &reason, hash(plan)?).await
        }
        ProjectCommand::Budget { budget, .. } => client.raise_budget(id, budget).await,
        ProjectCommand::Retry { task, .. } => client.retry(id, task).await,
        ProjectCommand::Skip { task, .. } => client.skip(id, task).await,
        ProjectCommand::Reopen {
            rounds,
            budget: budget_usd,
            instruction,
            ..
        } => {
            let reopen = Reopen {
                rounds,
                budget_usd,
                instruction,
            };
            let accepted = client.reopen(id, &reopen).await;
            return effect(client, id, accepted, |project| !project.is_terminal).await;
        }
        ProjectCommand::List { .. }
        | ProjectCommand::Show { .. }
        | ProjectCommand::Cancel { .. }
        | ProjectCommand::Pause { .. }
        | ProjectCommand::Answer { .. } => return Ok(Exit::Done),
    };
    effect(client, id, accepted, |project| project.version != before).await
}

/// Parses the hash of a plan.
fn hash(text: Option<String>) -> anyhow::Result<Option<ArtifactHash>> {
    let Some(text) = text else { return Ok(None) };
    let hash = text.trim().parse().map_err(|_| {
        let message = format!("{text:?} is no hash of a plan: `chorus project show` prints it");
        Failure::new(ErrorCode::InvalidArgument, message)
    })?;
    Ok(Some(hash))
}

async fn answer(
    client: &Client,
    id: ProjectId,
    given: &[String],
    assume_rest: bool,
) -> anyhow::Result<Exit> {
    let mut answers = BTreeMap::new();
    for text in given {
        let (question, answer) = text.split_once('=').with_context(|| {
            let message = format!("{text:?} is no answer: expected QUESTION=TEXT");
            Failure::new(ErrorCode::InvalidArgument, message)
        })?;
        answers.insert(question.to_owned(), answer.to_owned());
    }
    let project = client.get(id).await?;
    let before = project.version;
    let shown = project.questions.into_iter().map(|question| question.id);
    let answers = Answers {
        answers,
        assume_rest,
        questions: assume_rest.then(|| shown.collect()),
    };
    let accepted = client.answer(id, &answers).await;
    effect(client, id, accepted, |project| project.version != before).await
}

/// Waits until an accepted command shows, and prints the state that it led to.
async fn effect(
    client: &Client,
    id: ProjectId,
    accepted: Result<CommandAccepted, ClientError>,
    shows: impl Fn(&ProjectResource) -> bool + Send,
) -> anyhow::Result<Exit> {
    match accepted {
        Ok(_) => {}
        Err(ClientError::Refused { problem, .. }) if problem.code == "wrong_state" => {
            let project = client.get(id).await?;
            if project.is_terminal {
                println!("{id} is over already: {}", project.state.replace('_', " "));
                return Ok(Exit::Done);
            }
            return Err(Failure::new(ErrorCode::CommandRefused, problem.message.clone()).into());
        }
        Err(error) => return Err(error.into()),
    }
    let clock = client.clock();
    let shown = client.wait_until_shown(id, shows);
    match clock.deadline(clock.now() + LIMIT, shown).await {
        Some(project) => {
            let state = project?.state.replace('_', " ");
            println!("{id} is {state}; its results so far are kept.");
        }
        None => println!("{id}: accepted; it takes effect as soon as an orchestrator reads it."),
    }
    Ok(Exit::Done)
}
