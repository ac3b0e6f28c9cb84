//! The commands of clients to a project: answers, approve, reject, pause, resume, cancel.
//!
//! A command is committed to the outbox before it is answered with 202; the project's writer carries it out, and its
//! effect shows in the project and its events. The same Idempotency-Key and body are the same command, however
//! often they come and whatever became of it meanwhile.

use std::sync::Arc;

use axum::Extension;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use chorus_core::artifact::ArtifactHash;
use chorus_core::id::{EventId, ProjectId, Tenant};
use chorus_core::project::{ClientCommand, Head, State as Stand};
use chorus_core::record;
use http::{HeaderMap, StatusCode};

use crate::auth::Caller;
use crate::desk::Desk;
use crate::fault::{Code, Fault};
use crate::resource::{Answers, CommandAccepted, Rejection};
use crate::submission::{idempotency_key, json};

type Taken = Result<Response, Fault>;

/// `POST …/answers`
pub(crate) async fn answer(
    desk: State<Arc<Desk>>,
    caller: Extension<Caller>,
    id: Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Taken {
    let Answers {
        answers,
        assume_rest,
    } = json(&body)?;
    if answers.is_empty() && !assume_rest {
        return Err(Fault::field(
            "answers",
            "there is none; give answers, or assume_rest",
        ));
    }
    tell(
        &desk,
        &caller,
        (&id, &headers),
        ClientCommand::Answer {
            answers,
            assume_rest,
        },
    )
    .await
}

/// `POST …/approve`
pub(crate) async fn approve(
    desk: State<Arc<Desk>>,
    caller: Extension<Caller>,
    id: Path<String>,
    headers: HeaderMap,
) -> Taken {
    tell(&desk, &caller, (&id, &headers), ClientCommand::Approve).await
}

/// `POST …/reject`
pub(crate) async fn reject(
    desk: State<Arc<Desk>>,
    caller: Extension<Caller>,
    id: Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Taken {
    let Rejection { reason } = json(&body)?;
    if reason.trim().is_empty() {
        return Err(Fault::field(
            "reason",
            "it is empty: say what should be different",
        ));
    }
    tell(
        &desk,
        &caller,
        (&id, &headers),
        ClientCommand::Reject { reason },
    )
    .await
}

/// `POST …/pause`
pub(crate) async fn pause(
    desk: State<Arc<Desk>>,
    caller: Extension<Caller>,
    id: Path<String>,
    headers: HeaderMap,
) -> Taken {
    tell(&desk, &caller, (&id, &headers), ClientCommand::Pause).await
}

/// `POST …/resume`
pub(crate) async fn resume(
    desk: State<Arc<Desk>>,
    caller: Extension<Caller>,
    id: Path<String>,
    headers: HeaderMap,
) -> Taken {
    tell(&desk, &caller, (&id, &headers), ClientCommand::Resume).await
}

/// `POST …/cancel`
pub(crate) async fn cancel(
    desk: State<Arc<Desk>>,
    caller: Extension<Caller>,
    id: Path<String>,
    headers: HeaderMap,
) -> Taken {
    tell(&desk, &caller, (&id, &headers), ClientCommand::Cancel).await
}

async fn tell(
    desk: &Desk,
    caller: &Caller,
    (id, headers): (&str, &HeaderMap),
    command: ClientCommand,
) -> Taken {
    let head = desk.project(caller, id).await?.project.head;
    let event = match idempotency_key(headers)? {
        Some(key) => named(&head, &key, &command),
        None => EventId::new(desk.ports.clock.random_u128()),
    };
    if !head.folded.contains(&event) {
        fits(&head, &command)?;
        let record = record::command(event, &caller.tenant, head.id, &command);
        if !desk
            .ports
            .projects
            .command(&caller.tenant, head.id, record.clone())
            .await?
        {
            return Err(Fault::no_such_project(id));
        }
        desk.publish(record);
    }
    Ok((
        StatusCode::ACCEPTED,
        Json(CommandAccepted {
            project: head.id,
            command: event,
        }),
    )
        .into_response())
}

/// The id of a command that the client gave a key: the same for the same key and command.
fn named(head: &Head, key: &str, command: &ClientCommand) -> EventId {
    let said: (&Tenant, ProjectId, &str, &ClientCommand) = (&head.tenant, head.id, key, command);
    let text = serde_json::to_string(&said).expect("texts and ids can be written");
    let hash = ArtifactHash::of(text.as_bytes()).to_string();
    EventId::new(u128::from_str_radix(&hash[..32], 16).expect("a hash is hex digits"))
}

/// Whether the command can have an effect as the project stands; the project's writer decides for good.
fn fits(head: &Head, command: &ClientCommand) -> Result<(), Fault> {
    let (paused, inner) = match &head.state {
        Stand::Paused { was } => (true, &**was),
        other => (false, other),
    };
    let fit = match command {
        ClientCommand::Answer { answers, .. } => {
            let open = |id: &String| head.open.iter().any(|open| open.question.id == *id);
            if let Some(stray) = answers
                .keys()
                .find(|id| !open(id))
                .filter(|_| !head.open.is_empty())
            {
                return Err(Fault::field(
                    format!("answers.{stray:.64}"),
                    "no open question has this id",
                ));
            }
            !head.open.is_empty()
        }
        ClientCommand::Approve | ClientCommand::Reject { .. } => {
            matches!(inner, Stand::WaitingApproval)
        }
        ClientCommand::Pause => !paused,
        ClientCommand::Resume => paused,
        ClientCommand::Cancel | ClientCommand::Submit { .. } => true,
    };
    if fit && !head.is_terminal() {
        return Ok(());
    }
    let wish = match command {
        ClientCommand::Answer { .. } => "it has no open question",
        ClientCommand::Approve | ClientCommand::Reject { .. } => "no plan waits for approval",
        ClientCommand::Pause
        | ClientCommand::Resume
        | ClientCommand::Cancel
        | ClientCommand::Submit { .. } => "that cannot be done now",
    };
    Err(Fault::new(
        Code::WrongState,
        format!(
            "the project is {}: {wish}",
            head.state.as_str().replace('_', " ")
        ),
    )
    .of_project(head.id))
}
