//! A person with a project: starts the services, follows the project, asks what it asks, parks it on Ctrl-C,
//! and takes the deliverable.

use std::collections::BTreeMap;
use std::future::pending;
use std::path::Path;

use anyhow::{Context, anyhow};
use chorus_core::id::{Pool, ProjectId};
use chorus_core::merge::Deliverable;
use chorus_core::port::projects::{Loaded, every_event};
use chorus_core::project::{ClientCommand, State};
use chorus_core::time::Millis;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc::Sender;

use super::estimate;
use super::project::tell;
use crate::app::{App, ServiceSet, Services};
use crate::cli::RunOptions;
use crate::exit::Exit;
use crate::report::{self, ReportInput};
use crate::watch::{Pause, Watcher};
use crate::{ask, deliver};

/// How a person goes with a project.
pub(crate) struct Session {
    pub(crate) options: RunOptions,
    /// Whether the providers are simulated.
    pub(crate) simulated: bool,
    /// Whether the project was just handed in: then its story is told from the start.
    pub(crate) fresh: bool,
    /// The pool that loses a worker on purpose, to show what follows.
    pub(crate) mishap: Option<Pool>,
}

/// Goes with the project until it is over or parked, and closes the app.
pub(crate) async fn run(app: App, id: ProjectId, session: Session) -> anyhow::Result<Exit> {
    let mut services = Services::start(&app, &ServiceSet::all(app.catalog.pools()));
    let mut watcher = Watcher::new(app.ports.clone(), id, app.account_names().await?).await?;
    let notes = watcher.notes();
    let outcome = tokio::select! {
        biased;
        outcome = accompany(&app, id, &session, &mut watcher) => outcome,
        error = mishap(&app, &mut services, session.mishap.as_ref(), &notes) => Err(error),
        why = app.trouble() => Err(anyhow!(why)),
    };
    if outcome.is_ok() {
        services.stop().await;
    } else {
        watcher.rest();
        services.abandon().await;
    }
    let exit = match outcome {
        Ok(Some(())) => finish(&app, id, &session).await,
        Ok(None) if session.simulated => {
            eprintln!("The demo is over; its data is gone. `chorus demo` begins anew.");
            Ok(Exit::Parked)
        }
        Ok(None) => Ok(parked(&app, id)),
        Err(error) => Err(error.context(resume_hint(&app, id))),
    };
    app.close().await;
    exit
}

/// Loses a worker of the pool while it holds a call, and hires another; returns only when that fails.
async fn mishap(
    app: &App,
    services: &mut Services,
    pool: Option<&Pool>,
    notes: &Sender<String>,
) -> anyhow::Error {
    let Some(pool) = pool else {
        return pending().await;
    };
    loop {
        let open = match app.ports.deliveries.outstanding().await {
            Ok(open) => open,
            Err(error) => return error.into(),
        };
        let pool_of = |model| app.catalog.model(model).map(|model| &model.pool);
        if open
            .iter()
            .any(|call| call.sent_until.is_some() && pool_of(&call.model) == Some(pool))
            && services.kill_worker(pool)
        {
            services.spawn_worker(app, pool);
            // A watcher that shows nothing more needs no words.
            let _ = notes
                .try_send(format!("the worker of pool {pool} was ended on purpose in the middle of its calls; see what becomes of them"));
            return pending().await;
        }
        app.clock.sleep(Millis(100)).await;
    }
}

/// Follows the project; none when it was parked.
async fn accompany(
    app: &App,
    id: ProjectId,
    session: &Session,
    watcher: &mut Watcher,
) -> anyhow::Result<Option<()>> {
    if !session.fresh {
        watcher.skip_past().await?;
        if matches!(
            watcher.load().await?.project.head.state,
            State::Paused { .. }
        ) {
            tell(app, id, &ClientCommand::Resume).await?;
        }
    }
    loop {
        let pause = tokio::select! {
            biased;
            signal = tokio::signal::ctrl_c() => {
                signal.context("listen for Ctrl-C")?;
                watcher.rest();
                return park(app, id).await;
            }
            pause = watcher.follow() => pause?,
        };
        let answered = match pause {
            Pause::Over => return Ok(Some(())),
            Pause::Questions => questions(app, id, &watcher.load().await?, session).await?,
            Pause::Approval => approval(app, id, &watcher.load().await?, session).await?,
        };
        if !answered {
            return park(app, id).await;
        }
    }
}

/// Asks the open questions; false when nobody can be asked.
async fn questions(
    app: &App,
    id: ProjectId,
    loaded: &Loaded,
    session: &Session,
) -> anyhow::Result<bool> {
    let open = &loaded.project.head.open;
    if !session.options.assume && !ask::possible() {
        eprintln!("\n{} questions wait for you:", open.len());
        for question in open {
            eprintln!("  {}", question.question.text);
        }
        eprintln!(
            "Run again on a terminal to answer them, or with --assume to have assumptions stated."
        );
        return Ok(false);
    }
    let mut answers = BTreeMap::new();
    if !session.options.assume {
        for question in open {
            answers.insert(
                question.question.id.clone(),
                ask::question(&question.question)?,
            );
        }
    }
    tell(
        app,
        id,
        &ClientCommand::Answer {
            answers,
            assume_rest: true,
        },
    )
    .await?;
    wait_until(app, id, |loaded| {
        loaded.project.head.open.is_empty() || loaded.project.head.is_terminal()
    })
    .await?;
    Ok(true)
}

