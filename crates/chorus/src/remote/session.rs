//! Goes with a project on a server until it is over, or its client leaves.

use std::collections::BTreeMap;

use anyhow::Context;
use chorus_api::{Answers, Approval, Document, ProjectResource, QuestionResource, Submission};
use chorus_core::brief::Question;
use chorus_core::id::{ProjectId, Seq};
use chorus_core::money::MicroUsd;
use chorus_core::project::HistoryEvent;
use chorus_core::time::{Millis, Timestamp};
use serde::Serialize;

use super::api::{Api, Call};
use super::feed::{Feed, News};
use super::fetch;
use super::standing::{dollars, micros};
use crate::ask;
use crate::cli::RunOptions;
use crate::command;
use crate::exit::Exit;
use crate::input::Document as Read;
use crate::watch::{self, Phase, Tally, View};

/// How long a server may be away before a project that is not handed in yet is given up.
const PATIENCE: Millis = Millis::from_secs(60);

/// How old the standing that is shown may grow while events come.
const STANDING: Millis = Millis(500);

/// How often the server is asked whether a command shows its effect.
const POLL: Millis = Millis(100);

/// A project on a server.
pub(crate) enum Remote {
    /// It is to be handed in.
    New {
        /// The brief.
        text: String,
        /// Its documents.
        documents: Vec<Read>,
        /// Most that may be spent; else what the server says.
        budget: Option<MicroUsd>,
    },
    /// It is there already.
    There(ProjectId),
}

/// Hands the project in if need be, and goes with it.
pub(crate) async fn run(api: &Api, remote: Remote, options: &RunOptions) -> anyhow::Result<Exit> {
    let (id, after) = match remote {
        Remote::New {
            text,
            documents,
            budget,
        } => (
            submit(api, (text, documents), budget, options).await?,
            Seq(0),
        ),
        Remote::There(id) => (id, take_up(api, id).await?),
    };
    let hint = format!(
        "nothing is lost; go on with: chorus resume {id} --server {}",
        api.servers()
    );
    let mut session = Session {
        api,
        id,
        options,
        view: watch::view(),
        tally: Tally::default(),
        feed: Feed::after(api, id, after),
    };
    let left = tokio::select! {
        biased;
        signal = tokio::signal::ctrl_c() => {
            signal.context("listen for Ctrl-C")?;
            eprintln!("\nThe project goes on at the server.");
            true
        }
        over = session.accompany() => !over.with_context(|| hint.clone())?,
    };
    session.view.rest();
    if left {
        eprintln!("{hint}");
        return Ok(Exit::Parked);
    }
    finish(api, id, options).await.context(hint)
}

async fn submit(
    api: &Api,
    (brief, documents): (String, Vec<Read>),
    budget: Option<MicroUsd>,
    options: &RunOptions,
) -> anyhow::Result<ProjectId> {
    let attachments = documents.into_iter().map(|Read { name, text }| Document {
        name,
        text: Some(text),
        base64: None,
    });
    let approve = if options.yes {
        Approval::Auto
    } else {
        Approval::Ask
    };
    let submission = Submission {
        brief,
        attachments: attachments.collect(),
        title: None,
        budget_usd: budget.map(dollars),
        assume: options.assume,
        approve,
    };
    let call = Call::post("/v1/projects", &submission, &key(api));
    let reply = api.ask(&call, Some(api.clock.now() + PATIENCE)).await?;
    let project: ProjectResource =
        serde_json::from_slice(&reply).context("read the server's answer to the submission")?;
    eprintln!("{} is accepted by {}", project.id, api.servers());
    Ok(project.id)
}

/// A project that is there: what happened is passed over, and a paused one goes on.
async fn take_up(api: &Api, id: ProjectId) -> anyhow::Result<Seq> {
    let project: ProjectResource = api.get(&format!("/v1/projects/{id}")).await?;
    if project.state == "paused" {
        let call = Call::post(
            &format!("/v1/projects/{id}/resume"),
            &serde_json::json!({}),
            &key(api),
        );
        api.ask(&call, None).await?;
    }
    Ok(Seq(project.last_event))
}

/// A key that no other deed has.
fn key(api: &Api) -> String {
    format!("cli-{:032x}", api.clock.random_u128())
}

struct Session<'a> {
    api: &'a Api,
    id: ProjectId,
    options: &'a RunOptions,
    view: Box<dyn View>,
    tally: Tally,
    feed: Feed<'a>,
}

