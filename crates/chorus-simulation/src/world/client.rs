//! Clients of a simulation: they submit projects, and some of them pause, resume or cancel.
//!
//! A client retries until a call succeeds, so a submitted project is an accepted one. It only reads
//! through ports, and approves plans when its project waits for approval.

use bytes::Bytes;
use chorus_core::artifact::ArtifactHash;
use chorus_core::brief::{Attachment, Brief, Options};
use chorus_core::id::{EventId, ProjectId};
use chorus_core::money::MicroUsd;
use chorus_core::port::projects::NewProject;
use chorus_core::port::{Ports, relay, retry};
use chorus_core::project::{Attention, ClientCommand, Head, NewHead, State};
use chorus_core::record;
use chorus_core::time::{Millis, Timestamp};
use fastrand::Rng;

use super::fixture::tenant;
use crate::brief::{self, GeneratedBrief, Shape};
use crate::chance::{self, permille};

/// Actions of one client.
#[derive(Debug, Clone)]
pub struct ClientScript {
    /// Id of the project, chosen by the client.
    pub project: ProjectId,
    /// Brief and attachments.
    pub generated: GeneratedBrief,
    /// Options of the brief.
    pub options: Options,
    /// Maximum cost of the project.
    pub budget: MicroUsd,
    /// Time of submission.
    pub at: Timestamp,
    /// Commands with their times after submission.
    pub commands: Vec<(Millis, ClientCommand)>,
}

impl ClientScript {
    /// Draws the scripts of a seed. Without `fickle`, clients send no commands but approvals.
    pub fn from_seed(seed: u64, start: Timestamp, fickle: bool) -> Vec<Self> {
        let mut chance = chance::stream(seed, "wishes");
        (0..chance.u32(1..4))
            .map(|_| Self::one(&mut chance, start, fickle))
            .collect()
    }

    fn one(chance: &mut Rng, start: Timestamp, fickle: bool) -> Self {
        let shape = Shape {
            chapters: chance.usize(1..5),
            contradiction: chance.bool(),
        };
        let generated = brief::write(shape, chance);
        let project = ProjectId::new(chance.u128(..));
        let approve = permille(chance, 200);
        let budget = if permille(chance, 100) {
            MicroUsd(chance.i64(1_000..40_000))
        } else {
            MicroUsd::from_dollars(5)
        };
        let at = start + Millis(chance.u64(0..30_000));
        let commands = changes_of_mind(chance);
        Self {
            project,
            generated,
            options: Options {
                assume: true,
                approve,
            },
            budget,
            at,
            commands: if fickle { commands } else { Vec::new() },
        }
    }
}

fn changes_of_mind(chance: &mut Rng) -> Vec<(Millis, ClientCommand)> {
    let mut commands = Vec::new();
    if permille(chance, 300) {
        let at = Millis(chance.u64(500..120_000));
        let paused = Some(Timestamp(0) + at);
        commands.push((at, ClientCommand::Pause { at: paused }));
        let later = at + Millis(chance.u64(100..90_000));
        let resumed = Some(Timestamp(0) + later);
        commands.push((later, ClientCommand::Resume { at: resumed }));
    }
    if permille(chance, 150) {
        commands.push((Millis(chance.u64(500..150_000)), ClientCommand::Cancel));
    }
    commands.sort_by_key(|(at, _)| *at);
    commands
}

/// Submits the project and follows it to its end.
pub(super) async fn run(ports: Ports, script: ClientScript) {
    ports.clock.sleep_until(script.at).await;
    submit_project(&ports, &script).await;
    let mut commands = script.commands.iter().peekable();
    loop {
        ports.clock.sleep(Millis(1_000)).await;
        while let Some((_, command)) =
            commands.next_if(|(after, _)| script.at + *after <= ports.clock.now())
        {
            send_command(&ports, script.project, command).await;
        }
        match ports.projects.load(script.project).await {
            Ok(Some(loaded)) if loaded.project.head.is_terminal() => return,
            Ok(Some(loaded)) => {
                if let Some(command) = way_out(&loaded.project.head) {
                    send_command(&ports, script.project, &command).await;
                }
            }
            Ok(None) | Err(_) => {}
        }
    }
}

/// The command that a project waits for; none while it goes on by itself.
fn way_out(head: &Head) -> Option<ClientCommand> {
    if let State::WaitingApproval = head.state {
        let plan = head.plan.map(|plan| plan.hash);
        return Some(ClientCommand::Approve { plan });
    }
    let State::NeedsAttention { why, .. } = &head.state else {
        return None;
    };
    match why {
        Attention::NoPlan { offer, .. } => Some(match offer {
            Some(offer) => ClientCommand::Approve {
                plan: Some(offer.plan),
            },
            None => ClientCommand::Retry { task: None },
        }),
        Attention::ClarificationFailed { .. }
        | Attention::Budget { .. }
        | Attention::JudgeUnread { .. } => Some(ClientCommand::Skip { task: None }),
        Attention::ArtifactMissing { .. } | Attention::NoAccount { .. } => {
            Some(ClientCommand::Retry { task: None })
        }
        // A client that sees no result at all gives up.
        Attention::NoResult { .. } => Some(ClientCommand::Cancel),
        Attention::ProviderAway { .. } | Attention::Waiting { .. } => None,
    }
}

async fn submit_project(ports: &Ports, script: &ClientScript) {
    let mut attachments = Vec::new();
    for (name, text) in &script.generated.documents {
        let hash = put_artifact(ports, Bytes::from(text.clone())).await;
        attachments.push(Attachment {
            name: name.clone(),
            text: hash,
            bytes: text.len() as u64,
        });
    }
    let brief = Brief {
        version: 1,
        text: script.generated.text.clone(),
        attachments,
        options: script.options,
    };
    let json = serde_json::to_vec(&brief).expect("a brief is plain text and numbers");
    let brief = put_artifact(ports, Bytes::from(json)).await;
    let record = record::command(
        event(ports),
        &tenant(),
        script.project,
        &ClientCommand::Submit { brief },
    );
    let head = Head::new(NewHead {
        id: script.project,
        tenant: tenant(),
        title: "A study guide".to_owned(),
        created_at: script.at,
        brief,
        options: script.options,
    });
    let new = NewProject {
        id: script.project,
        tenant: tenant(),
        idempotency_key: script.project.to_string(),
        body: brief,
        budget: script.budget,
        head,
        record: record.clone(),
    };
    retry::until_ok(&*ports.clock, "submit a project", || {
        ports.projects.submit(new.clone())
    })
    .await;
    relay::publish_committed(&*ports.bus, &*ports.outbox, &*ports.clock, vec![record]).await;
}

async fn send_command(ports: &Ports, project: ProjectId, command: &ClientCommand) {
    let record = record::command(event(ports), &tenant(), project, command);
    let tenant = &tenant();
    retry::until_ok(&*ports.clock, "send a command", || {
        ports.projects.command(tenant, project, record.clone())
    })
    .await;
    relay::publish_committed(&*ports.bus, &*ports.outbox, &*ports.clock, vec![record]).await;
}

async fn put_artifact(ports: &Ports, bytes: Bytes) -> ArtifactHash {
    retry::until_ok(&*ports.clock, "write an artifact", || {
        ports.artifacts.put(bytes.clone())
    })
    .await
}

fn event(ports: &Ports) -> EventId {
    EventId::new(ports.clock.random_u128())
}
