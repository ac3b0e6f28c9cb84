//! Follows one project: tells what happens as it happens, and returns when a person is needed or it is over.
//!
//! Facts come from the event table, which replays from any place; running calls are told by lossy progress
//! records on the event topic. Neighbours: `bars` draws for terminals, `lines` for files and pipes.

mod bars;
mod lines;
mod phase;

use std::collections::BTreeMap;
use std::io::IsTerminal;

use anyhow::Context;
use chorus_core::id::{AccountId, ProjectId, Seq};
use chorus_core::port::Ports;
use chorus_core::port::bus::{Incoming, Subscription, Topic};
use chorus_core::port::projects::{Loaded, StoredEvent};
use chorus_core::progress::{self, Progress};
use chorus_core::project::State;
use chorus_core::record;
use chorus_core::time::Millis;
use futures_util::future::{Either, select};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use bars::Bars;
use lines::Lines;

pub(crate) use phase::{Phase, Tally};

/// How long nothing may come before rows are looked at again.
const PATIENCE: Millis = Millis(400);

/// Events read at once.
const PAGE: u32 = 500;

/// Words that wait to be shown.
const NOTES: usize = 16;

/// Why the watcher returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pause {
    /// Nothing will happen any more.
    Over,
    /// The head has open questions for the client.
    Questions,
    /// The plan waits for approval.
    Approval,
}

/// Bars on a terminal, plain lines elsewhere.
pub(crate) fn view() -> Box<dyn View> {
    if std::io::stderr().is_terminal() {
        Box::new(Bars::new())
    } else {
        Box::new(Lines::new())
    }
}

/// Shows what is told.
pub(crate) trait View: Send {
    /// Something happened.
    fn event(&mut self, event: &StoredEvent, tally: &Tally);

    /// A call is under way.
    fn progress(&mut self, progress: &Progress, account: &str);

    /// Where the project stands.
    fn standing(&mut self, tally: &Tally);

    /// Says something that is no event of the project.
    fn note(&mut self, text: &str);

    /// Leaves the terminal as it was, for questions or for good.
    fn rest(&mut self);
}

/// Follows one project.
pub(crate) struct Watcher {
    ports: Ports,
    project: ProjectId,
    accounts: BTreeMap<AccountId, String>,
    view: Box<dyn View>,
    news: Box<dyn Subscription>,
    notes: (Sender<String>, Receiver<String>),
    seen: Seq,
    tally: Tally,
}

impl Watcher {
    /// A watcher that begins at the project's first event: bars on a terminal, plain lines elsewhere.
    pub(crate) async fn new(
        ports: Ports,
        project: ProjectId,
        accounts: BTreeMap<AccountId, String>,
    ) -> anyhow::Result<Self> {
        let news = ports.bus.tail(vec![Topic::Event]).await?;
        Ok(Self {
            ports,
            project,
            accounts,
            view: view(),
            news,
            notes: channel(NOTES),
            seen: Seq(0),
            tally: Tally::default(),
        })
    }

    /// Takes words to be shown that are no event of the project.
    pub(crate) fn notes(&self) -> Sender<String> {
        self.notes.0.clone()
    }

    /// Passes over what happened before, so that a resumed project does not tell its old story again.
    pub(crate) async fn skip_past(&mut self) -> anyhow::Result<()> {
        while self.catch_up(false).await? {}
        Ok(())
    }

    /// Tells what happens until a person is needed or the project is over.
    pub(crate) async fn follow(&mut self) -> anyhow::Result<Pause> {
        loop {
            while self.catch_up(true).await? {}
            while let Ok(note) = self.notes.1.try_recv() {
                self.view.note(&note);
            }
            let loaded = self.load().await?;
            self.stand(&loaded).await?;
            if let Some(pause) = pause_of(&loaded) {
                self.view.rest();
                return Ok(pause);
            }
            self.listen().await;
        }
    }

    /// Leaves the terminal as it was.
    pub(crate) fn rest(&mut self) {
        self.view.rest();
    }

    /// The project as it is now.
    pub(crate) async fn load(&self) -> anyhow::Result<Loaded> {
        self.ports
            .projects
            .load(self.project)
            .await?
            .with_context(|| format!("there is no project {}", self.project))
    }

    /// Reads the next page of events; whether there may be more.
    async fn catch_up(&mut self, tell: bool) -> anyhow::Result<bool> {
        let events = self
            .ports
            .projects
            .events(self.project, self.seen, PAGE)
            .await?;
        for event in &events {
            self.tally.add(event);
            self.seen = event.seq;
            if tell {
                self.view.event(event, &self.tally);
            }
        }
        Ok(events.len() == PAGE as usize)
    }

    async fn stand(&mut self, loaded: &Loaded) -> anyhow::Result<()> {
        let money = self
            .ports
            .deliveries
            .money(self.project)
            .await?
            .unwrap_or_default();
        self.tally.stand(&loaded.project, money);
        self.view.standing(&self.tally);
        Ok(())
    }

    /// Shows progress until something happened or patience ends.
    async fn listen(&mut self) {
        let until = self.ports.clock.now() + PATIENCE;
        loop {
            let next = self.news.next();
            let Either::Left((incoming, _)) =
                select(next, self.ports.clock.sleep_until(until)).await
            else {
                return;
            };
            match incoming {
                Ok(Incoming::Record { record, .. })
                    if record.header("chorus-schema") == Some(progress::SCHEMA) =>
                {
                    if let Ok(progress) = record::read::<Progress>(&record, progress::SCHEMA)
                        && progress.project == self.project
                    {
                        let account = self
                            .accounts
                            .get(&progress.account)
                            .cloned()
                            .unwrap_or_else(|| progress.account.to_string());
                        self.view.progress(&progress, &account);
                    }
                }
                Ok(Incoming::Record { record, .. }) if record.key == self.project.to_string() => {
                    return;
                }
                Ok(_) => {}
                Err(_) => return self.ports.clock.sleep_until(until).await,
            }
        }
    }
}

/// Whether and why a person is needed.
fn pause_of(loaded: &Loaded) -> Option<Pause> {
    let head = &loaded.project.head;
    match &head.state {
        _ if head.is_terminal() => Some(Pause::Over),
        State::WaitingApproval => Some(Pause::Approval),
        _ if !head.open.is_empty() => Some(Pause::Questions),
        _ => None,
    }
}
