//! `GET /v1/projects`: pages of a tenant's projects, newest first.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::{Extension, Json};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chorus_core::port::projects::Cursor;
use chorus_core::time::Timestamp;

use crate::api_error::ApiError;
use crate::app_state::AppState;
use crate::caller::Caller;
use crate::query::Query;
use crate::resource::ProjectList;

/// Default length of a page.
const DEFAULT_LIMIT: u32 = 20;

/// Maximum length of a page.
const MAX_LIMIT: u32 = 100;

pub(crate) async fn list(
    State(state): State<Arc<AppState>>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Result<Json<ProjectList>, ApiError> {
    let query = Query::read(query.as_deref(), &["limit", "cursor"])?;
    let limit = query
        .number("limit", 1..=u64::from(MAX_LIMIT))?
        .map_or(DEFAULT_LIMIT, |limit| {
            u32::try_from(limit).unwrap_or(MAX_LIMIT)
        });
    let before = query.text("cursor").map(|text| {
        read_cursor(text).ok_or_else(|| {
            ApiError::field("cursor", "it is not the next_cursor of an earlier page")
        })
    });
    let mut found = state
        .ports
        .projects
        .list(&caller.tenant, before.transpose()?, limit + 1)
        .await?;
    let has_more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let last = found.last().filter(|_| has_more).map(|summary| Cursor {
        created_at: summary.created_at,
        id: summary.id,
    });
    Ok(Json(ProjectList {
        projects: found.into_iter().map(Into::into).collect(),
        next_cursor: last.map(cursor_text),
    }))
}

/// A cursor as the opaque text that clients send back.
fn cursor_text(cursor: Cursor) -> String {
    URL_SAFE_NO_PAD.encode(format!("{}.{}", cursor.created_at.0, cursor.id))
}

fn read_cursor(text: &str) -> Option<Cursor> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
    let (created_at, id) = text.split_once('.')?;
    Some(Cursor {
        created_at: Timestamp(created_at.parse().ok()?),
        id: id.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use chorus_core::id::ProjectId;

    use super::*;

    #[test]
    fn a_cursor_is_read_back_and_another_text_is_not() {
        let at = Cursor {
            created_at: Timestamp(1_790_000_000_123),
            id: ProjectId::new(7),
        };
        assert_eq!(read_cursor(&cursor_text(at)), Some(at));
        for wrong in [
            "",
            "!",
            "abc",
            &URL_SAFE_NO_PAD.encode("1.prj_x"),
            &URL_SAFE_NO_PAD.encode("1"),
            &format!("{}=", cursor_text(at)),
        ] {
            assert_eq!(read_cursor(wrong), None, "{wrong}");
        }
    }
}
