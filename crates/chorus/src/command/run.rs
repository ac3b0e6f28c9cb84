//! `chorus run` and `chorus resume`: a [`Session`] on this machine or at a server.

use std::path::{Path, PathBuf};

use chorus_api::{Approval, SubmissionOptions, dollars};
use chorus_client::{Client, Upload};
use chorus_core::id::{Pool, ProjectId};
use chorus_core::intake::Limits;
use chorus_vault::has_secret;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::project;
use crate::accounts::{import_variables, warn_of_ends};
use crate::app::{App, ServiceSet};
use crate::cli::{ResumeArgs, RunArgs, RunOptions};
use crate::config::{Config, Dollars, ProcessEnvironment};
use crate::connection::{self, LocalServer};
use crate::deliver::{self, ResultFolder};
use crate::exit::Exit;
use crate::failure::{Advice, ErrorCode, Failure};
use crate::input;
use crate::session::{self, Session};
use crate::stop::Stop;

/// Maximum number of notes that wait to be shown.
const NOTES: usize = 16;

/// Message at the first Ctrl-C.
const PARKING: &str = "parking the project; a second Ctrl-C exits at once and leaves it as it is";

/// Project that a command follows.
pub(super) enum Target {
    /// A brief that is to be submitted, for [`run`].
    New(Upload),
    /// A project that was submitted before, for [`resume`].
    Existing(ProjectId),
}

/// A project on this machine, with everything that follows it.
pub(super) struct LocalRun<'a> {
    pub(super) target: Target,
    pub(super) options: &'a RunOptions,
    /// Pool that loses a worker on purpose, as the demo shows.
    pub(super) unlucky_pool: Option<Pool>,
}

/// `chorus run`
pub(crate) async fn run(config: Config, args: RunArgs) -> anyhow::Result<Exit> {
    let mut upload = read_input(&config, &args.brief, (&args.attach, &args.exclude))?;
    upload.options = submission_options(&args.options, args.budget);
    let target = Target::New(upload);
    let folder = ResultFolder::new(args.options.out.as_deref());
    if let Some(client) = connection::remote(&args.server)? {
        deliver::try_folder(folder.known())?;
        return at_server(&client, target, &args.options).await;
    }
    let app = super::build(config).await?;
    let refused = import_variables(app.importer(&app.tenant, true), &ProcessEnvironment).await?;
    warn_of_ends(&app).await?;
    let accounts = app.ports.directory.accounts(&app.tenant).await?;
    if accounts.is_empty() {
        app.close().await;
        let mut message = "no account yet".to_owned();
        for refusal in refused {
            message = format!("{message}; {refusal}");
        }
        return Err(Failure::new(ErrorCode::NoAccount, message).into());
    }
    if let Err(error) = deliver::try_folder(folder.known()) {
        app.close().await;
        return Err(error);
    }
    let run = LocalRun {
        target,
        options: &args.options,
        unlucky_pool: None,
    };
    here(app, run).await
}

/// `chorus resume`
pub(crate) async fn resume(config: Config, args: ResumeArgs) -> anyhow::Result<Exit> {
    let target = Target::Existing(project::parse_id(&args.id)?);
    deliver::try_folder(ResultFolder::new(args.options.out.as_deref()).known())?;
    if let Some(client) = connection::remote(&args.server)? {
        return at_server(&client, target, &args.options).await;
    }
    let app = super::build(config).await?;
    import_variables(app.importer(&app.tenant, true), &ProcessEnvironment).await?;
    let run = LocalRun {
        target,
        options: &args.options,
        unlucky_pool: None,
    };
    here(app, run).await
}

/// Brief and attachments without what `exclude` names, read and checked by [`input`] before anything is opened. Prints
/// what is attached and what is left out.
pub(super) fn read_input(
    config: &Config,
    brief: &Path,
    (attach, exclude): (&[PathBuf], &[String]),
) -> anyhow::Result<Upload> {
    let limits = Limits {
        brief_bytes: config.project.max_brief_bytes,
        attachment_bytes: config.project.max_attachment_bytes,
        ..Limits::default()
    };
    let brief = input::brief(brief, &limits)?;
    let taken = input::documents(attach, exclude, &limits)?;
    if !attach.is_empty() {
        eprintln!("{taken}");
    }
    warn_of_keys(&brief, &taken.documents);
    Ok(Upload {
        brief,
        attachments: taken
            .documents
            .into_iter()
            .map(|document| (document.name, document.text))
            .collect(),
        options: SubmissionOptions::default(),
    })
}

