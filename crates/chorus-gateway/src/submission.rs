//! `POST /v1/projects`: what is handed in, read and checked, then committed before it is answered.

mod intake;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use bytes::Bytes;
use chorus_core::artifact::ArtifactHash;
use chorus_core::brief::{Attachment, Brief, Options};
use chorus_core::id::{EventId, ProjectId, Seq, Version};
use chorus_core::intake::{AcceptedAttachment, title};
use chorus_core::money::MicroUsd;
use chorus_core::money::ProjectMoney;
use chorus_core::port::projects::{Loaded, NewProject, Submitted};
use chorus_core::project::{ClientCommand, Head, NewHead, Project};
use chorus_core::record;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use crate::auth::Caller;
use crate::desk::Desk;
use crate::fault::{Code, Fault};
use crate::resource::{Approval, ProjectResource, SubmissionOptions};
use intake::Intake;
pub(crate) use intake::json;

const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Longest Idempotency-Key.
const LONGEST_KEY: usize = 255;

/// Takes a project.
pub(crate) async fn submit(
    State(desk): State<Arc<Desk>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Response, Fault> {
    let key = idempotency_key(request.headers())?;
    let room = desk.upload().await?;
    let intake = intake::read(request, &desk.settings.bounds).await?;
    let budget = budget(&desk, &intake.options)?;
    let new = store(&desk, &caller, intake, (key, budget)).await?;
    drop(room);
    match desk.ports.projects.submit(new.clone()).await? {
        Submitted::Accepted(id) if id == new.id => {
            desk.publish(new.record);
            let project = Project {
                head: new.head,
                tasks: std::collections::BTreeMap::new(),
            };
            let loaded = Loaded {
                version: Version(0),
                seq: Seq(0),
                project,
            };
            let money = ProjectMoney {
                budget,
                ..ProjectMoney::default()
            };
            Ok(reply(
                StatusCode::CREATED,
                ProjectResource::new(&loaded, money, None),
            ))
        }
        Submitted::Accepted(id) => {
            let resource = super::projects::resource(&desk, &caller, &id.to_string()).await?;
            let mut reply = reply(StatusCode::OK, resource);
            reply
                .headers_mut()
                .insert(REPLAYED, HeaderValue::from_static("true"));
            Ok(reply)
        }
        Submitted::KeyReused(other) => {
            let words = format!(
                "this Idempotency-Key was used for {other} with another body; choose a new key for new work"
            );
            Err(Fault::new(Code::IdempotencyKeyReused, words)
                .of_field("Idempotency-Key")
                .of_project(other))
        }
    }
}

fn reply(status: StatusCode, resource: ProjectResource) -> Response {
    let place = resource.links.own.clone();
    ([(header::LOCATION, place)], (status, Json(resource))).into_response()
}

/// The client's key, if it gave one.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Fault> {
    let Some(value) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    let text = value
        .to_str()
        .ok()
        .filter(|text| (1..=LONGEST_KEY).contains(&text.len()));
    let wrong = || {
        Fault::field(
            "Idempotency-Key",
            format!("it must be 1 to {LONGEST_KEY} visible ASCII letters"),
        )
    };
    Ok(Some(text.ok_or_else(wrong)?.to_owned()))
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "at most 10^15 after the check"
)]
fn budget(desk: &Desk, options: &SubmissionOptions) -> Result<MicroUsd, Fault> {
    let Some(dollars) = options.budget_usd else {
        return Ok(desk.settings.budget);
    };
    let most = desk.settings.most_budget;
    let wrong = || Fault::field("budget_usd", format!("it must be between 0 and {most}"));
    if !(0.0..=1e9).contains(&dollars) {
        return Err(wrong());
    }
    let micros = MicroUsd((dollars * 1_000_000.0).round() as i64);
    if micros <= most {
        Ok(micros)
    } else {
        Err(wrong())
    }
}

/// Puts the artifacts in place and builds the project that names them.
async fn store(
    desk: &Desk,
    caller: &Caller,
    intake: Intake,
    (key, budget): (Option<String>, MicroUsd),
) -> Result<NewProject, Fault> {
    let Intake {
        text,
        documents,
        options,
    } = intake;
    let mut attachments = Vec::with_capacity(documents.len());
    for AcceptedAttachment { name, text } in documents {
        let bytes = text.len() as u64;
        let text = desk.ports.artifacts.put(Bytes::from(text)).await?;
        attachments.push(Attachment { name, text, bytes });
    }
    let title = title(options.title.as_deref(), &text);
    let how = Options {
        assume: options.assume,
        approve: options.approve == Approval::Ask,
    };
    let written = |error: serde_json::Error| {
        Fault::new(
            Code::Internal,
            format!("the brief cannot be written: {error}"),
        )
    };
    let brief = serde_json::to_vec(&Brief {
        version: 1,
        text,
        attachments,
        options: how,
    })
    .map_err(written)?;
    let brief = desk.ports.artifacts.put(Bytes::from(brief)).await?;
    // What the client said, not what the server fills in: a changed default does not make a repetition another body.
    let said = serde_json::to_vec(&(brief, &options.title, options.budget_usd)).map_err(written)?;
    let clock = &desk.ports.clock;
    let id = ProjectId::new(clock.random_u128());
    let tenant = caller.tenant.clone();
    let record = record::command(
        EventId::new(clock.random_u128()),
        &tenant,
        id,
        &ClientCommand::Submit { brief },
    );
    let head = Head::new(NewHead {
        id,
        tenant: tenant.clone(),
        title,
        created_at: clock.now(),
        brief,
        options: how,
    });
    let idempotency_key = key.unwrap_or_else(|| id.to_string());
    Ok(NewProject {
        id,
        tenant,
        idempotency_key,
        body: ArtifactHash::of(&said),
        budget,
        head,
        record,
    })
}