/// Shows the estimate and asks for approval; false when nobody can be asked or the answer is no.
async fn approval(
    app: &App,
    id: ProjectId,
    loaded: &Loaded,
    session: &Session,
) -> anyhow::Result<bool> {
    eprintln!("\n{}", estimate::of(app, loaded).await?);
    let approved = session.options.yes || (ask::possible() && ask::yes("Go on?")?);
    if !approved {
        if !ask::possible() {
            eprintln!("Nobody can be asked here: give --yes to approve the estimate.");
        }
        return Ok(false);
    }
    tell(app, id, &ClientCommand::Approve).await?;
    wait_until(app, id, |loaded| {
        !matches!(loaded.project.head.state, State::WaitingApproval)
    })
    .await?;
    Ok(true)
}

/// Waits until the project's row shows what a command asked for.
async fn wait_until(
    app: &App,
    id: ProjectId,
    holds: impl Fn(&Loaded) -> bool + Send,
) -> anyhow::Result<()> {
    loop {
        let loaded = app
            .ports
            .projects
            .load(id)
            .await?
            .context("the project is gone")?;
        if holds(&loaded) {
            return Ok(());
        }
        app.clock.sleep(Millis(20)).await;
    }
}

/// Pauses the project, so that nothing starts before it is resumed.
async fn park(app: &App, id: ProjectId) -> anyhow::Result<Option<()>> {
    eprintln!("\nParking the project; calls under way are handed back …");
    tell(app, id, &ClientCommand::Pause).await?;
    wait_until(app, id, |loaded| {
        let head = &loaded.project.head;
        head.is_terminal()
            || matches!(
                head.state,
                State::Paused { .. } | State::WaitingApproval | State::WaitingClient { .. }
            )
    })
    .await?;
    Ok(None)
}

fn parked(app: &App, id: ProjectId) -> Exit {
    eprintln!("{}", resume_hint(app, id));
    Exit::Parked
}

/// The command that goes on with a project.
fn resume_hint(app: &App, id: ProjectId) -> String {
    format!(
        "nothing is lost; go on with: chorus resume {id}{}",
        app.config.flags
    )
}

/// Starts the services just long enough for a command to be folded.
pub(super) async fn resolve(app: &App, id: ProjectId) -> anyhow::Result<()> {
    let services = Services::start(app, &ServiceSet::all(app.catalog.pools()));
    let resolved = wait_until(app, id, |loaded| loaded.project.head.is_terminal()).await;
    services.stop().await;
    resolved
}

/// Writes deliverable and report, and says where they are.
async fn finish(app: &App, id: ProjectId, session: &Session) -> anyhow::Result<Exit> {
    let story = story(app, id, session.simulated).await?;
    let out = &session.options.out;
    let failed = || resume_hint(app, id);
    if let Some(deliverable) = &story.deliverable {
        deliver::files(&*app.ports.artifacts, deliverable, out)
            .await
            .with_context(failed)?;
    }
    let report = report::build(&story);
    deliver::report(&report, out).with_context(failed)?;
    say(&report, out);
    Ok(match story.project.head.state {
        State::Done { .. } => Exit::Done,
        State::Partial { .. } => Exit::Partial,
        _ => Exit::Failed,
    })
}

/// Says what came of a project and where it lies.
pub(crate) fn say(report: &report::Report, out: &Path) {
    let totals = &report.totals;
    println!("{}: {}", report.title, report.state.replace('_', " "));
    for file in &report.files {
        println!(
            "  {}  ({} bytes)",
            out.join(&file.path).display(),
            file.bytes
        );
    }
    println!("  {}", out.join("report.html").display());
    println!(
        "{} tasks in {:.1} s (critical path {:.1} s, calls one after another {:.1} s), {} deliveries, {} rate-limited, {} lost",
        report.tasks.len(),
        seconds(totals.makespan_ms),
        seconds(totals.critical_path_ms),
        seconds(totals.call_ms),
        totals.deliveries,
        totals.limited,
        totals.lost
    );
    for defect in &report.defects {
        println!("  defect: {defect}");
    }
}

fn seconds(millis: u64) -> f64 {
    Millis(millis).as_secs_f64()
}

async fn story(app: &App, id: ProjectId, simulated: bool) -> anyhow::Result<ReportInput> {
    let loaded = app
        .ports
        .projects
        .load(id)
        .await?
        .context("the project is gone")?;
    let deliverable: Option<Deliverable> = match loaded.project.head.deliverable() {
        Some(hash) => Some(artifact(app, hash).await?),
        None => None,
    };
    Ok(ReportInput {
        events: every_event(&*app.ports.projects, id).await?,
        deliveries: app.ports.deliveries.of_project(id).await?,
        money: app.ports.deliveries.money(id).await?.unwrap_or_default(),
        deliverable,
        accounts: app.ports.directory.accounts(&app.tenant).await?,
        limits: app.limit_use(),
        simulated,
        project: loaded.project,
    })
}

async fn artifact<T: DeserializeOwned>(
    app: &App,
    hash: chorus_core::artifact::ArtifactHash,
) -> anyhow::Result<T> {
    let bytes = app
        .ports
        .artifacts
        .get(hash)
        .await?
        .with_context(|| format!("the artifact {hash} is missing"))?;
    serde_json::from_slice(&bytes).with_context(|| format!("the artifact {hash} cannot be read"))
}