/// Warns of texts that hold what looks like a key, without repeating it: models and reports would see it.
fn warn_of_keys(brief: &str, documents: &[input::Document]) {
    /// Maximum number of texts that are named.
    const MAX_NAMED: usize = 10;
    let texts = documents.iter().map(|document| {
        (
            format!("the attachment {:?}", document.name),
            document.text.as_str(),
        )
    });
    let found = std::iter::once(("the brief".to_owned(), brief))
        .chain(texts)
        .filter_map(|(name, text)| {
            let line = text.lines().position(has_secret)?;
            Some(format!("{name}, line {}", line + 1))
        });
    for place in found.take(MAX_NAMED) {
        eprintln!(
            "warning: {place}: this looks like an API key; models would see it, so take it out"
        );
    }
}

/// Options of a submission as the command line gives them.
pub(super) fn submission_options(
    options: &RunOptions,
    budget: Option<Dollars>,
) -> SubmissionOptions {
    SubmissionOptions {
        title: None,
        budget_usd: budget.map(|Dollars(amount)| dollars(amount)),
        assume: options.assume,
        approve: if options.yes {
            Approval::Auto
        } else {
            Approval::Ask
        },
    }
}

async fn at_server(client: &Client, target: Target, options: &RunOptions) -> anyhow::Result<Exit> {
    let stop = Stop::listen(PARKING)?;
    let session = Session {
        client,
        options,
        stop: &stop,
        flags: format!(" --server {}", client.servers()),
        is_demo: false,
    };
    let (_sender, notes) = channel(NOTES);
    match target {
        Target::New(upload) => match session::submit(client, &upload, &stop).await? {
            Some(id) => session.follow(id, notes).await,
            None => Ok(Exit::Interrupted),
        },
        Target::Existing(id) => session.resume(id, notes).await,
    }
}

/// Starts all services, follows the project in a [`Session`] until it ends or is parked, and stops the services.
pub(super) async fn here(app: App, run: LocalRun<'_>) -> anyhow::Result<Exit> {
    let stop = Stop::listen(PARKING)?;
    let (flags, is_demo) = (app.config.flags.clone(), app.config.is_demo);
    let services = ServiceSet::all(app.catalog.pools());
    let mut server = LocalServer::start(app, &services);
    let client = server.client();
    let session = Session {
        client: &client,
        options: run.options,
        stop: &stop,
        flags,
        is_demo,
    };
    let (sender, notes) = channel(NOTES);
    let outcome = match submitted(&server, &session, run.target).await {
        Ok(Some((id, is_new))) => {
            let follow = follow(&session, (id, is_new), notes);
            supervise(&mut server, run.unlucky_pool.as_ref(), &sender, follow)
                .await
                .map_err(|error| advised(error, &session, id))
        }
        Ok(None) => Ok(Exit::Interrupted),
        Err(error) => Err(error),
    };
    let is_writable = !matches!(&outcome, Err(error) if is_store_failure(error));
    server.stop(is_writable).await;
    outcome
}

/// Id of the project, and whether this command submitted it; none if Ctrl-C came first.
async fn submitted(
    server: &LocalServer,
    session: &Session<'_>,
    target: Target,
) -> anyhow::Result<Option<(ProjectId, bool)>> {
    match target {
        Target::Existing(id) => Ok(Some((id, false))),
        Target::New(upload) => {
            let id = tokio::select! {
                biased;
                id = session::submit(session.client, &upload, session.stop) => id?,
                error = server.failed() => return Err(error),
            };
            Ok(id.map(|id| (id, true)))
        }
    }
}

async fn follow(
    session: &Session<'_>,
    (id, is_new): (ProjectId, bool),
    notes: Receiver<String>,
) -> anyhow::Result<Exit> {
    if is_new {
        session.follow(id, notes).await
    } else {
        session.resume(id, notes).await
    }
}

/// Ends with the session, or with the first failure of this process.
async fn supervise(
    server: &mut LocalServer,
    unlucky_pool: Option<&Pool>,
    notes: &Sender<String>,
    session: impl Future<Output = anyhow::Result<Exit>>,
) -> anyhow::Result<Exit> {
    tokio::select! {
        biased;
        exit = session => exit,
        error = server.failed_after_losing(unlucky_pool, notes) => Err(error),
    }
}

/// Adds the command that continues the project to a failure of this process; the session adds it to its own.
fn advised(error: anyhow::Error, session: &Session<'_>, id: ProjectId) -> anyhow::Error {
    if is_store_failure(&error) && !error.is::<Advice>() {
        error.context(Advice(session.hint(id)))
    } else {
        error
    }
}

fn is_store_failure(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<Failure>()
        .is_some_and(|failure| failure.is(ErrorCode::StoreFailed))
}