impl Session<'_> {
    /// Whether the project is over; false when a person is needed and nobody can be asked, or says no.
    async fn accompany(&mut self) -> anyhow::Result<bool> {
        loop {
            let project = self.project().await?;
            self.stand(&project);
            let answered = if project.is_terminal {
                self.rest_of_story().await?;
                return Ok(true);
            } else if project.state == "waiting_approval" {
                self.view.rest();
                self.approval(&project).await?
            } else if project.questions.is_empty() {
                self.follow().await?;
                true
            } else {
                self.view.rest();
                self.questions(&project).await?
            };
            if !answered {
                return Ok(false);
            }
        }
    }

    async fn project(&self) -> anyhow::Result<ProjectResource> {
        Ok(self.api.get(&format!("/v1/projects/{}", self.id)).await?)
    }

    fn stand(&mut self, project: &ProjectResource) {
        let (tasks, money) = (project.tasks, project.money);
        self.tally.state.clone_from(&project.state);
        self.tally.under_way = tasks.under_way;
        for (phase, count) in [
            (Phase::Plan, tasks.phases.plan),
            (Phase::Work, tasks.phases.work),
            (Phase::Resolve, tasks.phases.resolve),
            (Phase::Judge, tasks.phases.judge),
        ] {
            self.tally.phases[phase as usize] = (count.ended, count.total);
        }
        self.tally.money.budget = micros(money.budget_usd);
        self.tally.money.spent = micros(money.spent_usd);
        self.tally.money.reserved = micros(money.reserved_usd);
        self.tally.money.wasted = micros(money.wasted_usd);
        self.view.standing(&self.tally);
    }

    /// Tells what happens until the project should be looked at again.
    async fn follow(&mut self) -> anyhow::Result<()> {
        let mut look_at: Option<Timestamp> = None;
        loop {
            let clock = &self.api.clock;
            let news = match look_at {
                None => Some(self.feed.next().await),
                Some(at) => clock.deadline(at, self.feed.next()).await,
            };
            let Some(news) = news else { return Ok(()) };
            if self.tell(&news?) {
                return Ok(());
            }
            if look_at.is_none() {
                look_at = Some(clock.now() + STANDING);
            }
        }
    }

    /// Shows news; whether a person may be needed now.
    fn tell(&mut self, news: &News) -> bool {
        match news {
            News::Event(stored) => {
                self.tally.add(stored);
                self.view.event(stored, &self.tally);
                matches!(
                    stored.event,
                    HistoryEvent::QuestionsAsked { .. } | HistoryEvent::ApprovalAsked
                )
            }
            News::Progress(progress, account) => {
                self.view.progress(progress, account);
                false
            }
            News::End => true,
        }
    }

    /// The project is over: everything up to the end is told.
    async fn rest_of_story(&mut self) -> anyhow::Result<()> {
        loop {
            let news = self.feed.next().await?;
            if matches!(news, News::End) {
                return Ok(());
            }
            self.tell(&news);
        }
    }

    async fn approval(&mut self, project: &ProjectResource) -> anyhow::Result<bool> {
        match &project.estimate {
            Some(estimate) => eprintln!("\n{estimate}"),
            None => {
                eprintln!("\nThe plan waits for approval; the server cannot say what it will take.")
            }
        }
        let approved = self.options.yes || (ask::possible() && ask::yes("Go on?")?);
        if !approved {
            if !ask::possible() {
                eprintln!("Nobody can be asked here: give --yes to approve the estimate.");
            }
            return Ok(false);
        }
        self.command("approve", &serde_json::json!({}), |project| {
            project.state != "waiting_approval"
        })
        .await?;
        Ok(true)
    }

    async fn questions(&mut self, project: &ProjectResource) -> anyhow::Result<bool> {
        let open = &project.questions;
        if !self.options.assume && !ask::possible() {
            eprintln!("\n{} questions wait for you:", open.len());
            for question in open {
                eprintln!("  {}", question.text);
            }
            eprintln!(
                "Run again on a terminal to answer them, or with --assume to have assumptions stated."
            );
            return Ok(false);
        }
        let mut answers = BTreeMap::new();
        if !self.options.assume {
            for QuestionResource {
                id,
                text,
                why,
                options,
                default,
                ..
            } in open.clone()
            {
                answers.insert(
                    id.clone(),
                    ask::question(&Question {
                        id,
                        text,
                        why,
                        options,
                        default,
                    })?,
                );
            }
        }
        let asked: Vec<String> = open.iter().map(|question| question.id.clone()).collect();
        let gone = |project: &ProjectResource| {
            !project
                .questions
                .iter()
                .any(|open| asked.contains(&open.id))
        };
        self.command(
            "answers",
            &Answers {
                answers,
                assume_rest: true,
            },
            gone,
        )
        .await?;
        Ok(true)
    }

    /// Tells the project something and waits until it shows.
    async fn command(
        &self,
        verb: &str,
        body: &impl Serialize,
        shows: impl Fn(&ProjectResource) -> bool,
    ) -> anyhow::Result<()> {
        let call = Call::post(
            &format!("/v1/projects/{}/{verb}", self.id),
            body,
            &key(self.api),
        );
        self.api.ask(&call, None).await?;
        loop {
            let project = self.project().await?;
            if project.is_terminal || shows(&project) {
                return Ok(());
            }
            self.api.clock.sleep(POLL).await;
        }
    }
}

/// Takes deliverable and report, and says where they are.
async fn finish(api: &Api, id: ProjectId, options: &RunOptions) -> anyhow::Result<Exit> {
    fetch::deliverable(api, id, &options.out).await?;
    let report = fetch::report(api, id).await?;
    crate::deliver::report(&report, &options.out)?;
    command::say(&report, &options.out);
    Ok(match report.state.as_str() {
        "done" => Exit::Done,
        "partial" => Exit::Partial,
        _ => Exit::Failed,
    })
}
