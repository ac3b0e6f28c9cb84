//! `GET /v1/projects`: pages of a tenant's projects, newest first.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::{Extension, Json};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chorus_core::port::projects::Cursor;
use chorus_core::time::Timestamp;

use crate::auth::Caller;
use crate::desk::Desk;
use crate::fault::Fault;
use crate::query::Query;
use crate::resource::ProjectList;

/// Projects of a page when the client names no number.
const USUAL: u32 = 20;

/// Most projects of a page.
const MOST: u32 = 100;

pub(crate) async fn list(
    State(desk): State<Arc<Desk>>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Result<Json<ProjectList>, Fault> {
    let query = Query::read(query.as_deref(), &["limit", "cursor"])?;
    let limit = query
        .number("limit", 1..=u64::from(MOST))?
        .map_or(USUAL, |limit| u32::try_from(limit).unwrap_or(MOST));
    let before = query.text("cursor").map(|text| {
        place(text).ok_or_else(|| Fault::field("cursor", "it is none that a page gave"))
    });
    let mut found = desk
        .ports
        .projects
        .list(&caller.tenant, before.transpose()?, limit + 1)
        .await?;
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let last = found.last().filter(|_| more).map(|summary| Cursor {
        created_at: summary.created_at,
        id: summary.id,
    });
    Ok(Json(ProjectList {
        projects: found.into_iter().map(Into::into).collect(),
        next_cursor: last.map(cursor),
    }))
}

/// A place in the list as a word that clients hand back.
fn cursor(place: Cursor) -> String {
    URL_SAFE_NO_PAD.encode(format!("{}.{}", place.created_at.0, place.id))
}

fn place(cursor: &str) -> Option<Cursor> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
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
    fn a_cursor_is_read_back_and_another_word_is_not() {
        let at = Cursor {
            created_at: Timestamp(1_790_000_000_123),
            id: ProjectId::new(7),
        };
        assert_eq!(place(&cursor(at)), Some(at));
        for wrong in ["", "!", "abc", &URL_SAFE_NO_PAD.encode("1.prj_x")] {
            assert_eq!(place(wrong), None, "{wrong}");
        }
    }
}
