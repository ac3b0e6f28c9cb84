//! Accounts over HTTP: lists, imports, checks, pauses, rotations. Keys come in and never go out.
//!
//! Reading needs the scope `accounts:read`, every change `accounts:write`. The acts themselves are
//! [`AccountOperator`]'s; [`levels`](crate::levels) adds what a ledger knows of the limits.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::{Extension, Json};
use chorus_accounts::{
    AccountOperator, Author, Checkup, CredentialRow, Identity, OperatorError, Pause, Report,
    Rotation, Row, Selection, end_of_day,
};
use chorus_core::id::ProviderId;
use chorus_vault::{Liveness, Secret};

use crate::api_error::ApiError;
use crate::app_state::AppState;
use crate::caller::Caller;
use crate::error_code::ErrorCode;
use crate::json_body::read_json;
use crate::levels;
use crate::query::Query;
use crate::resource::{
    AccountImport, AccountList, AccountResource, ChangedAccounts, EnableBody, ImportReport,
    KeyCheckResource, NewAccountBody, PauseBody, ProbeReport, RefusedAccount, RotateBody,
    RotationResource, UpdatedAccount,
};

type Handled<T> = Result<Json<T>, ApiError>;

/// `GET /v1/accounts`
pub(crate) async fn list(
    State(state): State<Arc<AppState>>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Handled<AccountList> {
    let query = Query::read(query.as_deref(), &["owner"])?;
    let now = state.ports.clock.now();
    let mut accounts = state.ports.directory.accounts(&caller.tenant).await?;
    if let Some(owner) = query.text("owner") {
        accounts.retain(|account| account.owner == owner);
    }
    let shown = |account| AccountResource::new(account, now);
    let accounts = accounts.iter().map(shown).collect();
    Ok(Json(AccountList { accounts }))
}

/// `GET /v1/accounts/{account}`, with the levels of its limits.
pub(crate) async fn show(
    State(state): State<Arc<AppState>>,
    Extension(caller): Extension<Caller>,
    Path(named): Path<String>,
) -> Handled<AccountResource> {
    let operator = operator(&state)?;
    let account = operator.account(&author(&caller), &named).await?;
    let mut shown = [AccountResource::new(&account, state.ports.clock.now())];
    levels::add_to_accounts(&state, std::slice::from_ref(&account), &mut shown).await;
    let [shown] = shown;
    Ok(Json(shown))
}

/// `POST /v1/accounts`
pub(crate) async fn import(
    State(state): State<Arc<AppState>>,
    Extension(caller): Extension<Caller>,
    body: Bytes,
) -> Handled<ImportReport> {
    let AccountImport { accounts, check } = read_json(&body)?;
    let rows = accounts.into_iter().enumerate();
    let rows = rows.map(|(at, account)| Ok(row(at, account))).collect();
    let operator = operator(&state)?;
    let report = operator.import(&author(&caller), rows, check).await?;
    Ok(Json(import_report(report)))
}

/// `POST /v1/accounts/{account}/probe`
pub(crate) async fn probe(
    State(state): State<Arc<AppState>>,
    Extension(caller): Extension<Caller>,
    Path(named): Path<String>,
) -> Handled<ProbeReport> {
    let checkups = operator(&state)?.probe(&author(&caller), &named).await?;
    let checks = checkups.into_iter().map(key_check).collect();
    Ok(Json(ProbeReport { checks }))
}

/// `POST /v1/accounts/{account}/pause`
pub(crate) async fn pause(
    State(state): State<Arc<AppState>>,
    Extension(caller): Extension<Caller>,
    Path(named): Path<String>,
    body: Bytes,
) -> Handled<ChangedAccounts> {
    let body: PauseBody = read_json(given(&body))?;
    refuse_owner(body.owner.as_deref())?;
    pause_selected(&state, &caller, &Selection::Account(named), body).await
}

/// `POST /v1/accounts/pause`: all accounts of one owner.
pub(crate) async fn pause_owner(
    State(state): State<Arc<AppState>>,
    Extension(caller): Extension<Caller>,
    body: Bytes,
) -> Handled<ChangedAccounts> {
    let body: PauseBody = read_json(given(&body))?;
    let selection = Selection::Owner(require_owner(body.owner.clone())?);
    pause_selected(&state, &caller, &selection, body).await
}

async fn pause_selected(
    state: &AppState,
    caller: &Caller,
    selection: &Selection,
    body: PauseBody,
) -> Handled<ChangedAccounts> {
    let pause = Pause {
        reason: shown_reason(&body.reason)?,
        is_cut: body.cut,
    };
    let operator = operator(state)?;
    let accounts = operator.pause(&author(caller), selection, pause).await?;
    Ok(Json(ChangedAccounts { accounts }))
}

/// `POST /v1/accounts/{account}/enable`
pub(crate) async fn enable(
    State(state): State<Arc<AppState>>,
    Extension(caller): Extension<Caller>,
    Path(named): Path<String>,
    body: Bytes,
) -> Handled<ChangedAccounts> {
    let body: EnableBody = read_json(given(&body))?;
    refuse_owner(body.owner.as_deref())?;
    let operator = operator(&state)?;
    let selection = Selection::Account(named);
    let accounts = operator.enable(&author(&caller), &selection).await?;
    Ok(Json(ChangedAccounts { accounts }))
}

/// `POST /v1/accounts/enable`: all accounts of one owner.
pub(crate) async fn enable_owner(
    State(state): State<Arc<AppState>>,
    Extension(caller): Extension<Caller>,
    body: Bytes,
) -> Handled<ChangedAccounts> {
    let body: EnableBody = read_json(given(&body))?;
    let selection = Selection::Owner(require_owner(body.owner)?);
    let operator = operator(&state)?;
    let accounts = operator.enable(&author(&caller), &selection).await?;
    Ok(Json(ChangedAccounts { accounts }))
}

/// `POST /v1/accounts/{account}/rotate`
pub(crate) async fn rotate(
    State(state): State<Arc<AppState>>,
    Extension(caller): Extension<Caller>,
    Path(named): Path<String>,
    body: Bytes,
) -> Handled<RotationResource> {
    let body: RotateBody = read_json(&body)?;
    let expires_at = body.expires.as_deref().map(end_of_day).transpose();
    let rotation = Rotation {
        key: Secret::new(body.key.trim()),
        provider: body.provider.map(ProviderId::new),
        credential: body.credential,
        expires_at: expires_at.map_err(|message| ApiError::field("expires", message))?,
        is_unchecked: body.unchecked,
    };
    let operator = operator(&state)?;
    let rotated = operator.rotate(&author(&caller), &named, rotation).await?;
    Ok(Json(RotationResource {
        account: rotated.account,
        provider: rotated.provider,
        replaced: rotated.replaced,
        credential: rotated.credential,
        is_checked: rotated.is_checked,
    }))
}

/// `DELETE /v1/accounts/{account}`
pub(crate) async fn remove(
    State(state): State<Arc<AppState>>,
    Extension(caller): Extension<Caller>,
    Path(named): Path<String>,
) -> Handled<ChangedAccounts> {
    let name = operator(&state)?.remove(&author(&caller), &named).await?;
    Ok(Json(ChangedAccounts {
        accounts: vec![name],
    }))
}

/// Acts on accounts; a gateway without them has no such routes.
fn operator(state: &AppState) -> Result<&AccountOperator, ApiError> {
    let operator = state.settings.operator.as_deref();
    operator.ok_or_else(|| ApiError::of(ErrorCode::NoSuchRoute))
}

pub(crate) fn author(caller: &Caller) -> Author {
    Author {
        tenant: caller.tenant.clone(),
        caller: caller.name(),
    }
}

/// A body, where none may be sent.
fn given(body: &[u8]) -> &[u8] {
    if body.is_empty() { b"{}" } else { body }
}

/// Maximum number of characters of a reason.
const MAX_REASON: usize = 500;

/// The reason of a pause. A text with a key in it is refused: callers without rights see reasons.
fn shown_reason(text: &str) -> Result<String, ApiError> {
    let text = text.trim();
    if text.chars().count() > MAX_REASON || text.chars().any(char::is_control) {
        let message = format!("it must be one line of at most {MAX_REASON} characters");
        return Err(ApiError::field("reason", message));
    }
    if chorus_vault::has_secret(text) {
        return Err(ApiError::field("reason", "it looks like an API key"));
    }
    Ok(text.to_owned())
}

fn refuse_owner(owner: Option<&str>) -> Result<(), ApiError> {
    match owner {
        None => Ok(()),
        Some(_) => Err(ApiError::field("owner", "the address names an account")),
    }
}

fn require_owner(owner: Option<String>) -> Result<String, ApiError> {
    owner.ok_or_else(|| ApiError::field("owner", "name the owner of the accounts"))
}

/// Maximum number of characters of a place.
const MAX_PLACE: usize = 40;

fn row(at: usize, account: NewAccountBody) -> Row {
    let credential = |of: crate::resource::NewCredentialBody| CredentialRow {
        provider: of.provider,
        key: of.key,
        organization: of.organization,
        base_url: of.base_url,
        expires: of.expires,
        models: of.models,
        limits: of.limits,
        tier: of.tier,
        project: of.project,
        admin_key: of.admin_key,
        project_limits: of.project_limits,
    };
    let place = account
        .place
        .filter(|place| !chorus_vault::has_secret(place));
    let place = place.map(|place| place.chars().take(MAX_PLACE).collect());
    Row {
        place: place.unwrap_or_else(|| format!("account {}", at + 1)),
        identity: Identity {
            email: account.email,
            owner: account.owner,
            entitlement: account.entitlement.unwrap_or_else(|| "own".to_owned()),
            attested_by: account.attested_by,
            same_owner_spill: account.same_owner_spill,
        },
        credentials: account.credential.into_iter().map(credential).collect(),
    }
}

fn import_report(report: Report) -> ImportReport {
    let updated = report.updated.into_iter().map(|updated| UpdatedAccount {
        name: updated.name,
        changes: updated.changes,
    });
    let refused = report.refused.into_iter().map(|refused| RefusedAccount {
        place: refused.place,
        name: refused.name,
        reason: refused.reason,
    });
    ImportReport {
        added: report.added,
        unchecked: report.unchecked,
        updated: updated.collect(),
        unchanged: report.unchanged,
        notes: report.notes,
        refused: refused.collect(),
    }
}

fn key_check(checkup: Checkup) -> KeyCheckResource {
    let (result, reason) = match checkup.answer {
        Liveness::Alive => ("accepted", String::new()),
        Liveness::Dead { reason } => ("refused", reason),
        Liveness::WrongAddress { reason, .. } => ("wrong_address", reason),
        Liveness::Unknown { reason } => ("unknown", reason),
    };
    KeyCheckResource {
        credential: checkup.credential.id,
        provider: checkup.credential.provider,
        result: result.to_owned(),
        reason,
        is_held: checkup.credential.state.is_held(),
    }
}

impl From<OperatorError> for ApiError {
    fn from(error: OperatorError) -> Self {
        let message = error.to_string();
        match error {
            OperatorError::NoSuchAccount(_) | OperatorError::NoSuchOwner(_) => {
                let message: String = message.chars().take(200).collect();
                Self::new(ErrorCode::NoSuchAccount, message)
            }
            OperatorError::Unclear(_) => Self::field("credential", message),
            OperatorError::KeyRefused(_) => Self::new(ErrorCode::KeyRefused, message),
            OperatorError::Duplicate(_) => Self::new(ErrorCode::DuplicateKey, message),
            OperatorError::Store(error) => error.into(),
            OperatorError::Import(chorus_accounts::ImportError::Store(error)) => error.into(),
            OperatorError::Import(error) => Self::internal("import accounts", &error),
        }
    }
}
