//! A project followed to its end: shows events, asks what it asks, parks it on Ctrl-C, and takes the deliverable.
//!
//! The session speaks to a gateway through [`Client`] only, so `chorus run` on this machine and `chorus run --server`
//! are the same code. Neighbours: [`view`] shows what happens, [`prompt`](crate::prompt) asks,
//! [`deliver`](crate::deliver) writes files.

mod decide;
mod finish;
mod history;

use anyhow::Context as _;
use chorus_api::{AttentionResource, ProjectResource};
use chorus_client::{Client, ClientError, Event, EventStream, Upload};
use chorus_core::id::{ProjectId, Seq};
use chorus_core::project::HistoryEvent;
use chorus_core::time::{Millis, Timestamp};
use tokio::sync::mpsc::Receiver;

use crate::attention;
use crate::cli::RunOptions;
use crate::config::ProcessEnvironment;
use crate::exit::Exit;
use crate::failure::Advice;
use crate::prompt;
use crate::stop::Stop;
use crate::view::{self, View};

use history::History;

/// Time after which a submission without an answer is given up.
const SUBMIT_LIMIT: Millis = Millis::from_secs(60);

/// Time after which an unanswered request to pause is given up.
const PAUSE_LIMIT: Millis = Millis::from_secs(10);

/// Time after which a run without a terminal no longer waits for a condition to end.
const ATTENTION_LIMIT: Millis = Millis::from_secs(300);

/// Maximum age of the state on the screen while events arrive.
const REFRESH: Millis = Millis(500);

/// Maximum age of the state on the screen while nothing arrives.
const QUIET_REFRESH: Millis = Millis::from_secs(2);

/// A project to be followed by one person.
pub(crate) struct Session<'a> {
    pub(crate) client: &'a Client,
    pub(crate) options: &'a RunOptions,
    /// First Ctrl-C or SIGTERM.
    pub(crate) stop: &'a Stop,
    /// Flags that `chorus resume ID` needs to find the project again, each with a space before it.
    pub(crate) flags: String,
    /// True if the data is gone after the command, so that resuming is impossible.
    pub(crate) is_demo: bool,
}

/// Submits a project. It is durable when this returns; none if Ctrl-C came first.
pub(crate) async fn submit(
    client: &Client,
    upload: &Upload,
    stop: &Stop,
) -> anyhow::Result<Option<ProjectId>> {
    let client = client.retry_for(SUBMIT_LIMIT);
    tokio::select! {
        biased;
        () = stop.requested() => Ok(None),
        project = client.submit(upload) => {
            let id = project?.id;
            eprintln!("{id} is accepted");
            Ok(Some(id))
        }
    }
}

impl Session<'_> {
    /// Follows a project that was just submitted.
    pub(crate) async fn follow(
        &self,
        id: ProjectId,
        notes: Receiver<String>,
    ) -> anyhow::Result<Exit> {
        self.run(id, (Seq(0), true), notes)
            .await
            .context(Advice(self.hint(id)))
    }

    /// Continues a project: resumes it if it is paused, and follows it from the present.
    pub(crate) async fn resume(
        &self,
        id: ProjectId,
        notes: Receiver<String>,
    ) -> anyhow::Result<Exit> {
        let project = self.client.get(id).await?;
        if project.state == "paused" {
            self.client.resume(id).await?;
            self.client
                .wait_until(id, |project| project.state != "paused")
                .await?;
        }
        let present = Seq(project.last_event);
        self.run(id, (present, false), notes)
            .await
            .context(Advice(self.hint(id)))
    }

    /// Command that continues the project.
    pub(crate) fn hint(&self, id: ProjectId) -> String {
        if self.is_demo {
            return "the data of a demo is gone; `chorus demo` begins anew".to_owned();
        }
        format!(
            "nothing is lost; go on with: chorus resume {id}{}",
            self.flags
        )
    }

    async fn run(
        &self,
        id: ProjectId,
        (after, is_new): (Seq, bool),
        notes: Receiver<String>,
    ) -> anyhow::Result<Exit> {
        let folder = finish::prepare(self.client, id, self.options).await?;
        let mut follower = Follower {
            session: self,
            id,
            events: self.client.events(id, after),
            view: view::new(&ProcessEnvironment),
            history: History::new(is_new),
            is_estimate_shown: !is_new,
            notes,
            shown: None,
        };
        let ended = tokio::select! {
            biased;
            () = self.stop.requested() => {
                follower.view.clear();
                self.park(id).await?;
                false
            }
            ended = follower.follow() => {
                follower.view.clear();
                ended?
            }
        };
        if ended {
            return finish::finish(self.client, id, (&folder, &self.options.force)).await;
        }
        eprintln!("{}", self.hint(id));
        Ok(Exit::Parked)
    }

    /// Pauses the project, so that no call starts before it is resumed.
    async fn park(&self, id: ProjectId) -> anyhow::Result<()> {
        let client = self.client.retry_for(PAUSE_LIMIT);
        match client.pause(id).await {
            Ok(_) => {}
            // Paused already, or in a final state.
            Err(error) if error.code() == Some("wrong_state") => return Ok(()),
            Err(error) => return Err(error).context("the project was not parked and may go on"),
        }
        let parked = client.wait_until(id, |project| {
            matches!(
                project.state.as_str(),
                "paused" | "waiting_approval" | "waiting_client" | "needs_attention"
            )
        });
        let clock = client.clock();
        match clock.deadline(clock.now() + PAUSE_LIMIT, parked).await {
            Some(parked) => {
                let _ = parked?;
                eprintln!("{id} is parked");
            }
            None => eprintln!("{id} will be parked as soon as an orchestrator reads the request"),
        }
        Ok(())
    }
}

