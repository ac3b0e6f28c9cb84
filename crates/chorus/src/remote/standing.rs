//! `chorus project list|show|cancel --server`

use chorus_api::{CommandAccepted, PlanResource, ProjectList, ProjectResource};
use chorus_core::id::ProjectId;
use chorus_core::money::MicroUsd;

use super::api::{Api, ApiError, Call};
use crate::exit::Exit;

/// How long a short command waits for a server.
const PATIENCE: chorus_core::time::Millis = chorus_core::time::Millis::from_secs(10);

/// An amount that the API gave in dollars.
#[expect(clippy::cast_possible_truncation, reason = "amounts of money fit")]
pub(super) fn micros(dollars: f64) -> MicroUsd {
    MicroUsd((dollars * 1_000_000.0).round() as i64)
}

/// An amount as the API takes it.
#[expect(
    clippy::cast_precision_loss,
    reason = "2^53 millionths are nine billion dollars"
)]
pub(super) fn dollars(amount: MicroUsd) -> f64 {
    amount.0 as f64 / 1_000_000.0
}

async fn read<T: serde::de::DeserializeOwned>(api: &Api, path: &str) -> Result<T, ApiError> {
    let reply = api
        .ask(&Call::get(path), Some(api.clock.now() + PATIENCE))
        .await?;
    serde_json::from_slice(&reply).map_err(|error| ApiError::Unreadable {
        path: path.to_owned(),
        why: error.to_string(),
    })
}

/// All projects of the key's tenant, newest first.
pub(crate) async fn list(api: &Api) -> anyhow::Result<Exit> {
    let mut cursor = String::new();
    let mut any = false;
    loop {
        let page: ProjectList = read(api, &format!("/v1/projects?limit=100{cursor}")).await?;
        for project in page.projects {
            any = true;
            println!(
                "{}  {:<16}  {:>9}  {}",
                project.id,
                project.state.replace('_', " "),
                micros(project.spent_usd).to_string(),
                project.title
            );
        }
        match page.next_cursor {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    if !any {
        println!(
            "No projects yet. `chorus run brief.md --server {}` starts one.",
            api.servers()
        );
    }
    Ok(Exit::Done)
}

/// One project with its tasks.
pub(crate) async fn show(api: &Api, id: ProjectId) -> anyhow::Result<Exit> {
    let project: ProjectResource = read(api, &format!("/v1/projects/{id}")).await?;
    let money = project.money;
    println!(
        "{}\n{id}: {}",
        project.title,
        project.state.replace('_', " ")
    );
    println!(
        "spent {} of {}, {} of it wasted\n",
        micros(money.spent_usd),
        micros(money.budget_usd),
        micros(money.wasted_usd)
    );
    match read::<PlanResource>(api, &project.links.plan).await {
        Ok(plan) => {
            for task in plan.tasks {
                let replaced = if task.superseded_by.is_some() {
                    " (replaced)"
                } else {
                    ""
                };
                println!(
                    "  {:<10} {:<10} {}{replaced}",
                    task.key.to_string(),
                    task.state,
                    task.title
                );
            }
        }
        Err(ApiError::Refused { problem, .. }) if problem.code == "not_ready" => {
            println!("  no plan yet")
        }
        Err(error) => return Err(error.into()),
    }
    for question in project.questions {
        println!("\nopen question {}: {}", question.id, question.text);
    }
    Ok(Exit::Done)
}

/// Stops a project for good.
pub(crate) async fn cancel(api: &Api, id: ProjectId) -> anyhow::Result<Exit> {
    let call = Call::post(
        &format!("/v1/projects/{id}/cancel"),
        &serde_json::json!({}),
        &format!("cancel-{id}"),
    );
    let reply = api.ask(&call, Some(api.clock.now() + PATIENCE)).await;
    match reply {
        Ok(reply) => {
            let taken: CommandAccepted = serde_json::from_slice(&reply)?;
            println!(
                "{} is told to stop; what it had made is kept.",
                taken.project
            );
            Ok(Exit::Done)
        }
        Err(ApiError::Refused { problem, .. }) if problem.code == "wrong_state" => {
            println!("{id} is over already: {}", problem.message);
            Ok(Exit::Done)
        }
        Err(error) => Err(error.into()),
    }
}
