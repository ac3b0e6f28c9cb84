//! `POST /v1/projects`: a submission is read and checked ([`body`]), then committed before the reply.

mod body;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use bytes::Bytes;
use chorus_core::artifact::ArtifactHash;
use chorus_core::brief::{Attachment, Brief, Options};
use chorus_core::id::{AuditId, EventId, ProjectId, Seq, Version};
use chorus_core::intake::{AcceptedAttachment, title};
use chorus_core::money::{MicroUsd, ProjectMoney};
use chorus_core::port::audit::{AuditAction, AuditEntry};
use chorus_core::port::projects::{Loaded, NewProject, Submitted};
use chorus_core::project::{ClientCommand, Head, NewHead, Project};
use chorus_core::record;
use http::{HeaderName, HeaderValue, StatusCode, header};

use crate::api_error::ApiError;
use crate::app_state::AppState;
use crate::caller::Caller;
use crate::error_code::ErrorCode;
use crate::idempotency;
use crate::projects;
use crate::resource::{Approval, ProjectFacts, ProjectResource, SubmissionOptions};
use body::CheckedSubmission;

/// Header of a reply that repeats an earlier submission's project.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Accepts a project: 201 for a new one, 200 for a repeated key and body.
pub(crate) async fn submit(
    State(state): State<Arc<AppState>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Response, ApiError> {
    let key = idempotency::key(request.headers())?;
    let permit = state.upload_permit().await?;
    let submission = body::read(request, &state.settings.bounds).await?;
    let budget = budget(&state, &submission.options)?;
    let new = store(&state, &caller, submission, (key, budget)).await?;
    drop(permit);
    write_submission(&state, &caller, new.id).await?;
    match state.ports.projects.submit(new.clone()).await? {
        Submitted::Accepted(id) if id == new.id => {
            state.publish(new.record.clone());
            Ok(reply(StatusCode::CREATED, created(new)))
        }
        Submitted::Accepted(id) => {
            let loaded = state.project(&caller, &id.to_string()).await?;
            let resource = projects::resource(&state, &caller, &loaded).await?;
            let mut reply = reply(StatusCode::OK, resource);
            reply
                .headers_mut()
                .insert(REPLAYED, HeaderValue::from_static("true"));
            Ok(reply)
        }
        Submitted::KeyReused(other) => {
            let message = format!(
                "this Idempotency-Key was used for {other} with another body; choose a new key for new work"
            );
            Err(ApiError::new(ErrorCode::IdempotencyKeyReused, message)
                .of_field("Idempotency-Key")
                .of_project(other))
        }
    }
}

/// Adds the author of a submission to the audit, before the project is there: no project is without one.
async fn write_submission(
    state: &AppState,
    caller: &Caller,
    project: ProjectId,
) -> Result<(), ApiError> {
    let clock = &state.ports.clock;
    let entry = AuditEntry {
        id: AuditId::new(clock.random_u128()),
        tenant: caller.tenant.clone(),
        at: clock.now(),
        caller: caller.name(),
        action: AuditAction::Submit,
        account: None,
        account_name: String::new(),
        project: Some(project),
        detail: String::new(),
    };
    Ok(state.ports.audit.append(entry).await?)
}

/// The resource of a project that was committed just now.
fn created(new: NewProject) -> ProjectResource {
    let money = ProjectMoney {
        budget: new.budget,
        ..ProjectMoney::default()
    };
    let loaded = Loaded {
        version: Version(0),
        seq: Seq(0),
        project: Project {
            head: new.head,
            tasks: BTreeMap::new(),
        },
    };
    let facts = ProjectFacts {
        money,
        ..ProjectFacts::default()
    };
    ProjectResource::new(&loaded, facts)
}

fn reply(status: StatusCode, resource: ProjectResource) -> Response {
    let address = resource.links.own.clone();
    ([(header::LOCATION, address)], (status, Json(resource))).into_response()
}

/// The budget of a submission: the client's, else the configured default.
fn budget(state: &AppState, options: &SubmissionOptions) -> Result<MicroUsd, ApiError> {
    options
        .budget_usd
        .map_or(Ok(state.settings.budget), |dollars| {
            checked_budget(state, dollars)
        })
}

/// A budget that a client names, within what the gateway allows.
#[expect(
    clippy::cast_possible_truncation,
    reason = "at most 10^15 after the check"
)]
pub(crate) fn checked_budget(state: &AppState, dollars: f64) -> Result<MicroUsd, ApiError> {
    let max = state.settings.most_budget;
    let refused = || ApiError::field("budget_usd", format!("it must be between 0 and {max}"));
    if !(0.0..=1e9).contains(&dollars) {
        return Err(refused());
    }
    let micros = MicroUsd((dollars * 1_000_000.0).round() as i64);
    if micros <= max {
        Ok(micros)
    } else {
        Err(refused())
    }
}

/// Stores the artifacts and builds the project that refers to them.
async fn store(
    state: &AppState,
    caller: &Caller,
    submission: CheckedSubmission,
    (key, budget): (Option<String>, MicroUsd),
) -> Result<NewProject, ApiError> {
    let CheckedSubmission {
        text,
        attachments: accepted,
        options: given,
    } = submission;
    let title = title(given.title.as_deref(), &text);
    let options = Options {
        assume: given.assume,
        approve: given.approve == Approval::Ask,
    };
    let brief = Brief {
        version: 1,
        text,
        attachments: store_attachments(state, accepted).await?,
        options,
    };
    let internal = |error: serde_json::Error| ApiError::internal("write the brief", &error);
    let brief = serde_json::to_vec(&brief).map_err(internal)?;
    let brief = state.ports.artifacts.put(Bytes::from(brief)).await?;
    // Only what the client sent: a changed default must not make a repetition another body.
    let sent = serde_json::to_vec(&(brief, &given.title, given.budget_usd)).map_err(internal)?;
    let clock = &state.ports.clock;
    let id = ProjectId::new(clock.random_u128());
    let tenant = caller.tenant.clone();
    let record = record::command(
        EventId::new(clock.random_u128()),
        &tenant,
        id,
        &ClientCommand::Submit { brief },
    );
    let mut head = Head::new(NewHead {
        id,
        tenant: tenant.clone(),
        title,
        created_at: clock.now(),
        brief,
        options,
    });
    head.has_title_of_client = given.title.is_some_and(|title| !title.trim().is_empty());
    Ok(NewProject {
        id,
        tenant,
        idempotency_key: key.unwrap_or_else(|| id.to_string()),
        body: ArtifactHash::of(&sent),
        budget,
        head,
        record,
    })
}

async fn store_attachments(
    state: &AppState,
    accepted: Vec<AcceptedAttachment>,
) -> Result<Vec<Attachment>, ApiError> {
    let mut attachments = Vec::with_capacity(accepted.len());
    for AcceptedAttachment { name, text } in accepted {
        let bytes = text.len() as u64;
        let text = state.ports.artifacts.put(Bytes::from(text)).await?;
        attachments.push(Attachment { name, text, bytes });
    }
    Ok(attachments)
}