/// A project under way and the [`View`] that shows it.
struct Follower<'a> {
    session: &'a Session<'a>,
    id: ProjectId,
    events: EventStream,
    view: Box<dyn View>,
    history: History,
    is_estimate_shown: bool,
    notes: Receiver<String>,
    /// Attention that was shown last, by its code and time.
    shown: Option<(String, Timestamp)>,
}

impl Follower<'_> {
    /// Returns true at the end of the project; false if it needs an answer that was not given.
    async fn follow(&mut self) -> anyhow::Result<bool> {
        let session = self.session;
        loop {
            let project = session.client.get(self.id).await?;
            let now = session.client.clock().now();
            for delivery in self.history.failures(session.client, self.id).await? {
                self.view.failure(&delivery, now);
            }
            self.view.state(&project, now);
            if project.is_terminal {
                self.show_rest().await?;
                return Ok(true);
            }
            self.estimate(&project).await?;
            let is_answered = if project.state == "waiting_approval" {
                self.view.clear();
                decide::approval(session, &project).await?
            } else if let Some(attention) = self.unanswered(&project) {
                self.view.clear();
                if attention.continues_when.is_some() && self.may_continue(&attention) {
                    self.note_attention(&attention);
                    self.watch().await?;
                    true
                } else {
                    decide::attention(session, &project, &attention).await?
                }
            } else if project.questions.is_empty() || project.state == "paused" {
                self.watch().await?;
                true
            } else {
                self.view.clear();
                decide::questions(session, &project).await?
            };
            if !is_answered {
                return Ok(false);
            }
        }
    }

    /// Attention of a project that is not paused.
    fn unanswered(&self, project: &ProjectResource) -> Option<AttentionResource> {
        let attention = project.attention.clone()?;
        (project.state == "needs_attention").then_some(attention)
    }

    /// Returns true while it is worth waiting for the condition on which the project goes on by itself: on a
    /// terminal always, else for a while.
    fn may_continue(&self, attention: &AttentionResource) -> bool {
        let now = self.session.client.clock().now();
        prompt::is_possible() || now.since(attention.since_ms) < ATTENTION_LIMIT
    }

    /// Shows an attention once.
    fn note_attention(&mut self, attention: &AttentionResource) {
        let shown = Some((attention.code.clone(), attention.since_ms));
        if self.shown != shown {
            self.view
                .note(&attention::text(attention, &self.session.flags));
            self.shown = shown;
        }
    }

    /// Shows the estimate of a plan that was approved beforehand, once.
    async fn estimate(&mut self, project: &ProjectResource) -> Result<(), ClientError> {
        let is_wanted = self.session.options.yes && !self.is_estimate_shown;
        if !is_wanted || !matches!(project.state.as_str(), "running" | "merging") {
            return Ok(());
        }
        self.is_estimate_shown = true;
        if let Some(estimate) = self.session.client.estimate(self.id).await? {
            for line in estimate.to_string().lines() {
                self.view.note(line);
            }
        }
        Ok(())
    }

    /// Shows events until the project should be read again.
    async fn watch(&mut self) -> Result<(), ClientError> {
        let clock = self.session.client.clock().clone();
        let began = clock.now();
        let mut refresh_at = began + QUIET_REFRESH;
        loop {
            let refresh = clock.sleep_until(refresh_at);
            tokio::select! {
                biased;
                event = self.events.next() => {
                    if self.show(&event?) {
                        return Ok(());
                    }
                }
                Some(note) = self.notes.recv() => self.view.note(&note),
                () = refresh => return Ok(()),
            }
            refresh_at = refresh_at.min(clock.now() + REFRESH);
        }
    }

    /// Shows one event. Returns true if the project may need an answer, or has ended.
    fn show(&mut self, event: &Event) -> bool {
        match event {
            Event::History(stored) => {
                self.view.event(stored);
                matches!(
                    stored.event,
                    HistoryEvent::QuestionsAsked { .. }
                        | HistoryEvent::ApprovalAsked
                        | HistoryEvent::NeedsAttention { .. }
                )
            }
            Event::Progress(event) => {
                let account = event
                    .account_name
                    .clone()
                    .unwrap_or_else(|| event.progress.account.to_string());
                self.view.progress(&event.progress, &account);
                false
            }
            Event::End(_) => true,
        }
    }

    /// Shows the events that are left of a project in a final state.
    async fn show_rest(&mut self) -> Result<(), ClientError> {
        loop {
            let event = self.events.next().await?;
            if matches!(event, Event::End(_)) {
                return Ok(());
            }
            self.show(&event);
        }
    }
}
