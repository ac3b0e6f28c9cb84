//! `chorus why PROJECT/TASK`: the reason why a task is not done yet, and what it could run on.

use chorus_api::TaskWhy;
use chorus_client::Client;
use chorus_core::id::{ProjectId, TaskId};
use chorus_core::port::Clock as _;

use super::account::show::{Form, has_levels, plain, print_group, without_levels};
use super::project::parse_id;
use crate::cli::WhyArgs;
use crate::clock::SystemClock;
use crate::config::Config;
use crate::connection::Operated;
use crate::exit::Exit;
use crate::failure::{ErrorCode, Failure};
use crate::human_time;

/// Runs the command.
pub(crate) async fn run(config: Config, args: WhyArgs) -> anyhow::Result<Exit> {
    let WhyArgs { place, task } = args;
    let tenant = Some(place.tenant.as_str());
    let options = super::beside_options()?;
    let operated = Operated::open(config, &place.server, (tenant, false), options).await?;
    let client = operated.client().clone();
    let form = Form {
        is_json: place.json,
        is_running: operated.is_running,
    };
    let command = async {
        let (project, task) = named(&client, &task).await?;
        let why = client.why(project, &task).await?;
        print(&why, &form)?;
        Ok(Exit::Done)
    };
    operated.finish(command).await
}

/// Project and task of `PROJECT/TASK`, or of the id of a task in one of the projects that are not over.
async fn named(client: &Client, text: &str) -> anyhow::Result<(ProjectId, String)> {
    if let Some((project, task)) = text.split_once('/') {
        return Ok((parse_id(project)?, task.to_owned()));
    }
    let task: TaskId = text.trim().parse().map_err(|_| {
        let message = format!("{text:?} is no task: expected PROJECT/TASK, or the id of a task");
        Failure::new(ErrorCode::InvalidId, message)
    })?;
    let mut projects = client.list().await?;
    projects.sort_by_key(|project| project.is_terminal);
    for project in projects {
        let plan = client.plan(project.id).await?;
        if plan.is_some_and(|plan| plan.tasks.iter().any(|one| one.id == task)) {
            return Ok((project.id, task.to_string()));
        }
    }
    let message = format!("no project has the task {task}");
    Err(Failure::new(ErrorCode::InvalidId, message).into())
}

fn print(why: &TaskWhy, form: &Form) -> anyhow::Result<()> {
    if form.json(why)? {
        return Ok(());
    }
    let now = SystemClock.now();
    println!("{}  {}  {}", why.key, plain(&why.title), why.task);
    println!(
        "  state    {}, {} deliveries so far",
        why.state, why.deliveries
    );
    println!("  because  {}", plain(&why.answer));
    if let Some(wait) = &why.wait {
        println!(
            "  waiting  for {}",
            human_time::length(now.since(wait.since_ms))
        );
        if let Some(until) = wait.until_ms {
            println!("  until    {}", human_time::until(until, now));
        }
    }
    if let Some(ahead) = why.ahead {
        println!("  ahead    {ahead} calls");
    }
    if !why.parents.is_empty() {
        let parents: Vec<String> = why.parents.iter().map(ToString::to_string).collect();
        println!("  needs    {}", parents.join(", "));
    }
    let models: Vec<String> = why.models.iter().map(ToString::to_string).collect();
    println!("  models   {}", models.join(", "));
    for account in &why.accounts {
        println!("\n{}", plain(&account.name));
        for credential in &account.credentials {
            println!("  {}  {}", credential.provider, credential.state);
            let groups = credential.groups.iter();
            let drawn = groups.filter(|group| {
                group.models.is_empty() || group.models.iter().any(|of| why.models.contains(of))
            });
            drawn.for_each(|group| print_group(group, now));
        }
    }
    let credentials = why.accounts.iter().flat_map(|account| &account.credentials);
    let mut groups = credentials.flat_map(|credential| &credential.groups);
    if !why.accounts.is_empty() && !groups.any(has_levels) {
        println!("\n{}", without_levels(form));
    }
    Ok(())
}
