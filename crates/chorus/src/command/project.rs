//! `chorus project list|show|cancel`

use anyhow::Context;
use chorus_core::id::{EventId, ProjectId};
use chorus_core::project::ClientCommand;
use chorus_core::record;

use crate::app::App;
use crate::cli::ProjectCommand;
use crate::exit::Exit;

/// Carries the command out.
pub(crate) async fn run(app: &App, command: ProjectCommand) -> anyhow::Result<Exit> {
    match command {
        ProjectCommand::List => list(app).await,
        ProjectCommand::Show { id } => show(app, parse(&id)?).await,
        ProjectCommand::Cancel { id } => cancel(app, parse(&id)?).await,
    }
}

/// A project's id from what a person typed.
pub(super) fn parse(id: &str) -> anyhow::Result<ProjectId> {
    id.trim()
        .parse()
        .with_context(|| "see `chorus project list` for the ids of your projects".to_owned())
}

async fn list(app: &App) -> anyhow::Result<Exit> {
    let projects = app.ports.projects.list(&app.tenant, None, 100).await?;
    if projects.is_empty() {
        println!("No projects yet. `chorus run brief.md` starts one, `chorus demo` shows one.");
    }
    for project in projects {
        println!(
            "{}  {:<16}  {:>9}  {}",
            project.id,
            project.state.replace('_', " "),
            project.spent.to_string(),
            project.title
        );
    }
    Ok(Exit::Done)
}

async fn show(app: &App, id: ProjectId) -> anyhow::Result<Exit> {
    let loaded = app
        .ports
        .projects
        .load(id)
        .await?
        .with_context(|| missing(id))?;
    let money = app.ports.deliveries.money(id).await?.unwrap_or_default();
    let head = &loaded.project.head;
    println!(
        "{}\n{id}: {}",
        head.title,
        head.state.as_str().replace('_', " ")
    );
    println!(
        "spent {} of {}, {} of it wasted\n",
        money.spent, money.budget, money.wasted
    );
    for task in loaded.project.tasks.values() {
        let replaced = if task.superseded_by.is_some() {
            " (replaced)"
        } else {
            ""
        };
        println!(
            "  {:<10} {:<10} {}{replaced}",
            task.key.to_string(),
            task.state.as_str(),
            task.title
        );
    }
    for question in &head.open {
        println!(
            "\nopen question {}: {}",
            question.question.id, question.question.text
        );
    }
    Ok(Exit::Done)
}

async fn cancel(app: &App, id: ProjectId) -> anyhow::Result<Exit> {
    let loaded = app
        .ports
        .projects
        .load(id)
        .await?
        .with_context(|| missing(id))?;
    if loaded.project.head.is_terminal() {
        println!(
            "{id} is over already: {}",
            loaded.project.head.state.as_str().replace('_', " ")
        );
        return Ok(Exit::Done);
    }
    tell(app, id, &ClientCommand::Cancel).await?;
    super::session::resolve(app, id).await?;
    println!("{id} is cancelled; what it had made is kept.");
    Ok(Exit::Done)
}

pub(super) fn missing(id: ProjectId) -> String {
    format!(
        "there is no project {id} here; see `chorus project list`, and --data if you keep several data folders"
    )
}

/// Puts a command into the outbox of a project.
pub(super) async fn tell(app: &App, id: ProjectId, command: &ClientCommand) -> anyhow::Result<()> {
    let record = record::command(
        EventId::new(app.clock.random_u128()),
        &app.tenant,
        id,
        command,
    );
    let there = app
        .ports
        .projects
        .command(&app.tenant, id, record.clone())
        .await?;
    anyhow::ensure!(there, missing(id));
    app.publish(record).await;
    Ok(())
}
