//! Projects as a person reads them: a list with dates, and one project with its tasks, files, waits and failed calls.

use std::collections::BTreeMap;

use chorus_api::{DeliveryResource, PlanResource, PlanTask, ProjectResource, micro_usd};
use chorus_client::{Client, ClientError};
use chorus_core::id::{ProjectId, TaskId};
use chorus_core::time::Timestamp;

use crate::attention;
use crate::exit::Exit;
use crate::human_time;
use crate::view;

/// Number of the newest failed calls that are shown.
const FAILURES: usize = 5;

/// Prints projects in these states, or in any, newest first: at most `limit` after `skip`.
pub(super) async fn list(
    client: &Client,
    states: &[String],
    (skip, limit): (usize, usize),
) -> anyhow::Result<Exit> {
    let is_wanted = |state: &str| states.is_empty() || states.iter().any(|wanted| wanted == state);
    let mut projects = client.list().await?;
    projects.retain(|project| is_wanted(&project.state));
    if projects.is_empty() && states.is_empty() {
        println!("No projects yet. `chorus run brief.md` starts one, `chorus demo` shows one.");
    } else if projects.is_empty() {
        println!("No project is {}.", states.join(" or ").replace('_', " "));
    }
    let more = projects.len().saturating_sub(skip + limit);
    for project in projects.into_iter().skip(skip).take(limit) {
        println!(
            "{}  {}  {:<16}  {:>9}  {}",
            project.id,
            human_time::date(project.created_at_ms),
            project.state.replace('_', " "),
            micro_usd(project.spent_usd).to_string(),
            project.title
        );
    }
    if more > 0 {
        println!("{more} more: --skip {}", skip + limit);
    }
    Ok(Exit::Done)
}

/// Prints one project. A plan that is gone from the store is named, and the rest is shown.
pub(super) async fn show(client: &Client, id: ProjectId, flags: &str) -> anyhow::Result<Exit> {
    let project = client.get(id).await?;
    let now = client.clock().now();
    println!("{}\n{}", project.title, id);
    println!("accepted {}", human_time::date(project.created_at_ms));
    println!("{}", view::summary(&project));
    println!("wasted {}", micro_usd(project.money.wasted_usd));
    for reason in view::reasons(&project, now) {
        println!("  {reason}");
    }
    println!();
    match client.plan(id).await {
        Ok(None) => println!("  no plan yet"),
        Ok(Some(plan)) => tasks(&plan, now),
        Err(ClientError::Refused { problem, .. }) if problem.code == "artifact_missing" => {
            println!("  no plan can be shown: {}", problem.message);
        }
        Err(error) => return Err(error.into()),
    }
    if let Some(estimate) = &project.estimate {
        println!("\n{estimate}");
    }
    if let Some(plan) = &project.plan {
        println!("\nplan {plan}");
    }
    if let Some(attention) = &project.attention {
        println!("\n{}", attention::text(attention, flags));
    }
    open_points(&project);
    failures(client, id).await?;
    Ok(Exit::Done)
}

fn open_points(project: &ProjectResource) {
    for question in &project.questions {
        println!("\nopen question {}: {}", question.id, question.text);
    }
    for defect in &project.defects {
        println!("defect: {defect}");
    }
}

/// Prints the tasks with what they read, cost and wait for, and the planned files.
fn tasks(plan: &PlanResource, now: Timestamp) {
    let keys: BTreeMap<TaskId, String> = plan
        .tasks
        .iter()
        .map(|task| (task.id, task.key.to_string()))
        .collect();
    for task in &plan.tasks {
        println!("{}", task_line(task, &keys));
        if let Some(wait) = &task.wait {
            let until = wait
                .until_ms
                .map(|until| format!(", {}", human_time::until(until, now)));
            println!(
                "               waits: {}{}",
                wait.text,
                until.unwrap_or_default()
            );
        }
        if let Some(error) = &task.error {
            println!("               {}: {}", error.code, error.message);
        }
    }
    if plan.tasks.iter().any(|task| task.is_estimated) {
        println!("  ~ a provider did not report all tokens; they are estimated from the texts");
    }
    println!("\nfiles:");
    for file in &plan.plan.files {
        println!("  {}", file.path);
    }
}

fn task_line(task: &PlanTask, keys: &BTreeMap<TaskId, String>) -> String {
    let parents: Vec<&str> = task
        .parents
        .iter()
        .filter_map(|parent| keys.get(parent).map(String::as_str))
        .collect();
    let after = if parents.is_empty() {
        String::new()
    } else {
        format!("  (after {})", parents.join(", "))
    };
    let replaced = if task.superseded_by.is_some() {
        "  (replaced)"
    } else {
        ""
    };
    // A ready task is under way when a call of it is open, and waits for one else.
    let state = match (task.state.as_str(), task.is_open) {
        ("ready", true) => "under way",
        ("ready", false) => "waits",
        (state, _) => state,
    };
    format!(
        "  {:<10} {state:<10} {:>8}  {}{after}{replaced}",
        task.key.to_string(),
        cost_text(task),
        task.title
    )
}

/// Cost of a task's calls, with a mark where it rests on an estimate.
fn cost_text(task: &PlanTask) -> String {
    let mark = if task.is_estimated { "~" } else { "" };
    format!("{mark}{}", micro_usd(task.cost_usd))
}

/// Prints the newest failed calls, with their number.
async fn failures(client: &Client, id: ProjectId) -> Result<(), ClientError> {
    let mut failed: Vec<DeliveryResource> = Vec::new();
    let mut after = None;
    loop {
        let page = client.deliveries(id, after.as_deref()).await?;
        let failures = page.deliveries.into_iter();
        failed.extend(failures.filter(|delivery| delivery.is_failure));
        after = page.next;
        if !page.has_more {
            break;
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    println!("\n{} calls failed; the newest:", failed.len());
    for delivery in failed.iter().rev().take(FAILURES) {
        println!(
            "  {}  {}",
            human_time::clock(delivery.ended_at_ms),
            view::failure_text(delivery)
        );
    }
    Ok(())
}
