//! The audit over HTTP, for keys with the scope `accounts:write`: acts of operators, and uses of accounts.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::{Extension, Json};
use chorus_core::id::AccountId;
use chorus_core::port::audit::AuditFilter;
use chorus_core::time::Timestamp;

use crate::api_error::ApiError;
use crate::app_state::AppState;
use crate::caller::Caller;
use crate::error_code::ErrorCode;
use crate::query::Query;
use crate::resource::{AuditList, UseList, UseResource};

/// Default number of rows.
const DEFAULT_LIMIT: u64 = 100;

/// Maximum number of rows.
const MAX_LIMIT: u64 = 1000;

/// Parameters of both routes.
const PARAMETERS: [&str; 4] = ["account", "project", "before_ms", "limit"];

/// `GET /v1/audit`
pub(crate) async fn acts(
    State(state): State<Arc<AppState>>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Result<Json<AuditList>, ApiError> {
    let (filter, limit) = filter(&state, &caller, query.as_deref()).await?;
    let audit = &state.ports.audit;
    let entries = audit.entries(&caller.tenant, filter, limit).await?;
    let entries = entries.into_iter().map(Into::into).collect();
    Ok(Json(AuditList { entries }))
}

/// `GET /v1/audit/uses`
pub(crate) async fn uses(
    State(state): State<Arc<AppState>>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Result<Json<UseList>, ApiError> {
    let (filter, limit) = filter(&state, &caller, query.as_deref()).await?;
    let names = names(&state, &caller).await?;
    let audit = &state.ports.audit;
    let uses = audit.uses(&caller.tenant, filter, limit).await?;
    let shown = uses.into_iter().map(|one| {
        let name = names.get(&one.account).cloned();
        UseResource::new(one, name)
    });
    let uses = shown.collect();
    Ok(Json(UseList { uses }))
}

async fn names(state: &AppState, caller: &Caller) -> Result<BTreeMap<AccountId, String>, ApiError> {
    let accounts = state.ports.directory.accounts(&caller.tenant).await?;
    let named = accounts.into_iter();
    Ok(named.map(|account| (account.id, account.name)).collect())
}

async fn filter(
    state: &AppState,
    caller: &Caller,
    query: Option<&str>,
) -> Result<(AuditFilter, u32), ApiError> {
    let query = Query::read(query, &PARAMETERS)?;
    let limit = query
        .number("limit", 1..=MAX_LIMIT)?
        .unwrap_or(DEFAULT_LIMIT);
    let before = query.number("before_ms", 0..=i64::MAX.unsigned_abs())?;
    let project = query
        .text("project")
        .map(|text| text.parse().map_err(|_| ApiError::no_such_project(text)));
    let filter = AuditFilter {
        account: account(state, caller, query.text("account")).await?,
        project: project.transpose()?,
        before: before.and_then(|at| i64::try_from(at).ok()).map(Timestamp),
    };
    Ok((filter, u32::try_from(limit).unwrap_or(u32::MAX)))
}

/// Id of the named account; an id may be that of a removed one.
async fn account(
    state: &AppState,
    caller: &Caller,
    named: Option<&str>,
) -> Result<Option<AccountId>, ApiError> {
    let Some(named) = named else { return Ok(None) };
    if let Ok(id) = named.parse() {
        return Ok(Some(id));
    }
    let names = names(state, caller).await?;
    let mut found = names.into_iter().filter(|(_, name)| name == named);
    match found.next() {
        Some((id, _)) => Ok(Some(id)),
        None => Err(ApiError::new(
            ErrorCode::NoSuchAccount,
            format!("there is no account {named:.64}; a removed one is named by its id"),
        )),
    }
}
